//! `batch_norm2d`: `torch.nn.BatchNorm2d`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch_norm;
use super::layer::{LayerConfig, LayerError, TensorSpec, named};

/// `torch.nn.BatchNorm2d`; keeps the shape `[C, H, W]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm2d {
    pub name: Option<String>,
    pub eps: f64,
    pub momentum: f64,
}

impl Default for BatchNorm2d {
    fn default() -> Self {
        Self { name: None, eps: batch_norm::EPS, momentum: batch_norm::MOMENTUM }
    }
}

impl LayerConfig for BatchNorm2d {
    named!("bn");

    fn check(&self) -> Result<(), LayerError> {
        batch_norm::check(self.eps, self.momentum)
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        match input {
            [_, _, _] => Ok(input.to_vec()),
            _ => Err(LayerError::FlatNorm { input: input.to_vec() }),
        }
    }

    fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
        batch_norm::parameters(input)
    }

    fn buffers(&self, input: &[usize]) -> Vec<TensorSpec> {
        batch_norm::buffers(input)
    }

    fn formula(&self, input: &[usize]) -> String {
        batch_norm::formula(input)
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn pytorch(&self, input: &[usize]) -> String {
        batch_norm::pytorch("BatchNorm2d", input, self.eps, self.momentum)
    }

    fn cancels_channel_shifts(&self) -> bool {
        true
    }

    fn has_channel_bias(&self) -> bool {
        true
    }
}
