//! Errors of the devices that compute.

use super::LIBTORCH_PROGRAM;
use crate::tensors::LoadError;
use crate::text::closest::did_you_mean;

/// What can go wrong on a device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum Error {
    #[error("unknown device `{typed}`{} use auto, cpu, cuda or cuda:N", meant_device(typed))]
    UnknownDevice { typed: String },
    #[error("GPU {index} cannot be used: {why}; use --device cpu")]
    NoGpu { index: usize, why: String },
    /// This process does not have libtorch, but the executable beside it does.
    #[error("only {LIBTORCH_PROGRAM} can use GPU {index}: {why}")]
    NeedsLibtorch { index: usize, why: String },
    #[error("{LIBTORCH_PROGRAM} is not beside this program: build it with `make build`")]
    NoLibtorch,
    /// libtorch's or CUDA's message.
    #[error("{0}")]
    Libtorch(String),
    /// Epochs and steps count from 1.
    #[error("the training loss of epoch {epoch}, step {step} is not finite")]
    Diverged { epoch: usize, step: usize },
    /// Given tensors do not fit the network or the optimizer.
    #[error(transparent)]
    Tensors(#[from] LoadError),
}

/// A suggestion for a mistyped device, as part of a message.
fn meant_device(typed: &str) -> String {
    let plain: String = typed.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let number = plain.strip_prefix("cuda").or_else(|| plain.strip_prefix("gpu"));
    match number {
        Some("") => "; did you mean `cuda`?".to_owned(),
        Some(n) if n.bytes().all(|b| b.is_ascii_digit()) => format!("; did you mean `cuda:{n}`?"),
        _ => match did_you_mean(typed, ["auto", "cpu", "cuda"]) {
            meant if meant.is_empty() => ";".to_owned(),
            meant => meant,
        },
    }
}
