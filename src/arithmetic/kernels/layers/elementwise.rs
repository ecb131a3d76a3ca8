//! Layers that compute each value separately: their values in blocks, each of which is one job.

use super::{Backward, Forward};
use crate::threads::for_each_job;

/// Number of consecutive values that one job computes.
pub(super) const BLOCK: usize = 1 << 14;

/// Writes `y` with `function(x, y)`.
pub(super) fn forward(pass: Forward, function: impl Fn(&[f32], &mut [f32]) + Sync) {
    let Forward { x, y, .. } = pass;
    for_each_job(x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)), |(x, y)| function(x, y));
}

/// Writes the gradient with respect to the input, if a layer before needs it, with `function(x, gradient, dx)`.
pub(super) fn backward_from_input(pass: Backward, function: impl Fn(&[f32], &[f32], &mut [f32]) + Sync) {
    let x = pass.x;
    backward(x, pass, function);
}

/// As [`backward_from_input`], with `function(y, gradient, dx)`.
pub(super) fn backward_from_output(pass: Backward, function: impl Fn(&[f32], &[f32], &mut [f32]) + Sync) {
    let y = pass.y;
    backward(y, pass, function);
}

fn backward(values: &[f32], pass: Backward, function: impl Fn(&[f32], &[f32], &mut [f32]) + Sync) {
    let Some(dx) = pass.input_gradient else { return };
    let jobs = values.chunks(BLOCK).zip(pass.output_gradient.chunks(BLOCK)).zip(dx.chunks_mut(BLOCK));
    for_each_job(jobs, |((values, gradient), dx)| function(values, gradient, dx));
}
