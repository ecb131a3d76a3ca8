//! Errors of the engine.

/// What can go wrong in the engine.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Error {
    #[error("{0} (`make libtorch CUDA=1` installs libtorch's CUDA libraries)")]
    NoGpu(Box<Error>),
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
