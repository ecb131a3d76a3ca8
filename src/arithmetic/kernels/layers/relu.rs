//! ReLU, as `torch.nn.ReLU`.

use super::{Backward, Forward, Layer, elementwise};
use crate::simd::vectorised;

/// `torch.nn.ReLU` of activations of any shape: y = 0 if x <= 0, else x, so -0 gives 0 and NaN stays NaN. The gradient
/// is 0 where y <= 0, including x = 0.
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Layer for Relu {
    fn evaluate(&self, pass: Forward) {
        elementwise::forward(pass, relu);
    }

    fn backward(&mut self, pass: Backward) {
        elementwise::backward_from_output(pass, input_gradient);
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
    use super::elementwise::BLOCK;
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
