//! What can go wrong on a device.

use super::LIBTORCH_PROGRAM;

/// What can go wrong on a device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum Error {
    #[error("unknown device `{0}`; use auto, cpu, cuda or cuda:N")]
    UnknownDevice(String),
    #[error(
        "--device cuda needs libtorch, and the program {LIBTORCH_PROGRAM} is not beside this one: build it with `make build`, or \
         use --device cpu"
    )]
    NoLibtorch,
    /// libtorch's or CUDA's message.
    #[error("{0}")]
    Libtorch(String),
    /// Epochs and steps count from 1.
    #[error("the training loss of epoch {epoch}, step {step} is not finite")]
    Diverged { epoch: usize, step: usize },
    /// Given tensors do not fit the network or the optimizer.
    #[error("{0}")]
    Tensors(String),
}
