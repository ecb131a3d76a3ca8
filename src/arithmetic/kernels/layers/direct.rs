//! Convolutions whose output channels read one input channel each, by the definition: images with one channel, and
//! depthwise convolutions (`groups` equal to the number of input channels).
//!
//! Input channel c produces the output channels `c * m .. (c + 1) * m`, where m is the number of output channels
//! divided by that of input channels. The order of every sum:
//! - An output is a chain of fused multiply-additions that starts at the bias, or at 0 without one, in the order of the
//!   taps (rows, then columns). Taps outside the input are multiplied, too: they read 0.
//! - The gradient of a weight: for each row of outputs, such a chain over the row's pixels that starts at 0. The
//!   gradient of the bias: the same, with additions only. The rows of a part of the batch are added in order, then the
//!   parts.
//! - The gradient of an input is, for each of the m output channels, a chain that starts at 0, over the outputs that
//!   read the input (rows, then columns). The m values are added in order, beginning with the first.

use std::ops::Range;

use super::conv2d::{Convolution, write_bias_gradient};
use super::{Backward, Forward, Layer};
use crate::simd::{LANES, Vector, lane, vectorised, zip};
use crate::threads::{add_parts, for_each_job_with, images_per_part};

/// A convolution in which each output channel reads one input channel.
pub(super) struct Direct {
    conv: Convolution,
    /// Number of output channels, padded to whole groups of lanes.
    channels: usize,
}

impl Layer for Direct {
    fn evaluate(&self, pass: Forward) {
        let rows = self.rows(pass.parameters);
        let images = pass.x.chunks_exact(self.conv.input.len()).zip(pass.y.chunks_exact_mut(self.conv.output.len()));
        for_each_job_with(
            images,
            || self.scratch(),
            |(x, y), scratch| forward_image(&self.conv, self.prepare(x, scratch), &rows, y),
        );
    }

    fn backward(&mut self, pass: Backward) {
        let [in_len, out_len] = [self.conv.input.len(), self.conv.output.len()];
        let per_part = images_per_part(pass.x.len() / in_len);
        let len = (self.conv.taps() + 1) * self.channels;
        let mut sums = vec![0.0; pass.x.len().div_ceil(per_part * in_len) * len];
        let jobs = pass.x.chunks(per_part * in_len).zip(pass.output_gradient.chunks(per_part * out_len));
        for_each_job_with(
            jobs.zip(sums.chunks_mut(len)),
            || self.scratch(),
            |((x, gradient), sums), scratch| {
                for (x, gradient) in x.chunks_exact(in_len).zip(gradient.chunks_exact(out_len)) {
                    backward_image(&self.conv, self.prepare(x, scratch), gradient, sums);
                }
            },
        );
        add_parts(&mut sums, len);
        let taps = self.conv.taps();
        for (i, dweight) in pass.parameter_gradients[0].iter_mut().enumerate() {
            *dweight = sums[(i % taps + 1) * self.channels + i / taps];
        }
        write_bias_gradient(&sums[..self.channels], pass.parameter_gradients);

        let Some(dx) = pass.input_gradient else { return };
        let rows = self.rows(pass.parameters);
        let images = dx.chunks_exact_mut(in_len).zip(pass.output_gradient.chunks_exact(out_len));
        for_each_job_with(
            images,
            || vec![0.0; self.channels],
            |(dx, gradient), sums| input_gradient_image(&self.conv, &rows, gradient, dx, sums),
        );
    }
}

impl Direct {
    pub(super) fn new(conv: Convolution) -> Self {
        Self { conv, channels: conv.output.channels.next_multiple_of(LANES) }
    }

    /// The bias, then the weights of each tap, `[1 + taps][channels]`.
    fn rows(&self, parameters: &[Vec<f32>]) -> Vec<f32> {
        let taps = self.conv.taps();
        let mut rows = vec![0.0; (taps + 1) * self.channels];
        for output in 0..self.conv.output.channels {
            rows[output] = parameters.get(1).map_or(0.0, |bias| bias[output]);
            for tap in 0..taps {
                rows[(tap + 1) * self.channels + output] = parameters[0][output * taps + tap];
            }
        }
        rows
    }

    /// Memory for a prepared image. It starts as zeros, because `prepare` writes neither the border nor the channels
    /// that pad a group.
    fn scratch(&self) -> Vec<f32> {
        let [height, width] = padded_sides(&self.conv);
        vec![0.0; height * width * pixel_len(&self.conv)]
    }

    /// Returns the image with zeros around it. If it has more than one channel, each input channel is repeated for
    /// every output channel that reads it.
    fn prepare<'a>(&self, x: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        let (input, [above, left], per_input) = (self.conv.input, self.conv.padding, self.conv.outputs_per_group());
        let len = pixel_len(&self.conv);
        let sides = padded_sides(&self.conv);
        if sides == [input.height, input.width] && len == input.channels {
            return x;
        }
        let row_len = sides[1] * len;
        for (y, row) in x.chunks_exact(input.width * input.channels).enumerate() {
            let to = &mut scratch[(y + above) * row_len + left * len..];
            if len == input.channels {
                to[..row.len()].copy_from_slice(row);
            } else if per_input == 1 {
                for (to, pixel) in to.chunks_mut(len).zip(row.chunks_exact(input.channels)) {
                    to[..pixel.len()].copy_from_slice(pixel);
                }
            } else {
                for (to, pixel) in to.chunks_mut(len).zip(row.chunks_exact(input.channels)) {
                    for (to, value) in to.chunks_mut(per_input).zip(pixel) {
                        to.fill(*value);
                    }
                }
            }
        }
        scratch
    }
}

/// Height and width of the padded input: up to the last value that an output reads, but at least the whole input.
#[inline(always)]
fn padded_sides(conv: &Convolution) -> [usize; 2] {
    let side = |axis: usize, input: usize, output: usize| {
        let read = (output - 1) * conv.stride[axis] + (conv.kernel[axis] - 1) * conv.dilation[axis] + 1;
        read.max(input + conv.padding[axis])
    };
    [side(0, conv.input.height, conv.output.height), side(1, conv.input.width, conv.output.width)]
}

/// Number of values of a pixel of the prepared image: one, or one for each output channel, in whole groups of lanes.
#[inline(always)]
fn pixel_len(conv: &Convolution) -> usize {
    if conv.input.channels == 1 { 1 } else { conv.output.channels.next_multiple_of(LANES) }
}

/// Loads a group of channels. If the pixel has fewer than `LANES` left, the values after them are arbitrary.
#[inline(always)]
fn load(values: &[f32], channels_left: usize) -> Vector {
    if values.len() >= LANES {
        return lane(values);
    }
    let mut group = [0.0; LANES];
    group[..channels_left].copy_from_slice(&values[..channels_left]);
    group
}

/// The values that a group of output channels reads at a pixel; `ONE` if the image has one channel.
#[inline(always)]
fn inputs<const ONE: bool>(x: &[f32], pixel: usize, len: usize, group: usize) -> Vector {
    if ONE { [x[pixel]; LANES] } else { lane(&x[pixel * len + group..]) }
}

#[inline(always)]
fn multiply_add(a: Vector, b: Vector, sum: Vector) -> Vector {
    let mut out = sum;
    for l in 0..LANES {
        out[l] = a[l].mul_add(b[l], sum[l]);
    }
    out
}

vectorised! {
    /// Computes an output from a prepared image. `rows` are those of `Direct::rows`.
    fn forward_image(conv: &Convolution, x: &[f32], rows: &[f32], y: &mut [f32]) {
        if conv.input.channels == 1 {
            forward_rows::<true>(conv, x, rows, y);
        } else {
            forward_rows::<false>(conv, x, rows, y);
        }
    }
}

#[inline(always)]
fn forward_rows<const ONE: bool>(conv: &Convolution, x: &[f32], rows: &[f32], y: &mut [f32]) {
    for row in 0..conv.output.height {
        let mut column = 0;
        while column < conv.output.width {
            let pixels = match conv.output.width - column {
                8.. => 8,
                4.. => 4,
                _ => 1,
            };
            for group in (0..conv.output.channels).step_by(LANES) {
                let at = [row, column, group];
                match pixels {
                    8 => forward_pixels::<ONE, 8>(conv, x, rows, y, at),
                    4 => forward_pixels::<ONE, 4>(conv, x, rows, y, at),
                    _ => forward_pixels::<ONE, 1>(conv, x, rows, y, at),
                }
            }
            column += pixels;
        }
    }
}

/// Computes `PIXELS` neighbouring outputs of a group of channels.
#[inline(always)]
fn forward_pixels<const ONE: bool, const PIXELS: usize>(
    conv: &Convolution,
    x: &[f32],
    rows: &[f32],
    y: &mut [f32],
    [row, column, group]: [usize; 3],
) {
    let (width, len) = (padded_sides(conv)[1], pixel_len(conv));
    let ([kernel_height, kernel_width], [stride_y, stride_x], [down, across]) =
        (conv.kernel, conv.stride, conv.dilation);
    let channels = conv.output.channels.next_multiple_of(LANES);
    let mut sums = [lane(&rows[group..]); PIXELS];
    for ky in 0..kernel_height {
        for kx in 0..kernel_width {
            let weight = lane(&rows[(ky * kernel_width + kx + 1) * channels + group..]);
            let first = (row * stride_y + ky * down) * width + column * stride_x + kx * across;
            for (p, sum) in sums.iter_mut().enumerate() {
                *sum = multiply_add(inputs::<ONE>(x, first + p * stride_x, len, group), weight, *sum);
            }
        }
    }
    let n = (conv.output.channels - group).min(LANES);
    for (p, sum) in sums.iter().enumerate() {
        let start = (row * conv.output.width + column + p) * conv.output.channels + group;
        if n == LANES {
            y[start..][..LANES].copy_from_slice(sum);
        } else {
            y[start..][..n].copy_from_slice(&sum[..n]);
        }
    }
}

vectorised! {
    /// Adds one image's gradients to `sums`: those of the bias, then those of each tap's weights.
    fn backward_image(conv: &Convolution, x: &[f32], gradient: &[f32], sums: &mut [f32]) {
        if conv.input.channels == 1 {
            backward_rows::<true>(conv, x, gradient, sums);
        } else {
            backward_rows::<false>(conv, x, gradient, sums);
        }
    }
}

#[inline(always)]
fn backward_rows<const ONE: bool>(conv: &Convolution, x: &[f32], gradient: &[f32], sums: &mut [f32]) {
    for row in 0..conv.output.height {
        let gradient = &gradient[row * conv.output.width * conv.output.channels..];
        for group in (0..conv.output.channels).step_by(LANES) {
            add_bias_row(conv, gradient, group, sums);
            if conv.kernel == [3; 2] {
                add_taps_row::<ONE, 3, 3>(conv, x, gradient, sums, [row, group, 0, 0]);
                continue;
            }
            let [kernel_height, kernel_width] = conv.kernel;
            for ky in 0..kernel_height {
                let mut kx = 0;
                while kx < kernel_width {
                    let at = [row, group, ky, kx];
                    match kernel_width - kx {
                        5.. => add_taps_row::<ONE, 1, 5>(conv, x, gradient, sums, at),
                        4 => add_taps_row::<ONE, 1, 4>(conv, x, gradient, sums, at),
                        3 => add_taps_row::<ONE, 1, 3>(conv, x, gradient, sums, at),
                        2 => add_taps_row::<ONE, 1, 2>(conv, x, gradient, sums, at),
                        _ => add_taps_row::<ONE, 1, 1>(conv, x, gradient, sums, at),
                    }
                    kx += 5;
                }
            }
        }
    }
}

/// Adds a row of gradients to the sum of the bias.
#[inline(always)]
fn add_bias_row(conv: &Convolution, gradient: &[f32], group: usize, sums: &mut [f32]) {
    let mut sum = [0.0; LANES];
    for column in 0..conv.output.width {
        let g = load(&gradient[column * conv.output.channels + group..], conv.output.channels - group);
        sum = zip(sum, g, |s, g| s + g);
    }
    let total = zip(lane(&sums[group..]), sum, |s, x| s + x);
    sums[group..][..LANES].copy_from_slice(&total);
}

/// Adds what one row of outputs contributes to the weight gradients of `DOWN` by `ACROSS` taps; the first tap is
/// `[ky, kx]`.
#[inline(always)]
fn add_taps_row<const ONE: bool, const DOWN: usize, const ACROSS: usize>(
    conv: &Convolution,
    x: &[f32],
    gradient: &[f32],
    sums: &mut [f32],
    [row, group, ky, kx]: [usize; 4],
) {
    let (width, len) = (padded_sides(conv)[1], pixel_len(conv));
    let ([stride_y, stride_x], [dilation_y, dilation_x]) = (conv.stride, conv.dilation);
    let channels = conv.output.channels.next_multiple_of(LANES);
    let across: [usize; ACROSS] = std::array::from_fn(|j| (kx + j) * dilation_x);
    let mut chains = [[[0.0; LANES]; ACROSS]; DOWN];
    for column in 0..conv.output.width {
        let g = load(&gradient[column * conv.output.channels + group..], conv.output.channels - group);
        for (i, chains) in chains.iter_mut().enumerate() {
            let first = (row * stride_y + (ky + i) * dilation_y) * width + column * stride_x;
            for (chain, across) in chains.iter_mut().zip(across) {
                *chain = multiply_add(inputs::<ONE>(x, first + across, len, group), g, *chain);
            }
        }
    }
    for (i, chains) in chains.iter().enumerate() {
        for (j, chain) in chains.iter().enumerate() {
            let start = ((ky + i) * conv.kernel[1] + kx + j + 1) * channels + group;
            let total = zip(lane(&sums[start..]), *chain, |s, x| s + x);
            sums[start..][..LANES].copy_from_slice(&total);
        }
    }
}

/// The outputs, along height (`axis` 0) or width (1), whose windows include the input at `input`; `outputs` is their
/// number along that side. With a dilation, some of them do not read it.
#[inline(always)]
fn readers(conv: &Convolution, axis: usize, input: usize, outputs: usize) -> Range<usize> {
    let (last, stride) = (input + conv.padding[axis], conv.stride[axis]);
    let first = last.saturating_sub((conv.kernel[axis] - 1) * conv.dilation[axis]).div_ceil(stride);
    first..(last / stride + 1).min(outputs)
}

/// The row or column of the kernel by which the output at `output` reads the input at `input`; `None` if the input lies
/// in a gap of the dilated kernel.
#[inline(always)]
fn tap(conv: &Convolution, axis: usize, input: usize, output: usize) -> Option<usize> {
    let (offset, dilation) = (input + conv.padding[axis] - output * conv.stride[axis], conv.dilation[axis]);
    match dilation {
        1 => Some(offset),
        _ => offset.is_multiple_of(dilation).then_some(offset / dilation),
    }
}

vectorised! {
    /// Computes the gradient of an input, `dx`, from that of its output. `sums` has room for one pixel's output
    /// channels.
    fn input_gradient_image(conv: &Convolution, rows: &[f32], gradient: &[f32], dx: &mut [f32], sums: &mut [f32]) {
        let (out, per_input) = (conv.output, conv.outputs_per_group());
        let channels = out.channels.next_multiple_of(LANES);
        for (i, dx) in dx.chunks_exact_mut(conv.input.channels).enumerate() {
            let [row, column] = [i / conv.input.width, i % conv.input.width];
            let (down, across) = (readers(conv, 0, row, out.height), readers(conv, 1, column, out.width));
            for group in (0..out.channels).step_by(LANES) {
                let mut sum = [0.0; LANES];
                for y in down.clone() {
                    let Some(ky) = tap(conv, 0, row, y) else { continue };
                    for x in across.clone() {
                        let Some(kx) = tap(conv, 1, column, x) else { continue };
                        let g = &gradient[(y * out.width + x) * out.channels + group..];
                        let weight = lane(&rows[(ky * conv.kernel[1] + kx + 1) * channels + group..]);
                        sum = multiply_add(load(g, out.channels - group), weight, sum);
                    }
                }
                sums[group..][..LANES].copy_from_slice(&sum);
            }
            if per_input == 1 {
                dx.copy_from_slice(&sums[..dx.len()]);
            } else {
                for (dx, sums) in dx.iter_mut().zip(sums.chunks(per_input)) {
                    *dx = sums[1..].iter().fold(sums[0], |total, sum| total + sum);
                }
            }
        }
    }
}
