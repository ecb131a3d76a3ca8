//! Two runs compared after each epoch: their accuracies in pairs, and beside them the difference with its interval.

use super::axes::{VerticalAxis, decimals, error_bar, ticks};
use super::labels::Legend;
use super::prelude::*;
use crate::results::NoInterval;
use crate::results::statistics::{Difference, Interval};

const PLOT: i32 = 130;
const BOTTOM: i32 = 44;
const LEFT: i32 = 62;
const GAP: i32 = (FULL - 2 * HALF) as i32;

/// What one row shows: a comparison's title and runs, its epochs as `results::by_epoch` gives them, and its margin.
pub(crate) struct Gain<'a> {
    pub title: &'a str,
    /// The run and the one that it is compared with: their titles and series.
    pub runs: [(String, usize); 2],
    /// Both accuracies after each epoch.
    pub accuracies: Vec<[f64; 2]>,
    pub epochs: Vec<(usize, f64, Option<Difference>)>,
    pub margin: Option<f64>,
    /// The seeds of the run that has fewer.
    pub seeds: usize,
    /// Whether the last epoch's interval is over test images, of networks of one seed.
    pub over_images: bool,
    /// Why no epoch has an interval.
    pub no_interval: Option<NoInterval>,
}

impl Gain<'_> {
    fn ends(&self) -> impl Iterator<Item = f64> {
        self.epochs.iter().flat_map(|(_, mean, d)| {
            let Interval { lower, upper } = d.map_or(Interval { lower: *mean, upper: *mean }, |d| d.interval);
            [lower, upper]
        })
    }

    fn legend(&self, sheet: Sheet) -> Legend {
        Legend::of(self.runs.iter().map(|(title, series)| (title.as_str(), *series)), sheet.pixels())
    }

    fn title(&self, sheet: Sheet) -> Vec<String> {
        wrapped(self.title, TITLE, sheet.pixels(), if sheet.has_columns() { 1 } else { 3 })
    }

    /// Where its plots begin, below its title and the legend.
    fn plot(&self, sheet: Sheet) -> i32 {
        self.title(sheet).len() as i32 * LINE + 12 + self.legend(sheet).height()
    }

    fn height(&self, sheet: Sheet) -> i32 {
        let rows = if sheet.has_columns() { 1 } else { 2 };
        self.plot(sheet) + rows * (PLOT + BOTTOM)
    }
}

/// The figure of some comparisons.
pub(crate) fn gain(name: &str, gains: &[Gain], lang: &Language) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| drawn(name, gains, sheet, lang))
}

fn drawn(name: &str, gains: &[Gain], sheet: Sheet, lang: &Language) -> Result<Drawing> {
    let titles = gains.iter().map(|g| g.title.to_owned()).collect::<Vec<_>>();
    let values = context! {
        titles,
        means => gains.iter().any(|g| g.seeds > 1),
        over_seeds => gains.iter().any(|g| !g.over_images && g.epochs.iter().any(|e| e.2.is_some())),
        over_images => gains.iter().any(|g| g.over_images),
    };
    let caption = lang.say("figures.gain.caption", values)?;
    let without = without_interval(gains.iter().map(|g| (g.title, g.no_interval)), lang)?;
    let described = gains.iter().map(|g| describe(g, lang)).chain(without.into_iter().map(Ok));
    let description = described.collect::<Result<Vec<_>>>()?.join(" ");
    let margins = gains.iter().filter_map(|g| Some(-g.margin?));
    let (low, high) = range(gains.iter().flat_map(Gain::ends).chain(margins).chain([0.0]));
    let height = gains.iter().map(|gain| gain.height(sheet)).sum::<i32>() + (gains.len() as i32 - 1) * GAP;
    let titles = Titles { name: name.to_owned(), caption, description };
    draw(titles, sheet, height.max(1) as u32, |root| {
        let width = sheet.pixels();
        let mut top = 0;
        for gain in gains {
            lines(root, &gain.title(sheet), (0, top + 9), &title(), HPos::Left)?;
            let plot = top + gain.plot(sheet);
            let legend = gain.legend(sheet);
            legend.draw(root, (0, plot - legend.height()))?;
            accuracies(root, gain, plot, width.min(HALF as i32), lang)?;
            let (left, plot) =
                if sheet.has_columns() { (HALF as i32 + GAP + LEFT, plot) } else { (LEFT, plot + PLOT + BOTTOM) };
            let axis = VerticalAxis { low, high, left, right: width - 6, top: plot + 22, base: plot + PLOT };
            differences(root, gain, &axis, lang)?;
            top += gain.height(sheet) + GAP;
        }
        Ok(())
    })
}

/// The ends of some shares with a little room.
fn range(shares: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = shares.fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
    let room = ((high - low) * 0.08).max(0.0005);
    (low - room, high + room)
}

fn describe(gain: &Gain, lang: &Language) -> Result<String> {
    let at = |(epoch, mean, d): &(usize, f64, Option<Difference>)| {
        let form = |x: f64| lang.numbers.points(x, 2);
        let points = form(*mean);
        match d {
            Some(Difference { interval, .. }) => {
                let (lower, upper) = (form(interval.lower), form(interval.upper));
                lang.say("figures.gain.at_interval", context! { points, epoch, lower, upper })
            }
            None => lang.say("figures.gain.at", context! { points, epoch }),
        }
    };
    let title = gain.title;
    match &gain.epochs[..] {
        [] => lang.say("figures.gain.none", context! { title }),
        [only] => lang.say("figures.gain.one", context! { title, first => at(only)? }),
        [first, .., last] => {
            lang.say("figures.gain.several", context! { title, first => at(first)?, last => at(last)? })
        }
    }
}

/// Both runs' accuracies after each epoch, joined in pairs, below the pixel `plot`.
fn accuracies(root: &Canvas, gain: &Gain, plot: i32, right: i32, lang: &Language) -> Result<()> {
    let (low, high) = range(gain.accuracies.iter().flatten().copied());
    let (low, high) = (low.max(0.0), high.min(1.0).max(low + 0.001));
    let axis = VerticalAxis { low, high, left: LEFT, right, top: plot + 22, base: plot + PLOT };
    text(root, &lang.word("figures.test_accuracy")?, (0, plot + 2), &label(MUTED), HPos::Left, VPos::Center)?;
    let all = ticks(low, high, 0.0005, 6.0);
    axis.grid(root, &all, |tick| lang.numbers.percent(tick, decimals(&all)))?;
    let slots = gain.accuracies.len();
    let place = |i: usize| axis.slot(i, slots);
    for (i, pair) in gain.accuracies.iter().enumerate() {
        let [y, other] = pair.map(|accuracy| axis.y(accuracy));
        line(root, &[(place(i), y), (place(i), other)], GRID.stroke_width(4))?;
    }
    for (run, (_, series)) in gain.runs.iter().enumerate() {
        let points: Vec<(i32, i32)> =
            gain.accuracies.iter().enumerate().map(|(i, pair)| (place(i), axis.y(pair[run]))).collect();
        line(root, &points, series_color(*series))?;
        points.into_iter().try_for_each(|at| mark(root, *series, at))?;
    }
    epochs(root, gain, &axis, lang)
}

/// The difference after each epoch, with its interval.
fn differences(root: &Canvas, gain: &Gain, axis: &VerticalAxis, lang: &Language) -> Result<()> {
    let words = lang.word("figures.gain.difference")?;
    text(root, &words, (axis.left - LEFT, axis.top - 12), &label(MUTED), HPos::Left, VPos::Center)?;
    let all = ticks(axis.low, axis.high, 0.0005, 6.0);
    axis.grid(root, &all, |tick| lang.numbers.points(tick, decimals(&all)))?;
    if let Some(margin) = gain.margin {
        let y = axis.y(-margin);
        root.draw(&DashedPathElement::new([(axis.left, y), (axis.right, y)], 5, 4, ORANGE.stroke_width(1)))?;
        let margin = lang.word("figures.margin")?;
        text(root, &margin, (axis.right, y - 2), &label(ORANGE), HPos::Right, VPos::Bottom)?;
    }
    let slots = gain.epochs.len();
    let means: Vec<(i32, i32)> =
        gain.epochs.iter().enumerate().map(|(i, e)| (axis.slot(i, slots), axis.y(e.1))).collect();
    line(root, &means, INK.stroke_width(2))?;
    for ((_, _, difference), at) in gain.epochs.iter().zip(means) {
        if let Some(Difference { interval, .. }) = difference {
            error_bar(root, at.0, (axis.y(interval.upper), axis.y(interval.lower)), INK)?;
        }
        root.draw(&Circle::new(at, 4, INK.filled()))?;
    }
    epochs(root, gain, axis, lang)
}

/// The epochs below a plot: at most eight labels.
fn epochs(root: &Canvas, gain: &Gain, axis: &VerticalAxis, lang: &Language) -> Result<()> {
    let slots = gain.epochs.len();
    for (i, (epoch, ..)) in gain.epochs.iter().enumerate().step_by(slots.div_ceil(8).max(1)) {
        centred(root, &epoch.to_string(), (axis.slot(i, slots), axis.base + 14), &label(MUTED))?;
    }
    centred(root, &lang.word("figures.epoch")?, (axis.middle(), axis.base + 32), &label(MUTED))
}
