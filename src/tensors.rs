//! Named tensors in host memory, and safetensors files of them.

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

/// Errors in a safetensors file.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum TensorError {
    #[error("is not a safetensors file")]
    Format(#[from] SafeTensorError),
    #[error("is not written as mnist-report writes safetensors files")]
    Form,
    #[error("{name} is {found:?}; float32 is expected")]
    Type { name: String, found: Dtype },
}

/// Why tensors are not those of a network or of its optimizer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum LoadError {
    #[error("tensor {0} is missing")]
    Missing(String),
    #[error("tensor {name} has shape {found:?}, but the model needs {needed:?}")]
    Shape { name: String, found: Vec<usize>, needed: Vec<usize> },
    #[error("there are {found} tensors, but the {owner} has {needed}")]
    Count { found: usize, needed: usize, owner: &'static str },
}

/// A tensor in host memory: PyTorch's name, shape, values in row-major order.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct NamedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// The prefix of an optimizer's tensors in the state of a training.
    pub const OPTIMIZER: &str = "optimizer.";

    /// Whether it belongs to the optimizer; otherwise it belongs to the network.
    pub fn is_optimizer_state(&self) -> bool {
        self.name.starts_with(Self::OPTIMIZER)
    }

    /// Whether it is a running statistic of a batch normalisation.
    pub fn is_buffer(&self) -> bool {
        self.name.contains(".running_")
    }
}

/// The values of the tensor with this name and shape.
///
/// # Errors
/// [`LoadError::Missing`] or [`LoadError::Shape`].
pub fn values_of<'t>(tensors: &'t [NamedTensor], name: &str, shape: &[usize]) -> Result<&'t [f32], LoadError> {
    let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
        return Err(LoadError::Missing(name.to_owned()));
    };
    if tensor.shape != shape {
        let (found, needed) = (tensor.shape.clone(), shape.to_owned());
        return Err(LoadError::Shape { name: name.to_owned(), found, needed });
    }
    Ok(&tensor.values)
}

/// Checks that there are as many tensors as their owner, the model or the optimizer, needs.
///
/// # Errors
/// [`LoadError::Count`].
pub fn check_count(tensors: &[NamedTensor], owner: &'static str, needed: usize) -> Result<(), LoadError> {
    let found = tensors.len();
    if found == needed { Ok(()) } else { Err(LoadError::Count { found, needed, owner }) }
}

/// How the first of two lists of tensors differs from the second, in one line: the first tensor with other bits, with
/// the number of values that differ in it. `None` if the lists are equal bit for bit.
pub fn first_difference(found: &[NamedTensor], expected: &[NamedTensor]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} tensors instead of {}", found.len(), expected.len()));
    }
    found.iter().zip(expected).find_map(|(found, expected)| {
        if (&found.name, &found.shape) != (&expected.name, &expected.shape) {
            return Some(format!("{} {:?} instead of {} {:?}", found.name, found.shape, expected.name, expected.shape));
        }
        values_difference(&found.values, &expected.values).map(|why| format!("{}: {why}", found.name))
    })
}

/// Like [`first_difference`], for the values of one tensor. All NaN count as equal, because their bits depend on the
/// hardware.
pub fn values_difference(found: &[f32], expected: &[f32]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} values instead of {}", found.len(), expected.len()));
    }
    let is_same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let mut differ = found.iter().zip(expected).filter(|(a, b)| !is_same(**a, **b));
    let (first, instead) = differ.next()?;
    Some(format!("{} of {} values differ, the first is {first} instead of {instead}", 1 + differ.count(), found.len()))
}

/// Writes tensors as a safetensors file; the same tensors give the same bytes.
///
/// # Panics
/// If a shape does not fit its values, or a name is repeated.
pub fn to_safetensors(tensors: &[NamedTensor]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|(t, b)| {
        let view = TensorView::new(Dtype::F32, t.shape.clone(), b).expect("a shape that fits its values");
        (t.name.as_str(), view)
    });
    safetensors::serialize(views, None).expect("tensors with different names")
}

/// Reads the tensors of a file that [`to_safetensors`] wrote.
///
/// # Errors
/// The bytes are not a safetensors file, a tensor is not float32, or the file has something else: other programs could read another
/// tensor in it, and the same tensors would have another hash.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<NamedTensor>, TensorError> {
    let file = SafeTensors::deserialize(bytes)?;
    let tensors: Result<Vec<NamedTensor>, TensorError> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(TensorError::Type { name, found: view.dtype() });
            }
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(NamedTensor { name, shape: view.shape().to_vec(), values })
        })
        .collect();
    let tensors = tensors?;
    if to_safetensors(&tensors) == bytes { Ok(tensors) } else { Err(TensorError::Form) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two texts of one header would be two readings of a file, or two hashes of the same weights.
    #[test]
    fn only_files_in_the_programs_own_form_are_read() {
        let tensor = |name: &str, values: &[f32]| NamedTensor {
            name: name.to_owned(),
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        let tensors = [tensor("a.weight", &[1.0, -0.0, 3.5]), tensor("b.bias", &[f32::NAN])];
        let bytes = to_safetensors(&tensors);
        let mut read = from_safetensors(&bytes).unwrap();
        read.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(first_difference(&read, &tensors), None);
        let size = usize::from_le_bytes(bytes[..8].try_into().unwrap());
        let (header, data) = (std::str::from_utf8(&bytes[8..8 + size]).unwrap(), &bytes[8 + size..]);
        let with_header = |header: &str| {
            let padded = format!("{header:width$}", width = header.len().next_multiple_of(8));
            [&(padded.len() as u64).to_le_bytes()[..], padded.as_bytes(), data].concat()
        };
        assert_eq!(with_header(header), bytes);
        for other in [
            header.replacen('{', "{\"__metadata__\":{\"by\":\"me\"},", 1),
            format!("{header}{}", " ".repeat(800)),
            header.replacen(
                "{\"a.weight\":",
                "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12]},\"a.weight\":",
                1,
            ),
        ] {
            assert_ne!(other, header);
            let error = from_safetensors(&with_header(&other)).unwrap_err();
            assert!(matches!(error, TensorError::Form | TensorError::Format(_)), "{other}: {error}");
        }
    }
}
