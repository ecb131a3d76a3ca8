//! `linear`: `torch.nn.Linear`. A large matrix product is split into jobs of some rows each.

use super::{Backward, Forward, Layer};
use crate::gemm::{Matrix, product};
use crate::simd::LANES;
use crate::threads::{for_each_job, for_each_job_with, threads};

/// Minimum number of rows of a product that one job computes. Does not change the bits.
const MIN_ROWS: usize = 18;

/// Number of inputs whose weights are transposed together: enough to read them fast, few enough to stay in the cache.
const TRANSPOSED: usize = 64;

/// Number of rows per job. There is one job per thread, because each job reads all of `b`; the number is a multiple of
/// the six rows in a tile of `gemm`.
fn rows_per_job(rows: usize) -> usize {
    rows.div_ceil(threads()).next_multiple_of(6).max(MIN_ROWS)
}

/// A layer `[images, inputs] -> [images, outputs]`. Its parameters are the weight `[outputs, inputs]` and, optionally,
/// the bias `[outputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// A dense layer of this size.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs }
    }

    /// The weight as `[inputs, outputs]`, with the outputs padded to a multiple of `LANES`.
    fn transposed(self, weight: &[f32]) -> Vec<f32> {
        let padded_outputs = self.outputs.next_multiple_of(LANES);
        let mut transposed = vec![0.0; self.inputs * padded_outputs];
        for_each_job(transposed.chunks_mut(TRANSPOSED * padded_outputs).enumerate(), |(block, rows)| {
            let first = block * TRANSPOSED;
            for (output, weights) in weight.chunks_exact(self.inputs).enumerate() {
                for (weight, row) in weights[first..].iter().zip(rows.chunks_exact_mut(padded_outputs)) {
                    row[output] = *weight;
                }
            }
        });
        transposed
    }
}

impl Layer for Linear {
    /// `y = x weightᵀ + bias`: each output is a sum over the inputs in order (`product`, so in pieces). The bias is
    /// added last.
    fn evaluate(&self, pass: Forward) {
        let bias = pass.parameters.get(1);
        let padded_outputs = self.outputs.next_multiple_of(LANES);
        let transposed_weight = self.transposed(&pass.parameters[0]);
        let rows = rows_per_job(pass.y.len() / self.outputs);
        let jobs = pass.x.chunks(rows * self.inputs).zip(pass.y.chunks_mut(rows * self.outputs));
        for_each_job_with(
            jobs,
            || vec![0.0; rows * padded_outputs],
            |(x, y), sums| {
                let a = Matrix { values: x, row_stride: self.inputs, column_stride: 1 };
                product(a, &transposed_weight, sums, [y.len() / self.outputs, padded_outputs, self.inputs], false);
                for (y, sums) in y.chunks_exact_mut(self.outputs).zip(sums.chunks_exact(padded_outputs)) {
                    for (i, (y, sum)) in y.iter_mut().zip(sums).enumerate() {
                        *y = sum + bias.map_or(0.0, |bias| bias[i]);
                    }
                }
            },
        );
    }

    /// The gradient of the weight is a sum over the images, and that of the input a sum over the outputs, both in order
    /// and in pieces. The gradient of the bias is one chain of additions over the images.
    fn backward(&mut self, pass: Backward) {
        let Self { inputs, outputs } = *self;
        let images = pass.x.len() / inputs;
        let mut gradients = pass.parameter_gradients.iter_mut();
        let weight_gradient = gradients.next().expect("a linear layer has a weight");
        let x = padded_rows(pass.x, inputs);
        let per_job = rows_per_job(outputs);
        for_each_job(weight_gradient.chunks_mut(per_job * inputs).enumerate(), |(block, rows)| {
            let a = Matrix { values: &pass.output_gradient[block * per_job..], row_stride: 1, column_stride: outputs };
            padded_product(a, &x, rows, [rows.len() / inputs, inputs, images]);
        });
        if let Some(bias_gradient) = gradients.next() {
            bias_gradient.fill(0.0);
            for row in pass.output_gradient.chunks_exact(outputs) {
                bias_gradient.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
            }
        }
        let Some(input_gradient) = pass.input_gradient else { return };
        let weight = padded_rows(&pass.parameters[0], inputs);
        let per_job = rows_per_job(images);
        let jobs = pass.output_gradient.chunks(per_job * outputs).zip(input_gradient.chunks_mut(per_job * inputs));
        for_each_job(jobs, |(output_gradient, rows)| {
            let a = Matrix { values: output_gradient, row_stride: outputs, column_stride: 1 };
            padded_product(a, &weight, rows, [rows.len() / inputs, inputs, outputs]);
        });
    }
}

/// The rows of a matrix `[rows, width]`, each padded with zeros to a multiple of `LANES`. Borrows `values` if no
/// padding is needed.
fn padded_rows(values: &[f32], width: usize) -> std::borrow::Cow<'_, [f32]> {
    if width.is_multiple_of(LANES) {
        return values.into();
    }
    let padded = width.next_multiple_of(LANES);
    let mut rows = vec![0.0; values.len() / width * padded];
    for (row, values) in rows.chunks_exact_mut(padded).zip(values.chunks_exact(width)) {
        row[..width].copy_from_slice(values);
    }
    rows.into()
}

/// Like [`product`], for any `n`: `b` has the rows of [`padded_rows`].
fn padded_product(a: Matrix, b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3]) {
    if n.is_multiple_of(LANES) {
        return product(a, b, c, [m, n, k], false);
    }
    let padded = n.next_multiple_of(LANES);
    let mut rows = vec![0.0; m * padded];
    product(a, b, &mut rows, [m, padded, k], false);
    for (c, row) in c.chunks_exact_mut(n).zip(rows.chunks_exact(padded)) {
        c.copy_from_slice(&row[..n]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{computed, differences, dot, drawn, near, same_bits, wide};
    use super::*;

    /// The layer by its definition, in f64.
    fn defined(x: &[f64], w: &[f64], b: &[f64], inputs: usize, outputs: usize) -> Vec<f64> {
        let row = |x: &[f64]| -> Vec<f64> {
            let value = |k: usize| (0..inputs).map(|j| x[j] * w[k * inputs + j]).sum::<f64>() + b[k];
            (0..outputs).map(value).collect()
        };
        x.chunks_exact(inputs).flat_map(row).collect()
    }

    #[test]
    fn linear_agrees_with_the_definition_and_its_gradients() {
        let sizes = [(3, 16, 10), (40, 272, 20), (19, 32, 1), (1, 400, 64), (3, 1, 10), (9, 21, 7), (129, 50, 33)];
        for (i, (images, inputs, outputs)) in sizes.into_iter().enumerate() {
            for has_bias in [true, false] {
                let (x, weight) =
                    (drawn(images * inputs, &format!("lx{i}")), drawn(outputs * inputs, &format!("lw{i}")));
                let bias = drawn(outputs, &format!("lb{i}"));
                let gradient = drawn(images * outputs, &format!("lg{i}"));
                let mut parameters = vec![weight.clone()];
                parameters.extend(has_bias.then(|| bias.clone()));
                let got = same_bits(|| computed(&mut Linear::new(inputs, outputs), &x, [&parameters, &[]], &gradient));
                let bias = if has_bias { wide(&bias) } else { vec![0.0; outputs] };
                let (x, weight) = (wide(&x), wide(&weight));
                let plain = |x: &[f64], w: &[f64], b: &[f64]| defined(x, w, b, inputs, outputs);
                near("y", &got.y, &plain(&x, &weight, &bias), 1e-6);
                assert_eq!(got.y, got.evaluated);
                let last = |v: &[f64]| v.len().saturating_sub(50);
                let (fx, fw) = (last(&x), last(&weight));
                let loss = |y: Vec<f64>| dot(&y, &gradient);
                let dx = differences(&x[fx..], |some| loss(plain(&[&x[..fx], some].concat(), &weight, &bias)));
                near("dx", &got.dx[fx..], &dx, 2e-6);
                let dw = differences(&weight[fw..], |some| loss(plain(&x, &[&weight[..fw], some].concat(), &bias)));
                near("dw", &got.parameters[0][fw..], &dw, 2e-6);
                if has_bias {
                    near("db", &got.parameters[1], &differences(&bias, |b| loss(plain(&x, &weight, b))), 2e-6);
                }
            }
        }
    }
}
