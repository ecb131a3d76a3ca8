//! Data sets on disk: finds the four files, checks that they are the data set's, and chooses images.

mod definition;
mod error;
mod files;
mod idx;
mod images;
mod known;
mod pin;
mod selection;
mod subset;

pub use definition::{DataSet, FILE_NAMES};
pub use error::DatasetError;
pub use files::{FileState, find};
pub use idx::{read_labels, write_labels};
pub use images::{ImageSet, TrainAndTest};
pub use known::KnownSet;
pub use pin::{Found, pin};
pub use selection::Selection;
pub use subset::{Candidates, Chooser, ImageOrder, Subset, choose, validation_images};

/// The most classes that a data set may have; MNIST has as many, the ten digits.
pub const MAX_CLASSES: usize = 10;
/// The most images of a training or test set. They must fit into the memory that `verify` allows.
pub const MOST_IMAGES: usize = 300_000;
/// Number of pixels of an image.
pub const PIXELS: usize = 28 * 28;
