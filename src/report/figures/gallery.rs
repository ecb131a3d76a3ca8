//! Test images in rows, each with its label and its predictions.

use super::prelude::*;

const COLUMNS: usize = 8;
const CELL: i32 = (FULL / COLUMNS as u32) as i32;
const IMAGE: i32 = 64;
/// Lines of text below an image.
const LINES: i32 = 3;
const ROW: i32 = IMAGE + LINES * LINE + 14;

/// An image with up to three short lines below it.
pub(crate) struct GalleryImage<'a> {
    /// PNG in base64.
    pub png: &'a str,
    pub lines: Vec<String>,
}

/// A figure of images, row by row.
pub(crate) fn gallery<'a>(
    name: String,
    caption: String,
    description: String,
    gallery_images: &[GalleryImage<'a>],
) -> Result<Drawing> {
    let rows = gallery_images.len().div_ceil(COLUMNS).max(1);
    let place = |i: usize| ((i % COLUMNS) as i32 * CELL, (i / COLUMNS) as i32 * ROW + 8);
    let drawing = draw(Titles { name, caption, description }, Width::Full, (rows as i32 * ROW + 8) as u32, |root| {
        for (i, image) in gallery_images.iter().enumerate() {
            let (left, top) = place(i);
            let (middle, below) = (left + CELL / 2, top + IMAGE);
            for (j, words) in image.lines.iter().enumerate() {
                let color = if j + 1 == image.lines.len() { MUTED } else { INK };
                centred(
                    root,
                    &wrapped(words, LABEL, CELL - 2, 1).concat(),
                    (middle, below + 11 + j as i32 * LINE),
                    &label(color),
                )?;
            }
        }
        Ok(())
    });
    // The lines below the images say the same as the description.
    let bitmap = |(i, image): (usize, &GalleryImage<'a>)| {
        let (left, top) = place(i);
        Bitmap { place: (left + (CELL - IMAGE) / 2, top), size: (IMAGE, IMAGE), png: image.png.into() }
    };
    let bitmaps: Vec<Bitmap> = gallery_images.iter().enumerate().map(bitmap).collect();
    Ok(with_bitmaps(drawing?.without_description(), &bitmaps))
}
