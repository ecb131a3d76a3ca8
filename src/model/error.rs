//! Why a layer, or a list of layers, cannot be used.

use thiserror::Error;

use super::layer::{MAX_ACTIVATION, MAX_SIDE, MAX_VALUES};
use super::resolve::Position;
use super::settings::Pair;
use crate::text::short_number;

/// Why a layer cannot be used as the study configures it.
#[derive(Debug, Error, PartialEq)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum LayerError {
    #[error("{setting} {value}: must be at least {least}")]
    TooSmall { setting: &'static str, value: usize, least: usize },
    #[error("{setting} {value}: at most {most} is supported")]
    TooLarge { setting: &'static str, value: usize, most: usize },
    #[error("{setting} {}: must be {expected}", short_number(&value.to_string()))]
    OutOfRange { setting: &'static str, value: f64, expected: &'static str },
    #[error("padding {padding}: at most half of kernel_size {kernel_size}")]
    Padding { padding: usize, kernel_size: usize },
    #[error("groups {groups} must divide both the {inputs} input channels and the {outputs} output channels")]
    Groups { groups: usize, inputs: usize, outputs: usize },
    #[error("kernel_size {kernel_size} is larger than its input, {height} x {width} with padding")]
    Kernel { kernel_size: Pair, height: usize, width: usize },
    #[error(
        "kernel_size {kernel_size} with dilation {dilation} is larger than its input, {height} x {width} with padding"
    )]
    Dilated { kernel_size: Pair, dilation: Pair, height: usize, width: usize },
    #[error("layers: must have at least 1 layer")]
    NoLayers,
    #[error("a `residual` cannot have another `residual` among its layers: write one after the other")]
    Nested,
    #[error(
        "its layers turn {input:?} into {output:?}, but only equal shapes can be added, and a projection of the input is not \
         supported: let these layers keep the shape, and change it before or after them"
    )]
    Residual { input: Vec<usize>, output: Vec<usize> },
    #[error("needs an image [channels, height, width], but its input is {input:?}")]
    NotAnImage { input: Vec<usize> },
    #[error("needs a flat input, but its input is {input:?}: put `flatten` before it")]
    NotFlat { input: Vec<usize> },
    #[error("needs an image [channels, height, width], but its input is {input:?}: use `batch_norm1d`")]
    FlatNorm { input: Vec<usize> },
    #[error("needs a flat input, but its input is {input:?}: use `batch_norm2d`")]
    ImageNorm { input: Vec<usize> },
    #[error("{tensor} would hold {values} values; at most {MAX_VALUES} are supported")]
    Tensor { tensor: String, values: u64 },
    #[error("its padded input would be {height:.0} x {width:.0} pixels; at most {MAX_SIDE} x {MAX_SIDE} are supported")]
    Side { height: f64, width: f64 },
    #[error("its {what} would hold {values:.0} values for each image; at most {MAX_ACTIVATION} are supported")]
    Activation { what: &'static str, values: f64 },
}

/// Why a list of layers is not a network.
#[derive(Debug, Error, PartialEq)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum ModelError {
    #[error("has no layers")]
    Empty,
    #[error("layer name `{name}`: only Latin letters, digits and `_`, and not a digit first")]
    Name { at: Position, name: String },
    #[error("layer name `{name}`: Python or torch.nn.Module uses it: choose another")]
    ReservedName { at: Position, name: String },
    #[error("layer name `{name}` is used twice")]
    RepeatedName { at: Position, name: String },
    #[error("{error}")]
    Layer { at: Position, error: LayerError },
    #[error("the last layer gives {output:?} values for each image; {classes} are needed, one for each class")]
    Output { at: Position, output: Vec<usize>, classes: usize },
}

impl ModelError {
    /// Where the faulty layer stands in the study's list.
    pub fn position(&self) -> Option<Position> {
        match *self {
            Self::Empty => None,
            Self::Name { at, .. }
            | Self::ReservedName { at, .. }
            | Self::RepeatedName { at, .. }
            | Self::Layer { at, .. }
            | Self::Output { at, .. } => Some(at),
        }
    }
}
