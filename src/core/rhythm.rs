//! When the next map will come.
//!
//! A loop that computes alone for two milliseconds, then maps, then computes alone again, would wait 20 us for a sleeping
//! worker each time. But it is regular: so a worker that has just helped sleeps until shortly before the next map is
//! expected, and then looks out for it. When none comes it sleeps for good: nothing is burnt where nothing is going on, and
//! a tenth of the time in between where something is.

use super::sync::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Maps further apart than this find a sleeping worker: 20 us are nothing beside it.
const LONGEST_GAP: Duration = Duration::from_millis(20);
/// What waking takes, and how late timers may be.
const LEAD: Duration = Duration::from_micros(80);

pub(crate) struct Rhythm {
    origin: Instant,
    // Nanoseconds since the origin; 0: none. Written by the thread that calls the maps.
    ended: AtomicU64,
    gap: AtomicU64,
    expected: AtomicU64,
    until: AtomicU64,
}

fn nanoseconds(time: Duration) -> u64 {
    time.as_nanos() as u64
}

impl Rhythm {
    pub(crate) fn new() -> Rhythm {
        let [ended, gap, expected, until] = [const { AtomicU64::new(0) }; 4];
        Rhythm { origin: Instant::now(), ended, gap, expected, until }
    }

    // Relaxed throughout: guesses.

    /// A map begins.
    pub(crate) fn begin(&self) {
        let ended = self.ended.load(Ordering::Relaxed);
        let gap = nanoseconds(self.origin.elapsed()).saturating_sub(ended);
        let before = self.gap.swap(gap, Ordering::Relaxed);
        // Alike: by a quarter of the shorter one.
        let shorter = gap.min(before);
        let regular = ended > 0 && gap.abs_diff(before) < shorter / 4 && gap < nanoseconds(LONGEST_GAP);
        self.expected.store(if regular { shorter } else { 0 }, Ordering::Relaxed);
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        let now = nanoseconds(self.origin.elapsed());
        self.ended.store(now, Ordering::Relaxed);
        let gap = self.expected.load(Ordering::Relaxed);
        if gap > 0 {
            self.until.store(now + gap + gap / 16 + nanoseconds(LEAD), Ordering::Relaxed);
            self.expected.store(now + gap - gap / 16, Ordering::Relaxed);
        }
    }

    /// How long to sleep before looking out for the next map, and how long then, when one is expected.
    pub(crate) fn expectation(&self) -> Option<(Duration, Duration)> {
        let now = nanoseconds(self.origin.elapsed());
        let (from, until) = (self.expected.load(Ordering::Relaxed), self.until.load(Ordering::Relaxed));
        let from = from.saturating_sub(nanoseconds(LEAD));
        (from > now && until > from).then(|| (Duration::from_nanos(from - now), Duration::from_nanos(until - from)))
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_loop_is_expected() {
        let rhythm = Rhythm::new();
        let map_after = |milliseconds| {
            std::thread::sleep(Duration::from_millis(milliseconds));
            rhythm.begin();
            rhythm.end();
        };
        map_after(5);
        assert!(rhythm.expectation().is_none());
        map_after(5);
        map_after(40);
        assert!(rhythm.expectation().is_none());
        // A busy machine may disturb it now and then.
        let expected = (0..20).any(|_| {
            map_after(5);
            rhythm.expectation().is_some()
        });
        assert!(expected);
    }
}
