//! How a network's parameters are distributed: a bar for each layer, a panel for each model, on a common scale.

use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Drawing, INK, MUTED, Result, SIZE, Titles, WIDTH, draw, font, text};
use crate::report::Language;
use crate::results::{LayerFacts, ModelFacts};

const ROW: i32 = 24;
const HEAD: i32 = 30;
const GAP: i32 = 14;
const LEFT: i32 = 110;
/// Room for the widest label right of the longest bar.
const LABEL: i32 = 170;

/// A bar's layer name, its share of the longest bar, and its label.
type Bar<'a> = (&'a str, f64, String);

/// The figure of some models' parameters: (title, facts).
pub(crate) fn parameters(name: String, models: &[(&str, &ModelFacts)], lang: &Language) -> Result<Drawing> {
    let most = models.iter().flat_map(|(_, m)| m.layers.iter().map(|l| l.parameters)).max().unwrap_or(1).max(1);
    let share = |n: u64, m: &ModelFacts| lang.numbers.percent(n as f64 / m.parameters as f64, 1);
    let caption = lang.word("figures.parameters.caption")?;
    let mut descriptions = Vec::new();
    let mut panels = Vec::new();
    for (title, m) in models {
        if let Some(largest) = weighted(m).max_by_key(|l| l.parameters) {
            let (share, layer) = (share(largest.parameters, m), largest.name.as_str());
            let values = context! { title => *title, n => m.parameters, share, layer };
            descriptions.push(lang.say("figures.parameters.description", values)?);
        }
        let bar = |l: &'_ LayerFacts| {
            let values = context! { n => l.parameters, share => share(l.parameters, m) };
            lang.say("figures.parameters.bar", values)
        };
        let bars = weighted(m).map(|l| Ok((l.name.as_str(), l.parameters as f64 / most as f64, bar(l)?)));
        let head = lang.say("figures.parameters.head", context! { title => *title, n => m.parameters })?;
        panels.push((head, bars.collect::<Result<Vec<Bar>>>()?));
    }
    let height: i32 = panels.iter().map(|(_, bars)| HEAD + bars.len() as i32 * ROW + GAP).sum();
    draw(Titles { name, caption, description: descriptions.join(" ") }, height as u32, |root| {
        let mut top = 0;
        for (head, bars) in &panels {
            text(root, head, (8, top + HEAD / 2), &font(SIZE + 1.0, INK), HPos::Left, VPos::Center)?;
            top += HEAD;
            for (layer, length, label) in bars {
                let middle = top + ROW / 2;
                let end = LEFT + ((length * f64::from(WIDTH as i32 - LEFT - LABEL)).round() as i32).max(1);
                text(root, layer, (LEFT - 8, middle), &font(SIZE, INK), HPos::Right, VPos::Center)?;
                root.draw(&Rectangle::new([(LEFT, top + 4), (end, top + ROW - 4)], BLUE.filled()))?;
                text(root, label, (end + 6, middle), &font(SIZE - 1.0, MUTED), HPos::Left, VPos::Center)?;
                top += ROW;
            }
            top += GAP;
        }
        Ok(())
    })
}

fn weighted(m: &ModelFacts) -> impl Iterator<Item = &LayerFacts> {
    m.layers.iter().filter(|l| l.parameters > 0)
}
