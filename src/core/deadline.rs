//! The deadline: the job stops with a checkpoint before it.

use super::attention::{is_running, Signal, ABORT, STOP};
use super::event::Level;
use super::handler::Handler;
use super::status::{Error, Result};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is added to what park has measured.
const AT_LEAST: Duration = Duration::from_secs(5);
/// Bytes a second to a file system that is slow, for a job that has not saved yet.
const SLOWLY: f64 = 100e6;
/// How often the clock is compared: somebody may set it.
const LOOK: f64 = 60.0;

pub(crate) struct Deadline {
    /// Seconds since 1970.
    at: Option<f64>,
    /// Seconds; `None`: by what was measured.
    margin: Option<f64>,
    /// The job was told in this run.
    told: bool,
    /// Attention was raised then, and no ready point has come since.
    raised: Option<Instant>,
    /// The longest that it took until one came, in this run.
    slowest: Duration,
}

impl Deadline {
    pub(crate) fn new() -> Deadline {
        Deadline { at: None, margin: None, told: false, raised: None, slowest: Duration::ZERO }
    }

    /// A run begins.
    pub(crate) fn restart(&mut self) {
        (self.told, self.raised, self.slowest) = (false, None, Duration::ZERO);
    }

    /// Whether there is one.
    pub(crate) fn is_set(&self) -> bool {
        self.at.is_some()
    }

    /// Attention is raised: it takes an iteration until the loop comes to a ready point.
    pub(crate) fn raise(&mut self) {
        self.raised.get_or_insert_with(Instant::now);
    }

    /// The loop is at a ready point.
    pub(crate) fn reach(&mut self) {
        if let Some(since) = self.raised.take() {
            self.slowest = self.slowest.max(since.elapsed());
        }
    }
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

impl Handler {
    /// Sets the deadline; `None`: there is none. A margin of `None` is park's own.
    pub(crate) fn set_deadline(&self, at: Option<f64>, margin: Option<f64>) -> Result<()> {
        if at.is_some_and(|at| !at.is_finite() || at < 0.0) {
            return Err(Error::argument("unix_time: it is not a number of seconds since 1970"));
        }
        if margin.is_some_and(|margin| !margin.is_finite()) {
            return Err(Error::argument("margin: it is not a number of seconds"));
        }
        {
            let mut deadline = self.deadline.lock();
            (deadline.at, deadline.margin, deadline.told) = (at, margin, false);
        }
        self.service.ring();
        Ok(())
    }

    /// How long before the deadline the job is stopped.
    fn margin(&self) -> Duration {
        let (given, iteration) = {
            let deadline = self.deadline.lock();
            (deadline.margin, deadline.slowest.max(deadline.raised.map_or(Duration::ZERO, |since| since.elapsed())))
        };
        if let Some(seconds) = given {
            return Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        }
        let save = self.checkpoints.longest_save().unwrap_or_else(|| {
            Duration::try_from_secs_f64(self.checkpoints.protected.bytes() as f64 / SLOWLY).unwrap_or(Duration::MAX)
        });
        iteration.saturating_add(save).saturating_mul(2).saturating_add(AT_LEAST)
    }

    /// Stops the job when it is time; returns when to look again. Service thread.
    pub(super) fn keep_deadline(&self) -> Option<Instant> {
        let at = self.deadline.lock().at?;
        let control = self.attention().control();
        if !is_running(control) || control & (STOP | ABORT) != 0 || self.deadline.lock().told {
            return None;
        }
        let margin = self.margin();
        let left = at - margin.as_secs_f64() - unix_time();
        if left > 0.0 {
            return Instant::now().checked_add(Duration::from_secs_f64(left.min(LOOK)));
        }
        self.deadline.lock().told = true;
        let before = (at - unix_time()).max(0.0);
        self.log(Level::Warning, format!("{before:.0} s before the deadline: stopping with a checkpoint"));
        // It may have ended at this very moment.
        let _ = self.signal(Signal::Stop);
        None
    }
}
