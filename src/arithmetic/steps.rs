//! The kernels of a network in the order of execution, and the shapes of their inputs and outputs.

use std::ops::Range;

use crate::model::{self, LayerKind, Model, TensorSpec};
use kernels::layers::avg_pool2d::AvgPool2d;
use kernels::layers::batch_norm2d::BatchNorm2d;
use kernels::layers::conv2d::{Conv2dOptions, conv2d};
use kernels::layers::dropout::Dropout;
use kernels::layers::flatten::Flatten;
use kernels::layers::gelu::Gelu;
use kernels::layers::global_avg_pool::GlobalAvgPool;
use kernels::layers::layer_norm::LayerNorm;
use kernels::layers::leaky_relu::LeakyRelu;
use kernels::layers::linear::Linear;
use kernels::layers::max_pool2d::MaxPool2d;
use kernels::layers::relu::Relu;
use kernels::layers::residual::Residual;
use kernels::layers::sigmoid::Sigmoid;
use kernels::layers::tanh::Tanh;
use kernels::layers::{Forward, Layer, Shape};
use kernels::memory::zeros;

/// A kernel as part of the network. A GPU's network uses another type of kernel `K`.
pub(super) struct Step<K = Box<dyn Layer>> {
    /// The layer's name in the study.
    pub layer: String,
    pub kind: LayerKind,
    /// The shape of the input.
    pub input: Shape,
    /// Whether the kernel includes the ReLU that follows.
    pub relu: bool,
    pub kernel: K,
    pub parameters: Range<usize>,
    pub buffers: Range<usize>,
    /// Number of values of one image's output.
    pub output: usize,
    /// Whether a previous step has parameters, so that the gradient of this step's input is needed.
    pub needs_input_gradient: bool,
    /// Whether a residual block starts here: the input of this step is also added to the output of the block.
    pub starts_residual: bool,
    /// For the sum that ends a residual block, the index of the step that starts it.
    pub skip: Option<usize>,
}

impl<K> Step<K> {
    /// The same step with another kernel.
    pub(super) fn with_kernel<L>(self, kernel: L) -> Step<L> {
        Step {
            layer: self.layer,
            kind: self.kind,
            input: self.input,
            relu: self.relu,
            kernel,
            parameters: self.parameters,
            buffers: self.buffers,
            output: self.output,
            needs_input_gradient: self.needs_input_gradient,
            starts_residual: self.starts_residual,
            skip: self.skip,
        }
    }
}

/// The shape of an activation, and whether it is an image or flat.
#[derive(Clone, Copy, Debug)]
struct Activation {
    shape: Shape,
    is_flat: bool,
}

impl Activation {
    fn image([channels, height, width]: [usize; 3]) -> Self {
        Self { shape: Shape { height, width, channels }, is_flat: false }
    }

    fn flat(features: usize) -> Self {
        Self { shape: Shape { height: 1, width: 1, channels: features }, is_flat: true }
    }

    /// The dimensions in PyTorch's order, without the batch.
    fn dimensions(self) -> Vec<usize> {
        let Shape { height, width, channels } = self.shape;
        if self.is_flat { vec![channels] } else { vec![channels, height, width] }
    }
}

/// The kernel of a layer, and the shape of its output. `relu` means that the kernel includes the ReLU that follows;
/// only batch normalisation can.
fn kernel(layer: &model::Layer, input: Activation, relu: bool) -> (Box<dyn Layer>, Activation) {
    let shape = input.shape;
    let image = |shape: Shape| Activation { shape, is_flat: false };
    match &layer.kind {
        LayerKind::Conv2d(c) => {
            let (kernel, output) = conv2d(shape, &conv2d_options(c));
            (kernel, image(output))
        }
        LayerKind::BatchNorm2d(c) => (Box::new(BatchNorm2d::new(shape, c.eps, c.momentum, relu)), input),
        // Features are the channels of images of one pixel.
        LayerKind::BatchNorm1d(c) => (Box::new(BatchNorm2d::new(shape, c.eps, c.momentum, relu)), input),
        LayerKind::LayerNorm(c) => (Box::new(LayerNorm::new(shape, c.eps)), input),
        LayerKind::Relu(_) => (Box::new(Relu), input),
        LayerKind::LeakyRelu(c) => (Box::new(LeakyRelu::new(c.negative_slope)), input),
        LayerKind::Gelu(_) => (Box::new(Gelu), input),
        LayerKind::Sigmoid(_) => (Box::new(Sigmoid), input),
        LayerKind::Tanh(_) => (Box::new(Tanh), input),
        LayerKind::MaxPool2d(c) => {
            let pool = MaxPool2d::new(shape, c.kernel_size, c.stride(), c.padding);
            let output = image(pool.output_shape());
            (Box::new(pool), output)
        }
        LayerKind::AvgPool2d(c) => {
            let pool = AvgPool2d::new(shape, c.kernel_size, c.stride(), c.padding);
            let output = image(pool.output_shape());
            (Box::new(pool), output)
        }
        LayerKind::GlobalAvgPool(_) => (Box::new(GlobalAvgPool::new(shape)), Activation::flat(shape.channels)),
        LayerKind::Dropout(_) => (Box::new(Dropout::new(shape)), input),
        LayerKind::Flatten(_) => (Box::new(Flatten::new(shape)), Activation::flat(shape.len())),
        LayerKind::Linear(c) => {
            (Box::new(Linear::new(shape.channels, c.out_features)), Activation::flat(c.out_features))
        }
        LayerKind::Residual(_) => (Box::new(Residual), input),
    }
}

/// The options of a convolution's kernel.
pub(super) fn conv2d_options(c: &model::Conv2d) -> Conv2dOptions {
    let [padding, padding_after] = c.padding_around();
    Conv2dOptions {
        out_channels: c.out_channels,
        kernel_size: c.kernel_size.sides(),
        stride: c.stride.sides(),
        padding,
        padding_after,
        dilation: c.dilation.sides(),
        groups: c.groups,
    }
}

/// The kernels of a model in the order of execution. Two pairs of layers are executed differently:
/// - A ReLU before a max pooling is executed after it: relu(max_pool(x)) equals max_pool(relu(x)) in value and
///   gradient, and ReLU then has fewer values to compute.
/// - Any other ReLU after a batch normalisation is part of its kernel.
///
/// But a layer inside a residual block makes no pair with one outside, because the values between the two are those of the
/// block's input or output.
pub(super) fn steps(model: &Model) -> Vec<Step> {
    let mut steps = Steps { steps: Vec::with_capacity(model.layers.len()), output: Activation::image(model.input) };
    let mut rest = 0;
    for inner in model.residuals() {
        steps.add_all(&model.layers[rest..inner.start]);
        let start = steps.steps.len();
        steps.add_all(&model.layers[inner.clone()]);
        steps.steps[start].starts_residual = true;
        steps.add(&model.layers[inner.end], false);
        steps.steps.last_mut().expect("the sum").skip = Some(start);
        rest = inner.end + 1;
    }
    steps.add_all(&model.layers[rest..]);
    steps.steps
}

/// The steps of a network's first layers.
struct Steps {
    steps: Vec<Step>,
    /// The output of the last step.
    output: Activation,
}

impl Steps {
    fn add(&mut self, layer: &model::Layer, relu: bool) {
        let input = self.output;
        let (kernel, output) = kernel(layer, input, relu);
        let (parameters, buffers) = self.steps.last().map_or((0, 0), |step| (step.parameters.end, step.buffers.end));
        self.steps.push(Step {
            layer: layer.name.clone(),
            kind: layer.kind.clone(),
            input: input.shape,
            relu,
            kernel,
            parameters: parameters..parameters + layer.parameters.len(),
            buffers: buffers..buffers + layer.buffers.len(),
            output: output.shape.len(),
            needs_input_gradient: parameters > 0,
            starts_residual: false,
            skip: None,
        });
        self.output = output;
    }

    /// Adds consecutive layers.
    fn add_all(&mut self, mut layers: &[model::Layer]) {
        while let [layer, rest @ ..] = layers {
            let next = |i: usize| rest.get(i).map(|next| &next.kind);
            layers = match (&layer.kind, next(0), next(1)) {
                (LayerKind::Relu(_), Some(LayerKind::MaxPool2d(_)), _) => {
                    self.add(&rest[0], false);
                    self.add(layer, false);
                    &rest[1..]
                }
                (LayerKind::BatchNorm2d(_) | LayerKind::BatchNorm1d(_), Some(LayerKind::Relu(_)), after)
                    if !matches!(after, Some(LayerKind::MaxPool2d(_))) =>
                {
                    self.add(layer, true);
                    &rest[1..]
                }
                _ => {
                    self.add(layer, false);
                    rest
                }
            };
        }
    }
}

/// The shapes of the input and output of a layer's kernel, batch first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct LayerShapes {
    /// The layer's name.
    pub layer: String,
    pub input: Vec<usize>,
    pub output: Vec<usize>,
}

/// Runs a batch of zeros through a model, layer by layer, and returns the shapes of the kernels' inputs and outputs.
/// The layers are in the model's order.
pub fn trace_shapes(model: &Model, batch: usize) -> Vec<LayerShapes> {
    let ones = |specs: &[TensorSpec]| specs.iter().map(|spec| vec![1.0; spec.numel() as usize]).collect::<Vec<_>>();
    let mut shapes = Vec::with_capacity(model.layers.len());
    let mut shape = Activation::image(model.input);
    let mut x = zeros(batch * shape.shape.len());
    let starts: Vec<usize> = model.residuals().map(|inner| inner.start).collect();
    let mut skip = Vec::new();
    for (i, layer) in model.layers.iter().enumerate() {
        if starts.contains(&i) {
            skip.clone_from(&x);
        }
        let (kernel, output) = kernel(layer, shape, false);
        let mut y = zeros(batch * output.shape.len());
        kernel.evaluate(Forward {
            x: &x,
            skip: &skip,
            parameters: &ones(&layer.parameters),
            buffers: &ones(&layer.buffers),
            y: &mut y,
        });
        let of = |activation: Activation| [vec![batch], activation.dimensions()].concat();
        shapes.push(LayerShapes { layer: layer.name.clone(), input: of(shape), output: of(output) });
        (x, shape) = (y, output);
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_layers_are_not_joined_across_the_ends_of_a_residual() {
        let layers = "{layers: [conv2d: {out_channels: 4, kernel_size: 3}, batch_norm2d,
            residual: {layers: [relu, max_pool2d: {kernel_size: 3, stride: 1, padding: 1}, batch_norm2d]}, relu,
            residual: {layers: [max_pool2d: {kernel_size: 3, stride: 1, padding: 1}]}, batch_norm2d, relu,
            global_avg_pool, linear: {out_features: 3}]}";
        let model = Model::resolve("m", &serde_yaml::from_str(layers).unwrap(), [1, 8, 8], 3).unwrap();
        let steps = steps(&model);
        let found: Vec<(&str, bool, bool, Option<usize>)> =
            steps.iter().map(|s| (s.layer.as_str(), s.relu, s.starts_residual, s.skip)).collect();
        let expected = [
            ("conv1", false, false, None),
            ("bn1", false, false, None),
            // The ReLU of the block is executed after its pool.
            ("pool1", false, true, None),
            ("relu1", false, false, None),
            ("bn2", false, false, None),
            ("residual1", false, false, Some(2)),
            ("relu2", false, false, None),
            ("pool2", false, true, None),
            ("residual2", false, false, Some(7)),
            ("bn3", true, false, None),
            ("global_pool1", false, false, None),
            ("fc1", false, false, None),
        ];
        assert_eq!(found, expected);
    }
}
