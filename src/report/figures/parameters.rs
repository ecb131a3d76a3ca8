//! Where a network's parameters sit: a bar a layer, a panel a model, on a common scale.

use anyhow::Result;
use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Figure, INK, MUTED, SIZE, WIDTH, draw, failed, font, text};
use crate::report::Language;
use crate::results::{LayerFacts, ModelFacts};

const ROW: i32 = 24;
const HEAD: i32 = 30;
const GAP: i32 = 14;
const LEFT: i32 = 110;
/// Room for the widest label right of the longest bar.
const LABEL: i32 = 170;

/// The figure of some models' parameters: (title, facts).
pub fn parameters(name: String, models: &[(&str, &ModelFacts)], lang: &Language) -> Result<Figure> {
    let rows = |m: &ModelFacts| weighted(m).count() as i32;
    let height: i32 = models.iter().map(|(_, m)| HEAD + rows(m) * ROW + GAP).sum();
    let most = models.iter().flat_map(|(_, m)| m.layers.iter().map(|l| l.parameters)).max().unwrap_or(1).max(1);
    let caption = lang.word("figures.parameters.caption")?;
    let share = |n: u64, m: &ModelFacts| lang.numbers.percent(n as f64 / m.parameters as f64, 1);
    let description = models
        .iter()
        .filter_map(|(title, m)| {
            let largest = weighted(m).max_by_key(|l| l.parameters)?;
            let share = share(largest.parameters, m);
            let values = context! { title => *title, n => m.parameters, share, layer => largest.name.as_str() };
            Some(lang.say("figures.parameters.description", values))
        })
        .collect::<Result<Vec<_>>>()?
        .join(" ");
    draw(name, caption, description, height as u32, |root| {
        let mut top = 0;
        for (title, m) in models {
            let head = lang.say("figures.parameters.head", context! { title => *title, n => m.parameters })?;
            text(root, &head, (8, top + HEAD / 2), &font(SIZE + 1.0, INK), HPos::Left, VPos::Center)?;
            top += HEAD;
            for layer in weighted(m) {
                let middle = top + ROW / 2;
                let length = layer.parameters as f64 / most as f64 * f64::from(WIDTH as i32 - LEFT - LABEL);
                let end = LEFT + (length.round() as i32).max(1);
                text(root, &layer.name, (LEFT - 8, middle), &font(SIZE, INK), HPos::Right, VPos::Center)?;
                let bar = [(LEFT, top + 4), (end, top + ROW - 4)];
                root.draw(&Rectangle::new(bar, BLUE.filled())).map_err(failed)?;
                let values = context! { n => layer.parameters, share => share(layer.parameters, m) };
                let label = lang.say("figures.parameters.bar", values)?;
                text(root, &label, (end + 6, middle), &font(SIZE - 1.0, MUTED), HPos::Left, VPos::Center)?;
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
