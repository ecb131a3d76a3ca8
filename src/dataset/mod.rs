//! MNIST on disk: finds the four files, checks that they are MNIST's, and chooses images.

mod error;
mod idx;
mod mnist;
mod selection;
mod subset;

pub use error::DatasetError;
pub use idx::{read_labels, write_labels};
pub use mnist::{FileState, ImageSet, Mnist, MnistFile, find};
pub use selection::Selection;
pub use subset::{ImageOrder, Subset, choose, validation_images};

/// Number of images in the training set.
pub const TRAIN_IMAGES: usize = 60_000;
/// Number of images in the test set.
pub const TEST_IMAGES: usize = 10_000;
/// Number of training images of the rarest class, the digit 5.
pub const SMALLEST_CLASS: usize = 5_421;
/// Number of classes: the ten digits.
pub const CLASSES: usize = 10;
/// Number of pixels of an image.
pub const PIXELS: usize = 28 * 28;
