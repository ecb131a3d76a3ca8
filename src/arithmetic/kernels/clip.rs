//! Gradient clipping, as `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`. The norm is f64, of all gradients together.
//!
//! Order of the sum of squares: each tensor is split into chunks of [`CHUNK`] values, the last one filled up with zeros. In a
//! chunk, sum l of [`LANES`] sums adds the squares of values l, l + `LANES` and so on, from 0; then these sums are added in order,
//! from 0. Of the sums of all chunks of all tensors, [`GROUP`] consecutive ones at a time are added in order, from 0, and then
//! those of the groups. The square of an f32 is exact in f64.

use crate::simd::{LANES, vectorised};
use crate::threads::for_each_job;

/// Number of values of a tensor in one partial sum of squares.
pub const CHUNK: usize = 64;

/// Number of partial sums that are added before they are added to the others.
pub const GROUP: usize = 256;

/// Number of chunks that one job adds.
const CHUNKS: usize = 512;

/// Number of values that one job changes.
const BLOCK: usize = CHUNKS * CHUNK;

/// Scales all gradients so that their norm is at most `max_norm`: by `max_norm` / (norm + 1e-6), computed in f64 and rounded
/// once, if that is below 1. As in PyTorch, gradients become NaN or 0 if one of them is not finite.
pub fn clip_norm(gradients: &mut [Vec<f32>], max_norm: f64) {
    let coefficient = max_norm / (norm(gradients) + 1e-6);
    let factor = if coefficient > 1.0 { 1.0 } else { coefficient as f32 };
    if factor == 1.0 {
        return;
    }
    for gradient in gradients {
        for_each_job(gradient.chunks_mut(BLOCK), |values| scale(values, factor));
    }
}

/// Limits each value of the gradients to the range from `-limit` to `limit`. NaN stays NaN.
pub fn clip_values(gradients: &mut [Vec<f32>], limit: f32) {
    for gradient in gradients {
        for_each_job(gradient.chunks_mut(BLOCK), |values| limit_values(values, limit));
    }
}

/// The root of the sum of all squares.
fn norm(gradients: &[Vec<f32>]) -> f64 {
    let mut sums = vec![0.0; gradients.iter().map(|gradient| gradient.len().div_ceil(CHUNK)).sum()];
    let mut rest = &mut sums[..];
    for gradient in gradients {
        let (own, others) = rest.split_at_mut(gradient.len().div_ceil(CHUNK));
        for_each_job(gradient.chunks(BLOCK).zip(own.chunks_mut(CHUNKS)), |(values, sums)| square_sums(values, sums));
        rest = others;
    }
    let sum = |values: &[f64]| values.iter().fold(0.0, |sum, value| sum + value);
    sum(&sums.chunks(GROUP).map(sum).collect::<Vec<f64>>()).sqrt()
}

vectorised! {
    /// Writes the sum of squares of each chunk.
    fn square_sums(values: &[f32], sums: &mut [f64]) {
        for (chunk, sum) in values.chunks(CHUNK).zip(sums) {
            let mut lanes = [0.0; LANES];
            for row in chunk.chunks(LANES) {
                for (lane, x) in lanes.iter_mut().zip(row) {
                    *lane += f64::from(*x) * f64::from(*x);
                }
            }
            *sum = lanes.iter().fold(0.0, |sum, lane| sum + lane);
        }
    }
}

vectorised! {
    fn scale(values: &mut [f32], factor: f32) {
        for value in values {
            // Zeros stay zero even if the factor is NaN, so that the padding of a GPU's tensors does.
            *value = if *value == 0.0 { *value } else { *value * factor };
        }
    }
}

vectorised! {
    fn limit_values(values: &mut [f32], limit: f32) {
        for value in values {
            let above = if *value > limit { limit } else { *value };
            *value = if above < -limit { -limit } else { above };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::drawn;
    use crate::simd::{InstructionSet, choosing, use_instruction_set, widest};

    fn gradients() -> Vec<Vec<f32>> {
        [1, 63, 64, 65, 3 * BLOCK + 17, CHUNK * GROUP].map(|n| drawn(n, &format!("clip {n}"))).to_vec()
    }

    /// The norm in another order.
    fn plain_norm(gradients: &[Vec<f32>]) -> f64 {
        gradients.iter().flatten().rev().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
    }

    #[test]
    fn the_norm_is_at_most_the_limit_and_directions_stay() {
        let before = gradients();
        let expected = plain_norm(&before);
        assert!((norm(&before) - expected).abs() <= 1e-12 * expected);
        let mut clipped = before.clone();
        clip_norm(&mut clipped, 1.5);
        assert!((plain_norm(&clipped) - 1.5).abs() < 1e-6, "{}", plain_norm(&clipped));
        let factor = (1.5 / (expected + 1e-6)) as f32;
        assert!(clipped.iter().flatten().zip(before.iter().flatten()).all(|(after, before)| *after == before * factor));
        let mut same = before.clone();
        clip_norm(&mut same, expected + 1.0);
        assert_eq!(same, before);
    }

    #[test]
    fn values_are_limited() {
        let mut values = vec![vec![0.5, -0.5, 0.25, -0.0], vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.26]];
        clip_values(&mut values, 0.25);
        assert_eq!(values[0], [0.25, -0.25, 0.25, 0.0]);
        assert!(values[1][0].is_nan());
        assert_eq!(values[1][1..], [0.25, -0.25, -0.25]);
    }

    #[test]
    fn gradients_that_are_not_finite_do_not_become_usual_ones() {
        for value in [f32::INFINITY, f32::NAN] {
            let mut gradients = vec![vec![1.0, value, 0.0]];
            clip_norm(&mut gradients, 1.0);
            assert!(gradients[0][1].is_nan() && gradients[0][2] == 0.0, "{gradients:?}");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let _guard = choosing();
        let clipped = || {
            let mut all = gradients();
            clip_norm(&mut all, 1.5);
            clip_values(&mut all, 0.001);
            all.into_iter().flatten().map(f32::to_bits).collect::<Vec<_>>()
        };
        let expected = clipped();
        for vectors in [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512] {
            if use_instruction_set(vectors) {
                assert!(clipped() == expected, "{vectors:?}");
            }
        }
        use_instruction_set(widest());
    }
}
