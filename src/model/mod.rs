//! A network as a list of layers, which determines its shapes, parameters, sizes and costs.
//!
//! Each kind of layer has its own file and a line in [`LayerKind`]. This module has no weights and does not use
//! libtorch.

mod avg_pool2d;
mod batch_norm;
mod batch_norm1d;
mod batch_norm2d;
mod cancelled;
mod code;
mod conv2d;
mod dropout;
mod error;
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
mod residual;
mod resolve;
mod settings;
mod sigmoid;
mod sizes;
mod tanh;

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use avg_pool2d::AvgPool2d;
pub use batch_norm1d::BatchNorm1d;
pub use batch_norm2d::BatchNorm2d;
pub use code::module_names;
pub use conv2d::Conv2d;
pub use dropout::Dropout;
pub use error::{LayerError, ModelError};
pub use flatten::Flatten;
pub use gelu::Gelu;
pub use global_avg_pool::GlobalAvgPool;
pub use layer::{Init, Layer, LayerConfig, TensorSpec, Window};
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyRelu;
pub use linear::Linear;
pub use max_pool2d::MaxPool2d;
pub use relu::Relu;
pub use residual::Residual;
pub use resolve::Position;
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
        "residual" => Residual(Residual),
    }
}

impl LayerKind {
    /// The settings that have no default or differ from it, with the study's names: `kernel_size=3, stride=2`.
    pub fn settings(&self) -> String {
        let settings = one_of::settings(self).into_iter().filter(|(key, _)| key != "name");
        let written = |key: &str, value: Value| match value {
            Value::String(word) => word,
            // The layers of a `residual` are listed themselves.
            Value::Array(layers) if key == "layers" => layers.len().to_string(),
            other => other.to_string().replace(',', ", "),
        };
        settings.map(|(key, value)| format!("{key}={}", written(&key, value))).collect::<Vec<_>>().join(", ")
    }
}

impl LayerKind {
    /// The words of the layers that normalise.
    pub fn normalisations() -> Vec<&'static str> {
        let kind = |word: &str| serde_json::from_value::<Self>(Value::from(word)).ok();
        let normalises = |word: &&str| kind(word).is_some_and(|kind| kind.config().is_normalisation());
        Self::WORDS.iter().copied().filter(normalises).collect()
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
    /// In the order in which they are computed: the layers of a `residual`, then the `residual` itself, which is their sum
    /// with its input.
    pub layers: Vec<Layer>,
}

impl Model {
    /// For each `residual`, the indices of its layers. The layer after them adds the input of the first to the output of
    /// the last.
    pub fn residuals(&self) -> impl Iterator<Item = Range<usize>> {
        let inner = |(i, layer): (usize, &Layer)| match &layer.kind {
            LayerKind::Residual(c) => Some(i - c.layers.len()..i),
            _ => None,
        };
        self.layers.iter().enumerate().filter_map(inner)
    }

    /// Trainable parameters, in PyTorch's order.
    pub fn parameters(&self) -> impl Iterator<Item = &TensorSpec> {
        self.layers.iter().flat_map(|l| &l.parameters)
    }

    /// Buffers (running statistics), in PyTorch's order.
    pub fn buffers(&self) -> impl Iterator<Item = &TensorSpec> {
        self.layers.iter().flat_map(|l| &l.buffers)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn model(yaml: &str) -> Result<Model, ModelError> {
        Model::resolve("m", &serde_yaml::from_str(yaml).unwrap(), [1, 28, 28], 10)
    }

    #[test]
    fn every_setting_of_every_layer_is_printed() {
        // The only setting of `residual` are its layers.
        for word in LayerKind::WORDS.iter().filter(|word| **word != "residual") {
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
        assert_eq!(layer("residual: {name: a, layers: [relu, {gelu: {name: b}}]}"), "layers=2");
    }

    #[test]
    fn normalisations_are_known() {
        assert_eq!(LayerKind::normalisations(), ["batch_norm2d", "batch_norm1d", "layer_norm"]);
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
        // `residual` is a sum, without a module.
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
    fn layers_of_a_residual_are_named_and_counted_as_others_and_come_before_it() {
        let layers = "{layers: [conv2d: {out_channels: 4, kernel_size: 3}, relu,
            residual: {layers: [conv2d: {out_channels: 4, kernel_size: 3, padding: 1}, relu]}, relu,
            residual: {name: second, layers: [dropout]}, flatten, linear: {out_features: 10}]}";
        let m = model(layers).unwrap();
        let names: Vec<_> = m.layers.iter().map(|l| l.name.as_str()).collect();
        let expected =
            ["conv1", "relu1", "conv2", "relu2", "residual1", "relu3", "dropout1", "second", "flatten1", "fc1"];
        assert_eq!(names, expected);
        assert_eq!(m.residuals().collect::<Vec<_>>(), [2..4, 6..7]);
        assert_eq!(m.parameter_count(), 40 + 148 + 27_050);
        assert_eq!(m.layers[4].output, [4, 26, 26]);
    }

    #[test]
    fn a_residual_that_changes_the_shape_or_has_another_one_inside_is_refused() {
        let message = refused("layers: [{residual: {layers: [{conv2d: {out_channels: 2, kernel_size: 3}}]}}]");
        assert!(message.contains("[1, 28, 28] into [2, 26, 26]") && message.contains("projection"), "{message}");
        assert!(refused("layers: [{residual: {layers: []}}]").contains("at least 1 layer"));
        let inner = model("layers: [relu, {residual: {layers: [relu, {residual: {layers: [relu]}}]}}]").unwrap_err();
        assert!(inner.to_string().contains("one after the other"), "{inner}");
        assert_eq!(inner.position().unwrap().key(), "layers[1].residual.layers[1]");
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
