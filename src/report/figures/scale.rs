//! Linear and logarithmic axes, computed with `libm` so that every machine draws the same.

/// An axis from `low` at the pixel `from` to `high` at the pixel `to`.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    pub logarithmic: bool,
    pub from: i32,
    pub to: i32,
}

impl Scale {
    pub(super) fn linear((low, high): (f64, f64), (from, to): (i32, i32)) -> Self {
        Self { low, high, logarithmic: false, from, to }
    }

    /// Both ends must be above 0.
    pub(super) fn logarithmic((low, high): (f64, f64), (from, to): (i32, i32)) -> Self {
        Self { low, high, logarithmic: true, from, to }
    }

    /// A value's pixel; values beyond the axis are drawn at its end.
    pub(super) fn at(&self, value: f64) -> i32 {
        let value = value.clamp(self.low, self.high);
        let share = if self.logarithmic {
            libm::log(value / self.low) / libm::log(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + (share.clamp(0.0, 1.0) * f64::from(self.to - self.from)).round() as i32
    }

    /// Round values on the axis: about `most` of them at most, and at least two, because one does not show the scale.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        let logarithmic = if self.logarithmic { self.logarithmic_ticks(most) } else { Vec::new() };
        if logarithmic.len() >= 2 {
            return logarithmic;
        }
        let has_two = |ticks: &Vec<f64>| ticks.len() >= 2;
        // A step is at most 2.5 times the range divided by `most`, so with 5 there are always two ticks.
        let found = (most..5).map(|more| self.linear_ticks(more)).find(has_two);
        let found = found.unwrap_or_else(|| self.linear_ticks(most.max(5)));
        let every = found.len().div_ceil(most.max(2) + 1);
        found.into_iter().step_by(every.max(1)).collect()
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let magnitude = libm::pow(10.0, libm::log10(rough).floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * magnitude).into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * magnitude);
        // A tick at an end is not lost to rounding.
        let (first, last) = ((self.low / step - 1e-9).ceil(), (self.high / step + 1e-9).floor());
        (0..=(last - first).max(0.0) as usize).take(most + 1).map(|i| (first + i as f64) * step).collect()
    }

    /// 1, 2 and 5 times the powers of ten where they are few, otherwise every so many powers of ten.
    fn logarithmic_ticks(&self, most: usize) -> Vec<f64> {
        let decade = |n: i32| libm::pow(10.0, f64::from(n));
        let (first, last) = (libm::log10(self.low).floor() as i32, libm::log10(self.high).ceil() as i32);
        let inside = |value: &f64| (self.low * 0.999..=self.high * 1.001).contains(value);
        let fine: Vec<f64> =
            (first..=last).flat_map(|n| [1.0, 2.0, 5.0].map(|m| m * decade(n))).filter(inside).collect();
        if fine.len() <= most {
            return fine;
        }
        let powers: Vec<f64> = (first..=last).map(decade).filter(inside).collect();
        let every = powers.len().div_ceil(most.max(1)).max(1);
        powers.into_iter().step_by(every).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ticks: &[f64]) -> String {
        ticks.iter().map(|t| format!("{t:.6}").trim_end_matches('0').to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_and_few() {
        let linear = |low, high, most| shown(&Scale::linear((low, high), (0, 100)).ticks(most));
        assert_eq!(linear(0.0, 2.5, 6), "0. 0.5 1. 1.5 2. 2.5");
        assert_eq!(linear(0.0, 0.0123, 4), "0. 0.005 0.01");
        assert_eq!(linear(0.0, 30.0, 8), "0. 5. 10. 15. 20. 25. 30.");
        let logarithmic = |low, high, most| shown(&Scale::logarithmic((low, high), (0, 100)).ticks(most));
        assert_eq!(logarithmic(0.08, 2.4, 6), "0.1 0.2 0.5 1. 2.");
        assert_eq!(logarithmic(0.0005, 2.4, 6), "0.001 0.01 0.1 1.");
        assert_eq!(logarithmic(1e-6, 1e6, 6), "0.000001 0.001 1. 1000. 1000000.");
    }

    #[test]
    fn every_axis_has_two_ticks() {
        let logarithmic = |low, high, most| shown(&Scale::logarithmic((low, high), (0, 100)).ticks(most));
        assert_eq!(logarithmic(241_000.0, 473_000.0, 7), "250000. 300000. 350000. 400000. 450000.");
        assert_eq!(logarithmic(241_000.0, 473_000.0, 3), "300000. 400000.");
        assert_eq!(logarithmic(1.6, 3.1, 6), "2. 2.5 3.");
        for (low, width) in (1..60).flat_map(|low| (1..60).map(move |width| (f64::from(low), f64::from(width) / 7.0))) {
            for most in 1..9 {
                for scale in [Scale::linear, Scale::logarithmic] {
                    let ticks = scale((low, low + width), (0, 100)).ticks(most);
                    assert!((2..=most.max(2) + 1).contains(&ticks.len()), "{low} {width} {most}: {ticks:?}");
                }
            }
        }
    }

    #[test]
    fn values_are_placed_between_the_ends_and_not_beyond() {
        let up = Scale::logarithmic((0.01, 1.0), (200, 0));
        assert_eq!([0.01, 0.1, 1.0, 5.0, 0.0].map(|v| up.at(v)), [200, 100, 0, 0, 200]);
        let along = Scale::linear((0.0, 4.0), (10, 50));
        assert_eq!([0.0, 1.0, 4.0, 9.0].map(|v| along.at(v)), [10, 20, 50, 50]);
    }
}
