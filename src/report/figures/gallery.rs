//! Test images in rows, each with what it is and what was read.

use std::fmt::Write as _;

use anyhow::Result;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Figure, INK, MUTED, SIZE, WIDTH, draw, font, text};

const COLUMNS: usize = 8;
const CELL: i32 = (WIDTH / COLUMNS as u32) as i32;
const IMAGE: i32 = 64;
const ROW: i32 = IMAGE + 50;

/// An image with two short lines below it.
pub struct Tile<'a> {
    /// PNG in base64.
    pub png: &'a str,
    pub first: String,
    pub second: String,
}

/// A figure of tiles, in their order.
pub fn gallery(name: String, caption: String, description: String, tiles: &[Tile]) -> Result<Figure> {
    let rows = tiles.len().div_ceil(COLUMNS).max(1);
    let place = |i: usize| ((i % COLUMNS) as i32 * CELL, (i / COLUMNS) as i32 * ROW + 8);
    let mut figure = draw(name, caption, description, (rows as i32 * ROW + 8) as u32, |root| {
        for (i, tile) in tiles.iter().enumerate() {
            let (left, top) = place(i);
            let middle = left + CELL / 2;
            let below = top + IMAGE;
            text(root, &tile.first, (middle, below + 12), &font(SIZE - 1.0, INK), HPos::Center, VPos::Center)?;
            text(root, &tile.second, (middle, below + 28), &font(SIZE - 2.0, MUTED), HPos::Center, VPos::Center)?;
        }
        Ok(())
    })?;
    let mut images = String::new();
    for (i, tile) in tiles.iter().enumerate() {
        let (left, top) = place(i);
        let x = left + (CELL - IMAGE) / 2;
        let _ = writeln!(
            images,
            "<image x=\"{x}\" y=\"{top}\" width=\"{IMAGE}\" height=\"{IMAGE}\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{}\"/>",
            tile.png
        );
    }
    // plotters draws no pictures without the `image` crate; they go in beside its text.
    let end = figure.svg.rfind("</svg>").unwrap_or(figure.svg.len());
    figure.svg.insert_str(end, &images);
    // It repeats what the tiles say: for those who cannot see them, and not below the picture again.
    figure.description.clear();
    Ok(figure)
}
