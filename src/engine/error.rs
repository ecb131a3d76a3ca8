//! The engine's error type.

/// What can go wrong in the engine.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Error {
    #[error("no GPU {index} for --device cuda: {reason}; use --device cpu, or `make libtorch CUDA=1`")]
    NoGpu { index: usize, reason: Box<Error> },
    #[error("libtorch finds no GPU")]
    NoGpuFound,
    #[error("this machine has {0}, numbered from 0")]
    GpuCount(i64),
    #[error("cannot create a CUDA stream: {0}; use --device cpu")]
    NoStream(Box<Error>),
    #[error("libtorch did not accept the settings for reproducible results")]
    Settings,
    /// The first line of libtorch's or CUDA's message.
    #[error("{0}")]
    Libtorch(String),
}
