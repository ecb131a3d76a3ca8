//! MNIST on disk: finding the four files, checking that they are MNIST, and choosing images.

mod error;
mod idx;
mod mnist;
mod subset;

pub use error::DatasetError;
pub use idx::{read_labels, write_labels};
pub use mnist::{FileState, ImageSet, Mnist, MnistFile, find};
pub use subset::{ImageOrder, Subset, choose, validation_images};

/// Images of the training set.
pub const TRAIN_IMAGES: usize = 60_000;
/// Images of the test set.
pub const TEST_IMAGES: usize = 10_000;
/// Training images of the rarest class, 5.
pub const SMALLEST_CLASS: usize = 5_421;
/// Classes: the ten digits.
pub const CLASSES: usize = 10;
/// Pixels of an image, 28 x 28.
pub const PIXELS: usize = 28 * 28;
