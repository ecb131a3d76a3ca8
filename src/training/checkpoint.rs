//! A checkpoint: everything that a training needs to go on after an epoch. All random numbers come from streams keyed by
//! seed, purpose, epoch and step, so no generator has a state to store.

use serde::{Deserialize, Serialize};

use super::evidence::Recorded;
use crate::digest::sha256_hex;
use crate::results::{EpochResult, read_losses, write_losses};
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};

/// The version of the file's format.
const SCHEMA: u32 = 2;

/// The state of a training between two epochs.
pub(super) struct Checkpoint {
    /// Steps done.
    pub done: usize,
    /// Weights, buffers and optimizer state.
    pub state: Vec<NamedTensor>,
    pub epochs: Vec<EpochResult>,
    /// The mean loss of each step.
    pub losses: Vec<f32>,
    pub recorded: Recorded,
}

/// The first part of the file, one line of JSON. It is followed by the state, the losses and the sketches.
#[derive(Serialize, Deserialize)]
struct Header {
    schema: u32,
    key: String,
    done: usize,
    epochs: Vec<EpochResult>,
    recorded: Recorded,
    /// Bytes of the state.
    state: usize,
    /// Bytes of the losses.
    losses: usize,
}

impl Checkpoint {
    /// The file of a checkpoint: a digest of the rest, the header, the tensors. `key` identifies the training.
    pub(super) fn to_bytes(&self, key: &str) -> Vec<u8> {
        let (state, losses) = (to_safetensors(&self.state), write_losses(&self.losses));
        let header = Header {
            schema: SCHEMA,
            key: key.to_owned(),
            done: self.done,
            epochs: self.epochs.clone(),
            recorded: self.recorded.clone(),
            state: state.len(),
            losses: losses.len(),
        };
        let header = serde_json::to_vec(&header).expect("plain values");
        let rest = [&header, &b"\n"[..], &state, &losses, &self.recorded.sketches()].concat();
        [sha256_hex(&rest).as_bytes(), b"\n", &rest].concat()
    }

    /// Reads a checkpoint. `None` if it is damaged, in another format or of another training.
    pub(super) fn from_bytes(bytes: &[u8], key: &str) -> Option<Self> {
        let (digest, rest) = line(bytes)?;
        if digest != sha256_hex(rest).as_bytes() {
            return None;
        }
        let (header, tensors) = line(rest)?;
        let Header { schema, key: found, done, epochs, mut recorded, state, losses } =
            serde_json::from_slice(header).ok()?;
        if schema != SCHEMA || found != key {
            return None;
        }
        let (state, rest) = tensors.split_at_checked(state)?;
        let (losses, sketches) = rest.split_at_checked(losses)?;
        recorded.read_sketches(sketches)?;
        let losses = read_losses(losses).ok()?;
        Some(Self { done, state: from_safetensors(state).ok()?, epochs, losses, recorded })
    }
}

/// The first line and what follows it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}
