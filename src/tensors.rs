//! Named tensors in host memory, and reading and writing them as safetensors files.

use anyhow::{Context, Result, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A tensor in host memory: its name in PyTorch, its shape and its values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// Prefix of the names of an optimizer's tensors in a training's state.
    pub(crate) const OPTIMIZER: &str = "optimizer.";

    /// Whether it belongs to the optimizer and not to the network.
    pub fn is_optimizer_state(&self) -> bool {
        self.name.starts_with(Self::OPTIMIZER)
    }

    /// Whether it is a running statistic of batch normalisation.
    pub fn is_buffer(&self) -> bool {
        self.name.contains(".running_")
    }
}

/// Encodes tensors as a safetensors file. Equal tensors give equal bytes.
///
/// # Errors
/// A tensor's shape does not fit its values. Tensors of this program never cause it.
pub fn to_safetensors(tensors: &[NamedTensor]) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|(t, b)| Ok((t.name.as_str(), TensorView::new(Dtype::F32, t.shape.clone(), b)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// Decodes the tensors of a safetensors file.
///
/// # Errors
/// The bytes are not a safetensors file, or a tensor is not float32.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<NamedTensor>> {
    let file = SafeTensors::deserialize(bytes).context("is not a safetensors file")?;
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            ensure!(view.dtype() == Dtype::F32, "{name} has type {:?}; expected float32", view.dtype());
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(NamedTensor { name, shape: view.shape().to_vec(), values })
        })
        .collect()
}
