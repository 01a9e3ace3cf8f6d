//! POSIX signals: how park's handler gets in, what it passes on, and how it gets out again.
//!
//! Another library may put its handler over park's, and call park's from there. Were park's then put over that one, the two
//! would call each other for ever. So park has a handler for each level: the topmost one asks [`Arrived`], those below only
//! pass on what was there before them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// One more than the last signal.
const SIGNALS: usize = 65;
const LEVELS: usize = 3;

pub(crate) const INTERRUPT: i32 = libc::SIGINT;
pub(crate) const TERMINATE: i32 = libc::SIGTERM;

/// What is done when a signal arrives: whether somebody took it. Must be async-signal-safe.
pub(crate) type Arrived = fn(i32) -> bool;
static ARRIVED: OnceLock<Arrived> = OnceLock::new();

type Function = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
const CAUGHT: [Function; LEVELS] = [caught::<0>, caught::<1>, caught::<2>];

/// What was in place before one of park's handlers, for that handler to read.
struct Before {
    function: AtomicUsize,
    /// It takes three arguments.
    with_info: AtomicBool,
}

static BEFORE: [[Before; LEVELS]; SIGNALS] = [const {
    [const { Before { function: AtomicUsize::new(libc::SIG_DFL), with_info: AtomicBool::new(false) } }; LEVELS]
}; SIGNALS];
/// Which of park's handlers is the topmost one.
static TOP: [AtomicUsize; SIGNALS] = [const { AtomicUsize::new(0) }; SIGNALS];

/// What park has put where, to be taken away again.
struct Placed {
    levels: usize,
    before: [Option<libc::sigaction>; LEVELS],
}

static PLACED: Mutex<[Placed; SIGNALS]> =
    Mutex::new([const { Placed { levels: 0, before: [const { None }; LEVELS] } }; SIGNALS]);

/// Why a signal cannot be caught, or is none; `None`: it can.
pub(crate) fn uncatchable(signal: i32) -> Option<&'static str> {
    match signal {
        libc::SIGKILL | libc::SIGSTOP => Some("the system lets nobody catch it"),
        libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP | libc::SIGSYS | libc::SIGABRT => {
            Some("it tells of a fault, after which no loop can go on")
        }
        _ if signal < 1 || signal > libc::SIGRTMAX() => Some("there is no such signal"),
        // What the C library keeps for itself.
        _ if signal > libc::SIGSYS && signal < libc::SIGRTMIN() => Some("the C library needs it"),
        _ => None,
    }
}

fn action_now(signal: i32) -> io::Result<libc::sigaction> {
    // SAFETY: sigaction is plain data for which all zeroes is a value.
    let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: writes the structure on this frame.
    match unsafe { libc::sigaction(signal, std::ptr::null(), &mut now) } {
        0 => Ok(now),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_action(signal: i32, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    // SAFETY: as above.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: reads and writes structures that live through the call. The functions in them are park's own, which live as
    // long as the process, or what was in place before.
    match unsafe { libc::sigaction(signal, action, &mut before) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}

fn is_function(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

/// Whether the signal is ignored: by a shell, say, that runs this program in the background of a script.
pub(crate) fn is_ignored(signal: i32) -> bool {
    action_now(signal).is_ok_and(|now| now.sa_sigaction == libc::SIG_IGN)
}

fn note_before(signal: i32, level: usize, before: &libc::sigaction) {
    let place = &BEFORE[signal as usize][level];
    place.with_info.store(before.sa_flags & libc::SA_SIGINFO != 0, Ordering::Relaxed);
    // Release: who reads the function reads the right form.
    place.function.store(before.sa_sigaction, Ordering::Release);
}

/// Puts park's handler in place, unless it is there. `false`: too many others have put theirs over it.
pub(crate) fn catch_signal(signal: i32, arrived: Arrived) -> io::Result<bool> {
    ARRIVED.get_or_init(|| arrived);
    let mut all = PLACED.lock().unwrap_or_else(PoisonError::into_inner);
    let placed = &mut all[signal as usize];
    let before = action_now(signal)?;
    if !is_function(&before) {
        // Nobody is left who could call one of park's.
        placed.levels = 0;
    } else if placed.levels > 0 && before.sa_sigaction == CAUGHT[placed.levels - 1] as usize {
        return Ok(true);
    }
    let level = placed.levels;
    if level == LEVELS {
        return Ok(false);
    }
    // First, because the handler may be called at once.
    note_before(signal, level, &before);
    let mut ours = before;
    ours.sa_sigaction = CAUGHT[level] as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // A host whose handler is to interrupt system calls counts on that; everybody else would rather not notice.
    if !is_function(&before) || before.sa_flags & libc::SA_RESTART != 0 {
        ours.sa_flags |= libc::SA_RESTART;
    }
    let replaced = set_action(signal, &ours)?;
    // Another thread may have been faster.
    note_before(signal, level, &replaced);
    placed.before[level] = Some(replaced);
    placed.levels = level + 1;
    // Last: until here the one below takes what comes.
    TOP[signal as usize].store(level, Ordering::Release);
    Ok(true)
}

/// Puts back what was there before, if park's handler is still in place. If not, it stays below the others, and passes on.
pub(crate) fn release_signal(signal: i32) {
    let mut all = PLACED.lock().unwrap_or_else(PoisonError::into_inner);
    let placed = &mut all[signal as usize];
    let Some(level) = placed.levels.checked_sub(1) else { return };
    let is_ours = |now: &libc::sigaction| now.sa_sigaction == CAUGHT[level] as usize;
    if !action_now(signal).is_ok_and(|now| is_ours(&now)) {
        return;
    }
    let Some(before) = placed.before[level].take() else { return };
    if set_action(signal, &before).is_ok() {
        placed.levels = level;
        TOP[signal as usize].store(level.saturating_sub(1), Ordering::Release);
    }
}

/// Async-signal-safe: atomics and system calls, and errno is kept.
extern "C" fn caught<const LEVEL: usize>(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: errno is this thread's own.
    let errno = unsafe { *libc::__errno_location() };
    let is_topmost = TOP[signal as usize].load(Ordering::Acquire) == LEVEL;
    // In a forked child the jobs are the parent's.
    let taken = is_topmost && !super::forked() && ARRIVED.get().is_some_and(|arrived| arrived(signal));
    let before = &BEFORE[signal as usize][LEVEL];
    match before.function.load(Ordering::Acquire) {
        libc::SIG_IGN => {}
        libc::SIG_DFL if taken => {}
        libc::SIG_DFL => act_by_default(signal, CAUGHT[LEVEL]),
        function if before.with_info.load(Ordering::Relaxed) => {
            // SAFETY: what sigaction said was in place, with SA_SIGINFO: a function of this form, given what it would
            // have got from the system.
            let function = unsafe { std::mem::transmute::<usize, Function>(function) };
            function(signal, info, context);
        }
        function => {
            // SAFETY: as above, without SA_SIGINFO.
            let function = unsafe { std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(function) };
            function(signal);
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Does what the signal would have done without park: ends the process, mostly. Not if somebody's handler is over park's,
/// and called it: then that one is what the process does. Async-signal-safe.
fn act_by_default(signal: i32, ours: Function) {
    let Ok(now) = action_now(signal) else { return };
    if now.sa_sigaction != ours as usize {
        return;
    }
    let mut by_default = now;
    by_default.sa_sigaction = libc::SIG_DFL;
    by_default.sa_flags = 0;
    if set_action(signal, &by_default).is_err() {
        return;
    }
    // SAFETY: sigset_t is plain data for which all zeroes is a value; the calls write the sets on this frame only.
    unsafe {
        let mut this: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut this);
        libc::sigaddset(&mut this, signal);
        libc::raise(signal);
        // It has its effect here, where it is no longer blocked.
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &this, &mut before);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
    }
    // Still here: it is one that is ignored, or stops the process until it is continued.
    let _ = set_action(signal, &now);
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
