//! What defines a data set: its four files by their hashes, and how many images and classes they have.

use super::{MAX_CLASSES, PIXELS};

/// The names of the four files, as MNIST's authors chose them. Other data sets in this format use the same names.
pub const FILE_NAMES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The SHA-256 of MNIST's raw files.
pub(super) const MNIST_SHA256: [&str; 4] = [
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
];

/// The number of training images of MNIST's rarest class, the digit 5.
const MNIST_SMALLEST_CLASS: usize = 5_421;

/// A data set: a file with one changed byte is none of its files.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// What it is called.
    pub title: String,
    /// The SHA-256 of the raw files (not gzipped), in the order of [`FILE_NAMES`].
    pub sha256: [String; 4],
    /// The number of training images.
    pub train_images: usize,
    /// The number of test images.
    pub test_images: usize,
    /// The number of classes, at most [`MAX_CLASSES`].
    pub classes: usize,
}

impl DataSet {
    /// MNIST, the data set of a study that names no other.
    pub fn mnist() -> Self {
        let (train_images, test_images) = (60_000, 10_000);
        Self {
            title: "MNIST".to_owned(),
            sha256: MNIST_SHA256.map(str::to_owned),
            train_images,
            test_images,
            classes: MAX_CLASSES,
        }
    }

    /// Whether it is MNIST, by the hashes.
    pub fn is_mnist(&self) -> bool {
        self.sha256 == MNIST_SHA256
    }

    /// Names and hashes of the raw files.
    pub fn hashes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        FILE_NAMES.into_iter().zip(self.sha256.iter().map(String::as_str))
    }

    /// The size of a raw file: header, and one byte for each label or pixel.
    pub(super) fn bytes(&self, file: usize) -> usize {
        let images = if file < 2 { self.train_images } else { self.test_images };
        if file.is_multiple_of(2) { 16 + images * PIXELS } else { 8 + images }
    }

    /// The most training images that its rarest class can have: what is known of it before the labels are read.
    pub fn most_of_each_class(&self) -> usize {
        if self.is_mnist() { MNIST_SMALLEST_CLASS } else { self.train_images / self.classes.max(1) }
    }
}
