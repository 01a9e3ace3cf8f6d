//! The axis of values: where each is drawn, and which are written beside it.

use crate::text::number;

/// What the user wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    Auto,
    Linear,
    Log,
    Symlog,
    Distance,
}

impl Choice {
    pub(crate) const ALL: [Choice; 5] = [Choice::Auto, Choice::Linear, Choice::Log, Choice::Symlog, Choice::Distance];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Choice::Auto => "auto",
            Choice::Linear => "linear",
            Choice::Log => "log",
            Choice::Symlog => "symlog",
            Choice::Distance => "distance",
        }
    }

    pub(crate) fn next(self) -> Choice {
        let place = Choice::ALL.iter().position(|choice| *choice == self).unwrap_or(0);
        Choice::ALL[(place + 1) % Choice::ALL.len()]
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Scale {
    Linear,
    /// Logarithmic; of negative values: of their size, so that the larger are lower.
    Log {
        negative: bool,
    },
    /// Logarithmic on both sides of zero, linear where values are smaller than this.
    Symlog(f64),
    /// The logarithm of the distance from the newest, down to the least one that is not zero: shows how the search closes
    /// in when all else is a flat line.
    Distance {
        newest: f64,
        least: f64,
    },
}

/// Values that differ by this factor want a logarithm.
const FAR_APART: f64 = 100.0;
/// A later half that takes less of the axis than this is flat, if there are enough values to tell.
const FLAT: f64 = 0.05;
const ENOUGH_VALUES: usize = 12;
/// Beyond which the linear part of a symlog axis would be a point.
const MOST_DECADES: f64 = 1e6;

impl Scale {
    /// The scale for these values. A logarithm of values on both sides of zero is a symmetric one.
    pub(crate) fn of(choice: Choice, values: impl Iterator<Item = f64> + Clone) -> Scale {
        let sizes = values.clone().map(f64::abs).filter(|size| *size > 0.0);
        let (least, most) = sizes.fold((f64::INFINITY, 0.0_f64), |(low, high), size| (low.min(size), high.max(size)));
        let symlog = Scale::Symlog(if most > 0.0 { least.max(most / MOST_DECADES) } else { 1.0 });
        let positive = values.clone().all(|value| value > 0.0);
        let log = match positive || values.clone().all(|value| value < 0.0) {
            true => Scale::Log { negative: !positive },
            false => symlog,
        };
        match choice {
            Choice::Linear => Scale::Linear,
            Choice::Log => log,
            Choice::Symlog => symlog,
            Choice::Distance => Scale::distance(values).unwrap_or(Scale::Linear),
            Choice::Auto => {
                let scale = if most >= FAR_APART * least { log } else { Scale::Linear };
                scale.unless_flat(values)
            }
        }
    }

    fn distance(values: impl Iterator<Item = f64> + Clone) -> Option<Scale> {
        let newest = values.clone().last()?;
        let distances = values.map(|value| (value - newest).abs()).filter(|distance| *distance > 0.0);
        let least = distances.min_by(f64::total_cmp)?;
        Some(Scale::Distance { newest, least })
    }

    /// Itself, unless the later half of the values would be a flat line.
    fn unless_flat(self, values: impl Iterator<Item = f64> + Clone) -> Scale {
        let count = values.clone().count();
        if count < ENOUGH_VALUES {
            return self;
        }
        let (low, high) = self.stretch(values.clone());
        let (later_low, later_high) = self.stretch(values.clone().skip(count / 2));
        match (later_high - later_low) < FLAT * (high - low) {
            true => Scale::distance(values).unwrap_or(self),
            false => self,
        }
    }

    /// What is drawn on it, in words.
    pub(crate) fn caption(self) -> String {
        match self {
            Scale::Linear => "best over time".to_owned(),
            Scale::Log { .. } => "best over time, log scale".to_owned(),
            Scale::Symlog(_) => "best over time, log scale to both sides of 0".to_owned(),
            Scale::Distance { newest, .. } => format!("distance from {} over time, log scale", number(newest, 9)),
        }
    }

    /// Where a value is on the axis.
    pub(crate) fn place(self, value: f64) -> f64 {
        match self {
            Scale::Linear => value,
            Scale::Log { negative: false } => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Log { negative: true } => -(-value).max(f64::MIN_POSITIVE).log10(),
            Scale::Symlog(linear) => (value / linear).asinh(),
            Scale::Distance { newest, least } => (value - newest).abs().max(least).log10(),
        }
    }

    /// The stretch of the axis that shows all values, with some room.
    pub(crate) fn stretch(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let around = |(low, high): (f64, f64), place: f64| (low.min(place), high.max(place));
        let (low, high) = values.map(|value| self.place(value)).fold((f64::INFINITY, f64::NEG_INFINITY), around);
        if low > high {
            return (0.0, 1.0);
        }
        let room = match high - low {
            width if width > 1e-12 * low.abs().max(high.abs()) => 0.04 * width,
            _ => 0.05 * low.abs().max(if self == Scale::Linear { 1e-300 } else { 1.0 }),
        };
        if room > 0.0 {
            (low - room, high + room)
        } else {
            (low - 1.0, high + 1.0)
        }
    }

    /// At most so many values to write beside a stretch, with their places: round ones.
    pub(crate) fn ticks(self, stretch: (f64, f64), most: usize) -> Vec<(f64, f64)> {
        let most = most.max(2);
        match self {
            Scale::Linear => linear_ticks(stretch, most).into_iter().map(|value| (value, value)).collect(),
            Scale::Log { negative } => {
                let sign = if negative { -1.0 } else { 1.0 };
                let (one, other) = (sign * stretch.0, sign * stretch.1);
                log_ticks((one.min(other), one.max(other)), most)
                    .into_iter()
                    .map(|(value, place)| (sign * value, sign * place))
                    .collect()
            }
            Scale::Distance { .. } => log_ticks(stretch, most),
            Scale::Symlog(linear) => {
                let largest = stretch.0.abs().max(stretch.1.abs()).sinh() * linear;
                let exponents = (linear.log10().floor() as i32..=largest.log10().floor() as i32).rev();
                let sizes = exponents.map(|exponent| 10f64.powi(exponent));
                let values = std::iter::once(0.0).chain(sizes.flat_map(|size| [-size, size]));
                let inside = values.map(|value| (value, self.place(value)));
                spaced(inside.filter(|(_, place)| (stretch.0..=stretch.1).contains(place)), stretch, most)
            }
        }
    }
}

/// On a logarithmic axis: powers of ten, or round values where there are less than two decades.
fn log_ticks((low, high): (f64, f64), most: usize) -> Vec<(f64, f64)> {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    if last - first < 2 {
        let values = linear_ticks((10f64.powf(low), 10f64.powf(high)), most).into_iter().filter(|value| *value > 0.0);
        return spaced(values.map(|value| (value, value.log10())), (low, high), most);
    }
    let stride = ((last - first) as usize + 1).div_ceil(most).max(1);
    (first..=last).step_by(stride).map(|exponent| (10f64.powi(exponent), f64::from(exponent))).collect()
}

/// Round values in a stretch: multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks((low, high): (f64, f64), most: usize) -> Vec<f64> {
    let rough = (high - low) / most as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    // 3 * 0.1 is not 0.3: a division by a whole number is as near as can be.
    let multiple = |i: i64| if step < 1.0 { i as f64 / (1.0 / step).round() } else { i as f64 * step };
    (first..=last.min(first + 1000)).map(multiple).collect()
}

/// Those that keep a distance from the ones before them.
fn spaced(all: impl Iterator<Item = (f64, f64)>, stretch: (f64, f64), most: usize) -> Vec<(f64, f64)> {
    let distance = (stretch.1 - stretch.0) / most as f64;
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for tick in all {
        if kept.iter().all(|(_, place)| (place - tick.1).abs() >= distance) {
            kept.push(tick);
        }
    }
    kept
}

/// Round times in a stretch of seconds, at most so many, as a clock shows them.
pub(crate) fn time_ticks((low, high): (f64, f64), most: usize) -> Vec<(f64, String)> {
    const STEPS: [f64; 17] =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0];
    let rough = (high - low) / most.max(1) as f64;
    let step = STEPS.into_iter().find(|step| *step >= rough).unwrap_or_else(|| 86400.0 * (rough / 86400.0).ceil());
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last.min(first + 1000)).map(|i| i as f64 * step).map(|time| (time, shown_time(time, step))).collect()
}

fn shown_time(time: f64, step: f64) -> String {
    let whole = time.round() as u64;
    let (days, hours, minutes, seconds) = (whole / 86400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match () {
        _ if step < 1.0 => format!("{time:.1} s"),
        _ if whole < 120 && step < 60.0 => format!("{whole} s"),
        _ if step < 60.0 => format!("{}:{seconds:02}", whole / 60),
        _ if whole < 7200 && step < 3600.0 => format!("{} min", whole / 60),
        _ if step < 86400.0 && days == 0 => format!("{hours}:{minutes:02} h"),
        _ if step < 86400.0 => format!("{days}d {hours}h"),
        _ => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(choice: Choice, values: &[f64]) -> Scale {
        Scale::of(choice, values.iter().copied())
    }

    fn values(scale: Scale, stretch: (f64, f64), most: usize) -> Vec<f64> {
        scale.ticks(stretch, most).into_iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn the_values_choose_the_scale() {
        assert_eq!(scale(Choice::Auto, &[900.0, 788.5]), Scale::Linear);
        assert_eq!(scale(Choice::Auto, &[1e6, 788.5]), Scale::Log { negative: false });
        assert_eq!(scale(Choice::Auto, &[-1.0, -104.0]), Scale::Log { negative: true });
        assert_eq!(scale(Choice::Auto, &[1e5, 3.0, -104.0]), Scale::Symlog(3.0));
        assert_eq!(scale(Choice::Log, &[1.0, 0.0]), Scale::Symlog(1.0));
        assert_eq!(scale(Choice::Auto, &[]), Scale::Linear);
    }

    #[test]
    fn what_closes_in_is_seen_to() {
        let values: Vec<f64> = (0..30).map(|i| 788.5 + 500.0 * 0.5f64.powi(i)).collect();
        let Scale::Distance { newest, least } = scale(Choice::Auto, &values) else { panic!("a flat line") };
        assert!(newest == values[29] && least > 0.0 && least < 1e-5);
        assert_eq!(scale(Choice::Auto, &(0..30).map(f64::from).collect::<Vec<_>>()), Scale::Linear);
        assert_eq!(scale(Choice::Distance, &[1.0]), Scale::Linear);
    }

    #[test]
    fn a_scale_keeps_the_order() {
        for scale in [Scale::Linear, Scale::Log { negative: false }, Scale::Symlog(0.5)] {
            assert!(scale.place(1.0) < scale.place(2.0) && scale.place(2.0) < scale.place(3e9));
        }
        let mirrored = Scale::Log { negative: true };
        assert!(mirrored.place(-104.0) < mirrored.place(-103.0) && mirrored.place(-103.0) < mirrored.place(-1.0));
    }

    #[test]
    fn ticks_are_round_inside_and_few() {
        assert_eq!(values(Scale::Linear, (0.0, 1.0), 5), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(values(Scale::Linear, (788.0, 906.0), 4), [800.0, 850.0, 900.0]);
        assert_eq!(values(Scale::Log { negative: false }, (-1.5, 3.2), 5), [0.1, 1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(values(Scale::Log { negative: true }, (-2.5, 0.5), 5), [-1.0, -10.0, -100.0]);
        assert!(values(Scale::Log { negative: false }, (2.0, 2.4), 4).len() >= 3);
        let symlog = Scale::Symlog(1.0);
        let ticks = symlog.ticks(symlog.stretch([1e5, -104.0].into_iter()), 6);
        assert!(
            ticks.len() >= 4
                && ticks.iter().any(|(value, _)| *value == 0.0)
                && ticks.iter().any(|(value, _)| *value == -100.0)
        );
    }

    #[test]
    fn one_value_has_a_stretch() {
        for scale in [Scale::Linear, Scale::Log { negative: false }, Scale::Symlog(1.0)] {
            for value in [0.0, 1e-20, 788.5, 1e300] {
                let (low, high) = scale.stretch([value].into_iter());
                assert!(low < high, "{scale:?} {value}");
            }
        }
    }

    #[test]
    fn times_are_round() {
        let shown = |stretch, most| time_ticks(stretch, most).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(shown((0.0, 25.0), 3), ["0 s", "10 s", "20 s"]);
        assert_eq!(shown((0.0, 400.0), 4), ["0 min", "2 min", "4 min", "6 min"]);
        assert_eq!(shown((0.0, 86400.0 * 3.0), 3), ["0 d", "1 d", "2 d", "3 d"]);
    }
}
