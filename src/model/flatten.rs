//! `flatten`: `torch.nn.Flatten`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, named};

/// `torch.nn.Flatten`; `[C, H, W] -> [C·H·W]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Flatten {
    pub name: Option<String>,
}

impl LayerConfig for Flatten {
    named!("flatten");

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        Ok(vec![input.iter().product()])
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.Flatten()".to_owned()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(format!("torch.flatten({x}, 1)"))
    }

    fn passes_channel_shifts(&self) -> bool {
        true
    }
}
