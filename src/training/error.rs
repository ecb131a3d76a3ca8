//! Why a training could not be finished.

use std::path::PathBuf;

use thiserror::Error;

use crate::engine;
use crate::tensors::TensorError;

/// A training that diverged, or that this machine cannot do.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum TrainingError {
    #[error(transparent)]
    Engine(#[from] engine::Error),
    #[error("training of `{run}` (seed {seed}): {reason}")]
    Libtorch { run: String, seed: u64, reason: String },
    #[error("test loss of `{run}` became {loss} after epoch {epoch}: lower its learning rate")]
    Diverged { run: String, loss: f64, epoch: usize },
    #[error("cannot create a temporary folder (set TMPDIR to a folder with room)")]
    TemporaryFolder(#[source] std::io::Error),
    #[error("cannot write {} (set TMPDIR to a folder with room)", path.display())]
    TemporaryFile { path: PathBuf, source: std::io::Error },
    #[error("cannot read {}", path.display())]
    Reread { path: PathBuf, source: std::io::Error },
    #[error("{}", path.display())]
    Tensors { path: PathBuf, source: TensorError },
    #[error("sending {images} images through `{model}`: {reason}")]
    Trace { images: usize, model: String, reason: String },
    #[error("`{model}` differs from its computed shapes: {difference}; please report this bug")]
    Shapes { model: String, difference: String },
}
