//! `sigmoid`: `torch.nn.Sigmoid`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, named};

/// `torch.nn.Sigmoid`: 1 / (1 + exp(-x)); keeps the shape.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Sigmoid {
    pub name: Option<String>,
}

impl LayerConfig for Sigmoid {
    named!("sigmoid");

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.Sigmoid()".to_owned()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(format!("torch.sigmoid({x})"))
    }

    fn is_activation(&self) -> bool {
        true
    }
}
