//! A network on a device: its parameters and buffers, and each layer as libtorch computes it, with libtorch's autograd.
//! Names, shapes and the distributions of initial values come from `model`.

use tch::{Device, Kind, Tensor};

use super::Engine;
use super::flat::Flat;
use mnist_report::arithmetic::{LayerShapes, cancelled_biases, initial_values};
use mnist_report::model::{BatchNorm1d, BatchNorm2d, LayerKind, Model, Padding, Pair, TensorSpec};
use mnist_report::study::Input;
use mnist_report::tensors::{LoadError, NamedTensor, check_count, values_of};

/// A network on a device.
pub(super) struct Network {
    pub(super) device: Device,
    pub(super) layers: Vec<NetworkLayer>,
    /// All trainable parameters in PyTorch's order; layers refer to them by index.
    pub(super) parameters: Flat,
    pub(super) buffers: Vec<Tensor>,
    /// The gradients of the last backward pass, one for each parameter.
    pub(super) gradients: Vec<Tensor>,
    /// Indices of the biases that batch normalisation cancels. Their gradient is exactly zero.
    pub(super) cancelled_biases: Vec<usize>,
    /// The number of values that it gives for an image.
    pub(super) classes: usize,
    parameter_specs: Vec<TensorSpec>,
    buffer_specs: Vec<TensorSpec>,
}

/// A layer of the network, and where its tensors are.
pub(super) struct NetworkLayer {
    pub name: String,
    pub kind: LayerKind,
    /// Index of the layer's first tensor in `parameters`.
    pub first_parameter: usize,
    /// Number of the layer's parameter tensors.
    pub parameter_count: usize,
    /// Index of the layer's first tensor in `buffers`.
    pub first_buffer: usize,
    /// Whether a residual block starts here.
    pub starts_residual: bool,
}

/// Returns the mask `[values]` of a dropout layer, given its name and its number of values, on the network's device.
/// `None` keeps all values.
pub(super) type MaskSource<'a> = dyn FnMut(&str, usize) -> Option<Tensor> + 'a;

/// How a forward pass treats dropout and batch normalisation.
pub(super) enum Mode<'a> {
    /// No dropout; running statistics.
    Evaluate,
    /// A mask for each dropout layer; batch statistics.
    Train { mask: &'a mut MaskSource<'a> },
}

impl Network {
    /// A network with initial weights drawn from the seed's streams (PyTorch's default initialisation).
    pub(super) fn new(engine: &Engine, model: &Model, seed: u64) -> Self {
        let size = |spec: &TensorSpec| spec.shape.iter().map(|&d| d as i64).collect::<Vec<_>>();
        let on_device = |spec: &TensorSpec| {
            Tensor::from_slice(&initial_values(spec, seed)).reshape(size(spec)).to_device(engine.device)
        };
        let mut parameters = Flat::zeros(&model.parameters().map(size).collect::<Vec<_>>(), engine.device);
        for (part, spec) in parameters.parts.iter_mut().zip(model.parameters()) {
            part.copy_(&on_device(spec));
            *part = part.set_requires_grad(true);
        }
        let (mut layers, mut first_parameter, mut first_buffer) = (Vec::new(), 0, 0);
        let starts: Vec<usize> = model.residuals().map(|inner| inner.start).collect();
        for (i, layer) in model.layers.iter().enumerate() {
            let parameter_count = layer.parameters.len();
            layers.push(NetworkLayer {
                name: layer.name.clone(),
                kind: layer.kind.clone(),
                first_parameter,
                parameter_count,
                first_buffer,
                starts_residual: starts.contains(&i),
            });
            first_parameter += parameter_count;
            first_buffer += layer.buffers.len();
        }
        Self {
            device: engine.device,
            classes: model.layers.last().map_or(0, |layer| layer.output[0]),
            layers,
            parameters,
            buffers: model.buffers().map(on_device).collect(),
            gradients: Vec::new(),
            cancelled_biases: cancelled_biases(model),
            parameter_specs: model.parameters().cloned().collect(),
            buffer_specs: model.buffers().cloned().collect(),
        }
    }

    /// Copies of all parameters and buffers, with PyTorch's names.
    pub(super) fn tensors(&self) -> Vec<NamedTensor> {
        let specs = self.parameter_specs.iter().chain(&self.buffer_specs);
        specs
            .zip(self.parameters.parts.iter().chain(&self.buffers))
            .map(|(spec, tensor)| to_named(spec, tensor))
            .collect()
    }

    /// The gradients of the last backward pass, with the parameters' names. A replayed step does not update them.
    pub(super) fn gradients(&self) -> Vec<NamedTensor> {
        self.parameter_specs.iter().zip(&self.gradients).map(|(spec, tensor)| to_named(spec, tensor)).collect()
    }

    /// Sets all parameters and buffers.
    ///
    /// # Errors
    /// A tensor is missing or has another shape, or there are too many tensors.
    pub(super) fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), LoadError> {
        let expected = self.parameter_specs.len() + self.buffer_specs.len();
        let specs = self.parameter_specs.iter().chain(&self.buffer_specs);
        for (spec, target) in specs.zip(self.parameters.parts.iter_mut().chain(&mut self.buffers)) {
            copy_tensor(&spec.name, tensors, target)?;
        }
        check_count(tensors, "model", expected)
    }

    /// Copies of an optimizer's tensors, one for each parameter. Each name is `prefix` and the parameter's name.
    pub(super) fn named_like_parameters(&self, prefix: &str, tensors: &[Tensor]) -> Vec<NamedTensor> {
        let name = |spec: &TensorSpec| TensorSpec { name: format!("{prefix}{}", spec.name), ..spec.clone() };
        self.parameter_specs.iter().zip(tensors).map(|(spec, tensor)| to_named(&name(spec), tensor)).collect()
    }

    /// Sets an optimizer's tensors from tensors named as in `named_like_parameters`. Returns their number.
    pub(super) fn load_like_parameters(
        &self,
        prefix: &str,
        targets: &mut [Tensor],
        tensors: &[NamedTensor],
    ) -> Result<usize, LoadError> {
        for (spec, target) in self.parameter_specs.iter().zip(targets.iter_mut()) {
            copy_tensor(&format!("{prefix}{}", spec.name), tensors, target)?;
        }
        Ok(targets.len())
    }

    /// Logits `[images, 10]` of images `[images, channels, height, width]`.
    pub(super) fn forward(&self, images: &Tensor, mode: &mut Mode) -> Tensor {
        self.forward_with(images, mode, |_, _, _| ())
    }

    /// The shapes that libtorch's operators give to one image of this size in evaluation mode.
    pub(super) fn trace(&self, [c, h, w]: [usize; 3]) -> Vec<LayerShapes> {
        let image = Tensor::zeros([1, c, h, w].map(|d| d as i64), (Kind::Float, self.device));
        let shape = |x: &Tensor| x.size().iter().map(|&d| d as usize).collect();
        let mut shapes = Vec::with_capacity(self.layers.len());
        let _ = tch::no_grad(|| {
            self.forward_with(&image, &mut Mode::Evaluate, |layer, x, y| {
                shapes.push(LayerShapes { layer: layer.name.clone(), input: shape(x), output: shape(y) });
            })
        });
        shapes
    }

    /// The forward pass. `seen` gets each layer with its input and output.
    fn forward_with(
        &self,
        images: &Tensor,
        mode: &mut Mode,
        mut seen: impl FnMut(&NetworkLayer, &Tensor, &Tensor),
    ) -> Tensor {
        let (mut x, mut skip) = (images.shallow_clone(), Tensor::new());
        for layer in &self.layers {
            if layer.starts_residual {
                skip = x.shallow_clone();
            }
            let y = match layer.kind {
                LayerKind::Residual(_) => &x + &skip,
                _ => self.apply(layer, &x, mode),
            };
            seen(layer, &x, &y);
            x = y;
        }
        x
    }

    /// The gradients of a loss with respect to all parameters, in their order.
    pub(super) fn backward(&mut self, loss: &Tensor) {
        // Do not use `Tensor::backward`: it adds each gradient to the parameter's `grad`, with one operator per
        // parameter.
        let parameters: Vec<&Tensor> = self.parameters.parts.iter().collect();
        self.gradients = Tensor::run_backward(&[loss.shallow_clone()], &parameters, false, false);
        // Their true gradient is zero. The computed one consists of rounding errors, which differ between machines and
        // which Adam would scale up to full steps.
        for &i in &self.cancelled_biases {
            let _ = self.gradients[i].zero_();
        }
    }

    fn apply(&self, layer: &NetworkLayer, x: &Tensor, mode: &mut Mode) -> Tensor {
        let parameter = |i: usize| &self.parameters.parts[layer.first_parameter + i];
        let bias = || (layer.parameter_count > 1).then(|| parameter(1));
        let pair = |n: usize| [n as i64, n as i64];
        let sides = |pair: Pair| pair.sides().map(|n| n as i64);
        match &layer.kind {
            LayerKind::Conv2d(c) => {
                let (stride, dilation, groups) = (sides(c.stride), sides(c.dilation), c.groups as i64);
                match c.padding {
                    Padding::Pixels(padding) => {
                        x.conv2d(parameter(0), bias(), stride, sides(padding), dilation, groups)
                    }
                    Padding::Same => x.conv2d_padding(parameter(0), bias(), stride, "same", dilation, groups),
                }
            }
            LayerKind::BatchNorm2d(BatchNorm2d { eps, momentum, .. })
            | LayerKind::BatchNorm1d(BatchNorm1d { eps, momentum, .. }) => {
                let training = matches!(mode, Mode::Train { .. });
                let (mean, variance) = (&self.buffers[layer.first_buffer], &self.buffers[layer.first_buffer + 1]);
                let (weight, bias) = (Some(parameter(0)), Some(parameter(1)));
                x.batch_norm(weight, bias, Some(mean), Some(variance), training, *momentum, *eps, true)
            }
            LayerKind::LayerNorm(c) => {
                let shape = parameter(0).size();
                x.layer_norm(shape, Some(parameter(0)), Some(parameter(1)), c.eps, true)
            }
            LayerKind::Relu(_) => x.relu(),
            // tch's leaky_relu has no slope parameter. Use relu, not clamp_min: at 0, clamp_min's gradient is 1, but
            // the gradient of PyTorch's leaky_relu is the slope.
            LayerKind::LeakyRelu(c) => x.relu() + x.clamp_max(0.0) * c.negative_slope,
            LayerKind::Gelu(_) => x.gelu("none"),
            LayerKind::Sigmoid(_) => x.sigmoid(),
            LayerKind::Tanh(_) => x.tanh(),
            LayerKind::MaxPool2d(p) => {
                x.max_pool2d(pair(p.kernel_size), pair(p.stride()), pair(p.padding), [1, 1], false)
            }
            LayerKind::AvgPool2d(p) => {
                x.avg_pool2d(pair(p.kernel_size), pair(p.stride()), pair(p.padding), false, true, None::<i64>)
            }
            // Use a mean: the backward pass of adaptive pooling is not deterministic on CUDA.
            LayerKind::GlobalAvgPool(_) => x.mean_dim([2i64, 3].as_slice(), false, Kind::Float),
            LayerKind::Dropout(_) => match mode {
                Mode::Evaluate => x.shallow_clone(),
                Mode::Train { mask } => match mask(&layer.name, x.numel()) {
                    None => x.shallow_clone(),
                    Some(mask) => x * mask.reshape(x.size()),
                },
            },
            LayerKind::Flatten(_) => x.flatten(1, -1),
            LayerKind::Linear(_) => x.linear(parameter(0), bias()),
            LayerKind::Residual(_) => unreachable!("`forward` adds its two inputs"),
        }
    }
}

/// Copies the tensor of this name among `tensors` into `target`.
fn copy_tensor(name: &str, tensors: &[NamedTensor], target: &mut Tensor) -> Result<(), LoadError> {
    let shape: Vec<usize> = target.size().iter().map(|&d| d as usize).collect();
    let values =
        Tensor::from_slice(values_of(tensors, name, &shape)?).reshape(target.size()).to_device(target.device());
    tch::no_grad(|| target.copy_(&values));
    Ok(())
}

fn to_named(spec: &TensorSpec, tensor: &Tensor) -> NamedTensor {
    NamedTensor { name: spec.name.clone(), shape: spec.shape.clone(), values: to_vec(tensor) }
}

/// Copies a tensor's values in row-major order, whatever its memory format and device.
pub(super) fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
    Vec::try_from(&flat).expect("a flat float tensor on the CPU becomes a vector")
}

/// Converts pixels `[n, 784]` (bytes) to the network's input `[n, 1, 28, 28]`, as torchvision's ToTensor and Normalize
/// do.
pub(super) fn normalise(pixels: &Tensor, input: &Input) -> Tensor {
    let [c, h, w] = input.shape.map(|d| d as i64);
    let unit = pixels.to_kind(Kind::Float) / 255.0;
    ((unit - input.mean) / input.std).reshape([-1, c, h, w])
}
