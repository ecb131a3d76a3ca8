//! The test images that a report shows: which ones, and their pixels as PNG in base64, as HTML embeds them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Evaluation, Results, ResultsError};
use crate::dataset::{ImageSet, PIXELS};
use crate::study::{Show, Study};

/// The most images that a gallery shows.
pub const GALLERY: usize = 16;
const SIDE: u32 = 28;
/// Longer than any PNG of 28 x 28 grey pixels.
const MAX_BASE64: usize = 2_000;

/// A test image that a network misclassifies.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Misclassified {
    /// Its index in the test set, from 0.
    pub image: usize,
    pub label: u8,
    pub predicted: u8,
    /// The softmax of the predicted class.
    pub confidence: f64,
}

/// The wrong predictions with the highest confidence, highest first; ties in the order of the test set.
pub fn misclassified(evaluation: &Evaluation, labels: &[u8]) -> Vec<Misclassified> {
    let wrong = (0..labels.len()).filter(|i| evaluation.predictions[*i] != labels[*i]);
    let mut misclassified: Vec<Misclassified> = wrong
        .map(|image| Misclassified {
            image,
            label: labels[image],
            predicted: evaluation.predictions[image],
            confidence: evaluation.confidences[image],
        })
        .collect();
    misclassified.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.image.cmp(&b.image)));
    misclassified.truncate(GALLERY);
    misclassified
}

/// The test images that a study's sections show: each run's first seed's, and each comparison's first pair's.
pub(super) fn shown(study: &Study, results: &Results) -> BTreeSet<usize> {
    let mut shown = BTreeSet::new();
    for section in &study.sections {
        if section.show.contains(&Show::Misclassified) {
            let seeds = section.runs.iter().filter_map(|name| results.runs.get(name)?.seeds.first());
            shown.extend(seeds.flat_map(|seed| seed.misclassified.iter().map(|m| m.image)));
        }
        if section.show.contains(&Show::Disagreements) {
            let pairs = section.comparisons.iter().filter_map(|name| results.comparisons.get(name)?.pairs.first());
            shown.extend(pairs.flat_map(|pair| pair.disagreements.iter().map(|d| d.image)));
        }
    }
    shown
}

/// The pixels of the images that a study's report shows, by the image's index in the test set.
///
/// # Errors
/// An image that the test set does not have.
pub fn digits(study: &Study, results: &Results, test: &ImageSet) -> Result<IndexMap<String, String>, ResultsError> {
    let encoded = |i: usize| -> Result<(String, String), ResultsError> {
        let pixels = test.get(i).ok_or(ResultsError::NoTestImage(i))?;
        Ok((i.to_string(), STANDARD.encode(png(pixels))))
    };
    shown(study, results).into_iter().map(encoded).collect()
}

/// Grey pixels, row by row, as a PNG: dark on light, as the digits were written.
///
/// # Panics
/// On other than 28 x 28 pixels.
fn png(pixels: &[u8]) -> Vec<u8> {
    assert_eq!(pixels.len(), PIXELS, "an image has {PIXELS} pixels");
    let ink: Vec<u8> = pixels.iter().map(|p| 255 - p).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&ink)?;
        writer.finish()
    });
    written.expect("writing to memory does not fail");
    bytes
}

/// Whether a text is base64 and short enough for an image. Pages embed it without escaping.
pub(super) fn is_base64(text: &str) -> bool {
    (1..=MAX_BASE64).contains(&text.len()) && STANDARD.decode(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_confident_errors_come_first() {
        let labels = [0, 1, 2, 3, 4];
        let evaluation = Evaluation {
            predictions: vec![0, 2, 3, 3, 5],
            losses: vec![0.0; 5],
            confidences: vec![0.99, 0.5, 0.9, 0.8, 0.9],
            logits: vec![],
        };
        let images: Vec<usize> = misclassified(&evaluation, &labels).iter().map(|m| m.image).collect();
        assert_eq!(images, [2, 4, 1]);
    }

    #[test]
    fn pixels_read_back_from_the_png() {
        let pixels: Vec<u8> = (0..PIXELS).map(|i| (i % 251) as u8).collect();
        let bytes = png(&pixels);
        assert_eq!(bytes, png(&pixels));
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut read = vec![0; PIXELS];
        reader.next_frame(&mut read).unwrap();
        assert_eq!(read.iter().map(|p| 255 - p).collect::<Vec<u8>>(), pixels);
        assert!(is_base64(&STANDARD.encode(&bytes)) && !is_base64("\"/><script>") && !is_base64(""));
    }
}
