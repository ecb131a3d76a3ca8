//! Why a study could not be built.

use std::path::PathBuf;

use thiserror::Error;

use crate::dataset::DatasetError;
use crate::results::ResultsError;
use crate::study::StudyError;
use crate::text::numbers::bytes;
use crate::training::TrainingError;
use crate::{bundle, compute};

/// What stopped a build.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum BuildError {
    #[error("cannot resolve {}", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    #[error("--jobs: a GPU does one training at a time; leave it out, or train on the CPU with --device cpu")]
    JobsOnGpu,
    #[error("--only: {0}")]
    UnknownTraining(String),
    #[error("cannot write the run cache in {}, where later builds find the trainings; name another folder with --cache", .0.display())]
    Cache(PathBuf),
    #[error("{name} was trained, but not stored in the run cache")]
    NotStored { name: String, source: std::io::Error },
    #[error("{} does not end in .yaml: name the bundle's folder with --out", .0.display())]
    NoExtension(PathBuf),
    #[error(
        "{} needs about {} free for {what}, but has {}; make room, or name another folder with {option}",
        path.display(), bytes(*needed), bytes(*free)
    )]
    Room { path: PathBuf, what: &'static str, needed: u64, free: u64, option: &'static str },
    #[error("SOURCE_DATE_EPOCH is `{0}`, but must be a number of seconds; correct or unset it")]
    SourceDateEpoch(String),
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Device(#[from] compute::Error),
    #[error(transparent)]
    Training(#[from] TrainingError),
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    Bundle(#[from] bundle::Error),
}
