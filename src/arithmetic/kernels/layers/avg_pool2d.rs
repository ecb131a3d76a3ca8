//! Average pooling, as `torch.nn.AvgPool2d`.

use super::max_pool2d::Windows;
use super::{Backward, Forward, Layer, Shape};
use crate::simd::vectorised;
use crate::threads::for_each_job;

/// `torch.nn.AvgPool2d`: `[images, height, width, channels] -> [images, height', width', channels]`. As with PyTorch's
/// default `count_include_pad=True`, the zeros of the padding count: every sum is divided by `kernel_size`^2.
///
/// A window's sum is f32: each row from left to right, then the rows from top to bottom, without the padding's zeros. A
/// chain starts with its first term. The gradient of a pixel is the sum of the gradients of the windows that contain
/// it, in row-major order, starting with the first one, divided by `kernel_size`^2.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    windows: Windows,
}

impl AvgPool2d {
    /// A layer for images of shape `input`.
    ///
    /// # Panics
    /// The padding is more than half the window, the stride is 0, or no window fits.
    pub fn new(input: Shape, kernel_size: usize, stride: usize, padding: usize) -> Self {
        Self { windows: Windows::new(input, kernel_size, stride, padding) }
    }

    /// The shape of one image's output.
    pub fn output_shape(&self) -> Shape {
        self.windows.output
    }
}

impl Layer for AvgPool2d {
    fn evaluate(&self, pass: Forward) {
        let Windows { input, output, .. } = self.windows;
        let jobs = pass.x.chunks_exact(input.len()).zip(pass.y.chunks_exact_mut(output.len()));
        for_each_job(jobs, |(x, y)| average(&self.windows, x, y));
    }

    fn backward(&mut self, pass: Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let Windows { input, output, .. } = self.windows;
        let jobs = pass.output_gradient.chunks_exact(output.len()).zip(dx.chunks_exact_mut(input.len()));
        for_each_job(jobs, |(gradient, dx)| input_gradient(&self.windows, gradient, dx));
    }
}

/// Copies the values if they are the first of a chain; otherwise adds them.
#[inline(always)]
fn add(sums: &mut [f32], values: &[f32], is_first: bool) {
    if is_first {
        sums.copy_from_slice(values);
    } else {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
}

vectorised! {
    fn average(windows: &Windows, x: &[f32], y: &mut [f32]) {
        let Windows { input, output, kernel_size, .. } = *windows;
        let c = input.channels;
        let count = (kernel_size * kernel_size) as f32;
        let mut row_sum = vec![0.0; c];
        for (window, y) in y.chunks_exact_mut(c).enumerate() {
            let (top, _, rows) = windows.pixels(window / output.width, input.height);
            let (left, _, columns) = windows.pixels(window % output.width, input.width);
            for row in 0..rows {
                let pixels = &x[((top + row) * input.width + left) * c..][..columns * c];
                for (column, pixel) in pixels.chunks_exact(c).enumerate() {
                    add(&mut row_sum, pixel, column == 0);
                }
                add(y, &row_sum, row == 0);
            }
            for sum in y {
                *sum /= count;
            }
        }
    }
}

vectorised! {
    fn input_gradient(windows: &Windows, gradient: &[f32], dx: &mut [f32]) {
        let Windows { input, output, kernel_size, .. } = *windows;
        let c = input.channels;
        let count = (kernel_size * kernel_size) as f32;
        for (pixel, dx) in dx.chunks_exact_mut(c).enumerate() {
            let columns = windows.containing(pixel % input.width, output.width);
            let mut is_first = true;
            for row in windows.containing(pixel / input.width, output.height) {
                for column in columns.clone() {
                    add(dx, &gradient[(row * output.width + column) * c..][..c], is_first);
                    is_first = false;
                }
            }
            if is_first {
                dx.fill(0.0); // in no window
            }
            for sum in dx {
                *sum /= count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, drawn, near, same_bits, wide};

    /// Calls `with` for every output and input that is in its window.
    fn for_each_pair(windows: Windows, images: usize, mut with: impl FnMut(usize, usize)) {
        let Windows { input, output, kernel_size, stride, padding } = windows;
        for i in 0..images * output.len() {
            let (image, pixel, channel) =
                (i / output.len(), i / output.channels % output.pixels(), i % output.channels);
            for position in 0..kernel_size * kernel_size {
                let row = (pixel / output.width * stride + position / kernel_size).wrapping_sub(padding);
                let column = (pixel % output.width * stride + position % kernel_size).wrapping_sub(padding);
                if row < input.height && column < input.width {
                    with(i, image * input.len() + (row * input.width + column) * input.channels + channel);
                }
            }
        }
    }

    #[test]
    fn means_and_gradients_agree_with_the_definition() {
        for (images, height, width, channels, [kernel_size, stride, padding]) in [
            (2, 6, 6, 16, [3, 3, 0]),
            (3, 7, 5, 3, [2, 2, 0]),
            (9, 7, 9, 5, [3, 2, 1]),
            (40, 6, 5, 17, [3, 1, 0]),
            (2, 9, 8, 4, [2, 3, 0]),
            (3, 8, 7, 2, [2, 3, 1]),
            (1, 26, 26, 33, [26, 26, 13]),
            (2, 3, 3, 1, [1, 1, 0]),
        ] {
            let input = Shape { height, width, channels };
            let pool = || AvgPool2d::new(input, kernel_size, stride, padding);
            let x: Vec<f32> = drawn(images * input.len(), "average").iter().map(|v| v + 0.5).collect();
            let gradient = drawn(images * pool().output_shape().len(), "average gradient");
            let got = same_bits(|| computed(&mut pool(), &x, [&[], &[]], &gradient));
            let (wide_x, wide_gradient) = (wide(&x), wide(&gradient));
            let (mut y, mut dx) = (vec![0.0; gradient.len()], vec![0.0; x.len()]);
            let count = (kernel_size * kernel_size) as f64;
            for_each_pair(pool().windows, images, |i, j| {
                y[i] += wide_x[j] / count;
                dx[j] += wide_gradient[i] / count;
            });
            near("y", &got.y, &y, 2e-7);
            near("dx", &got.dx, &dx, 2e-7);
            assert_eq!(got.evaluated, got.y);
        }
    }

    #[test]
    fn the_zeros_of_the_padding_count() {
        let input = Shape { height: 2, width: 2, channels: 1 };
        let got =
            computed(&mut AvgPool2d::new(input, 2, 2, 1), &[4.0, 8.0, 12.0, 16.0], [&[], &[]], &[1.0, 2.0, 4.0, 8.0]);
        assert_eq!([got.y, got.dx], [[1.0, 2.0, 3.0, 4.0], [0.25, 0.5, 1.0, 2.0]]);
        // A 3x3 window over an image of one pixel: eight of its nine values are padding.
        let got = computed(
            &mut AvgPool2d::new(Shape { height: 1, width: 1, channels: 1 }, 3, 1, 1),
            &[9.0],
            [&[], &[]],
            &[18.0],
        );
        assert_eq!([got.y, got.dx], [[1.0], [2.0]]);
    }
}
