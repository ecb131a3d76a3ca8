//! Accuracy against the number of parameters: how small a network can get.

use super::axes::{Axis, error_bar, ticks};
use super::prelude::*;
use crate::results::NoInterval;
use crate::results::statistics::Interval;

const HEIGHT: u32 = 420;
const LEFT: i32 = 70;
const RIGHT: i32 = 40;
const TOP: i32 = 40;
const BOTTOM: i32 = 56;

/// A network's place in the figure.
pub(crate) struct LadderPoint {
    pub title: String,
    pub parameters: u64,
    pub accuracy: f64,
    /// The accuracy's, or why it has none; none for what others printed.
    pub interval: Option<std::result::Result<Interval, NoInterval>>,
    /// How many seeds were trained here; none for what others printed.
    pub seeds: Option<usize>,
}

impl LadderPoint {
    fn bounds(&self) -> Option<Interval> {
        self.interval?.ok()
    }

    fn ends(&self) -> Interval {
        self.bounds().unwrap_or(Interval { lower: self.accuracy, upper: self.accuracy })
    }
}

/// Both axes: accuracies upwards, the logarithm of parameters to the right.
struct Plane {
    accuracy: Axis,
    /// Base 10.
    smallest: f64,
    largest: f64,
}

fn log10(parameters: u64) -> f64 {
    libm::log10(parameters.max(1) as f64)
}

impl Plane {
    fn of(points: &[LadderPoint]) -> Self {
        let lowest = points.iter().map(|p| p.ends().lower).fold(1.0, f64::min);
        let highest = points.iter().map(|p| p.ends().upper).fold(0.0, f64::max).min(1.0);
        let room = ((highest - lowest) * 0.1).max(0.001);
        let (low, high) = ((lowest - room).max(0.0), (highest + room).min(1.0));
        let (right, base) = (WIDTH as i32 - RIGHT, HEIGHT as i32 - BOTTOM);
        // Whole decades would waste the width on two networks alike; a little room on both sides does.
        let sizes = || points.iter().map(|p| log10(p.parameters));
        Self {
            accuracy: Axis { low, high, left: LEFT, right, top: TOP, base },
            smallest: sizes().fold(f64::MAX, f64::min) - 0.15,
            largest: sizes().fold(0.0, f64::max) + 0.15,
        }
    }

    fn x(&self, parameters: u64) -> i32 {
        let share = (log10(parameters) - self.smallest) / (self.largest - self.smallest);
        LEFT + (share * f64::from(self.accuracy.right - LEFT)).round() as i32
    }

    fn y(&self, accuracy: f64) -> i32 {
        self.accuracy.y(accuracy)
    }

    /// 1, 2 and 5 times the powers of ten between the ends.
    fn size_ticks(&self) -> impl Iterator<Item = u64> {
        let (least, most) = (libm::pow(10.0, self.smallest), libm::pow(10.0, self.largest));
        let all = (0..10u32).flat_map(|decade| [1, 2, 5].map(|n| n * 10u64.pow(decade)));
        all.filter(move |n| (least..=most).contains(&(*n as f64)))
    }
}

/// The figure of some networks.
pub(crate) fn ladder(name: String, points: &[LadderPoint], lang: &Language) -> Result<Drawing> {
    let printed = points.iter().any(|p| p.seeds.is_none());
    let caption = lang.word(match (points.iter().any(|p| p.bounds().is_some()), printed) {
        (false, false) => "figures.ladder.caption",
        (false, true) => "figures.ladder.caption_printed",
        (true, false) => "figures.ladder.caption_band",
        (true, true) => "figures.ladder.caption_band_printed",
    })?;
    let describe = |p: &LadderPoint| {
        let accuracy = lang.numbers.percent(p.accuracy, 2);
        let values = context! { title => p.title.as_str(), n => p.parameters, accuracy };
        lang.say("figures.ladder.description", values)
    };
    let without = points.iter().filter_map(|p| Some((p.title.as_str(), p.interval?.err()?)));
    let without = without_interval(without, lang)?;
    let described = points.iter().map(describe).chain(without.into_iter().map(Ok));
    let description = described.collect::<Result<Vec<_>>>()?.join(" ");
    let plane = Plane::of(points);
    let axis = &plane.accuracy;
    draw(Titles { name, caption, description }, HEIGHT, |root| {
        axis.grid(root, &ticks(axis.low, axis.high, 0.001, 8.0), |tick| lang.numbers.percent(tick, 1))?;
        for tick in plane.size_ticks() {
            let (x, label) = (plane.x(tick), lang.numbers.count(tick));
            line(root, &[(x, axis.base), (x, axis.base + 5)], MUTED)?;
            centred(root, &label, (x, axis.base + 16), &font(SIZE - 1.0, MUTED))?;
        }
        line(root, &[(LEFT, axis.base), (axis.right, axis.base)], MUTED)?;
        centred(root, &lang.word("figures.ladder.x")?, (axis.middle(), axis.base + 38), &font(SIZE, INK))?;
        text(root, &lang.word("figures.ladder.y")?, (LEFT - 50, 16), &font(SIZE, INK), HPos::Left, VPos::Center)?;
        let mut labels = Vec::new();
        points.iter().try_for_each(|point| network(root, point, points, &plane, &mut labels))
    })
}

/// A network's point with its interval and its title. `labels` holds where the titles before it are.
fn network(
    root: &Canvas,
    point: &LadderPoint,
    points: &[LadderPoint],
    plane: &Plane,
    labels: &mut Vec<(i32, i32)>,
) -> Result<()> {
    let at = (plane.x(point.parameters), plane.y(point.accuracy));
    let color = if point.seeds.is_some() { BLUE } else { ORANGE };
    if let Some(Interval { lower, upper }) = point.bounds() {
        error_bar(root, at.0, (plane.y(upper.min(1.0)), plane.y(lower)), color)?;
    }
    root.draw(&Circle::new(at, 5, if point.seeds.is_some() { color.filled() } else { color.stroke_width(2) }))?;
    // In the right half, the title is to the left of its point.
    let length = (point.title.chars().count() as f64 * SIZE * 0.5) as i32;
    let (side, x, span) = if at.0 > plane.accuracy.middle() {
        (HPos::Right, at.0 - 10, at.0 - 10 - length..=at.0 - 10)
    } else {
        (HPos::Left, at.0 + 10, at.0 + 10..=at.0 + 10 + length)
    };
    // Above the point, or the nearest place below it that is free of other titles and other points' intervals.
    let taken = |label: i32| {
        let by_label = labels.iter().any(|(lx, ly)| (lx - at.0).abs() < 230 && (ly - label).abs() < 14);
        let by_point = points.iter().filter(|p| p.parameters != point.parameters).any(|p| {
            let Interval { lower, upper } = p.ends();
            (span.start() - 5..=span.end() + 5).contains(&plane.x(p.parameters))
                && (plane.y(upper) - 10..=plane.y(lower) + 10).contains(&label)
        });
        by_label || by_point
    };
    let mut places = std::iter::once(at.1 - 9).chain((1..).map(|i| at.1 + 2 + 14 * i));
    let label = places.find(|y| !taken(*y)).unwrap_or(at.1 - 9);
    labels.push((at.0, label));
    text(root, &point.title, (x, label), &font(SIZE - 1.0, color), side, VPos::Center)
}
