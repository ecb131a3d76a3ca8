//! How fast this machine computes.

use super::layers::conv2d::{Conv2dOptions, conv2d};
use super::layers::{Forward, Shape};

/// Measures a typical convolution, in multiply-adds per second. Counts the multiply-adds of the direct algorithm, not the
/// fewer ones of Winograd's.
pub fn convolution_rate() -> f64 {
    const IMAGES: usize = 32;
    let input = Shape { height: 26, width: 26, channels: 64 };
    let options = Conv2dOptions { out_channels: 128, kernel_size: 3, stride: 1, padding: 0, groups: 1 };
    let (kernel, output) = conv2d(input, &options);
    let (x, parameters) = (vec![1.0; IMAGES * input.len()], [vec![1.0; 128 * 64 * 9]]);
    let mut y = vec![0.0; IMAGES * output.len()];
    let mut run = || {
        let start = std::time::Instant::now();
        kernel.evaluate(Forward { x: &x, parameters: &parameters, buffers: &[], y: &mut y });
        start.elapsed().as_secs_f64()
    };
    let seconds: [f64; 4] = std::array::from_fn(|_| run());
    let fastest = seconds.into_iter().fold(f64::MAX, f64::min);
    (y.len() * 64 * 9) as f64 / fastest
}
