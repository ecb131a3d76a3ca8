//! `relu`: `torch.nn.ReLU`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, function, named};

/// `torch.nn.ReLU`: max(x, 0); keeps the shape.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Relu {
    pub name: Option<String>,
}

impl LayerConfig for Relu {
    named!("relu");

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.ReLU()".to_owned()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(function("relu", x, &[], &[]))
    }

    fn is_activation(&self) -> bool {
        true
    }
}
