//! `batch_norm2d`: `torch.nn.BatchNorm2d`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{Init, LayerConfig, LayerError, TensorSpec, call, eps, image, named, range, unless_default};

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
        Self { name: None, eps: 1e-5, momentum: 0.1 }
    }
}

impl LayerConfig for BatchNorm2d {
    named!("bn");

    fn check(&self) -> Result<(), LayerError> {
        eps(self.eps)?;
        range("momentum", self.momentum, (0.0..=1.0).contains(&self.momentum), "from 0 to 1")
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        image(input)?;
        Ok(input.to_vec())
    }

    fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
        let channels = [input[0]];
        vec![TensorSpec::new("weight", channels, Init::Ones), TensorSpec::new("bias", channels, Init::Zeros)]
    }

    fn buffers(&self, input: &[usize]) -> Vec<TensorSpec> {
        let channels = [input[0]];
        vec![
            TensorSpec::new("running_mean", channels, Init::Zeros),
            TensorSpec::new("running_var", channels, Init::Ones),
        ]
    }

    fn formula(&self, input: &[usize]) -> String {
        format!("2·{}", input[0])
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn pytorch(&self, input: &[usize]) -> String {
        let default = Self::default();
        let keywords = [
            ("eps", unless_default(&default.eps, &self.eps)),
            ("momentum", unless_default(&default.momentum, &self.momentum)),
        ];
        call("BatchNorm2d", &[input[0]], &keywords)
    }

    fn cancels_channel_shifts(&self) -> bool {
        true
    }

    fn has_channel_bias(&self) -> bool {
        true
    }
}
