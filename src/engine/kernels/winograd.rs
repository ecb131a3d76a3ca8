//! Convolutions with 3x3 kernels and stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016, "Fast
//! algorithms for convolutional neural networks"): 36 multiplications for a tile of 16 outputs instead of 144.
//!
//! One image is processed at a time, so that its tiles stay in the caches between the transforms and the products. The
//! backward pass is the transpose of the forward pass, step by step, and uses the same tiles.
//!
//! Longer than 400 lines because each transform must be read next to its transpose.

use super::gemm::{Matrix, gemm};
use super::{Gradients, LANES, Lane, Shape, for_each_job_with, images_per_part, lane, map, vectorised, zip};

/// Number of values of a transformed tile.
const POINTS: usize = 36;
/// Outputs along each side of a tile.
const OUT: usize = 4;
/// Inputs along each side of a tile: two more than outputs.
const IN: usize = 6;

/// A convolution `[images, h, w, c] -> [images, h', w', k]`, as PyTorch's `conv2d` with stride 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Winograd {
    pub input: Shape,
    pub outputs: usize,
    pub padding: usize,
}

/// A thread's working memory for one image.
struct Scratch {
    /// Transformed inputs, or their gradients, `[POINTS][tiles][channels]`.
    inputs: Vec<f32>,
    /// Transformed outputs, or their gradients, `[POINTS][tiles][outputs]`.
    outputs: Vec<f32>,
    /// The image, padded to whole tiles and whole groups of channels.
    padded: Vec<f32>,
    /// The output or its gradient, padded in the same way.
    padded_outputs: Vec<f32>,
}

impl Winograd {
    /// The shape of one image's output.
    pub(crate) fn output(self) -> Shape {
        let side = |n: usize| n + 2 * self.padding - 2;
        Shape { height: side(self.input.height), width: side(self.input.width), channels: self.outputs }
    }

    /// Number of tiles along height and width.
    fn tiles(self) -> [usize; 2] {
        [self.output().height.div_ceil(OUT), self.output().width.div_ceil(OUT)]
    }

    /// The shape of the padded image: whole tiles, whole groups of channels.
    fn padded(self) -> Shape {
        let [down, across] = self.tiles();
        let channels = self.input.channels.next_multiple_of(LANES);
        Shape { height: OUT * down + 2, width: OUT * across + 2, channels }
    }

    /// The shape of the padded output.
    fn padded_output(self) -> Shape {
        let [down, across] = self.tiles();
        Shape { height: OUT * down, width: OUT * across, channels: self.outputs.next_multiple_of(LANES) }
    }

    fn scratch(self) -> Scratch {
        let tiles = self.tiles().iter().product::<usize>();
        let (input, output) = (self.padded(), self.padded_output());
        Scratch {
            inputs: vec![0.0; POINTS * tiles * input.channels],
            outputs: vec![0.0; POINTS * tiles * output.channels],
            padded: vec![0.0; input.len()],
            padded_outputs: vec![0.0; output.len()],
        }
    }

    /// Computes `y = conv(x, weight) + bias`; `weight` is PyTorch's `[k, c, 3, 3]`.
    pub(crate) fn forward(self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let (input, output) = (self.padded(), self.padded_output());
        let [down, across] = self.tiles();
        let (tiles, transformed) = (down * across, self.weights(weight, false));
        let mut filled = vec![0.0; output.channels];
        if let Some(bias) = bias {
            filled[..bias.len()].copy_from_slice(bias);
        }
        let sizes = [tiles, output.channels, input.channels];
        let images = x.chunks_exact(self.input.len()).zip(y.chunks_exact_mut(self.output().len()));
        for_each_job_with(
            images,
            || self.scratch(),
            |(x, y), s| {
                let x = pad(x, self.input, &mut s.padded, input, self.padding);
                transform_inputs(x, input, [down, across], &mut s.inputs);
                gemm_points(&s.inputs, [input.channels, 1], &transformed, &mut s.outputs, sizes, false);
                if output == self.output() {
                    transform_outputs(&s.outputs, [down, across], &filled, y, output);
                } else {
                    transform_outputs(&s.outputs, [down, across], &filled, &mut s.padded_outputs, output);
                    crop(&s.padded_outputs, output, y, self.output(), 0);
                }
            },
        );
    }

    /// Computes the gradients `to` from `gradient`, the gradient of `y`.
    pub(crate) fn backward(self, x: &[f32], weight: &[f32], gradient: &[f32], to: Gradients) {
        let (input, output) = (self.padded(), self.padded_output());
        let transposed = if to.x.is_some() { self.weights(weight, true) } else { Vec::new() };
        let per_part = images_per_part(x.len() / self.input.len());
        let (in_part, out_part) = (per_part * self.input.len(), per_part * self.output().len());
        let parts = x.len().div_ceil(in_part);
        let mut sums = vec![0.0; parts * POINTS * input.channels * output.channels];
        let mut biases = vec![0.0; parts * output.channels];
        let mut dx = to.x.map(|dx| dx.chunks_mut(in_part));
        let jobs = x
            .chunks(in_part)
            .zip(gradient.chunks(out_part))
            .zip(sums.chunks_mut(POINTS * input.channels * output.channels))
            .zip(biases.chunks_mut(output.channels))
            .map(move |job| (job, dx.as_mut().and_then(Iterator::next)));
        for_each_job_with(
            jobs,
            || self.scratch(),
            |((((x, gradient), sums), biases), dx), s| {
                let mut dx = dx.map(|dx| dx.chunks_exact_mut(self.input.len()));
                for (x, gradient) in x.chunks_exact(self.input.len()).zip(gradient.chunks_exact(self.output().len())) {
                    self.add_weight_gradient(x, gradient, sums, biases, s);
                    if let Some(dx) = dx.as_mut().and_then(Iterator::next) {
                        self.input_gradient(&transposed, dx, s);
                    }
                }
            },
        );
        add_parts(&mut sums, POINTS * input.channels * output.channels);
        add_parts(&mut biases, output.channels);
        self.weight_gradient(&sums, to.weight);
        to.bias.copy_from_slice(&biases[..to.bias.len()]);
    }

    /// Adds the gradients of the transformed weights and of the bias that one image gives. Leaves the transformed gradient of
    /// the output in `s.outputs`.
    fn add_weight_gradient(self, x: &[f32], gradient: &[f32], sums: &mut [f32], biases: &mut [f32], s: &mut Scratch) {
        let (input, output, tiles) = (self.padded(), self.padded_output(), self.tiles());
        let gradient = pad(gradient, self.output(), &mut s.padded_outputs, output, 0);
        spread_outputs(gradient, output, tiles, &mut s.outputs);
        add_pixels(gradient, output, biases);
        let x = pad(x, self.input, &mut s.padded, input, self.padding);
        transform_inputs(x, input, tiles, &mut s.inputs);
        let sizes = [input.channels, output.channels, tiles[0] * tiles[1]];
        gemm_points(&s.inputs, [1, input.channels], &s.outputs, sums, sizes, true);
    }

    /// Computes the gradient of one input image, `dx`, from the transformed gradient of its output, `s.outputs`.
    fn input_gradient(self, transposed: &[f32], dx: &mut [f32], s: &mut Scratch) {
        let (input, output, tiles) = (self.padded(), self.padded_output(), self.tiles());
        let sizes = [tiles[0] * tiles[1], input.channels, output.channels];
        gemm_points(&s.outputs, [output.channels, 1], transposed, &mut s.inputs, sizes, false);
        if input == self.input {
            dx.fill(0.0);
            collect_inputs(&s.inputs, tiles, dx, input);
        } else {
            s.padded.fill(0.0);
            collect_inputs(&s.inputs, tiles, &mut s.padded, input);
            crop(&s.padded, input, dx, self.input, self.padding);
        }
    }

    /// Transforms the weights to `[POINTS][channels][outputs]`, or to `[POINTS][outputs][channels]` if `transposed`. Computed
    /// in f64 and rounded once.
    fn weights(self, weight: &[f32], transposed: bool) -> Vec<f32> {
        let (c, k) = (self.padded().channels, self.padded_output().channels);
        let mut all = vec![0.0; POINTS * c * k];
        for (i, kernel) in weight.chunks_exact(9).enumerate() {
            let (to, from) = (i / self.input.channels, i % self.input.channels);
            let w: [[f64; 3]; 3] = std::array::from_fn(|y| std::array::from_fn(|x| f64::from(kernel[3 * y + x])));
            let at = if transposed { to * c + from } else { from * k + to };
            let left: [[f64; 3]; IN] =
                std::array::from_fn(|i| std::array::from_fn(|x| (0..3).map(|y| G[i][y] * w[y][x]).sum()));
            for i in 0..IN {
                for j in 0..IN {
                    let value: f64 = (0..3).map(|x| left[i][x] * G[j][x]).sum();
                    all[(i * IN + j) * c * k + at] = value as f32;
                }
            }
        }
        all
    }

    /// Transforms the gradient of the transformed weights to the gradient of the weights: the transpose of `weights`.
    fn weight_gradient(self, sums: &[f32], dweight: &mut [f32]) {
        let (c, k) = (self.padded().channels, self.padded_output().channels);
        for (i, kernel) in dweight.chunks_exact_mut(9).enumerate() {
            let (to, from) = (i / self.input.channels, i % self.input.channels);
            let u = |i: usize, j: usize| f64::from(sums[(i * IN + j) * c * k + from * k + to]);
            let left: [[f64; IN]; 3] =
                std::array::from_fn(|y| std::array::from_fn(|j| (0..IN).map(|i| G[i][y] * u(i, j)).sum()));
            for y in 0..3 {
                for x in 0..3 {
                    kernel[3 * y + x] = (0..IN).map(|j| left[y][j] * G[j][x]).sum::<f64>() as f32;
                }
            }
        }
    }
}

/// For each of the `POINTS` matrices, computes `c[m, n] = a[m, k] b[k, n]`, or adds the product to `c` if `add`. `strides` are
/// those of `a`.
fn gemm_points(a: &[f32], strides: [usize; 2], b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3], add: bool) {
    let [row, column] = strides;
    for point in 0..POINTS {
        let a = Matrix { values: &a[point * m * k..], row, column };
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

/// Winograd's method evaluates polynomials at 0, ±A, ±B and infinity. With the usual A = 1, B = 2 the rounding errors are 2.4
/// times as large (root mean square, 64 channels). 5/8 and 3/2 are near the optimum, and A2, B2, SUM and PRODUCT are exact in
/// f32 (Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd convolution").
const A: f32 = 0.625;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
const SUM: f32 = A2 + B2;
const PRODUCT: f32 = A2 * B2;

/// The transform of the weights, G.
const G: [[f64; 3]; IN] = {
    const A: f64 = 0.625;
    const B: f64 = 1.5;
    const AT_A: f64 = 1.0 / (2.0 * A * A * (A * A - B * B));
    const AT_B: f64 = 1.0 / (2.0 * B * B * (B * B - A * A));
    [
        [1.0 / (A * A * B * B), 0.0, 0.0],
        [AT_A, AT_A * A, AT_A * A * A],
        [AT_A, -AT_A * A, AT_A * A * A],
        [AT_B, AT_B * B, AT_B * B * B],
        [AT_B, -AT_B * B, AT_B * B * B],
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

/// Transforms one row or column of inputs: Bᵀ d.
#[inline(always)]
fn transform_input_line(d: [Lane; IN]) -> [Lane; IN] {
    let [even_a, odd_a] = [add_scaled(d[4], -B2, d[2]), scale(A, add_scaled(d[3], -B2, d[1]))];
    let [even_b, odd_b] = [add_scaled(d[4], -A2, d[2]), scale(B, add_scaled(d[3], -A2, d[1]))];
    [
        add_scaled(add_scaled(d[4], -SUM, d[2]), PRODUCT, d[0]),
        add(even_a, odd_a),
        subtract(even_a, odd_a),
        add(even_b, odd_b),
        subtract(even_b, odd_b),
        add_scaled(add_scaled(d[5], -SUM, d[3]), PRODUCT, d[1]),
    ]
}

/// The transpose of `transform_input_line`: B d.
#[inline(always)]
fn transpose_input_line(d: [Lane; IN]) -> [Lane; IN] {
    let [sum_a, difference_a] = [add(d[1], d[2]), subtract(d[1], d[2])];
    let [sum_b, difference_b] = [add(d[3], d[4]), subtract(d[3], d[4])];
    [
        scale(PRODUCT, d[0]),
        add_scaled(add_scaled(scale(-A * B2, difference_a), -B * A2, difference_b), PRODUCT, d[5]),
        add_scaled(add_scaled(scale(-SUM, d[0]), -B2, sum_a), -A2, sum_b),
        add_scaled(add_scaled(scale(-SUM, d[5]), A, difference_a), B, difference_b),
        add(add(sum_a, sum_b), d[0]),
        d[5],
    ]
}

/// Transforms one row or column of outputs: Aᵀ m.
#[inline(always)]
fn transform_output_line(m: [Lane; IN]) -> [Lane; OUT] {
    let [sum_a, difference_a] = [add(m[1], m[2]), subtract(m[1], m[2])];
    let [sum_b, difference_b] = [add(m[3], m[4]), subtract(m[3], m[4])];
    [
        add(add(sum_a, sum_b), m[0]),
        add_scaled(scale(A, difference_a), B, difference_b),
        add_scaled(scale(A2, sum_a), B2, sum_b),
        add_scaled(add_scaled(m[5], A * A2, difference_a), B * B2, difference_b),
    ]
}

/// The transpose of `transform_output_line`: A y.
#[inline(always)]
fn transpose_output_line(y: [Lane; OUT]) -> [Lane; IN] {
    let [even_a, odd_a] = [add_scaled(y[0], A2, y[2]), scale(A, add_scaled(y[1], A2, y[3]))];
    let [even_b, odd_b] = [add_scaled(y[0], B2, y[2]), scale(B, add_scaled(y[1], B2, y[3]))];
    [y[0], add(even_a, odd_a), subtract(even_a, odd_a), add(even_b, odd_b), subtract(even_b, odd_b), y[3]]
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
fn pad<'a>(image: &'a [f32], shape: Shape, padded: &'a mut [f32], to: Shape, padding: usize) -> &'a [f32] {
    if shape == to {
        return image;
    }
    padded.fill(0.0);
    for y in 0..shape.height {
        for x in 0..shape.width {
            let from = (y * shape.width + x) * shape.channels;
            let at = ((y + padding) * to.width + x + padding) * to.channels;
            padded[at..at + shape.channels].copy_from_slice(&image[from..from + shape.channels]);
        }
    }
    padded
}

/// The inverse of `pad`: copies the image without its border and the extra channels.
fn crop(padded: &[f32], from: Shape, image: &mut [f32], shape: Shape, padding: usize) {
    for y in 0..shape.height {
        for x in 0..shape.width {
            let at = ((y + padding) * from.width + x + padding) * from.channels;
            let to = (y * shape.width + x) * shape.channels;
            image[to..to + shape.channels].copy_from_slice(&padded[at..at + shape.channels]);
        }
    }
}

vectorised! {
    /// Transforms an image `[h, w, c]` to `[POINTS][tiles][c]`.
    fn transform_inputs(x: &[f32], shape: Shape, tiles: [usize; 2], to: &mut [f32]) {
        let c = shape.channels;
        let step = tiles[0] * tiles[1] * c;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..c).step_by(LANES) {
                    let from = ((OUT * ty) * shape.width + OUT * tx) * c + group;
                    let at = (ty * tiles[1] + tx) * c + group;
                    let mut columns = [[[0.0; LANES]; IN]; IN];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut d = [[0.0; LANES]; IN];
                        for (i, value) in d.iter_mut().enumerate() {
                            *value = lane(&x[from + (i * shape.width + j) * c..]);
                        }
                        *column = transform_input_line(d);
                    }
                    let rows = transpose(columns);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transform_input_line(row).into_iter().enumerate() {
                            to[(i * IN + j) * step + at..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// Transforms `[POINTS][tiles][k]` to an output `[h, w, k]` and adds the bias.
    fn transform_outputs(m: &[f32], tiles: [usize; 2], bias: &[f32], y: &mut [f32], shape: Shape) {
        let k = shape.channels;
        let step = tiles[0] * tiles[1] * k;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..k).step_by(LANES) {
                    let at = (ty * tiles[1] + tx) * k + group;
                    let mut columns = [[[0.0; LANES]; OUT]; IN];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut d = [[0.0; LANES]; IN];
                        for (i, value) in d.iter_mut().enumerate() {
                            *value = lane(&m[(i * IN + j) * step + at..]);
                        }
                        *column = transform_output_line(d);
                    }
                    let rows = transpose(columns);
                    let bias = lane(&bias[group..]);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transform_output_line(row).into_iter().enumerate() {
                            let value = add(value, bias);
                            let to = ((OUT * ty + i) * shape.width + OUT * tx + j) * k + group;
                            y[to..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The transpose of `transform_outputs`: `[h, w, k] -> [POINTS][tiles][k]`.
    fn spread_outputs(gradient: &[f32], shape: Shape, tiles: [usize; 2], to: &mut [f32]) {
        let k = shape.channels;
        let step = tiles[0] * tiles[1] * k;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..k).step_by(LANES) {
                    let from = ((OUT * ty) * shape.width + OUT * tx) * k + group;
                    let at = (ty * tiles[1] + tx) * k + group;
                    let mut columns = [[[0.0; LANES]; IN]; OUT];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut d = [[0.0; LANES]; OUT];
                        for (i, value) in d.iter_mut().enumerate() {
                            *value = lane(&gradient[from + (i * shape.width + j) * k..]);
                        }
                        *column = transpose_output_line(d);
                    }
                    let rows = transpose(columns);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transpose_output_line(row).into_iter().enumerate() {
                            to[(i * IN + j) * step + at..][..LANES].copy_from_slice(&value);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The transpose of `transform_inputs`: `[POINTS][tiles][c] -> [h, w, c]`. Adds the values of tiles that overlap.
    fn collect_inputs(v: &[f32], tiles: [usize; 2], dx: &mut [f32], shape: Shape) {
        let c = shape.channels;
        let step = tiles[0] * tiles[1] * c;
        for ty in 0..tiles[0] {
            for tx in 0..tiles[1] {
                for group in (0..c).step_by(LANES) {
                    let at = (ty * tiles[1] + tx) * c + group;
                    let mut columns = [[[0.0; LANES]; IN]; IN];
                    for (j, column) in columns.iter_mut().enumerate() {
                        let mut d = [[0.0; LANES]; IN];
                        for (i, value) in d.iter_mut().enumerate() {
                            *value = lane(&v[(i * IN + j) * step + at..]);
                        }
                        *column = transpose_input_line(d);
                    }
                    let rows = transpose(columns);
                    for (i, row) in rows.into_iter().enumerate() {
                        for (j, value) in transpose_input_line(row).into_iter().enumerate() {
                            let to = ((OUT * ty + i) * shape.width + OUT * tx + j) * c + group;
                            let sum = add(lane(&dx[to..]), value);
                            dx[to..][..LANES].copy_from_slice(&sum);
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// Adds the channels of every pixel to `sums`.
    fn add_pixels(image: &[f32], shape: Shape, sums: &mut [f32]) {
        for group in (0..shape.channels).step_by(LANES) {
            let mut sum = [0.0; LANES];
            for pixel in 0..shape.pixels() {
                sum = add(sum, lane(&image[pixel * shape.channels + group..]));
            }
            let all = add(lane(&sums[group..]), sum);
            sums[group..][..LANES].copy_from_slice(&all);
        }
    }
}
