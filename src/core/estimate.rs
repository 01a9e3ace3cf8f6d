//! The time that is left.
//!
//! The rate over the later half of what was seen of the run: a loop whose speed changes is followed, one that
//! stutters does not make the figure jump. Only time in which the loop was not halted counts. A run that resumed in
//! the middle is judged by what it did itself.

use std::collections::VecDeque;
use std::time::Duration;

/// Kept samples; when they are too many, every other one goes.
const MOST_SAMPLES: usize = 128;

/// Seconds that are as good as for ever.
const LONGEST: f64 = 1e15;

#[derive(Default)]
pub(crate) struct Estimate {
    /// Active seconds since the begin, and done.
    samples: VecDeque<(f64, f64)>,
}

impl Estimate {
    pub(crate) fn add(&mut self, active: Duration, done: f64) {
        let active = active.as_secs_f64();
        if self.samples.back().is_some_and(|last| done < last.1) {
            // The loop began again: what was before says nothing of what is left.
            self.samples.clear();
        }
        if self.samples.len() >= MOST_SAMPLES {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        self.samples.push_back((active, done));
    }

    /// The seconds until `total`, from the newest sample on; `None` while nothing is known.
    pub(crate) fn seconds_left(&self, total: f64) -> Option<f64> {
        let &(_, done) = self.samples.back()?;
        if total <= 0.0 {
            return None;
        }
        if done >= total {
            return Some(0.0);
        }
        let rate = self.rate()?;
        let left = total - done;
        (left / LONGEST < rate).then(|| left / rate)
    }

    /// How much is done in a second; `None` while nothing is known.
    pub(crate) fn rate(&self) -> Option<f64> {
        let (&(first_time, _), &(now, done)) = (self.samples.front()?, self.samples.back()?);
        let middle = first_time + (now - first_time) / 2.0;
        let &(since, done_then) = self.samples.iter().rev().find(|(time, _)| *time <= middle)?;
        // No operation here may raise a floating-point exception: it runs on the user's thread, where Fortran traps them.
        if now <= since || done <= done_then {
            return None;
        }
        Some((done - done_then) / (now - since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn a_steady_loop_is_foreseen_exactly() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.seconds_left(100.0), None);
        for step in 0..=1000 {
            estimate.add(seconds(step as f64), 2.0 * step as f64);
        }
        let left = estimate.seconds_left(3000.0).unwrap();
        assert!((left - 500.0).abs() < 1.0, "{left}");
        assert_eq!(estimate.seconds_left(2000.0), Some(0.0));
        assert_eq!(estimate.seconds_left(0.0), None);
    }

    #[test]
    fn one_sample_or_a_loop_that_stands_still_says_nothing() {
        let mut estimate = Estimate::default();
        estimate.add(seconds(1.0), 5.0);
        assert_eq!(estimate.seconds_left(10.0), None);
        estimate.add(seconds(1.0), 6.0);
        assert_eq!(estimate.seconds_left(10.0), None);
        estimate.add(seconds(9.0), 6.0);
        assert_eq!(estimate.seconds_left(10.0), None);
    }

    #[test]
    fn a_resumed_run_is_judged_by_what_it_did_itself() {
        let mut estimate = Estimate::default();
        estimate.add(seconds(0.0), 900.0);
        estimate.add(seconds(10.0), 910.0);
        assert_eq!(estimate.seconds_left(1000.0), Some(90.0));
    }

    #[test]
    fn a_loop_that_slows_down_is_followed() {
        let mut estimate = Estimate::default();
        for step in 0..=10 {
            estimate.add(seconds(step as f64), 100.0 * step as f64);
        }
        for step in 1..=30 {
            estimate.add(seconds(10.0 + step as f64), 1000.0 + step as f64);
        }
        let left = estimate.seconds_left(1130.0).unwrap();
        assert!((left - 100.0).abs() < 10.0, "{left}");
    }
}
