//! `gelu`: `torch.nn.GELU`.

use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, named};

/// `torch.nn.GELU` (with the exact Gaussian, not the tanh approximation); keeps the shape.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Gelu {
    pub name: Option<String>,
}

impl LayerConfig for Gelu {
    named!("gelu");

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        Ok(input.to_vec())
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.GELU()".to_owned()
    }
}
