//! Forward and backward passes through a network. On a CPU with fused multiply-add, each layer uses the program's own kernel
//! if there is one; libtorch and its autograd do the layers between kernels. Elsewhere libtorch does everything.
//!
//! Longer than 400 lines because a layer's forward and backward passes must be read together.

use std::ops::Range;

use tch::Tensor;

use super::kernels::{self, BatchNorm, Direct, Gradients, Linear, MaxPool, Moments, Shape, Winograd};
use super::network::{Mode, Network, NetworkLayer};
use crate::model::LayerKind;

/// Use Winograd's algorithm for convolutions with at least this many input channels; with fewer, its transforms cost more
/// than they save.
const WINOGRAD_FROM: usize = 4;

/// A forward pass in training mode: the logits, and what the backward pass needs.
pub(super) struct Pass {
    /// Logits `[batch, 10]`, part of autograd's graph.
    pub logits: Tensor,
    steps: Vec<BackwardStep>,
}

/// What one layer, or several layers in autograd's graph, saved for the backward pass. Activations of kernels are
/// `[batch, h, w, c]`.
struct BackwardStep {
    work: Work,
    /// Whether any layer before it has parameters, so that the gradient of its input is needed.
    wants_gradient: bool,
    /// Index of its first parameter.
    first_parameter: usize,
}

enum Work {
    Winograd {
        conv: Winograd,
        x: Tensor,
    },
    Direct {
        conv: Direct,
        x: Tensor,
    },
    BatchNorm {
        norm: BatchNorm,
        x: Tensor,
        y: Tensor,
        moments: Moments,
    },
    Pool {
        pool: MaxPool,
        places: Vec<u8>,
    },
    /// The output.
    Relu(Tensor),
    Linear {
        linear: Linear,
        x: Tensor,
    },
    /// The input's size.
    Flatten(Vec<i64>),
    /// The mask.
    Dropout(Tensor),
    /// Consecutive layers in autograd's graph, from a leaf to an output, and the range of their parameters.
    Libtorch {
        input: Tensor,
        output: Tensor,
        parameters: Range<usize>,
    },
}

impl BackwardStep {
    /// A leaf of autograd's graph, to which layers are added.
    fn in_graph(leaf: &Tensor, first_parameter: usize, wants_gradient: bool) -> Self {
        let (input, output) = (leaf.shallow_clone(), leaf.shallow_clone());
        let parameters = first_parameter..first_parameter;
        Self { work: Work::Libtorch { input, output, parameters }, wants_gradient, first_parameter }
    }
}

/// The kernel that computes a layer.
enum Kernel {
    Winograd(Winograd),
    Direct(Direct),
    BatchNorm(BatchNorm),
    Pool(MaxPool),
    Linear(Linear),
    Relu,
    Flatten,
    Dropout,
}

impl Network {
    /// Logits `[batch, 10]` of images `[batch, channels, height, width]`, in evaluation mode.
    pub(super) fn evaluate(&self, images: &Tensor) -> Tensor {
        tch::no_grad(|| {
            let mut x = images.shallow_clone();
            for (layer, relu) in self.order() {
                x = match self.kernel(layer, relu, &x, false) {
                    Some(kernel) => self.forward_kernel(layer, &kernel, &x, &mut Mode::Evaluate).0,
                    None => self.apply(layer, &x, &mut Mode::Evaluate),
                };
            }
            x
        })
    }

    /// The forward pass in training mode.
    pub(super) fn forward(&self, images: &Tensor, mode: &mut Mode) -> Pass {
        let mut steps: Vec<BackwardStep> = Vec::new();
        let mut x = images.shallow_clone();
        // Whether `x` depends on any parameter so far, and whether it is in autograd's graph.
        let (mut wants_gradient, mut in_graph) = (false, false);
        for (layer, relu) in self.order() {
            if let Some(kernel) = self.kernel(layer, relu, &x, wants_gradient) {
                let input = x.detach();
                let (output, work) = tch::no_grad(|| self.forward_kernel(layer, &kernel, &input, mode));
                // Dropout without a mask does nothing, so it has no backward step.
                steps.extend(work.map(|work| BackwardStep {
                    work,
                    wants_gradient,
                    first_parameter: layer.first_parameter,
                }));
                (x, in_graph) = (output, false);
            } else {
                if !in_graph {
                    x = leaf(&x, wants_gradient);
                    steps.push(BackwardStep::in_graph(&x, layer.first_parameter, wants_gradient));
                    in_graph = true;
                }
                x = self.apply(layer, &x, mode);
                if let Some(BackwardStep { work: Work::Libtorch { output, parameters, .. }, .. }) = steps.last_mut() {
                    *output = x.shallow_clone();
                    parameters.end = parameters.end.max(layer.first_parameter + layer.parameter_count);
                }
            }
            wants_gradient |= layer.parameter_count > 0;
        }
        if !in_graph {
            x = leaf(&x, wants_gradient);
            steps.push(BackwardStep::in_graph(&x, 0, wants_gradient));
        }
        Pass { logits: x, steps }
    }

    /// The gradients of a loss of the pass's logits with respect to all parameters, in their order.
    pub(super) fn backward(&mut self, pass: Pass, loss: &Tensor) {
        let mut found: Vec<Option<Tensor>> = self.parameters.parts.iter().map(|_| None).collect();
        let mut gradient = Tensor::new();
        for (i, step) in pass.steps.into_iter().rev().enumerate() {
            match step.work {
                Work::Libtorch { input, output, parameters } => {
                    // Differentiating sum(output * gradient) gives the vector-Jacobian product that the chain rule needs.
                    let last = i == 0;
                    let scalar = if last { loss.shallow_clone() } else { (&output * &gradient).sum(tch::Kind::Float) };
                    let wanted = step.wants_gradient.then_some(&input);
                    let inputs: Vec<&Tensor> = self.parameters.parts[parameters.clone()].iter().chain(wanted).collect();
                    if inputs.is_empty() {
                        break;
                    }
                    // Not `backward`: it adds each gradient to the parameter's `grad`, with one operator for each parameter.
                    let mut gradients = Tensor::run_backward(&[scalar], &inputs, false, false);
                    gradient = if step.wants_gradient { gradients.pop().unwrap_or_default() } else { Tensor::new() };
                    parameters.zip(gradients).for_each(|(i, gradient)| found[i] = Some(gradient));
                }
                work => {
                    gradient = tch::no_grad(|| {
                        self.backward_kernel(work, step.first_parameter, step.wants_gradient, &gradient, &mut found)
                    });
                }
            }
            if !step.wants_gradient {
                break;
            }
        }
        self.gradients = found.into_iter().map(|g| g.expect("the loss depends on every parameter")).collect();
        // Their true gradient is zero. The computed one consists of rounding errors, which differ between machines and which
        // Adam would scale up to full steps.
        for &i in &self.cancelled_biases {
            let _ = self.gradients[i].zero_();
        }
    }

    /// The layers in the order of execution, each with whether it includes the ReLU that follows it. A ReLU before a max
    /// pooling is executed after it: relu(max_pool(x)) equals max_pool(relu(x)) in value and gradient, and computes ReLU on
    /// as many times fewer values as the window has.
    fn order(&self) -> Vec<(&NetworkLayer, bool)> {
        let has_kernels = self.has_kernels();
        let mut order: Vec<(&NetworkLayer, bool)> = Vec::with_capacity(self.layers.len());
        let mut layers = self.layers.iter().peekable();
        while let Some(layer) = layers.next() {
            let pool = layers.peek().filter(|next| matches!(next.kind, LayerKind::MaxPool2d(_))).copied();
            match (&layer.kind, pool, order.last_mut()) {
                (LayerKind::Relu(_), Some(pool), _) => {
                    order.push((pool, false));
                    order.push((layer, false));
                    layers.next();
                }
                (LayerKind::Relu(_), None, Some((before, relu)))
                    if has_kernels && !*relu && matches!(before.kind, LayerKind::BatchNorm2d(_)) =>
                {
                    *relu = true;
                }
                _ => order.push((layer, false)),
            }
        }
        order
    }

    fn has_kernels(&self) -> bool {
        self.device == tch::Device::Cpu && kernels::vectors().is_some()
    }

    /// The kernel that computes this layer on this input; `None` if libtorch does.
    fn kernel(&self, layer: &NetworkLayer, relu: bool, x: &Tensor, wants_gradient: bool) -> Option<Kernel> {
        let size = x.size();
        if !self.has_kernels() {
            return None;
        }
        match (&layer.kind, size.as_slice()) {
            (LayerKind::Relu(_), _) => return Some(Kernel::Relu),
            (LayerKind::Flatten(_), _) => return Some(Kernel::Flatten),
            (LayerKind::Dropout(_), _) => return Some(Kernel::Dropout),
            (LayerKind::Linear(c), &[_, inputs]) => {
                let linear = Linear { inputs: inputs as usize, outputs: c.out_features };
                return linear.is_supported().then_some(Kernel::Linear(linear));
            }
            _ => {}
        }
        let &[_, channels, height, width] = size.as_slice() else { return None };
        let shape = Shape { height: height as usize, width: width as usize, channels: channels as usize };
        match &layer.kind {
            LayerKind::Conv2d(c)
                if c.groups == 1 && c.kernel_size == 3 && c.stride == 1 && shape.channels >= WINOGRAD_FROM =>
            {
                Some(Kernel::Winograd(Winograd { input: shape, output_channels: c.out_channels, padding: c.padding }))
            }
            LayerKind::Conv2d(c) if shape.channels == 1 && !wants_gradient => Some(Kernel::Direct(Direct {
                input: shape,
                output_channels: c.out_channels,
                kernel: c.kernel_size,
                stride: c.stride,
                padding: c.padding,
            })),
            LayerKind::BatchNorm2d(c) => Some(Kernel::BatchNorm(BatchNorm { shape, eps: c.eps, relu })),
            LayerKind::MaxPool2d(p) if p.padding == 0 && p.stride() == p.kernel_size && p.kernel_size <= 15 => {
                Some(Kernel::Pool(MaxPool { input: shape, side: p.kernel_size }))
            }
            _ => None,
        }
    }

    /// A kernel's output and, in training, what its backward pass needs.
    fn forward_kernel(
        &self,
        layer: &NetworkLayer,
        kernel: &Kernel,
        x: &Tensor,
        mode: &mut Mode,
    ) -> (Tensor, Option<Work>) {
        let training = matches!(mode, Mode::Train { .. }).then_some(());
        let parameter = |i: usize| as_slice(&self.parameters.parts[layer.first_parameter + i]);
        let bias = || (layer.parameter_count > 1).then(|| parameter(1));
        let batch = x.size()[0];
        let fresh = |s: Shape| empty(batch, s);
        match kernel {
            Kernel::Relu => {
                let y = x.relu();
                (y.shallow_clone(), training.map(|()| Work::Relu(y)))
            }
            Kernel::Flatten => {
                let y = x.contiguous().flatten(1, -1);
                (y, training.map(|()| Work::Flatten(x.size())))
            }
            Kernel::Dropout => match mode {
                Mode::Train { mask } => match mask(&layer.name, x.numel()) {
                    Some(mask) => {
                        let mask = mask.reshape(x.size());
                        (x.contiguous() * &mask, Some(Work::Dropout(mask)))
                    }
                    None => (x.shallow_clone(), None),
                },
                Mode::Evaluate => (x.shallow_clone(), None),
            },
            Kernel::Linear(linear) => {
                let x = x.contiguous();
                let mut y = Tensor::empty([batch, linear.outputs as i64], (tch::Kind::Float, tch::Device::Cpu));
                linear.forward(as_slice(&x), parameter(0), bias(), as_mut_slice(&mut y));
                (y, training.map(|()| Work::Linear { linear: *linear, x }))
            }
            Kernel::Winograd(conv) => {
                let (x, mut y) = (channels_last(x), fresh(conv.output_shape()));
                conv.forward(as_slice(&x), parameter(0), bias(), as_mut_slice(&mut y));
                (channels_first(&y), training.map(|()| Work::Winograd { conv: *conv, x }))
            }
            Kernel::Direct(conv) => {
                let (x, mut y) = (channels_last(x), fresh(conv.output_shape()));
                conv.forward(as_slice(&x), parameter(0), bias(), as_mut_slice(&mut y));
                (channels_first(&y), training.map(|()| Work::Direct { conv: *conv, x }))
            }
            Kernel::BatchNorm(norm) => {
                let (x, mut y) = (channels_last(x), fresh(norm.shape));
                let moments = match training {
                    Some(()) => {
                        let moments = norm.moments(as_slice(&x));
                        self.update_running_moments(layer, &moments);
                        moments
                    }
                    None => self.running_moments(layer, norm.eps),
                };
                norm.forward(as_slice(&x), &moments, parameter(0), parameter(1), as_mut_slice(&mut y));
                let output = channels_first(&y);
                (output, training.map(|()| Work::BatchNorm { norm: *norm, x, y, moments }))
            }
            Kernel::Pool(pool) => {
                let (x, mut y) = (channels_last(x), fresh(pool.output_shape()));
                let places = pool.forward(as_slice(&x), as_mut_slice(&mut y));
                (channels_first(&y), training.map(|()| Work::Pool { pool: *pool, places }))
            }
        }
    }

    /// Computes the gradient of a kernel's input from `gradient`, the gradient of its output; returns an empty tensor if
    /// `wants_gradient` is false. Stores its parameters' gradients in `found`.
    fn backward_kernel(
        &self,
        work: Work,
        first_parameter: usize,
        wants_gradient: bool,
        gradient: &Tensor,
        found: &mut [Option<Tensor>],
    ) -> Tensor {
        let batch = gradient.size()[0];
        let like = |i: usize| self.parameters.parts.get(first_parameter + i).map(|p| p.detach().zeros_like());
        let weight = || as_slice(&self.parameters.parts[first_parameter]);
        match work {
            Work::Relu(y) => y.threshold_backward(gradient, 0.0),
            Work::Pool { pool, places } => {
                let mut dx = empty(batch, pool.input);
                pool.backward(&places, as_slice(&channels_last(gradient)), as_mut_slice(&mut dx));
                channels_first(&dx)
            }
            Work::BatchNorm { norm, x, y, moments } => {
                let (mut dx, gradient) = (empty(batch, norm.shape), channels_last(gradient));
                let (Some(mut dweight), Some(mut dbias)) = (like(0), like(1)) else { return Tensor::new() };
                let gradients = Gradients {
                    x: Some(as_mut_slice(&mut dx)),
                    weight: as_mut_slice(&mut dweight),
                    bias: as_mut_slice(&mut dbias),
                };
                norm.backward([&x, &y, &gradient].map(as_slice), &moments, weight(), gradients);
                (found[first_parameter], found[first_parameter + 1]) = (Some(dweight), Some(dbias));
                channels_first(&dx)
            }
            Work::Winograd { conv, x } => {
                let gradient = channels_last(gradient);
                let Some(mut dweight) = like(0) else { return Tensor::new() };
                let (mut dx, mut dbias) =
                    (wants_gradient.then(|| empty(batch, conv.input)), vec![0.0; conv.output_channels]);
                let x_gradient = dx.as_mut().map(as_mut_slice);
                let gradients = Gradients { x: x_gradient, weight: as_mut_slice(&mut dweight), bias: &mut dbias };
                conv.backward(as_slice(&x), weight(), as_slice(&gradient), gradients);
                self.store(first_parameter, dweight, &dbias, found);
                dx.map_or_else(Tensor::new, |dx| channels_first(&dx))
            }
            Work::Direct { conv, x } => {
                let gradient = channels_last(gradient);
                let Some(mut dweight) = like(0) else { return Tensor::new() };
                let mut dbias = vec![0.0; conv.output_channels];
                conv.backward(as_slice(&x), as_slice(&gradient), as_mut_slice(&mut dweight), &mut dbias);
                self.store(first_parameter, dweight, &dbias, found);
                Tensor::new()
            }
            Work::Flatten(size) => gradient.reshape(size),
            Work::Dropout(mask) => gradient.contiguous() * mask,
            Work::Linear { linear, x } => {
                let gradient = gradient.contiguous();
                let Some(mut dweight) = like(0) else { return Tensor::new() };
                let mut dx = wants_gradient.then(|| x.empty_like());
                let mut dbias = vec![0.0; linear.outputs];
                let x_gradient = dx.as_mut().map(as_mut_slice);
                let gradients = Gradients { x: x_gradient, weight: as_mut_slice(&mut dweight), bias: &mut dbias };
                linear.backward(as_slice(&x), weight(), as_slice(&gradient), gradients);
                self.store(first_parameter, dweight, &dbias, found);
                dx.unwrap_or_else(Tensor::new)
            }
            Work::Libtorch { .. } => unreachable!("`backward` handles autograd's steps"),
        }
    }

    /// Stores the gradients of a layer's weight and, if it has one, of its bias.
    fn store(&self, first_parameter: usize, dweight: Tensor, dbias: &[f32], found: &mut [Option<Tensor>]) {
        found[first_parameter] = Some(dweight);
        if self.layers.iter().any(|l| l.first_parameter == first_parameter && l.parameter_count > 1) {
            found[first_parameter + 1] = Some(Tensor::from_slice(dbias));
        }
    }

    /// Updates the running mean and variance from a batch's moments.
    fn update_running_moments(&self, layer: &NetworkLayer, moments: &Moments) {
        let LayerKind::BatchNorm2d(c) = &layer.kind else { return };
        for (buffer, batch) in self.buffers[layer.first_buffer..].iter().zip([&moments.mean, &moments.variance]) {
            let mut buffer = buffer.shallow_clone();
            for (running, batch) in as_mut_slice(&mut buffer).iter_mut().zip(batch) {
                *running = ((1.0 - c.momentum) * f64::from(*running) + c.momentum * f64::from(*batch)) as f32;
            }
        }
    }

    fn running_moments(&self, layer: &NetworkLayer, eps: f64) -> Moments {
        let [mean, variance] = [0, 1].map(|i| as_slice(&self.buffers[layer.first_buffer + i]).to_vec());
        let inverse = variance.iter().map(|v| (1.0 / (f64::from(*v) + eps).sqrt()) as f32).collect();
        Moments { mean, inverse, variance }
    }
}

fn leaf(x: &Tensor, wants_gradient: bool) -> Tensor {
    x.detach().set_requires_grad(wants_gradient)
}

/// An uninitialised tensor `[batch, h, w, c]`.
fn empty(batch: i64, s: Shape) -> Tensor {
    let size = [batch, s.height as i64, s.width as i64, s.channels as i64];
    Tensor::empty(size, (tch::Kind::Float, tch::Device::Cpu))
}

/// Converts `[batch, c, h, w]` to contiguous `[batch, h, w, c]`; copies only if the memory order differs.
fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).contiguous()
}

/// A view of `[batch, h, w, c]` as `[batch, c, h, w]`.
fn channels_first(x: &Tensor) -> Tensor {
    x.permute([0, 3, 1, 2])
}

/// Borrows the values of a contiguous f32 tensor on the CPU.
///
/// # Panics
/// For any other tensor.
pub(super) fn as_slice(x: &Tensor) -> &[f32] {
    check(x);
    // SAFETY: the tensor is contiguous, so `numel` values follow the pointer; they live as long as the borrow.
    unsafe { std::slice::from_raw_parts(x.data_ptr().cast::<f32>(), x.numel()) }
}

/// Mutably borrows the values of a contiguous f32 tensor on the CPU.
///
/// # Panics
/// For any other tensor.
pub(super) fn as_mut_slice(x: &mut Tensor) -> &mut [f32] {
    check(x);
    // SAFETY: as in `as_slice`; and nobody else reads the values meanwhile, because one thread owns the network and its
    // passes.
    unsafe { std::slice::from_raw_parts_mut(x.data_ptr().cast::<f32>(), x.numel()) }
}

fn check(x: &Tensor) {
    assert!(x.is_contiguous() && x.kind() == tch::Kind::Float && x.device() == tch::Device::Cpu, "{x:?}");
}
