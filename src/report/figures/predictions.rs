//! How many test images a network predicts as each digit: bars, with the true counts marked.

use super::per_class::OneSeed;
use super::prelude::*;
use crate::results::SeedResult;

const PANEL_HEIGHT: u32 = 232;
const TOP: i32 = 46;
const BOTTOM: i32 = 42;
const SIDE: i32 = 14;

/// The figure of some runs' predictions.
pub(crate) fn predictions(name: &str, runs: &[OneSeed], lang: &Language) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| drawn(name, runs, sheet, lang))
}

fn drawn(name: &str, runs: &[OneSeed], sheet: Sheet, lang: &Language) -> Result<Drawing> {
    let width = sheet.pixels();
    let caption = lang.word("figures.predictions.caption")?;
    let describe = |OneSeed { title, seed, .. }: &OneSeed| {
        let predicted = seed.predicted();
        let most = (0..predicted.len()).fold(0, |best, c| if predicted[c] > predicted[best] { c } else { best });
        let [n, all] = [predicted[most], predicted.iter().sum()].map(|n| lang.numbers.count(n as u64));
        lang.say("figures.predictions.description", context! { title => *title, digit => lang.class(most), n, all })
    };
    let description = runs.iter().map(describe).collect::<Result<Vec<_>>>()?.join(" ");
    let (rows, columns) = grid(runs.len(), if sheet.has_columns() { 2 } else { 1 });
    let most = runs.iter().flat_map(|run| run.seed.predicted()).max().unwrap_or(1).max(1);
    let axis = lang.word("figures.predicted_digit")?;
    let names = in_rows(&lang.numbered_classes(), width);
    let panel_width = width / columns as i32;
    let title_of = |run: &OneSeed| wrapped(run.title, TITLE, panel_width - 2 * SIDE, 2);
    let title_lines = runs.iter().map(|run| title_of(run).len()).max().unwrap_or(1).max(1);
    let height = PANEL_HEIGHT + (title_lines as u32 - 1) * LINE as u32;
    let (panels, key) = (height * rows as u32, names.len() as u32 * LINE as u32);
    draw(Titles { name: name.to_owned(), caption, description }, sheet, panels + key, |root| {
        lines(root, &names, (width / 2, panels as i32 + LINE / 2), &label(MUTED), HPos::Center)?;
        let (root, _) = root.split_vertically(panels);
        for (area, run) in root.split_evenly((rows, columns)).iter().zip(runs) {
            let (width, height) = area.dim_in_pixel();
            let (width, base) = (width as i32, height as i32 - BOTTOM);
            lines(area, &title_of(run), (SIDE, 10), &title(), HPos::Left)?;
            centred(area, &axis, (width / 2, base + 32), &label(MUTED))?;
            panel(area, run.seed, most, (TOP + (title_lines as i32 - 1) * LINE, base))?;
        }
        Ok(())
    })
}

fn panel(area: &Canvas, seed: &SeedResult, most: usize, (highest, base): (i32, i32)) -> Result<()> {
    let slot = (area.dim_in_pixel().0 as i32 - 2 * SIDE) / seed.confusion.len().max(1) as i32;
    let is_tight = seed.predicted().iter().any(|n| width_of(&n.to_string(), LABEL) + 6 > slot);
    let height = |n: usize| (n as f64 / most as f64 * f64::from(base - highest)).round() as i32;
    for (class, predicted) in seed.predicted().into_iter().enumerate() {
        let left = SIDE + class as i32 * slot;
        let (centre, top) = (left + slot / 2, base - height(predicted));
        area.draw(&Rectangle::new([(left + 3, top), (left + slot - 3, base)], BLUE.filled()))?;
        let true_count = base - height(seed.confusion[class].iter().sum());
        line(area, &[(left, true_count), (left + slot, true_count)], ORANGE.stroke_width(2))?;
        // Where counts would touch, every second one is higher.
        let raised = if is_tight && class % 2 == 1 { LINE - 3 } else { 0 };
        let above = top.min(true_count) - 4 - raised;
        text(area, &predicted.to_string(), (centre, above), &label(INK), HPos::Center, VPos::Bottom)?;
        centred(area, &class.to_string(), (centre, base + 14), &label(INK))?;
    }
    line(area, &[(SIDE, base), (SIDE + slot * seed.confusion.len() as i32, base)], MUTED)
}
