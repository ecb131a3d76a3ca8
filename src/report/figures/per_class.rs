//! Accuracy of each class, in MNIST each digit, with its interval, the runs side by side.

use super::axes::{Axis, error_bar, ticks};
use super::labels::Legend;
use super::prelude::*;
use crate::report::document::FigureTable;
use crate::results::SeedResult;
use crate::results::statistics::{Interval, wilson};

const PLOT: i32 = 170;
const LEFT: i32 = 62;
const RIGHT: i32 = 8;
const BOTTOM: i32 = 44;

/// A run's first seed with what it is called and the series that chooses its colour.
#[derive(Clone, Copy)]
pub(crate) struct OneSeed<'a> {
    pub title: &'a str,
    pub seed: &'a SeedResult,
    pub series: usize,
}

/// The figure of some runs' accuracies by class.
pub(crate) fn per_class(name: String, runs: &[OneSeed], lang: &Language) -> Result<Drawing> {
    let titles = runs.iter().map(|run| run.title.to_owned()).collect::<Vec<_>>();
    let caption = lang.say("figures.per_class.caption", context! { titles })?;
    let describe = |OneSeed { title, seed, .. }: &OneSeed| {
        let all = seed.per_class();
        let lowest = all.iter().copied().fold(1.0, f64::min);
        let digits: Vec<String> = (0..all.len()).filter(|c| all[*c] <= lowest).map(|c| lang.class(c)).collect();
        let share = lang.numbers.percent(lowest, 2);
        lang.say("figures.per_class.description", context! { title => *title, digits, share })
    };
    let description = runs.iter().map(describe).collect::<Result<Vec<_>>>()?.join(" ");
    let classes = runs.first().map_or(0, |run| run.seed.confusion.len());
    let lowest = runs.iter().flat_map(|run| (0..classes).map(|c| interval(run.seed, c).lower)).fold(1.0, f64::min);
    // The axis starts at a whole percent below the lowest end, and spans at least two percent.
    let low = ((lowest * 100.0 - 0.3).floor() / 100.0).clamp(0.0, 0.98);
    let legend = Legend::of(runs.iter().map(|run| (run.title, run.series)), FULL as i32 - LEFT);
    let top = legend.height() + 14;
    let axis = Axis { low, high: 1.0, left: LEFT, right: FULL as i32 - RIGHT, top, base: top + PLOT };
    let slot = (axis.right - axis.left) / classes.max(1) as i32;
    let names: Vec<Vec<String>> =
        (0..classes).map(|c| wrapped(&breakable(lang.class(c), slot - 2), LABEL, slot - 2, 2)).collect();
    let more = names.iter().map(|name| name.len() as i32 - 1).max().unwrap_or_default() * LINE;
    let drawing =
        draw(Titles { name, caption, description }, Width::Full, (axis.base + BOTTOM + more) as u32, |root| {
            legend.draw(root, (LEFT, 8))?;
            axis.grid(root, &ticks(low, 1.0, 0.001, 8.0), |tick| {
                lang.numbers.percent(tick, usize::from((tick * 1000.0).round() as i64 % 10 != 0))
            })?;
            for (class, name) in names.iter().enumerate() {
                let middle = axis.slot(class, classes);
                for (i, OneSeed { seed, series, .. }) in runs.iter().enumerate() {
                    let x = middle + beside(i, runs.len());
                    let Interval { lower, upper } = interval(seed, class);
                    error_bar(root, x, (axis.y(upper), axis.y(lower)), series_color(*series))?;
                    mark(root, *series, (x, axis.y(seed.per_class()[class])))?;
                }
                lines(root, name, (middle, axis.base + 14), &label(INK), HPos::Center)?;
            }
            centred(root, &lang.word("figures.digit")?, (axis.middle(), axis.base + 32 + more), &label(MUTED))
        })?;
    Ok(drawing.with_table(table(runs, lang)?))
}

/// How uncertain a class's accuracy is because its test images are limited.
fn interval(seed: &SeedResult, class: usize) -> Interval {
    wilson(seed.confusion[class][class], seed.confusion[class].iter().sum())
}

/// A class's name, which may break after a slash if it is too wide.
fn breakable(name: String, pixels: i32) -> String {
    if width_of(&name, LABEL) > pixels { name.replace('/', "/ ") } else { name }
}

/// How far right of the middle of its slot the i-th of some runs is.
fn beside(i: usize, runs: usize) -> i32 {
    let apart = (52 / runs.max(1) as i32).min(14);
    (2 * i as i32 - (runs as i32 - 1)) * apart / 2
}

fn table(runs: &[OneSeed], lang: &Language) -> Result<FigureTable> {
    let titles = runs.iter().map(|run| run.title.to_owned());
    let columns = std::iter::once(lang.word("figures.digit")?).chain(titles).collect();
    let cell = |class: usize, seed: &SeedResult| {
        let Interval { lower, upper } = interval(seed, class);
        let [accuracy, lower, upper] = [seed.per_class()[class], lower, upper].map(|x| lang.numbers.points(x, 2));
        lang.say("figures.per_class.cell", context! { accuracy, lower, upper })
    };
    let row = |class: usize| {
        let cells = runs.iter().map(|run| cell(class, run.seed));
        std::iter::once(Ok(lang.class(class))).chain(cells).collect::<Result<_>>()
    };
    let classes = runs.first().map_or(0, |run| run.seed.confusion.len());
    Ok(FigureTable { columns, rows: (0..classes).map(row).collect::<Result<_>>()? })
}
