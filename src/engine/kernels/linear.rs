//! Dense layers, as PyTorch's `linear`. Large products are split along rows into jobs, and along `k` into pieces that fit
//! into the caches. Each piece has its own sum, which also keeps rounding errors small.

use super::gemm::{Matrix, gemm};
use super::{Gradients, LANES, for_each_job, for_each_job_with};

/// Rows of a job.
const ROWS: usize = 18;
/// Length of a piece of a sum.
const PIECE: usize = 128;

/// A layer `[images, inputs] -> [images, outputs]`; `inputs` is a multiple of 16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub inputs: usize,
    pub outputs: usize,
}

impl Linear {
    /// Whether the kernel supports these sizes.
    pub(crate) fn fits(self) -> bool {
        self.inputs.is_multiple_of(LANES) && self.inputs > 0
    }

    /// Computes `y = x weightᵀ + bias`; `weight` is PyTorch's `[outputs, inputs]`.
    pub(crate) fn forward(self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let filled = self.outputs.next_multiple_of(LANES);
        let mut transposed = vec![0.0; self.inputs * filled];
        for_each_job(transposed.chunks_mut(LANES * filled).enumerate(), |(block, to)| {
            for (output, row) in weight.chunks_exact(self.inputs).enumerate() {
                for (i, value) in row[block * LANES..][..LANES].iter().enumerate() {
                    to[i * filled + output] = *value;
                }
            }
        });
        let jobs = x.chunks(ROWS * self.inputs).zip(y.chunks_mut(ROWS * self.outputs));
        for_each_job_with(
            jobs,
            || vec![0.0; ROWS * filled],
            |(x, y), sums| {
                let a = Matrix { values: x, row: self.inputs, column: 1 };
                product(a, &transposed, sums, [y.len() / self.outputs, filled, self.inputs]);
                for (y, sums) in y.chunks_exact_mut(self.outputs).zip(sums.chunks_exact(filled)) {
                    for (i, (y, sum)) in y.iter_mut().zip(sums).enumerate() {
                        *y = sum + bias.map_or(0.0, |bias| bias[i]);
                    }
                }
            },
        );
    }

    /// Computes the gradients `to` from `gradient`, the gradient of `y`.
    pub(crate) fn backward(self, x: &[f32], weight: &[f32], gradient: &[f32], to: Gradients) {
        let images = x.len() / self.inputs;
        for_each_job(to.weight.chunks_mut(ROWS * self.inputs).enumerate(), |(block, dweight)| {
            let a = Matrix { values: &gradient[block * ROWS..], row: 1, column: self.outputs };
            product(a, x, dweight, [dweight.len() / self.inputs, self.inputs, images]);
        });
        to.bias.fill(0.0);
        for row in gradient.chunks_exact(self.outputs) {
            to.bias.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
        }
        let Some(dx) = to.x else { return };
        for_each_job(gradient.chunks(ROWS * self.outputs).zip(dx.chunks_mut(ROWS * self.inputs)), |(gradient, dx)| {
            let a = Matrix { values: gradient, row: self.outputs, column: 1 };
            product(a, weight, dx, [dx.len() / self.inputs, self.inputs, self.outputs]);
        });
    }
}

/// Computes `c[m, n] = a[m, k] b[k, n]` for large `k`, piece by piece.
fn product(a: Matrix, b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3]) {
    for from in (0..k).step_by(PIECE) {
        let piece = Matrix { values: &a.values[from * a.column..], ..a };
        gemm(piece, &b[from * n..], c, [m, n, (k - from).min(PIECE)], from > 0);
    }
}
