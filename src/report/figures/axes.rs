//! Axes of shares (accuracies and their differences), their ticks, and error bars.

use super::prelude::*;

/// A vertical axis: values from `low` at the pixel `base` to `high` at the pixel `top`, between `left` and `right`.
pub(super) struct VerticalAxis {
    pub low: f64,
    pub high: f64,
    pub left: i32,
    pub right: i32,
    pub top: i32,
    pub base: i32,
}

impl VerticalAxis {
    /// A value's pixel.
    pub(super) fn y(&self, value: f64) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        self.base - (share * f64::from(self.base - self.top)).round() as i32
    }

    /// The middle of the i-th of some equal slots along the axis.
    pub(super) fn slot(&self, i: usize, slots: usize) -> i32 {
        self.left + (self.right - self.left) * (2 * i as i32 + 1) / (2 * slots.max(1) as i32)
    }

    /// The pixel halfway between the ends.
    pub(super) fn middle(&self) -> i32 {
        i32::midpoint(self.left, self.right)
    }

    /// A line across at each tick, with its label to the left; the line at 0 is darker.
    pub(super) fn grid(&self, canvas: &Canvas, ticks: &[f64], tick_label: impl Fn(f64) -> String) -> Result<()> {
        for tick in ticks {
            let y = self.y(*tick);
            let color = if *tick == 0.0 { MUTED } else { GRID };
            line(canvas, &[(self.left, y), (self.right, y)], color)?;
            text(canvas, &tick_label(*tick), (self.left - 7, y), &label(MUTED), HPos::Right, VPos::Center)?;
        }
        Ok(())
    }
}

/// Round values between two ends that are at most 1 apart: at most `most` of them and one, at least `finest` apart.
pub(super) fn ticks(low: f64, high: f64, finest: f64, most: f64) -> Vec<f64> {
    let steps = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
    let step = steps.into_iter().find(|s| *s >= finest && (high - low) / s <= most).unwrap_or(0.5);
    // A tick at an end is not lost to rounding.
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// How many decimals of a percentage the ticks need.
pub(super) fn decimals(ticks: &[f64]) -> usize {
    let needs = |scale: f64| ticks.iter().any(|tick| ((tick * scale).round() - tick * scale).abs() > 1e-6);
    if needs(1000.0) { 2 } else { usize::from(needs(100.0)) }
}

/// A vertical bar between two pixels, with a short line at each end.
pub(super) fn error_bar(canvas: &Canvas, x: i32, (top, bottom): (i32, i32), color: RGBColor) -> Result<()> {
    line(canvas, &[(x, top), (x, bottom)], color)?;
    line(canvas, &[(x - 4, top), (x + 4, top)], color)?;
    line(canvas, &[(x - 4, bottom), (x + 4, bottom)], color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let shown = |ticks: Vec<f64>| ticks.iter().map(|t| format!("{t:.4}")).collect::<Vec<_>>().join(" ");
        assert_eq!(shown(ticks(0.97, 1.0, 0.001, 8.0)), "0.9700 0.9750 0.9800 0.9850 0.9900 0.9950 1.0000");
        assert_eq!(shown(ticks(-0.0021, 0.0009, 0.0005, 7.0)), "-0.0020 -0.0015 -0.0010 -0.0005 0.0000 0.0005");
        assert_eq!(shown(ticks(0.42, 1.0, 0.001, 8.0)), "0.5000 0.6000 0.7000 0.8000 0.9000 1.0000");
    }

    #[test]
    fn every_axis_has_two_ticks() {
        // The narrowest axes, as figures make them: a single value, with room on both sides or on one.
        for (low, high, finest) in [(0.9848, 0.9868, 0.001), (0.9985, 1.0, 0.001), (-0.0007, 0.0003, 0.0005)] {
            assert!(ticks(low, high, finest, 7.0).len() >= 2, "{low} to {high}");
        }
        for range in 2..1200 {
            assert!(ticks(-0.2003, -0.2003 + f64::from(range) * 0.001, 0.001, 6.0).len() >= 2, "{range}");
        }
    }
}
