//! Random inputs for the tests of these kernels and of the GPU's kernels.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

use crate::layers::Shape;
use crate::layers::conv2d::Conv2dOptions;

/// Random values in [-1, 1), the same for the same key.
pub fn drawn(n: usize, key: &str) -> Vec<f32> {
    let mut random = seeded(key);
    (0..n).map(|_| (random.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// A separate generator for each key.
fn seeded(key: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(key).into())
}

/// Images; height, width, input and output channels; kernel size, stride and padding; groups; whether there is a bias.
pub type ConvolutionShape = (usize, [usize; 4], [usize; 3], usize, bool);

/// Random convolutions, the same ones in every test.
pub fn random_convolutions(count: usize) -> Vec<ConvolutionShape> {
    let mut random = seeded("shapes of convolutions");
    let mut convolution = || {
        let mut below = |n: u32| ((u64::from(random.next_u32()) * u64::from(n)) >> 32) as usize;
        let groups = [1, 1, 1, 2, 3, 5, 16][below(7)];
        let [inputs, outputs] = [1 + below(6), 1 + below(6)];
        let kernel = 1 + below(5);
        let [stride, padding] = [1 + below(3), below(4)];
        let [height, width] = [kernel + below(7), kernel + below(7)];
        let sizes = [height, width, groups * inputs, groups * outputs];
        (1 + below(12), sizes, [kernel, stride, padding], groups, below(2) == 0)
    };
    (0..count).map(|_| convolution()).collect()
}

/// Random convolutions whose settings differ between height and width, the same ones in every test: images, the shape of
/// one, options, and whether there is a bias.
pub fn random_rectangles(count: usize) -> Vec<(usize, Shape, Conv2dOptions, bool)> {
    let mut random = seeded("rectangular convolutions");
    let mut convolution = || {
        let mut below = |n: u32| ((u64::from(random.next_u32()) * u64::from(n)) >> 32) as usize;
        // Often the settings for which Winograd's algorithm is chosen.
        let is_3x3 = below(4) == 0;
        let mut pair =
            |least: usize, n: u32, fixed: usize| [0; 2].map(|_| if is_3x3 { fixed } else { least + below(n) });
        let (kernel_size, stride, dilation) = (pair(1, 5, 3), pair(1, 3, 1), pair(1, 3, 1));
        let [padding, padding_after] = [0; 2].map(|_| [below(4), below(4)]);
        let groups = if is_3x3 { 1 } else { [1, 1, 2, 5, 16][below(5)] };
        let channels = groups * if is_3x3 { 12 + below(6) } else { 1 + below(4) };
        let [height, width] = [0, 1].map(|axis| (kernel_size[axis] - 1) * dilation[axis] + 1 + below(8));
        let out_channels = groups * (1 + below(6));
        let options = Conv2dOptions { out_channels, kernel_size, stride, padding, padding_after, dilation, groups };
        (1 + below(12), Shape { height, width, channels }, options, below(2) == 0)
    };
    (0..count).map(|_| convolution()).collect()
}
