//! Accuracy against the number of parameters: how small a network can get.

use super::axes::{Axis, error_bar, ticks};
use super::labels::{Area, overlap};
use super::prelude::*;
use super::scale::Scale;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, NoInterval};

const PLOT: i32 = 190;
const LEFT: i32 = 62;
/// Half of the last tick's label.
const RIGHT: i32 = 30;
const TOP: i32 = 26;
const BOTTOM: i32 = 44;

/// A network's place in the figure.
#[derive(Clone)]
pub(crate) struct LadderPoint {
    pub title: String,
    /// The run's; none for what others printed.
    pub series: Option<usize>,
    pub parameters: u64,
    pub accuracy: f64,
    /// The accuracy's, or why it has none; none for what others printed.
    pub interval: Option<std::result::Result<(Interval, IntervalBasis), NoInterval>>,
}

impl LadderPoint {
    fn bounds(&self) -> Option<Interval> {
        Some(self.interval?.ok()?.0)
    }

    fn ends(&self) -> Interval {
        self.bounds().unwrap_or(Interval { lower: self.accuracy, upper: self.accuracy })
    }

    /// Whether it is what others printed, not measured here.
    fn is_quoted(&self) -> bool {
        self.series.is_none()
    }

    fn is_over(&self, over: IntervalBasis) -> bool {
        self.interval.and_then(std::result::Result::ok).is_some_and(|(_, other)| other == over)
    }
}

/// Both axes: accuracies upwards, the logarithm of parameters to the right.
struct Plane {
    accuracy: Axis,
    parameters: Scale,
}

impl Plane {
    fn of(points: &[LadderPoint]) -> Self {
        let lowest = points.iter().map(|p| p.ends().lower).fold(1.0, f64::min);
        let highest = points.iter().map(|p| p.ends().upper).fold(0.0, f64::max).min(1.0);
        let room = ((highest - lowest) * 0.1).max(0.001);
        let (low, high) = ((lowest - room).max(0.0), (highest + room).min(1.0));
        let (right, base) = (FULL as i32 - RIGHT, TOP + PLOT);
        let sizes = || points.iter().map(|p| p.parameters.max(1) as f64);
        // Whole decades would waste the width on two networks alike; a little room on both sides does.
        let ends = (sizes().fold(f64::MAX, f64::min) / 1.4, sizes().fold(1.0, f64::max) * 1.4);
        Self {
            accuracy: Axis { low, high, left: LEFT, right, top: TOP, base },
            parameters: Scale::logarithmic(ends, (LEFT, right)),
        }
    }

    fn at(&self, point: &LadderPoint) -> (i32, i32) {
        (self.parameters.at(point.parameters.max(1) as f64), self.accuracy.y(point.accuracy))
    }

    /// What a point and its interval cover.
    fn area(&self, point: &LadderPoint) -> Area {
        let ((x, _), Interval { lower, upper }) = (self.at(point), point.ends());
        (x - 7, self.accuracy.y(upper.min(1.0)) - 6, x + 7, self.accuracy.y(lower) + 6)
    }
}

/// The figure of some networks. `images` says on how many training images they were trained, where the study has runs with
/// other numbers.
pub(crate) fn ladder(name: String, points: &[LadderPoint], images: Option<usize>, lang: &Language) -> Result<Drawing> {
    let over = |over: IntervalBasis| points.iter().any(|p| p.is_over(over));
    let values = context! {
        quoted => points.iter().any(LadderPoint::is_quoted),
        over_seeds => over(IntervalBasis::Seeds),
        over_images => over(IntervalBasis::Images),
        images,
    };
    let caption = lang.say("figures.ladder.caption", values)?;
    let describe = |p: &LadderPoint| {
        let accuracy = lang.numbers.percent(p.accuracy, 2);
        let values = context! { title => p.title.as_str(), n => p.parameters, accuracy };
        lang.say("figures.ladder.description", values)
    };
    let without = points.iter().filter_map(|p| Some((p.title.as_str(), p.interval?.err()?)));
    let without = without_interval(without, lang)?;
    let described = points.iter().map(describe).chain(without.iter().cloned().map(Ok));
    let description = described.collect::<Result<Vec<_>>>()?.join(" ");
    let plane = Plane::of(points);
    let axis = &plane.accuracy;
    let drawing = draw(Titles { name, caption, description }, Width::Full, (axis.base + BOTTOM) as u32, |root| {
        text(root, &lang.word("figures.test_accuracy")?, (0, 8), &label(MUTED), HPos::Left, VPos::Center)?;
        axis.grid(root, &ticks(axis.low, axis.high, 0.001, 7.0), |tick| lang.numbers.percent(tick, 1))?;
        for tick in plane.parameters.ticks(7) {
            let x = plane.parameters.at(tick);
            line(root, &[(x, axis.base), (x, axis.base + 5)], MUTED)?;
            centred(root, &lang.numbers.count(tick.round() as u64), (x, axis.base + 14), &label(MUTED))?;
        }
        line(root, &[(LEFT, axis.base), (axis.right, axis.base)], MUTED)?;
        centred(root, &lang.word("figures.ladder.x")?, (axis.middle(), axis.base + 32), &label(MUTED))?;
        let mut taken: Vec<Area> = points.iter().map(|point| plane.area(point)).collect();
        points.iter().try_for_each(|point| network(root, point, &plane, &mut taken, lang))
    })?;
    // The labels say the rest.
    Ok(Drawing { description: without.join(" "), ..drawing })
}

/// A network's point with its interval, its title and its accuracy. `taken` is what is covered so far.
fn network(root: &Canvas, point: &LadderPoint, plane: &Plane, taken: &mut Vec<Area>, lang: &Language) -> Result<()> {
    let (x, y) = plane.at(point);
    let color = point.series.map_or(MUTED, series_color);
    if let Some(Interval { lower, upper }) = point.bounds() {
        error_bar(root, x, (plane.accuracy.y(upper.min(1.0)), plane.accuracy.y(lower)), color)?;
    }
    root.draw(&Circle::new((x, y), 5, if point.is_quoted() { color.stroke_width(2) } else { color.filled() }))?;
    let words = format!("{} {}", point.title, lang.numbers.percent(point.accuracy, 2));
    let length = width_of(&words, LABEL);
    // Beside the point, towards the middle; or the nearest place above or below that is free.
    let area = |right: bool, middle: i32| {
        let left = if right { x + 10 } else { x - 10 - length };
        (left, middle - 7, left + length, middle + 7)
    };
    let first = x < plane.accuracy.middle();
    let heights = (0..12).flat_map(|i| [y - 8 * i, y + 8 * i]);
    let mut places = heights.flat_map(|middle| [(first, middle), (!first, middle)]);
    let is_free = |(right, middle): &(bool, i32)| {
        let area = area(*right, *middle);
        let inside = area.0 >= LEFT && area.2 <= FULL as i32 && area.1 >= TOP - 6 && area.3 <= plane.accuracy.base;
        inside && !taken.iter().any(|other| overlap(*other, area))
    };
    let (right, middle) = places.find(is_free).unwrap_or((first, y));
    // Two labels on one line do not read as one.
    let (start, top, end, base) = area(right, middle);
    taken.push((start - 8, top, end + 8, base));
    let (at, side) = if right { (x + 10, HPos::Left) } else { (x - 10, HPos::Right) };
    text(root, &words, (at, middle), &label(color), side, VPos::Center)
}
