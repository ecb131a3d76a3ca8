//! Layer normalisation on a GPU.

use super::flatten::{has_one_order, to_channels_first, to_channels_last};
use super::{Backward, Forward, Layer};
use crate::arithmetic::cuda::gpu::{Address, Gpu, Grid, Memory, size};
use kernels::layers::Shape;

/// The GPU counterpart of `kernels::layers::layer_norm::LayerNorm`.
#[derive(Debug)]
pub(in crate::arithmetic::cuda) struct LayerNorm {
    shape: Shape,
    eps: f64,
    /// Four values for each image, `NormMoments` in the kernels: those of the last training step, then those of an
    /// evaluation.
    moments: [Memory; 2],
    /// The weight and the bias, or their gradients, in the order of the activations in memory. `None` if that is also
    /// PyTorch's order.
    ordered: Option<[Memory; 2]>,
}

impl LayerNorm {
    /// A layer for up to `images` activations of this shape.
    pub(in crate::arithmetic::cuda) fn new(gpu: &dyn Gpu, shape: Shape, eps: f64, images: usize) -> Self {
        let ordered = || [0; 2].map(|_| gpu.values(shape.len()));
        let moments = [0; 2].map(|_| gpu.values(4 * images));
        Self { shape, eps, moments, ordered: (!has_one_order(shape)).then(ordered) }
    }

    /// Both parameters, or only the weight, in the order of the activations in memory.
    fn in_memory_order<const N: usize>(&self, gpu: &dyn Gpu, parameters: &[Address]) -> [Address; N] {
        std::array::from_fn(|i| match &self.ordered {
            None => parameters[i],
            Some(ordered) => {
                to_channels_last(gpu, self.shape, 1, [parameters[i], ordered[i].address()]);
                ordered[i].address()
            }
        })
    }

    fn forward(&self, gpu: &dyn Gpu, pass: &Forward, moments: &Memory) {
        let [weight, bias] = self.in_memory_order(gpu, pass.parameters);
        let len = self.shape.len();
        let arguments = [
            pass.x.into(),
            weight.into(),
            bias.into(),
            pass.y.into(),
            moments.address().into(),
            size(len).into(),
            (len as f64).into(),
            self.eps.into(),
        ];
        gpu.launch("layer_norm", Grid::blocks(pass.images, 512), &arguments);
    }

    fn parameter_gradients(&self, gpu: &dyn Gpu, pass: &Backward) {
        let len = self.shape.len();
        let direct = [pass.parameter_gradients[0], pass.parameter_gradients[1]];
        let [dw, db] = self.ordered.as_ref().map_or(direct, |ordered| ordered.each_ref().map(Memory::address));
        let arguments = [
            pass.x.into(),
            pass.output_gradient.into(),
            self.moments[0].address().into(),
            dw.into(),
            db.into(),
            size(pass.images).into(),
            size(len).into(),
        ];
        gpu.launch("layer_norm_parameter_gradients", Grid::for_jobs(len, 256), &arguments);
        if self.ordered.is_some() {
            for (from, to) in [dw, db].into_iter().zip(direct) {
                to_channels_first(gpu, self.shape, 1, [from, to]);
            }
        }
    }
}

impl Layer for LayerNorm {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.forward(gpu, pass, &self.moments[1]);
    }

    fn train(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.forward(gpu, pass, &self.moments[0]);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        self.parameter_gradients(gpu, pass);
        let Some(dx) = pass.input_gradient else { return };
        let [weight] = self.in_memory_order(gpu, pass.parameters);
        let len = self.shape.len();
        let arguments = [
            pass.x.into(),
            pass.output_gradient.into(),
            weight.into(),
            self.moments[0].address().into(),
            dx.into(),
            size(len).into(),
            (len as f64).into(),
        ];
        gpu.launch("layer_norm_input_gradient", Grid::blocks(pass.images, 512), &arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_same_bits, drawn};
    use kernels::layers::layer_norm;

    #[test]
    fn bits_are_those_of_the_cpu() {
        // Fewer values than lanes; more images than a chain; more chains than fit into shared memory together.
        for (images, height, width, channels) in
            [(1, 1, 1, 40), (3, 5, 4, 7), (9, 2, 3, 16), (2, 1, 1, 1), (60, 3, 1, 2), (2, 41, 40, 33)]
        {
            let shape = Shape { height, width, channels };
            let x: Vec<f32> = drawn(images * shape.len(), "ln").iter().map(|v| v + 3.0).collect();
            let parameters = vec![drawn(shape.len(), "ln weight"), drawn(shape.len(), "ln bias")];
            let gradient = drawn(x.len(), "ln gradient");
            let inputs = Inputs { images, x, parameters, gradient, ..Inputs::default() };
            let mut cpu = layer_norm::LayerNorm::new(shape, 1e-5);
            assert_same_bits(&format!("{images} {shape:?}"), &inputs, &mut cpu, |gpu, images| {
                Box::new(LayerNorm::new(gpu, shape, 1e-5, images))
            });
        }
    }
}
