//! Why a bundle cannot be read, made or written.

use std::io;
use std::path::{Path, PathBuf};

use super::manifest::MANIFEST_SCHEMA;
use super::{MANIFEST, RESULTS, STUDY};
use crate::dataset::DatasetError;
use crate::report;
use crate::results::{LossesError, ResultsError};
use crate::study::StudyError;
use crate::tensors::TensorError;

/// A bundle that cannot be read, made or written.
#[expect(missing_docs, reason = "the messages describe the variants")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot write the bundle in {} (name another folder with --out)", path.display())]
    Place { path: PathBuf, source: io::Error },
    #[error("{} {reason}", path.display())]
    Refused { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Zip { path: PathBuf, reason: String },
    #[error(
        "{} is damaged and cannot be published: {first}{}; {advice}",
        path.display(),
        if *others > 0 { format!(" and {others} more") } else { String::new() }
    )]
    Damaged { path: PathBuf, first: String, others: usize, advice: &'static str },

    #[error("{0} is missing")]
    Missing(String),
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    #[error("{MANIFEST}: does not follow the schema")]
    Manifest(#[from] serde_json::Error),
    #[error(
        "{MANIFEST} has schema {found}, that of {} mnist-report than this one, which reads schema {MANIFEST_SCHEMA}: use the version that \
         wrote it, or build the study again",
        if *found < MANIFEST_SCHEMA { "an older" } else { "a newer" }
    )]
    ManifestSchema { found: u32 },
    #[error("{RESULTS}")]
    Results(#[from] ResultsError),
    #[error(
        "{RESULTS}: computed with arithmetic {arithmetic}, which this program cannot reproduce; build the study again"
    )]
    OtherArithmetic { arithmetic: u32 },
    #[error("{STUDY}: models.{name}: {parameters} parameters, but a bundle holds at most {most}")]
    LargeModel { name: String, parameters: u64, most: u64 },
    #[error("{file}")]
    Predictions { file: String, source: DatasetError },
    #[error("{file}")]
    Weights { file: String, source: TensorError },
    #[error("{file}")]
    Losses { file: String, source: LossesError },
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Report(#[from] report::Error),
    #[error("cannot pack the bundle")]
    Pack(#[from] zip::result::ZipError),
}

impl Error {
    /// Whether the bundle was written by a version of the program whose files have another format.
    pub(crate) fn is_of_another_version(&self) -> bool {
        matches!(self, Self::ManifestSchema { .. } | Self::Results(ResultsError::Schema { .. }))
    }

    pub(super) fn refused(path: &Path, reason: impl Into<String>) -> Self {
        Self::Refused { path: path.to_owned(), reason: reason.into() }
    }

    /// For `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io("read", path)
    }

    /// For `map_err`.
    pub(super) fn place(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Place { path: path.to_owned(), source }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io("write", path)
    }
}
