//! Two-dimensional convolutions: their shapes, and the choice of the algorithm.

use std::ops::Range;

use super::direct::Direct;
use super::im2col::Im2col;
use super::winograd::Winograd;
use super::{Layer, Shape};

/// Use Winograd's algorithm for convolutions with at least this many input channels; with fewer, its transforms cost
/// more than they save, and its rounding errors are larger.
const WINOGRAD_FROM: usize = 12;

/// The options of a convolution, named as in PyTorch's `Conv2d`. Pairs are for height and width. The padding is zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the arguments of torch.nn.Conv2d")]
pub struct Conv2dOptions {
    pub out_channels: usize,
    pub kernel_size: [usize; 2],
    pub stride: [usize; 2],
    /// Rows above and columns left of the input.
    pub padding: [usize; 2],
    /// Rows below and columns right of the input.
    pub padding_after: [usize; 2],
    /// Distance between the values that neighbouring weights of the kernel read; 1 for values without gaps.
    pub dilation: [usize; 2],
    /// Number of groups; divides the number of input channels and `out_channels`.
    pub groups: usize,
}

impl Conv2dOptions {
    /// A convolution with a square kernel, the same stride and padding along height and width, and no dilation.
    pub const fn square(out_channels: usize, [kernel_size, stride, padding]: [usize; 3], groups: usize) -> Self {
        let (kernel_size, stride, padding) = ([kernel_size; 2], [stride; 2], [padding; 2]);
        Self { out_channels, kernel_size, stride, padding, padding_after: padding, dilation: [1; 2], groups }
    }
}

/// A convolution `[images, h, w, c] -> [images, h', w', k]`, as PyTorch's `conv2d`. Its parameters are the weight
/// `[k, c / groups, kernel height, kernel width]` and, optionally, the bias `[k]`.
///
/// Returns the kernel and the shape of its output. The algorithm depends on the layer's shape alone, because each
/// rounds differently.
///
/// # Panics
/// `groups` does not divide the numbers of channels, or the kernel is larger than the padded input.
pub fn conv2d(input: Shape, options: &Conv2dOptions) -> (Box<dyn Layer>, Shape) {
    let conv = Convolution::new(input, options);
    (kernel(conv), conv.output)
}

fn kernel(conv: Convolution) -> Box<dyn Layer> {
    match conv.algorithm() {
        Algorithm::Direct => Box::new(Direct::new(conv)),
        Algorithm::Winograd => Box::new(Winograd::new(conv)),
        Algorithm::Im2col => Box::new(Im2col::new(conv)),
    }
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// By the definition (`direct.rs`).
    Direct,
    /// Winograd's F(4x4, 3x3) (`winograd.rs`).
    Winograd,
    /// A product of matrices (`im2col.rs`).
    Im2col,
}

/// The shapes of a convolution.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "self-evident, or as in `Conv2dOptions`")]
pub struct Convolution {
    pub input: Shape,
    pub output: Shape,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Rows above and columns left of the input.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Convolution {
    /// The shapes of a convolution over images of shape `input`.
    ///
    /// # Panics
    /// Same as [`conv2d`].
    pub fn new(input: Shape, options: &Conv2dOptions) -> Self {
        let Conv2dOptions { out_channels, kernel_size, stride, padding, padding_after, dilation, groups } = *options;
        assert!(input.channels.is_multiple_of(groups) && out_channels.is_multiple_of(groups), "{options:?}");
        let side = |n: usize, axis: usize| {
            let (padded, read) = (n + padding[axis] + padding_after[axis], span(kernel_size[axis], dilation[axis]));
            assert!(padded >= read, "{options:?}");
            (padded - read) / stride[axis] + 1
        };
        let output = Shape { height: side(input.height, 0), width: side(input.width, 1), channels: out_channels };
        Self { input, output, kernel: kernel_size, stride, padding, dilation, groups }
    }

    /// How this convolution is computed. It depends on the shapes alone.
    pub fn algorithm(&self) -> Algorithm {
        let is_3x3 = self.kernel == [3; 2] && self.stride == [1; 2] && self.dilation == [1; 2] && self.groups == 1;
        if self.inputs_per_group() == 1 {
            Algorithm::Direct
        } else if is_3x3 && self.input.channels >= WINOGRAD_FROM {
            Algorithm::Winograd
        } else {
            Algorithm::Im2col
        }
    }

    /// Whether each output pixel reads only the input pixel at the same position.
    pub fn is_pointwise(&self) -> bool {
        // With a stride of 1 and equal sizes, there is no padding after the input either.
        let keeps_pixels = self.output.height == self.input.height && self.output.width == self.input.width;
        self.kernel == [1; 2] && self.stride == [1; 2] && self.padding == [0; 2] && keeps_pixels
    }

    /// Number of values in one kernel, the rectangle for one input channel and one output channel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Number of input channels that an output channel reads.
    pub fn inputs_per_group(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Number of output channels that read the same input channels.
    pub fn outputs_per_group(&self) -> usize {
        self.output.channels / self.groups
    }

    /// The rows of the kernel that lie inside the input for row `output` of the output, where `axis` is 0 and `size` the
    /// input's height. The same for columns, where `axis` is 1 and `size` the width.
    #[inline(always)]
    pub(super) fn taps_inside(&self, axis: usize, output: usize, size: usize) -> Range<usize> {
        let (kernel, padding, dilation) = (self.kernel[axis], self.padding[axis], self.dilation[axis]);
        let start = output * self.stride[axis];
        let (before, end) = (padding.saturating_sub(start), (size + padding).saturating_sub(start));
        if dilation == 1 {
            return before.min(kernel)..end.min(kernel);
        }
        before.div_ceil(dilation).min(kernel)..end.div_ceil(dilation).min(kernel)
    }
}

/// The number of rows or columns from the first to the last value that a kernel reads.
fn span(kernel: usize, dilation: usize) -> usize {
    (kernel - 1) * dilation + 1
}

/// Copies the first values of `sums` to the gradient of the bias, if the layer has a bias. `sums` may be longer: it may
/// include channels that only pad a vector, or other parts of the batch.
pub(super) fn write_bias_gradient(sums: &[f32], parameter_gradients: &mut [Vec<f32>]) {
    if let Some(bias) = parameter_gradients.get_mut(1) {
        let len = bias.len();
        bias.copy_from_slice(&sums[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        computed, differences, dot, drawn, near, random_convolutions, random_rectangles, same_bits, wide,
    };
    use super::*;

    /// A convolution and the number of images that a test runs it on.
    struct Case {
        conv: Convolution,
        images: usize,
        has_bias: bool,
    }

    /// `sizes` are height, width, input channels and output channels; `kernel` is kernel size, stride and padding.
    fn case(images: usize, sizes: [usize; 4], kernel: [usize; 3], groups: usize, has_bias: bool) -> Case {
        let [height, width, channels, out_channels] = sizes;
        let options = Conv2dOptions::square(out_channels, kernel, groups);
        Case { conv: Convolution::new(Shape { height, width, channels }, &options), images, has_bias }
    }

    impl Case {
        /// Random input, parameters and gradient of the output.
        fn values(&self) -> (Vec<f32>, Vec<Vec<f32>>, Vec<f32>) {
            let conv = &self.conv;
            let outputs = conv.output.channels;
            let weight = drawn(outputs * conv.inputs_per_group() * conv.taps(), "weight");
            let parameters = if self.has_bias { vec![weight, drawn(outputs, "bias")] } else { vec![weight] };
            let x = drawn(self.images * conv.input.len(), "x");
            (x, parameters, drawn(self.images * conv.output.len(), "gradient"))
        }
    }

    /// Calls `visit` with the indices of an output, an input and a weight for each of their products, by the
    /// definition.
    fn for_each_product(conv: &Convolution, images: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let (input, out, inputs) = (conv.input, conv.output, conv.inputs_per_group());
        for i in 0..images * out.len() {
            let [k, pixel, image] = [i % out.channels, i / out.channels % out.pixels(), i / out.len()];
            for tap in 0..conv.taps() {
                let at = |axis: usize, output: usize, tap: usize| {
                    (output * conv.stride[axis] + tap * conv.dilation[axis]).wrapping_sub(conv.padding[axis])
                };
                let row = at(0, pixel / out.width, tap / conv.kernel[1]);
                let column = at(1, pixel % out.width, tap % conv.kernel[1]);
                if row < input.height && column < input.width {
                    let start = ((image * input.height + row) * input.width + column) * input.channels;
                    for c in 0..inputs {
                        let channel = k / conv.outputs_per_group() * inputs + c;
                        visit(i, start + channel, (k * inputs + c) * conv.taps() + tap);
                    }
                }
            }
        }
    }

    fn convolved(case: &Case, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let channels = case.conv.output.channels;
        let mut y: Vec<f64> =
            (0..case.images * case.conv.output.len()).map(|i| bias.map_or(0.0, |bias| bias[i % channels])).collect();
        for_each_product(&case.conv, case.images, |output, input, tap| y[output] += x[input] * weight[tap]);
        y
    }

    /// The gradients with respect to `x` and the weight.
    fn gradients(case: &Case, x: &[f64], weight: &[f64], gradient: &[f64]) -> [Vec<f64>; 2] {
        let (mut dx, mut dweight) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
        for_each_product(&case.conv, case.images, |output, input, tap| {
            dx[input] += gradient[output] * weight[tap];
            dweight[tap] += gradient[output] * x[input];
        });
        [dx, dweight]
    }

    /// Compares everything that the layer computes with the definition in f64. `allowed` is the largest error of
    /// outputs and gradients, relative to the largest expected value.
    fn assert_agrees(case: &Case, layer: &mut dyn Layer, allowed: f64) {
        let (x, parameters, gradient) = case.values();
        let got = same_bits(|| computed(layer, &x, [&parameters, &[]], &gradient));
        assert_eq!(got.evaluated, got.y);
        let what = format!("{:?}, {} images: ", case.conv, case.images);
        let [x, weight, gradient] = [&x, &parameters[0], &gradient].map(|values| wide(values));
        let bias = parameters.get(1).map(|bias| wide(bias));
        near(&format!("{what}y"), &got.y, &convolved(case, &x, &weight, bias.as_deref()), allowed);
        let [dx, dweight] = gradients(case, &x, &weight, &gradient);
        near(&format!("{what}dx"), &got.dx, &dx, allowed);
        near(&format!("{what}dweight"), &got.parameters[0], &dweight, allowed);
        if let Some(got) = got.parameters.get(1) {
            let channels = got.len();
            let mut dbias = vec![0.0; channels];
            gradient.iter().enumerate().for_each(|(i, g)| dbias[i % channels] += g);
            // The terms of a bias may cancel to almost nothing.
            near(&format!("{what}dbias"), got, &dbias, 1e-5);
        }
    }

    fn assert_layer_agrees(case: &Case) {
        // Winograd's transforms round more often.
        let allowed = if case.conv.algorithm() == Algorithm::Winograd { 4e-6 } else { 1e-6 };
        assert_agrees(case, &mut *kernel(case.conv), allowed);
    }

    #[test]
    fn gradients_of_the_definition_agree_with_finite_differences() {
        for case in [
            case(2, [5, 4, 3, 2], [3, 1, 1], 1, true),
            case(1, [6, 7, 4, 6], [2, 2, 0], 2, true),
            case(1, [4, 4, 3, 6], [3, 2, 2], 3, true),
        ] {
            let (x, parameters, gradient) = case.values();
            let [x, weight, bias] = [&x, &parameters[0], &parameters[1]].map(|values| wide(values));
            let loss = |x: &[f64], weight: &[f64]| dot(&convolved(&case, x, weight, Some(&bias)), &gradient);
            let [dx, dweight] = gradients(&case, &x, &weight, &wide(&gradient));
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-8);
            assert!(close(&dx, &differences(&x, |x| loss(x, &weight))));
            assert!(close(&dweight, &differences(&weight, |weight| loss(&x, weight))));
        }
    }

    #[test]
    fn winograd_agrees_with_the_definition() {
        // Whole tiles and vectors; remainders of tiles, channels, parts and images together; every padding; more than
        // one piece of channels; more tiles than are processed together.
        for case in [
            case(2, [10, 6, 16, 16], [3, 1, 0], 1, true),
            case(9, [5, 7, 4, 10], [3, 1, 1], 1, true),
            case(1, [3, 3, 17, 3], [3, 1, 0], 1, false),
            case(3, [4, 9, 5, 33], [3, 1, 2], 1, false),
            case(40, [4, 4, 16, 16], [3, 1, 1], 1, true),
            case(1, [4, 5, 150, 140], [3, 1, 1], 1, true),
            case(1, [26, 27, 4, 4], [3, 1, 1], 1, true),
        ] {
            assert_agrees(&case, &mut Winograd::new(case.conv), 4e-6);
        }
        // `conv2d` chooses Winograd's algorithm for these.
        assert_layer_agrees(&case(2, [10, 6, 16, 16], [3, 1, 0], 1, true));
        assert_layer_agrees(&case(3, [4, 9, 12, 33], [3, 1, 2], 1, false));
    }

    #[test]
    fn one_input_channel_agrees_with_the_definition() {
        assert_layer_agrees(&case(3, [9, 10, 1, 16], [3, 1, 0], 1, true));
        assert_layer_agrees(&case(9, [8, 9, 1, 21], [5, 2, 2], 1, true));
        assert_layer_agrees(&case(1, [6, 7, 1, 4], [1, 1, 0], 1, false));
        assert_layer_agrees(&case(40, [7, 8, 1, 40], [2, 3, 1], 1, true));
        assert_layer_agrees(&case(3, [13, 21, 1, 3], [7, 1, 3], 1, false));
    }

    #[test]
    fn depthwise_convolutions_agree_with_the_definition() {
        assert_layer_agrees(&case(3, [9, 10, 16, 16], [3, 1, 0], 16, true));
        assert_layer_agrees(&case(9, [8, 9, 20, 20], [3, 2, 1], 20, true));
        assert_layer_agrees(&case(1, [6, 14, 5, 15], [5, 1, 2], 5, false));
        assert_layer_agrees(&case(40, [5, 6, 8, 16], [2, 3, 0], 8, true));
        assert_layer_agrees(&case(3, [9, 9, 33, 33], [7, 1, 3], 33, false));
        assert_layer_agrees(&case(3, [9, 9, 3, 12], [6, 2, 1], 3, true));
    }

    #[test]
    fn other_convolutions_agree_with_the_definition() {
        for kernel in 1..=7 {
            for stride in 1..=3 {
                let images = [1, 3, 9][stride - 1];
                assert_layer_agrees(&case(images, [9, 8, 3, 5], [kernel, stride, kernel / 2], 1, stride != 2));
                assert_layer_agrees(&case(images, [7, 9, 6, 4], [kernel, stride, kernel - 1], 2, stride == 2));
            }
        }
        assert_layer_agrees(&case(40, [5, 5, 16, 16], [1, 1, 0], 1, true));
        assert_layer_agrees(&case(40, [4, 3, 24, 20], [1, 1, 0], 4, true));
        assert_layer_agrees(&case(9, [5, 5, 20, 17], [1, 1, 0], 1, false));
        assert_layer_agrees(&case(1, [12, 11, 34, 68], [3, 1, 1], 2, true));
        assert_layer_agrees(&case(3, [6, 6, 150, 70], [2, 2, 0], 1, true));
        // Padding wider than the kernel: some outputs read no input.
        assert_layer_agrees(&case(3, [3, 3, 2, 3], [2, 1, 4], 1, true));
        assert_layer_agrees(&case(3, [3, 3, 4, 4], [1, 1, 1], 2, true));
    }

    #[test]
    fn matrix_products_agree_with_the_definition_where_another_algorithm_is_chosen() {
        for case in [
            case(3, [9, 10, 16, 16], [3, 1, 1], 1, true),
            case(3, [9, 10, 1, 16], [3, 1, 0], 1, true),
            case(3, [9, 10, 8, 8], [3, 2, 0], 8, true),
        ] {
            assert_agrees(&case, &mut Im2col::new(case.conv), 1e-6);
        }
    }

    #[test]
    fn rectangles_dilations_and_padding_on_one_side_agree_with_the_definition() {
        let mut algorithms = Vec::new();
        for (images, input, options, has_bias) in random_rectangles(120) {
            let conv = Convolution::new(input, &options);
            assert_layer_agrees(&Case { conv, images, has_bias });
            if !algorithms.contains(&conv.algorithm()) {
                algorithms.push(conv.algorithm());
            }
        }
        assert_eq!(algorithms.len(), 3, "{algorithms:?}");
    }

    #[test]
    fn convolutions_of_random_shapes_agree_with_the_definition() {
        for (images, sizes, kernel, groups, has_bias) in random_convolutions(60) {
            assert_layer_agrees(&case(images, sizes, kernel, groups, has_bias));
        }
    }
}
