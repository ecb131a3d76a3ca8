//! Random inputs for the tests of these kernels and of the GPU's kernels.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

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
