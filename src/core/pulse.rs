//! The pulse: whether the loop still comes by its ready points.
//!
//! A ready point with nothing to do leaves no trace: that is why it costs nothing. So while somebody wants to know, the
//! service thread leaves a mark from time to time, and gives the loop something to attend to; the next ready point takes
//! the mark away. How old the mark is, is how long there was no ready point, at least; and at most a period more.

use super::sync::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time between two marks: what `park_idle` tells is as good as this.
const PERIOD: Duration = Duration::from_secs(1);

/// Times are nanoseconds since `born`; 0: none.
pub(crate) struct Pulse {
    born: Instant,
    wanted: AtomicBool,
    mark: AtomicU64,
    /// When to look again.
    next: AtomicU64,
    period: AtomicU64,
}

// Relaxed, all of it: numbers by themselves. The attention word orders the mark and the ready point that takes it away.
impl Pulse {
    pub(crate) fn new() -> Pulse {
        let zero = || AtomicU64::new(0);
        let period = AtomicU64::new(PERIOD.as_nanos() as u64);
        Pulse { born: Instant::now(), wanted: AtomicBool::new(false), mark: zero(), next: zero(), period }
    }

    fn time(&self) -> u64 {
        (self.born.elapsed().as_nanos() as u64).max(1)
    }

    /// Somebody wants to know, from now on. Returns whether nobody did before: the service thread is to be rung for then.
    pub(crate) fn want(&self) -> bool {
        !self.wanted.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Somebody wants to know it more often.
    pub(crate) fn set_period(&self, period: Duration) {
        self.period.store(period.min(PERIOD).as_nanos() as u64, Ordering::Relaxed);
    }

    /// Whether it is time to look; and when to look the next time.
    pub(crate) fn is_due(&self) -> (bool, Instant) {
        let (now, next) = (self.time(), self.next.load(Ordering::Relaxed));
        if now < next {
            return (false, self.born + Duration::from_nanos(next));
        }
        let next = now + self.period.load(Ordering::Relaxed);
        self.next.store(next, Ordering::Relaxed);
        (true, self.born + Duration::from_nanos(next))
    }

    /// Leaves a mark, unless there is one. Returns whether it did: then the loop is to be given something to attend to.
    pub(crate) fn leave_mark(&self) -> bool {
        self.mark.compare_exchange(0, self.time(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A ready point.
    pub(crate) fn take_mark(&self) {
        if self.is_marked() {
            self.mark.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.mark.load(Ordering::Relaxed) != 0
    }

    /// How long the mark has been there.
    pub(crate) fn age(&self) -> Duration {
        match self.mark.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            mark => Duration::from_nanos(self.time().saturating_sub(mark)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_ages_until_a_ready_point_takes_it() {
        let pulse = Pulse::new();
        assert!(pulse.want() && !pulse.want());
        assert_eq!(pulse.age(), Duration::ZERO);
        assert!(pulse.leave_mark() && !pulse.leave_mark());
        std::thread::sleep(Duration::from_millis(2));
        assert!(pulse.age() >= Duration::from_millis(2));
        pulse.take_mark();
        assert_eq!(pulse.age(), Duration::ZERO);
        assert!(pulse.leave_mark());
    }

    #[test]
    fn it_is_looked_at_once_a_period() {
        let pulse = Pulse::new();
        pulse.set_period(Duration::from_millis(20));
        let (due, next) = pulse.is_due();
        assert!(due && pulse.is_due() == (false, next));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        assert!(pulse.is_due().0);
    }
}
