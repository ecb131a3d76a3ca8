//! Accuracy of each class, in MNIST each digit, with its interval, the runs side by side.

use super::axes::{VerticalAxis, error_bar, ticks};
use super::labels::Legend;
use super::prelude::*;
use crate::report::document::FigureTable;
use crate::results::SeedResult;
use crate::results::statistics::{Interval, wilson};

const PLOT: i32 = 140;
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
pub(crate) fn per_class(name: &str, runs: &[OneSeed], lang: &Language) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| drawn(name, runs, sheet, lang))
}

fn drawn(name: &str, runs: &[OneSeed], sheet: Sheet, lang: &Language) -> Result<Drawing> {
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
    let classes: Vec<usize> = (0..runs.first().map_or(0, |run| run.seed.confusion.len())).collect();
    let lowest = runs.iter().flat_map(|run| classes.iter().map(|c| interval(run.seed, *c).lower)).fold(1.0, f64::min);
    // The axis starts at a whole percent below the lowest end, and spans at least two percent.
    let low = ((lowest * 100.0 - 0.3).floor() / 100.0).clamp(0.0, 0.98);
    let (left, right) = (LEFT, sheet.pixels() - RIGHT);
    let legend_left = if sheet.has_columns() { left } else { 0 };
    let legend = Legend::of(runs.iter().map(|run| (run.title, run.series)), sheet.pixels() - legend_left);
    // On a narrow sheet, the second half of the classes is below the first.
    let slots = if sheet.has_columns() { classes.len() } else { classes.len().div_ceil(2) }.max(1);
    let slot = (right - left) / slots as i32;
    let named = |class: usize| wrapped(&breakable(lang.class(class), slot - 2), LABEL, slot - 2, 2);
    let more = classes.iter().map(|class| named(*class).len() as i32 - 1).max().unwrap_or_default() * LINE;
    let top = legend.height() + 14;
    let row = PLOT + BOTTOM + more;
    let rows = classes.len().div_ceil(slots) as i32;
    let titles = Titles { name: name.to_owned(), caption, description };
    let drawing = draw(titles, sheet, (top + rows * row) as u32, |root| {
        legend.draw(root, (legend_left, 8))?;
        for (i, classes) in classes.chunks(slots).enumerate() {
            let top = top + i as i32 * row;
            let axis = VerticalAxis { low, high: 1.0, left, right, top, base: top + PLOT };
            axis.grid(root, &ticks(low, 1.0, 0.001, 8.0), |tick| {
                lang.numbers.percent(tick, usize::from((tick * 1000.0).round() as i64 % 10 != 0))
            })?;
            for (i, class) in classes.iter().enumerate() {
                let middle = axis.slot(i, slots);
                for (i, OneSeed { seed, series, .. }) in runs.iter().enumerate() {
                    let x = middle + beside(i, runs.len());
                    let Interval { lower, upper } = interval(seed, *class);
                    error_bar(root, x, (axis.y(upper), axis.y(lower)), series_color(*series))?;
                    mark(root, *series, (x, axis.y(seed.per_class()[*class])))?;
                }
                lines(root, &named(*class), (middle, axis.base + 14), &label(INK), HPos::Center)?;
            }
            centred(root, &lang.word("figures.digit")?, (axis.middle(), axis.base + 32 + more), &label(MUTED))?;
        }
        Ok(())
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
