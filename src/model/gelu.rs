//! `gelu`: `torch.nn.GELU`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{FixedCost, LayerConfig, function, named};

/// `torch.nn.GELU` (with the exact Gaussian, not the tanh approximation); keeps the shape.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Gelu {
    pub name: Option<String>,
}

impl LayerConfig for Gelu {
    named!("gelu");

    fn fixed_cost(&self) -> FixedCost {
        FixedCost { image: 4e4, step: 4e5 }
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.GELU()".to_owned()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(function("gelu", x, &[], &[]))
    }

    fn is_activation(&self) -> bool {
        true
    }
}
