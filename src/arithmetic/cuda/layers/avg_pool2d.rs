//! Average pooling on a GPU.

use super::max_pool2d::launch;
use super::{Backward, Forward, Layer};
use crate::arithmetic::cuda::gpu::{Address, Gpu};
use kernels::layers::Shape;
use kernels::layers::max_pool2d::Windows;

/// The GPU counterpart of `kernels::layers::avg_pool2d::AvgPool2d`.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct AvgPool2d {
    windows: Windows,
}

impl AvgPool2d {
    /// A layer for images of shape `input`; `sizes` are kernel size, stride and padding.
    ///
    /// # Panics
    /// The padding is more than half the window, the stride is 0, or no window fits.
    pub(in crate::arithmetic::cuda) fn new(input: Shape, sizes: [usize; 3]) -> Self {
        let [kernel_size, stride, padding] = sizes;
        Self { windows: Windows::new(input, kernel_size, stride, padding) }
    }

    /// Launches a kernel that computes `pixels` pixels.
    fn launch(&self, gpu: &dyn Gpu, kernel: &'static str, pixels: usize, from_to: [Address; 2]) {
        let count = (self.windows.kernel_size * self.windows.kernel_size) as f32;
        launch(gpu, kernel, &self.windows, pixels, [&from_to.map(Into::into), &[count.into()]]);
    }
}

impl Layer for AvgPool2d {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.launch(gpu, "avg_pool2d", pass.images * self.windows.output.pixels(), [pass.x, pass.y]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let pixels = pass.images * self.windows.input.pixels();
        self.launch(gpu, "avg_pool2d_input_gradient", pixels, [pass.output_gradient, dx]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::avg_pool2d;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, height, width, channels, sizes) in [
            (2, 6, 6, 16, [3, 3, 0]),
            (3, 7, 5, 3, [2, 2, 0]),
            (9, 7, 9, 5, [3, 2, 1]),
            (10, 6, 5, 47, [3, 1, 0]),
            (2, 9, 8, 4, [2, 3, 0]),
            (3, 8, 7, 2, [2, 3, 1]),
            (1, 26, 26, 33, [26, 26, 13]),
            (2, 3, 3, 1, [1, 1, 0]),
        ] {
            let input = Shape { height, width, channels };
            let [kernel_size, stride, padding] = sizes;
            let mut cpu = avg_pool2d::AvgPool2d::new(input, kernel_size, stride, padding);
            let x = drawn(images * input.len(), "average");
            let gradient = drawn(images * cpu.output_shape().len(), "average gradient");
            let inputs = Inputs { images, x, gradient, ..Inputs::default() };
            assert_same_bits(&format!("{input:?} {sizes:?}"), &inputs, &mut cpu, |_, _| {
                Box::new(AvgPool2d::new(input, sizes))
            });
        }
    }
}
