//! POSIX signals that ask a job for something: which signal, which job, and what.
//!
//! The handler of a signal runs on any thread, between any two instructions, so what it reads is a static table of words.
//! It asks by the attention words, as `park_signal` does. A signal that no job takes, because their runs are over, does
//! what it would have done without park: a program that tidies up after its run can still be interrupted.

use super::attention::Signal;
use super::status::{Error, Result, Status};
use super::sync::{fence, AtomicU32, AtomicU64, Mutex, Ordering};
use super::table;
use crate::sys;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::AtomicUsize;

/// How many signals can be caught at once, those of all jobs counted. A signal that comes looks at all of them.
const MOST: usize = 1024;
/// A signal that comes again within so many milliseconds is the same one. Ctrl-C reaches a program from the terminal and
/// from its launcher, timeout(1) sends to the program and to its group; nobody presses a key twice so fast.
const TOGETHER: u64 = 200;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Ask(Signal),
    /// Stop, then abort, then whatever it would have done without park.
    Interactive,
    /// Stop, then abort.
    Slurm,
}

impl Action {
    /// The signal of a preset, unless another is asked for.
    fn own_signal(self) -> Option<i32> {
        match self {
            Action::Ask(_) => None,
            Action::Interactive => Some(sys::INTERRUPT),
            Action::Slurm => Some(sys::TERMINATE),
        }
    }

    /// What to ask the job for, the first time (0), the second, and so on.
    fn step(self, times: u32) -> Option<Signal> {
        match (self, times) {
            (Action::Ask(signal), _) => Some(signal),
            (_, 0) => Some(Signal::Stop),
            (Action::Interactive, 2..) => None,
            _ => Some(Signal::Abort),
        }
    }

    fn number(self) -> i32 {
        match self {
            Action::Ask(signal) => signal as i32,
            Action::Interactive => 100,
            Action::Slurm => 101,
        }
    }

    fn from_number(number: i32) -> Option<Action> {
        let all = Signal::ALL.into_iter().map(Action::Ask).chain([Action::Interactive, Action::Slurm]);
        all.into_iter().find(|action| action.number() == number)
    }
}

/// One signal of one job.
struct Catch {
    /// 0: free.
    handle: AtomicU64,
    /// The signal, and from bit 8 on the action.
    what: AtomicU32,
    /// How often it came in this run.
    times: AtomicU32,
    /// When it was last taken, in milliseconds.
    last: AtomicU64,
    /// What it asked for and nobody has told in the log yet: the number of a [`Signal`].
    untold: AtomicU32,
}

static CATCHES: [Catch; MOST] = [const {
    Catch {
        handle: AtomicU64::new(0),
        what: AtomicU32::new(0),
        times: AtomicU32::new(0),
        last: AtomicU64::new(0),
        untold: AtomicU32::new(0),
    }
}; MOST];
/// Behind these none was ever in use.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Whether any signal has come that is not in the log yet.
static UNTOLD: AtomicU32 = AtomicU32::new(0);
static CHANGING: Mutex<()> = Mutex::new(());

fn used() -> &'static [Catch] {
    // Acquire: what is in use is seen as it was made.
    &CATCHES[..USED.load(Ordering::Acquire)]
}

impl Catch {
    /// Whose signal it is, and what it asks for, if it is `signal`.
    fn read(&self, signal: i32) -> Option<(u64, Action)> {
        // Acquire: what follows belongs to this handle, or to one that came after.
        let handle = self.handle.load(Ordering::Acquire);
        let what = self.what.load(Ordering::Relaxed);
        if handle == 0 || what & 0xff != signal as u32 {
            return None;
        }
        // Acquire: if the place has changed hands, the look at it comes after.
        fence(Ordering::Acquire);
        (self.handle.load(Ordering::Relaxed) == handle).then_some((handle, Action::from_number((what >> 8) as i32)?))
    }

    /// The signal has come. Returns whether the job took it. Async-signal-safe.
    fn arrived(&self, signal: i32, now: u64) -> bool {
        let Some((handle, action)) = self.read(signal) else { return false };
        let Some(attention) = table::find_attention(handle) else { return false };
        // Relaxed: numbers by themselves. Of two threads that got the same one, one counts it.
        let last = self.last.load(Ordering::Relaxed);
        let again = last != 0 && now.saturating_sub(last) < TOGETHER
            || self.last.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_err();
        if again && action.own_signal().is_some() {
            return true;
        }
        let times = self.times.load(Ordering::Relaxed);
        let Some(asked) = action.step(times) else { return false };
        if attention.signal(asked) != Status::Ok {
            return again;
        }
        self.times.store(times.saturating_add(1), Ordering::Relaxed);
        self.untold.store(asked as u32, Ordering::Relaxed);
        UNTOLD.store(1, Ordering::Relaxed);
        true
    }

    fn belongs_to(&self, handle: u64) -> bool {
        self.handle.load(Ordering::Relaxed) == handle
    }

    fn signal(&self) -> i32 {
        (self.what.load(Ordering::Relaxed) & 0xff) as i32
    }

    fn free(&self) {
        // Release: with the fence in `read`.
        self.handle.store(0, Ordering::Release);
    }
}

/// A signal has come: whether any job took it. Async-signal-safe.
fn arrived(signal: i32) -> bool {
    let now = sys::coarse_milliseconds();
    // Each job is asked, not only the first.
    used().iter().filter(|catch| catch.arrived(signal, now)).count() > 0
}

/// Lets a signal ask this job for something; 0 is the signal that a preset is made for.
pub(crate) fn catch(handle: u64, signal: i32, action: i32) -> Result<()> {
    let action = Action::from_number(action).ok_or_else(|| {
        Error::argument(format!("action: {action} is none of PARK_PAUSE to PARK_STOP and PARK_CATCH_..."))
    })?;
    let is_preset = signal == 0;
    let signal = match action.own_signal() {
        Some(own) if is_preset => own,
        _ => signal,
    };
    check(signal)?;
    if is_preset && action == Action::Interactive && sys::is_ignored(signal) {
        // As every program does: so a script's background job outlives the Ctrl-C that was meant for another.
        return Ok(());
    }
    let _one_at_a_time = CHANGING.lock();
    // A handler that is being freed takes its signals out after this is no longer so.
    if table::find_attention(handle).is_none() {
        return Err(Error::new(Status::InvalidHandle, "job: it is being freed by another thread"));
    }
    let what = signal as u32 | (action.number() as u32) << 8;
    let free = match used().iter().find(|catch| catch.belongs_to(handle) && catch.signal() == signal) {
        Some(catch) => {
            catch.what.store(what, Ordering::Relaxed);
            catch.times.store(0, Ordering::Relaxed);
            None
        }
        None => {
            let full = || Error::new(Status::Full, format!("{MOST} signals are caught already"));
            Some(CATCHES.iter().position(|catch| catch.belongs_to(0)).ok_or_else(full)?)
        }
    };
    install(signal)?;
    if let Some(free) = free {
        let catch = &CATCHES[free];
        catch.what.store(what, Ordering::Relaxed);
        catch.times.store(0, Ordering::Relaxed);
        catch.last.store(0, Ordering::Relaxed);
        catch.untold.store(0, Ordering::Relaxed);
        // Release: whoever finds the handle finds what is caught for it.
        catch.handle.store(handle, Ordering::Release);
        USED.fetch_max(free + 1, Ordering::Release);
    }
    Ok(())
}

fn check(signal: i32) -> Result<()> {
    match sys::uncatchable(signal) {
        None => Ok(()),
        Some(why) => Err(Error::argument(format!("signo: {} cannot be caught: {why}", text_of(signal)))),
    }
}

fn install(signal: i32) -> Result<()> {
    let text = match sys::catch_signal(signal, arrived) {
        Ok(true) => return Ok(()),
        Ok(false) => "others have put their handlers over park's too often".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Error::new(Status::System, format!("signo: {}: {text}", text_of(signal))))
}

/// A signal asks this job for nothing any more; 0: none does.
pub(crate) fn release(handle: u64, signal: i32) -> Result<()> {
    if signal != 0 {
        check(signal)?;
    }
    let _one_at_a_time = CHANGING.lock();
    let is_meant = |catch: &Catch| catch.belongs_to(handle) && (signal == 0 || catch.signal() == signal);
    let mut released = 0;
    for catch in used().iter().filter(|catch| is_meant(catch)) {
        let signal = catch.signal();
        catch.free();
        released += 1;
        if !used().iter().any(|other| !other.belongs_to(0) && other.signal() == signal) {
            sys::release_signal(signal);
        }
    }
    if released == 0 && signal != 0 {
        return Err(Error::new(Status::Unknown, format!("signo: the job does not catch {}", text_of(signal))));
    }
    Ok(())
}

/// The run is over: in the next one a signal comes for the first time.
pub(crate) fn forget_times(handle: u64) {
    for catch in used().iter().filter(|catch| catch.belongs_to(handle)) {
        catch.times.store(0, Ordering::Relaxed);
    }
}

/// What came since the last call and the log does not tell yet, in sentences. One load when there is nothing.
pub(crate) fn untold(handle: u64) -> Vec<String> {
    if UNTOLD.load(Ordering::Relaxed) == 0 {
        return Vec::new();
    }
    let mut told = Vec::new();
    let mut others_wait = false;
    // Before the look: one that comes meanwhile says so again.
    UNTOLD.store(0, Ordering::Relaxed);
    for catch in used() {
        if !catch.belongs_to(handle) {
            others_wait |= !catch.belongs_to(0) && catch.untold.load(Ordering::Relaxed) != 0;
            continue;
        }
        let asked = catch.untold.swap(0, Ordering::Relaxed);
        if let Some(asked) = Signal::ALL.into_iter().find(|&signal| signal as u32 == asked) {
            told.push(format!("{}: {}", text_of(catch.signal()), asked.name()));
        }
    }
    if others_wait {
        UNTOLD.store(1, Ordering::Relaxed);
    }
    told
}

/// "signal 15 (SIGTERM)".
fn text_of(signal: i32) -> String {
    match signal {
        1..=64 => ExitStatus::from_raw(signal).to_string().replacen("signal: ", "signal ", 1),
        _ => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name() {
        assert_eq!(text_of(15), "signal 15 (SIGTERM)");
        assert!(text_of(64).starts_with("signal 64"));
        assert_eq!(text_of(-1), "signal -1");
    }

    #[test]
    fn each_action_has_a_number_of_its_own() {
        for action in Signal::ALL.into_iter().map(Action::Ask).chain([Action::Interactive, Action::Slurm]) {
            assert_eq!(Action::from_number(action.number()), Some(action));
        }
        assert_eq!(Action::from_number(0), None);
    }

    #[test]
    fn the_presets_become_more_urgent() {
        let steps = |action: Action| [0, 1, 2, 3].map(|times| action.step(times));
        assert_eq!(steps(Action::Interactive), [Some(Signal::Stop), Some(Signal::Abort), None, None]);
        assert_eq!(steps(Action::Slurm), [Signal::Stop, Signal::Abort, Signal::Abort, Signal::Abort].map(Some));
        assert_eq!(steps(Action::Ask(Signal::Pause)), [Some(Signal::Pause); 4]);
    }
}
