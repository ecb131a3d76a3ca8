//! ReLU, as `torch.nn.ReLU`, and the size of the jobs of all elementwise layers.

use super::{Backward, Forward, Layer};
use crate::simd::vectorised;
use crate::threads::for_each_job;

/// Number of consecutive values that one job of an elementwise layer computes.
pub(super) const BLOCK: usize = 1 << 14;

/// `torch.nn.ReLU` of activations of any shape: y = 0 if x <= 0, else x, so -0 gives 0 and NaN stays NaN. The gradient
/// is 0 where y <= 0, including x = 0.
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Layer for Relu {
    fn evaluate(&self, pass: Forward) {
        for_each_job(pass.x.chunks(BLOCK).zip(pass.y.chunks_mut(BLOCK)), |(x, y)| relu(x, y));
    }

    fn backward(&mut self, pass: Backward) {
        let Some(dx) = pass.input_gradient else { return };
        let jobs = pass.y.chunks(BLOCK).zip(pass.output_gradient.chunks(BLOCK)).zip(dx.chunks_mut(BLOCK));
        for_each_job(jobs, |((y, gradient), dx)| input_gradient(y, gradient, dx));
    }
}

vectorised! {
    fn relu(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.iter().zip(y) {
            *y = if *x <= 0.0 { 0.0 } else { *x };
        }
    }
}

vectorised! {
    fn input_gradient(y: &[f32], gradient: &[f32], dx: &mut [f32]) {
        for ((y, gradient), dx) in y.iter().zip(gradient).zip(dx) {
            *dx = if *y <= 0.0 { 0.0 } else { *gradient };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, drawn, same_bits};

    #[test]
    fn values_and_gradients_are_those_of_pytorch() {
        let x = [1.5, 0.0, -0.0, -2.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let got = computed(&mut Relu, &x, [&[], &[]], &[3.0; 7]);
        assert_eq!(got.y[..6].iter().map(|y| y.to_bits()).collect::<Vec<_>>(), [0x3fc0_0000, 0, 0, 0, 0x7f80_0000, 0]);
        assert!(got.y[6].is_nan());
        assert_eq!(got.dx, [3.0, 0.0, 0.0, 0.0, 3.0, 0.0, 3.0]);
    }

    #[test]
    fn every_value_is_computed() {
        for n in [1, 17, BLOCK, 2 * BLOCK + 5] {
            let (x, gradient) = (drawn(n, "relu"), drawn(n, "relu gradient"));
            let got = same_bits(|| computed(&mut Relu, &x, [&[], &[]], &gradient));
            for i in 0..n {
                let expected = if x[i] > 0.0 { [x[i], gradient[i]] } else { [0.0, 0.0] };
                assert_eq!([got.y[i], got.dx[i]], expected);
            }
            assert_eq!(got.evaluated, got.y);
        }
    }
}
