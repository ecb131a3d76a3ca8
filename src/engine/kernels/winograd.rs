//! Convolutions with 3x3 kernels and stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016, "Fast
//! algorithms for convolutional neural networks"): 36 multiplications for a tile of 16 outputs instead of 144.
//!
//! One image is processed at a time, so that its tiles stay in the caches between the transforms and the products. The
//! backward pass is the transpose of the forward pass, step by step, and uses the same tiles.
//!
//! Longer than 400 lines because each transform must be read next to its transpose.

use super::gemm::{Matrix, gemm};
use super::{Gradients, LANES, Lane, Shape, for_each_job_with, images_per_part, lane, map, vectorised, zip};

/// Values of a transformed tile: one for each pair of the six points at which Winograd's method evaluates polynomials.
const POINTS: usize = 36;
/// Height and width of a tile of outputs, in pixels.
const OUT_SIDE: usize = 4;
/// Height and width of the inputs of a tile: two more, because the kernel is 3x3.
const IN_SIDE: usize = 6;

/// A convolution `[images, h, w, c] -> [images, h', w', k]`, as PyTorch's `conv2d` with stride 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Winograd {
    pub input: Shape,
    pub output_channels: usize,
    pub padding: usize,
}

/// A thread's working memory for one image.
struct Scratch {
    /// The transformed input or its gradient, `[POINTS][tiles][input channels]`.
    transformed_inputs: Vec<f32>,
    /// The transformed output or its gradient, `[POINTS][tiles][output channels]`.
    transformed_outputs: Vec<f32>,
    /// The input or its gradient, padded to whole tiles and whole groups of channels.
    padded_input: Vec<f32>,
    /// The output or its gradient, padded in the same way.
    padded_output: Vec<f32>,
}

impl Winograd {
    /// The shape of one image's output.
    pub(crate) fn output_shape(self) -> Shape {
        let side = |n: usize| n + 2 * self.padding - 2;
        Shape { height: side(self.input.height), width: side(self.input.width), channels: self.output_channels }
    }

    /// Number of tiles along height and width.
    fn tile_counts(self) -> [usize; 2] {
        [self.output_shape().height.div_ceil(OUT_SIDE), self.output_shape().width.div_ceil(OUT_SIDE)]
    }

    /// The shape of the padded input: whole tiles, whole groups of channels.
    fn padded_input_shape(self) -> Shape {
        let [down, across] = self.tile_counts();
        let channels = self.input.channels.next_multiple_of(LANES);
        Shape { height: OUT_SIDE * down + 2, width: OUT_SIDE * across + 2, channels }
    }

    /// The shape of the padded output.
    fn padded_output_shape(self) -> Shape {
        let [down, across] = self.tile_counts();
        Shape {
            height: OUT_SIDE * down,
            width: OUT_SIDE * across,
            channels: self.output_channels.next_multiple_of(LANES),
        }
    }

    fn scratch(self) -> Scratch {
        let tiles = self.tile_counts().iter().product::<usize>();
        let (input, output) = (self.padded_input_shape(), self.padded_output_shape());
        Scratch {
            transformed_inputs: vec![0.0; POINTS * tiles * input.channels],
            transformed_outputs: vec![0.0; POINTS * tiles * output.channels],
            padded_input: vec![0.0; input.len()],
            padded_output: vec![0.0; output.len()],
        }
    }

    /// Computes `y = conv(x, weight) + bias`; `weight` is PyTorch's `[k, c, 3, 3]`.
    pub(crate) fn forward(self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let (input, output) = (self.padded_input_shape(), self.padded_output_shape());
        let [down, across] = self.tile_counts();
        let (tiles, transformed_weight) = (down * across, self.transform_weight(weight, false));
        let mut padded_bias = vec![0.0; output.channels];
        if let Some(bias) = bias {
            padded_bias[..bias.len()].copy_from_slice(bias);
        }
        let sizes = [tiles, output.channels, input.channels];
        let images = x.chunks_exact(self.input.len()).zip(y.chunks_exact_mut(self.output_shape().len()));
        for_each_job_with(
            images,
            || self.scratch(),
            |(x, y), s| {
                let x = pad(x, self.input, &mut s.padded_input, input, self.padding);
                transform_inputs(x, input, [down, across], &mut s.transformed_inputs);
                gemm_points(
                    &s.transformed_inputs,
                    [input.channels, 1],
                    &transformed_weight,
                    &mut s.transformed_outputs,
                    sizes,
                    false,
                );
                if output == self.output_shape() {
                    transform_outputs(&s.transformed_outputs, [down, across], &padded_bias, y, output);
                } else {
                    transform_outputs(
                        &s.transformed_outputs,
                        [down, across],
                        &padded_bias,
                        &mut s.padded_output,
                        output,
                    );
                    crop(&s.padded_output, output, y, self.output_shape(), 0);
                }
            },
        );
    }

    /// Computes the gradients of a loss with respect to `x`, `weight` and the bias from `output_gradient`, the one with
    /// respect to `y`, and writes them to `gradients`.
    pub(crate) fn backward(self, x: &[f32], weight: &[f32], output_gradient: &[f32], gradients: Gradients) {
        let (input, output) = (self.padded_input_shape(), self.padded_output_shape());
        let transposed_weight = if gradients.x.is_some() { self.transform_weight(weight, true) } else { Vec::new() };
        let per_part = images_per_part(x.len() / self.input.len());
        let (in_part, out_part) = (per_part * self.input.len(), per_part * self.output_shape().len());
        let parts = x.len().div_ceil(in_part);
        let mut weight_sums = vec![0.0; parts * POINTS * input.channels * output.channels];
        let mut bias_sums = vec![0.0; parts * output.channels];
        let mut dx = gradients.x.map(|dx| dx.chunks_mut(in_part));
        let jobs = x
            .chunks(in_part)
            .zip(output_gradient.chunks(out_part))
            .zip(weight_sums.chunks_mut(POINTS * input.channels * output.channels))
            .zip(bias_sums.chunks_mut(output.channels))
            .map(move |job| (job, dx.as_mut().and_then(Iterator::next)));
        for_each_job_with(
            jobs,
            || self.scratch(),
            |((((x, output_gradient), weight_sums), bias_sums), dx), s| {
                let mut dx = dx.map(|dx| dx.chunks_exact_mut(self.input.len()));
                let output_gradients = output_gradient.chunks_exact(self.output_shape().len());
                for (x, output_gradient) in x.chunks_exact(self.input.len()).zip(output_gradients) {
                    self.add_weight_gradient(x, output_gradient, [weight_sums, bias_sums], s);
                    if let Some(dx) = dx.as_mut().and_then(Iterator::next) {
                        self.input_gradient(&transposed_weight, dx, s);
                    }
                }
            },
        );
        add_parts(&mut weight_sums, POINTS * input.channels * output.channels);
        add_parts(&mut bias_sums, output.channels);
        self.weight_gradient(&weight_sums, gradients.weight);
        gradients.bias.copy_from_slice(&bias_sums[..gradients.bias.len()]);
    }

    /// Adds one image's gradients of the transformed weight and of the bias to the sums, in this order. Leaves the
    /// transformed gradient of the output in `s.transformed_outputs`.
    fn add_weight_gradient(
        self,
        x: &[f32],
        output_gradient: &[f32],
        [weight_sums, bias_sums]: [&mut [f32]; 2],
        s: &mut Scratch,
    ) {
        let (input, output, tiles) = (self.padded_input_shape(), self.padded_output_shape(), self.tile_counts());
        let output_gradient = pad(output_gradient, self.output_shape(), &mut s.padded_output, output, 0);
        transform_outputs_backward(output_gradient, output, tiles, &mut s.transformed_outputs);
        add_pixels(output_gradient, output, bias_sums);
        let x = pad(x, self.input, &mut s.padded_input, input, self.padding);
        transform_inputs(x, input, tiles, &mut s.transformed_inputs);
        let sizes = [input.channels, output.channels, tiles[0] * tiles[1]];
        gemm_points(&s.transformed_inputs, [1, input.channels], &s.transformed_outputs, weight_sums, sizes, true);
    }

    /// Computes the gradient of one input image, `dx`, from the transformed gradient of its output,
    /// `s.transformed_outputs`.
    fn input_gradient(self, transposed_weight: &[f32], dx: &mut [f32], s: &mut Scratch) {
        let (input, output, tiles) = (self.padded_input_shape(), self.padded_output_shape(), self.tile_counts());
        let sizes = [tiles[0] * tiles[1], input.channels, output.channels];
        gemm_points(
            &s.transformed_outputs,
            [output.channels, 1],
            transposed_weight,
            &mut s.transformed_inputs,
            sizes,
            false,
        );
        if input == self.input {
            dx.fill(0.0);
            transform_inputs_backward(&s.transformed_inputs, tiles, dx, input);
        } else {
            s.padded_input.fill(0.0);
            transform_inputs_backward(&s.transformed_inputs, tiles, &mut s.padded_input, input);
            crop(&s.padded_input, input, dx, self.input, self.padding);
        }
    }

    /// Transforms the weight to `[POINTS][input channels][output channels]`, or with the last two dimensions exchanged if
    /// `transposed`: G w Gᵀ for each 3x3 kernel w. Computed in f64 and rounded once.
    fn transform_weight(self, weight: &[f32], transposed: bool) -> Vec<f32> {
        let (c, k) = (self.padded_input_shape().channels, self.padded_output_shape().channels);
        let mut transformed = vec![0.0; POINTS * c * k];
        for (i, kernel) in weight.chunks_exact(9).enumerate() {
            let (output_channel, input_channel) = (i / self.input.channels, i % self.input.channels);
            let w: [[f64; 3]; 3] = std::array::from_fn(|y| std::array::from_fn(|x| f64::from(kernel[3 * y + x])));
            let index =
                if transposed { output_channel * c + input_channel } else { input_channel * k + output_channel };
            let g_w: [[f64; 3]; IN_SIDE] =
                std::array::from_fn(|i| std::array::from_fn(|x| (0..3).map(|y| G[i][y] * w[y][x]).sum()));
            for i in 0..IN_SIDE {
                for j in 0..IN_SIDE {
                    let value: f64 = (0..3).map(|x| g_w[i][x] * G[j][x]).sum();
                    transformed[(i * IN_SIDE + j) * c * k + index] = value as f32;
                }
            }
        }
        transformed
    }

    /// Computes the gradient of the weight from that of the transformed weight: the transpose of `transform_weight`.
    fn weight_gradient(self, transformed: &[f32], dweight: &mut [f32]) {
        let (c, k) = (self.padded_input_shape().channels, self.padded_output_shape().channels);
        for (i, kernel) in dweight.chunks_exact_mut(9).enumerate() {
            let (output_channel, input_channel) = (i / self.input.channels, i % self.input.channels);
            let u = |i: usize, j: usize| {
                f64::from(transformed[(i * IN_SIDE + j) * c * k + input_channel * k + output_channel])
            };
            let gt_u: [[f64; IN_SIDE]; 3] =
                std::array::from_fn(|y| std::array::from_fn(|j| (0..IN_SIDE).map(|i| G[i][y] * u(i, j)).sum()));
            for y in 0..3 {
                for x in 0..3 {
                    kernel[3 * y + x] = (0..IN_SIDE).map(|j| gt_u[y][j] * G[j][x]).sum::<f64>() as f32;
                }
            }
        }
    }
}

/// For each of the `POINTS` matrices, computes `c[m, n] = a[m, k] b[k, n]`, or adds the product to `c` if `add`. `strides` are
/// those of `a`.
fn gemm_points(a: &[f32], strides: [usize; 2], b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3], add: bool) {
    let [row_stride, column_stride] = strides;
    for point in 0..POINTS {
        let a = Matrix { values: &a[point * m * k..], row_stride, column_stride };
        gemm(a, &b[point * k * n..], &mut c[point * m * n..], [m, n, k], add);
    }
}

/// Adds all parts to the first one, in order.
fn add_parts(parts: &mut [f32], len: usize) {
    let (first, rest) = parts.split_at_mut(len);
    for part in rest.chunks_exact(len) {
        first.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
}

/// Winograd's method evaluates polynomials at 0, ±P, ±Q and infinity. With the usual points 1 and 2 the rounding errors are
/// 2.4 times as large (root mean square, 64 channels). 5/8 and 3/2 are near the optimum, and their squares, and the sum and
/// product of the squares, are exact in f32 (Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd
/// convolution").
const P: f32 = 0.625;
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;
const SQUARES_SUM: f32 = P2 + Q2;
const SQUARES_PRODUCT: f32 = P2 * Q2;

/// The matrix G, which transforms a kernel: a row for each point, 0, P, -P, Q, -Q and infinity.
const G: [[f64; 3]; IN_SIDE] = {
    const P: f64 = 0.625;
    const Q: f64 = 1.5;
    const SCALE_P: f64 = 1.0 / (2.0 * P * P * (P * P - Q * Q));
    const SCALE_Q: f64 = 1.0 / (2.0 * Q * Q * (Q * Q - P * P));
    [
        [1.0 / (P * P * Q * Q), 0.0, 0.0],
        [SCALE_P, SCALE_P * P, SCALE_P * P * P],
        [SCALE_P, -SCALE_P * P, SCALE_P * P * P],
        [SCALE_Q, SCALE_Q * Q, SCALE_Q * Q * Q],
        [SCALE_Q, -SCALE_Q * Q, SCALE_Q * Q * Q],
        [0.0, 0.0, 1.0],
    ]
};

/// `a + x b`, rounded once.
#[inline(always)]
fn add_scaled(a: Lane, x: f32, b: Lane) -> Lane {
    zip(a, b, |a, b| x.mul_add(b, a))
}

#[inline(always)]
fn add(a: Lane, b: Lane) -> Lane {
    zip(a, b, |a, b| a + b)
}

#[inline(always)]
fn subtract(a: Lane, b: Lane) -> Lane {
    zip(a, b, |a, b| a - b)
}

#[inline(always)]
fn scale(x: f32, a: Lane) -> Lane {
    map(a, |a| x * a)
}

/// Transforms one row or column of inputs: Bᵀ d, with the matrix B of the paper.
#[inline(always)]
fn transform_input_line(d: [Lane; IN_SIDE]) -> [Lane; IN_SIDE] {
    let [even_p, odd_p] = [add_scaled(d[4], -Q2, d[2]), scale(P, add_scaled(d[3], -Q2, d[1]))];
    let [even_q, odd_q] = [add_scaled(d[4], -P2, d[2]), scale(Q, add_scaled(d[3], -P2, d[1]))];
    [
        add_scaled(add_scaled(d[4], -SQUARES_SUM, d[2]), SQUARES_PRODUCT, d[0]),
        add(even_p, odd_p),
        subtract(even_p, odd_p),
        add(even_q, odd_q),
        subtract(even_q, odd_q),
        add_scaled(add_scaled(d[5], -SQUARES_SUM, d[3]), SQUARES_PRODUCT, d[1]),
    ]
}

/// The transpose of `transform_input_line`, for the backward pass: B d.
#[inline(always)]
fn transform_input_line_backward(d: [Lane; IN_SIDE]) -> [Lane; IN_SIDE] {
    let [sum_p, difference_p] = [add(d[1], d[2]), subtract(d[1], d[2])];
    let [sum_q, difference_q] = [add(d[3], d[4]), subtract(d[3], d[4])];
    [
        scale(SQUARES_PRODUCT, d[0]),
        add_scaled(add_scaled(scale(-P * Q2, difference_p), -Q * P2, difference_q), SQUARES_PRODUCT, d[5]),
        add_scaled(add_scaled(scale(-SQUARES_SUM, d[0]), -Q2, sum_p), -P2, sum_q),
        add_scaled(add_scaled(scale(-SQUARES_SUM, d[5]), P, difference_p), Q, difference_q),
        add(add(sum_p, sum_q), d[0]),
        d[5],
    ]
}

/// Transforms one row or column of products to outputs: Aᵀ m, with the matrix A of the paper.
#[inline(always)]
fn transform_output_line(m: [Lane; IN_SIDE]) -> [Lane; OUT_SIDE] {
    let [sum_p, difference_p] = [add(m[1], m[2]), subtract(m[1], m[2])];
    let [sum_q, difference_q] = [add(m[3], m[4]), subtract(m[3], m[4])];
    [
        add(add(sum_p, sum_q), m[0]),
        add_scaled(scale(P, difference_p), Q, difference_q),
        add_scaled(scale(P2, sum_p), Q2, sum_q),
        add_scaled(add_scaled(m[5], P * P2, difference_p), Q * Q2, difference_q),
    ]
}

/// The transpose of `transform_output_line`, for the backward pass: A y.
#[inline(always)]
fn transform_output_line_backward(y: [Lane; OUT_SIDE]) -> [Lane; IN_SIDE] {
    let [even_p, odd_p] = [add_scaled(y[0], P2, y[2]), scale(P, add_scaled(y[1], P2, y[3]))];
    let [even_q, odd_q] = [add_scaled(y[0], Q2, y[2]), scale(Q, add_scaled(y[1], Q2, y[3]))];
    [y[0], add(even_p, odd_p), subtract(even_p, odd_p), add(even_q, odd_q), subtract(even_q, odd_q), y[3]]
}

#[inline(always)]
fn transpose<const M: usize, const N: usize>(a: [[Lane; N]; M]) -> [[Lane; M]; N] {
    let mut out = [[[0.0; LANES]; M]; N];
    for i in 0..M {
        for j in 0..N {
            out[j][i] = a[i][j];
        }
    }
    out
}

/// Copies the image to `padded` with zeros around it; returns the image itself if it needs no padding.
fn pad<'a>(image: &'a [f32], shape: Shape, padded: &'a mut [f32], padded_shape: Shape, padding: usize) -> &'a [f32] {
    if shape == padded_shape {
        return image;
    }
    padded.fill(0.0);
    for y in 0..shape.height {
        for x in 0..shape.width {
            let inner = (y * shape.width + x) * shape.channels;
            let outer = ((y + padding) * padded_shape.width + x + padding) * padded_shape.channels;
            padded[outer..outer + shape.channels].copy_from_slice(&image[inner..inner + shape.channels]);
        }
    }
    padded
}

/// The inverse of `pad`: copies the image without its border and the extra channels.
fn crop(padded: &[f32], padded_shape: Shape, image: &mut [f32], shape: Shape, padding: usize) {
    for y in 0..shape.height {
        for x in 0..shape.width {
            let inner = (y * shape.width + x) * shape.channels;
            let outer = ((y + padding) * padded_shape.width + x + padding) * padded_shape.channels;
            image[inner..inner + shape.channels].copy_from_slice(&padded[outer..outer + shape.channels]);
        }
    }
}

vectorised! {
    /// Transforms an image `[h, w, c]` to `[POINTS][tiles][c]`.
    fn transform_inputs(x: &[f32], shape: Shape, tiles: [usize; 2], transformed: &mut [f32]) {
        let c = shape.channels;
        let stride = tiles[0] * tiles[1] * c;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..c).step_by(LANES) {
                    let corner = ((OUT_SIDE * ty) * shape.width + OUT_SIDE * tx) * c + group;
                    let tile = (ty * tiles[1] + tx) * c + group;
                    let mut columns = [[[0.0; LANES]; IN_SIDE]; IN_SIDE];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut line = [[0.0; LANES]; IN_SIDE];
                        for (i, value) in line.iter_mut().enumerate() {
                            *value = lane(&x[corner + (i * shape.width + j) * c..]);
                        }
                        *column = transform_input_line(line);
                    }
                    let rows = transpose(columns);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transform_input_line(row).into_iter().enumerate() {
                            transformed[(i * IN_SIDE + j) * stride + tile..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// Transforms `[POINTS][tiles][k]` to an output `[h, w, k]` and adds the bias.
    fn transform_outputs(transformed: &[f32], tiles: [usize; 2], bias: &[f32], y: &mut [f32], shape: Shape) {
        let k = shape.channels;
        let stride = tiles[0] * tiles[1] * k;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..k).step_by(LANES) {
                    let tile = (ty * tiles[1] + tx) * k + group;
                    let mut columns = [[[0.0; LANES]; OUT_SIDE]; IN_SIDE];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut line = [[0.0; LANES]; IN_SIDE];
                        for (i, value) in line.iter_mut().enumerate() {
                            *value = lane(&transformed[(i * IN_SIDE + j) * stride + tile..]);
                        }
                        *column = transform_output_line(line);
                    }
                    let rows = transpose(columns);
                    let bias = lane(&bias[group..]);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transform_output_line(row).into_iter().enumerate() {
                            let value = add(value, bias);
                            let pixel = ((OUT_SIDE * ty + i) * shape.width + OUT_SIDE * tx + j) * k + group;
                            y[pixel..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The transpose of `transform_outputs`: `[h, w, k] -> [POINTS][tiles][k]`.
    fn transform_outputs_backward(dy: &[f32], shape: Shape, tiles: [usize; 2], transformed: &mut [f32]) {
        let k = shape.channels;
        let stride = tiles[0] * tiles[1] * k;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..k).step_by(LANES) {
                    let corner = ((OUT_SIDE * ty) * shape.width + OUT_SIDE * tx) * k + group;
                    let tile = (ty * tiles[1] + tx) * k + group;
                    let mut columns = [[[0.0; LANES]; IN_SIDE]; OUT_SIDE];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut line = [[0.0; LANES]; OUT_SIDE];
                        for (i, value) in line.iter_mut().enumerate() {
                            *value = lane(&dy[corner + (i * shape.width + j) * k..]);
                        }
                        *column = transform_output_line_backward(line);
                    }
                    let rows = transpose(columns);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transform_output_line_backward(row).into_iter().enumerate() {
                            transformed[(i * IN_SIDE + j) * stride + tile..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The transpose of `transform_inputs`: `[POINTS][tiles][c] -> [h, w, c]`. Adds the values of tiles that overlap.
    fn transform_inputs_backward(transformed: &[f32], tiles: [usize; 2], dx: &mut [f32], shape: Shape) {
        let c = shape.channels;
        let stride = tiles[0] * tiles[1] * c;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..c).step_by(LANES) {
                    let tile = (ty * tiles[1] + tx) * c + group;
                    let mut columns = [[[0.0; LANES]; IN_SIDE]; IN_SIDE];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut line = [[0.0; LANES]; IN_SIDE];
                        for (i, value) in line.iter_mut().enumerate() {
                            *value = lane(&transformed[(i * IN_SIDE + j) * stride + tile..]);
                        }
                        *column = transform_input_line_backward(line);
                    }
                    let rows = transpose(columns);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transform_input_line_backward(row).into_iter().enumerate() {
                            let pixel = ((OUT_SIDE * ty + i) * shape.width + OUT_SIDE * tx + j) * c + group;
                            let sum = add(lane(&dx[pixel..]), value);
                            dx[pixel..][..LANES].copy_from_slice(&sum);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// Adds each channel's values of all pixels to `channel_sums`.
    fn add_pixels(image: &[f32], shape: Shape, channel_sums: &mut [f32]) {
        for group in (0..shape.channels).step_by(LANES) {
            let mut sum = [0.0; LANES];
            for pixel in 0..shape.pixels() {
                sum = add(sum, lane(&image[pixel * shape.channels + group..]));
            }
            let total = add(lane(&channel_sums[group..]), sum);
            channel_sums[group..][..LANES].copy_from_slice(&total);
        }
    }
}
