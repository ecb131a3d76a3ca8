//! Measures how fast a GPU computes.

use super::gpu::Gpu;
use super::layers::Forward;
use super::layers::conv2d::conv2d;
use crate::arithmetic::speed::{CONVOLUTION, INPUT, mult_adds};
use kernels::layers::conv2d::{Conv2dOptions, Convolution};

/// Like `arithmetic::convolution_rate`, on a GPU.
pub fn convolution_rate(gpu: &dyn Gpu) -> f64 {
    const IMAGES: usize = 256;
    let output = Convolution::new(INPUT, &CONVOLUTION).output;
    let Conv2dOptions { out_channels, kernel_size, .. } = CONVOLUTION;
    let kernel = conv2d(gpu, INPUT, &CONVOLUTION, IMAGES);
    let x = gpu.zeros(IMAGES * INPUT.len());
    let weight = gpu.zeros(out_channels * INPUT.channels * kernel_size * kernel_size);
    let y = gpu.values(IMAGES * output.len());
    let run = || {
        let start = std::time::Instant::now();
        let pass =
            Forward { images: IMAGES, x: x.address(), parameters: &[weight.address()], buffers: &[], y: y.address() };
        kernel.evaluate(gpu, &pass);
        // Waits for the GPU.
        gpu.read_values(y.address(), 1);
        start.elapsed().as_secs_f64()
    };
    let seconds: [f64; 4] = std::array::from_fn(|_| run());
    mult_adds(IMAGES) / seconds.into_iter().fold(f64::MAX, f64::min)
}
