//! A network as a row of blocks, each with the shape that leaves it.

use anyhow::Result;
use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Figure, GREEN, INK, MUTED, ORANGE, SIZE, WIDTH, draw, failed, font, text};
use crate::report::Language;
use crate::results::{LayerFacts, ModelFacts};
use crate::text::numbers::dimensions;

const COLUMNS: usize = 7;
const SLOT: i32 = (WIDTH / COLUMNS as u32) as i32;
const BLOCK: (i32, i32) = (92, 34);
const ROW: i32 = 74;
const TOP: i32 = 8;

/// The figure of one model: the image, then every layer in order.
pub fn network(name: String, title: &str, model: &ModelFacts, lang: &Language) -> Result<Figure> {
    let rows = (model.layers.len() + 1).div_ceil(COLUMNS);
    let caption = lang.say("figures.network.caption", context! { title })?;
    let image = |shape: &[usize]| dimensions(shape.get(1..).unwrap_or_default());
    let input = model.layers.first().map_or_else(String::new, |l| image(&l.input_shape));
    let steps: Vec<String> = model.layers.iter().map(|l| format!("{} {}", l.name, image(&l.output_shape))).collect();
    let layers = steps.join("; ");
    let description = lang.say("figures.network.description", context! { input => input.as_str(), layers })?;
    let start = lang.word("figures.network.image")?;
    let mut figure = draw(name, caption, description, (rows as i32 * ROW + TOP) as u32, |root| {
        let place = |i: usize| ((i % COLUMNS) as i32 * SLOT + (SLOT - BLOCK.0) / 2, TOP + (i / COLUMNS) as i32 * ROW);
        let block = |i: usize, words: &str, below: &str, color: RGBColor| -> Result<()> {
            let (left, top) = place(i);
            let (middle, right, base) = (left + BLOCK.0 / 2, left + BLOCK.0, top + BLOCK.1);
            root.draw(&Rectangle::new([(left, top), (right, base)], color.stroke_width(2))).map_err(failed)?;
            text(root, words, (middle, top + BLOCK.1 / 2), &font(SIZE, INK), HPos::Center, VPos::Center)?;
            text(root, below, (middle, base + 13), &font(SIZE - 1.0, MUTED), HPos::Center, VPos::Center)?;
            if i < model.layers.len() {
                // To the next block, or out of the row.
                let gap = if i % COLUMNS == COLUMNS - 1 { (SLOT - BLOCK.0) / 2 - 1 } else { SLOT - BLOCK.0 - 2 };
                let (from, to, y) = (right + 2, right + gap, top + BLOCK.1 / 2);
                root.draw(&PathElement::new(vec![(from, y), (to, y)], MUTED)).map_err(failed)?;
                root.draw(&PathElement::new(vec![(to - 4, y - 3), (to, y), (to - 4, y + 3)], MUTED)).map_err(failed)?;
            }
            Ok(())
        };
        block(0, &start, &input, MUTED)?;
        for (i, layer) in model.layers.iter().enumerate() {
            block(i + 1, &shortened(&layer.name), &image(&layer.output_shape), color(layer))?;
        }
        Ok(())
    })?;
    // The table below says the same again.
    figure.description.clear();
    Ok(figure)
}

/// A name that fits into a block; the table has it whole.
fn shortened(name: &str) -> String {
    match name.chars().count() {
        0..=13 => name.to_owned(),
        _ => name.chars().take(12).chain(['…']).collect(),
    }
}

/// Convolutions, dense layers and normalisations stand out; the rest has nothing to train.
fn color(layer: &LayerFacts) -> RGBColor {
    match layer.kind.as_str() {
        "conv2d" => BLUE,
        "linear" => ORANGE,
        "batch_norm2d" | "layer_norm" => GREEN,
        _ => MUTED,
    }
}
