//! Convolutions of images with one channel by the direct algorithm. They are first layers, so their input needs no gradient.

use super::{LANES, Lane, PARTS, Shape, for_each_job_with, images_per_part, lane, vectorised, zip};

/// A convolution `[images, h, w, 1] -> [images, h', w', k]`, as PyTorch's `conv2d`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direct {
    pub input: Shape,
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Direct {
    /// The shape of one image's output.
    pub(crate) fn output(self) -> Shape {
        let side = |n: usize| (n + 2 * self.padding - self.kernel) / self.stride + 1;
        Shape { height: side(self.input.height), width: side(self.input.width), channels: self.outputs }
    }

    fn padded(self) -> Shape {
        let side = |n: usize| n + 2 * self.padding;
        Shape { height: side(self.input.height), width: side(self.input.width), channels: 1 }
    }

    /// Number of weights of an output channel.
    fn taps(self) -> usize {
        self.kernel * self.kernel
    }

    /// Computes `y = conv(x, weight) + bias`; `weight` is PyTorch's `[k, 1, kernel, kernel]`.
    pub(crate) fn forward(self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let filled = self.outputs.next_multiple_of(LANES);
        // One row of output channels for the bias, then one for each tap.
        let mut rows = vec![0.0; (self.taps() + 1) * filled];
        for output in 0..self.outputs {
            rows[output] = bias.map_or(0.0, |bias| bias[output]);
            for tap in 0..self.taps() {
                rows[(tap + 1) * filled + output] = weight[output * self.taps() + tap];
            }
        }
        let images = x.chunks_exact(self.input.len()).zip(y.chunks_exact_mut(self.output().len()));
        let scratch = || vec![0.0; self.padded().len()];
        for_each_job_with(images, scratch, |(x, y), padded| forward_image(self, self.pad(x, padded), &rows, y));
    }

    /// Computes the gradients of `weight` and `bias` from `gradient`, the gradient of `y`.
    pub(crate) fn backward(self, x: &[f32], gradient: &[f32], dweight: &mut [f32], dbias: &mut [f32]) {
        let images = x.len() / self.input.len();
        let filled = self.outputs.next_multiple_of(LANES);
        let len = (self.taps() + 1) * filled;
        let mut sums = vec![0.0; PARTS * len];
        let (ins, outs) = (images_per_part(images) * self.input.len(), images_per_part(images) * self.output().len());
        let jobs = x.chunks(ins).zip(gradient.chunks(outs)).zip(sums.chunks_mut(len));
        let scratch = || vec![0.0; self.padded().len()];
        for_each_job_with(jobs, scratch, |((x, gradient), sums), padded| {
            for (x, gradient) in x.chunks_exact(self.input.len()).zip(gradient.chunks_exact(self.output().len())) {
                backward_image(self, self.pad(x, padded), gradient, sums);
            }
        });
        let sum = |i: usize| (0..PARTS).fold(0.0, |sum, p| sum + sums[p * len + i]);
        for output in 0..self.outputs {
            dbias[output] = sum(output);
            for tap in 0..self.taps() {
                dweight[output * self.taps() + tap] = sum((tap + 1) * filled + output);
            }
        }
    }

    /// Returns the image with zeros around it. `padded` must hold zeros at its border.
    fn pad<'a>(self, x: &'a [f32], padded: &'a mut [f32]) -> &'a [f32] {
        if self.padding == 0 {
            return x;
        }
        let (p, width) = (self.padding, self.padded().width);
        for (y, row) in x.chunks_exact(self.input.width).enumerate() {
            padded[(y + p) * width + p..][..row.len()].copy_from_slice(row);
        }
        padded
    }
}

/// Loads a group of channels; if fewer than `LANES` outputs are left, the rest is zero.
#[inline(always)]
fn load(from: &[f32], outputs: usize) -> Lane {
    if outputs >= LANES {
        return lane(from);
    }
    let mut value = [0.0; LANES];
    value[..outputs].copy_from_slice(&from[..outputs]);
    value
}

vectorised! {
    fn forward_image(shape: Direct, x: &[f32], rows: &[f32], y: &mut [f32]) {
        let (out, width, kernel) = (shape.output(), shape.padded().width, shape.kernel);
        let filled = shape.outputs.next_multiple_of(LANES);
        for pixel in 0..out.pixels() {
            let from = (pixel / out.width * width + pixel % out.width) * shape.stride;
            for group in (0..shape.outputs).step_by(LANES) {
                let mut sum = lane(&rows[group..]);
                for ky in 0..kernel {
                    for kx in 0..kernel {
                        let value = x[from + ky * width + kx];
                        let weight = lane(&rows[(ky * kernel + kx + 1) * filled + group..]);
                        sum = zip(weight, sum, |w, s| value.mul_add(w, s));
                    }
                }
                let n = (shape.outputs - group).min(LANES);
                y[pixel * out.channels + group..][..n].copy_from_slice(&sum[..n]);
            }
        }
    }
}

vectorised! {
    fn backward_image(shape: Direct, x: &[f32], gradient: &[f32], sums: &mut [f32]) {
        let (out, width, kernel) = (shape.output(), shape.padded().width, shape.kernel);
        let filled = shape.outputs.next_multiple_of(LANES);
        for row in 0..out.height {
            for group in (0..shape.outputs).step_by(LANES) {
                let n = shape.outputs - group;
                let gradient = &gradient[row * out.width * out.channels + group..];
                let mut bias = lane(&sums[group..]);
                for column in 0..out.width {
                    bias = zip(bias, load(&gradient[column * out.channels..], n), |s, g| s + g);
                }
                sums[group..][..LANES].copy_from_slice(&bias);
                for ky in 0..kernel {
                    let x = &x[(row * shape.stride + ky) * width..];
                    for kx in 0..kernel {
                        let at = (ky * kernel + kx + 1) * filled + group;
                        let mut sum = lane(&sums[at..]);
                        for column in 0..out.width {
                            let value = x[column * shape.stride + kx];
                            let g = load(&gradient[column * out.channels..], n);
                            sum = zip(g, sum, |g, s| value.mul_add(g, s));
                        }
                        sums[at..][..LANES].copy_from_slice(&sum);
                    }
                }
            }
        }
    }
}
