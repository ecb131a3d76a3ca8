//! Measures how fast this machine computes.

use kernels::layers::conv2d::{Conv2dOptions, Convolution, conv2d};
use kernels::layers::{Forward, Shape};

/// A typical convolution.
pub(super) const CONVOLUTION: Conv2dOptions = Conv2dOptions::square(128, [3, 1, 0], 1);
pub(super) const INPUT: Shape = Shape { height: 26, width: 26, channels: 64 };

/// The multiply-adds of that convolution for this many images, by the direct algorithm. Winograd's algorithm needs
/// fewer.
pub(super) fn mult_adds(images: usize) -> f64 {
    let conv = Convolution::new(INPUT, &CONVOLUTION);
    (images * conv.output.len() * INPUT.channels * conv.taps()) as f64
}

/// Measures the speed of a typical convolution, in multiply-adds of the direct algorithm per second.
pub fn convolution_rate() -> f64 {
    const IMAGES: usize = 32;
    let (kernel, output) = conv2d(INPUT, &CONVOLUTION);
    let (x, parameters) = (vec![1.0; IMAGES * INPUT.len()], [vec![1.0; 128 * 64 * 9]]);
    let mut y = vec![0.0; IMAGES * output.len()];
    let mut run = || {
        let start = std::time::Instant::now();
        kernel.evaluate(Forward { x: &x, skip: &[], parameters: &parameters, buffers: &[], y: &mut y });
        start.elapsed().as_secs_f64()
    };
    let seconds: [f64; 4] = std::array::from_fn(|_| run());
    mult_adds(IMAGES) / seconds.into_iter().fold(f64::MAX, f64::min)
}
