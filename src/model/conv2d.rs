//! `conv2d`: `torch.nn.Conv2d` with square kernels.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{
    Init, LayerConfig, LayerError, TensorSpec, Window, call, default_bias, image, named, padding, positive,
    unless_default, weight_and_bias, window,
};
use super::settings::{Padding, Side, side};

/// `torch.nn.Conv2d`; `[in_channels, H, W] -> [out_channels, H', W']`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(try_from = "TypedConv2d")]
pub struct Conv2d {
    pub name: Option<String>,
    pub out_channels: usize,
    pub kernel_size: usize,
    pub stride: usize,
    pub padding: usize,
    pub groups: usize,
    pub bias: bool,
}

/// A convolution as typed: its padding may be a word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Conv2d")]
struct TypedConv2d {
    name: Option<String>,
    out_channels: usize,
    #[serde(deserialize_with = "side")]
    #[schemars(with = "Side")]
    kernel_size: usize,
    #[serde(default = "one", deserialize_with = "side")]
    #[schemars(with = "Side")]
    stride: usize,
    #[serde(default)]
    padding: Padding,
    #[serde(default = "one")]
    groups: usize,
    #[serde(default = "default_bias")]
    bias: bool,
}

impl TryFrom<TypedConv2d> for Conv2d {
    type Error = String;

    fn try_from(typed: TypedConv2d) -> Result<Self, String> {
        let TypedConv2d { name, out_channels, kernel_size, stride, padding, groups, bias } = typed;
        let padding = padding.pixels(kernel_size, stride)?;
        Ok(Self { name, out_channels, kernel_size, stride, padding, groups, bias })
    }
}

fn one() -> usize {
    1
}

impl LayerConfig for Conv2d {
    named!("conv");

    fn check(&self) -> Result<(), LayerError> {
        positive("out_channels", self.out_channels)?;
        positive("kernel_size", self.kernel_size)?;
        positive("stride", self.stride)?;
        positive("groups", self.groups)?;
        padding(self.padding)
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        let (inputs, height, width) = image(input)?;
        let (groups, outputs) = (self.groups, self.out_channels);
        if inputs % groups != 0 || outputs % groups != 0 {
            return Err(LayerError::Groups { groups, inputs, outputs });
        }
        let (height, width) = window((height, width), self.kernel_size, self.stride, self.padding)?;
        Ok(vec![outputs, height, width])
    }

    fn window(&self) -> Option<Window> {
        Some(Window { kernel_size: self.kernel_size, stride: self.stride, padding: self.padding })
    }

    fn padding(&self) -> usize {
        self.padding
    }

    fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
        let k = self.kernel_size;
        let in_group = input[0] / self.groups;
        weight_and_bias(vec![self.out_channels, in_group, k, k], Init::fan_in(in_group * k * k), self.bias)
    }

    fn formula(&self, input: &[usize]) -> String {
        let (k, in_group, outputs) = (self.kernel_size, input[0] / self.groups, self.out_channels);
        if self.bias {
            format!("({k}·{k}·{in_group} + 1)·{outputs}")
        } else {
            format!("{k}·{k}·{in_group}·{outputs}")
        }
    }

    fn mult_adds(&self, parameters: u64, output: &[usize]) -> u64 {
        parameters * (output[1] * output[2]) as u64
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn pytorch(&self, input: &[usize]) -> String {
        let keywords = [
            ("stride", unless_default(&one(), &self.stride)),
            ("padding", unless_default(&0, &self.padding)),
            ("groups", unless_default(&one(), &self.groups)),
            ("bias", (!self.bias).then(|| "False".to_owned())),
        ];
        call("Conv2d", &[input[0], self.out_channels, self.kernel_size], &keywords)
    }

    fn passes_channel_shifts(&self) -> bool {
        // Zeros of the padding are not shifted.
        self.padding == 0
    }

    fn has_channel_bias(&self) -> bool {
        self.bias
    }
}
