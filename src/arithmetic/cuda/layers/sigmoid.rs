//! The logistic function on a GPU.

use super::{Backward, Forward, Layer, value_grid};
use crate::arithmetic::cuda::gpu::Gpu;

/// The GPU counterpart of `kernels::layers::sigmoid::Sigmoid`, for activations of `len` values.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct Sigmoid {
    pub len: usize,
}

impl Layer for Sigmoid {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let n = pass.images * self.len;
        gpu.launch("sigmoid", value_grid(n), &[pass.x.into(), pass.y.into(), (n as u64).into()]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let n = pass.images * self.len;
        let arguments = [pass.y.into(), pass.output_gradient.into(), dx.into(), (n as u64).into()];
        gpu.launch("sigmoid_input_gradient", value_grid(n), &arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::sigmoid;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, len) in [(1, 7), (2, 20_000)] {
            let mut x: Vec<f32> = drawn(images * len, "sigmoid").iter().map(|x| x * 8.0).collect();
            x[..7].copy_from_slice(&[0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -20.0, 1e-42]);
            let inputs = Inputs { images, x, gradient: drawn(images * len, "sigmoid gradient"), ..Inputs::default() };
            assert_same_bits("sigmoid", &inputs, &mut sigmoid::Sigmoid, |_, _| Box::new(Sigmoid { len }));
        }
    }
}
