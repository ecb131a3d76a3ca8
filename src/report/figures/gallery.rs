//! Test images in rows, each with its label and its predictions.

use super::prelude::*;

const COLUMNS: i32 = 8;
/// Between the lines of two images.
const BETWEEN: i32 = 4;
const IMAGE: i32 = 56;
/// Lines of text below an image.
const LINES: i32 = 3;
const ROW: i32 = IMAGE + LINES * LINE + 10;

/// An image with up to three short lines below it.
pub(crate) struct GalleryImage<'a> {
    /// PNG in base64.
    pub png: &'a str,
    pub lines: Vec<String>,
}

/// A figure of images, row by row.
pub(crate) fn gallery(
    name: &str,
    caption: &str,
    description: &str,
    gallery_images: &[GalleryImage],
) -> Result<Drawing> {
    on_both_sheets(Width::Full, |sheet| {
        let titles = Titles { name: name.into(), caption: caption.into(), description: description.into() };
        drawn(titles, gallery_images, sheet)
    })
}

fn drawn<'a>(titles: Titles, gallery_images: &[GalleryImage<'a>], sheet: Sheet) -> Result<Drawing> {
    // As many columns as the widest line has room for.
    let widest = gallery_images.iter().flat_map(|image| &image.lines).map(|line| width_of(line, LABEL)).max();
    let least = (widest.unwrap_or_default() + BETWEEN).max(IMAGE + 3 * BETWEEN);
    let columns = (sheet.pixels() / least).clamp(if sheet.has_columns() { 6 } else { 3 }, COLUMNS);
    let cell = sheet.pixels() / columns;
    let columns = columns as usize;
    let rows = gallery_images.len().div_ceil(columns).max(1);
    let place = |i: usize| ((i % columns) as i32 * cell, (i / columns) as i32 * ROW + 8);
    let drawing = draw(titles, sheet, (rows as i32 * ROW + 8) as u32, |root| {
        for (i, image) in gallery_images.iter().enumerate() {
            let (left, top) = place(i);
            let (middle, below) = (left + cell / 2, top + IMAGE);
            for (j, words) in image.lines.iter().enumerate() {
                let color = if j + 1 == image.lines.len() { MUTED } else { INK };
                centred(
                    root,
                    &wrapped(words, LABEL, cell - 2, 1).concat(),
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
        Bitmap { place: (left + (cell - IMAGE) / 2, top), size: (IMAGE, IMAGE), png: image.png.into() }
    };
    let bitmaps: Vec<Bitmap> = gallery_images.iter().enumerate().map(bitmap).collect();
    Ok(with_bitmaps(drawing?.without_description(), &bitmaps))
}
