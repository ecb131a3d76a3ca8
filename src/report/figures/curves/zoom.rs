//! The test loss near its lowest value on a linear axis: how it rises after its turning point, which a logarithmic axis or one
//! from zero hides.

use super::super::prelude::*;
use super::super::scale::Scale;
use super::course::Course;
use super::plot::{LEFT, Plot};

/// A rise of fewer pixels cannot be seen.
const VISIBLE: i32 = 14;
/// The axis spans at least this part of the lowest loss, so that a rise by chance does not look large.
const LEAST_SPAN: f64 = 0.1;
const TITLES: i32 = 28;
const HEIGHT: i32 = 72;

/// The axis of losses: from below the lowest to what shows the rise.
pub(super) struct Zoom {
    turn: usize,
    lowest: f64,
    end: f64,
    low: f64,
    high: f64,
}

impl Zoom {
    /// With its title.
    pub(super) const HEIGHT: i32 = TITLES + HEIGHT;

    /// `None` where the test loss does not rise, or where the rise can be seen on the panel's own scale.
    pub(super) fn of(course: &Course, losses: Scale) -> Option<Self> {
        let turn = course.turn()?;
        let after = || course.test[turn - 1..].iter().map(|loss| loss.mean);
        let (lowest, highest) = (course.test[turn - 1].mean, after().fold(0.0, f64::max));
        let end = course.test.last()?.mean;
        let is_seen = losses.at(lowest) - losses.at(highest) >= VISIBLE;
        // As low, losses are rounding errors.
        if is_seen || lowest < 1e-6 || end <= lowest {
            return None;
        }
        let span = (1.4 * (highest - lowest)).max(LEAST_SPAN * lowest);
        Some(Self { turn, lowest, end, low: lowest - 0.12 * span, high: lowest + span })
    }

    /// Draws it below the panel's plot, whose lower end is `base`.
    pub(super) fn draw(
        &self,
        area: &Canvas,
        lang: &Language,
        above: &Plot,
        (course, base): (&Course, i32),
    ) -> Result<()> {
        let (top, bottom) = (base + TITLES, base + Self::HEIGHT);
        let plot = Plot { epochs: above.epochs, losses: Scale::linear((self.low, self.high), (bottom, top)) };
        let words = lang.word("figures.curves.zoom")?;
        let words = wrapped(&words, LABEL, plot.epochs.to, 1).concat();
        text(area, &words, (0, top - 13), &label(MUTED), HPos::Left, VPos::Center)?;
        plot.grid(area, lang, 5)?;
        let line_after: Vec<(f64, f64)> =
            course.test_line.iter().filter(|(at, _)| *at >= self.turn as f64).copied().collect();
        if let (Some(first), Some(last)) = (line_after.first(), line_after.last()) {
            let floor = [(last.0, self.lowest), (first.0, self.lowest)];
            let outline: Vec<(f64, f64)> = line_after.iter().copied().chain(floor).collect();
            area.draw(&Polygon::new(plot.line(&outline), BLUE.mix(0.12)))?;
        }
        let (from, to) = (plot.at((self.turn as f64, self.lowest)), plot.at((course.epochs() as f64, self.lowest)));
        area.draw(&DashedPathElement::new([from, to], 2, 3, BLUE))?;
        area.draw(&DashedPathElement::new([(from.0, top), (from.0, bottom)], 2, 3, BLUE))?;
        for part in below(&course.test_line, self.high) {
            line(area, &plot.line(&part), BLUE)?;
        }
        let radius = if (plot.epochs.to - LEFT) / (course.epochs().max(1) as i32) < 14 { 2 } else { 4 };
        for (i, loss) in course.test.iter().enumerate().filter(|(_, loss)| loss.mean <= self.high) {
            let at = plot.at(((i + 1) as f64, loss.mean));
            if let Some(interval) = loss.interval {
                let [upper, lower] = [interval.upper, interval.lower].map(|end| plot.at(((i + 1) as f64, end)));
                line(area, &[upper, lower], BLUE)?;
            }
            let inside = if course.reported == Some(i + 1) { BLUE } else { PAPER };
            area.draw(&Circle::new(at, radius, inside.filled()))?;
            area.draw(&Circle::new(at, radius, BLUE.stroke_width(2)))?;
        }
        let rise = format!("+{}", lang.numbers.percent(self.end / self.lowest - 1.0, 1));
        let at = (plot.epochs.to + 9, plot.losses.at(self.end));
        text(area, &rise, at, &label(BLUE), HPos::Left, VPos::Center)?;
        line(area, &[(LEFT, bottom), (plot.epochs.to, bottom)], GRID)
    }
}

/// The parts of a line that are not above a value, cut where it crosses.
fn below(points: &[(f64, f64)], high: f64) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut is_inside = false;
    for (i, &point) in points.iter().enumerate() {
        let crossing = i.checked_sub(1).map(|before| points[before]).map(|before| {
            let share = (high - before.1) / (point.1 - before.1);
            (before.0 + share * (point.0 - before.0), high)
        });
        match (is_inside, point.1 <= high) {
            (false, true) => parts.push(crossing.into_iter().chain([point]).collect()),
            (true, inside) => {
                let end = if inside { Some(point) } else { crossing };
                if let Some(part) = parts.last_mut() {
                    part.extend(end);
                }
            }
            (false, false) => {}
        }
        is_inside = point.1 <= high;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_they_leave_the_axis() {
        let line = [(1.0, 8.0), (2.0, 4.0), (3.0, 1.0), (4.0, 3.0), (5.0, 2.0)];
        assert_eq!(
            below(&line, 2.0),
            [vec![(2.0 + 2.0 / 3.0, 2.0), (3.0, 1.0), (3.5, 2.0)], vec![(5.0, 2.0), (5.0, 2.0)]]
        );
        assert_eq!(below(&line, 9.0), [line.to_vec()]);
        assert!(below(&line, 0.5).is_empty());
    }
}
