//! Max pooling, as `torch.nn.MaxPool2d`.

use super::{Backward, Forward, Layer, Shape};
use crate::simd::vectorised;
use crate::threads::{for_each_job, for_each_job_with};

/// Square windows over an image, shared by max and average pooling.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "self-evident, or the arguments of torch.nn.MaxPool2d")]
pub struct Windows {
    pub input: Shape,
    pub output: Shape,
    pub kernel_size: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Windows {
    /// Windows over images of shape `input`. As in PyTorch, `padding` is at most half the window, so every window has a
    /// pixel of the image.
    ///
    /// # Panics
    /// The padding is larger, the stride is 0, or no window fits.
    pub fn new(input: Shape, kernel_size: usize, stride: usize, padding: usize) -> Self {
        let count = |side: usize| (side + 2 * padding - kernel_size) / stride + 1;
        assert!(padding <= kernel_size / 2 && input.height.min(input.width) + 2 * padding >= kernel_size);
        let output = Shape { height: count(input.height), width: count(input.width), channels: input.channels };
        Self { input, output, kernel_size, stride, padding }
    }

    /// Along a side of `len` pixels, for window `window`: its first input pixel, how many of its rows or columns are in
    /// the padding before that pixel, and how many are in the input.
    #[inline(always)]
    pub(super) fn pixels(&self, window: usize, len: usize) -> (usize, usize, usize) {
        let start = window * self.stride;
        let skipped = self.padding.saturating_sub(start);
        let first = start + skipped - self.padding;
        (first, skipped, (self.kernel_size - skipped).min(len - first))
    }

    /// Along a side with `count` windows: the windows that contain input pixel `pixel`.
    #[inline(always)]
    pub(super) fn containing(&self, pixel: usize, count: usize) -> std::ops::Range<usize> {
        let at = pixel + self.padding;
        let first = if at < self.kernel_size { 0 } else { (at - self.kernel_size) / self.stride + 1 };
        first..count.min(at / self.stride + 1)
    }
}

/// `torch.nn.MaxPool2d`: `[images, height, width, channels] -> [images, height', width', channels]`.
///
/// The padding is minus infinity. If several values of a window are the largest, the first one in row-major order
/// counts. NaN is larger than any number, and of several NaN the last one counts, as in PyTorch. The gradient of a
/// pixel is a sum over the windows that contain it, in row-major order: a window adds its gradient if the pixel is its
/// maximum, else 0. The sum starts with the first term.
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    windows: Windows,
    /// Where each maximum of the last training step was in its window, counted row by row, padding included.
    positions: Positions,
}

/// Positions in windows. They take one byte each where that is enough, because they are written and read with every
/// activation.
#[derive(Clone, Debug)]
enum Positions {
    Narrow(Vec<u8>),
    Wide(Vec<u32>),
}

impl MaxPool2d {
    /// A layer for images of shape `input`.
    ///
    /// # Panics
    /// The padding is more than half the window, the stride is 0, or no window fits.
    pub fn new(input: Shape, kernel_size: usize, stride: usize, padding: usize) -> Self {
        let is_narrow = kernel_size * kernel_size <= 256;
        let positions = if is_narrow { Positions::Narrow(Vec::new()) } else { Positions::Wide(Vec::new()) };
        Self { windows: Windows::new(input, kernel_size, stride, padding), positions }
    }

    /// The shape of one image's output.
    pub fn output_shape(&self) -> Shape {
        self.windows.output
    }
}

impl Layer for MaxPool2d {
    fn evaluate(&self, pass: Forward) {
        let Windows { input, output, .. } = self.windows;
        let jobs = pass.x.chunks_exact(input.len()).zip(pass.y.chunks_exact_mut(output.len()));
        // An evaluation discards the positions, so narrow ones are enough even for large windows.
        let positions = || vec![0; output.len()];
        for_each_job_with(jobs, positions, |(x, y), positions| find_maxima_narrow(&self.windows, x, y, positions));
    }

    fn train(&mut self, pass: Forward) {
        let windows = self.windows;
        match &mut self.positions {
            Positions::Narrow(positions) => forward(&windows, pass, positions, find_maxima_narrow),
            Positions::Wide(positions) => forward(&windows, pass, positions, find_maxima_wide),
        }
    }

    fn backward(&mut self, pass: Backward) {
        let Some(dx) = pass.input_gradient else { return };
        match &self.positions {
            Positions::Narrow(positions) => {
                backward(&self.windows, positions, pass.output_gradient, dx, input_gradient_narrow);
            }
            Positions::Wide(positions) => {
                backward(&self.windows, positions, pass.output_gradient, dx, input_gradient_wide);
            }
        }
    }
}

/// Computes the outputs and positions of all images.
fn forward<P: Position>(
    windows: &Windows,
    pass: Forward,
    positions: &mut Vec<P>,
    find_maxima: impl Fn(&Windows, &[f32], &mut [f32], &mut [P]) + Sync,
) {
    let (input, out) = (windows.input.len(), windows.output.len());
    let Forward { x, y, .. } = pass;
    positions.resize(y.len(), P::at(0));
    let jobs = x.chunks_exact(input).zip(y.chunks_exact_mut(out)).zip(positions.chunks_exact_mut(out));
    for_each_job(jobs, |((x, y), positions)| find_maxima(windows, x, y, positions));
}

/// Computes the gradients of all images.
fn backward<P: Position>(
    windows: &Windows,
    positions: &[P],
    gradient: &[f32],
    dx: &mut [f32],
    input_gradient: impl Fn(&Windows, &[P], &[f32], &mut [f32]) + Sync,
) {
    let (input, out) = (windows.input.len(), windows.output.len());
    let jobs = positions.chunks_exact(out).zip(gradient.chunks_exact(out)).zip(dx.chunks_exact_mut(input));
    for_each_job(jobs, |((positions, gradient), dx)| input_gradient(windows, positions, gradient, dx));
}

/// How a position in a window is stored.
trait Position: Copy + PartialEq + Send + Sync {
    fn at(position: usize) -> Self;
}

impl Position for u8 {
    #[inline(always)]
    fn at(position: usize) -> Self {
        position as u8
    }
}

impl Position for u32 {
    #[inline(always)]
    fn at(position: usize) -> Self {
        position as u32
    }
}

vectorised! {
    fn find_maxima_narrow(windows: &Windows, x: &[f32], y: &mut [f32], positions: &mut [u8]) {
        find_maxima(windows, x, y, positions);
    }
}

vectorised! {
    fn find_maxima_wide(windows: &Windows, x: &[f32], y: &mut [f32], positions: &mut [u32]) {
        find_maxima(windows, x, y, positions);
    }
}

#[inline(always)]
fn find_maxima<P: Position>(windows: &Windows, x: &[f32], y: &mut [f32], positions: &mut [P]) {
    let Windows { input, output, kernel_size, .. } = *windows;
    let c = input.channels;
    for (window, (y, positions)) in y.chunks_exact_mut(c).zip(positions.chunks_exact_mut(c)).enumerate() {
        let (top, skipped_rows, rows) = windows.pixels(window / output.width, input.height);
        let (left, skipped_columns, columns) = windows.pixels(window % output.width, input.width);
        let first = (top * input.width + left) * c;
        y.copy_from_slice(&x[first..first + c]);
        positions.fill(P::at(skipped_rows * kernel_size + skipped_columns));
        for row in 0..rows {
            for column in usize::from(row == 0)..columns {
                let position = P::at((skipped_rows + row) * kernel_size + skipped_columns + column);
                let from = first + (row * input.width + column) * c;
                for ((y, at), x) in y.iter_mut().zip(positions.iter_mut()).zip(&x[from..from + c]) {
                    let larger = *x > *y || x.is_nan();
                    *y = if larger { *x } else { *y };
                    *at = if larger { position } else { *at };
                }
            }
        }
    }
}

vectorised! {
    fn input_gradient_narrow(windows: &Windows, positions: &[u8], gradient: &[f32], dx: &mut [f32]) {
        input_gradient(windows, positions, gradient, dx);
    }
}

vectorised! {
    fn input_gradient_wide(windows: &Windows, positions: &[u32], gradient: &[f32], dx: &mut [f32]) {
        input_gradient(windows, positions, gradient, dx);
    }
}

#[inline(always)]
fn input_gradient<P: Position>(windows: &Windows, positions: &[P], gradient: &[f32], dx: &mut [f32]) {
    if windows.padding == 0 && windows.stride >= windows.kernel_size {
        separate_windows(windows, positions, gradient, dx);
        return;
    }
    let Windows { input, output, kernel_size, stride, padding } = *windows;
    let c = input.channels;
    for (pixel, dx) in dx.chunks_exact_mut(c).enumerate() {
        let (y, x) = (pixel / input.width, pixel % input.width);
        let mut is_first = true;
        for row in windows.containing(y, output.height) {
            for column in windows.containing(x, output.width) {
                let here = P::at((y + padding - row * stride) * kernel_size + x + padding - column * stride);
                let from = (row * output.width + column) * c;
                let terms = positions[from..from + c].iter().zip(&gradient[from..from + c]);
                let terms = terms.map(|(at, g)| if *at == here { *g } else { 0.0 });
                if is_first {
                    dx.iter_mut().zip(terms).for_each(|(dx, term)| *dx = term);
                } else {
                    dx.iter_mut().zip(terms).for_each(|(dx, term)| *dx += term);
                }
                is_first = false;
            }
        }
        if is_first {
            dx.fill(0.0); // in no window
        }
    }
}

/// Like `input_gradient`, for windows that do not overlap: iterates over the windows instead of the pixels.
#[inline(always)]
fn separate_windows<P: Position>(windows: &Windows, positions: &[P], gradient: &[f32], dx: &mut [f32]) {
    let Windows { input, output, kernel_size: side, stride, .. } = *windows;
    let c = input.channels;
    if stride != side || output.height * side != input.height || output.width * side != input.width {
        dx.fill(0.0); // some pixels are in no window
    }
    for (window, (positions, gradient)) in positions.chunks_exact(c).zip(gradient.chunks_exact(c)).enumerate() {
        let corner = ((window / output.width) * stride * input.width + (window % output.width) * stride) * c;
        for position in 0..side * side {
            let to = corner + ((position / side) * input.width + position % side) * c;
            let here = P::at(position);
            for ((dx, at), g) in dx[to..to + c].iter_mut().zip(positions).zip(gradient) {
                *dx = if *at == here { *g } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, drawn, same_bits};

    /// The maxima by their definition, and the index in `x` of each.
    fn defined(x: &[f32], windows: Windows) -> (Vec<f32>, Vec<usize>) {
        let Windows { input, output, kernel_size, stride, padding } = windows;
        let (mut y, mut at) = (Vec::new(), Vec::new());
        for i in 0..x.len() / input.len() * output.len() {
            let (image, pixel, channel) =
                (i / output.len(), i / output.channels % output.pixels(), i % output.channels);
            let mut best: Option<usize> = None;
            for position in 0..kernel_size * kernel_size {
                let row = (pixel / output.width * stride + position / kernel_size).wrapping_sub(padding);
                let column = (pixel % output.width * stride + position % kernel_size).wrapping_sub(padding);
                if row < input.height && column < input.width {
                    let j = image * input.len() + (row * input.width + column) * input.channels + channel;
                    best = best.filter(|best| x[j] <= x[*best]).or(Some(j));
                }
            }
            y.push(x[best.expect("every window has a pixel")]);
            at.extend(best);
        }
        (y, at)
    }

    #[test]
    fn the_first_maximum_counts_and_gets_the_gradient() {
        for (images, height, width, channels, [kernel_size, stride, padding]) in [
            (2, 6, 6, 16, [3, 3, 0]),
            (3, 7, 5, 3, [2, 2, 0]),
            (1, 12, 12, 20, [6, 6, 0]),
            (9, 4, 4, 1, [4, 4, 0]),
            (3, 7, 9, 5, [3, 2, 1]),
            (40, 6, 5, 17, [3, 1, 0]),
            (2, 9, 8, 4, [2, 3, 0]),
            (3, 8, 7, 2, [2, 3, 1]),
            (1, 20, 19, 3, [17, 1, 0]),
            (2, 34, 18, 2, [17, 17, 8]),
            (1, 16, 16, 2, [16, 16, 0]),
            (2, 3, 3, 1, [1, 1, 0]),
        ] {
            let input = Shape { height, width, channels };
            let pool = || MaxPool2d::new(input, kernel_size, stride, padding);
            // Few different values, so that windows contain equal ones.
            let x: Vec<f32> = drawn(images * input.len(), "pool").iter().map(|v| (v * 4.0).round()).collect();
            let (y, at) = defined(&x, pool().windows);
            assert_eq!(y.len(), images * pool().output_shape().len());
            let gradient = drawn(y.len(), "pool gradient");
            let got = same_bits(|| computed(&mut pool(), &x, [&[], &[]], &gradient));
            let mut dx = vec![0.0; x.len()];
            at.iter().zip(&gradient).for_each(|(at, g)| dx[*at] += g);
            assert!(got.y == y && got.evaluated == y && got.dx == dx, "{input:?} {kernel_size} {stride} {padding}");
        }
    }

    #[test]
    fn special_values_are_those_of_pytorch() {
        let nan = f32::NAN;
        let run = |x: &[f32], width: usize, [kernel_size, stride, padding]: [usize; 3], windows: usize| {
            let input = Shape { height: x.len() / width, width, channels: 1 };
            let gradient: Vec<f32> = (1..=windows).map(|i| i as f32).collect();
            computed(&mut MaxPool2d::new(input, kernel_size, stride, padding), x, [&[], &[]], &gradient)
        };
        // NaN is the largest value, and the last NaN counts.
        let got = run(&[1.0, nan, 3.0, 2.0], 2, [2, 2, 0], 1);
        assert!(got.y[0].is_nan() && got.evaluated[0].is_nan());
        assert_eq!(got.dx, [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(run(&[nan, 1.0, nan, 2.0], 2, [2, 2, 0], 1).dx, [0.0, 0.0, 1.0, 0.0]);
        // 0 and -0 are equal, and the first one counts.
        let got = run(&[-0.0, 0.0, 0.0, -0.0], 2, [2, 2, 0], 1);
        assert_eq!((got.y[0].to_bits(), got.dx), ((-0.0f32).to_bits(), vec![1.0, 0.0, 0.0, 0.0]));
        // The padding is minus infinity, and never counts, even where all values are minus infinity.
        let got = run(&[-5.0, -6.0, -7.0, f32::NEG_INFINITY], 2, [2, 2, 1], 4);
        assert_eq!((got.y, got.dx), (vec![-5.0, -6.0, -7.0, f32::NEG_INFINITY], vec![1.0, 2.0, 3.0, 4.0]));
        // A window of one pixel passes its gradient to that pixel.
        let got = run(&[1.0, 2.0, 9.0, 2.0, 1.0], 5, [1, 1, 0], 5);
        assert_eq!(got.dx, [1.0, 2.0, 3.0, 4.0, 5.0]);
        // The middle pixel is the maximum of all four windows.
        let got = run(&[0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 1.0], 3, [2, 1, 0], 4);
        assert_eq!((got.y, got.dx[4]), (vec![9.0; 4], 10.0));
    }
}
