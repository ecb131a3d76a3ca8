//! `dropout`: `torch.nn.Dropout`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, named, range};

/// `torch.nn.Dropout`: zeroes each value with probability `p` while training; keeps the shape.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Dropout {
    pub name: Option<String>,
    pub p: f64,
}

impl Default for Dropout {
    fn default() -> Self {
        Self { name: None, p: 0.5 }
    }
}

impl LayerConfig for Dropout {
    named!("dropout");

    fn check(&self) -> Result<(), LayerError> {
        range("p", self.p, (0.0..1.0).contains(&self.p), "at least 0 and below 1")
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        format!("nn.Dropout({:?})", self.p)
    }

    fn passes_channel_shifts(&self) -> bool {
        self.p == 0.0
    }
}
