//! Convolutions with any kernel, stride, padding, dilation and number of groups as matrix products: each output pixel becomes a
//! row with the values that it reads (PyTorch's `unfold`, known as im2col), in blocks of pixels that fit into the
//! caches.
//!
//! The terms of an output are in the order of the taps (rows, then columns), and for each tap in that of the group's
//! input channels. Taps outside the input are multiplied, too: they read 0. The order of every sum:
//! - An output is a sum over its terms (`product`, so in pieces of 128). The bias is added last, if there is one.
//! - The gradient of a weight is a sum over the output pixels of a part of the batch, in order, in pieces of 128
//!   pixels: each is a chain of fused multiply-additions that starts at 0, for the bias a chain of additions. The
//!   pieces are added in order, starting at 0, then the parts.
//! - The gradient of an output's term is a sum over the group's output channels (`product`). The gradient of an input
//!   is the sum of its terms' gradients, added to 0 in the order of the output pixels. For 1x1 kernels with stride 1
//!   and no padding, it is the gradient of its only term, without adding it to 0.

use super::conv2d::{Convolution, write_bias_gradient};
use super::{Backward, Forward, Layer};
use crate::gemm::{Matrix, PIECE, gemm, product};
use crate::simd::{LANES, lane, vectorised, zip};
use crate::threads::{add_parts, for_each_job, for_each_job_with, images_per_part};

/// Approximate number of values in a block's rows, which should stay in the caches.
const BLOCK_LEN: usize = 1 << 16;

/// A convolution by matrix products.
pub(super) struct Im2col {
    conv: Convolution,
    /// Number of terms of an output.
    terms: usize,
    /// Number of terms, padded to whole groups of lanes.
    padded_terms: usize,
    /// Number of output channels of a group, padded in the same way.
    padded_outputs: usize,
    /// Whether each output pixel reads only the input pixel at the same position, so that rows need not be copied.
    is_pointwise: bool,
    /// Number of output pixels in a block. Does not change the bits.
    block: usize,
}

/// A thread's working memory.
struct Scratch {
    /// The values that a block's pixels read in one group: a row of `Im2col::row_len` values for each pixel.
    rows: Vec<f32>,
    /// A block's outputs of one group or their gradient, `[pixels][padded_outputs]`.
    outputs: Vec<f32>,
}

/// Consecutive output pixels, counted over several images.
#[derive(Clone, Copy)]
struct Pixels {
    first: usize,
    count: usize,
}

impl Layer for Im2col {
    fn evaluate(&self, pass: Forward) {
        let weight = self.transpose_weight(&pass.parameters[0]);
        let bias = pass.parameters.get(1).map(Vec::as_slice);
        let jobs = pass.y.chunks_mut(self.block * self.conv.output.channels).enumerate();
        for_each_job_with(
            jobs,
            || self.scratch(self.block),
            |(i, y), s| {
                let pixels = Pixels { first: i * self.block, count: y.len() / self.conv.output.channels };
                self.forward_block(pass.x, pixels, &weight, y, s);
                if let Some(bias) = bias {
                    y.chunks_exact_mut(bias.len()).for_each(|y| y.iter_mut().zip(bias).for_each(|(y, b)| *y += b));
                }
            },
        );
    }

    fn backward(&mut self, pass: Backward) {
        let out = self.conv.output;
        let per_part = images_per_part(pass.x.len() / self.conv.input.len());
        let len = self.conv.groups * self.terms * self.padded_outputs;
        let parts = pass.output_gradient.len().div_ceil(per_part * out.len());
        let mut weight_sums = vec![0.0; parts * len];
        let mut bias_sums = vec![0.0; parts * out.channels];
        let jobs = pass.x.chunks(per_part * self.conv.input.len());
        let jobs = jobs.zip(pass.output_gradient.chunks(per_part * out.len()));
        let sums = weight_sums.chunks_mut(len).zip(bias_sums.chunks_mut(out.channels));
        for_each_job_with(
            jobs.zip(sums),
            || self.scratch(PIECE),
            |((x, gradient), (weight_sums, bias_sums)), s| {
                for (i, gradient) in gradient.chunks(PIECE * out.channels).enumerate() {
                    let pixels = Pixels { first: i * PIECE, count: gradient.len() / out.channels };
                    self.add_weight_gradient(x, pixels, gradient, weight_sums, s);
                    add_pixels(gradient, bias_sums);
                }
            },
        );
        add_parts(&mut weight_sums, len);
        add_parts(&mut bias_sums, out.channels);
        self.write_weight_gradient(&weight_sums[..len], &mut pass.parameter_gradients[0]);
        write_bias_gradient(&bias_sums, pass.parameter_gradients);
        if let Some(dx) = pass.input_gradient {
            self.input_gradient(&pass.parameters[0], pass.output_gradient, dx);
        }
    }
}

impl Im2col {
    pub(super) fn new(conv: Convolution) -> Self {
        let terms = conv.taps() * conv.inputs_per_group();
        Self {
            conv,
            terms,
            padded_terms: terms.next_multiple_of(LANES),
            padded_outputs: conv.outputs_per_group().next_multiple_of(LANES),
            is_pointwise: conv.is_pointwise(),
            block: (BLOCK_LEN / terms).clamp(24, 96),
        }
    }

    /// Distance between rows in memory: an odd number of cache lines, so that a column's values do not share a few sets
    /// of the cache.
    fn row_len(&self) -> usize {
        ((self.padded_terms / LANES) | 1) * LANES
    }

    fn scratch(&self, pixels: usize) -> Scratch {
        Scratch {
            // `LANES` values more, because `copy` may write past the end of a row.
            rows: vec![0.0; pixels * self.row_len() + LANES],
            outputs: vec![0.0; pixels * self.padded_outputs],
        }
    }

    /// The weight as `[groups][terms][padded_outputs]`.
    fn transpose_weight(&self, weight: &[f32]) -> Vec<f32> {
        let (taps, inputs, outputs) = (self.conv.taps(), self.conv.inputs_per_group(), self.conv.outputs_per_group());
        let mut transposed = vec![0.0; self.conv.groups * self.terms * self.padded_outputs];
        for_each_job(transposed.chunks_exact_mut(self.padded_outputs).enumerate(), |(row, to)| {
            let [group, term] = [row / self.terms, row % self.terms];
            let first = group * outputs * self.terms + term % inputs * taps + term / inputs;
            for (output, to) in to[..outputs].iter_mut().enumerate() {
                *to = weight[first + output * self.terms];
            }
        });
        transposed
    }

    /// The weight as `[k][padded_terms]`.
    fn weight_by_terms(&self, weight: &[f32]) -> Vec<f32> {
        let (taps, inputs) = (self.conv.taps(), self.conv.inputs_per_group());
        let mut by_terms = vec![0.0; self.conv.output.channels * self.padded_terms];
        for (from, to) in weight.chunks_exact(self.terms).zip(by_terms.chunks_exact_mut(self.padded_terms)) {
            for (term, to) in to[..self.terms].iter_mut().enumerate() {
                *to = from[term % inputs * taps + term / inputs];
            }
        }
        by_terms
    }

    /// Writes the gradient of the weight, `[k, c / groups, kernel height, kernel width]`, from `[groups][terms][padded_outputs]`.
    fn write_weight_gradient(&self, sums: &[f32], dweight: &mut [f32]) {
        let (taps, inputs, outputs) = (self.conv.taps(), self.conv.inputs_per_group(), self.conv.outputs_per_group());
        for_each_job(dweight.chunks_exact_mut(self.terms).enumerate(), |(output, dweight)| {
            let first = output / outputs * self.terms * self.padded_outputs + output % outputs;
            for (i, dweight) in dweight.iter_mut().enumerate() {
                let term = i % taps * inputs + i / taps;
                *dweight = sums[first + term * self.padded_outputs];
            }
        });
    }

    /// The values that pixels read in one group, as a matrix with a row for each pixel.
    fn rows<'a>(&self, x: &'a [f32], pixels: Pixels, group: usize, rows: &'a mut [f32]) -> Matrix<'a> {
        if self.is_pointwise {
            let channels = self.conv.input.channels;
            let start = pixels.first * channels + group * self.conv.inputs_per_group();
            return Matrix { values: &x[start..], row_stride: channels, column_stride: 1 };
        }
        copy_rows(&self.conv, x, pixels, group, self.row_len(), rows);
        Matrix { values: rows, row_stride: self.row_len(), column_stride: 1 }
    }

    /// Whether a group's outputs are stored as `gemm` needs them: without gaps, in whole groups of lanes.
    fn has_plain_outputs(&self) -> bool {
        self.conv.groups == 1 && self.padded_outputs == self.conv.output.channels
    }

    /// Computes the outputs of some pixels, without the bias.
    fn forward_block(&self, x: &[f32], pixels: Pixels, weight: &[f32], y: &mut [f32], s: &mut Scratch) {
        let sizes = [pixels.count, self.padded_outputs, self.terms];
        for (group, weight) in weight.chunks_exact(self.terms * self.padded_outputs).enumerate() {
            let rows = self.rows(x, pixels, group, &mut s.rows);
            if self.has_plain_outputs() {
                product(rows, weight, y, sizes, false);
                continue;
            }
            product(rows, weight, &mut s.outputs, sizes, false);
            let outputs = self.conv.outputs_per_group();
            let y = y.chunks_exact_mut(self.conv.output.channels);
            for (y, from) in y.zip(s.outputs.chunks_exact(self.padded_outputs)) {
                y[group * outputs..][..outputs].copy_from_slice(&from[..outputs]);
            }
        }
    }

    /// Adds the gradient of the weight from at most `PIECE` pixels to `sums`, `[groups][terms][padded_outputs]`.
    fn add_weight_gradient(&self, x: &[f32], pixels: Pixels, gradient: &[f32], sums: &mut [f32], s: &mut Scratch) {
        let outputs = self.conv.outputs_per_group();
        for (group, sums) in sums.chunks_exact_mut(self.terms * self.padded_outputs).enumerate() {
            let gradient = if self.has_plain_outputs() {
                gradient
            } else {
                let pixels = gradient.chunks_exact(self.conv.output.channels);
                for (from, to) in pixels.zip(s.outputs.chunks_exact_mut(self.padded_outputs)) {
                    to[..outputs].copy_from_slice(&from[group * outputs..][..outputs]);
                }
                &s.outputs
            };
            let rows = self.rows(x, pixels, group, &mut s.rows);
            let a = Matrix { row_stride: 1, column_stride: rows.row_stride, ..rows };
            gemm(a, gradient, sums, [self.terms, self.padded_outputs, pixels.count], true);
        }
    }

    /// Computes the gradient of the input.
    fn input_gradient(&self, weight: &[f32], gradient: &[f32], dx: &mut [f32]) {
        let (out, channels) = (self.conv.output, self.conv.output.channels);
        let weight = self.weight_by_terms(weight);
        let images = (self.block / out.pixels()).max(1);
        let jobs = gradient.chunks(images * out.len()).zip(dx.chunks_mut(images * self.conv.input.len()));
        for_each_job_with(
            jobs,
            || vec![0.0; self.block * self.padded_terms],
            |(gradient, dx), terms| {
                if self.is_pointwise && self.conv.groups == 1 && self.padded_terms == self.terms {
                    let a = Matrix { values: gradient, row_stride: channels, column_stride: 1 };
                    product(a, &weight, dx, [gradient.len() / channels, self.terms, channels], false);
                    return;
                }
                if !self.is_pointwise {
                    dx.fill(0.0);
                }
                for (i, gradient) in gradient.chunks(self.block * channels).enumerate() {
                    let pixels = Pixels { first: i * self.block, count: gradient.len() / channels };
                    self.input_gradient_block(pixels, &weight, gradient, dx, terms);
                }
            },
        );
    }

    /// Adds the gradients of the inputs that some pixels read to `dx`; if `is_pointwise`, writes them.
    fn input_gradient_block(
        &self,
        pixels: Pixels,
        weight: &[f32],
        gradient: &[f32],
        dx: &mut [f32],
        terms: &mut [f32],
    ) {
        let (inputs, outputs) = (self.conv.inputs_per_group(), self.conv.outputs_per_group());
        for (group, weight) in weight.chunks_exact(outputs * self.padded_terms).enumerate() {
            let gradient = &gradient[group * outputs..];
            let a = Matrix { values: gradient, row_stride: self.conv.output.channels, column_stride: 1 };
            product(a, weight, terms, [pixels.count, self.padded_terms, outputs], false);
            if self.is_pointwise {
                let dx = dx.chunks_exact_mut(self.conv.input.channels).skip(pixels.first);
                for (dx, from) in dx.zip(terms.chunks_exact(self.padded_terms)).take(pixels.count) {
                    dx[group * inputs..][..inputs].copy_from_slice(&from[..inputs]);
                }
            } else {
                add_rows(&self.conv, terms, pixels, group, dx);
            }
        }
    }
}

/// Copies `len` values, and possibly the ones after them up to a whole group of lanes: for few values, this is faster
/// than an exact copy.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32], len: usize) {
    if len > 4 * LANES || from.len() < 4 * LANES || to.len() < 4 * LANES {
        to[..len].copy_from_slice(&from[..len]);
        return;
    }
    to[..LANES].copy_from_slice(&from[..LANES]);
    for group in 1..4 {
        if len > group * LANES {
            to[group * LANES..][..LANES].copy_from_slice(&from[group * LANES..][..LANES]);
        }
    }
}

/// The values that a row of the kernel reads with `taps` taps inside the input, as a number of runs of consecutive
/// values and their length. With one group and no gaps between the taps, they are one run.
#[inline(always)]
fn runs(conv: &Convolution, taps: usize) -> (usize, usize) {
    let inputs = conv.inputs_per_group();
    if conv.groups == 1 && conv.dilation[1] == 1 { (1, taps * inputs) } else { (taps, inputs) }
}

vectorised! {
    /// Copies the values that pixels read in one group to rows of `row_len` values.
    fn copy_rows(conv: &Convolution, x: &[f32], pixels: Pixels, group: usize, row_len: usize, rows: &mut [f32]) {
        let (input, out, inputs) = (conv.input, conv.output, conv.inputs_per_group());
        let ([stride_y, stride_x], [dilation_y, dilation_x], [above, left]) = (conv.stride, conv.dilation, conv.padding);
        let (whole_down, whole_across) = (0..conv.kernel[0], 0..conv.kernel[1]);
        for i in 0..pixels.count {
            let [image, pixel] = [(pixels.first + i) / out.pixels(), (pixels.first + i) % out.pixels()];
            let [row, column] = [pixel / out.width, pixel % out.width];
            let (down, across) = (conv.taps_inside(0, row, input.height), conv.taps_inside(1, column, input.width));
            let is_whole = down == whole_down && across == whole_across;
            let to = &mut rows[i * row_len..];
            if !is_whole {
                to[..conv.taps() * inputs].fill(0.0);
            }
            if across.is_empty() {
                continue;
            }
            let (runs, len) = runs(conv, across.len());
            for ky in down {
                let y = image * input.height + row * stride_y + ky * dilation_y - above;
                for run in 0..runs {
                    let x_column = column * stride_x + (across.start + run) * dilation_x - left;
                    let from = &x[(y * input.width + x_column) * input.channels + group * inputs..];
                    let to = &mut to[(ky * conv.kernel[1] + across.start + run) * inputs..];
                    if is_whole {
                        // `copy` may write past `len`; the next copy overwrites those values.
                        copy(to, from, len);
                    } else {
                        to[..len].copy_from_slice(&from[..len]);
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The transpose of `copy_rows`: adds the gradients of the values that pixels read to `dx`. Rows have no gaps
    /// except the padding to whole groups of lanes.
    fn add_rows(conv: &Convolution, rows: &[f32], pixels: Pixels, group: usize, dx: &mut [f32]) {
        let (input, out, inputs) = (conv.input, conv.output, conv.inputs_per_group());
        let ([stride_y, stride_x], [dilation_y, dilation_x], [above, left]) = (conv.stride, conv.dilation, conv.padding);
        let row_len = (conv.taps() * inputs).next_multiple_of(LANES);
        for i in 0..pixels.count {
            let [image, pixel] = [(pixels.first + i) / out.pixels(), (pixels.first + i) % out.pixels()];
            let [row, column] = [pixel / out.width, pixel % out.width];
            let (down, across) = (conv.taps_inside(0, row, input.height), conv.taps_inside(1, column, input.width));
            if across.is_empty() {
                continue;
            }
            let (runs, len) = runs(conv, across.len());
            for ky in down {
                let y = image * input.height + row * stride_y + ky * dilation_y - above;
                for run in 0..runs {
                    let x_column = column * stride_x + (across.start + run) * dilation_x - left;
                    let to = &mut dx[(y * input.width + x_column) * input.channels + group * inputs..][..len];
                    let from = &rows[i * row_len + (ky * conv.kernel[1] + across.start + run) * inputs..][..len];
                    to.iter_mut().zip(from).for_each(|(sum, term)| *sum += term);
                }
            }
        }
    }
}

vectorised! {
    /// Sums each channel over all pixels, starting at 0, and adds the sums to `channel_sums`.
    fn add_pixels(values: &[f32], channel_sums: &mut [f32]) {
        let channels = channel_sums.len();
        let whole = channels / LANES * LANES;
        for group in (0..whole).step_by(LANES) {
            let pixels = values.chunks_exact(channels);
            let sum = pixels.fold([0.0; LANES], |sum, pixel| zip(sum, lane(&pixel[group..]), |s, x| s + x));
            let total = zip(lane(&channel_sums[group..]), sum, |s, x| s + x);
            channel_sums[group..][..LANES].copy_from_slice(&total);
        }
        for channel in whole..channels {
            channel_sums[channel] += values.chunks_exact(channels).fold(0.0, |sum, pixel| sum + pixel[channel]);
        }
    }
}
