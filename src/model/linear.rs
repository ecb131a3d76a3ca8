//! `linear`: `torch.nn.Linear`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{
    FixedCost, Init, LayerConfig, LayerError, TensorSpec, call, default_bias, named, positive, weight_and_bias,
};

/// `torch.nn.Linear`; `[in_features] -> [out_features]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    pub name: Option<String>,
    pub out_features: usize,
    #[serde(default = "default_bias")]
    pub bias: bool,
}

impl LayerConfig for Linear {
    named!("fc");

    fn fixed_cost(&self) -> FixedCost {
        FixedCost { image: 2e4, step: 1e6 }
    }

    fn check(&self) -> Result<(), LayerError> {
        positive("out_features", self.out_features)
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        match input {
            [_] => Ok(vec![self.out_features]),
            _ => Err(LayerError::NotFlat { input: input.to_vec() }),
        }
    }

    fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
        weight_and_bias(vec![self.out_features, input[0]], Init::fan_in(input[0]), self.bias)
    }

    fn formula(&self, input: &[usize]) -> String {
        let (inputs, outputs) = (input[0], self.out_features);
        if self.bias { format!("({inputs} + 1)·{outputs}") } else { format!("{inputs}·{outputs}") }
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn pytorch(&self, input: &[usize]) -> String {
        call("Linear", &[input[0], self.out_features], &[("bias", (!self.bias).then(|| "False".to_owned()))])
    }

    fn passes_channel_shifts(&self) -> bool {
        true
    }

    fn has_channel_bias(&self) -> bool {
        self.bias
    }
}
