//! The platform floor: everything that park asks of the operating system and that std does not offer.
//! Porting park means writing this file, and those below it, again. Linux.

pub(crate) mod files;
pub(crate) mod pages;

mod socket;

pub(crate) use socket::{close_in_child, own_uid, peer_uid, thread_time, NotForChildren};

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

/// Whether the word at `index` holds `value`: `words[index].load(Relaxed) == value`, in one instruction.
///
/// The compiler does not fold an atomic load into the compare, and `park_ready` is counted in instructions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn holds<const N: usize>(words: &[AtomicU64; N], index: u16, value: u64) -> bool {
    const { assert!(N > u16::MAX as usize) };
    // SAFETY: reads one aligned word inside the array, which is what a relaxed load is on this processor; the array
    // is longer than any index. Nothing else is touched but the flags.
    unsafe {
        std::arch::asm!(
            "cmp qword ptr [{words} + {index} * 8], {value}",
            "jne {differs}",
            words = in(reg) words.as_ptr(),
            index = in(reg) usize::from(index),
            value = in(reg) value,
            differs = label { return false },
            options(nostack, readonly),
        );
    }
    true
}

/// Whether the word at `index` holds `value`.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn holds<const N: usize>(words: &[AtomicU64; N], index: u16, value: u64) -> bool {
    words[usize::from(index)].load(Ordering::Relaxed) == value
}

/// Sleeps while `word` holds `expected`, until woken or until `timeout` has passed. May wake for no reason.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let limit = timeout.map(|t| libc::timespec {
        tv_sec: t.as_secs().min(i32::MAX as u64) as libc::time_t,
        tv_nsec: t.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word outlives the call by its borrow, and `limit` is null or points to a timespec on this
    // frame. The kernel only reads both.
    unsafe {
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, expected, limit);
    }
}

/// Wakes at most `most` of the threads that sleep on `word`. Async-signal-safe: one system call, and errno is kept.
pub(crate) fn futex_wake(word: &AtomicU32, most: u32) {
    let most = most.min(i32::MAX as u32);
    // SAFETY: FUTEX_WAKE does not access memory; the address is only a key. errno is this thread's own.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, most);
        *errno = before;
    }
}

/// A clock that is read in some nanoseconds, where [`std::time::Instant`] takes 22: the processor's counter. See
/// [`nanoseconds_of_a_tick`]. Processors may differ by little.
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads a counter that every processor of this kind has.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: reads a counter that user programs may read.
        unsafe { std::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags)) };
        ticks
    }
}

/// How long a tick is: measured against the system's clock, from the first call on. Until a millisecond after that it is
/// a guess, good for choosing how many items to do at a time and no more.
pub(crate) fn nanoseconds_of_a_tick() -> f32 {
    const GUESS: f32 = 0.4;
    static MEASURED: AtomicU32 = AtomicU32::new(0);
    static BEGIN: OnceLock<(Instant, u64)> = OnceLock::new();
    // Relaxed: a number by itself.
    let measured = f32::from_bits(MEASURED.load(Ordering::Relaxed));
    if measured != 0.0 {
        return measured;
    }
    let &(time, count) = BEGIN.get_or_init(|| (Instant::now(), ticks()));
    let (spent, counted) = (time.elapsed(), ticks().wrapping_sub(count));
    if spent < Duration::from_millis(1) || counted == 0 {
        return GUESS;
    }
    let measured = spent.as_nanos() as f32 / counted as f32;
    MEASURED.store(measured.to_bits(), Ordering::Relaxed);
    measured
}

/// How the calling thread computes with floating-point numbers: rounding, traps, what becomes of denormal ones.
/// Without the sticky flags of what has happened so far.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FloatEnv {
    mxcsr: u32,
    x87: u16,
}

#[cfg(target_arch = "x86_64")]
impl FloatEnv {
    const STICKY_FLAGS: u32 = 0x3f;

    /// That of the calling thread.
    pub(crate) fn of_this_thread() -> FloatEnv {
        let mut env = FloatEnv { mxcsr: 0, x87: 0 };
        // SAFETY: both instructions store to the fields of `env` and do nothing else.
        unsafe {
            std::arch::asm!("stmxcsr [{}]", in(reg) &mut env.mxcsr, options(nostack, preserves_flags));
            std::arch::asm!("fnstcw [{}]", in(reg) &mut env.x87, options(nostack, preserves_flags));
        }
        env.mxcsr &= !FloatEnv::STICKY_FLAGS;
        env
    }

    /// Makes it that of the calling thread, which keeps the flags that its own computations have raised.
    pub(crate) fn apply(self) {
        let now = FloatEnv::of_this_thread();
        if self == now {
            return;
        }
        let mut mxcsr = 0u32;
        // SAFETY: loads two control registers, which belong to this thread, with values that such registers held. It is
        // done between items only: no compiled code of Rust's depends on the old ones.
        unsafe {
            if self.x87 != now.x87 {
                std::arch::asm!("fnclex", "fldcw [{}]", in(reg) &self.x87, options(nostack, preserves_flags));
            }
            std::arch::asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack, preserves_flags));
            mxcsr = self.mxcsr | (mxcsr & FloatEnv::STICKY_FLAGS);
            std::arch::asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack, preserves_flags));
        }
    }
}

/// How the calling thread computes with floating-point numbers.
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct FloatEnv(u64);

#[cfg(target_arch = "aarch64")]
impl FloatEnv {
    /// That of the calling thread.
    pub(crate) fn of_this_thread() -> FloatEnv {
        let word: u64;
        // SAFETY: reads a register of this thread.
        unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
        FloatEnv(word)
    }

    /// Makes it that of the calling thread.
    pub(crate) fn apply(self) {
        // SAFETY: writes a control register, which belongs to this thread, with a value that such a register held.
        unsafe { std::arch::asm!("msr fpcr, {}", in(reg) self.0, options(nostack, preserves_flags)) };
    }
}

/// A number of the calling thread that no other thread of this process ever has. Never 0.
///
/// Not `std::thread::current().id()`: that allocates, and registers a destructor, on threads park did not make.
pub(crate) fn thread_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            // Relaxed: only uniqueness matters.
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
}
const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;

/// While it lives, `pthread_cancel` of this thread waits: a cancellation that unwound through park's frames
/// would be fatal. It takes effect at the first cancellation point after the call into park.
pub(crate) struct CancelDisabled(libc::c_int);

impl CancelDisabled {
    pub(crate) fn new() -> CancelDisabled {
        let mut before = 0;
        // SAFETY: a plain call of POSIX; `before` lives through it.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut before) };
        CancelDisabled(before)
    }
}

impl Drop for CancelDisabled {
    fn drop(&mut self) {
        // SAFETY: restores the state that POSIX itself gave us; a null `old` is allowed on Linux.
        unsafe { pthread_setcancelstate(self.0, std::ptr::null_mut()) };
    }
}

/// Runs `make` with all asynchronous signals blocked, so that a thread which it creates never takes one that the
/// program meant for itself. Synchronous faults stay deliverable: blocked, they would kill without a trace.
pub(crate) fn with_signals_blocked<T>(make: impl FnOnce() -> T) -> T {
    // SAFETY: sigset_t is plain data for which all zeroes is a value; sigfillset and pthread_sigmask only write
    // the sets that live on this frame.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        for fault in
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS, libc::SIGPROF]
        {
            libc::sigdelset(&mut all, fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    };
    let made = make();
    // SAFETY: as above; `before` is what pthread_sigmask filled in.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    made
}

/// Seconds since 1970, as of the kernel's last tick (1 to 4 ms ago): a quarter of the cost of the precise time, and an
/// event's time is for people to read.
pub(crate) fn coarse_time() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the timespec on this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// A descriptor that poll(2) calls readable while it is raised.
pub(crate) struct Flag(libc::c_int);

impl Flag {
    pub(crate) fn new() -> io::Result<Flag> {
        // SAFETY: a plain call; the descriptor it returns is ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Flag(fd))
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.0
    }

    pub(crate) fn raise(&self) {
        // write is a cancellation point, and this may be a user's thread with park's locks held.
        let _uncancelled = CancelDisabled::new();
        let one = 1u64;
        // SAFETY: writes the eight bytes of `one`, which lives through the call, to a descriptor that is ours.
        unsafe { libc::write(self.0, std::ptr::from_ref(&one).cast(), 8) };
    }

    pub(crate) fn lower(&self) {
        let mut count = 0u64;
        // SAFETY: reads at most eight bytes into `count`, which lives through the call. Non-blocking.
        unsafe { libc::read(self.0, std::ptr::from_mut(&mut count).cast(), 8) };
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is closed only here.
        unsafe { libc::close(self.0) };
    }
}

/// Lets the short sleeps of the calling thread end within a microsecond of their time; the kernel's default is 50.
pub(crate) fn sleep_precisely() {
    const NANOSECONDS: libc::c_ulong = 1000;
    // SAFETY: a plain call; it changes the calling thread only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, NANOSECONDS) };
}

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked from one that had handlers: park's threads are gone here, and its locks may
/// be held by threads that no longer exist.
pub(crate) fn forked() -> bool {
    // Relaxed: set before fork returns in the child, which has one thread.
    FORKED.load(Ordering::Relaxed)
}

/// From now on a child made by fork sees [`forked`], and `in_child` runs there first. `in_child` must be
/// async-signal-safe.
pub(crate) fn watch_fork(in_child: extern "C" fn()) {
    extern "C" fn mark() {
        FORKED.store(true, Ordering::Relaxed);
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: both handlers are functions that live as long as the library, which is linked `-z nodelete`.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
            libc::pthread_atfork(None, None, Some(mark));
        }
    });
}
