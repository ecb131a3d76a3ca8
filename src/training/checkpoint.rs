//! A checkpoint: everything that a training needs to go on after an epoch. All random numbers come from streams keyed by
//! seed, purpose, epoch and step, so no generator has a state to store.

use serde::{Deserialize, Serialize};

use super::evidence::Recorded;
use crate::digest::sha256_hex;
use crate::results::{EpochResult, StepResult, read_losses, write_losses};
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};

/// The version of the file's format.
const SCHEMA: u32 = 3;

/// The state of a training between two epochs.
pub(super) struct Checkpoint {
    /// Steps done.
    pub done: usize,
    /// Weights, buffers and optimizer state.
    pub state: Vec<NamedTensor>,
    pub epochs: Vec<EpochResult>,
    pub within_epochs: Vec<StepResult>,
    /// The mean loss of each step.
    pub losses: Vec<f32>,
    /// The network of the best epoch so far; none if the last one is reported.
    pub best: Vec<NamedTensor>,
    pub recorded: Recorded,
}

/// The first part of the file, one line of JSON. It is followed by the state, the losses, the best network and the sketches.
#[derive(Serialize, Deserialize)]
struct Header {
    schema: u32,
    key: String,
    done: usize,
    epochs: Vec<EpochResult>,
    within_epochs: Vec<StepResult>,
    recorded: Recorded,
    /// Bytes of the state.
    state: usize,
    /// Bytes of the losses.
    losses: usize,
    /// Bytes of the best network.
    best: usize,
}

impl Checkpoint {
    /// The file of a checkpoint: a digest of the rest, the header, the tensors. `key` identifies the training.
    pub(super) fn to_bytes(&self, key: &str) -> Vec<u8> {
        let [state, best] = [&self.state, &self.best].map(|tensors| to_safetensors(tensors));
        let losses = write_losses(&self.losses);
        let header = Header {
            schema: SCHEMA,
            key: key.to_owned(),
            done: self.done,
            epochs: self.epochs.clone(),
            within_epochs: self.within_epochs.clone(),
            recorded: self.recorded.clone(),
            state: state.len(),
            losses: losses.len(),
            best: best.len(),
        };
        let header = serde_json::to_vec(&header).expect("plain values");
        let rest = [&header, &b"\n"[..], &state, &losses, &best, &self.recorded.sketches()].concat();
        [sha256_hex(&rest).as_bytes(), b"\n", &rest].concat()
    }

    /// Reads a checkpoint. `None` if it is damaged, in another format or of another training.
    pub(super) fn from_bytes(bytes: &[u8], key: &str) -> Option<Self> {
        let (digest, rest) = line(bytes)?;
        if digest != sha256_hex(rest).as_bytes() {
            return None;
        }
        let (header, tensors) = line(rest)?;
        let Header { schema, key: found, done, epochs, within_epochs, mut recorded, state, losses, best } =
            serde_json::from_slice(header).ok()?;
        if schema != SCHEMA || found != key {
            return None;
        }
        let (state, rest) = tensors.split_at_checked(state)?;
        let (losses, rest) = rest.split_at_checked(losses)?;
        let (best, sketches) = rest.split_at_checked(best)?;
        recorded.read_sketches(sketches)?;
        let losses = read_losses(losses).ok()?;
        let [state, best] = [state, best].map(|tensors| from_safetensors(tensors).ok());
        Some(Self { done, state: state?, epochs, within_epochs, losses, best: best?, recorded })
    }
}

/// The first line and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}
