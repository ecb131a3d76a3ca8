//! Helpers for the tests of the layers: comparisons with values computed in f64, finite differences, and a run of a
//! layer that returns everything it computes.

use super::{Backward, Forward, Layer};
pub(super) use crate::samples::{drawn, random_convolutions, random_rectangles};

/// The dot product, in f64.
pub(super) fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

pub(super) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Asserts that the values differ by at most `allowed` times the largest expected value.
#[track_caller]
pub(super) fn near(what: &str, got: &[f32], expected: &[f64], allowed: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((f64::from(*got) - expected).abs() <= allowed * largest, "{what}[{i}]: {got}, expected {expected}");
    }
}

/// The gradient of `loss` by central differences. `loss` is linear or nearly linear in each value, so the step need not
/// be small.
pub(super) fn differences(at: &[f64], mut loss: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let mut x = at.to_vec();
    (0..at.len())
        .map(|i| {
            let mut side = |step: f64| {
                x[i] = at[i] + step;
                loss(&x)
            };
            let difference = (side(1e-4) - side(-1e-4)) / 2e-4;
            x[i] = at[i];
            difference
        })
        .collect()
}

/// Everything that a layer computes in one training step.
#[derive(Debug, PartialEq)]
pub(super) struct Computed {
    pub evaluated: Vec<f32>,
    pub y: Vec<f32>,
    pub dx: Vec<f32>,
    /// The gradient of each parameter.
    pub parameters: Vec<Vec<f32>>,
}

/// Runs a layer forward and backward. `gradient` is the gradient with respect to `y`. Outputs start as NaN, to detect
/// values that are not written.
pub(super) fn computed(
    layer: &mut dyn Layer,
    x: &[f32],
    [parameters, buffers]: [&[Vec<f32>]; 2],
    gradient: &[f32],
) -> Computed {
    let (mut evaluated, mut y) = (vec![f32::NAN; gradient.len()], vec![f32::NAN; gradient.len()]);
    layer.evaluate(Forward { x, skip: &[], parameters, buffers, y: &mut evaluated });
    layer.train(Forward { x, skip: &[], parameters, buffers, y: &mut y });
    let mut dx = vec![f32::NAN; x.len()];
    let mut gradients: Vec<Vec<f32>> = parameters.iter().map(|p| vec![f32::NAN; p.len()]).collect();
    layer.backward(Backward {
        x,
        y: &y,
        output_gradient: gradient,
        parameters,
        input_gradient: Some(&mut dx),
        parameter_gradients: &mut gradients,
    });
    // The other gradients have the same bits if the gradient of the input is not requested.
    let mut without: Vec<Vec<f32>> = parameters.iter().map(|p| vec![f32::NAN; p.len()]).collect();
    layer.backward(Backward {
        x,
        y: &y,
        output_gradient: gradient,
        parameters,
        input_gradient: None,
        parameter_gradients: &mut without,
    });
    assert_eq!(gradients, without, "gradients with and without that of the input");
    Computed { evaluated, y, dx, parameters: gradients }
}

/// Runs the work with every instruction set of this CPU and with 1, 2, 3 and 8 threads, and asserts that it gives the same
/// bits each time. Returns them.
pub(super) fn same_bits(mut work: impl FnMut() -> Computed) -> Computed {
    use crate::simd::{InstructionSet, use_instruction_set, widest};
    use crate::threads::use_threads;
    let _guard = crate::simd::choosing();
    let bits = |c: &Computed| -> Vec<u32> {
        let all = [&c.evaluated, &c.y, &c.dx].into_iter().chain(&c.parameters).flatten();
        all.map(|v| v.to_bits()).collect()
    };
    let expected = work();
    for vectors in [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512] {
        for threads in [1, 2, 3, 8] {
            if use_instruction_set(vectors) {
                use_threads(threads);
                assert!(bits(&work()) == bits(&expected), "other bits with {vectors:?} and {threads} threads");
            }
        }
    }
    use_instruction_set(widest());
    use_threads(2);
    expected
}

/// The largest error of the derivative of an elementwise layer without parameters, from -15 to 15.
pub(super) fn largest_slope_error(layer: &mut dyn Layer, derivative: impl Fn(f64) -> f64) -> f64 {
    let x: Vec<f32> = (-1_500_000..=1_500_000).map(|i| i as f32 * 1e-5).collect();
    let got = computed(layer, &x, [&[], &[]], &vec![1.0; x.len()]);
    let errors = wide(&x).into_iter().zip(&got.dx).map(|(x, dx)| (f64::from(*dx) - derivative(x)).abs());
    errors.fold(0.0, f64::max)
}
