//! The images of a data set with their labels.

use super::{DatasetError, PIXELS};

/// Images with their labels.
#[derive(Clone)]
pub struct ImageSet {
    /// One byte per pixel, from 0 (in MNIST: paper) to 255 (ink); image by image, row by row.
    pub pixels: Vec<u8>,
    /// The class of each image.
    pub labels: Vec<u8>,
    /// The number of classes. Every label is below it.
    pub classes: usize,
}

impl ImageSet {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of one image.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels[i * PIXELS..(i + 1) * PIXELS]
    }

    /// The pixels of one image, if it exists.
    pub fn get(&self, i: usize) -> Option<&[u8]> {
        (i < self.len()).then(|| self.image(i))
    }

    /// The number of images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        self.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        counts
    }

    /// Checks that every label is a class and every class has an image, which accuracies by class need. `name` is the file of
    /// the labels.
    pub(super) fn check_labels(&self, name: &'static str) -> Result<(), DatasetError> {
        let classes = self.classes;
        if let Some(image) = self.labels.iter().position(|label| usize::from(*label) >= classes) {
            return Err(DatasetError::Label { name, image, label: self.labels[image], classes, most: classes - 1 });
        }
        match self.class_counts().iter().position(|count| *count == 0) {
            Some(class) => Err(DatasetError::NoImageOfClass { name, class, classes }),
            None => Ok(()),
        }
    }
}

/// The training and test images of a data set, with verified hashes.
#[derive(Clone)]
#[expect(missing_docs, reason = "self-evident")]
pub struct TrainAndTest {
    pub train: ImageSet,
    pub test: ImageSet,
}
