//! `residual`: a shortcut around some layers (He et al. 2015).

#![expect(missing_docs, reason = "docs/study.md documents the settings")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LayerKind;
use super::layer::{LayerConfig, named};

/// x + f(x), where f is a list of layers that keep the shape.
///
/// In a [`Model`](super::Model), the layers of f come before it, so that this layer is the sum alone.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    pub name: Option<String>,
    pub layers: Vec<LayerKind>,
}

impl LayerConfig for Residual {
    named!("residual");

    fn pytorch(&self, _input: &[usize]) -> String {
        String::new()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(format!("x + {x}"))
    }

    fn passes_channel_shifts(&self) -> bool {
        true
    }
}
