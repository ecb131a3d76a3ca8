//! The sum at the end of a residual block (He et al. 2015).

use super::elementwise::BLOCK;
use super::{Backward, Forward, Layer};
use crate::simd::vectorised;
use crate::threads::for_each_job;

/// y = x + skip, where `x` is the output of the block's last layer and `skip` the input of its first one. The gradient of both
/// is that of y; [`add_to`] adds the two gradients of the block's input.
#[derive(Clone, Copy, Debug)]
pub struct Residual;

impl Layer for Residual {
    /// # Panics
    /// `x` and `skip` have different lengths.
    fn evaluate(&self, pass: Forward) {
        let Forward { x, skip, y, .. } = pass;
        assert_eq!(x.len(), skip.len(), "both sides of a residual block");
        let jobs = x.chunks(BLOCK).zip(skip.chunks(BLOCK)).zip(y.chunks_mut(BLOCK));
        for_each_job(jobs, |((x, skip), y)| sum(x, skip, y));
    }

    fn backward(&mut self, pass: Backward) {
        if let Some(dx) = pass.input_gradient {
            dx.copy_from_slice(pass.output_gradient);
        }
    }
}

/// Adds the gradient that comes through the sum to that of the block's first layer: one addition for each value.
///
/// # Panics
/// The two have different lengths.
pub fn add_to(input_gradient: &mut [f32], skip_gradient: &[f32]) {
    assert_eq!(input_gradient.len(), skip_gradient.len(), "both gradients of a residual block's input");
    let jobs = input_gradient.chunks_mut(BLOCK).zip(skip_gradient.chunks(BLOCK));
    for_each_job(jobs, |(input_gradient, skip_gradient)| add_block(input_gradient, skip_gradient));
}

vectorised! {
    fn sum(x: &[f32], skip: &[f32], y: &mut [f32]) {
        for ((x, skip), y) in x.iter().zip(skip).zip(y) {
            *y = *x + *skip;
        }
    }
}

vectorised! {
    fn add_block(values: &mut [f32], others: &[f32]) {
        for (value, other) in values.iter_mut().zip(others) {
            *value += *other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{Computed, drawn, same_bits};

    #[test]
    fn every_value_is_one_rounded_addition() {
        for n in [1, 17, BLOCK, 2 * BLOCK + 5] {
            let [x, skip, gradient] = ["x", "skip", "gradient"].map(|key| drawn(n, key));
            let got = same_bits(|| {
                let (mut y, mut dx) = (vec![f32::NAN; n], vec![f32::NAN; n]);
                Residual.evaluate(Forward { x: &x, skip: &skip, parameters: &[], buffers: &[], y: &mut y });
                Residual.backward(Backward {
                    x: &x,
                    y: &y,
                    output_gradient: &gradient,
                    parameters: &[],
                    input_gradient: Some(&mut dx),
                    parameter_gradients: &mut [],
                });
                assert_eq!(dx, gradient);
                add_to(&mut dx, &x);
                Computed { evaluated: Vec::new(), y, dx, parameters: Vec::new() }
            });
            for i in 0..n {
                let rounded = |a: f32, b: f32| (f64::from(a) + f64::from(b)) as f32;
                assert_eq!([got.y[i], got.dx[i]], [rounded(x[i], skip[i]), rounded(gradient[i], x[i])]);
            }
        }
    }
}
