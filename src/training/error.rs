//! Why a training could not be finished.

use std::path::PathBuf;

use thiserror::Error;

use super::Unfinished;
use crate::compute;
use crate::results::NotFinite;
use crate::tensors::TensorError;

/// A training that this machine cannot do.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum TrainingError {
    #[error(transparent)]
    Device(#[from] compute::Error),
    #[error("training of `{run}` (seed {seed}): {reason}")]
    Failed { run: String, seed: u64, reason: String },
    /// Ends a training and never a build: `Prepared::run` returns it as an outcome.
    #[error("{0}")]
    Diverged(NotFinite),
    /// What follows a training has asked to end it, and its plan has no segment that ends there.
    #[error("ended after epoch {epoch}")]
    Ended { epoch: usize },
    #[error("cannot use a temporary file for the states of the training (set TMPDIR to a folder with room)")]
    TemporaryFile(#[source] std::io::Error),
    #[error("cannot write {} (make room there, or name another folder with MNIST_REPORT_CACHE)", path.display())]
    Store { path: PathBuf, source: std::io::Error },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}", path.display())]
    Tensors { path: PathBuf, source: TensorError },
    #[error("sending {images} images through `{model}`: {reason}")]
    Trace { images: usize, model: String, reason: String },
    #[error("`{model}` differs from its computed shapes: {difference}; please report this bug")]
    Shapes { model: String, difference: String },
}

impl TrainingError {
    /// For `map_err`.
    pub(super) fn store(folder: &Unfinished, step: usize) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Store { path: folder.state_path(step), source }
    }

    /// For `map_err`.
    pub(super) fn read(folder: &Unfinished, step: usize) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read { path: folder.state_path(step), source }
    }
}
