//! The best so far over time.

/// More points than that no screen shows: then every other one goes.
const MOST_POINTS: usize = 8192;

/// Values that were the best, each from its time on; times in seconds since the job's begin.
#[derive(Clone, Default)]
pub(crate) struct Curve {
    points: Vec<(f64, f64)>,
}

impl Curve {
    pub(crate) fn of(points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
        let mut curve = Curve::default();
        points.into_iter().for_each(|(time, value)| curve.add(time, value));
        curve
    }

    pub(crate) fn add(&mut self, time: f64, value: f64) {
        if !value.is_finite() || !time.is_finite() || self.points.last().is_some_and(|last| last.1 == value) {
            return;
        }
        if self.points.len() >= MOST_POINTS {
            // The first and the newest stay.
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1 || index == MOST_POINTS
            });
        }
        let time = self.points.last().map_or(time, |last| time.max(last.0));
        self.points.push((time, value));
    }

    pub(crate) fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.points.iter().map(|(_, value)| *value)
    }

    /// Its corners: each value holds until the next, the last until `now`.
    pub(crate) fn corners(&self, now: f64) -> Vec<(f64, f64)> {
        let mut corners = Vec::with_capacity(2 * self.points.len());
        for (index, &(time, value)) in self.points.iter().enumerate() {
            corners.push((time, value));
            let until = self.points.get(index + 1).map_or(now.max(time), |next| next.0);
            corners.push((until, value));
        }
        corners
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_until_the_next() {
        let curve = Curve::of([(1.0, 9.0), (2.0, f64::NAN), (3.0, 4.0), (4.0, 4.0)]);
        assert_eq!(curve.corners(5.0), [(1.0, 9.0), (3.0, 9.0), (3.0, 4.0), (5.0, 4.0)]);
    }

    #[test]
    fn it_stays_bounded_and_keeps_its_ends() {
        let curve = Curve::of((0..100_000).map(|i| (f64::from(i), -f64::from(i))));
        assert!(curve.points().len() <= MOST_POINTS);
        assert_eq!(curve.points().first(), Some(&(0.0, -0.0)));
        assert_eq!(curve.points().last(), Some(&(99_999.0, -99_999.0)));
    }
}
