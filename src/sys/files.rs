//! What files can do and std does not offer. Each is a call of libc's, so that a test can put itself in between.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a system call returned, as std says it.
fn checked(result: c_int) -> io::Result<()> {
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens a file without following a link, past the page cache when `direct`. A file system that has no such way
/// refuses with EINVAL, here or at the first transfer.
pub(crate) fn open(options: &OpenOptions, path: &Path, direct: bool) -> io::Result<File> {
    let direct = if direct { libc::O_DIRECT } else { 0 };
    options.clone().custom_flags(libc::O_NOFOLLOW | direct).open(path)
}

/// From now on the transfers of this file go through the page cache.
pub(crate) fn leave_direct(file: &File) -> io::Result<()> {
    // SAFETY: plain calls on a descriptor that the borrow keeps open.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    checked(flags)?;
    // SAFETY: as above.
    checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags & !libc::O_DIRECT) })
}

/// Whether the error says that this file system cannot do it, and not that it failed.
pub(crate) fn is_not_offered(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS))
}

/// Whether the error says that the medium gave nothing back.
pub(crate) fn is_medium(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// Gives the file blocks for its first `length` bytes, and at least that length.
pub(crate) fn allocate(file: &File, length: u64) -> io::Result<()> {
    let length = libc::off64_t::try_from(length).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    // SAFETY: a plain call on a descriptor that the borrow keeps open.
    checked(unsafe { libc::fallocate64(file.as_raw_fd(), 0, 0, length) })
}

/// Lets the kernel begin to write these bytes. That they are written only fsync tells.
pub(crate) fn begin_writeback(file: &File, offset: u64, length: usize) {
    // SAFETY: a plain call on a descriptor that the borrow keeps open; numbers that do not fit are refused by it.
    unsafe {
        libc::sync_file_range(
            file.as_raw_fd(),
            offset as libc::off64_t,
            length as libc::off64_t,
            libc::SYNC_FILE_RANGE_WRITE,
        )
    };
}

/// Lets the kernel forget what it holds of the file, so that the next read comes from the medium.
pub(crate) fn drop_cached(file: &File) {
    // SAFETY: a plain call on a descriptor that the borrow keeps open.
    unsafe { libc::posix_fadvise64(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
}

/// Whether flushing the file and then its directory is known to be enough for the name to survive a power loss. On xfs
/// it is not: a rename that was flushed by the directory may still lose the file's size.
pub(crate) fn keeps_names(file: &File) -> bool {
    const EXT4: i64 = 0xef53;
    const TMPFS: i64 = 0x0102_1994;
    // SAFETY: statfs is plain data for which all zeroes is a value; fstatfs writes it on this frame.
    let kind = unsafe {
        let mut system: libc::statfs = std::mem::zeroed();
        match libc::fstatfs(file.as_raw_fd(), &mut system) {
            0 => system.f_type as i64,
            _ => 0,
        }
    };
    matches!(kind, EXT4 | TMPFS)
}

/// Linux's, which the libc crate does not name.
const F_SETSIG: c_int = 10;

/// Whether another open file of anybody's leads to this one: only without one is a write lease granted. `false` also
/// where there are no leases.
pub(crate) fn is_open_elsewhere(file: &File) -> bool {
    // Whoever opens the file while the lease is held lets the kernel send a signal: one that kills nobody.
    // SAFETY: plain calls on a descriptor that the borrow keeps open.
    let granted = unsafe {
        match libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) {
            0 => libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK),
            _ => return true,
        }
    };
    if granted == 0 {
        // SAFETY: as above.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
        return false;
    }
    io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
}

/// Locks the file for this process, until its descriptor is closed. `Some`: another process has it; its id, or 0 when
/// that is not known here. A child made by fork does not inherit such a lock.
pub(crate) fn lock(file: &File) -> io::Result<Option<i32>> {
    // SAFETY: flock is plain data for which all zeroes is a value: from the begin, all of the file.
    let mut wanted: libc::flock = unsafe { std::mem::zeroed() };
    wanted.l_type = libc::F_WRLCK as libc::c_short;
    // SAFETY: fcntl reads `wanted`, on this frame.
    let locked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, std::ptr::from_mut(&mut wanted)) };
    match checked(locked) {
        Ok(()) => return Ok(None),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {}
        Err(error) => return Err(error),
    }
    // SAFETY: fcntl reads and writes `wanted`, on this frame.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, std::ptr::from_mut(&mut wanted)) };
    let known = asked == 0 && i32::from(wanted.l_type) == libc::F_WRLCK && wanted.l_pid > 0;
    Ok(Some(if known { wanted.l_pid } else { 0 }))
}
