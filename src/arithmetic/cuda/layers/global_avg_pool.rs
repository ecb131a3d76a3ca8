//! Global average pooling on a GPU.

use super::{Backward, Forward, Layer, image_grid, lanes, pixel_grid};
use crate::arithmetic::cuda::gpu::{Gpu, size};
use kernels::layers::Shape;

/// The GPU counterpart of `kernels::layers::global_avg_pool::GlobalAvgPool`.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct GlobalAvgPool {
    pub shape: Shape,
}

impl Layer for GlobalAvgPool {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let (channels, pixels) = (self.shape.channels, self.shape.pixels());
        let arguments = [
            pass.x.into(),
            pass.y.into(),
            size(channels).into(),
            size(pixels).into(),
            (pixels as f32).into(),
            lanes(channels).into(),
        ];
        gpu.launch("global_avg_pool", image_grid(pass.images, channels, lanes(channels)), &arguments);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let (channels, pixels) = (self.shape.channels, self.shape.pixels());
        let all = pass.images * pixels;
        let arguments = [
            pass.output_gradient.into(),
            dx.into(),
            size(channels).into(),
            size(pixels).into(),
            (pixels as f32).into(),
            size(all).into(),
            lanes(channels).into(),
        ];
        gpu.launch("global_avg_pool_input_gradient", pixel_grid(all, lanes(channels)), &arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::global_avg_pool;

    #[test]
    fn bits_are_those_of_the_cpu() {
        // The last one has more chains than fit into shared memory together.
        for (images, height, width, channels) in [(1, 1, 1, 5), (3, 5, 7, 33), (9, 26, 26, 16), (1, 40, 41, 32)] {
            let shape = Shape { height, width, channels };
            let x = drawn(images * shape.len(), "global");
            let gradient = drawn(images * channels, "global gradient");
            let inputs = Inputs { images, x, gradient, ..Inputs::default() };
            let mut cpu = global_avg_pool::GlobalAvgPool::new(shape);
            assert_same_bits(&format!("{shape:?}"), &inputs, &mut cpu, |_, _| Box::new(GlobalAvgPool { shape }));
        }
    }
}
