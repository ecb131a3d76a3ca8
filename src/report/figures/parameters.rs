//! How a network's parameters are distributed: a bar for each layer, a panel for each model, on a common scale.

use super::prelude::*;
use crate::results::{LayerFacts, ModelFacts};

const ROW: i32 = 20;
const GAP: i32 = 14;
/// Between two panels beside each other.
const BETWEEN: i32 = (FULL - 2 * HALF) as i32;
const LEFT: i32 = 88;
/// Room for the widest label right of the longest bar.
const AFTER: i32 = 134;

/// A model's bars below its title.
struct Panel<'a> {
    title: Vec<String>,
    model: &'a ModelFacts,
    width: i32,
}

impl<'a> Panel<'a> {
    fn of(title: &str, model: &'a ModelFacts, width: i32, lang: &Language) -> Result<Self> {
        let head = lang.say("figures.parameters.head", context! { title, n => model.parameters })?;
        Ok(Self { title: wrapped(&head, TITLE, width, 2), model, width })
    }

    fn height(&self) -> i32 {
        self.title.len() as i32 * LINE + 10 + weighted(self.model).count() as i32 * ROW
    }

    /// Draws it; `most` is the number of parameters that the longest bar has.
    fn draw(&self, root: &Canvas, (left, top): (i32, i32), most: u64, lang: &Language) -> Result<()> {
        for (i, words) in self.title.iter().enumerate() {
            text(root, words, (left, top + 9 + i as i32 * LINE), &title(), HPos::Left, VPos::Center)?;
        }
        let base = left + LEFT;
        for (i, layer) in weighted(self.model).enumerate() {
            let row = top + self.title.len() as i32 * LINE + 8 + i as i32 * ROW;
            let middle = row + ROW / 2;
            let length = layer.parameters as f64 / most as f64 * f64::from(self.width - LEFT - AFTER);
            let end = base + (length.round() as i32).max(1);
            let values = context! { n => layer.parameters, share => share(layer, self.model, lang) };
            let bar = lang.say("figures.parameters.bar", values)?;
            let named = wrapped(&layer.name, LABEL, LEFT - 10, 1).concat();
            text(root, &named, (base - 8, middle), &label(INK), HPos::Right, VPos::Center)?;
            root.draw(&Rectangle::new([(base, row + 3), (end, row + ROW - 3)], BLUE.filled()))?;
            text(root, &bar, (end + 6, middle), &label(MUTED), HPos::Left, VPos::Center)?;
        }
        Ok(())
    }
}

/// The figure of some models' parameters: (title, facts). Two models share a row. `None` if there is nothing to compare,
/// because all models together have one layer with parameters or none.
pub(crate) fn parameters(name: &str, models: &[(&str, &ModelFacts)], lang: &Language) -> Result<Option<Drawing>> {
    if models.iter().flat_map(|(_, m)| weighted(m)).count() < 2 {
        return Ok(None);
    }
    on_both_sheets(Width::Full, |sheet| drawn(name, models, sheet, lang)).map(Some)
}

fn drawn(name: &str, models: &[(&str, &ModelFacts)], sheet: Sheet, lang: &Language) -> Result<Drawing> {
    let most = models.iter().flat_map(|(_, m)| m.layers.iter().map(|l| l.parameters)).max().unwrap_or(1).max(1);
    let caption = lang.word("figures.parameters.caption")?;
    let mut descriptions = Vec::new();
    for (title, m) in models {
        if let Some(largest) = weighted(m).max_by_key(|l| l.parameters) {
            let layer = largest.name.as_str();
            let values = context! { title => *title, n => m.parameters, share => share(largest, m, lang), layer };
            descriptions.push(lang.say("figures.parameters.description", values)?);
        }
    }
    let columns = if sheet.has_columns() { models.len().clamp(1, 2) } else { 1 };
    let width = if columns > 1 { HALF as i32 } else { sheet.pixels() };
    let panels = models.iter().map(|(title, m)| Panel::of(title, m, width, lang)).collect::<Result<Vec<_>>>()?;
    let row_height = |row: &[Panel]| row.iter().map(Panel::height).max().unwrap_or(0);
    let rows = || panels.chunks(columns);
    let height = rows().map(row_height).sum::<i32>() + (rows().count() as i32 - 1) * GAP;
    let titles = Titles { name: name.to_owned(), caption, description: descriptions.join(" ") };
    let drawing = draw(titles, sheet, height.max(1) as u32, |root| {
        let mut top = 0;
        for row in rows() {
            for (i, panel) in row.iter().enumerate() {
                panel.draw(root, (i as i32 * (width + BETWEEN), top), most, lang)?;
            }
            top += row_height(row) + GAP;
        }
        Ok(())
    });
    drawing.map(Drawing::without_description)
}

fn share(layer: &LayerFacts, model: &ModelFacts, lang: &Language) -> String {
    lang.numbers.percent(layer.parameters as f64 / model.parameters as f64, 1)
}

/// The layers that have parameters.
fn weighted(m: &ModelFacts) -> impl Iterator<Item = &LayerFacts> {
    m.layers.iter().filter(|l| l.parameters > 0)
}
