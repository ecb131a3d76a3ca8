//! The logistic function, as `torch.nn.Sigmoid`.

use super::{Backward, Forward, Layer, elementwise};
use crate::functions;
use crate::simd::vectorised;

/// `torch.nn.Sigmoid` of activations of any shape: y = 1 / (1 + exp(-x)). As in PyTorch, the gradient is computed from
/// the output: (1 - y) y.
///
/// The largest measured error of the derivative is 9e-8.
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;

impl Layer for Sigmoid {
    fn evaluate(&self, pass: Forward) {
        elementwise::forward(pass, sigmoid);
    }

    fn backward(&mut self, pass: Backward) {
        elementwise::backward_from_output(pass, input_gradient);
    }
}

vectorised! {
    fn sigmoid(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.iter().zip(y) {
            *y = functions::sigmoid(*x);
        }
    }
}

vectorised! {
    fn input_gradient(y: &[f32], gradient: &[f32], dx: &mut [f32]) {
        for ((y, gradient), dx) in y.iter().zip(gradient).zip(dx) {
            *dx = *gradient * ((1.0 - *y) * *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::elementwise::BLOCK;
    use super::*;
    use crate::layers::testing::{computed, differences, drawn, largest_slope_error, near, same_bits, wide};

    fn defined(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition() {
        for n in [1, 17, BLOCK + 5] {
            let x: Vec<f32> = drawn(n, "sigmoid").iter().map(|x| x * 6.0).collect();
            let gradient = drawn(n, "sigmoid gradient");
            let got = same_bits(|| computed(&mut Sigmoid, &x, [&[], &[]], &gradient));
            near("y", &got.y, &wide(&x).into_iter().map(defined).collect::<Vec<_>>(), 1.5e-7);
            let slope: Vec<f64> = wide(&x).iter().map(|x| differences(&[*x], |x| defined(x[0]))[0]).collect();
            let expected: Vec<f64> = slope.iter().zip(&gradient).map(|(s, g)| s * f64::from(*g)).collect();
            near("dx", &got.dx, &expected, 5e-7);
            assert_eq!(got.evaluated, got.y);
        }
    }

    #[test]
    fn the_derivatives_error_is_at_most_that_of_the_docs() {
        let largest = largest_slope_error(&mut Sigmoid, |x| (1.0 - defined(x)) * defined(x));
        println!("largest error of the derivative: {largest:e}");
        assert!(largest <= 9e-8, "{largest}");
    }

    #[test]
    fn special_values_are_those_of_pytorch() {
        let x = [0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let got = computed(&mut Sigmoid, &x, [&[], &[]], &[2.0; 4]);
        assert_eq!([&got.y[..3], &got.dx[..3]], [[0.5, 1.0, 0.0], [0.5, 0.0, 0.0]]);
        assert!(got.y[3].is_nan() && got.dx[3].is_nan());
    }
}
