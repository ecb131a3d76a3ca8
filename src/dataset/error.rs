//! Errors in the files of a data set.

use std::path::PathBuf;

use thiserror::Error;

use super::{MAX_CLASSES, MOST_IMAGES};

/// A file is missing, damaged, or not the expected one.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum DatasetError {
    #[error("is not an IDX file of unsigned bytes")]
    NotIdx,
    #[error("has a damaged IDX header")]
    IdxHeader,
    #[error("holds {found} values, but its header states {sizes:?}")]
    IdxSize { found: usize, sizes: Vec<usize> },
    #[error("has {0} dimensions; labels have one")]
    NotLabels(usize),
    #[error("{}", path.display())]
    InFile { path: PathBuf, source: Box<DatasetError> },
    #[error("{name} holds values of the sizes {sizes:?}; images of 28x28 grey pixels and their labels are needed")]
    Shape { name: &'static str, sizes: Vec<usize> },
    #[error("{}: holds values of the sizes {sizes:?}; at least 2 images of 28x28 grey pixels are needed", path.display())]
    NotImages { path: PathBuf, sizes: Vec<usize> },
    #[error("{}: has more than {MOST_IMAGES} images", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}: has {labels} labels for {images} images", path.display())]
    LabelCount { path: PathBuf, labels: usize, images: usize },
    #[error("{}: has {classes} classes, by the highest label; 2 to {MAX_CLASSES} are supported", folder.display())]
    Classes { folder: PathBuf, classes: usize },
    #[error(
        "{name}: the label of image {image} is {label}, but there are {classes} classes, 0 to {most}; correct `classes` in \
         the study or the labels"
    )]
    Label { name: &'static str, image: usize, label: u8, classes: usize, most: usize },
    #[error("{name}: has no image of class {class}; every one of the {classes} classes needs some")]
    NoImageOfClass { name: &'static str, class: usize, classes: usize },
    #[error("{name} is not in {}", folder.display())]
    Missing { name: &'static str, folder: PathBuf },
    #[error("{}: cannot be read", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: is not a complete gzip file", path.display())]
    Gzip { path: PathBuf, source: std::io::Error },
    #[error("{}: is not {set}'s {name}: {found} bytes, expected {expected}", path.display())]
    Size { path: PathBuf, set: String, name: &'static str, found: usize, expected: usize },
    #[error("{}: is not {set}'s {name}: SHA-256 {}, expected {}", path.display(), hashes[0], hashes[1])]
    Hash { path: PathBuf, set: String, name: &'static str, hashes: Box<[String; 2]> },
    #[error("MNIST is needed: restore data/mnist from the repository, or name a folder that has it with `data:`")]
    NoMnist(#[source] Box<DatasetError>),
    #[error(
        "MNIST is needed; if this is another data set, a study takes it with the keys that `mnist-report data --dir FOLDER --pin` prints"
    )]
    NotMnist(#[source] Box<DatasetError>),
    #[error("the data set `{set}` is needed: name the folder with its four files by --data FOLDER")]
    NoData { set: String, source: Box<DatasetError> },
}
