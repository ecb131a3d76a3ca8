//! A network on a GPU: its tensors and the order of its layers' kernels.

use std::fmt;
use std::rc::Rc;

use super::cross_entropy::{CrossEntropy, LossPlace};
use super::gpu::{Address, Gpu, Memory};
use super::layers::avg_pool2d::AvgPool2d;
use super::layers::batch_norm2d::{BatchNorm2d, BatchNorm2dOptions};
use super::layers::conv2d::conv2d;
use super::layers::dropout::Dropout;
use super::layers::flatten::Flatten;
use super::layers::gelu::Gelu;
use super::layers::global_avg_pool::GlobalAvgPool;
use super::layers::layer_norm::LayerNorm;
use super::layers::leaky_relu::LeakyRelu;
use super::layers::linear::Linear;
use super::layers::max_pool2d::MaxPool2d;
use super::layers::relu::Relu;
use super::layers::residual::{Residual, add_to};
use super::layers::sigmoid::Sigmoid;
use super::layers::tanh::Tanh;
use super::layers::{Backward, Forward, Layer, Mask};
use super::tensors::Tensors;
use crate::arithmetic::network::{by_layer, cancelled_biases, channels_last, copy_tensor, initial_values, named};
use crate::arithmetic::steps::{self, conv2d_options, steps};
use crate::model::{LayerKind, Model, TensorSpec};
use crate::tensors::{LoadError, NamedTensor, check_count};
use kernels::cross_entropy::Targets;

type Step = steps::Step<Box<dyn Layer>>;

/// A network in a GPU's memory.
pub struct Network {
    pub(super) gpu: Rc<dyn Gpu>,
    /// Number of values in one input image.
    input: usize,
    /// Maximum number of images in a pass.
    pub(super) images: usize,
    steps: Vec<Step>,
    /// All trainable parameters in PyTorch's order; steps refer to them by index.
    pub(super) parameters: Tensors,
    buffers: Tensors,
    /// The gradients of the last backward pass, one for each parameter.
    pub(super) gradients: Tensors,
    /// Indices of the biases that batch normalisation cancels. Their gradient is exactly zero.
    cancelled_biases: Vec<usize>,
    parameter_specs: Vec<TensorSpec>,
    buffer_specs: Vec<TensorSpec>,
    /// The output of every step in the last pass. An evaluation overwrites them, so do not evaluate between the forward
    /// and the backward pass of a training step.
    outputs: Vec<Memory>,
    /// The two gradients that a backward step reads and writes.
    output_gradients: [Memory; 2],
    /// A third one for networks with residual blocks: the gradient of the output of the block in which the backward pass is.
    skip_gradient: Memory,
    cross_entropy: CrossEntropy,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Network").field("images", &self.images).finish_non_exhaustive()
    }
}

/// The kernels of a layer for up to `images` images.
fn kernel<K>(gpu: &dyn Gpu, step: &steps::Step<K>, images: usize) -> Box<dyn Layer> {
    let (shape, len) = (step.input, step.input.len());
    match &step.kind {
        LayerKind::Conv2d(c) => conv2d(gpu, shape, &conv2d_options(c), images),
        LayerKind::BatchNorm2d(c) => batch_norm(gpu, step, [c.eps, c.momentum], images),
        LayerKind::BatchNorm1d(c) => batch_norm(gpu, step, [c.eps, c.momentum], images),
        LayerKind::LayerNorm(c) => Box::new(LayerNorm::new(gpu, shape, c.eps, images)),
        LayerKind::Relu(_) => Box::new(Relu { len }),
        LayerKind::LeakyRelu(c) => Box::new(LeakyRelu::new(c.negative_slope, len)),
        LayerKind::Gelu(_) => Box::new(Gelu { len }),
        LayerKind::Sigmoid(_) => Box::new(Sigmoid { len }),
        LayerKind::Tanh(_) => Box::new(Tanh { len }),
        LayerKind::MaxPool2d(c) => Box::new(MaxPool2d::new(gpu, shape, [c.kernel_size, c.stride(), c.padding], images)),
        LayerKind::AvgPool2d(c) => Box::new(AvgPool2d::new(shape, [c.kernel_size, c.stride(), c.padding])),
        LayerKind::GlobalAvgPool(_) => Box::new(GlobalAvgPool { shape }),
        LayerKind::Dropout(c) => Box::new(Dropout::new(gpu, shape, c.p, images)),
        LayerKind::Flatten(_) => Box::new(Flatten { shape }),
        LayerKind::Linear(c) => Box::new(Linear::new(gpu, shape.channels, c.out_features, images)),
        LayerKind::Residual(_) => Box::new(Residual { len }),
    }
}

fn batch_norm<K>(gpu: &dyn Gpu, step: &steps::Step<K>, [eps, momentum]: [f64; 2], images: usize) -> Box<dyn Layer> {
    let options = BatchNorm2dOptions { eps, momentum, relu: step.relu };
    Box::new(BatchNorm2d::new(gpu, step.input, options, images))
}

impl Network {
    /// A network with initial weights drawn from the seed's streams (PyTorch's default initialisation), for passes over
    /// up to `images` images.
    pub fn new(gpu: &Rc<dyn Gpu>, model: &Model, seed: u64, images: usize) -> Self {
        let device = &**gpu;
        let initial = |specs: Vec<&TensorSpec>| {
            let values: Vec<Vec<f32>> = specs.iter().map(|spec| initial_values(spec, seed)).collect();
            Tensors::of(device, &values)
        };
        let steps: Vec<Step> = steps(model)
            .into_iter()
            .map(|step| {
                let kernel = kernel(device, &step, images);
                step.with_kernel(kernel)
            })
            .collect();
        let input = model.input.iter().product();
        let classes = steps.last().map_or(0, |step| step.output);
        let largest = steps.iter().map(|step| step.output).max().unwrap_or_default();
        let has_residual = steps.iter().any(|step| step.starts_residual);
        let parameters = initial(model.parameters().collect());
        Self {
            gpu: Rc::clone(gpu),
            input,
            images,
            outputs: steps.iter().map(|step| device.values(images * step.output)).collect(),
            steps,
            gradients: parameters.zeros_like(device),
            parameters,
            buffers: initial(model.buffers().collect()),
            cancelled_biases: cancelled_biases(model),
            parameter_specs: model.parameters().cloned().collect(),
            buffer_specs: model.buffers().cloned().collect(),
            output_gradients: [0; 2].map(|_| device.values(images * largest)),
            skip_gradient: device.values(if has_residual { images * largest } else { 1 }),
            cross_entropy: CrossEntropy::new(device, images, classes),
        }
    }

    /// Smooths the labels of the training loss, as `label_smoothing` of `torch.nn.CrossEntropyLoss`; from 0 to 1.
    pub fn set_label_smoothing(&mut self, smoothing: f64) {
        self.cross_entropy.targets = Targets::smoothed(smoothing, self.classes());
    }

    /// Copies of all parameters and buffers, with PyTorch's names.
    pub fn tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = self.named_like_parameters("", &self.parameters);
        let buffers = self.buffer_specs.iter().enumerate();
        tensors.extend(buffers.map(|(i, spec)| named("", spec, &self.buffers.read(&*self.gpu, i))));
        tensors
    }

    /// The gradients of the last backward pass, with the parameters' names.
    pub fn gradients(&self) -> Vec<NamedTensor> {
        self.named_like_parameters("", &self.gradients)
    }

    /// Sets all parameters and buffers.
    ///
    /// # Errors
    /// A tensor is missing or has another shape, or there are too many tensors.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), LoadError> {
        for (specs, targets) in [(&self.parameter_specs, &self.parameters), (&self.buffer_specs, &self.buffers)] {
            self.load_list("", specs, targets, tensors)?;
        }
        let expected = self.parameter_specs.len() + self.buffer_specs.len();
        check_count(tensors, "model", expected)
    }

    /// Copies of a list with one tensor for each parameter. Each name is `prefix` and the parameter's name.
    pub(super) fn named_like_parameters(&self, prefix: &str, values: &Tensors) -> Vec<NamedTensor> {
        let specs = self.parameter_specs.iter().enumerate();
        specs.map(|(i, spec)| named(prefix, spec, &values.read(&*self.gpu, i))).collect()
    }

    /// Sets an optimizer's values from tensors named as in `named_like_parameters`. Returns their number.
    pub(super) fn load_like_parameters(
        &self,
        prefix: &str,
        targets: &Tensors,
        tensors: &[NamedTensor],
    ) -> Result<usize, LoadError> {
        self.load_list(prefix, &self.parameter_specs, targets, tensors)?;
        Ok(self.parameter_specs.len())
    }

    fn load_list(
        &self,
        prefix: &str,
        specs: &[TensorSpec],
        targets: &Tensors,
        tensors: &[NamedTensor],
    ) -> Result<(), LoadError> {
        for (i, spec) in specs.iter().enumerate() {
            let mut values = vec![0.0; spec.numel() as usize];
            copy_tensor(prefix, spec, tensors, &mut values)?;
            targets.write(&*self.gpu, i, &values);
        }
        Ok(())
    }

    /// Sets the masks of the next training steps, by the layer's name. Layers without a mask in `masks` drop nothing.
    pub(super) fn set_masks(&mut self, masks: &[(&str, Mask)]) {
        for step in &mut self.steps {
            let mask = masks.iter().find(|(layer, _)| *layer == step.layer).map_or(&Mask::None, |(_, mask)| mask);
            step.kernel.set_mask(&*self.gpu, mask);
        }
    }

    fn forward(&self, i: usize, images: usize, x: Address, y: Address) -> Forward<'_> {
        let step = &self.steps[i];
        let parameters = &self.parameters.addresses()[step.parameters.clone()];
        let buffers = &self.buffers.addresses()[step.buffers.clone()];
        let input_of = |i: usize| if i == 0 { x } else { self.outputs[i - 1].address() };
        Forward { images, x: input_of(i), skip: step.skip.map(input_of), parameters, buffers, y }
    }

    /// Writes the logits `[images, 10]` of images `[images, height, width, channels]`, in evaluation mode.
    pub(super) fn evaluate(&self, images: usize, x: Address, logits: Address) {
        for (i, step) in self.steps.iter().enumerate() {
            let y = if i + 1 == self.steps.len() { logits } else { self.outputs[i].address() };
            step.kernel.evaluate(&*self.gpu, &self.forward(i, images, x, y));
        }
    }

    /// A pass in training mode over images `[images, height, width, channels]`: updates the buffers. Returns the
    /// address of the logits `[images, 10]`.
    pub(super) fn train(&self, images: usize, x: Address) -> Address {
        for (i, step) in self.steps.iter().enumerate() {
            step.kernel.train(&*self.gpu, &self.forward(i, images, x, self.outputs[i].address()));
        }
        self.logits_of_training()
    }

    fn logits_of_training(&self) -> Address {
        self.outputs.last().expect("a model has layers").address()
    }

    /// Computes the gradients of the mean cross-entropy of the last pass in training mode. `images` and `x` must be
    /// those of that pass.
    pub(super) fn backward(&self, images: usize, x: Address, labels: Address, loss: LossPlace) {
        let gpu = &*self.gpu;
        let [mut output_gradient, mut input_gradient] = self.output_gradients.each_ref().map(Memory::address);
        let mut skip_gradient = self.skip_gradient.address();
        self.cross_entropy.launch(gpu, images, [self.logits_of_training(), labels, output_gradient], loss);
        for (i, step) in self.steps.iter().enumerate().rev() {
            if step.parameters.is_empty() && !step.needs_input_gradient {
                break;
            }
            let Forward { x, y, parameters, .. } = self.forward(i, images, x, self.outputs[i].address());
            let pass = Backward {
                images,
                x,
                y,
                output_gradient,
                parameters,
                input_gradient: step.needs_input_gradient.then_some(input_gradient),
                parameter_gradients: &self.gradients.addresses()[step.parameters.clone()],
            };
            step.kernel.backward(gpu, &pass);
            if !step.needs_input_gradient {
                break;
            }
            if step.starts_residual {
                add_to(gpu, images * step.input.len(), [skip_gradient, input_gradient]);
            }
            if step.skip.is_some() {
                std::mem::swap(&mut output_gradient, &mut skip_gradient);
            }
            std::mem::swap(&mut output_gradient, &mut input_gradient);
        }
        for &i in &self.cancelled_biases {
            self.gradients.fill_zero(gpu, i);
        }
    }

    /// Mean cross-entropy of a batch in training mode, with a mask for each dropout layer by the layer's name. `images`
    /// are `[images, channels, height, width]`. Afterwards, `gradients` returns the gradients of this loss.
    ///
    /// # Panics
    /// There are more images than the network was created for.
    pub fn loss_and_backward(
        &mut self,
        images: &[f32],
        input: [usize; 3],
        labels: &[u8],
        masks: &[(String, Vec<f32>)],
    ) -> f32 {
        self.set_given_masks(masks);
        let (count, x) = self.upload(images, input);
        let gpu = &*self.gpu;
        let (label_memory, loss, step) = (gpu.allocate(count), gpu.values(1), gpu.zeros(1));
        gpu.write(label_memory.address(), labels);
        self.train(count, x.address());
        let place = LossPlace { step: step.address(), losses: loss.address() };
        self.backward(count, x.address(), label_memory.address(), place);
        gpu.read_values(loss.address(), 1)[0]
    }

    /// The number of values that it gives for an image.
    pub(super) fn classes(&self) -> usize {
        self.steps.last().map_or(0, |step| step.output)
    }

    /// Logits `[images, classes]` of images `[images, channels, height, width]`; `input` is channels, height, width. If
    /// `masks` is `None`, the pass is in evaluation mode; otherwise it is in training mode and updates the buffers.
    ///
    /// # Panics
    /// There are more images than the network was created for.
    pub fn logits(&mut self, images: &[f32], input: [usize; 3], masks: Option<&[(String, Vec<f32>)]>) -> Vec<f32> {
        let (count, x) = self.upload(images, input);
        let values = count * self.classes();
        let logits = self.gpu.values(values);
        let address = if let Some(masks) = masks {
            self.set_given_masks(masks);
            self.train(count, x.address())
        } else {
            self.evaluate(count, x.address(), logits.address());
            logits.address()
        };
        self.gpu.read_values(address, values)
    }

    fn set_given_masks(&mut self, masks: &[(String, Vec<f32>)]) {
        let masks: Vec<_> = by_layer(masks).into_iter().map(|(layer, mask)| (layer, Mask::Given(mask))).collect();
        self.set_masks(&masks);
    }

    /// Copies images `[images, channels, height, width]` to the GPU, channels last. Returns their number and the
    /// memory.
    fn upload(&self, images: &[f32], input: [usize; 3]) -> (usize, Memory) {
        let count = images.len() / self.input;
        assert!(count <= self.images, "{count} images, but the network is for {}", self.images);
        let memory = self.gpu.values(images.len());
        self.gpu.write_values(memory.address(), &channels_last(images, input));
        (count, memory)
    }
}
