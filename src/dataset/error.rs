//! Errors in the files of a data set.

use std::path::PathBuf;

use thiserror::Error;

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
    #[error("{name} is not in {}", folder.display())]
    Missing { name: &'static str, folder: PathBuf },
    #[error("{}: cannot be read", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: is not a complete gzip file", path.display())]
    Gzip { path: PathBuf, source: std::io::Error },
    #[error("{}: is not MNIST's {name}: {found} bytes, expected {expected}", path.display())]
    Size { path: PathBuf, name: &'static str, found: usize, expected: usize },
    #[error("{}: is not MNIST's {name}: SHA-256 {found}, expected {expected}", path.display())]
    Hash { path: PathBuf, name: &'static str, found: String, expected: &'static str },
    #[error("MNIST is needed: restore data/mnist from the repository, or name a folder that has it with `data:`")]
    NoMnist(#[source] Box<DatasetError>),
}
