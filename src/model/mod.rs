//! One list of layers per network: the single source of parameter counts, shapes, sizes, cost and of
//! the network that is trained.
//!
//! Owns what follows from the layers by arithmetic alone; holds no weights and knows no libtorch.

mod layer;
mod size;

use std::collections::HashSet;

pub use layer::{Init, Layer, TensorSpec};
pub use size::{Megabytes, Sizes};

use crate::dataset::CLASSES;
use crate::study::{LayerKind, ModelSpec};

/// A network with every shape resolved.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: String,
    pub title: String,
    /// Channels, height, width.
    pub input: [usize; 3],
    pub layers: Vec<Layer>,
}

/// A layer that does not fit: its index in the study's list, the key at fault, and why.
#[derive(Debug)]
pub struct ModelError {
    pub layer: Option<usize>,
    pub message: String,
}

impl Model {
    /// Resolves names and shapes, layer after layer.
    ///
    /// # Errors
    /// The first layer whose input does not fit it, a repeated name, or an output that is not ten classes.
    pub fn resolve(name: &str, spec: &ModelSpec, input: [usize; 3]) -> Result<Self, ModelError> {
        let mut names = HashSet::new();
        let taken: HashSet<&str> = spec.layers.iter().filter_map(LayerKind::name).collect();
        let mut counts = std::collections::HashMap::<&str, usize>::new();
        let mut layers: Vec<Layer> = Vec::with_capacity(spec.layers.len());
        for (i, kind) in spec.layers.iter().enumerate() {
            let err = |message: String| ModelError { layer: Some(i), message };
            let name = match kind.name() {
                Some(own) => own.to_owned(),
                None => loop {
                    let count = counts.entry(kind.prefix()).or_default();
                    *count += 1;
                    let name = format!("{}{count}", kind.prefix());
                    if !taken.contains(name.as_str()) {
                        break name;
                    }
                },
            };
            if !is_identifier(&name) {
                return Err(err(format!("layer name `{name}`: letters, digits and `_` only, not first a digit")));
            }
            if !names.insert(name.clone()) {
                return Err(err(format!("layer name `{name}` is used twice")));
            }
            let shape = layers.last().map_or(input.to_vec(), |l| l.output.clone());
            layers.push(Layer::resolve(name, kind.clone(), shape).map_err(err)?);
        }
        let Some(last) = layers.last() else {
            return Err(ModelError { layer: None, message: "has no layers".into() });
        };
        if last.output != [CLASSES] {
            return Err(ModelError {
                layer: Some(layers.len() - 1),
                message: format!(
                    "the last layer gives {:?} values an image; {CLASSES} are needed, one a class",
                    last.output
                ),
            });
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

    /// Biases that batch normalisation takes back, with the batch's mean, before anything else than pooling or an unpadded
    /// convolution sees them: in training, the loss does not depend on them. Their gradient is zero; a sum of rounding errors is what autograd
    /// gives for it.
    pub fn idle_biases(&self) -> impl Iterator<Item = &str> {
        // What is shifted by a constant a channel leaves these shifted by one; not so where padding is taken in.
        let shifts = |kind: &LayerKind| match kind {
            LayerKind::MaxPool2d(_) => true,
            LayerKind::AvgPool2d(p) => p.padding == 0,
            LayerKind::Conv2d(c) => c.padding == 0,
            LayerKind::Dropout(c) => c.p == 0.0,
            _ => false,
        };
        self.layers.iter().enumerate().filter_map(move |(i, layer)| {
            let (LayerKind::Conv2d(_) | LayerKind::BatchNorm2d(_)) = layer.kind else { return None };
            let next = self.layers[i + 1..].iter().find(|l| !shifts(&l.kind))?;
            let bias = layer.parameters.get(1).filter(|_| matches!(next.kind, LayerKind::BatchNorm2d(_)))?;
            Some(bias.name.as_str())
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

fn is_identifier(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
        && name.len() <= 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(yaml: &str) -> Result<Model, ModelError> {
        Model::resolve("m", &serde_yaml::from_str(yaml).unwrap(), [1, 28, 28])
    }

    #[test]
    fn biases_before_batch_normalisation_are_idle() {
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
            model(layers).unwrap().idle_biases().collect::<Vec<_>>(),
            ["a.bias", "bn3.bias", "d.bias", "e.bias", "i.bias"]
        );
    }

    fn refused(yaml: &str) -> String {
        model(yaml).expect_err("refused").message
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
