//! `global_avg_pool`: the mean of each channel, as `torch.nn.AdaptiveAvgPool2d(1)` followed by `torch.nn.Flatten`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{FixedCost, LayerConfig, LayerError, function, image, named};

/// The mean over height and width; `[C, H, W] -> [C]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalAvgPool {
    pub name: Option<String>,
}

impl LayerConfig for GlobalAvgPool {
    named!("global_pool");

    fn fixed_cost(&self) -> FixedCost {
        FixedCost { image: 1.2e5, step: 5.5e7 }
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        image(input).map(|(channels, ..)| vec![channels])
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())".to_owned()
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(format!("torch.flatten({}, 1)", function("adaptive_avg_pool2d", x, &[1], &[])))
    }

    fn passes_channel_shifts(&self) -> bool {
        true
    }
}
