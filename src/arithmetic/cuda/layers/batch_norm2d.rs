//! Batch normalisation on a GPU.

use super::{Backward, Forward, Layer, image_grid, lanes, pixel_grid};
use crate::arithmetic::cuda::gpu::{Address, Gpu, Grid, Memory, size};
use kernels::layers::Shape;

/// The GPU counterpart of `kernels::layers::batch_norm2d::BatchNorm2d`; with images of one pixel, `torch.nn.BatchNorm1d`.
#[derive(Debug)]
pub(in crate::arithmetic::cuda) struct BatchNorm2d {
    shape: Shape,
    options: BatchNorm2dOptions,
    /// Two values per image and channel.
    per_image: Memory,
    /// Lists with one value per channel, one after the other; `MEAN` and the other constants are their numbers.
    per_channel: Memory,
}

/// The options of a batch normalisation, named as in PyTorch's `BatchNorm2d`.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct BatchNorm2dOptions {
    pub eps: f64,
    pub momentum: f64,
    /// Whether the layer includes the ReLU that follows it.
    pub relu: bool,
}

/// The mean of the last training step.
const MEAN: usize = 0;
/// 1 / sqrt(variance + eps) of the last training step.
const INVERSE: usize = 1;
/// Mean gradient and slope, for the gradient of the input.
const AVERAGE: usize = 2;
const SLOPE: usize = 3;
/// Like `INVERSE`, for an evaluation.
const EVALUATION_INVERSE: usize = 4;
const LISTS: usize = 5;

impl BatchNorm2d {
    /// A layer for up to `images` images of this shape.
    pub(in crate::arithmetic::cuda) fn new(
        gpu: &dyn Gpu,
        shape: Shape,
        options: BatchNorm2dOptions,
        images: usize,
    ) -> Self {
        let per_image = gpu.values(images * 2 * shape.channels);
        Self { shape, options, per_image, per_channel: gpu.values(LISTS * shape.channels) }
    }

    fn list(&self, list: usize) -> Address {
        self.per_channel.address().offset(list * self.shape.channels)
    }

    fn lanes(&self) -> u32 {
        lanes(self.shape.channels)
    }

    /// Number of threads that compute the channels of a pixel in a sum over pixels. Fewer than `lanes`, so that more
    /// pixels are read at the same time.
    fn sum_lanes(&self) -> u32 {
        self.lanes().min(16)
    }

    /// y = (x - mean) (inverse weight) + bias, then ReLU if the layer includes it.
    fn normalise(&self, gpu: &dyn Gpu, pass: &Forward, mean: Address, inverse: Address) {
        let pixels = pass.images * self.shape.pixels();
        let arguments = [
            pass.x.into(),
            mean.into(),
            inverse.into(),
            pass.parameters[0].into(),
            pass.parameters[1].into(),
            u32::from(self.options.relu).into(),
            pass.y.into(),
            size(self.shape.channels).into(),
            size(pixels).into(),
            self.lanes().into(),
        ];
        gpu.launch("batch_norm2d_normalise", pixel_grid(pixels, self.lanes()), &arguments);
    }

    /// Computes the moments of a batch, and updates the running ones.
    fn compute_moments(&self, gpu: &dyn Gpu, pass: &Forward) {
        let (channels, pixels, images) = (self.shape.channels, self.shape.pixels(), pass.images);
        let arguments = [
            pass.x.into(),
            self.per_image.address().into(),
            size(channels).into(),
            size(pixels).into(),
            (pixels as f32).into(),
            self.sum_lanes().into(),
        ];
        gpu.launch("batch_norm2d_image_moments", image_grid(images, channels, self.sum_lanes()), &arguments);
        let all = pixels as f64 * images as f64;
        let momentum = self.options.momentum;
        let arguments = [
            self.per_image.address().into(),
            size(images).into(),
            size(channels).into(),
            (pixels as f64).into(),
            (images as f64).into(),
            all.into(),
            if all > 1.0 { all - 1.0 } else { 1.0 }.into(),
            self.options.eps.into(),
            momentum.into(),
            (1.0 - momentum).into(),
            self.list(MEAN).into(),
            self.list(INVERSE).into(),
            pass.buffers[0].into(),
            pass.buffers[1].into(),
        ];
        gpu.launch("batch_norm2d_moments", Grid::for_jobs(channels, 32), &arguments);
    }

    /// Computes the gradients of weight and bias, and the mean gradient and slope that the gradient of the input needs.
    fn compute_terms(&self, gpu: &dyn Gpu, pass: &Backward) {
        let (channels, images) = (self.shape.channels, pass.images);
        let arguments = [
            pass.x.into(),
            pass.output_gradient.into(),
            self.list(MEAN).into(),
            self.list(INVERSE).into(),
            pass.parameters[0].into(),
            pass.parameters[1].into(),
            u32::from(self.options.relu).into(),
            self.per_image.address().into(),
            size(channels).into(),
            size(self.shape.pixels()).into(),
            self.sum_lanes().into(),
        ];
        gpu.launch("batch_norm2d_image_sums", image_grid(images, channels, self.sum_lanes()), &arguments);
        let arguments = [
            self.per_image.address().into(),
            self.list(INVERSE).into(),
            size(images).into(),
            size(channels).into(),
            ((images * self.shape.pixels()) as f64).into(),
            self.list(AVERAGE).into(),
            self.list(SLOPE).into(),
            pass.parameter_gradients[0].into(),
            pass.parameter_gradients[1].into(),
        ];
        gpu.launch("batch_norm2d_terms", Grid::for_jobs(channels, 32), &arguments);
    }
}

impl Layer for BatchNorm2d {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let [mean, variance] = *pass.buffers else { panic!("batch normalisation has two buffers") };
        let (channels, inverse) = (self.shape.channels, self.list(EVALUATION_INVERSE));
        let arguments = [variance.into(), self.options.eps.into(), inverse.into(), size(channels).into()];
        gpu.launch("batch_norm2d_inverse", Grid::for_jobs(channels, 32), &arguments);
        self.normalise(gpu, pass, mean, inverse);
    }

    fn train(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.compute_moments(gpu, pass);
        self.normalise(gpu, pass, self.list(MEAN), self.list(INVERSE));
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        self.compute_terms(gpu, pass);
        let Some(dx) = pass.input_gradient else { return };
        let pixels = pass.images * self.shape.pixels();
        let arguments = [
            pass.x.into(),
            pass.output_gradient.into(),
            self.list(MEAN).into(),
            self.list(INVERSE).into(),
            pass.parameters[0].into(),
            pass.parameters[1].into(),
            self.list(AVERAGE).into(),
            self.list(SLOPE).into(),
            u32::from(self.options.relu).into(),
            dx.into(),
            size(self.shape.channels).into(),
            size(pixels).into(),
            self.lanes().into(),
        ];
        gpu.launch("batch_norm2d_input_gradient", pixel_grid(pixels, self.lanes()), &arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::batch_norm2d;

    #[test]
    fn bits_are_those_of_the_cpu() {
        // A single value; more images than a chain; more chains than fit into shared memory together; channels of two
        // blocks.
        for (images, height, width, channels, relu) in [
            (1, 1, 1, 1, true),
            (4, 3, 3, 16, false),
            (9, 2, 2, 5, true),
            (1, 4, 7, 33, true),
            (40, 5, 5, 2, true),
            (70, 1, 1, 75, true),
            (2, 26, 26, 64, true),
            (1, 40, 41, 32, false),
            (1, 79, 80, 7, true),
        ] {
            let shape = Shape { height, width, channels };
            let x: Vec<f32> = drawn(images * shape.len(), "norm").iter().map(|v| v + 0.5).collect();
            let parameters = vec![drawn(channels, "norm weight"), drawn(channels, "norm bias")];
            let variance = drawn(channels, "norm variance").iter().map(|v| v + 1.0).collect();
            let buffers = vec![drawn(channels, "norm mean"), variance];
            let gradient = drawn(x.len(), "norm gradient");
            let inputs = Inputs { images, x, parameters, buffers, gradient, mask: None };
            let options = BatchNorm2dOptions { eps: 1e-5, momentum: 0.1, relu };
            let mut cpu = batch_norm2d::BatchNorm2d::new(shape, options.eps, options.momentum, relu);
            assert_same_bits(&format!("{images} {shape:?}"), &inputs, &mut cpu, |gpu, images| {
                Box::new(BatchNorm2d::new(gpu, shape, options, images))
            });
        }
    }
}
