//! Leaky ReLU on a GPU.

use super::{Backward, Forward, Layer, value_grid};
use crate::arithmetic::cuda::gpu::{Address, Gpu};

/// The GPU counterpart of `kernels::layers::leaky_relu::LeakyRelu`, for activations of `len` values.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct LeakyRelu {
    slope: f32,
    len: usize,
}

impl LeakyRelu {
    /// A layer with this slope for negative values, rounded to f32.
    pub(in crate::arithmetic::cuda) fn new(negative_slope: f64, len: usize) -> Self {
        Self { slope: negative_slope as f32, len }
    }

    /// Writes `values` where x > 0, and slope times `values` elsewhere.
    fn leaky(&self, gpu: &dyn Gpu, images: usize, [x, values, out]: [Address; 3]) {
        let n = images * self.len;
        let arguments = [x.into(), values.into(), self.slope.into(), out.into(), (n as u64).into()];
        gpu.launch("leaky_relu", value_grid(n), &arguments);
    }
}

impl Layer for LeakyRelu {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.leaky(gpu, pass.images, [pass.x, pass.x, pass.y]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        self.leaky(gpu, pass.images, [pass.x, pass.output_gradient, dx]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::leaky_relu;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, len, slope) in [(1, 7, 0.01), (3, 1024, -0.5), (9, 345, 1.0 / 3.0)] {
            let mut x = drawn(images * len, "leaky");
            x[..5].copy_from_slice(&[0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
            let inputs = Inputs { images, x, gradient: drawn(images * len, "leaky gradient"), ..Inputs::default() };
            let mut cpu = leaky_relu::LeakyRelu::new(slope);
            assert_same_bits("leaky_relu", &inputs, &mut cpu, |_, _| Box::new(LeakyRelu::new(slope, len)));
        }
    }
}
