//! `tanh`: `torch.nn.Tanh`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, named};

/// `torch.nn.Tanh`: the hyperbolic tangent; keeps the shape.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Tanh {
    pub name: Option<String>,
}

impl LayerConfig for Tanh {
    named!("tanh");

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.Tanh()".to_owned()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(format!("torch.tanh({x})"))
    }

    fn is_activation(&self) -> bool {
        true
    }
}
