//! The curve: the bests of a run over time, for who comes late.

/// More than a screen has columns. When there are more, every other one goes.
const MOST_POINTS: usize = 1024;

/// Times are in seconds since 1970.
#[derive(Clone, Default)]
pub(crate) struct Curve {
    /// When the run began. `None`: none has.
    pub(crate) began: Option<f64>,
    /// When each best was found, and its value.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// Of a run that begins.
    pub(crate) fn begin(&mut self, time: f64) {
        self.began = Some(time);
        self.points.clear();
    }

    pub(crate) fn add(&mut self, time: f64, value: f64) {
        if self.points.len() == MOST_POINTS {
            // The first and the newest stay.
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1 || index == MOST_POINTS
            });
        }
        self.points.push((time, value));
    }
}

#[cfg(all(test, not(model)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_its_ends() {
        let mut curve = Curve::default();
        curve.begin(0.5);
        (1..=100_000).for_each(|i| curve.add(f64::from(i), -f64::from(i)));
        assert!(curve.points.len() <= MOST_POINTS && curve.points.len() > MOST_POINTS / 2);
        assert_eq!(curve.points.first(), Some(&(1.0, -1.0)));
        assert_eq!(curve.points.last(), Some(&(100_000.0, -100_000.0)));
        assert!(curve.points.is_sorted());
        curve.begin(7.0);
        assert_eq!((curve.began, curve.points.len()), (Some(7.0), 0));
    }
}
