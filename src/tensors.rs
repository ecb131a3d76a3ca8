//! Named tensors outside the device, and the safetensors files they are stored in.

use anyhow::{Context, Result, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A tensor that has left the device: PyTorch's name, shape, values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// What the names of an optimizer's tensors start with in a training's state.
    pub(crate) const OPTIMIZER: &str = "optimizer.";

    /// Whether it is an optimizer's, of a training's state; else it is a network's.
    pub fn is_optimizers(&self) -> bool {
        self.name.starts_with(Self::OPTIMIZER)
    }

    /// Whether it is a running statistic.
    pub fn is_buffer(&self) -> bool {
        self.name.contains(".running_")
    }
}

/// Tensors as a safetensors file: same tensors, same bytes.
///
/// # Errors
/// None that tensors of this program can cause.
pub fn to_safetensors(tensors: &[NamedTensor]) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|(t, b)| Ok((t.name.as_str(), TensorView::new(Dtype::F32, t.shape.clone(), b)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// The tensors of a safetensors file.
///
/// # Errors
/// Not safetensors, or not float32.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<NamedTensor>> {
    let file = SafeTensors::deserialize(bytes).context("is not a safetensors file")?;
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            ensure!(view.dtype() == Dtype::F32, "{name} is {:?}; float32 is expected", view.dtype());
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(NamedTensor { name, shape: view.shape().to_vec(), values })
        })
        .collect()
}
