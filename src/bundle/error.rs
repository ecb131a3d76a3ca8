//! What can go wrong when a bundle is read, made or written.

use std::io;
use std::path::PathBuf;

use super::limits::{MAX_DEPTH, MAX_FILES, MAX_RATIO, TooLarge};
use super::{MANIFEST, RESULTS, SUMS};

/// An error of a lower layer.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A bundle that cannot be read, made or written. The variants' messages say what each means.
#[allow(missing_docs)]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot resolve {}", path.display())]
    Resolve { path: PathBuf, source: io::Error },
    #[error(
        "{} is not a bundle: it has none of {SUMS}, {MANIFEST}, {RESULTS}; name a folder that `mnist-report build` \
         made, or its zip",
        .0.display()
    )]
    NotABundle(PathBuf),
    #[error("{} is neither a folder nor a zip file", .0.display())]
    NotAFile(PathBuf),
    #[error("{}: folders are nested deeper than {MAX_DEPTH}, which no bundle needs", .0.display())]
    TooDeep(PathBuf),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("{}", path.display())]
    Zip { path: PathBuf, source: ZipError },

    /// A file of a bundle that is needed.
    #[error("{file} is missing")]
    Missing { file: String },
    #[error("{file}")]
    Content { file: String, source: Cause },
    #[error(
        "{} has results of libtorch {libtorch}, arithmetic {arithmetic}, which this program cannot reproduce: build \
         the study again",
        path.display()
    )]
    OtherArithmetic { path: PathBuf, libtorch: String, arithmetic: u32 },
    /// A study with file, line and key.
    #[error(transparent)]
    Study(Cause),
    #[error(transparent)]
    Render(Cause),

    #[error("{} is a file; --out names the bundle's folder", .0.display())]
    FolderIsFile(PathBuf),
    #[error("{} contains something that is not a bundle; move it or name another folder with --out", .0.display())]
    Occupied(PathBuf),
    #[error("{} does not belong to the bundle in this folder and would be lost; move it elsewhere first", .0.display())]
    NotListed(PathBuf),
    #[error(
        "{} was changed since it was written, and the change would be lost; move it elsewhere first",
        .0.display()
    )]
    Edited(PathBuf),
    #[error("a bundle cannot be the root folder")]
    Root,

    #[error("{} is not a bundle's folder: name one that `mnist-report build` made", .0.display())]
    NotAFolder(PathBuf),
    #[error("{} has no name to derive the zip's from; name the zip with --out", .0.display())]
    Unnamed(PathBuf),
    #[error("{} is inside the bundle; name a place outside with --out", .0.display())]
    ZipInside(PathBuf),
    #[error("{} is a folder; --out names the zip", .0.display())]
    ZipIsFolder(PathBuf),
    #[error("{} exists but is not a zip file; name another file with --out", .0.display())]
    ZipOccupied(PathBuf),
    #[error(
        "{} is damaged and cannot be published: {first}{}; build it again, or see `mnist-report verify`",
        path.display(),
        if *others > 0 { format!(" and {others} more") } else { String::new() }
    )]
    Damaged { path: PathBuf, first: String, others: usize },
    #[error("cannot pack {file}")]
    Pack { file: String, source: Cause },
}

/// A zip that is not read at all. The variants' messages say what each means.
#[allow(missing_docs)]
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    #[error("is larger than the zip of any bundle")]
    Size,
    #[error("is not a zip file, or was cut off: have it sent again{}", .0.as_ref().map(|e| format!(" ({e})")).unwrap_or_default())]
    NotAZip(Option<String>),
    #[error("lists {0} entries; a bundle has at most {MAX_FILES}")]
    TooManyEntries(u16),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(
        "{name:?} claims to unpack from {packed} bytes to {size}, more than {MAX_RATIO} times: no file of a bundle does"
    )]
    Bomb { name: String, packed: u64, size: u64 },
    #[error("cannot read its list of files: {0}")]
    List(String),
}

impl Error {
    /// A file of the bundle whose content cannot be read.
    pub(super) fn content(file: &str, source: impl Into<Cause>) -> Self {
        Self::Content { file: file.to_owned(), source: source.into() }
    }

    /// Makes the error of a path that cannot be read, for `map_err`.
    pub(super) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Read { path, source }
    }

    /// Makes the error of a path that cannot be written, for `map_err`.
    pub(super) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Write { path, source }
    }
}
