//! The interface of all kinds of layers, and a layer of a network with its shapes and parameters.

use serde::{Deserialize, Serialize};

use super::LayerKind;
pub(super) use super::error::LayerError;
use super::settings::{Padding, Pair};

/// Larger settings are almost certainly typos, and would overflow counts.
const MAX_SETTING: usize = 1 << 20;
/// Values in one parameter tensor: 4 GiB in float32, and training needs several times as much.
pub(super) const MAX_VALUES: u64 = 1 << 30;
/// Values in a layer's output, or in its padded input, for one image: 64 MiB in float32.
pub(super) const MAX_ACTIVATION: f64 = 16_777_216.0;

/// Height and width of a padded input: on a GPU, positions in it are 16-bit integers.
pub(super) const MAX_SIDE: u16 = 32_767;

/// What a layer costs besides its values, in multiply-adds of a large convolution: measured on two CPU cores with hundreds of the
/// smallest layers of a kind, which take nothing else.
#[derive(Clone, Copy, Debug)]
pub struct FixedCost {
    /// For one image, forward.
    pub image: f64,
    /// For a training step, forward and backward.
    pub step: f64,
}

/// A layer as the study configures it. Each kind implements this in its own file.
///
/// Shapes are those of one image, without the batch: `[channels, height, width]` or `[features]`.
pub trait LayerConfig {
    /// The name that the study gives the layer, if any.
    fn name(&self) -> Option<&str>;

    /// The prefix of the name that a layer gets if the study gives none: `conv` in `conv1`.
    fn prefix(&self) -> &'static str;

    /// Checks the settings that do not depend on the input's shape.
    ///
    /// # Errors
    /// A setting is out of range.
    fn check(&self) -> Result<(), LayerError> {
        Ok(())
    }

    /// The shape of the output; by default that of the input.
    ///
    /// # Errors
    /// The layer cannot take this input shape.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
        Ok(input.to_vec())
    }

    /// The window that the layer moves over its input, if it does.
    fn window(&self) -> Option<Window> {
        None
    }

    /// The time that the layer takes for one image where it is limited by its loops and not by arithmetic or memory, in multiply-adds
    /// of a large convolution; 0 if that never happens. Measured on two CPU cores.
    fn loop_cost(&self, _input: &[usize], _output: &[usize]) -> f64 {
        0.0
    }

    /// The time that the layer takes whatever its size.
    fn fixed_cost(&self) -> FixedCost {
        FixedCost { image: 2e3, step: 4e5 }
    }

    /// Rows and columns of padding, those on both sides of the input together.
    fn padding(&self) -> [usize; 2] {
        [0; 2]
    }

    /// Trainable tensors, in PyTorch's order and under PyTorch's names (`weight`, `bias`).
    fn parameters(&self, _input: &[usize]) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// Tensors that are stored but not trained (`running_mean`, `running_var`).
    fn buffers(&self, _input: &[usize]) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// How the number of parameters follows from the settings, `(3·3·1 + 1)·64`; empty for a layer without parameters.
    fn formula(&self, _input: &[usize]) -> String {
        String::new()
    }

    /// Multiply-adds for one image by the convention of torchinfo 1.8 (`LayerInfo.calculate_macs`): a convolution
    /// counts its parameters once for each output pixel, any other layer counts its parameters once.
    fn mult_adds(&self, parameters: u64, _output: &[usize]) -> u64 {
        parameters
    }

    /// Whether torchsummary counts the layer's output. It sees only modules (`nn.Conv2d`); the layers that PyTorch
    /// programs usually write as function calls (activations, pools, flatten) are not counted here.
    fn is_torchsummary_module(&self) -> bool {
        false
    }

    /// The call that constructs the layer in PyTorch, `nn.Conv2d(1, 64, 3)`; empty if `torch.nn` has no such module.
    fn pytorch(&self, input: &[usize]) -> String;

    /// The call of `torch` or `torch.nn.functional` (`F`) that applies the layer to an expression; `None` for a layer
    /// that PyTorch programs write as a module.
    fn pytorch_function(&self, _x: &str) -> Option<String> {
        None
    }

    /// Whether it is an activation function.
    fn is_activation(&self) -> bool {
        false
    }

    /// Whether it keeps the size of the values that pass through it, as batch normalisation does. Such a layer must have
    /// defaults for all its settings.
    fn is_normalisation(&self) -> bool {
        false
    }

    /// Whether shifting a channel of the input by a constant shifts each channel of the output by a constant.
    fn passes_channel_shifts(&self) -> bool {
        false
    }

    /// Whether the layer subtracts each channel's mean over the batch, which cancels channel shifts.
    fn cancels_channel_shifts(&self) -> bool {
        false
    }

    /// Whether the layer adds a trainable `bias` to each channel, as its second parameter.
    fn has_channel_bias(&self) -> bool {
        false
    }
}

/// A window that a convolution or a pool moves over its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the settings have the names of torch.nn")]
pub struct Window {
    pub kernel_size: Pair,
    pub stride: Pair,
    pub padding: Padding,
    #[serde(default = "no_dilation", skip_serializing_if = "is_undilated")]
    pub dilation: Pair,
}

impl Window {
    pub(crate) fn square(kernel_size: usize, stride: usize, padding: usize) -> Self {
        let [kernel_size, stride, padding] = [kernel_size, stride, padding].map(Pair::square);
        Self { kernel_size, stride, padding: Padding::Pixels(padding), dilation: no_dilation() }
    }
}

/// The default of `dilation`, for serde.
pub(super) fn no_dilation() -> Pair {
    Pair::square(1)
}

/// Whether a dilation is left out where it is written, as in files of versions that had none.
pub(super) fn is_undilated(dilation: &Pair) -> bool {
    *dilation == no_dilation()
}

/// Implements `LayerConfig::name` and `LayerConfig::prefix`.
macro_rules! named {
    ($prefix:literal) => {
        fn name(&self) -> Option<&str> {
            self.name.as_deref()
        }

        fn prefix(&self) -> &'static str {
            $prefix
        }
    };
}
pub(super) use named;

/// How a tensor is filled before training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "self-evident")]
pub enum Init {
    /// Uniform from -bound to bound.
    Uniform {
        bound: f64,
    },
    Ones,
    Zeros,
}

impl Init {
    /// PyTorch's default for convolutions and linear layers: bound = 1 / sqrt(fan_in). For weights it calls
    /// `kaiming_uniform_(a=sqrt(5))`, which has the same bound.
    pub(super) fn fan_in(fan_in: usize) -> Self {
        Self::Uniform { bound: 1.0 / (fan_in as f64).sqrt() }
    }
}

/// A parameter or buffer.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct TensorSpec {
    /// Its name in PyTorch, such as `conv1.weight`.
    pub name: String,
    pub shape: Vec<usize>,
    pub init: Init,
}

impl TensorSpec {
    pub(super) fn new(name: &str, shape: impl Into<Vec<usize>>, init: Init) -> Self {
        Self { name: name.to_owned(), shape: shape.into(), init }
    }

    /// The number of values.
    pub fn numel(&self) -> u64 {
        count(&self.shape)
    }
}

/// A layer of a network. Most fields are results of the methods of [`LayerConfig`] for its settings and the shape of
/// its input.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "see LayerConfig")]
pub struct Layer {
    pub name: String,
    pub kind: LayerKind,
    /// The shapes of one image, without the batch.
    pub input: Vec<usize>,
    pub output: Vec<usize>,
    pub parameters: Vec<TensorSpec>,
    pub buffers: Vec<TensorSpec>,
    pub formula: String,
    pub mult_adds: u64,
}

impl Layer {
    /// Checks a layer's settings and its input shape, and computes the other fields from them.
    ///
    /// # Errors
    /// A setting does not fit the input, or a size is above the limits.
    pub fn resolve(name: String, kind: LayerKind, input: Vec<usize>) -> Result<Self, LayerError> {
        let config = kind.config();
        config.check()?;
        if let [channels, height, width] = input[..] {
            let [rows, columns] = config.padding();
            let [height, width] = [height as f64 + rows as f64, width as f64 + columns as f64];
            check_activation("padded input", channels as f64 * height * width)?;
            if height.max(width) > f64::from(MAX_SIDE) {
                return Err(LayerError::Side { height, width });
            }
        }
        let output = config.output_shape(&input)?;
        check_activation("output", output.iter().map(|&d| d as f64).product())?;
        let with_layer_name = |mut tensor: TensorSpec| {
            tensor.name = format!("{name}.{}", tensor.name);
            tensor
        };
        let parameters: Vec<TensorSpec> = config.parameters(&input).into_iter().map(with_layer_name).collect();
        let buffers = config.buffers(&input).into_iter().map(with_layer_name).collect();
        if let Some(tensor) = parameters.iter().find(|t| t.numel() > MAX_VALUES) {
            return Err(LayerError::Tensor { tensor: tensor.name.clone(), values: tensor.numel() });
        }
        let values = parameters.iter().map(TensorSpec::numel).sum();
        let (formula, mult_adds) = (config.formula(&input), config.mult_adds(values, &output));
        Ok(Self { name, kind, input, output, parameters, buffers, formula, mult_adds })
    }

    /// The number of trainable parameters.
    pub fn parameter_count(&self) -> u64 {
        self.parameters.iter().map(TensorSpec::numel).sum()
    }

    /// The number of values in buffers.
    pub fn buffer_count(&self) -> u64 {
        self.buffers.iter().map(TensorSpec::numel).sum()
    }

    /// The number of values in the layer's output for one image.
    pub fn output_values(&self) -> u64 {
        count(&self.output)
    }

    /// As [`LayerConfig::loop_cost`].
    pub fn loop_cost(&self) -> f64 {
        self.kind.config().loop_cost(&self.input, &self.output)
    }

    /// As [`LayerConfig::fixed_cost`].
    pub fn fixed_cost(&self) -> FixedCost {
        self.kind.config().fixed_cost()
    }

    /// The call that constructs the layer in PyTorch.
    pub fn pytorch(&self) -> String {
        self.kind.config().pytorch(&self.input)
    }
}

fn count(shape: &[usize]) -> u64 {
    shape.iter().map(|&d| d as u64).product()
}

/// Refuses activations that are too large to hold in memory for a whole batch. The count is f64, because that does not
/// overflow.
fn check_activation(what: &'static str, values: f64) -> Result<(), LayerError> {
    if values <= MAX_ACTIVATION { Ok(()) } else { Err(LayerError::Activation { what, values }) }
}

// Functions that several kinds of layers share.

/// Checks a size: at least 1 and at most [`MAX_SETTING`].
pub(super) fn positive(setting: &'static str, value: usize) -> Result<(), LayerError> {
    match value {
        0 => Err(LayerError::TooSmall { setting, value, least: 1 }),
        v if v > MAX_SETTING => Err(LayerError::TooLarge { setting, value, most: MAX_SETTING }),
        _ => Ok(()),
    }
}

/// Checks a padding, which may be 0 but must be below [`MAX_SETTING`].
pub(super) fn padding(value: usize) -> Result<(), LayerError> {
    let (setting, most) = ("padding", MAX_SETTING - 1);
    if value <= most { Ok(()) } else { Err(LayerError::TooLarge { setting, value, most }) }
}

/// Refuses a number unless `is_valid`; `expected` describes the valid range in the error.
pub(super) fn range(
    setting: &'static str,
    value: f64,
    is_valid: bool,
    expected: &'static str,
) -> Result<(), LayerError> {
    if is_valid { Ok(()) } else { Err(LayerError::OutOfRange { setting, value, expected }) }
}

/// Checks the `eps` of a normalisation.
pub(super) fn eps(value: f64) -> Result<(), LayerError> {
    range("eps", value, value.is_finite() && value > 0.0, "above 0")
}

/// The channels, height and width of an image's shape.
pub(super) fn image(input: &[usize]) -> Result<(usize, usize, usize), LayerError> {
    match *input {
        [channels, height, width] => Ok((channels, height, width)),
        _ => Err(LayerError::NotAnImage { input: input.to_vec() }),
    }
}

/// The default of a layer's `bias`, for serde.
pub(super) fn default_bias() -> bool {
    true
}

/// The weight and, if `bias`, the bias of a convolution or linear layer. The weight's first dimension is the number of
/// outputs.
pub(super) fn weight_and_bias(shape: Vec<usize>, init: Init, bias: bool) -> Vec<TensorSpec> {
    let outputs = shape[0];
    let mut tensors = vec![TensorSpec::new("weight", shape, init)];
    if bias {
        tensors.push(TensorSpec::new("bias", [outputs], init));
    }
    tensors
}

/// Height and width of the output of a layer that moves a window over a padded image; `read` are the rows and columns
/// from the first to the last that the window reads. `None` if the window is larger than the image.
pub(super) fn window(padded: [usize; 2], read: [usize; 2], stride: [usize; 2]) -> Option<[usize; 2]> {
    let side = |axis: usize| padded[axis].checked_sub(read[axis]).map(|rest| rest / stride[axis] + 1);
    Some([side(0)?, side(1)?])
}

/// Writes a call of `torch.nn`: positional arguments, then the keyword arguments that have a value.
pub(super) fn call<T: ToString>(name: &str, positional: &[T], keywords: &[(&str, Option<String>)]) -> String {
    let positional: Vec<String> = positional.iter().map(T::to_string).collect();
    format!("nn.{name}({})", arguments(positional, keywords))
}

/// Like [`call`], for a function of `torch.nn.functional` with the input as its first argument.
pub(super) fn function(name: &str, x: &str, positional: &[usize], keywords: &[(&str, Option<String>)]) -> String {
    let positional = std::iter::once(x.to_owned()).chain(positional.iter().map(usize::to_string)).collect();
    format!("F.{name}({})", arguments(positional, keywords))
}

fn arguments(mut positional: Vec<String>, keywords: &[(&str, Option<String>)]) -> String {
    let keywords = keywords.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)));
    positional.extend(keywords);
    positional.join(", ")
}

/// The value of a keyword argument for [`call`]; `None` if it is the default.
pub(super) fn unless_default<T: PartialEq + std::fmt::Debug>(default: &T, value: &T) -> Option<String> {
    (value != default).then(|| format!("{value:?}"))
}
