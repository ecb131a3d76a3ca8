//! `leaky_relu`: `torch.nn.LeakyReLU`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, call, function, named, range, unless_default};

/// `torch.nn.LeakyReLU`: x where x > 0, else `negative_slope`·x; keeps the shape.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct LeakyRelu {
    pub name: Option<String>,
    pub negative_slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self { name: None, negative_slope: 0.01 }
    }
}

impl LeakyRelu {
    fn keywords(&self) -> [(&'static str, Option<String>); 1] {
        [("negative_slope", unless_default(&Self::default().negative_slope, &self.negative_slope))]
    }
}

impl LayerConfig for LeakyRelu {
    named!("leaky_relu");

    fn check(&self) -> Result<(), LayerError> {
        range("negative_slope", self.negative_slope, self.negative_slope.is_finite(), "finite")
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        call::<usize>("LeakyReLU", &[], &self.keywords())
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(function("leaky_relu", x, &[], &self.keywords()))
    }

    fn is_activation(&self) -> bool {
        true
    }
}
