//! Dense layers, as PyTorch's `linear`. A large matrix product is split into jobs of some rows each, and its sums
//! over `k` into pieces: a piece's part of `b` fits into the caches, and short sums keep rounding errors small.

use super::gemm::{Matrix, gemm};
use super::{Gradients, LANES, for_each_job, for_each_job_with};

/// Rows of a product that one job computes.
const ROWS: usize = 18;
/// Most terms in a piece of a sum. Each piece is summed on its own and then added to the total.
const PIECE: usize = 128;

/// A layer `[images, inputs] -> [images, outputs]`; see `is_supported`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub inputs: usize,
    pub outputs: usize,
}

impl Linear {
    /// Whether the kernel can compute a layer of this size: `inputs` must be a multiple of 16 and not 0.
    pub(crate) fn is_supported(self) -> bool {
        self.inputs.is_multiple_of(LANES) && self.inputs > 0
    }

    /// Computes `y = x weightᵀ + bias`; `weight` is PyTorch's `[outputs, inputs]`.
    pub(crate) fn forward(self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let padded_outputs = self.outputs.next_multiple_of(LANES);
        let mut transposed_weight = vec![0.0; self.inputs * padded_outputs];
        for_each_job(transposed_weight.chunks_mut(LANES * padded_outputs).enumerate(), |(block, block_rows)| {
            for (output, row) in weight.chunks_exact(self.inputs).enumerate() {
                for (i, weight) in row[block * LANES..][..LANES].iter().enumerate() {
                    block_rows[i * padded_outputs + output] = *weight;
                }
            }
        });
        let jobs = x.chunks(ROWS * self.inputs).zip(y.chunks_mut(ROWS * self.outputs));
        for_each_job_with(
            jobs,
            || vec![0.0; ROWS * padded_outputs],
            |(x, y), sums| {
                let a = Matrix { values: x, row_stride: self.inputs, column_stride: 1 };
                product(a, &transposed_weight, sums, [y.len() / self.outputs, padded_outputs, self.inputs]);
                for (y, sums) in y.chunks_exact_mut(self.outputs).zip(sums.chunks_exact(padded_outputs)) {
                    for (i, (y, sum)) in y.iter_mut().zip(sums).enumerate() {
                        *y = sum + bias.map_or(0.0, |bias| bias[i]);
                    }
                }
            },
        );
    }

    /// Computes `gradients` from `output_gradient`, the gradient of `y`.
    pub(crate) fn backward(self, x: &[f32], weight: &[f32], output_gradient: &[f32], gradients: Gradients) {
        let images = x.len() / self.inputs;
        for_each_job(gradients.weight.chunks_mut(ROWS * self.inputs).enumerate(), |(block, dweight)| {
            let a = Matrix { values: &output_gradient[block * ROWS..], row_stride: 1, column_stride: self.outputs };
            product(a, x, dweight, [dweight.len() / self.inputs, self.inputs, images]);
        });
        gradients.bias.fill(0.0);
        for row in output_gradient.chunks_exact(self.outputs) {
            gradients.bias.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
        let Some(dx) = gradients.x else { return };
        let jobs = output_gradient.chunks(ROWS * self.outputs).zip(dx.chunks_mut(ROWS * self.inputs));
        for_each_job(jobs, |(output_gradient, dx)| {
            let a = Matrix { values: output_gradient, row_stride: self.outputs, column_stride: 1 };
            product(a, weight, dx, [dx.len() / self.inputs, self.inputs, self.outputs]);
        });
    }
}

/// Computes `c[m, n] = a[m, k] b[k, n]` for large `k`, piece by piece.
fn product(a: Matrix, b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3]) {
    for start in (0..k).step_by(PIECE) {
        let piece = Matrix { values: &a.values[start * a.column_stride..], ..a };
        gemm(piece, &b[start * n..], c, [m, n, (k - start).min(PIECE)], start > 0);
    }
}
