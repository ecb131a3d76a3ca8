//! How a network's parameters are distributed: a bar for each layer, a panel for each model, on a common scale.

use super::prelude::*;
use crate::results::{LayerFacts, ModelFacts};

const ROW: i32 = 20;
const GAP: i32 = 14;
/// Between two panels beside each other.
const BETWEEN: i32 = (FULL - 2 * HALF) as i32;
/// The most room for the names of layers.
const LEFT: i32 = 88;
/// Room for the widest label right of the longest bar.
const AFTER: i32 = 134;
/// The width of a panel where three share a row, and the least length of its longest bar.
const THIRD: i32 = (FULL as i32 - 2 * BETWEEN) / 3;
const SHORTEST: i32 = 50;

/// A model's bars below its title.
struct Panel<'a> {
    title: Vec<String>,
    model: &'a ModelFacts,
    width: i32,
    /// The room for the names of layers.
    left: i32,
}

impl<'a> Panel<'a> {
    fn of(title: &str, model: &'a ModelFacts, (width, left): (i32, i32), lang: &Language) -> Result<Self> {
        let head = lang.say("figures.parameters.head", context! { title, n => model.parameters })?;
        // Bold letters are wider than others, which shows where lines are short.
        let (room, lines) = if width == THIRD { (width - width / 8, 4) } else { (width, 2) };
        let title = wrapped(&head, TITLE, room, lines);
        Ok(Self { title, model, width, left })
    }

    /// Whether it shows its whole title and a bar that is long enough.
    fn fits(&self) -> bool {
        self.width - self.left - AFTER >= SHORTEST && self.title.iter().all(|line| !line.ends_with('…'))
    }

    fn height(&self) -> i32 {
        self.title.len() as i32 * LINE + 10 + weighted(self.model).count() as i32 * ROW
    }

    /// Draws it; `most` is the number of parameters that the longest bar has.
    fn draw(&self, root: &Canvas, (left, top): (i32, i32), most: u64, lang: &Language) -> Result<()> {
        for (i, words) in self.title.iter().enumerate() {
            text(root, words, (left, top + 9 + i as i32 * LINE), &title(), HPos::Left, VPos::Center)?;
        }
        let base = left + self.left;
        for (i, layer) in weighted(self.model).enumerate() {
            let row = top + self.title.len() as i32 * LINE + 8 + i as i32 * ROW;
            let middle = row + ROW / 2;
            let length = layer.parameters as f64 / most as f64 * f64::from(self.width - self.left - AFTER);
            let end = base + (length.round() as i32).max(1);
            let values = context! { n => layer.parameters, share => share(layer, self.model, lang) };
            let bar = lang.say("figures.parameters.bar", values)?;
            let named = wrapped(&layer.name, LABEL, self.left - 10, 1).concat();
            text(root, &named, (base - 8, middle), &label(INK), HPos::Right, VPos::Center)?;
            root.draw(&Rectangle::new([(base, row + 3), (end, row + ROW - 3)], BLUE.filled()))?;
            text(root, &bar, (end + 6, middle), &label(MUTED), HPos::Left, VPos::Center)?;
        }
        Ok(())
    }
}

/// The figure of some models' parameters: (title, facts). Two models share a row, three where they fit. `None` if there is
/// nothing to compare, because all models together have one layer with parameters or none.
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
    let names = models.iter().flat_map(|(_, m)| weighted(m)).map(|layer| width_of(&layer.name, LABEL));
    let left = (names.max().unwrap_or_default() + 10).min(LEFT);
    let panels_of = |width: i32| -> Result<Vec<Panel>> {
        models.iter().map(|(title, m)| Panel::of(title, m, (width, left), lang)).collect()
    };
    let thirds = if sheet.has_columns() && models.len() == 3 { panels_of(THIRD)? } else { Vec::new() };
    let (columns, width) = match models.len() {
        3 if sheet.has_columns() && thirds.iter().all(Panel::fits) => (3, THIRD),
        2.. if sheet.has_columns() => (2, HALF as i32),
        _ => (1, sheet.pixels()),
    };
    let panels = if columns == 3 { thirds } else { panels_of(width)? };
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

/// A layer's share of the parameters. One that is not zero is not printed as zero.
fn share(layer: &LayerFacts, model: &ModelFacts, lang: &Language) -> String {
    const LEAST: f64 = 0.001;
    let share = layer.parameters as f64 / model.parameters as f64;
    if share < LEAST / 2.0 { format!("<{}", lang.numbers.percent(LEAST, 1)) } else { lang.numbers.percent(share, 1) }
}

/// The layers that have parameters.
fn weighted(m: &ModelFacts) -> impl Iterator<Item = &LayerFacts> {
    m.layers.iter().filter(|l| l.parameters > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Templates;
    use crate::text::Lang;

    /// Three networks with short names of layers are side by side, whatever the language.
    #[test]
    fn three_models_share_a_row() {
        let layer = |name: &str, parameters| LayerFacts {
            name: name.to_owned(),
            kind: "linear".to_owned(),
            parameters,
            buffers: 0,
            formula: String::new(),
            window: None,
            inner_layers: None,
            mult_adds: 0,
            input_shape: vec![1, 2],
            output_shape: vec![1, 2],
        };
        let height = |lang, name: &str, n: usize| {
            let layers = vec![layer(name, 10_000_000), layer("fc2", 64)];
            let megabytes = crate::model::Megabytes { input: 0.0, forward_backward: 0.0, params: 0.0, total: 0.0 };
            let sizes = crate::model::Sizes { torchsummary: megabytes, torchinfo: megabytes };
            let model = ModelFacts { parameters: 10_000_064, buffers: 0, mult_adds: 0, sizes, batch: 1, layers };
            let models: Vec<(&str, &ModelFacts)> = (0..n).map(|_| ("A network", &model)).collect();
            let language = Templates::built_in().language(lang).unwrap();
            let svg = parameters("name", &models, &language).unwrap().unwrap().svg;
            assert!(svg.contains("0.1 %)") || svg.contains("0,1 %)"), "a share that is not zero: {svg}");
            svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse::<i32>().unwrap()
        };
        for lang in Lang::ALL {
            // A title may need one more line in a narrower panel.
            assert!((0..=2 * LINE).contains(&(height(lang, "fc1", 3) - height(lang, "fc1", 2))));
            assert!(height(lang, "a_layer_of_a_long_name", 3) > height(lang, "a_layer_of_a_long_name", 2) + 2 * ROW);
        }
    }
}
