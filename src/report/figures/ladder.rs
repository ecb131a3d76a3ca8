//! Accuracy against the number of parameters: how small a network can get.

use super::axes::{VerticalAxis, error_bar, ticks};
use super::labels::{Area, overlap};
use super::prelude::*;
use super::scale::Scale;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, NoInterval};

const PLOT: i32 = 160;
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
    accuracy: VerticalAxis,
    parameters: Scale,
}

impl Plane {
    fn of(points: &[LadderPoint], width: i32) -> Self {
        let lowest = points.iter().map(|p| p.ends().lower).fold(1.0, f64::min);
        let highest = points.iter().map(|p| p.ends().upper).fold(0.0, f64::max).min(1.0);
        let room = ((highest - lowest) * 0.1).max(0.001);
        let (low, high) = ((lowest - room).max(0.0), (highest + room).min(1.0));
        let (right, base) = (width - RIGHT, TOP + PLOT);
        let sizes = || points.iter().map(|p| p.parameters.max(1) as f64);
        // Whole decades would waste the width on two networks alike; a little room on both sides does.
        let ends = (sizes().fold(f64::MAX, f64::min) / 1.4, sizes().fold(1.0, f64::max) * 1.4);
        Self {
            accuracy: VerticalAxis { low, high, left: LEFT, right, top: TOP, base },
            parameters: Scale::logarithmic(ends, (LEFT, right)),
        }
    }

    fn at(&self, point: &LadderPoint) -> (i32, i32) {
        (self.parameters.at(point.parameters.max(1) as f64), self.accuracy.y(point.accuracy))
    }

    /// What a point covers.
    fn dot(&self, point: &LadderPoint) -> Area {
        let (x, y) = self.at(point);
        (x - 7, y - 6, x + 7, y + 6)
    }

    /// What a point and its interval cover.
    fn area(&self, point: &LadderPoint) -> Area {
        let ((x, _), Interval { lower, upper }) = (self.at(point), point.ends());
        (x - 7, self.accuracy.y(upper.min(1.0)) - 6, x + 7, self.accuracy.y(lower) + 6)
    }
}

/// The figure of some networks. `images` says on how many training images they were trained, where the study has runs with
/// other numbers.
pub(crate) fn ladder(name: &str, points: &[LadderPoint], images: Option<usize>, lang: &Language) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| drawn(name, points, images, sheet, lang))
}

fn drawn(name: &str, points: &[LadderPoint], images: Option<usize>, sheet: Sheet, lang: &Language) -> Result<Drawing> {
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
    let without = points.iter().map(|p| (p.title.as_str(), p.interval.and_then(std::result::Result::err)));
    let without = without_interval(without, lang)?;
    let described = points.iter().map(describe).chain(without.iter().cloned().map(Ok));
    let description = described.collect::<Result<Vec<_>>>()?.join(" ");
    let plane = Plane::of(points, sheet.pixels());
    let labels = labels(points, &plane, lang);
    let axis = &plane.accuracy;
    let titles = Titles { name: name.to_owned(), caption, description };
    let drawing = draw(titles, sheet, (axis.base + BOTTOM) as u32, |root| {
        text(root, &lang.word("figures.test_accuracy")?, (0, 8), &label(MUTED), HPos::Left, VPos::Center)?;
        axis.grid(root, &ticks(axis.low, axis.high, 0.001, 7.0), |tick| lang.numbers.percent(tick, 1))?;
        for tick in plane.parameters.ticks(if sheet.has_columns() { 7 } else { 3 }) {
            let x = plane.parameters.at(tick);
            line(root, &[(x, axis.base), (x, axis.base + 5)], MUTED)?;
            centred(root, &lang.numbers.count(tick.round() as u64), (x, axis.base + 14), &label(MUTED))?;
        }
        line(root, &[(LEFT, axis.base), (axis.right, axis.base)], MUTED)?;
        centred(root, &lang.word("figures.ladder.x")?, (axis.middle(), axis.base + 32), &label(MUTED))?;
        labels.iter().filter(|label| label.number.is_none()).try_for_each(|label| label.clear(root))?;
        points.iter().try_for_each(|point| network(root, point, &plane))?;
        labels.iter().try_for_each(|label| label.draw(root))
    })?;
    // The labels say the rest, but for numbers, and for points that have none.
    let numbered = labels.iter().filter_map(|label| Some((label.number?, label))).map(|(number, label)| {
        let titles: Vec<String> = label.points.iter().map(|i| points[*i].title.clone()).collect();
        let accuracy = lang.numbers.percent(points[label.points[0]].accuracy, 2);
        lang.say("figures.ladder.numbered", context! { number, titles, accuracy })
    });
    let has_no_label = |i: &usize| labels.iter().all(|label| !label.points.contains(i));
    let unlabelled = (0..points.len()).filter(has_no_label).map(|i| describe(&points[i]));
    let printed = numbered.chain(unlabelled).chain(without.into_iter().map(Ok)).collect::<Result<Vec<_>>>()?;
    Ok(Drawing { description: printed.join(" "), ..drawing })
}

/// A network's point with its interval.
fn network(root: &Canvas, point: &LadderPoint, plane: &Plane) -> Result<()> {
    let (x, y) = plane.at(point);
    let color = point.series.map_or(MUTED, series_color);
    if let Some(Interval { lower, upper }) = point.bounds() {
        error_bar(root, x, (plane.accuracy.y(upper.min(1.0)), plane.accuracy.y(lower)), color)?;
    }
    // The ring of a quoted value is larger, so that it does not hide a dot in the same place, nor the dot the ring.
    let (radius, style) = if point.is_quoted() { (7, color.stroke_width(2)) } else { (5, color.filled()) };
    root.draw(&Circle::new((x, y), radius, style))?;
    Ok(())
}

/// The title and accuracy of a point, or of several in one place.
struct PointLabel {
    points: Vec<usize>,
    /// The number that stands for a title that has no room.
    number: Option<usize>,
    words: String,
    color: RGBColor,
    /// The middle of the point.
    point: (i32, i32),
    /// Whether the label is to the right of the point.
    right: bool,
    /// The middle of the label.
    middle: i32,
}

impl PointLabel {
    /// How far from the point's middle the label starts. One that is not beside its point leaves room for a line.
    fn distance(&self) -> i32 {
        if self.is_beside() { 10 } else { 22 }
    }

    fn is_beside(&self) -> bool {
        self.middle == self.point.1
    }

    /// Where the label starts: the end of its line.
    fn start(&self) -> i32 {
        if self.right { self.point.0 + self.distance() } else { self.point.0 - self.distance() }
    }

    fn area(&self) -> Area {
        let (start, length) = (self.start(), width_of(&self.words, LABEL));
        let left = if self.right { start } else { start - length };
        (left, self.middle - 7, left + length, self.middle + 7)
    }

    /// What its line covers, in a few places; nothing where it is beside its point.
    fn line(&self) -> Vec<Area> {
        const STEPS: i32 = 8;
        let ((x, y), (to, middle)) = (self.point, (self.start(), self.middle));
        let at = |i: i32| (x + (to - x) * i / STEPS, y + (middle - y) * i / STEPS);
        let places = (1..=STEPS).map(at).map(|(x, y)| (x - 1, y - 1, x + 1, y + 1));
        if self.is_beside() { Vec::new() } else { places.collect() }
    }

    /// Hides the lines of the grid where the label is.
    fn clear(&self, root: &Canvas) -> Result<()> {
        let (left, top, right, base) = self.area();
        Ok(root.draw(&Rectangle::new([(left, top), (right, base)], PAPER.filled()))?)
    }

    fn draw(&self, root: &Canvas) -> Result<()> {
        let (x, y) = self.point;
        let (gap, side) = if self.right { (-3, HPos::Left) } else { (3, HPos::Right) };
        if !self.is_beside() {
            let from = if self.right { x + 5 } else { x - 5 };
            line(root, &[(from, y), (self.start() + gap, self.middle)], self.color)?;
        }
        text(root, &self.words, (self.start(), self.middle), &label(self.color), side, VPos::Center)
    }
}

/// The labels of all points for which there is room: title and accuracy, or a number. Points with equal values share one.
fn labels(points: &[LadderPoint], plane: &Plane, lang: &Language) -> Vec<PointLabel> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, point) in points.iter().enumerate() {
        let percent = |p: &LadderPoint| lang.numbers.percent(p.accuracy, 2);
        let is_equal = |other: &LadderPoint| other.parameters == point.parameters && percent(other) == percent(point);
        match groups.iter_mut().find(|group| is_equal(&points[group[0]])) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let mut placed: Vec<PointLabel> = Vec::new();
    let mut left = Vec::new();
    for group in &groups {
        let titles: Vec<&str> = group.iter().map(|i| points[*i].title.as_str()).collect();
        let words = format!("{} {}", titles.join("; "), lang.numbers.percent(points[group[0]].accuracy, 2));
        match place(points, plane, &placed, group, &Words::Title(words)) {
            Some(label) => placed.push(label),
            None => left.push(group),
        }
    }
    // A number fits in more places than a title; the caption says what it stands for.
    let mut number = 1;
    for group in left {
        if let Some(label) = place(points, plane, &placed, group, &Words::Number(number)) {
            placed.push(label);
            number += 1;
        }
    }
    placed
}

/// What a label says.
enum Words {
    Title(String),
    Number(usize),
}

/// The label of points in one place, where there is room for these words: beside the point, or near it with a line to it.
fn place(
    points: &[LadderPoint],
    plane: &Plane,
    placed: &[PointLabel],
    group: &[usize],
    words: &Words,
) -> Option<PointLabel> {
    // A label at another point would be read as that one's. A number has the colour of its point and may cross another's interval.
    let area = |point: &LadderPoint| match words {
        Words::Title(_) => plane.area(point),
        Words::Number(_) => plane.dot(point),
    };
    let (x, y) = plane.at(&points[group[0]]);
    // A point in the same place is in the way of every line.
    let is_elsewhere = |i: &usize| plane.at(&points[*i]).0.abs_diff(x).max(plane.at(&points[*i]).1.abs_diff(y)) > 1;
    let others = (0..points.len()).filter(|i| !group.contains(i)).filter(is_elsewhere).map(|i| area(&points[i]));
    let others: Vec<Area> = others.map(|(left, top, right, base)| (left - 4, top, right + 4, base)).collect();
    let first = &points[group[0]];
    let is_right = x < plane.accuracy.middle();
    let heights = (0..12).flat_map(|i| [y - 8 * i, y + 8 * i]);
    let candidates = heights.flat_map(|middle| [(is_right, middle), (!is_right, middle)]).map(|(right, middle)| {
        let color = first.series.map_or(MUTED, series_color);
        let (number, words) = match words {
            Words::Title(words) => (None, words.clone()),
            Words::Number(number) => (Some(*number), number.to_string()),
        };
        PointLabel { points: group.to_vec(), number, words, color, point: (x, y), right, middle }
    });
    let is_free = |label: &PointLabel| {
        let area = label.area();
        let inside = area.0 >= LEFT
            && area.2 <= plane.accuracy.right + RIGHT
            && area.1 >= TOP - 6
            && area.3 <= plane.accuracy.base;
        let covers = |area: Area| {
            // Two labels on one line do not read as one.
            let is_taken = |other: &PointLabel| {
                let (left, top, right, base) = other.area();
                overlap((left - 8, top, right + 8, base), area) || other.line().iter().any(|l| overlap(*l, area))
            };
            placed.iter().any(is_taken) || others.iter().any(|other| overlap(*other, area))
        };
        inside && !covers(area) && !label.line().into_iter().any(covers)
    };
    candidates.into_iter().find(is_free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Templates;
    use crate::text::Lang;

    fn point(title: &str, parameters: u64, accuracy: f64) -> LadderPoint {
        LadderPoint { title: title.into(), series: Some(0), parameters, accuracy, interval: None }
    }

    #[test]
    fn points_with_equal_values_share_a_label() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let points = [point("a", 1000, 0.9), point("b", 1000, 0.9), point("c", 9000, 0.95)];
        let drawing = ladder("name", &points, None, &language).unwrap();
        // The description before the drawing has each point.
        let drawn = drawing.svg.split("</desc>").nth(1).unwrap();
        assert!(drawn.contains("a; b 90.00"), "{drawn}");
        assert_eq!(drawn.matches("90.00").count(), 1, "{drawn}");
        assert_eq!(drawing.description, "");
    }

    /// Titles that fit nowhere: the points have numbers, which the description explains.
    #[test]
    fn points_with_long_titles_are_numbered() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let points: Vec<LadderPoint> =
            (1..=6u64).map(|i| point(&"a long title ".repeat(20), 1000 * i, 0.9 + 0.01 * i as f64)).collect();
        let drawing = ladder("name", &points, None, &language).unwrap();
        let drawn = drawing.svg.split("</desc>").nth(1).unwrap();
        for i in 1..=6 {
            let accuracy = format!("{}.00", 90 + i);
            assert!(drawn.contains(&format!(">\n{i}\n<")), "{drawn}");
            assert!(drawing.description.contains(&format!("{i}: “a long title")), "{}", drawing.description);
            assert!(drawing.description.contains(&accuracy), "{}", drawing.description);
        }
    }

    /// Twelve points of three sizes, many close together: no label covers a point or another label, each that is not beside its
    /// point has a line to it, and those without a title are described.
    #[test]
    fn labels_of_many_close_points_stay_at_their_own() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let points: Vec<LadderPoint> = (0..12u64)
            .map(|i| {
                point(
                    &format!("a network of name {i}"),
                    1000 * (1 + i % 3),
                    0.9 + 0.0007 * (i * i % 7) as f64 + 0.00011 * i as f64,
                )
            })
            .collect();
        let plane = Plane::of(&points, FULL as i32);
        let labels = labels(&points, &plane, &language);
        assert!(labels.len() > 3, "{}", labels.len());
        assert!(labels.iter().any(|label| !label.is_beside()));
        for (i, label) in labels.iter().enumerate() {
            for (j, other) in points.iter().enumerate().filter(|(j, _)| !label.points.contains(j)) {
                assert!(!overlap(label.area(), plane.area(other)), "{} and point {j}", label.words);
                assert!(label.line().iter().all(|l| !overlap(*l, plane.area(other))), "{} and point {j}", label.words);
            }
            assert!(labels[..i].iter().all(|other| !overlap(label.area(), other.area())), "{}", label.words);
            assert_eq!(label.line().is_empty(), label.middle == plane.at(&points[label.points[0]]).1);
        }
        let drawing = ladder("name", &points, None, &language).unwrap();
        for (i, point) in points.iter().enumerate() {
            let is_labelled = labels.iter().any(|label| label.number.is_none() && label.points.contains(&i));
            let is_described = drawing.description.contains(&format!("“{}”", point.title));
            assert_eq!(is_described, !is_labelled, "{}", drawing.description);
        }
    }
}
