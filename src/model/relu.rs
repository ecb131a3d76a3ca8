//! `relu`: `torch.nn.ReLU`.

use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, named};

/// `torch.nn.ReLU`: max(x, 0); keeps the shape.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Relu {
    pub name: Option<String>,
}

impl LayerConfig for Relu {
    named!("relu");

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        Ok(input.to_vec())
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.ReLU()".to_owned()
    }
}
