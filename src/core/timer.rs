//! The deltas, and when each is due.

use super::status::{Error, Result};
use super::sync::Mutex;
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
    seconds: f64,
    /// When it last began to run. `None`: it does not run.
    since: Option<Instant>,
}

impl Timer {
    fn due(&self) -> Option<Instant> {
        let delta = Duration::try_from_secs_f64(self.seconds).ok()?;
        // Further away than the clock can tell: never.
        self.since?.checked_add(delta)
    }
}

pub(crate) struct Timers(Mutex<[Timer; 3]>);

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers(Mutex::new([1.0, 3600.0, 0.0].map(|seconds| Timer { seconds, since: None })))
    }

    pub(crate) fn seconds(&self, delta: Delta) -> f64 {
        self.0.lock()[delta.index()].seconds
    }

    /// Changes a delta; returns what it was. The caller has checked it.
    pub(crate) fn set_seconds(&self, delta: Delta, seconds: f64) -> f64 {
        std::mem::replace(&mut self.0.lock()[delta.index()].seconds, seconds)
    }

    /// Lets a timer run from now on.
    pub(crate) fn start(&self, delta: Delta) {
        self.0.lock()[delta.index()].since = Some(Instant::now());
    }

    pub(crate) fn stop(&self, delta: Delta) {
        self.0.lock()[delta.index()].since = None;
    }

    /// Whether the delta has passed since the timer was started; a timer that does not run is due at once.
    pub(crate) fn is_due(&self, delta: Delta) -> bool {
        let timer = &self.0.lock()[delta.index()];
        timer.since.is_none() || timer.due().is_some_and(|due| due <= Instant::now())
    }

    /// When a timer that runs is due.
    pub(crate) fn due(&self, delta: Delta) -> Option<Instant> {
        self.0.lock()[delta.index()].due()
    }
}
