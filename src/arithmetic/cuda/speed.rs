//! Measures how fast a GPU computes.

use super::gpu::Gpu;
use super::layers::Forward;
use super::layers::conv2d::conv2d;
use crate::arithmetic::speed::{CONVOLUTION, INPUT, mult_adds};
use kernels::layers::conv2d::Convolution;

/// Like `arithmetic::convolution_rate`, on a GPU.
pub fn convolution_rate(gpu: &dyn Gpu) -> f64 {
    const IMAGES: usize = 256;
    let conv = Convolution::new(INPUT, &CONVOLUTION);
    let output = conv.output;
    let kernel = conv2d(gpu, INPUT, &CONVOLUTION, IMAGES);
    let x = gpu.zeros(IMAGES * INPUT.len());
    let weight = gpu.zeros(output.channels * INPUT.channels * conv.taps());
    let y = gpu.values(IMAGES * output.len());
    let run = || {
        let start = std::time::Instant::now();
        let pass = Forward {
            images: IMAGES,
            x: x.address(),
            skip: None,
            parameters: &[weight.address()],
            buffers: &[],
            y: y.address(),
        };
        kernel.evaluate(gpu, &pass);
        // Waits for the GPU.
        gpu.read_values(y.address(), 1);
        start.elapsed().as_secs_f64()
    };
    let seconds: [f64; 4] = std::array::from_fn(|_| run());
    mult_adds(IMAGES) / seconds.into_iter().fold(f64::MAX, f64::min)
}
