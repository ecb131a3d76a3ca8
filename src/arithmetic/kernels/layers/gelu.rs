//! GELU (Hendrycks and Gimpel 2016), as `torch.nn.GELU` with `approximate='none'`.

use super::{Backward, Forward, Layer, elementwise};
use crate::functions::{erf, exp};
use crate::simd::vectorised;

/// `torch.nn.GELU` of activations of any shape: y = x cdf(x), where cdf is the distribution function of the standard
/// normal distribution, computed as (x / 2) (1 + erf(x / sqrt 2)). As in PyTorch, minus infinity gives NaN. The
/// gradient is cdf(x) + x exp(-x^2 / 2) / sqrt(2 pi).
///
/// The largest measured error of y is 1.15e-7 |x|, and that of the derivative 1.4e-7.
#[derive(Clone, Copy, Debug)]
pub struct Gelu;

/// sqrt(1/2), 0.707106769.
const SQRT_HALF: f32 = f32::from_bits(0x3f35_04f3);
/// 1 / sqrt(2 pi), 0.398942292.
const DENSITY_AT_0: f32 = f32::from_bits(0x3ecc_422a);

impl Layer for Gelu {
    fn evaluate(&self, pass: Forward) {
        elementwise::forward(pass, gelu);
    }

    fn backward(&mut self, pass: Backward) {
        elementwise::backward_from_input(pass, input_gradient);
    }
}

vectorised! {
    fn gelu(x: &[f32], y: &mut [f32]) {
        for (x, y) in x.iter().zip(y) {
            *y = (*x * 0.5) * (1.0 + erf(*x * SQRT_HALF));
        }
    }
}

vectorised! {
    fn input_gradient(x: &[f32], gradient: &[f32], dx: &mut [f32]) {
        for ((x, gradient), dx) in x.iter().zip(gradient).zip(dx) {
            let cdf = 0.5 * (1.0 + erf(*x * SQRT_HALF));
            let density = exp((*x * *x) * -0.5) * DENSITY_AT_0;
            *dx = *gradient * x.mul_add(density, cdf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::elementwise::BLOCK;
    use super::*;
    use crate::layers::testing::{computed, differences, drawn, near, same_bits, wide};

    fn defined(x: f64) -> f64 {
        x / 2.0 * (1.0 + libm::erf(x / 2f64.sqrt()))
    }

    #[test]
    fn values_and_gradients_agree_with_the_definition() {
        for n in [1, 17, BLOCK + 5] {
            let x: Vec<f32> = drawn(n, "gelu").iter().map(|x| x * 6.0).collect();
            let gradient = drawn(n, "gelu gradient");
            let got = same_bits(|| computed(&mut Gelu, &x, [&[], &[]], &gradient));
            for i in 0..n {
                let (x, y) = (f64::from(x[i]), f64::from(got.y[i]));
                assert!((y - defined(x)).abs() <= 1.2e-7 * x.abs(), "{x}: {y}");
            }
            let slope: Vec<f64> = wide(&x).iter().map(|x| differences(&[*x], |x| defined(x[0]))[0]).collect();
            let expected: Vec<f64> = slope.iter().zip(&gradient).map(|(s, g)| s * f64::from(*g)).collect();
            near("dx", &got.dx, &expected, 2e-7);
            assert_eq!(got.evaluated, got.y);
        }
    }

    #[test]
    fn errors_are_at_most_those_of_the_docs() {
        let x: Vec<f32> = (-1_500_000..=1_500_000).map(|i| i as f32 * 1e-5).collect();
        let got = computed(&mut Gelu, &x, [&[], &[]], &vec![1.0; x.len()]);
        let (mut value, mut slope) = (0f64, 0f64);
        for (i, x) in wide(&x).into_iter().enumerate() {
            let density = libm::exp(-x * x / 2.0) / std::f64::consts::TAU.sqrt();
            let derivative = f64::midpoint(1.0, libm::erf(x / 2f64.sqrt())) + x * density;
            let error = (f64::from(got.y[i]) - defined(x)).abs();
            value = value.max(if x == 0.0 { error } else { error / x.abs() });
            slope = slope.max((f64::from(got.dx[i]) - derivative).abs());
        }
        println!("largest errors: {value:e} |x|, derivative {slope:e}");
        assert!(value <= 1.15e-7 && slope <= 1.4e-7, "{value} {slope}");
    }

    #[test]
    fn special_values_are_those_of_pytorch() {
        let got = computed(&mut Gelu, &[0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -20.0], [&[], &[]], &[2.0; 5]);
        assert_eq!(got.y[..2], [0.0, f32::INFINITY]);
        assert!(got.y[2].is_nan() && got.y[3].is_nan());
        assert_eq!([got.y[4], got.dx[0], got.dx[4]], [0.0, 1.0, 0.0]);
    }
}
