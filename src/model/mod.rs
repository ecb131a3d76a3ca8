//! A network as a list of layers, which determines its shapes, parameters, sizes and costs.
//!
//! Each kind of layer has its own file and a line in [`LayerKind`]. This module has no weights and does not use
//! libtorch.

mod avg_pool2d;
mod batch_norm;
mod batch_norm1d;
mod batch_norm2d;
mod code;
mod conv2d;
mod dropout;
mod flatten;
mod gelu;
mod global_avg_pool;
mod layer;
mod layer_norm;
mod leaky_relu;
mod linear;
mod max_pool2d;
mod pool;
mod relu;
mod settings;
mod sigmoid;
mod sizes;
mod tanh;

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

pub use avg_pool2d::AvgPool2d;
pub use batch_norm1d::BatchNorm1d;
pub use batch_norm2d::BatchNorm2d;
pub use code::module_names;
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use gelu::Gelu;
pub use global_avg_pool::GlobalAvgPool;
pub use layer::{Init, Layer, LayerConfig, LayerError, TensorSpec, Window};
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use max_pool2d::MaxPool2d;
pub use relu::Relu;
pub use settings::{Padding, Pair};
pub use sigmoid::Sigmoid;
pub use sizes::{Megabytes, Sizes};
pub use tanh::Tanh;

use crate::one_of::{self, one_of};

one_of! {
    /// A layer; names and defaults are those of `torch.nn`.
    pub enum LayerKind ("a layer") as dyn LayerConfig {
        "conv2d" => Conv2d(Conv2d),
        "batch_norm2d" => BatchNorm2d(BatchNorm2d),
        "batch_norm1d" => BatchNorm1d(BatchNorm1d),
        "layer_norm" => LayerNorm(LayerNorm),
        "relu" => Relu(Relu),
        "leaky_relu" => LeakyRelu(LeakyRelu),
        "gelu" => Gelu(Gelu),
        "sigmoid" => Sigmoid(Sigmoid),
        "tanh" => Tanh(Tanh),
        "max_pool2d" => MaxPool2d(MaxPool2d),
        "avg_pool2d" => AvgPool2d(AvgPool2d),
        "global_avg_pool" => GlobalAvgPool(GlobalAvgPool),
        "dropout" => Dropout(Dropout),
        "flatten" => Flatten(Flatten),
        "linear" => Linear(Linear),
    }
}

impl LayerKind {
    /// The settings that have no default or differ from it, with the study's names: `kernel_size=3, stride=2`.
    pub fn settings(&self) -> String {
        let settings = one_of::settings(self).into_iter().filter(|(key, _)| key != "name");
        let written = |value: Value| match value {
            Value::String(word) => word,
            other => other.to_string().replace(',', ", "),
        };
        settings.map(|(key, value)| format!("{key}={}", written(value))).collect::<Vec<_>>().join(", ")
    }
}

/// A network as the study writes it: its layers from input to output.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/study.md documents the keys of a study")]
pub struct ModelSpec {
    pub title: Option<String>,
    pub layers: Vec<LayerKind>,
}

/// A network with every shape resolved.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Model {
    pub name: String,
    pub title: String,
    /// Channels, height, width.
    pub input: [usize; 3],
    pub layers: Vec<Layer>,
}

/// Why a list of layers is not a network.
#[derive(Debug, Error, PartialEq)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum ModelError {
    #[error("has no layers")]
    Empty,
    #[error("layer name `{name}`: only Latin letters, digits and `_`, and not a digit first")]
    Name { layer: usize, name: String },
    #[error("layer name `{name}`: Python or torch.nn.Module uses it: choose another")]
    ReservedName { layer: usize, name: String },
    #[error("layer name `{name}` is used twice")]
    RepeatedName { layer: usize, name: String },
    #[error("{error}")]
    Layer { layer: usize, error: LayerError },
    #[error("the last layer gives {output:?} values for each image; {classes} are needed, one for each class")]
    Output { layer: usize, output: Vec<usize>, classes: usize },
}

impl ModelError {
    /// The index of the faulty layer in the study's list, from 0.
    pub fn layer(&self) -> Option<usize> {
        match *self {
            Self::Empty => None,
            Self::Name { layer, .. }
            | Self::ReservedName { layer, .. }
            | Self::RepeatedName { layer, .. }
            | Self::Layer { layer, .. }
            | Self::Output { layer, .. } => Some(layer),
        }
    }
}

impl Model {
    /// Resolves names and shapes, layer by layer. `classes` is the number of values that the network has to give for an image.
    ///
    /// # Errors
    /// A layer cannot take its input, a name is repeated, or the output is not one value per class.
    pub fn resolve(name: &str, spec: &ModelSpec, input: [usize; 3], classes: usize) -> Result<Self, ModelError> {
        let names = layer_names(&spec.layers)?;
        let mut layers: Vec<Layer> = Vec::with_capacity(spec.layers.len());
        for (i, (kind, layer_name)) in spec.layers.iter().zip(names).enumerate() {
            let shape = layers.last().map_or(input.to_vec(), |l| l.output.clone());
            let resolved = Layer::resolve(layer_name, kind.clone(), shape);
            layers.push(resolved.map_err(|error| ModelError::Layer { layer: i, error })?);
        }
        let last = layers.last().ok_or(ModelError::Empty)?;
        if last.output != [classes] {
            return Err(ModelError::Output { layer: layers.len() - 1, output: last.output.clone(), classes });
        }
        let title = spec.title.clone().unwrap_or_else(|| name.to_owned());
        Ok(Self { name: name.to_owned(), title, input, layers })
    }

    /// Trainable parameters, in PyTorch's order.
    pub fn parameters(&self) -> impl Iterator<Item = &TensorSpec> {
        self.layers.iter().flat_map(|l| &l.parameters)
    }

    /// Buffers (running statistics), in PyTorch's order.
    pub fn buffers(&self) -> impl Iterator<Item = &TensorSpec> {
        self.layers.iter().flat_map(|l| &l.buffers)
    }

    /// The names of biases that the next batch normalisation cancels: it subtracts the batch's mean, so the loss does
    /// not depend on them while training. Their gradient is zero, but autograd returns rounding errors instead. There
    /// may be pools, convolutions and other layers in between if they turn a constant shift of a channel into constant
    /// shifts of channels.
    pub fn cancelled_biases(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().enumerate().filter_map(|(i, layer)| {
            if !layer.kind.config().has_channel_bias() {
                return None;
            }
            let next = self.layers[i + 1..].iter().map(|l| l.kind.config()).find(|l| !l.passes_channel_shifts())?;
            next.cancels_channel_shifts().then(|| layer.parameters[1].name.as_str())
        })
    }

    /// The number of trainable parameters, as PyTorch counts them.
    pub fn parameter_count(&self) -> u64 {
        self.parameters().map(TensorSpec::numel).sum()
    }

    /// The number of values in buffers; Keras would count them, PyTorch does not.
    pub fn buffer_count(&self) -> u64 {
        self.buffers().map(TensorSpec::numel).sum()
    }

    /// Multiply-adds of one image's forward pass, by torchinfo's convention.
    pub fn mult_adds(&self) -> u64 {
        self.layers.iter().map(|l| l.mult_adds).sum()
    }
}

/// Each layer's name: the one in the study, otherwise the kind's prefix with the first free number.
fn layer_names(kinds: &[LayerKind]) -> Result<Vec<String>, ModelError> {
    let given: HashSet<&str> = kinds.iter().filter_map(|kind| kind.config().name()).collect();
    let mut counts = HashMap::<&str, usize>::new();
    let (mut seen, mut names) = (HashSet::new(), Vec::with_capacity(kinds.len()));
    for (layer, kind) in kinds.iter().enumerate() {
        let prefix = kind.config().prefix();
        let mut numbered = || loop {
            let count = counts.entry(prefix).or_default();
            *count += 1;
            let name = format!("{prefix}{count}");
            if !given.contains(name.as_str()) {
                return name;
            }
        };
        let name = kind.config().name().map_or_else(&mut numbered, str::to_owned);
        if !is_identifier(&name) {
            return Err(ModelError::Name { layer, name });
        }
        if code::is_reserved(&name) {
            return Err(ModelError::ReservedName { layer, name });
        }
        if !seen.insert(name.clone()) {
            return Err(ModelError::RepeatedName { layer, name });
        }
        names.push(name);
    }
    Ok(names)
}

fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
        && name.len() <= 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(yaml: &str) -> Result<Model, ModelError> {
        Model::resolve("m", &serde_yaml::from_str(yaml).unwrap(), [1, 28, 28], 10)
    }

    #[test]
    fn biases_before_batch_normalisation_are_cancelled() {
        let layers = "{layers: [
            conv2d: {name: a, out_channels: 2, kernel_size: 3}, batch_norm2d, relu,
            conv2d: {name: b, out_channels: 2, kernel_size: 3, bias: false}, batch_norm2d,
            conv2d: {name: c, out_channels: 2, kernel_size: 3}, relu, batch_norm2d,
            conv2d: {name: d, out_channels: 2, kernel_size: 3}, max_pool2d: {kernel_size: 3, stride: 1, padding: 1},
            avg_pool2d: {kernel_size: 2, stride: 1}, batch_norm2d: {name: e}, batch_norm2d,
            conv2d: {name: f, out_channels: 2, kernel_size: 3}, avg_pool2d: {kernel_size: 2, padding: 1},
            batch_norm2d: {name: g}, conv2d: {name: h, out_channels: 2, kernel_size: 1},
            conv2d: {name: i, out_channels: 2, kernel_size: 3, padding: 1}, dropout: {p: 0.0}, batch_norm2d,
            flatten, linear: {out_features: 10}]}";
        assert_eq!(
            model(layers).unwrap().cancelled_biases().collect::<Vec<_>>(),
            ["a.bias", "bn3.bias", "d.bias", "e.bias", "i.bias"]
        );
        let flat = "{layers: [
            conv2d: {name: a, out_channels: 2, kernel_size: 3}, flatten, batch_norm1d, linear: {name: b, out_features: 4},
            linear: {name: c, out_features: 4}, batch_norm1d, linear: {name: d, out_features: 4}, layer_norm,
            linear: {name: e, out_features: 4}, tanh, batch_norm1d, linear: {out_features: 10}]}";
        assert_eq!(
            model(flat).unwrap().cancelled_biases().collect::<Vec<_>>(),
            ["a.bias", "bn1.bias", "b.bias", "c.bias"]
        );
        let pooled = "{layers: [conv2d: {out_channels: 10, kernel_size: 3}, global_avg_pool, batch_norm1d]}";
        assert_eq!(model(pooled).unwrap().cancelled_biases().collect::<Vec<_>>(), ["conv1.bias"]);
    }

    #[test]
    fn every_setting_of_every_layer_is_printed() {
        for word in LayerKind::WORDS {
            let (base, changed) = one_of::variants::of::<LayerKind>(word);
            // `name` is not a setting: it is printed as the layer's name.
            for (key, other) in changed.into_iter().filter(|(key, _)| key != "name") {
                assert_ne!(base.settings(), other.settings(), "{word}.{key}");
                let value = &serde_json::to_value(&other).unwrap()[word][&key];
                assert!(other.settings().split(", ").any(|s| s == format!("{key}={value}")), "{}", other.settings());
                assert_ne!(base.config().pytorch(&[2, 9, 9]), other.config().pytorch(&[2, 9, 9]), "{word}.{key}");
            }
        }
        let layer = |yaml: &str| serde_yaml::from_str::<LayerKind>(yaml).unwrap().settings();
        assert_eq!(layer("relu: {name: a}"), "");
        assert_eq!(layer("dropout: {p: 0.5}"), "");
        assert_eq!(
            layer("conv2d: {name: a, bias: false, kernel_size: 3, out_channels: 8, padding: 1, stride: 1}"),
            "out_channels=8, kernel_size=3, padding=1, bias=false"
        );
        assert_eq!(
            layer("conv2d: {out_channels: 8, kernel_size: [3, 4], stride: 1, padding: [1, 3], dilation: [1, 2]}"),
            "out_channels=8, kernel_size=[3, 4], padding=[1, 3], dilation=[1, 2]"
        );
        assert_eq!(
            layer("conv2d: {out_channels: 8, kernel_size: 4, padding: same}"),
            "out_channels=8, kernel_size=4, padding=same"
        );
        assert_eq!(layer("batch_norm2d: {eps: 0.00001, momentum: 0.001}"), "momentum=0.001");
    }

    #[test]
    fn every_layer_has_its_call_in_pytorch() {
        let layers = "{layers: [
            conv2d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1, bias: false}, batch_norm2d,
            batch_norm2d: {eps: 0.001, momentum: 0.2}, relu, leaky_relu, leaky_relu: {negative_slope: 0.2}, gelu,
            sigmoid, tanh, conv2d: {out_channels: 4, kernel_size: [2, 3], stride: [1, 2], padding: [1, 7], dilation: 2},
            conv2d: {out_channels: 4, kernel_size: 2, padding: same},
            conv2d: {name: wide, out_channels: 8, kernel_size: 1, groups: 2}, max_pool2d: {kernel_size: 2},
            avg_pool2d: {kernel_size: 3, stride: 1, padding: 1}, layer_norm, layer_norm: {eps: 0.1}, dropout, dropout: {p: 0.1},
            global_avg_pool, linear: {out_features: 9, bias: false}, batch_norm1d: {momentum: 0.2}, linear: {out_features: 10}, flatten]}";
        let calls: Vec<String> = model(layers).unwrap().layers.iter().map(Layer::pytorch).collect();
        let expected = [
            "nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False)",
            "nn.BatchNorm2d(4)",
            "nn.BatchNorm2d(4, eps=0.001, momentum=0.2)",
            "nn.ReLU()",
            "nn.LeakyReLU()",
            "nn.LeakyReLU(negative_slope=0.2)",
            "nn.GELU()",
            "nn.Sigmoid()",
            "nn.Tanh()",
            "nn.Conv2d(4, 4, (2, 3), stride=(1, 2), padding=(1, 7), dilation=2)",
            "nn.Conv2d(4, 4, 2, padding='same')",
            "nn.Conv2d(4, 8, 1, groups=2)",
            "nn.MaxPool2d(2)",
            "nn.AvgPool2d(3, stride=1, padding=1)",
            "nn.LayerNorm([8, 7, 6])",
            "nn.LayerNorm([8, 7, 6], eps=0.1)",
            "nn.Dropout(0.5)",
            "nn.Dropout(0.1)",
            "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())",
            "nn.Linear(8, 9, bias=False)",
            "nn.BatchNorm1d(9, momentum=0.2)",
            "nn.Linear(9, 10)",
            "nn.Flatten()",
        ];
        assert_eq!(calls, expected);
    }

    fn refused(yaml: &str) -> String {
        model(yaml).expect_err("refused").to_string()
    }

    #[test]
    fn a_kernel_larger_than_its_input_is_refused() {
        let message = refused("layers: [{conv2d: {out_channels: 4, kernel_size: 29}}]");
        assert!(message.contains("kernel_size 29") && message.contains("28"), "{message}");
    }

    #[test]
    fn linear_before_flatten_is_refused() {
        assert!(refused("layers: [{linear: {out_features: 10}}]").contains("flatten"));
    }

    #[test]
    fn an_output_that_is_not_ten_classes_is_refused() {
        assert!(refused("layers: [flatten, {linear: {out_features: 9}}]").contains("10 are needed"));
        assert!(refused("layers: []").contains("no layers"));
    }

    #[test]
    fn a_repeated_name_is_refused_and_automatic_names_avoid_given_ones() {
        assert!(refused("layers: [{relu: {name: a}}, {relu: {name: a}}]").contains("twice"));
        let m = model("layers: [relu, {gelu: {name: relu2}}, relu, flatten, {linear: {out_features: 10}}]").unwrap();
        let names: Vec<_> = m.layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["relu1", "relu2", "relu3", "flatten1", "fc1"]);
    }

    #[test]
    fn groups_must_divide_channels() {
        let message = refused("layers: [{conv2d: {out_channels: 4, kernel_size: 3, groups: 2}}]");
        assert!(message.contains("groups 2"), "{message}");
    }

    #[test]
    fn sizes_beyond_reason_are_refused_before_arithmetic_overflows() {
        for layers in [
            "flatten, {linear: {out_features: 18446744073709551615}}",
            "{conv2d: {out_channels: 1, kernel_size: 3, padding: 100000, stride: 100000}}",
            "{conv2d: {out_channels: 1048576, kernel_size: 3}}",
        ] {
            let message = refused(&format!("layers: [{layers}]"));
            assert!(message.contains("at most"), "{message}");
        }
    }
}
