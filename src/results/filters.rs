//! The weights of a network's first convolution, as a report draws them.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ModelFacts, Results, ResultsError, RunResult, SeedResult};
use crate::study::{Show, Study};
use crate::tensors::NamedTensor;

/// The most kernels that a figure shows.
pub const MAX_KERNELS: usize = 64;
/// Larger kernels than MNIST's images do not exist.
const MAX_SIDE: usize = 64;

/// The kernels of the convolution that sees the image, of a run's first seed after training.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// The layer's name.
    pub layer: String,
    /// How many kernels it has; at most [`MAX_KERNELS`] of them are kept, the first ones.
    pub kernels: usize,
    /// Height and width of a kernel.
    pub size: [usize; 2],
    /// The largest absolute value of the weights kept, rounded to five digits.
    pub largest: f64,
    /// The weights in the order of the tensor, each a signed byte in base64: the weight divided by `largest`, times 127,
    /// rounded.
    pub weights: String,
}

impl Filters {
    /// The first convolution of a network; `None` if its first layer with parameters is not a convolution of the image.
    pub fn of(model: &ModelFacts, tensors: &[NamedTensor]) -> Option<Self> {
        let layer = first_convolution(model)?;
        let tensor = tensors.iter().find(|t| t.name == format!("{layer}.weight"))?;
        let [kernels, 1, height, width] = tensor.shape[..] else { return None };
        let shown = kernels.min(MAX_KERNELS) * height * width;
        let weights = tensor.values.get(..shown)?;
        let largest = weights.iter().fold(0f32, |most, w| if w.abs() > most { w.abs() } else { most });
        let scaled =
            |w: &f32| if largest > 0.0 { (f64::from(*w) / f64::from(largest) * 127.0).round() as i8 } else { 0 };
        let bytes: Vec<u8> = weights.iter().map(|w| scaled(w).to_le_bytes()[0]).collect();
        Some(Self {
            layer: layer.to_owned(),
            kernels,
            size: [height, width],
            largest: format!("{largest:.4e}").parse().unwrap_or_default(),
            weights: STANDARD.encode(bytes),
        })
    }

    /// The number of kernels kept.
    pub fn shown(&self) -> usize {
        self.kernels.min(MAX_KERNELS)
    }

    /// The weights kept, from -127 to 127; `None` if they are not as many as the sizes say.
    pub fn values(&self) -> Option<Vec<i8>> {
        let [height, width] = self.size;
        let is_size = |side: usize| (1..=MAX_SIDE).contains(&side);
        if self.kernels == 0 || !is_size(height) || !is_size(width) || !self.largest.is_finite() {
            return None;
        }
        let bytes = STANDARD.decode(&self.weights).ok()?;
        (bytes.len() == self.shown() * height * width).then(|| bytes.iter().map(|b| i8::from_le_bytes([*b])).collect())
    }
}

/// The name of the convolution that sees the image: the first layer with parameters, if it is one.
fn first_convolution(model: &ModelFacts) -> Option<&str> {
    let layer = model.layers.iter().find(|l| l.parameters > 0)?;
    // A layer with a window and parameters is a convolution. The first number of a shape is the batch.
    let sees_image = layer.window.is_some() && layer.input_shape.get(1) == Some(&1);
    sees_image.then_some(layer.name.as_str())
}

impl Results {
    /// The runs whose first convolutions the study's sections show, each with the seed that is shown, and its model.
    pub fn shown_filters<'r>(
        &'r self,
        study: &Study,
    ) -> impl Iterator<Item = (&'r String, &'r SeedResult, &'r ModelFacts)> {
        let sections = study.sections.iter().filter(|section| section.show.contains(&Show::Filters));
        let shown: HashSet<&String> = sections.flat_map(|section| &section.runs).collect();
        let shown = self.runs.iter().filter(move |(name, _)| shown.contains(name));
        let first = |(name, run): (&'r String, &'r RunResult)| {
            Some((name, run.seeds.first()?, self.models.get(&run.plan.model)?))
        };
        shown.filter_map(first).filter(|(_, _, model)| first_convolution(model).is_some())
    }

    /// Adds the first convolutions that the study's sections show. `weights` gives the tensors of a run's seed.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub fn add_filters<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        study: &Study,
        weights: impl Fn(&str, u64) -> Result<Vec<NamedTensor>, E>,
    ) -> Result<(), ResultsError> {
        let mut filters = IndexMap::new();
        for (name, seed, model) in self.shown_filters(study) {
            let failed = |e: E| ResultsError::Weights { run: name.clone(), seed: seed.seed, source: e.into() };
            filters.extend(Filters::of(model, &weights(name, seed.seed).map_err(failed)?).map(|f| (name.clone(), f)));
        }
        self.filters = filters;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Window;
    use crate::results::LayerFacts;

    fn model(kind: &str, channels: usize) -> ModelFacts {
        let layer = |name: &str, kind: &str, parameters| LayerFacts {
            name: name.into(),
            kind: kind.into(),
            parameters,
            buffers: 0,
            formula: String::new(),
            window: (kind == "conv2d").then(|| Window::square(2, 1, 0)),
            inner_layers: None,
            mult_adds: 0,
            input_shape: vec![64, channels, 28, 28],
            output_shape: vec![64, 2, 27, 27],
        };
        let megabytes = crate::model::Megabytes { input: 0.0, forward_backward: 0.0, params: 0.0, total: 0.0 };
        let sizes = crate::model::Sizes { torchsummary: megabytes, torchinfo: megabytes };
        let layers = vec![layer("drop", "dropout", 0), layer("first", kind, 10)];
        ModelFacts { parameters: 10, buffers: 0, mult_adds: 0, sizes, batch: 64, layers }
    }

    fn tensors(values: &[f32], shape: &[usize]) -> Vec<NamedTensor> {
        vec![NamedTensor { name: "first.weight".into(), shape: shape.to_vec(), values: values.to_vec() }]
    }

    #[test]
    fn weights_are_kept_as_shares_of_the_largest() {
        let values = [0.5, -0.25, 0.0, 0.125, 0.25, -0.5, 0.001, 0.3];
        let filters = Filters::of(&model("conv2d", 1), &tensors(&values, &[2, 1, 2, 2])).unwrap();
        assert_eq!((filters.kernels, filters.size, filters.largest), (2, [2, 2], 0.5));
        assert_eq!(filters.values().unwrap(), [127, -64, 0, 32, 64, -127, 0, 76]);
        let zeros = Filters::of(&model("conv2d", 1), &tensors(&[0.0; 4], &[1, 1, 2, 2])).unwrap();
        assert_eq!(zeros.values().unwrap(), [0; 4]);
    }

    #[test]
    fn only_a_convolution_of_the_image_is_shown_and_at_most_so_many_kernels() {
        assert_eq!(Filters::of(&model("linear", 1), &tensors(&[0.5; 4], &[1, 1, 2, 2])), None);
        assert_eq!(Filters::of(&model("conv2d", 3), &tensors(&[0.5; 4], &[1, 1, 2, 2])), None);
        let many = Filters::of(&model("conv2d", 1), &tensors(&[0.5; 400], &[100, 1, 2, 2])).unwrap();
        assert_eq!((many.kernels, many.shown(), many.values().unwrap().len()), (100, 64, 256));
    }

    #[test]
    fn texts_that_are_not_such_weights_are_refused() {
        let good = Filters::of(&model("conv2d", 1), &tensors(&[0.5; 8], &[2, 1, 2, 2])).unwrap();
        assert!(good.values().is_some());
        for (kernels, size, weights) in [(3, [2, 2], ""), (2, [2, 3], ""), (0, [2, 2], ""), (2, [usize::MAX, 2], "")] {
            let weights = if weights.is_empty() { good.weights.clone() } else { weights.into() };
            assert_eq!(Filters { kernels, size, weights, ..good.clone() }.values(), None, "{kernels} {size:?}");
        }
        assert_eq!(Filters { weights: "\"/><script>".into(), ..good.clone() }.values(), None);
        assert_eq!(Filters { largest: f64::INFINITY, ..good }.values(), None);
    }
}
