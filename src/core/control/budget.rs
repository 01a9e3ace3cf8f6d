//! Budgets: what a client may ask for, and what all of them together may cost the job.

use std::time::{Duration, Instant};

/// A bucket of tokens that fills by itself. Work whose cost is known afterwards may leave it in debt.
pub(super) struct Bucket {
    tokens: f64,
    most: f64,
    a_second: f64,
    since: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(most: f64, a_second: f64, now: Instant) -> Bucket {
        Bucket { tokens: most, most, a_second, since: now }
    }

    pub(super) fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.tokens = self.most.min(self.tokens + passed * self.a_second);
        self.since = now;
    }

    pub(super) fn spend(&mut self, tokens: f64) {
        self.tokens -= tokens;
    }

    /// How long until there are so many tokens.
    pub(super) fn time_until(&self, tokens: f64) -> Duration {
        Duration::from_secs_f64(((tokens - self.tokens) / self.a_second).max(0.0))
    }

    pub(super) fn has(&self, tokens: f64) -> bool {
        self.tokens >= tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_has_and_fills_in_its_time() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(10.0, 2.0, begin);
        bucket.spend(14.0);
        assert!(!bucket.has(0.0));
        assert_eq!(bucket.time_until(1.0), Duration::from_secs_f64(2.5));
        bucket.fill(begin + Duration::from_secs(3));
        assert!(bucket.has(2.0) && !bucket.has(2.1));
        bucket.fill(begin + Duration::from_secs(1000));
        assert!(bucket.has(10.0) && !bucket.has(10.1));
    }
}
