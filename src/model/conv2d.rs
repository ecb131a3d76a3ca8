//! `conv2d`: `torch.nn.Conv2d`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{
    FixedCost, Init, LayerConfig, LayerError, TensorSpec, Window, call, default_bias, image, is_undilated, named,
    no_dilation, padding, positive, unless_default, weight_and_bias, window,
};
use super::settings::{Padding, Pair};

/// `torch.nn.Conv2d`; `[in_channels, H, W] -> [out_channels, H', W']`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(try_from = "TypedConv2d")]
pub struct Conv2d {
    pub name: Option<String>,
    pub out_channels: usize,
    pub kernel_size: Pair,
    pub stride: Pair,
    pub padding: Padding,
    #[serde(skip_serializing_if = "is_undilated")]
    pub dilation: Pair,
    pub groups: usize,
    pub bias: bool,
}

/// A convolution as typed: its padding may be a word that stands for a number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Conv2d")]
struct TypedConv2d {
    name: Option<String>,
    out_channels: usize,
    kernel_size: Pair,
    #[serde(default = "one_pixel")]
    stride: Pair,
    #[serde(default)]
    padding: Padding,
    #[serde(default = "no_dilation")]
    dilation: Pair,
    #[serde(default = "one")]
    groups: usize,
    #[serde(default = "default_bias")]
    bias: bool,
}

impl TryFrom<TypedConv2d> for Conv2d {
    type Error = String;

    fn try_from(typed: TypedConv2d) -> Result<Self, String> {
        let TypedConv2d { name, out_channels, kernel_size, stride, padding, dilation, groups, bias } = typed;
        let padding = padding.in_pixels(kernel_size, stride, dilation)?;
        Ok(Self { name, out_channels, kernel_size, stride, padding, dilation, groups, bias })
    }
}

fn one() -> usize {
    1
}

fn one_pixel() -> Pair {
    Pair::square(1)
}

impl Conv2d {
    /// Rows above and columns left of the input, then rows below and columns right of it.
    pub fn padding_around(&self) -> [[usize; 2]; 2] {
        self.padding.around(self.kernel_size, self.dilation)
    }
}

impl LayerConfig for Conv2d {
    named!("conv");

    fn check(&self) -> Result<(), LayerError> {
        positive("out_channels", self.out_channels)?;
        for (setting, pair) in [("kernel_size", self.kernel_size), ("stride", self.stride), ("dilation", self.dilation)]
        {
            positive(setting, pair.height)?;
            positive(setting, pair.width)?;
        }
        positive("groups", self.groups)?;
        self.padding_around().into_iter().flatten().try_for_each(padding)
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        let (inputs, height, width) = image(input)?;
        let (groups, outputs) = (self.groups, self.out_channels);
        if inputs % groups != 0 || outputs % groups != 0 {
            return Err(LayerError::Groups { groups, inputs, outputs });
        }
        let (kernel_size, dilation, [rows, columns]) = (self.kernel_size, self.dilation, self.padding());
        let [height, width] = [height + rows, width + columns];
        let read = [0, 1].map(|axis| (kernel_size.sides()[axis] - 1) * dilation.sides()[axis] + 1);
        match window([height, width], read, self.stride.sides()) {
            Some([rows, columns]) => Ok(vec![outputs, rows, columns]),
            None if is_undilated(&dilation) => Err(LayerError::Kernel { kernel_size, height, width }),
            None => Err(LayerError::Dilated { kernel_size, dilation, height, width }),
        }
    }

    fn window(&self) -> Option<Window> {
        let &Self { kernel_size, stride, padding, dilation, .. } = self;
        Some(Window { kernel_size, stride, padding, dilation })
    }

    fn padding(&self) -> [usize; 2] {
        let [before, after] = self.padding_around();
        [0, 1].map(|axis| before[axis].saturating_add(after[axis]))
    }

    fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
        let Pair { height, width } = self.kernel_size;
        let in_group = input[0] / self.groups;
        let init = Init::fan_in(in_group * height * width);
        weight_and_bias(vec![self.out_channels, in_group, height, width], init, self.bias)
    }

    fn formula(&self, input: &[usize]) -> String {
        let (Pair { height, width }, in_group, outputs) = (self.kernel_size, input[0] / self.groups, self.out_channels);
        if self.bias {
            format!("({height}·{width}·{in_group} + 1)·{outputs}")
        } else {
            format!("{height}·{width}·{in_group}·{outputs}")
        }
    }

    /// With few channels, a multiply-add takes longer: 97 times as long from one channel to one (kernels of 27 rows and columns), 11 times
    /// from 8 to 8, and 18 times in a depthwise convolution of 64 channels.
    fn loop_cost(&self, input: &[usize], output: &[usize]) -> f64 {
        let in_group = (input[0] / self.groups.max(1)).max(1) as f64;
        let Pair { height, width } = self.kernel_size;
        let mult_adds = in_group * (height * width) as f64 * output.iter().map(|&n| n as f64).product::<f64>();
        mult_adds * (80.0 / self.out_channels as f64 + 18.0 / in_group - 1.0).max(1.0)
    }

    fn fixed_cost(&self) -> FixedCost {
        FixedCost { image: 1.5e5, step: 8e6 }
    }

    fn mult_adds(&self, parameters: u64, output: &[usize]) -> u64 {
        parameters * (output[1] * output[2]) as u64
    }

    fn is_torchsummary_module(&self) -> bool {
        true
    }

    fn pytorch(&self, input: &[usize]) -> String {
        let pair = |default: Pair, value: Pair| (value != default).then(|| value.pytorch());
        let keywords = [
            ("stride", pair(one_pixel(), self.stride)),
            ("padding", (self.padding != Padding::default()).then(|| self.padding.pytorch())),
            ("dilation", pair(no_dilation(), self.dilation)),
            ("groups", unless_default(&one(), &self.groups)),
            ("bias", (!self.bias).then(|| "False".to_owned())),
        ];
        let positional = [input[0].to_string(), self.out_channels.to_string(), self.kernel_size.pytorch()];
        call("Conv2d", &positional, &keywords)
    }

    fn passes_channel_shifts(&self) -> bool {
        // Zeros of the padding are not shifted.
        self.padding() == [0; 2]
    }

    fn has_channel_bias(&self) -> bool {
        self.bias
    }
}
