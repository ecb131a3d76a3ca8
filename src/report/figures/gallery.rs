//! Test images in rows, each with its label and its predictions.

use std::fmt::Write as _;

use super::prelude::*;

const COLUMNS: usize = 8;
const CELL: i32 = (WIDTH / COLUMNS as u32) as i32;
const IMAGE: i32 = 64;
const ROW: i32 = IMAGE + 50;

/// An image with two short lines below it.
pub(crate) struct GalleryImage<'a> {
    /// PNG in base64.
    pub png: &'a str,
    pub first: String,
    pub second: String,
}

/// A figure of images, row by row.
pub(crate) fn gallery(
    name: String,
    caption: String,
    description: String,
    gallery_images: &[GalleryImage],
) -> Result<Drawing> {
    let rows = gallery_images.len().div_ceil(COLUMNS).max(1);
    let place = |i: usize| ((i % COLUMNS) as i32 * CELL, (i / COLUMNS) as i32 * ROW + 8);
    let drawing = draw(Titles { name, caption, description }, (rows as i32 * ROW + 8) as u32, |root| {
        for (i, image) in gallery_images.iter().enumerate() {
            let (left, top) = place(i);
            let (middle, below) = (left + CELL / 2, top + IMAGE);
            centred(root, &image.first, (middle, below + 12), &font(SIZE - 1.0, INK))?;
            centred(root, &image.second, (middle, below + 28), &font(SIZE - 2.0, MUTED))?;
        }
        Ok(())
    });
    // The lines below the images say the same as the description.
    let mut drawing = drawing?.without_description();
    let mut elements = String::new();
    for (i, image) in gallery_images.iter().enumerate() {
        let (left, top) = place(i);
        let x = left + (CELL - IMAGE) / 2;
        let _ = writeln!(
            elements,
            "<image x=\"{x}\" y=\"{top}\" width=\"{IMAGE}\" height=\"{IMAGE}\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{}\"/>",
            image.png
        );
    }
    // Without the `image` crate, plotters cannot draw bitmaps: they are inserted into its SVG.
    let end = drawing.svg.rfind("</svg>").unwrap_or(drawing.svg.len());
    drawing.svg.insert_str(end, &elements);
    Ok(drawing)
}
