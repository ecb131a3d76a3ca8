//! Leaky ReLU, as `torch.nn.LeakyReLU`.

use super::{Backward, Forward, Layer, elementwise};
use crate::simd::vectorised;

/// `torch.nn.LeakyReLU` of activations of any shape: y = x if x > 0, else slope x. The gradient at 0 is the slope.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    slope: f32,
}

impl LeakyRelu {
    /// A layer with this slope for negative values, rounded to f32.
    pub fn new(negative_slope: f64) -> Self {
        Self { slope: negative_slope as f32 }
    }
}

impl Layer for LeakyRelu {
    fn evaluate(&self, pass: Forward) {
        elementwise::forward(pass, |x, y| leaky(x, x, self.slope, y));
    }

    fn backward(&mut self, pass: Backward) {
        elementwise::backward_from_input(pass, |x, gradient, dx| leaky(x, gradient, self.slope, dx));
    }
}

vectorised! {
    /// Writes `values` where x > 0, and slope times `values` elsewhere.
    fn leaky(x: &[f32], values: &[f32], slope: f32, out: &mut [f32]) {
        for ((x, value), out) in x.iter().zip(values).zip(out) {
            *out = if *x > 0.0 { *value } else { *value * slope };
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
        let x = [1.5, 0.0, -2.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let got = computed(&mut LeakyRelu::new(0.25), &x, [&[], &[]], &[3.0; 6]);
        assert_eq!(got.y[..5], [1.5, 0.0, -0.5, f32::INFINITY, f32::NEG_INFINITY]);
        assert!(got.y[5].is_nan());
        assert_eq!(got.dx, [3.0, 0.75, 0.75, 3.0, 0.75, 0.75]);
        // With a negative slope, the output is positive for negative inputs.
        let got = computed(&mut LeakyRelu::new(-0.5), &[-2.0, 2.0], [&[], &[]], &[1.0; 2]);
        assert_eq!([got.y, got.dx], [[1.0, 2.0], [-0.5, 1.0]]);
    }

    #[test]
    fn every_value_is_computed() {
        for n in [1, 17, BLOCK, 2 * BLOCK + 5] {
            let (x, gradient) = (drawn(n, "leaky"), drawn(n, "leaky gradient"));
            let got = same_bits(|| computed(&mut LeakyRelu::new(0.01), &x, [&[], &[]], &gradient));
            for i in 0..n {
                let slope = if x[i] > 0.0 { 1.0 } else { 0.01 };
                assert_eq!([got.y[i], got.dx[i]], [x[i] * slope, gradient[i] * slope]);
            }
            assert_eq!(got.evaluated, got.y);
        }
    }
}
