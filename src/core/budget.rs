//! What checkpoints cost the loop, and how much of its time they may have.

use std::time::Duration;

pub(crate) struct Budget {
    /// Of the run's time; 1: no bound.
    share: f64,
    /// How long the loop stood still for checkpoints in this run.
    spent: Duration,
    /// And for the last one.
    last: Duration,
    /// The longest time that one took, until it was on the medium; of all runs.
    longest: Duration,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { share: 1.0, spent: Duration::ZERO, last: Duration::ZERO, longest: Duration::ZERO }
    }

    pub(crate) fn set_share(&mut self, share: f64) {
        self.share = share;
    }

    /// A run begins.
    pub(crate) fn restart(&mut self) {
        (self.spent, self.last) = (Duration::ZERO, Duration::ZERO);
    }

    /// The loop stood still so long.
    pub(crate) fn add(&mut self, stall: Duration) {
        self.spent += stall;
        self.last = stall;
    }

    /// A checkpoint took so long, all in all.
    pub(crate) fn took(&mut self, all: Duration) {
        self.longest = self.longest.max(all);
    }

    /// `None` before the first.
    pub(crate) fn longest(&self) -> Option<Duration> {
        Some(self.longest).filter(|longest| !longest.is_zero())
    }

    /// How long to wait with the next one, when the run has gone on for so long: until it, as dear as the last, and all
    /// before it are no more than their share. What the first will cost nobody knows: it is taken.
    pub(crate) fn wait(&self, run: Duration) -> Duration {
        if self.share >= 1.0 {
            return Duration::ZERO;
        }
        let needed = (self.spent + self.last).as_secs_f64() / self.share - self.last.as_secs_f64();
        Duration::try_from_secs_f64(needed).unwrap_or(Duration::MAX).saturating_sub(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_never_have_more_than_their_share() {
        let seconds = Duration::from_secs_f64;
        for share in [0.5, 0.1, 0.01] {
            let mut budget = Budget::new();
            budget.set_share(share);
            let (mut run, mut spent) = (1.0, 0.0);
            for save in 0..20 {
                let wait = budget.wait(seconds(run)).as_secs_f64();
                assert!(save > 0 || wait == 0.0);
                run += wait + 2.0;
                spent += 2.0;
                budget.add(seconds(2.0));
                assert!(save == 0 || spent <= share * run + 1e-6, "{spent} of {run}");
            }
        }
        let mut unbound = Budget::new();
        unbound.add(seconds(100.0));
        assert_eq!(unbound.wait(seconds(1.0)), Duration::ZERO);
    }
}
