//! How many test images a network calls each digit: bars, with the true counts marked.

use anyhow::Result;
use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Canvas, Figure, INK, MUTED, ORANGE, SIZE, draw, failed, font, rows_of_three, text};
use crate::dataset::CLASSES;
use crate::report::Language;
use crate::results::SeedResult;

const PANEL_HEIGHT: u32 = 260;
const TOP: i32 = 46;
const BOTTOM: i32 = 40;
const SIDE: i32 = 14;

/// The figure of some runs' predictions: (title, first seed).
pub fn predictions(name: String, runs: &[(&str, &SeedResult)], lang: &Language) -> Result<Figure> {
    let caption = lang.word("figures.predictions.caption")?;
    let description = runs
        .iter()
        .map(|(title, seed)| {
            let predicted = seed.predicted();
            let most = (0..CLASSES).fold(0, |best, c| if predicted[c] > predicted[best] { c } else { best });
            let total: usize = predicted.iter().sum();
            let [n, all] = [predicted[most], total].map(|n| lang.numbers.count(n as u64));
            lang.say("figures.predictions.description", context! { title => *title, digit => most, n, all })
        })
        .collect::<Result<Vec<_>>>()?
        .join(" ");
    let columns = rows_of_three(runs.len()).1.min(2);
    let rows = runs.len().div_ceil(columns);
    let most = runs.iter().flat_map(|(_, s)| s.predicted()).max().unwrap_or(1).max(1);
    let axis = lang.word("figures.predicted_digit")?;
    draw(name, caption, description, PANEL_HEIGHT * rows as u32, |root| {
        for (area, (title, seed)) in root.split_evenly((rows, columns)).iter().zip(runs) {
            panel(area, title, seed, most, &axis)?;
        }
        Ok(())
    })
}

fn panel(area: &Canvas, title: &str, seed: &SeedResult, most: usize, axis: &str) -> Result<()> {
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    text(area, title, (width / 2, 14), &font(SIZE + 1.0, INK), HPos::Center, VPos::Center)?;
    let base = height - BOTTOM;
    let slot = (width - 2 * SIDE) / CLASSES as i32;
    let tall = |n: usize| (n as f64 / most as f64 * f64::from(base - TOP)).round() as i32;
    for (class, predicted) in seed.predicted().into_iter().enumerate() {
        let left = SIDE + class as i32 * slot;
        let (centre, top) = (left + slot / 2, base - tall(predicted));
        let bar = [(left + 3, top), (left + slot - 3, base)];
        area.draw(&Rectangle::new(bar, BLUE.filled())).map_err(failed)?;
        let there = base - tall(seed.confusion[class].iter().sum());
        let mark = vec![(left, there), (left + slot, there)];
        area.draw(&PathElement::new(mark, ORANGE.stroke_width(2))).map_err(failed)?;
        let label = predicted.to_string();
        let above = top.min(there) - 4;
        text(area, &label, (centre, above), &font(SIZE - 2.0, INK), HPos::Center, VPos::Bottom)?;
        text(area, &class.to_string(), (centre, base + 12), &font(SIZE, INK), HPos::Center, VPos::Center)?;
    }
    area.draw(&PathElement::new(vec![(SIDE, base), (SIDE + slot * CLASSES as i32, base)], MUTED)).map_err(failed)?;
    text(area, axis, (width / 2, base + 30), &font(SIZE, INK), HPos::Center, VPos::Center)
}
