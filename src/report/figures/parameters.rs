//! How a network's parameters are distributed: a bar for each layer, a panel for each model, on a common scale.

use super::prelude::*;
use crate::results::{LayerFacts, ModelFacts};

const ROW: i32 = 22;
const HEAD: i32 = 30;
const GAP: i32 = 14;
const LEFT: i32 = 110;
/// Room for the widest label right of the longest bar.
const AFTER: i32 = 170;

/// The figure of some models' parameters: (title, facts).
pub(crate) fn parameters(name: String, models: &[(&str, &ModelFacts)], lang: &Language) -> Result<Drawing> {
    let most = models.iter().flat_map(|(_, m)| m.layers.iter().map(|l| l.parameters)).max().unwrap_or(1).max(1);
    let share = |l: &LayerFacts, m: &ModelFacts| lang.numbers.percent(l.parameters as f64 / m.parameters as f64, 1);
    let caption = lang.word("figures.parameters.caption")?;
    let mut descriptions = Vec::new();
    for (title, m) in models {
        if let Some(largest) = weighted(m).max_by_key(|l| l.parameters) {
            let (share, layer) = (share(largest, m), largest.name.as_str());
            let values = context! { title => *title, n => m.parameters, share, layer };
            descriptions.push(lang.say("figures.parameters.description", values)?);
        }
    }
    let height: i32 = models.iter().map(|(_, m)| HEAD + weighted(m).count() as i32 * ROW + GAP).sum();
    draw(Titles { name, caption, description: descriptions.join(" ") }, Width::Full, height as u32, |root| {
        let mut top = 0;
        for (model, m) in models {
            let head = lang.say("figures.parameters.head", context! { title => *model, n => m.parameters })?;
            text(root, &head, (0, top + HEAD / 2), &title(), HPos::Left, VPos::Center)?;
            top += HEAD;
            for layer in weighted(m) {
                let middle = top + ROW / 2;
                let length = layer.parameters as f64 / most as f64 * f64::from(FULL as i32 - LEFT - AFTER);
                let end = LEFT + (length.round() as i32).max(1);
                let values = context! { n => layer.parameters, share => share(layer, m) };
                let bar = lang.say("figures.parameters.bar", values)?;
                let named = wrapped(&layer.name, LABEL, LEFT - 10, 1).concat();
                text(root, &named, (LEFT - 8, middle), &label(INK), HPos::Right, VPos::Center)?;
                root.draw(&Rectangle::new([(LEFT, top + 3), (end, top + ROW - 3)], BLUE.filled()))?;
                text(root, &bar, (end + 6, middle), &label(MUTED), HPos::Left, VPos::Center)?;
                top += ROW;
            }
            top += GAP;
        }
        Ok(())
    })
}

/// The layers that have parameters.
fn weighted(m: &ModelFacts) -> impl Iterator<Item = &LayerFacts> {
    m.layers.iter().filter(|l| l.parameters > 0)
}
