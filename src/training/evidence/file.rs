//! The evidence file of one seed: safetensors with tensors named `step420/state.conv1.weight`, `step420/sketch.parameters`.

use indexmap::IndexMap;
use thiserror::Error;

use super::Displacement;
use crate::tensors::{NamedTensor, TensorError, from_safetensors, to_safetensors};

const STATE: &str = "state.";
const PARAMETERS: &str = "sketch.parameters";
const BUFFERS: &str = "sketch.buffers";

/// What an evidence file stores of one segment.
#[derive(Clone, Debug, Default)]
pub struct SegmentEvidence {
    /// The state at its start; empty for the first segment, whose start follows from the seed.
    pub state: Vec<NamedTensor>,
    /// The sketched difference between its end and its start.
    pub displacement: Displacement,
}

/// Why a file is not evidence.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum EvidenceError {
    #[error(transparent)]
    Tensors(#[from] TensorError),
    #[error("holds a tensor `{0}`, which evidence does not have")]
    UnknownTensor(String),
    #[error("holds no segment")]
    Empty,
}

/// Writes the segments' evidence, by their first steps.
pub fn to_file(evidence: &IndexMap<usize, SegmentEvidence>) -> Vec<u8> {
    let mut tensors = Vec::new();
    for (step, e) in evidence {
        let named = |name: &str, t: &NamedTensor| NamedTensor { name: format!("step{step}/{name}"), ..t.clone() };
        tensors.extend(e.state.iter().map(|t| named(&format!("{STATE}{}", t.name), t)));
        for (name, values) in [(PARAMETERS, &e.displacement.parameters), (BUFFERS, &e.displacement.buffers)] {
            let shape = vec![values.len()];
            tensors.push(NamedTensor { name: format!("step{step}/{name}"), shape, values: values.clone() });
        }
    }
    to_safetensors(&tensors)
}

/// Reads the segments' evidence, by their first steps.
///
/// # Errors
/// Not safetensors, tensors under other names, or no segment.
pub fn from_file(bytes: &[u8]) -> Result<IndexMap<usize, SegmentEvidence>, EvidenceError> {
    let mut evidence: IndexMap<usize, SegmentEvidence> = IndexMap::new();
    for tensor in from_safetensors(bytes)? {
        let unknown = || EvidenceError::UnknownTensor(tensor.name.clone());
        let numbered = tensor.name.strip_prefix("step").and_then(|rest| rest.split_once('/'));
        let (step, name) = numbered.ok_or_else(unknown)?;
        let segment = evidence.entry(step.parse().map_err(|_| unknown())?).or_default();
        match name {
            PARAMETERS => segment.displacement.parameters = tensor.values,
            BUFFERS => segment.displacement.buffers = tensor.values,
            other => {
                let name = other.strip_prefix(STATE).ok_or_else(unknown)?.to_owned();
                segment.state.push(NamedTensor { name, ..tensor });
            }
        }
    }
    if evidence.is_empty() {
        return Err(EvidenceError::Empty);
    }
    evidence.sort_keys();
    Ok(evidence)
}
