//! A network as a row of blocks, each with the shape of its output.

use super::prelude::*;
use crate::results::{LayerFacts, ModelFacts};
use crate::text::numbers::dimensions;

const COLUMNS: usize = 7;
const SLOT: i32 = (WIDTH / COLUMNS as u32) as i32;
const BLOCK: (i32, i32) = (92, 34);
const ROW: i32 = 74;
const TOP: i32 = 8;

/// The figure of one model: the image, then every layer in order.
pub(crate) fn network(name: String, title: &str, model: &ModelFacts, lang: &Language) -> Result<Drawing> {
    let rows = (model.layers.len() + 1).div_ceil(COLUMNS);
    let caption = lang.say("figures.network.caption", context! { title })?;
    let one_image = |shape: &[usize]| dimensions(shape.get(1..).unwrap_or_default());
    let input = model.layers.first().map_or_else(String::new, |l| one_image(&l.input_shape));
    let steps: Vec<String> =
        model.layers.iter().map(|l| format!("{} {}", l.name, one_image(&l.output_shape))).collect();
    let layers = steps.join("; ");
    let description = lang.say("figures.network.description", context! { input => input.as_str(), layers })?;
    let drawing = draw(Titles { name, caption, description }, (rows as i32 * ROW + TOP) as u32, |root| {
        block(root, 0, &lang.word("figures.network.image")?, &input, MUTED)?;
        for (i, layer) in model.layers.iter().enumerate() {
            arrow(root, i)?;
            block(root, i + 1, &shortened(&layer.name), &one_image(&layer.output_shape), color(layer))?;
        }
        Ok(())
    });
    drawing.map(Drawing::without_description)
}

/// The left upper corner of the i-th block.
fn place(i: usize) -> (i32, i32) {
    ((i % COLUMNS) as i32 * SLOT + (SLOT - BLOCK.0) / 2, TOP + (i / COLUMNS) as i32 * ROW)
}

fn block(root: &Canvas, i: usize, words: &str, shape: &str, color: RGBColor) -> Result<()> {
    let (left, top) = place(i);
    let (middle, right, base) = (left + BLOCK.0 / 2, left + BLOCK.0, top + BLOCK.1);
    root.draw(&Rectangle::new([(left, top), (right, base)], color.stroke_width(2)))?;
    centred(root, words, (middle, top + BLOCK.1 / 2), &font(SIZE, INK))?;
    centred(root, shape, (middle, base + 13), &font(SIZE - 1.0, MUTED))
}

/// From the i-th block to the next one, or out of the row.
fn arrow(root: &Canvas, i: usize) -> Result<()> {
    let (left, top) = place(i);
    let length = if i % COLUMNS == COLUMNS - 1 { (SLOT - BLOCK.0) / 2 - 1 } else { SLOT - BLOCK.0 - 2 };
    let right = left + BLOCK.0;
    let (from, to, y) = (right + 2, right + length, top + BLOCK.1 / 2);
    line(root, &[(from, y), (to, y)], MUTED)?;
    line(root, &[(to - 4, y - 3), (to, y), (to - 4, y + 3)], MUTED)
}

/// A name that fits into a block; the table has the whole name.
fn shortened(name: &str) -> String {
    match name.chars().count() {
        0..=13 => name.to_owned(),
        _ => name.chars().take(12).chain(['…']).collect(),
    }
}

/// Layers with parameters stand out, by what they do to an image: keep its shape, give another one, or leave features.
fn color(layer: &LayerFacts) -> RGBColor {
    let spatial = layer.output_shape.len() > 2;
    if layer.parameters == 0 {
        MUTED
    } else if layer.output_shape == layer.input_shape {
        GREEN
    } else if spatial {
        BLUE
    } else {
        ORANGE
    }
}
