//! The sum at the end of a residual block on a GPU.

use super::flatten::copy;
use super::{Backward, Forward, Layer, value_grid};
use crate::arithmetic::cuda::gpu::{Address, Gpu};

/// The GPU counterpart of `kernels::layers::residual::Residual`, for activations of `len` values.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct Residual {
    pub len: usize,
}

impl Layer for Residual {
    /// # Panics
    /// There is no input of the block.
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let n = pass.images * self.len;
        let skip = pass.skip.expect("a sum has two inputs");
        gpu.launch("residual_sum", value_grid(n), &[pass.x.into(), skip.into(), pass.y.into(), (n as u64).into()]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        if let Some(dx) = pass.input_gradient {
            copy(gpu, pass.images * self.len, [pass.output_gradient, dx]);
        }
    }
}

/// The GPU counterpart of `kernels::layers::residual::add_to`, for `n` values.
pub(in crate::arithmetic::cuda) fn add_to(gpu: &dyn Gpu, n: usize, [skip_gradient, input_gradient]: [Address; 2]) {
    gpu.launch("residual_add_to", value_grid(n), &[skip_gradient.into(), input_gradient.into(), (n as u64).into()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::gpu::Memory;
    use crate::arithmetic::cuda::layers::testing::{assert_equal, drawn};
    use crate::arithmetic::cuda::testing::{Emulator, Order};
    use kernels::layers::{self, residual};

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, len) in [(1, 7), (3, 1024), (9, 2345)] {
            let n = images * len;
            let [x, other, gradient] = ["x", "skip", "gradient"].map(|key| drawn(n, key));
            let mut sum = vec![0.0; n];
            let pass = layers::Forward { x: &x, skip: &other, parameters: &[], buffers: &[], y: &mut sum };
            layers::Layer::evaluate(&residual::Residual, pass);
            let mut added = gradient.clone();
            residual::add_to(&mut added, &other);
            for order in Order::ALL {
                let emulator = Emulator::new(order);
                let gpu: &dyn Gpu = &emulator;
                let [input, skip, output_gradient] = [&x, &other, &gradient].map(|values| {
                    let memory = gpu.values(n);
                    gpu.write_values(memory.address(), values);
                    memory
                });
                let [y, dx] = [0; 2].map(|_| gpu.values(n));
                let (layer, skip) = (Residual { len }, skip.address());
                let [x, y, dx] = [&input, &y, &dx].map(Memory::address);
                layer.evaluate(gpu, &Forward { images, x, skip: Some(skip), parameters: &[], buffers: &[], y });
                layer.backward(
                    gpu,
                    &Backward {
                        images,
                        x,
                        y,
                        output_gradient: output_gradient.address(),
                        parameters: &[],
                        input_gradient: Some(dx),
                        parameter_gradients: &[],
                    },
                );
                assert_equal("y", &gpu.read_values(y, n), &sum);
                assert_equal("dx", &gpu.read_values(dx, n), &gradient);
                add_to(gpu, n, [skip, dx]);
                assert_equal("sum of gradients", &gpu.read_values(dx, n), &added);
            }
        }
    }
}
