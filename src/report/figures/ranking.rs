//! The runs of a grid, best first: a row for each, with its accuracy and interval.

use super::axes::decimals;
use super::prelude::*;
use super::scale::Scale;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, NoInterval};

/// More rows would not fit a printed page.
const MOST: usize = 30;
const TOP: i32 = 8;
const BOTTOM: i32 = 44;
/// Room for an accuracy at the right end of its row.
const RIGHT: i32 = 66;

/// A run of the ranking.
pub(crate) struct RankedRun<'a> {
    pub title: &'a str,
    pub accuracy: f64,
    /// The accuracy's, or why it has none.
    pub interval: std::result::Result<(Interval, IntervalBasis), NoInterval>,
    pub is_best: bool,
}

impl RankedRun<'_> {
    fn bounds(&self) -> Option<Interval> {
        Some(self.interval.ok()?.0)
    }

    fn ends(&self) -> Interval {
        self.bounds().unwrap_or(Interval { lower: self.accuracy, upper: self.accuracy })
    }
}

/// The figure of the runs, which are sorted. `several` says whether accuracies are means over seeds.
pub(crate) fn ranking(name: &str, runs: &[RankedRun], several: bool, lang: &Language) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| drawn(name, runs, several, sheet, lang)).map(Drawing::without_description)
}

fn drawn(name: &str, runs: &[RankedRun], several: bool, sheet: Sheet, lang: &Language) -> Result<Drawing> {
    let shown = &runs[..runs.len().min(MOST)];
    let is_over = |over: IntervalBasis| shown.iter().any(|run| run.interval.is_ok_and(|(_, other)| other == over));
    let values = context! {
        n => runs.len(),
        shown => shown.len(),
        several,
        over_seeds => is_over(IntervalBasis::Seeds),
        over_images => is_over(IntervalBasis::Images),
    };
    let caption = lang.say("figures.ranking.caption", values)?;
    let describe = |run: &RankedRun| {
        let accuracy = lang.numbers.percent(run.accuracy, 2);
        lang.say("figures.ranking.description", context! { title => run.title, accuracy })
    };
    let description = shown.iter().map(describe).collect::<Result<Vec<_>>>()?.join(" ");
    let (widest, most_lines) = if sheet.has_columns() { (300, 1) } else { (130, 2) };
    let titles: Vec<Vec<String>> = shown.iter().map(|run| wrapped(run.title, LABEL, widest, most_lines)).collect();
    let row = titles.iter().map(Vec::len).max().unwrap_or(1) as i32 * LINE + 4;
    let left = titles.iter().flatten().map(|line| width_of(line, LABEL)).max().unwrap_or_default() + 12;
    let base = TOP + row * shown.len() as i32;
    let lowest = shown.iter().map(|run| run.ends().lower).fold(1.0, f64::min);
    let highest = shown.iter().map(|run| run.ends().upper).fold(0.0, f64::max);
    let room = ((highest - lowest) * 0.05).max(0.001);
    let ends = ((lowest - room).max(0.0), (highest + room).min(1.0));
    let axis = Scale::linear(ends, (left, sheet.pixels() - RIGHT));
    let heads = Titles { name: name.to_owned(), caption, description };
    draw(heads, sheet, (base + BOTTOM) as u32, |root| {
        let ticks = axis.ticks(if sheet.has_columns() { 6 } else { 2 });
        for tick in &ticks {
            let x = axis.at(*tick);
            line(root, &[(x, TOP), (x, base)], GRID)?;
            centred(root, &lang.numbers.percent(*tick, decimals(&ticks)), (x, base + 14), &label(MUTED))?;
        }
        let below = (i32::midpoint(axis.from, axis.to), base + 32);
        centred(root, &lang.word("figures.test_accuracy")?, below, &label(MUTED))?;
        for (i, (run, title)) in shown.iter().zip(&titles).enumerate() {
            let middle = TOP + row * i as i32 + row / 2;
            let color = if run.is_best { BLUE } else { INK };
            let first_line = middle - (title.len() as i32 - 1) * LINE / 2;
            lines(root, title, (0, first_line), &label(color), HPos::Left)?;
            if let Some(Interval { lower, upper }) = run.bounds() {
                horizontal_bar(root, (axis.at(lower), axis.at(upper)), middle, color)?;
            }
            let at = (axis.at(run.accuracy), middle);
            root.draw(&Circle::new(at, 4, if run.is_best { color } else { PAPER }.filled()))?;
            root.draw(&Circle::new(at, 4, color.stroke_width(2)))?;
            let accuracy = lang.numbers.percent(run.accuracy, 2);
            text(root, &accuracy, (sheet.pixels() - 2, middle), &label(color), HPos::Right, VPos::Center)?;
        }
        Ok(())
    })
}

/// A line between two pixels of a row, with a short line at each end.
fn horizontal_bar(root: &Canvas, (left, right): (i32, i32), y: i32, color: RGBColor) -> Result<()> {
    line(root, &[(left, y), (right, y)], color)?;
    line(root, &[(left, y - 4), (left, y + 4)], color)?;
    line(root, &[(right, y - 4), (right, y + 4)], color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Templates;
    use crate::text::Lang;

    #[test]
    fn each_run_has_a_row_up_to_a_limit() {
        let language = Templates::built_in().language(Lang::En).unwrap();
        let runs = |n: usize| {
            let run = |i| RankedRun {
                title: "A network",
                accuracy: 0.98 - 0.001 * f64::from(i),
                interval: Ok((Interval { lower: 0.9, upper: 0.99 }, IntervalBasis::Images)),
                is_best: i == 0,
            };
            ranking("name", &(0..n as u32).map(run).collect::<Vec<_>>(), false, &language).unwrap()
        };
        let rows = |drawing: &Drawing| drawing.svg.matches("A network\n</text>").count();
        let (few, many) = (runs(5), runs(40));
        assert_eq!((rows(&few), rows(&many)), (5, MOST));
        assert!(!few.caption.contains("best 30") && many.caption.contains("best 30"), "{}", many.caption);
        assert!(few.caption.contains("95 % intervals over test images"), "{}", few.caption);
    }
}
