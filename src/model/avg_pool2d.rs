//! `avg_pool2d`: `torch.nn.AvgPool2d` with square windows.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, Window, named};
use super::pool;
use super::settings::{Pair, optional_side, side};

/// `torch.nn.AvgPool2d`: the mean of each window; `[C, H, W] -> [C, H', W']`. The stride defaults to the window.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    pub name: Option<String>,
    #[serde(deserialize_with = "side")]
    #[schemars(with = "Pair")]
    pub kernel_size: usize,
    #[serde(default, deserialize_with = "optional_side")]
    #[schemars(with = "Option<Pair>")]
    pub stride: Option<usize>,
    #[serde(default, deserialize_with = "side")]
    #[schemars(with = "Pair")]
    pub padding: usize,
}

impl AvgPool2d {
    /// The stride in effect, in pixels.
    pub fn stride(&self) -> usize {
        self.stride.unwrap_or(self.kernel_size)
    }
}

impl LayerConfig for AvgPool2d {
    named!("pool");

    fn check(&self) -> Result<(), LayerError> {
        pool::check(self.kernel_size, self.stride(), self.padding)
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        pool::output_shape(input, self.kernel_size, self.stride(), self.padding)
    }

    fn window(&self) -> Option<Window> {
        Some(Window::square(self.kernel_size, self.stride(), self.padding))
    }

    fn loop_cost(&self, _input: &[usize], output: &[usize]) -> f64 {
        pool::loop_cost(self.kernel_size, output)
    }

    fn padding(&self) -> [usize; 2] {
        [2 * self.padding; 2]
    }

    fn pytorch(&self, _input: &[usize]) -> String {
        pool::pytorch("AvgPool2d", self.kernel_size, self.stride(), self.padding)
    }

    fn pytorch_function(&self, x: &str) -> Option<String> {
        Some(pool::pytorch_function("avg_pool2d", x, self.kernel_size, self.stride(), self.padding))
    }

    fn passes_channel_shifts(&self) -> bool {
        // Zeros of the padding are not shifted.
        self.padding == 0
    }
}
