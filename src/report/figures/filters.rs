//! The kernels of a network's first convolution as grey images: dark where a weight is positive, light where it is negative.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::prelude::*;
use crate::results::Filters;

/// Small kernels stand in rows of so many, larger ones in rows of half as many.
const COLUMNS: usize = 16;
const SMALL: usize = 3;
const KEY: i32 = 34;

/// How kernels are arranged: columns, rows, and the pixels of the figure for each weight.
struct Tiling {
    columns: usize,
    rows: usize,
    pixel: i32,
}

impl Tiling {
    fn of(filters: &Filters, pixels: i32) -> Self {
        let [height, width] = filters.size;
        let columns = if width.max(height) <= SMALL { COLUMNS } else { COLUMNS / 2 }.min(filters.shown());
        let pixel = (pixels / Self::across(columns, width) as i32).clamp(1, 12);
        Self { columns, rows: filters.shown().div_ceil(columns), pixel }
    }

    /// Weights across some kernels with one between each two.
    fn across(kernels: usize, side: usize) -> usize {
        kernels * (side + 1) - 1
    }
}

/// The figure of one network; `None` if the weights are not as many as the sizes say.
pub(crate) fn filters(name: &str, title: &str, filters: &Filters, lang: &Language) -> Result<Option<Drawing>> {
    let Some(values) = filters.values() else { return Ok(None) };
    on_both_sheets(Width::Half, |sheet| drawn(name, title, (filters, &values), sheet, lang)).map(Some)
}

fn drawn(
    name: &str,
    title: &str,
    (filters, values): (&Filters, &[i8]),
    sheet: Sheet,
    lang: &Language,
) -> Result<Drawing> {
    let tiling = Tiling::of(filters, sheet.pixels());
    let [height, width] = filters.size;
    let across = Tiling::across(tiling.columns, width) as i32 * tiling.pixel;
    let down = Tiling::across(tiling.rows, height) as i32 * tiling.pixel;
    let values_of = context! {
        title, height, width,
        layer => filters.layer.as_str(), kernels => filters.kernels, shown => filters.shown(),
    };
    let caption = lang.say("figures.filters.caption", values_of)?;
    let largest = lang.numbers.fixed(filters.largest, 2);
    let key = lang.say("figures.filters.key", context! { largest })?;
    let titles = Titles { name: name.to_owned(), caption, description: key.clone() };
    let drawing = draw(titles, sheet, (down + KEY) as u32, |root| {
        text(root, &key, (0, down + KEY / 2), &label(MUTED), HPos::Left, VPos::Center)
    })?;
    let png = STANDARD.encode(png(values, filters.size, &tiling)).into();
    let bitmap = Bitmap { place: (0, 0), size: (across, down), png };
    Ok(with_bitmaps(drawing.without_description(), &[bitmap]))
}

/// The kernels as one image, with transparent lines between them.
fn png(values: &[i8], [height, width]: [usize; 2], tiling: &Tiling) -> Vec<u8> {
    let (across, down) = (Tiling::across(tiling.columns, width), Tiling::across(tiling.rows, height));
    let mut pixels = vec![[0u8, 0]; across * down];
    for (kernel, weights) in values.chunks(height * width).enumerate() {
        let (left, top) = (kernel % tiling.columns * (width + 1), kernel / tiling.columns * (height + 1));
        for (i, weight) in weights.iter().enumerate() {
            // From 228 for -127 to 28 for 127: neither is the page's paper, light or dark.
            let grey = u8::try_from(128 - i16::from(*weight) * 100 / 127).unwrap_or(u8::MAX);
            pixels[(top + i / width) * across + left + i % width] = [grey, u8::MAX];
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, across as u32, down as u32);
    encoder.set_color(png::ColorType::GrayscaleAlpha);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixels.as_flattened())?;
        writer.finish()
    });
    written.expect("writing to memory does not fail");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_grey_pixels_with_gaps_between_kernels() {
        let tiling = Tiling { columns: 2, rows: 1, pixel: 5 };
        let bytes = png(&[127, 0, -127, 64], [1, 2], &tiling);
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut read = vec![0; 10];
        reader.next_frame(&mut read).unwrap();
        assert_eq!(read, [28, 255, 128, 255, 0, 0, 228, 255, 78, 255]);
    }

    #[test]
    fn any_number_and_size_of_kernels_fits() {
        for (kernels, size) in [(1, [1, 1]), (64, [3, 3]), (32, [5, 5]), (200, [7, 7]), (6, [28, 28])] {
            let shown = kernels.min(crate::results::MAX_KERNELS);
            let weights = STANDARD.encode(vec![7u8; shown * size[0] * size[1]]);
            let filters = Filters { layer: "conv1".into(), kernels, size, largest: 0.5, weights };
            for pixels in [HALF as i32, NARROW as i32] {
                let tiling = Tiling::of(&filters, pixels);
                let across = Tiling::across(tiling.columns, size[1]) as i32 * tiling.pixel;
                assert!(across <= pixels, "{kernels} {size:?} {pixels}");
                assert!(tiling.columns * tiling.rows >= shown && filters.values().is_some());
            }
        }
    }
}
