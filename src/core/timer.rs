//! The deltas, and when each is due.

use super::status::{Error, Result};
use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use std::time::{Duration, Instant};

/// The time between two events of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Delta {
    Progress = 1,
    Checkpoint = 2,
    Improved = 3,
}

impl Delta {
    pub(crate) const ALL: [Delta; 3] = [Delta::Progress, Delta::Checkpoint, Delta::Improved];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Delta::Progress => "progress_delta",
            Delta::Checkpoint => "checkpoint_delta",
            Delta::Improved => "improved_delta",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Delta> {
        Delta::ALL.into_iter().find(|delta| delta.name() == name)
    }

    fn index(self) -> usize {
        self as usize - 1
    }

    /// Refuses what is not a time: negative or not finite.
    pub(crate) fn check(self, seconds: f64) -> Result<()> {
        if seconds.is_finite() && seconds >= 0.0 {
            Ok(())
        } else {
            Err(Error::argument(format!("{}: {seconds} is not a number of seconds from 0 on", self.name())))
        }
    }
}

struct Timer {
    /// The delta: the bits of an f64, so that the loop reads it without a lock.
    seconds: AtomicU64,
    /// When it last began to run. `None`: it does not run.
    since: Mutex<Option<Instant>>,
}

pub(crate) struct Timers {
    timers: [Timer; 3],
    /// One change of a delta at a time, with what follows from it.
    changing: Mutex<()>,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        let timer = |seconds: f64| Timer { seconds: AtomicU64::new(seconds.to_bits()), since: Mutex::new(None) };
        Timers { timers: [1.0, 3600.0, 0.0].map(timer), changing: Mutex::new(()) }
    }

    pub(crate) fn seconds(&self, delta: Delta) -> f64 {
        // Relaxed: a number by itself. Who changes it rings the service thread, which orders the rest.
        f64::from_bits(self.timers[delta.index()].seconds.load(Ordering::Relaxed))
    }

    /// Changes a delta, and does what follows from it; returns what it was. The caller has checked it.
    pub(crate) fn set_seconds(&self, delta: Delta, seconds: f64, follow: impl FnOnce()) -> f64 {
        let _one_at_a_time = self.changing.lock();
        follow();
        f64::from_bits(self.timers[delta.index()].seconds.swap(seconds.to_bits(), Ordering::Relaxed))
    }

    fn since(&self, delta: Delta) -> MutexGuard<'_, Option<Instant>> {
        self.timers[delta.index()].since.lock()
    }

    /// Lets a timer run from now on.
    pub(crate) fn start(&self, delta: Delta) {
        *self.since(delta) = Some(Instant::now());
    }

    pub(crate) fn stop(&self, delta: Delta) {
        *self.since(delta) = None;
    }

    /// Whether the delta has passed since the timer was started; a timer that does not run is due at once.
    pub(crate) fn is_due(&self, delta: Delta) -> bool {
        self.since(delta).is_none() || self.due(delta).is_some_and(|due| due <= Instant::now())
    }

    /// When a timer that runs is due. `None` also when that is further away than the clock can tell.
    pub(crate) fn due(&self, delta: Delta) -> Option<Instant> {
        let length = Duration::try_from_secs_f64(self.seconds(delta)).ok()?;
        (*self.since(delta))?.checked_add(length)
    }
}
