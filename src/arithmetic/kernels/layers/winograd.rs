//! Convolutions with 3x3 kernels, stride 1 and dilation 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray
//! 2016, "Fast algorithms for convolutional neural networks"): 36 multiplications for a tile of 16 outputs instead of
//! 144.
//!
//! The order of every sum:
//! - Each kernel is transformed in f64. Each product, including those with a zero of G, is rounded and then added, in
//!   the order of the taps, starting at 0; along columns first, then along rows. The result is rounded to f32 once. The
//!   gradient of the weight is computed in the same way from the gradient of the transformed weight, in the order of
//!   the points.
//! - The transformed output of a tile is, for each of 36 points, a sum over the input channels (`product`, so in pieces
//!   of 128). The transforms of tiles are the additions and fused multiply-additions written below. The bias, or 0, is
//!   added last.
//! - The gradient of the transformed weight: the tiles of `images_together` images are summed in pieces of 128. All pieces
//!   of a part of the batch are added in order, starting at 0; then the parts.
//! - The gradient of the bias: the pixels of an image, in order, starting at 0; then the images of each part, then the
//!   parts.
//! - The gradient of the transformed input is a sum over the output channels (`product`). Where tiles overlap, their
//!   values are added to 0 in the order of the tiles.
//!
//! Few images are processed at a time, so that their tiles stay in the caches between the transforms and the products.
//! The backward pass is the transpose of the forward pass, step by step, and uses the same tiles.
//!
//! Longer than 400 lines because each transform and its transpose must be read side by side.

use super::conv2d::{Convolution, write_bias_gradient};
use super::{Backward, Forward, Layer, Shape};
use crate::gemm::{Matrix, product};
use crate::memory::grow;
use crate::simd::{LANES, Vector, lane, map, vectorised, zip};
use crate::threads::{PARTS, add_parts, for_each_job, for_each_job_with, images_per_part, threads};

/// Values of a transformed tile: one for each pair of the six points at which Winograd's method evaluates polynomials.
pub const POINTS: usize = 36;
/// Height and width of a tile of outputs, in pixels.
const OUT_SIDE: usize = 4;
/// Height and width of the inputs of a tile: two more, because the kernel is 3x3.
const IN_SIDE: usize = 6;
/// Images are processed together up to this many tiles, so that the matrix products are not too small.
const TILES_TOGETHER: usize = 36;

/// A convolution with a 3x3 kernel, stride 1, dilation 1 and one group.
pub(super) struct Winograd {
    conv: Convolution,
    /// Number of tiles of an image along height and width.
    tiles: [usize; 2],
    /// The shape of the padded input: whole tiles, whole groups of channels.
    padded_input: Shape,
    /// The shape of the padded output.
    padded_output: Shape,
    /// Number of images that are processed together.
    images_together: usize,
    /// Working memory: the gradient of the transformed weight for each part of the batch.
    weight_sums: Vec<f32>,
}

/// A thread's working memory.
struct Scratch {
    /// The transformed inputs or their gradient, `[POINTS][tiles][input channels]`.
    transformed_inputs: Vec<f32>,
    /// The transformed outputs or their gradient, `[POINTS][tiles][output channels]`.
    transformed_outputs: Vec<f32>,
    /// The input of an image or its gradient, padded to whole tiles and whole groups of channels.
    padded_input: Vec<f32>,
    /// The output of an image or its gradient, padded in the same way.
    padded_output: Vec<f32>,
}

/// The tiles of one image among those of all images that are processed together.
#[derive(Clone, Copy)]
struct Tiles {
    down: usize,
    across: usize,
    /// The number of tiles before those of this image.
    first: usize,
    /// The number of tiles of all images that are processed together.
    total: usize,
}

/// Number of tiles of an image along height and width.
pub fn tiles(conv: &Convolution) -> [usize; 2] {
    [conv.output.height.div_ceil(OUT_SIDE), conv.output.width.div_ceil(OUT_SIDE)]
}

/// Number of images that are processed together. The bits of the weight's gradient depend on it.
pub fn images_together([down, across]: [usize; 2]) -> usize {
    (TILES_TOGETHER / (down * across)).max(1)
}

/// Gradients for one thread to compute, of some images: add those of the transformed weight and of the bias to `sums`,
/// and write that of the input to `dx`.
struct Gradients<'a> {
    /// Only for `sums`.
    x: &'a [f32],
    output_gradient: &'a [f32],
    sums: Option<[&'a mut [f32]; 2]>,
    dx: Option<&'a mut [f32]>,
}

impl Layer for Winograd {
    fn evaluate(&self, pass: Forward) {
        let [input, output] = [self.padded_input, self.padded_output];
        let transformed_weight = self.transform_weight(&pass.parameters[0], false);
        let mut bias = vec![0.0; output.channels];
        if let Some(values) = pass.parameters.get(1) {
            bias[..values.len()].copy_from_slice(values);
        }
        let x = pass.x.chunks(self.images_together * self.conv.input.len());
        let y = pass.y.chunks_mut(self.images_together * self.conv.output.len());
        for_each_job_with(
            x.zip(y),
            || self.scratch(),
            |(x, y), s| {
                let images = x.len() / self.conv.input.len();
                self.transform_images(x, s);
                let sizes = [self.tiles_of(images), output.channels, input.channels];
                let a = [input.channels, 1];
                gemm_points(&s.transformed_inputs, a, &transformed_weight, &mut s.transformed_outputs, sizes, false);
                for (i, y) in y.chunks_exact_mut(self.conv.output.len()).enumerate() {
                    let tiles = self.tiles_at(i, images);
                    if output == self.conv.output {
                        transform_outputs(&s.transformed_outputs, tiles, &bias, y, output);
                    } else {
                        transform_outputs(&s.transformed_outputs, tiles, &bias, &mut s.padded_output, output);
                        crop(&s.padded_output, output, y, self.conv.output, [0; 2]);
                    }
                }
            },
        );
    }

    fn backward(&mut self, pass: Backward) {
        self.gradients(pass, threads() > PARTS / 2);
    }
}

impl Winograd {
    pub(super) fn new(conv: Convolution) -> Self {
        let tiles = tiles(&conv);
        let [height, width] = tiles.map(|tiles| OUT_SIDE * tiles);
        let channels = |shape: Shape| shape.channels.next_multiple_of(LANES);
        Self {
            conv,
            tiles,
            padded_input: Shape { height: height + 2, width: width + 2, channels: channels(conv.input) },
            padded_output: Shape { height, width, channels: channels(conv.output) },
            images_together: images_together(tiles),
            weight_sums: Vec::new(),
        }
    }

    fn scratch(&self) -> Scratch {
        let tiles = self.tiles_of(self.images_together);
        Scratch {
            transformed_inputs: vec![0.0; POINTS * tiles * self.padded_input.channels],
            transformed_outputs: vec![0.0; POINTS * tiles * self.padded_output.channels],
            padded_input: vec![0.0; self.padded_input.len()],
            padded_output: vec![0.0; self.padded_output.len()],
        }
    }

    /// Number of tiles of this many images.
    fn tiles_of(&self, images: usize) -> usize {
        images * self.tiles[0] * self.tiles[1]
    }

    /// The tiles of image `i` of `images` that are processed together.
    fn tiles_at(&self, i: usize, images: usize) -> Tiles {
        let [down, across] = self.tiles;
        Tiles { down, across, first: self.tiles_of(i), total: self.tiles_of(images) }
    }

    /// Transforms the input of some images to `s.transformed_inputs`.
    fn transform_images(&self, x: &[f32], s: &mut Scratch) {
        let images = x.len() / self.conv.input.len();
        for (i, x) in x.chunks_exact(self.conv.input.len()).enumerate() {
            let x = pad(x, self.conv.input, &mut s.padded_input, self.padded_input, self.conv.padding);
            transform_inputs(x, self.padded_input, self.tiles_at(i, images), &mut s.transformed_inputs);
        }
    }

    /// Computes all gradients. `apart` means: that of the input separately, because there are too few parts to keep all
    /// threads busy. That transforms the gradient of the output twice. Does not change the bits.
    fn gradients(&mut self, pass: Backward, apart: bool) {
        let [c, k] = [self.padded_input.channels, self.padded_output.channels];
        let transposed_weight = match pass.input_gradient {
            Some(_) => self.transform_weight(&pass.parameters[0], true),
            None => Vec::new(),
        };
        let [in_len, out_len] = [self.conv.input.len(), self.conv.output.len()];
        let per_part = images_per_part(pass.x.len() / in_len);
        let parts = pass.x.len().div_ceil(per_part * in_len);
        let mut weight_sums = std::mem::take(&mut self.weight_sums);
        weight_sums.clear();
        grow(&mut weight_sums, parts * POINTS * c * k);
        let mut bias_sums = vec![0.0; parts * k];
        let inputs = pass.x.chunks(per_part * in_len).zip(pass.output_gradient.chunks(per_part * out_len));
        let sums = weight_sums.chunks_mut(POINTS * c * k).zip(bias_sums.chunks_mut(k));
        let mut jobs: Vec<Gradients> = inputs
            .zip(sums)
            .map(|((x, output_gradient), sums)| Gradients { x, output_gradient, sums: Some(sums.into()), dx: None })
            .collect();
        match pass.input_gradient {
            Some(dx) if apart => {
                let few = self.images_together;
                let output_gradients = pass.output_gradient.chunks(few * out_len);
                jobs.extend(dx.chunks_mut(few * in_len).zip(output_gradients).map(|(dx, output_gradient)| Gradients {
                    x: &[],
                    output_gradient,
                    sums: None,
                    dx: Some(dx),
                }));
            }
            Some(dx) => jobs.iter_mut().zip(dx.chunks_mut(per_part * in_len)).for_each(|(job, dx)| job.dx = Some(dx)),
            None => {}
        }
        for_each_job_with(
            jobs.into_iter(),
            || self.scratch(),
            |Gradients { x, output_gradient, mut sums, dx }, s| {
                let mut x = x.chunks(self.images_together * in_len);
                let mut dx = dx.map(|dx| dx.chunks_mut(self.images_together * in_len));
                for output_gradient in output_gradient.chunks(self.images_together * out_len) {
                    let images = output_gradient.len() / out_len;
                    self.transform_output_gradients(output_gradient, sums.as_mut().map(|[_, bias]| &mut **bias), s);
                    if let (Some([weight_sums, _]), Some(x)) = (&mut sums, x.next()) {
                        self.transform_images(x, s);
                        let (a, b) = (&s.transformed_inputs, &s.transformed_outputs);
                        gemm_points(a, [1, c], b, weight_sums, [c, k, self.tiles_of(images)], true);
                    }
                    if let Some(dx) = dx.as_mut().and_then(Iterator::next) {
                        self.input_gradient(&transposed_weight, dx, s);
                    }
                }
            },
        );
        add_parts(&mut weight_sums, POINTS * c * k);
        add_parts(&mut bias_sums, k);
        self.weight_gradient(&weight_sums, &mut pass.parameter_gradients[0]);
        write_bias_gradient(&bias_sums, pass.parameter_gradients);
        self.weight_sums = weight_sums;
    }

    /// Transforms the gradient of some images' output to `s.transformed_outputs`, and adds it to the sums of the bias.
    fn transform_output_gradients(&self, gradients: &[f32], mut bias_sums: Option<&mut [f32]>, s: &mut Scratch) {
        let output = self.padded_output;
        let images = gradients.len() / self.conv.output.len();
        for (i, gradient) in gradients.chunks_exact(self.conv.output.len()).enumerate() {
            let gradient = pad(gradient, self.conv.output, &mut s.padded_output, output, [0; 2]);
            transform_outputs_backward(gradient, output, self.tiles_at(i, images), &mut s.transformed_outputs);
            if let Some(bias_sums) = &mut bias_sums {
                add_pixels(gradient, output, bias_sums);
            }
        }
    }

    /// Computes the gradient of some images' input, `dx`, from the transformed gradient of their output,
    /// `s.transformed_outputs`.
    fn input_gradient(&self, transposed_weight: &[f32], dx: &mut [f32], s: &mut Scratch) {
        let [input, output] = [self.padded_input, self.padded_output];
        let images = dx.len() / self.conv.input.len();
        let sizes = [self.tiles_of(images), input.channels, output.channels];
        let a = [output.channels, 1];
        gemm_points(&s.transformed_outputs, a, transposed_weight, &mut s.transformed_inputs, sizes, false);
        for (i, dx) in dx.chunks_exact_mut(self.conv.input.len()).enumerate() {
            let tiles = self.tiles_at(i, images);
            if input == self.conv.input {
                dx.fill(0.0);
                transform_inputs_backward(&s.transformed_inputs, tiles, dx, input);
            } else {
                s.padded_input.fill(0.0);
                transform_inputs_backward(&s.transformed_inputs, tiles, &mut s.padded_input, input);
                crop(&s.padded_input, input, dx, self.conv.input, self.conv.padding);
            }
        }
    }

    /// Transforms the weight to `[POINTS][input channels][output channels]`, or with the last two dimensions exchanged
    /// if `transposed`: G w Gᵀ for each 3x3 kernel w.
    fn transform_weight(&self, weight: &[f32], transposed: bool) -> Vec<f32> {
        let [c, k] = [self.padded_input.channels, self.padded_output.channels];
        let row_len = if transposed { c } else { k };
        // The taps are rearranged first, so that those of many kernels are transformed together.
        let mut taps = vec![0.0; 9 * c * k];
        for_each_job(taps.chunks_exact_mut(c * k).enumerate(), |(tap, to)| {
            for (i, kernel) in weight.chunks_exact(9).enumerate() {
                let [output, input] = [i / self.conv.input.channels, i % self.conv.input.channels];
                let [row, column] = if transposed { [output, input] } else { [input, output] };
                to[row * row_len + column] = kernel[tap];
            }
        });
        let mut transformed = vec![0.0; POINTS * c * k];
        for_each_job(transformed.chunks_exact_mut(IN_SIDE * c * k).enumerate(), |(row, to)| {
            transform_kernels(&taps, row, to);
        });
        transformed
    }

    /// Computes the gradient of the weight from that of the transformed weight: the transpose of `transform_weight`.
    fn weight_gradient(&self, transformed: &[f32], dweight: &mut [f32]) {
        let [c, k] = [self.padded_input.channels, self.padded_output.channels];
        // `[input channels][taps][output channels]`
        let mut taps = vec![0.0; self.conv.input.channels * 9 * k];
        for_each_job(taps.chunks_exact_mut(9 * k).enumerate(), |(input, to)| {
            transform_kernels_backward(&transformed[input * k..], c * k, to);
        });
        for_each_job(dweight.chunks_exact_mut(9 * self.conv.input.channels).enumerate(), |(output, dweight)| {
            for (i, value) in dweight.iter_mut().enumerate() {
                *value = taps[i * k + output];
            }
        });
    }
}

/// For each of the `POINTS` matrices, computes `c[m, n] = a[m, k] b[k, n]`, or adds the product to `c` if `add`.
/// `strides` are those of `a`.
fn gemm_points(a: &[f32], strides: [usize; 2], b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3], add: bool) {
    let [row_stride, column_stride] = strides;
    for point in 0..POINTS {
        let a = Matrix { values: &a[point * m * k..], row_stride, column_stride };
        product(a, &b[point * k * n..], &mut c[point * m * n..], [m, n, k], add);
    }
}

/// Winograd's method evaluates polynomials at 0, ±P, ±Q and infinity. With the usual points 1 and 2 the rounding errors
/// are 2.4 times as large (root mean square, 64 channels). 5/8 and 3/2 are near the optimum, and their squares, and the
/// sum and product of the squares, are exact in f32 (Barabasz et al. 2020, "Error analysis and improving the accuracy
/// of Winograd convolution").
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

vectorised! {
    /// Computes one of the six rows of G w Gᵀ for many kernels w: `[9][kernels] -> [IN_SIDE][kernels]`.
    fn transform_kernels(taps: &[f32], row: usize, transformed: &mut [f32]) {
        let kernels = taps.len() / 9;
        for first in (0..kernels).step_by(LANES) {
            let mut g_w = [[0.0; LANES]; 3];
            for (x, sums) in g_w.iter_mut().enumerate() {
                for (y, g) in G[row].iter().enumerate() {
                    let w = lane(&taps[(3 * y + x) * kernels + first..]);
                    add_products(sums, *g, w.map(f64::from));
                }
            }
            for (j, g) in G.iter().enumerate() {
                let mut sums = [0.0; LANES];
                for x in 0..3 {
                    add_products(&mut sums, g[x], g_w[x]);
                }
                transformed[j * kernels + first..][..LANES].copy_from_slice(&sums.map(|sum| sum as f32));
            }
        }
    }
}

vectorised! {
    /// The transpose of `transform_kernels`, for all rows: Gᵀ u G. The matrices u are `[POINTS][kernels]` with the
    /// distance `stride` between points; writes `[9][kernels]`.
    fn transform_kernels_backward(transformed: &[f32], stride: usize, taps: &mut [f32]) {
        let kernels = taps.len() / 9;
        for first in (0..kernels).step_by(LANES) {
            for y in 0..3 {
                let mut gt_u = [[0.0; LANES]; IN_SIDE];
                for (j, sums) in gt_u.iter_mut().enumerate() {
                    for (i, g) in G.iter().enumerate() {
                        let u = lane(&transformed[(i * IN_SIDE + j) * stride + first..]);
                        add_products(sums, g[y], u.map(f64::from));
                    }
                }
                for x in 0..3 {
                    let mut sums = [0.0; LANES];
                    for (g, gt_u) in G.iter().zip(&gt_u) {
                        add_products(&mut sums, g[x], *gt_u);
                    }
                    taps[(3 * y + x) * kernels + first..][..LANES].copy_from_slice(&sums.map(|sum| sum as f32));
                }
            }
        }
    }
}

/// Adds `x b` to the sums: rounds the products, then the sums.
#[inline(always)]
fn add_products(sums: &mut [f64; LANES], x: f64, b: [f64; LANES]) {
    for l in 0..LANES {
        sums[l] += x * b[l];
    }
}

/// `a + x b`, rounded once.
#[inline(always)]
fn add_scaled(a: Vector, x: f32, b: Vector) -> Vector {
    zip(a, b, |a, b| x.mul_add(b, a))
}

#[inline(always)]
fn add(a: Vector, b: Vector) -> Vector {
    zip(a, b, |a, b| a + b)
}

#[inline(always)]
fn subtract(a: Vector, b: Vector) -> Vector {
    zip(a, b, |a, b| a - b)
}

#[inline(always)]
fn scale(x: f32, a: Vector) -> Vector {
    map(a, |a| x * a)
}

/// Transforms one row or column of inputs: Bᵀ d, with the matrix B of the paper.
#[inline(always)]
fn transform_input_line(d: [Vector; IN_SIDE]) -> [Vector; IN_SIDE] {
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
fn transform_input_line_backward(d: [Vector; IN_SIDE]) -> [Vector; IN_SIDE] {
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
fn transform_output_line(m: [Vector; IN_SIDE]) -> [Vector; OUT_SIDE] {
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
fn transform_output_line_backward(y: [Vector; OUT_SIDE]) -> [Vector; IN_SIDE] {
    let [even_p, odd_p] = [add_scaled(y[0], P2, y[2]), scale(P, add_scaled(y[1], P2, y[3]))];
    let [even_q, odd_q] = [add_scaled(y[0], Q2, y[2]), scale(Q, add_scaled(y[1], Q2, y[3]))];
    [y[0], add(even_p, odd_p), subtract(even_p, odd_p), add(even_q, odd_q), subtract(even_q, odd_q), y[3]]
}

#[inline(always)]
fn transpose<const M: usize, const N: usize>(a: [[Vector; N]; M]) -> [[Vector; M]; N] {
    let mut out = [[[0.0; LANES]; M]; N];
    for i in 0..M {
        for j in 0..N {
            out[j][i] = a[i][j];
        }
    }
    out
}

/// Copies the image to `padded` with zeros around it; returns the image itself if it needs no padding.
fn pad<'a>(
    image: &'a [f32],
    shape: Shape,
    padded: &'a mut [f32],
    padded_shape: Shape,
    [above, left]: [usize; 2],
) -> &'a [f32] {
    if shape == padded_shape {
        return image;
    }
    padded.fill(0.0);
    for y in 0..shape.height {
        for x in 0..shape.width {
            let inner = (y * shape.width + x) * shape.channels;
            let outer = ((y + above) * padded_shape.width + x + left) * padded_shape.channels;
            padded[outer..outer + shape.channels].copy_from_slice(&image[inner..inner + shape.channels]);
        }
    }
    padded
}

/// The inverse of `pad`: copies the image without its border and the extra channels.
fn crop(padded: &[f32], padded_shape: Shape, image: &mut [f32], shape: Shape, [above, left]: [usize; 2]) {
    for y in 0..shape.height {
        for x in 0..shape.width {
            let inner = (y * shape.width + x) * shape.channels;
            let outer = ((y + above) * padded_shape.width + x + left) * padded_shape.channels;
            image[inner..inner + shape.channels].copy_from_slice(&padded[outer..outer + shape.channels]);
        }
    }
}

vectorised! {
    /// Transforms an image `[h, w, c]` to `[POINTS][tiles][c]`.
    fn transform_inputs(x: &[f32], shape: Shape, tiles: Tiles, transformed: &mut [f32]) {
        let c = shape.channels;
        let stride = tiles.total * c;
        for ty in 0..tiles.down {
            for tx in 0..tiles.across {
                for group in (0..c).step_by(LANES) {
                    let corner = ((OUT_SIDE * ty) * shape.width + OUT_SIDE * tx) * c + group;
                    let tile = (tiles.first + ty * tiles.across + tx) * c + group;
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
    fn transform_outputs(transformed: &[f32], tiles: Tiles, bias: &[f32], y: &mut [f32], shape: Shape) {
        let k = shape.channels;
        let stride = tiles.total * k;
        for ty in 0..tiles.down {
            for tx in 0..tiles.across {
                for group in (0..k).step_by(LANES) {
                    let tile = (tiles.first + ty * tiles.across + tx) * k + group;
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
    fn transform_outputs_backward(dy: &[f32], shape: Shape, tiles: Tiles, transformed: &mut [f32]) {
        let k = shape.channels;
        let stride = tiles.total * k;
        for ty in 0..tiles.down {
            for tx in 0..tiles.across {
                for group in (0..k).step_by(LANES) {
                    let corner = ((OUT_SIDE * ty) * shape.width + OUT_SIDE * tx) * k + group;
                    let tile = (tiles.first + ty * tiles.across + tx) * k + group;
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
    fn transform_inputs_backward(transformed: &[f32], tiles: Tiles, dx: &mut [f32], shape: Shape) {
        let c = shape.channels;
        let stride = tiles.total * c;
        for ty in 0..tiles.down {
            for tx in 0..tiles.across {
                for group in (0..c).step_by(LANES) {
                    let tile = (tiles.first + ty * tiles.across + tx) * c + group;
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
    /// Sums each channel over all pixels, starting at 0, and adds the sums to `channel_sums`.
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
