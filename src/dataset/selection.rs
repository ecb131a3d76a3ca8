//! Chosen images with their labels, in the order in which they were chosen.

use super::{ImageSet, PIXELS};

/// Chosen images with their labels. Pixels are bytes.
#[derive(Clone, Debug)]
pub struct Selection {
    /// `[images, PIXELS]`.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u8>,
}

impl Selection {
    /// Copies the chosen images (indices into `images`).
    pub fn new(images: &ImageSet, chosen: &[u32]) -> Self {
        Self {
            pixels: chosen.iter().flat_map(|i| images.image(*i as usize)).copied().collect(),
            labels: chosen.iter().map(|i| images.labels[*i as usize]).collect(),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it has no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of an image.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels[i * PIXELS..][..PIXELS]
    }
}
