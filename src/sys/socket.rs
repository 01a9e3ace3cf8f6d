//! What the control endpoint asks of the platform: who is at the other end, what a thread has used, and descriptors that
//! a forked child must not hold open.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The user that this process acts as.
pub(crate) fn own_uid() -> u32 {
    // SAFETY: a plain call that cannot fail.
    unsafe { libc::geteuid() }
}

/// The user that the process at the other end of a Unix-domain socket acted as when it connected.
pub(crate) fn peer_uid(socket: &impl AsRawFd) -> io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor lives through the call by its borrow; the kernel writes at most `length` bytes into `peer`.
    let status = unsafe {
        let at = std::ptr::from_mut(&mut peer).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, at, &mut length)
    };
    if status == 0 {
        Ok(peer.uid)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// How many connections may wait to be accepted. Those who come when so many wait are made to wait before they are
/// connected, where they do not stand in line.
pub(crate) fn set_backlog(listener: &impl AsRawFd, most: u16) {
    // SAFETY: a plain call; the descriptor lives through it by its borrow. That it listens already is allowed, and then
    // the call cannot fail.
    unsafe { libc::listen(listener.as_raw_fd(), most.into()) };
}

/// The processor time that the calling thread has used.
pub(crate) fn thread_time() -> Duration {
    let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the timespec on this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut used) };
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

const WORD_BITS: usize = u64::BITS as usize;
/// Descriptors above 65535 are not looked after: few processes have so many.
const WORDS: usize = 65_536 / WORD_BITS;
static OURS: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];

/// A descriptor that is closed in a forked child: else the child would keep a connection open, or a socket that nobody
/// serves, when this process has long ended.
pub(crate) struct NotForChildren(RawFd);

impl NotForChildren {
    pub(crate) fn new(of: &impl AsRawFd) -> NotForChildren {
        let descriptor = of.as_raw_fd();
        // Relaxed: a fork is ordered with the rest of its own thread, and copies what is there.
        if let Some(word) = OURS.get(descriptor as usize / WORD_BITS) {
            word.fetch_or(1 << (descriptor as usize % WORD_BITS), Ordering::Relaxed);
        }
        NotForChildren(descriptor)
    }
}

/// To be dropped before the descriptor is closed: after that its number may be somebody else's.
impl Drop for NotForChildren {
    fn drop(&mut self) {
        if let Some(word) = OURS.get(self.0 as usize / WORD_BITS) {
            word.fetch_and(!(1 << (self.0 as usize % WORD_BITS)), Ordering::Relaxed);
        }
    }
}

/// Closes them all: in a child made by fork. Async-signal-safe.
pub(crate) fn close_in_child() {
    for (index, word) in OURS.iter().enumerate() {
        let mut bits = word.swap(0, Ordering::Relaxed);
        while bits != 0 {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            // SAFETY: the descriptor is park's; the threads that use it do not exist in the child.
            unsafe { libc::close((index * WORD_BITS + bit) as RawFd) };
        }
    }
}
