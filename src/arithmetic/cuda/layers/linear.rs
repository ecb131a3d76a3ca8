//! `linear` on a GPU.

use super::{Backward, Forward, Layer};
use crate::arithmetic::cuda::gemm::{Layout, Matrix, Pieces, Product, product};
use crate::arithmetic::cuda::gpu::{Address, Gpu, Grid, Memory, size};

/// The GPU counterpart of `kernels::layers::linear::Linear`.
#[derive(Debug)]
pub(in crate::arithmetic::cuda) struct Linear {
    inputs: usize,
    outputs: usize,
    /// Working memory for the output, the gradient of the weight and the gradient of the input.
    pieces: [Pieces; 3],
    /// Zeros, added to the outputs if there is no bias.
    no_bias: Memory,
}

impl Linear {
    /// A dense layer of this size, for up to `images` images.
    pub(in crate::arithmetic::cuda) fn new(gpu: &dyn Gpu, inputs: usize, outputs: usize, images: usize) -> Self {
        let sizes = [[images, outputs, inputs], [outputs, inputs, images], [images, inputs, outputs]];
        Self { inputs, outputs, pieces: sizes.map(|sizes| Pieces::new(gpu, sizes)), no_bias: gpu.zeros(outputs) }
    }
}

impl Layer for Linear {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let Self { inputs, outputs, .. } = *self;
        let y = Product {
            layout: Layout::BTransposed,
            a: Matrix::new(pass.x, inputs),
            b: Matrix::new(pass.parameters[0], inputs),
            c: Matrix::new(pass.y, outputs),
            sizes: [pass.images, outputs, inputs],
            batch: 1,
            addend: pass.parameters.get(1).copied().unwrap_or(self.no_bias.address()),
        };
        product(gpu, &y, Some(&self.pieces[0]));
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Self { inputs, outputs, .. } = *self;
        let output_gradient = Matrix::new(pass.output_gradient, outputs);
        let weight_gradient = Product {
            layout: Layout::ATransposed,
            a: output_gradient,
            b: Matrix::new(pass.x, inputs),
            c: Matrix::new(pass.parameter_gradients[0], inputs),
            sizes: [outputs, inputs, pass.images],
            batch: 1,
            addend: Address::NULL,
        };
        product(gpu, &weight_gradient, Some(&self.pieces[1]));
        if let Some(bias_gradient) = pass.parameter_gradients.get(1) {
            let rows = size(pass.images).into();
            let arguments =
                [pass.output_gradient.into(), (*bias_gradient).into(), rows, size(outputs).into(), rows, rows];
            gpu.launch("add_rows_in_runs", Grid::for_jobs(outputs, 128), &arguments);
        }
        let Some(input_gradient) = pass.input_gradient else { return };
        let input_gradient = Product {
            layout: Layout::Plain,
            a: output_gradient,
            b: Matrix::new(pass.parameters[0], inputs),
            c: Matrix::new(input_gradient, inputs),
            sizes: [pass.images, inputs, outputs],
            batch: 1,
            addend: Address::NULL,
        };
        product(gpu, &input_gradient, Some(&self.pieces[2]));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Inputs, assert_same_bits, drawn};
    use super::*;
    use kernels::layers;

    #[test]
    fn linear_has_the_bits_of_the_cpu() {
        let sizes = [
            (3, 16, 10),
            (40, 272, 20),
            (19, 32, 1),
            (1, 400, 64),
            (3, 1, 10),
            (9, 21, 7),
            // More than one piece of each sum.
            (130, 140, 129),
            // Too many blocks to compute pieces in parallel.
            (150, 300, 200),
        ];
        for (images, inputs, outputs) in sizes {
            for has_bias in [true, false] {
                let weight = drawn(inputs * outputs, "weight");
                let given = Inputs {
                    images,
                    x: drawn(images * inputs, "x"),
                    parameters: if has_bias { vec![weight, drawn(outputs, "bias")] } else { vec![weight] },
                    gradient: drawn(images * outputs, "gradient"),
                    ..Inputs::default()
                };
                let mut cpu = layers::linear::Linear::new(inputs, outputs);
                let what = format!("{images} images, {inputs} inputs, {outputs} outputs, bias: {has_bias}");
                assert_same_bits(&what, &given, &mut cpu, |gpu, images| {
                    Box::new(Linear::new(gpu, inputs, outputs, images))
                });
            }
        }
    }
}
