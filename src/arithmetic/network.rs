//! A network: its parameters and buffers, and its layers' kernels in the order of execution, with an explicit backward
//! pass. Names, shapes and the distributions of initial values come from `model`.

use std::sync::Mutex;

use super::steps::{Step, steps};
use crate::model::{Init, Model, TensorSpec};
use crate::rng::{Purpose, Stream};
use crate::tensors::{LoadError, NamedTensor, check_count, values_of};
use kernels::cross_entropy::{Targets, cross_entropy};
use kernels::layers::residual::add_to;
use kernels::layers::{Backward, Forward};
use kernels::memory::grow;

/// A network that the CPU trains and evaluates.
pub struct Network {
    /// Number of values in one input image.
    input: usize,
    steps: Vec<Step>,
    /// All trainable parameters in PyTorch's order; steps refer to them by index.
    pub(super) parameters: Vec<Vec<f32>>,
    buffers: Vec<Vec<f32>>,
    /// The gradients of the last backward pass, one for each parameter.
    pub(super) gradients: Vec<Vec<f32>>,
    /// Indices of the biases that batch normalisation cancels. `backward` sets their gradients to zero.
    cancelled_biases: Vec<usize>,
    /// The targets of the training loss.
    targets: Targets,
    /// Number of logits of an image.
    classes: usize,
    parameter_specs: Vec<TensorSpec>,
    buffer_specs: Vec<TensorSpec>,
    /// The output of every step in the last pass in training mode.
    outputs: Vec<Vec<f32>>,
    /// Working memory for the two gradients that a backward step reads and writes.
    output_gradients: [Vec<f32>; 2],
    /// The gradient of the output of the residual block in which the backward pass is.
    skip_gradient: Vec<f32>,
    /// Working memory of `evaluate`, in a mutex because `evaluate` takes `&self`.
    evaluation: Mutex<[Vec<f32>; 3]>,
}

impl Network {
    /// A network with initial weights drawn from the seed's streams (PyTorch's default initialisation).
    pub fn new(model: &Model, seed: u64) -> Self {
        let initial_values = |spec: &TensorSpec| initial_values(spec, seed);
        let parameters: Vec<Vec<f32>> = model.parameters().map(initial_values).collect();
        let steps = steps(model);
        Self {
            input: model.input.iter().product(),
            outputs: steps.iter().map(|_| Vec::new()).collect(),
            steps,
            gradients: parameters.iter().map(|p| vec![0.0; p.len()]).collect(),
            parameters,
            buffers: model.buffers().map(initial_values).collect(),
            cancelled_biases: cancelled_biases(model),
            targets: Targets::PLAIN,
            classes: model.layers.last().map_or(0, |layer| layer.output.iter().product()),
            parameter_specs: model.parameters().cloned().collect(),
            buffer_specs: model.buffers().cloned().collect(),
            output_gradients: Default::default(),
            skip_gradient: Vec::new(),
            evaluation: Mutex::default(),
        }
    }

    /// Smooths the labels of the training loss, as `label_smoothing` of `torch.nn.CrossEntropyLoss`; from 0 to 1.
    pub fn set_label_smoothing(&mut self, smoothing: f64) {
        self.targets = Targets::smoothed(smoothing, self.classes);
    }

    /// Copies of all parameters and buffers, with PyTorch's names.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        let parameters = self.parameter_specs.iter().zip(&self.parameters);
        parameters.chain(self.buffer_specs.iter().zip(&self.buffers)).map(|(spec, v)| named("", spec, v)).collect()
    }

    /// The gradients of the last backward pass, with the parameters' names.
    pub fn gradients(&self) -> Vec<NamedTensor> {
        self.parameter_specs.iter().zip(&self.gradients).map(|(spec, values)| named("", spec, values)).collect()
    }

    /// Sets all parameters and buffers.
    ///
    /// # Errors
    /// A tensor is missing or has another shape, or there are too many tensors.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), LoadError> {
        let expected = self.parameter_specs.len() + self.buffer_specs.len();
        let parameters = self.parameter_specs.iter().zip(&mut self.parameters);
        for (spec, target) in parameters.chain(self.buffer_specs.iter().zip(&mut self.buffers)) {
            copy_tensor("", spec, tensors, target)?;
        }
        check_count(tensors, "model", expected)
    }

    /// Copies of an optimizer's values, one tensor for each parameter. Each name is `prefix` and the parameter's name.
    pub(super) fn named_like_parameters(&self, prefix: &str, values: &[Vec<f32>]) -> Vec<NamedTensor> {
        self.parameter_specs.iter().zip(values).map(|(spec, values)| named(prefix, spec, values)).collect()
    }

    /// Sets an optimizer's values from tensors named as in `named_like_parameters`. Returns their number.
    pub(super) fn load_like_parameters(
        &self,
        prefix: &str,
        targets: &mut [Vec<f32>],
        tensors: &[NamedTensor],
    ) -> Result<usize, LoadError> {
        for (spec, target) in self.parameter_specs.iter().zip(targets.iter_mut()) {
            copy_tensor(prefix, spec, tensors, target)?;
        }
        Ok(targets.len())
    }

    /// The number of values that it gives for an image.
    pub(super) fn classes(&self) -> usize {
        self.steps.last().map_or(0, |step| step.output)
    }

    /// Logits `[images, classes]` of images `[images, height, width, channels]`, in evaluation mode.
    pub(super) fn evaluate(&self, images: &[f32]) -> Vec<f32> {
        let count = images.len() / self.input;
        let mut buffers = self.evaluation.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [current, next, skip] = &mut *buffers;
        for (i, step) in self.steps.iter().enumerate() {
            let input = self.steps[..i].last().map_or(images, |before| &current[..count * before.output]);
            if step.starts_residual {
                sized(skip, input.len()).copy_from_slice(input);
            }
            step.kernel.evaluate(Forward {
                x: input,
                skip: if step.skip.is_some() { &skip[..input.len()] } else { &[] },
                parameters: &self.parameters[step.parameters.clone()],
                buffers: &self.buffers[step.buffers.clone()],
                y: sized(next, count * step.output),
            });
            std::mem::swap(current, next);
        }
        current[..count * self.classes()].to_vec()
    }

    /// A pass in training mode over images `[images, height, width, channels]`: updates the buffers, and returns the
    /// logits `[images, classes]`. `masks` holds a mask for each dropout layer by the layer's name; a dropout layer without
    /// a mask drops nothing.
    pub(super) fn train(&mut self, images: &[f32], masks: &[(&str, &[f32])]) -> &[f32] {
        let count = images.len() / self.input;
        for step in &mut self.steps {
            step.kernel.set_mask(None);
        }
        for (layer, mask) in masks {
            let step = self.steps.iter_mut().find(|step| step.layer == *layer);
            step.expect("no layer has the mask's name").kernel.set_mask(Some(mask));
        }
        for (i, step) in self.steps.iter_mut().enumerate() {
            let (before, output) = self.outputs.split_at_mut(i);
            let input_of = |i: usize| before[..i].last().map_or(images, |input| &input[..]);
            step.kernel.train(Forward {
                x: input_of(i),
                skip: step.skip.map_or(&[], input_of),
                parameters: &self.parameters[step.parameters.clone()],
                buffers: &self.buffers[step.buffers.clone()],
                y: exactly(&mut output[0], count * step.output),
            });
            step.kernel.update_buffers(&mut self.buffers[step.buffers.clone()]);
        }
        self.outputs.last().expect("a model has layers")
    }

    /// Computes the gradients of the mean cross-entropy. `images` must be those of the last call of `train`, and
    /// `labels` their classes. Returns the loss.
    pub(super) fn backward(&mut self, images: &[f32], labels: &[u8]) -> f32 {
        let count = images.len() / self.input;
        let [output_gradient, input_gradient] = &mut self.output_gradients;
        let logits = self.outputs.last().expect("a model has layers");
        let loss = cross_entropy(logits, labels, self.targets, sized(output_gradient, logits.len()));
        for (i, step) in self.steps.iter_mut().enumerate().rev() {
            if step.parameters.is_empty() && !step.needs_input_gradient {
                break;
            }
            let (before, output) = self.outputs.split_at(i);
            let x = before.last().map_or(images, |input| &input[..]);
            step.kernel.backward(Backward {
                x,
                y: &output[0],
                output_gradient: &output_gradient[..count * step.output],
                parameters: &self.parameters[step.parameters.clone()],
                input_gradient: step.needs_input_gradient.then(|| sized(input_gradient, x.len())),
                parameter_gradients: &mut self.gradients[step.parameters.clone()],
            });
            if !step.needs_input_gradient {
                break;
            }
            if step.starts_residual {
                add_to(&mut input_gradient[..x.len()], &self.skip_gradient[..x.len()]);
            }
            if step.skip.is_some() {
                std::mem::swap(output_gradient, &mut self.skip_gradient);
            }
            std::mem::swap(output_gradient, input_gradient);
        }
        // The true gradient of these biases is zero. The computed one consists of rounding errors, which Adam would
        // scale up to full steps.
        for &i in &self.cancelled_biases {
            self.gradients[i].fill(0.0);
        }
        loss
    }

    /// Mean cross-entropy of a batch in training mode, with a mask for each dropout layer by the layer's name. `images`
    /// are `[images, channels, height, width]`, `input` is channels, height, width. Afterwards, `gradients` returns the
    /// gradients of this loss.
    pub fn loss_and_backward(
        &mut self,
        images: &[f32],
        input: [usize; 3],
        labels: &[u8],
        masks: &[(String, Vec<f32>)],
    ) -> f32 {
        let images = channels_last(images, input);
        self.train(&images, &by_layer(masks));
        self.backward(&images, labels)
    }

    /// Logits `[images, classes]` of images `[images, channels, height, width]`; `input` is channels, height, width. If
    /// `masks` is `None`, the pass is in evaluation mode. With a list of masks, even an empty one, it is in training
    /// mode and updates the buffers.
    pub fn logits(&mut self, images: &[f32], input: [usize; 3], masks: Option<&[(String, Vec<f32>)]>) -> Vec<f32> {
        let images = channels_last(images, input);
        match masks {
            None => self.evaluate(&images),
            Some(masks) => self.train(&images, &by_layer(masks)).to_vec(),
        }
    }
}

pub(super) fn by_layer(masks: &[(String, Vec<f32>)]) -> Vec<(&str, &[f32])> {
    masks.iter().map(|(layer, mask)| (layer.as_str(), &mask[..])).collect()
}

/// A tensor's initial values, drawn from its random stream of this seed (PyTorch's default initialisation).
pub fn initial_values(spec: &TensorSpec, seed: u64) -> Vec<f32> {
    let n = spec.numel() as usize;
    match spec.init {
        Init::Uniform { bound } => Stream::new(seed, Purpose::Init { tensor: &spec.name }).uniform(n, bound),
        Init::Ones => vec![1.0; n],
        Init::Zeros => vec![0.0; n],
    }
}

/// Indices among a model's parameters of the biases that batch normalisation cancels.
pub fn cancelled_biases(model: &Model) -> Vec<usize> {
    let is_cancelled = |spec: &TensorSpec| model.cancelled_biases().any(|name| name == spec.name);
    let cancelled = model.parameters().enumerate().filter(|(_, spec)| is_cancelled(spec));
    cancelled.map(|(i, _)| i).collect()
}

/// Images `[images, channels, height, width]` as `[images, height, width, channels]`.
pub(super) fn channels_last(images: &[f32], [channels, height, width]: [usize; 3]) -> Vec<f32> {
    if channels == 1 {
        return images.to_vec();
    }
    let (pixels, mut out) = (height * width, Vec::with_capacity(images.len()));
    for image in images.chunks_exact(channels * pixels) {
        out.extend((0..pixels * channels).map(|i| image[i % channels * pixels + i / channels]));
    }
    out
}

/// The first `len` values of working memory. The memory grows as needed and is never freed, because allocating it takes
/// longer than most kernels.
fn sized(memory: &mut Vec<f32>, len: usize) -> &mut [f32] {
    grow(memory, len);
    &mut memory[..len]
}

/// Like `sized`, but resizes the memory to exactly this length.
fn exactly(memory: &mut Vec<f32>, len: usize) -> &mut [f32] {
    memory.truncate(len);
    grow(memory, len);
    memory
}

/// Copies the tensor of this name among `tensors` into `target`.
pub(super) fn copy_tensor(
    prefix: &str,
    spec: &TensorSpec,
    tensors: &[NamedTensor],
    target: &mut [f32],
) -> Result<(), LoadError> {
    target.copy_from_slice(values_of(tensors, &format!("{prefix}{}", spec.name), &spec.shape)?);
    Ok(())
}

pub(super) fn named(prefix: &str, spec: &TensorSpec, values: &[f32]) -> NamedTensor {
    NamedTensor { name: format!("{prefix}{}", spec.name), shape: spec.shape.clone(), values: values.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGES: usize = 3;
    const INPUT: [usize; 3] = [1, 2, 2];
    const LABELS: [u8; IMAGES] = [2, 0, 1];

    /// Residual blocks of features: one after the other, with and without parameters.
    const LAYERS: &str = "{layers: [flatten, linear: {out_features: 5},
        residual: {layers: [tanh, linear: {out_features: 3}, tanh, linear: {out_features: 5}]},
        residual: {layers: [sigmoid]}, linear: {out_features: 3}]}";

    /// `outputs` values of a linear layer, whose weight and bias are the next `parameters`.
    fn linear(x: &[f64], outputs: usize, parameters: &mut &[f64]) -> Vec<f64> {
        let (weight, rest) = parameters.split_at(outputs * x.len());
        let (bias, rest) = rest.split_at(outputs);
        *parameters = rest;
        let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        weight.chunks_exact(x.len()).zip(bias).map(|(row, bias)| dot(row) + bias).collect()
    }

    /// The logits and the loss of the network, from its definition.
    fn defined(images: &[f32], mut parameters: &[f64]) -> (Vec<f64>, f64) {
        let apply = |x: &[f64], f: fn(f64) -> f64| x.iter().map(|x| f(*x)).collect::<Vec<_>>();
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
        let (all, mut logits, mut loss) = (parameters, Vec::new(), 0.0);
        for (image, label) in images.chunks_exact(4).zip(LABELS) {
            parameters = all;
            let image: Vec<f64> = image.iter().map(|x| f64::from(*x)).collect();
            let x = linear(&image, 5, &mut parameters);
            let branch = linear(&apply(&x, libm::tanh), 3, &mut parameters);
            let branch = linear(&apply(&branch, libm::tanh), 5, &mut parameters);
            let x = sum(&x, &branch);
            let x = sum(&x, &apply(&x, |x| 1.0 / (1.0 + libm::exp(-x))));
            let y = linear(&x, 3, &mut parameters);
            let exps: f64 = y.iter().map(|y| libm::exp(*y)).sum();
            loss += (libm::log(exps) - y[usize::from(label)]) / IMAGES as f64;
            logits.extend(y);
        }
        (logits, loss)
    }

    #[test]
    fn residual_blocks_have_the_gradients_of_their_definition() {
        let model = Model::resolve("m", &serde_yaml::from_str(LAYERS).unwrap(), INPUT, 3).unwrap();
        let mut network = Network::new(&model, 5);
        let images = Stream::keyed(b"residual").uniform(IMAGES * 4, 1.0);
        let parameters: Vec<f64> = network.parameters.concat().into_iter().map(f64::from).collect();
        let (expected, expected_loss) = defined(&images, &parameters);
        let near = |what: &str, got: f32, expected: f64| {
            assert!((f64::from(got) - expected).abs() < 1e-6, "{what}: {got}, expected {expected}");
        };
        for logits in [network.evaluate(&images), network.logits(&images, INPUT, Some(&[]))] {
            assert_eq!(logits.len(), expected.len());
            logits.iter().zip(&expected).for_each(|(got, expected)| near("logit", *got, *expected));
        }
        near("loss", network.loss_and_backward(&images, INPUT, &LABELS, &[]), expected_loss);
        let gradients = network.gradients.concat();
        assert_eq!(gradients.len(), parameters.len());
        for (i, gradient) in gradients.into_iter().enumerate() {
            let loss = |step: f64| {
                let mut moved = parameters.clone();
                moved[i] += step;
                defined(&images, &moved).1
            };
            near(&format!("gradient {i}"), gradient, (loss(1e-5) - loss(-1e-5)) / 2e-5);
        }
    }
}
