//! Global average pooling, as `torch.nn.AdaptiveAvgPool2d(1)` followed by `torch.nn.Flatten`.

use super::batch_norm2d::CHAIN;
use super::{Backward, Forward, Layer, Shape};
use crate::simd::vectorised;
use crate::threads::for_each_job;

/// The mean of each channel over the pixels: `[images, height, width, channels] -> [images, channels]`.
///
/// Sums are f32: chains of `CHAIN` pixels in row-major order, each from 0, then the chains in order, from 0. The sum is
/// divided by the number of pixels once. The gradient of each pixel is the gradient of the channel's mean divided by
/// the number of pixels.
#[derive(Clone, Copy, Debug)]
pub struct GlobalAvgPool {
    shape: Shape,
}

impl GlobalAvgPool {
    /// A layer for images of this shape.
    pub fn new(shape: Shape) -> Self {
        Self { shape }
    }
}

impl Layer for GlobalAvgPool {
    fn evaluate(&self, pass: Forward) {
        let jobs = pass.x.chunks_exact(self.shape.len()).zip(pass.y.chunks_exact_mut(self.shape.channels));
        for_each_job(jobs, |(x, y)| channel_means(x, y));
    }

    fn backward(&mut self, pass: Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let gradients = pass.output_gradient.chunks_exact(self.shape.channels);
        for_each_job(gradients.zip(dx.chunks_exact_mut(self.shape.len())), |(gradient, dx)| spread(gradient, dx));
    }
}

vectorised! {
    fn channel_means(x: &[f32], means: &mut [f32]) {
        let c = means.len();
        let mut chain = vec![0.0; c];
        means.fill(0.0);
        for pixels in x.chunks(CHAIN * c) {
            chain.fill(0.0);
            for pixel in pixels.chunks_exact(c) {
                for (sum, x) in chain.iter_mut().zip(pixel) {
                    *sum += x;
                }
            }
            means.iter_mut().zip(&chain).for_each(|(sum, x)| *sum += x);
        }
        let pixels = (x.len() / c) as f32;
        for sum in means {
            *sum /= pixels;
        }
    }
}

vectorised! {
    fn spread(gradient: &[f32], dx: &mut [f32]) {
        let c = gradient.len();
        let pixels = (dx.len() / c) as f32;
        let (first, rest) = dx.split_at_mut(c);
        first.iter_mut().zip(gradient).for_each(|(dx, gradient)| *dx = *gradient / pixels);
        rest.chunks_exact_mut(c).for_each(|pixel| pixel.copy_from_slice(first));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, drawn, near, same_bits, wide};

    #[test]
    fn means_and_gradients_agree_with_the_definition() {
        for (images, height, width, channels) in [(1, 1, 1, 5), (3, 5, 7, 33), (9, 26, 26, 16), (40, 4, 6, 3)] {
            let shape = Shape { height, width, channels };
            let x: Vec<f32> = drawn(images * shape.len(), "global").iter().map(|v| v + 0.5).collect();
            let gradient = drawn(images * channels, "global gradient");
            let got = same_bits(|| computed(&mut GlobalAvgPool::new(shape), &x, [&[], &[]], &gradient));
            let pixels = shape.pixels();
            let mean = |i: usize| {
                let image = &x[i / channels * shape.len()..][..shape.len()];
                wide(image).iter().skip(i % channels).step_by(channels).sum::<f64>() / pixels as f64
            };
            near("y", &got.y, &(0..gradient.len()).map(mean).collect::<Vec<_>>(), 3e-7);
            for (i, dx) in got.dx.iter().enumerate() {
                assert_eq!(*dx, gradient[i / shape.len() * channels + i % channels] / pixels as f32);
            }
            assert_eq!(got.evaluated, got.y);
        }
    }
}
