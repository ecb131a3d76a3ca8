//! ReLU on a GPU.

use super::{Backward, Forward, Layer, value_grid};
use crate::arithmetic::cuda::gpu::Gpu;

/// The GPU counterpart of `kernels::layers::relu::Relu`, for activations of `len` values.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct Relu {
    pub len: usize,
}

impl Layer for Relu {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let n = pass.images * self.len;
        gpu.launch("relu", value_grid(n), &[pass.x.into(), pass.y.into(), (n as u64).into()]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let n = pass.images * self.len;
        let arguments = [pass.y.into(), pass.output_gradient.into(), dx.into(), (n as u64).into()];
        gpu.launch("relu_input_gradient", value_grid(n), &arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::relu;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, len) in [(1, 7), (3, 1024), (9, 2345)] {
            let inputs = Inputs {
                images,
                x: special(drawn(images * len, "relu")),
                gradient: drawn(images * len, "relu gradient"),
                ..Inputs::default()
            };
            assert_same_bits("relu", &inputs, &mut relu::Relu, |_, _| Box::new(Relu { len }));
        }
    }

    /// Values that begin with zeros, infinities and NaN.
    fn special(mut values: Vec<f32>) -> Vec<f32> {
        values[..6].copy_from_slice(&[0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-42]);
        values
    }
}
