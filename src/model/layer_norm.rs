//! `layer_norm`: `torch.nn.LayerNorm`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{FixedCost, Init, LayerConfig, LayerError, TensorSpec, eps, named, unless_default};

/// `torch.nn.LayerNorm` over the whole shape of one image; keeps the shape.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct LayerNorm {
    pub name: Option<String>,
    pub eps: f64,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self { name: None, eps: 1e-5 }
    }
}

impl LayerConfig for LayerNorm {
    named!("ln");

    fn fixed_cost(&self) -> FixedCost {
        FixedCost { image: 1.2e5, step: 5e6 }
    }

    fn check(&self) -> Result<(), LayerError> {
        eps(self.eps)
    }

    fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
        vec![TensorSpec::new("weight", input, Init::Ones), TensorSpec::new("bias", input, Init::Zeros)]
    }

    fn formula(&self, input: &[usize]) -> String {
        let sizes: Vec<String> = input.iter().map(usize::to_string).collect();
        format!("2·{}", sizes.join("·"))
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn is_normalisation(&self) -> bool {
        true
    }

    fn pytorch(&self, input: &[usize]) -> String {
        let eps =
            unless_default(&Self::default().eps, &self.eps).map_or_else(String::new, |eps| format!(", eps={eps}"));
        format!("nn.LayerNorm({input:?}{eps})")
    }
}
