//! Max pooling on a GPU, and the launch of the kernels of max and average pooling.

use super::{Backward, Forward, Layer, lanes, pixel_grid};
use crate::arithmetic::cuda::gpu::{Address, Argument, Gpu, Grid, Memory, size};
use kernels::layers::Shape;
use kernels::layers::max_pool2d::Windows;

/// The GPU counterpart of `kernels::layers::max_pool2d::MaxPool2d`.
#[derive(Debug)]
pub(in crate::arithmetic::cuda) struct MaxPool2d {
    windows: Windows,
    /// Where each maximum of the last training step was in its window, counted row by row, padding included.
    positions: Memory,
}

impl MaxPool2d {
    /// A layer for up to `images` images of shape `input`.
    ///
    /// # Panics
    /// The padding is more than half the window, the stride is 0, or no window fits.
    pub(in crate::arithmetic::cuda) fn new(gpu: &dyn Gpu, input: Shape, sizes: [usize; 3], images: usize) -> Self {
        let [kernel_size, stride, padding] = sizes;
        let windows = Windows::new(input, kernel_size, stride, padding);
        Self { windows, positions: gpu.values(images * windows.output.len()) }
    }

    fn forward(&self, gpu: &dyn Gpu, pass: &Forward, positions: Address) {
        self.for_each_output(gpu, "max_pool2d", pass.images, [pass.x, pass.y, positions]);
    }

    /// Launches a kernel with a thread for each value of the output.
    fn for_each_output(&self, gpu: &dyn Gpu, kernel: &'static str, images: usize, tensors: [Address; 3]) {
        let len = images * self.windows.output.len();
        let tensors = tensors.map(Argument::from);
        let arguments = [tensors.as_slice(), &sizes(&self.windows), &[size(len).into()]];
        gpu.launch(kernel, Grid::for_jobs(len, 256), &arguments.concat());
    }
}

/// The arguments that describe the windows of a pooling.
fn sizes(windows: &Windows) -> [Argument; 8] {
    let Windows { input, output, kernel_size, stride, padding } = *windows;
    [input.height, input.width, output.height, output.width, input.channels, kernel_size, stride, padding]
        .map(|n| size(n).into())
}

/// Launches a pooling kernel that computes `pixels` pixels. Its arguments are `tensors`, the sizes of the windows,
/// `more`, the number of pixels, and the number of threads per pixel.
pub(super) fn launch(
    gpu: &dyn Gpu,
    kernel: &'static str,
    windows: &Windows,
    pixels: usize,
    [tensors, more]: [&[Argument]; 2],
) {
    let lanes = lanes(windows.input.channels);
    let arguments = [tensors, &sizes(windows), more, &[size(pixels).into(), lanes.into()]];
    gpu.launch(kernel, pixel_grid(pixels, lanes), &arguments.concat());
}

impl Layer for MaxPool2d {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.forward(gpu, pass, Address::NULL);
    }

    fn train(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.forward(gpu, pass, self.positions.address());
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let tensors = [self.positions.address(), pass.output_gradient, dx];
        let Windows { input, kernel_size, stride, .. } = self.windows;
        if stride < kernel_size {
            let pixels = pass.images * input.pixels();
            launch(gpu, "max_pool2d_input_gradient", &self.windows, pixels, [&tensors.map(Into::into), &[]]);
        } else {
            gpu.fill_zero(dx, 4 * pass.images * input.len());
            self.for_each_output(gpu, "max_pool2d_scatter", pass.images, tensors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::max_pool2d;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, height, width, channels, sizes) in [
            (2, 6, 6, 16, [3, 3, 0]),
            (3, 7, 5, 3, [2, 2, 0]),
            (1, 12, 12, 20, [6, 6, 0]),
            (9, 4, 4, 1, [4, 4, 0]),
            (3, 7, 9, 5, [3, 2, 1]),
            (10, 6, 5, 47, [3, 1, 0]),
            (2, 9, 8, 4, [2, 3, 0]),
            (3, 8, 7, 2, [2, 3, 1]),
            (1, 20, 19, 3, [17, 1, 0]),
            (2, 34, 18, 2, [17, 17, 8]),
            (2, 3, 3, 1, [1, 1, 0]),
        ] {
            let input = Shape { height, width, channels };
            let [kernel_size, stride, padding] = sizes;
            let mut cpu = max_pool2d::MaxPool2d::new(input, kernel_size, stride, padding);
            // Few different values, so that windows contain equal ones, zeros of both signs and, at some places, NaN.
            let mut x: Vec<f32> = drawn(images * input.len(), "pool").iter().map(|v| (v * 4.0).round()).collect();
            x.iter_mut().step_by(13).for_each(|x| *x = f32::NAN);
            let gradient = drawn(images * cpu.output_shape().len(), "pool gradient");
            let inputs = Inputs { images, x, gradient, ..Inputs::default() };
            assert_same_bits(&format!("{input:?} {sizes:?}"), &inputs, &mut cpu, |gpu, images| {
                Box::new(MaxPool2d::new(gpu, input, sizes, images))
            });
        }
    }
}
