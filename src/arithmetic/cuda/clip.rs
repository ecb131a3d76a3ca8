//! Gradient clipping on a GPU.

use super::gpu::{Gpu, Grid, Memory, size};
use super::layers::value_grid;
use super::tensors::{ALIGNMENT, Tensors};
use crate::arithmetic::Clipping;
use kernels::clip::CHUNK;

/// Every tensor begins at the beginning of a chunk and is followed by zeros, so the chunks of all tensors are those of the
/// memory that holds them.
const _: () = assert!(ALIGNMENT == CHUNK);

/// The GPU counterpart of `kernels::clip`.
#[derive(Debug)]
pub(super) struct Clip {
    clipping: Clipping,
    /// The sum of squares of each chunk, f64.
    sums: Memory,
    /// The factor of all gradients.
    factor: Memory,
}

impl Clip {
    /// Clips gradients of this size.
    pub(super) fn new(gpu: &dyn Gpu, clipping: Clipping, gradients: &Tensors) -> Self {
        let chunks = gradients.all().1 / CHUNK;
        Self { clipping, sums: gpu.allocate(8 * chunks), factor: gpu.values(1) }
    }

    pub(super) fn launch(&self, gpu: &dyn Gpu, gradients: &Tensors) {
        let (address, values) = gradients.all();
        let n = (values as u64).into();
        match self.clipping {
            Clipping::Norm(max_norm) => {
                let (sums, factor) = (self.sums.address().into(), self.factor.address().into());
                let chunks = values / CHUNK;
                gpu.launch("square_sums", Grid::for_jobs(chunks, 128), &[address.into(), sums, size(chunks).into()]);
                let arguments = [sums, size(chunks).into(), max_norm.into(), factor];
                gpu.launch("clip_factor", Grid::blocks(1, 256), &arguments);
                gpu.launch("scale_gradients", value_grid(values), &[address.into(), factor, n]);
            }
            Clipping::Value(limit) => {
                gpu.launch("clip_values", value_grid(values), &[address.into(), (limit as f32).into(), n]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::assert_equal;
    use crate::arithmetic::cuda::testing::{Emulator, Order};
    use crate::rng::Stream;

    fn assert_same(gradients: &[Vec<f32>], clipping: Clipping, order: Order) {
        let gpu: &dyn Gpu = &Emulator::new(order);
        let on_gpu = Tensors::of(gpu, gradients);
        Clip::new(gpu, clipping, &on_gpu).launch(gpu, &on_gpu);
        let mut expected = gradients.to_vec();
        clipping.clip(&mut expected);
        for (i, expected) in expected.iter().enumerate() {
            assert_equal(&format!("{clipping:?}: gradient {i}"), &on_gpu.read(gpu, i), expected);
        }
    }

    #[test]
    fn bits_are_those_of_the_cpu() {
        // The last one has more groups of chunks than a block adds at a time: two more, so that a thread besides the first adds again.
        for sizes in [&[1][..], &[1, 70, 64, 2000], &[256 * 64, 3, 2 * 256 * 64 + 1], &[258 * 256 * 64]] {
            let drawn = |n: &usize| Stream::keyed(&n.to_le_bytes()).uniform(*n, 1.0);
            let gradients: Vec<Vec<f32>> = sizes.iter().map(drawn).collect();
            let orders = if sizes.len() == 1 { &[Order::Reversed][..] } else { &Order::ALL[..] };
            for order in orders {
                for clipping in [Clipping::Norm(0.5), Clipping::Norm(1e6), Clipping::Value(0.25)] {
                    assert_same(&gradients, clipping, *order);
                }
            }
        }
    }

    #[test]
    fn the_padding_between_gradients_stays_zero() {
        let gpu: &dyn Gpu = &Emulator::new(Order::Forward);
        let gradients = Tensors::of(gpu, &[vec![f32::NAN], vec![1.0]]);
        Clip::new(gpu, Clipping::Norm(1.0), &gradients).launch(gpu, &gradients);
        let (address, values) = gradients.all();
        let all = gpu.read_values(address, values);
        assert!(all.iter().enumerate().all(|(i, value)| [0, ALIGNMENT].contains(&i) || *value == 0.0));
    }
}
