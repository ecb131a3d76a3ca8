//! Test images that a report shows: which ones, and their pixels.
//!
//! Owns the choice (by confidence, or by the test set's order, never by hand) and the form in which pixels stand in
//! results.json: a PNG in base64, which a page takes as it is.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Evaluation, Results};
use crate::dataset::PIXELS;
use crate::study::{Show, Study};

/// How many images a gallery shows at most.
pub const GALLERY: usize = 16;
const SIDE: u32 = 28;
/// A PNG of 28 x 28 grey pixels stays below this.
const MAX_BASE64: usize = 2_000;

/// A test image that a network gets wrong.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Misread {
    /// Its place in the test set, from 0.
    pub image: usize,
    pub label: u8,
    pub predicted: u8,
    /// The softmax of the predicted class.
    pub confidence: f64,
}

/// The wrong predictions with the highest confidence, the surest first; of equals the first in the test set.
pub fn misread(evaluation: &Evaluation, labels: &[u8]) -> Vec<Misread> {
    let wrong = (0..labels.len()).filter(|i| evaluation.predictions[*i] != labels[*i]);
    let mut misread: Vec<Misread> = wrong
        .map(|image| Misread {
            image,
            label: labels[image],
            predicted: evaluation.predictions[image],
            confidence: evaluation.confidences[image],
        })
        .collect();
    misread.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.image.cmp(&b.image)));
    misread.truncate(GALLERY);
    misread
}

/// The test images that the sections of a study show: of each run its first seed's, of each comparison its first pair's.
pub fn shown(study: &Study, results: &Results) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    for section in &study.sections {
        if section.show.contains(&Show::Misclassified) {
            let seeds = section.runs.iter().filter_map(|name| results.runs.get(name)?.seeds.first());
            shown.extend(seeds.flat_map(|seed| seed.misread.iter().map(|m| m.image)));
        }
        if section.show.contains(&Show::Disagreements) {
            let pairs = section.comparisons.iter().filter_map(|name| results.comparisons.get(name)?.pairs.first());
            shown.extend(pairs.flat_map(|pair| pair.disagreements.iter().map(|d| d.image)));
        }
    }
    shown
}

/// The pixels of what a study shows, by the image's place in the test set. `image` gives an image's pixels.
///
/// # Errors
/// An image that the test set does not have.
pub fn digits<'a>(
    study: &Study,
    results: &Results,
    image: impl Fn(usize) -> Option<&'a [u8]>,
) -> Result<IndexMap<String, String>> {
    let encoded = |i: usize| -> Result<(String, String)> {
        let pixels = image(i).with_context(|| format!("there is no test image {i}"))?;
        Ok((i.to_string(), STANDARD.encode(png(pixels)?)))
    };
    shown(study, results).into_iter().map(encoded).collect()
}

/// Grey pixels, row by row, as a PNG: dark on light, as the digits were written.
fn png(pixels: &[u8]) -> Result<Vec<u8>> {
    ensure!(pixels.len() == PIXELS, "an image has {PIXELS} pixels");
    let ink: Vec<u8> = pixels.iter().map(|p| 255 - p).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().context("a PNG's header")?;
    writer.write_image_data(&ink).context("a PNG's pixels")?;
    writer.finish().context("a PNG's end")?;
    Ok(bytes)
}

/// Whether a text can be pixels of an image: it is put into pages as it is.
pub fn is_base64(text: &str) -> bool {
    (1..=MAX_BASE64).contains(&text.len()) && STANDARD.decode(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_errors_come_first() {
        let labels = [0, 1, 2, 3, 4];
        let evaluation = Evaluation {
            predictions: vec![0, 2, 3, 3, 5],
            losses: vec![0.0; 5],
            confidences: vec![0.99, 0.5, 0.9, 0.8, 0.9],
        };
        let images: Vec<usize> = misread(&evaluation, &labels).iter().map(|m| m.image).collect();
        assert_eq!(images, [2, 4, 1]);
    }

    #[test]
    fn pixels_read_back_from_the_png() {
        let pixels: Vec<u8> = (0..PIXELS).map(|i| (i % 251) as u8).collect();
        let bytes = png(&pixels).unwrap();
        assert_eq!(bytes, png(&pixels).unwrap());
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut read = vec![0; PIXELS];
        reader.next_frame(&mut read).unwrap();
        assert_eq!(read.iter().map(|p| 255 - p).collect::<Vec<u8>>(), pixels);
        assert!(is_base64(&STANDARD.encode(&bytes)) && !is_base64("\"/><script>") && !is_base64(""));
    }
}
