//! Flattening on a GPU, and the conversions between channels last (this program) and channels first (PyTorch).

use super::{Backward, Forward, Layer, value_grid};
use crate::arithmetic::cuda::gpu::{Address, Gpu, Grid, size};
use kernels::layers::Shape;

/// The GPU counterpart of `kernels::layers::flatten::Flatten`.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct Flatten {
    pub shape: Shape,
}

impl Layer for Flatten {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        to_channels_first(gpu, self.shape, pass.images, [pass.x, pass.y]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        if let Some(dx) = pass.input_gradient {
            to_channels_last(gpu, self.shape, pass.images, [pass.output_gradient, dx]);
        }
    }
}

/// Whether both orders are the same.
pub(super) fn has_one_order(shape: Shape) -> bool {
    shape.pixels() == 1 || shape.channels == 1
}

/// Copies `[images, height, width, channels]` to `[images, channels, height, width]`.
pub(super) fn to_channels_first(gpu: &dyn Gpu, shape: Shape, images: usize, from_to: [Address; 2]) {
    transpose_images(gpu, images, from_to, [shape.pixels(), shape.channels]);
}

/// Copies `[images, channels, height, width]` to `[images, height, width, channels]`.
pub(super) fn to_channels_last(gpu: &dyn Gpu, shape: Shape, images: usize, from_to: [Address; 2]) {
    transpose_images(gpu, images, from_to, [shape.channels, shape.pixels()]);
}

/// Copies `n` values.
pub(super) fn copy(gpu: &dyn Gpu, n: usize, [from, to]: [Address; 2]) {
    gpu.launch("copy", value_grid(n), &[from.into(), to.into(), (n as u64).into()]);
}

fn transpose_images(gpu: &dyn Gpu, images: usize, [from, to]: [Address; 2], [rows, columns]: [usize; 2]) {
    if rows == 1 || columns == 1 {
        return copy(gpu, images * rows * columns, [from, to]);
    }
    let blocks = [columns.div_ceil(32), rows.div_ceil(32), images].map(size);
    let arguments = [from.into(), to.into(), size(rows).into(), size(columns).into()];
    gpu.launch("transpose_images", Grid { blocks, threads: 256, shared_bytes: 0 }, &arguments);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::flatten;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, height, width, channels) in [(1, 1, 1, 5), (3, 4, 3, 1), (9, 5, 7, 33), (10, 8, 8, 64)] {
            let shape = Shape { height, width, channels };
            let [x, gradient] = ["flat", "flat gradient"].map(|key| drawn(images * shape.len(), key));
            let inputs = Inputs { images, x, gradient, ..Inputs::default() };
            let mut cpu = flatten::Flatten::new(shape);
            assert_same_bits("flatten", &inputs, &mut cpu, |_, _| Box::new(Flatten { shape }));
        }
    }
}
