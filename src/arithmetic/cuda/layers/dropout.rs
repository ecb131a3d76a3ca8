//! Dropout on a GPU, which also draws the masks.

use super::flatten::{copy, to_channels_last};
use super::{Backward, Forward, Keys, Layer, Mask, value_grid};
use crate::arithmetic::cuda::gpu::{Address, Gpu, Grid, Memory, size};
use crate::rng::DropoutRule;
use kernels::layers::Shape;

/// The GPU counterpart of `kernels::layers::dropout::Dropout`.
#[derive(Debug)]
pub(in crate::arithmetic::cuda) struct Dropout {
    shape: Shape,
    p: f64,
    /// The mask, in the order of the activations in memory.
    mask: Memory,
    /// A given mask in PyTorch's order.
    given: Option<Memory>,
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    None,
    Given,
    Drawn(Keys),
}

impl Dropout {
    /// A layer for up to `images` activations of this shape, which drops values with probability `p`. It drops nothing
    /// until it has a mask.
    pub(in crate::arithmetic::cuda) fn new(gpu: &dyn Gpu, shape: Shape, p: f64, images: usize) -> Self {
        Self { shape, p, mask: gpu.values(images * shape.len()), given: None, source: Source::None }
    }

    fn multiply(&self, gpu: &dyn Gpu, images: usize, [values, out]: [Address; 2]) {
        let n = images * self.shape.len();
        if matches!(self.source, Source::None) {
            return copy(gpu, n, [values, out]);
        }
        let arguments = [values.into(), self.mask.address().into(), out.into(), (n as u64).into()];
        gpu.launch("dropout_multiply", value_grid(n), &arguments);
    }

    /// Draws the mask of the current step.
    fn draw(&self, gpu: &dyn Gpu, keys: Keys, images: usize) {
        let (n, rule) = (images * self.shape.len(), DropoutRule::new(self.p));
        let arguments = [
            keys.first.into(),
            size(keys.stride / 4).into(),
            keys.step.into(),
            rule.drop_below.into(),
            rule.keep.into(),
            self.mask.address().into(),
            (n as u64).into(),
            size(self.shape.channels).into(),
            size(self.shape.pixels()).into(),
        ];
        // A thread draws the 16 values of a ChaCha8 block.
        gpu.launch("dropout_draw", Grid::for_jobs(n.div_ceil(16), 128), &arguments);
    }
}

impl Layer for Dropout {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        copy(gpu, pass.images * self.shape.len(), [pass.x, pass.y]);
    }

    fn train(&self, gpu: &dyn Gpu, pass: &Forward) {
        if let Source::Drawn(keys) = self.source {
            self.draw(gpu, keys, pass.images);
        }
        self.multiply(gpu, pass.images, [pass.x, pass.y]);
    }

    fn set_mask(&mut self, gpu: &dyn Gpu, mask: &Mask) {
        self.source = match mask {
            Mask::None => Source::None,
            Mask::Drawn(keys) => Source::Drawn(*keys),
            Mask::Given(values) => {
                let given = gpu.values(values.len());
                gpu.write_values(given.address(), values);
                let images = values.len() / self.shape.len();
                to_channels_last(gpu, self.shape, images, [given.address(), self.mask.address()]);
                self.given = Some(given);
                Source::Given
            }
        };
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let Some(dx) = pass.input_gradient else { return };
        self.multiply(gpu, pass.images, [pass.output_gradient, dx]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::{Inputs, assert_equal, assert_same_bits, drawn};
    use crate::arithmetic::cuda::testing::{Emulator, Order};
    use crate::rng::Stream;
    use kernels::layers::dropout;
    use kernels::layers::flatten;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, height, width, channels) in [(1, 1, 1, 40), (3, 5, 4, 1), (9, 3, 5, 17)] {
            let shape = Shape { height, width, channels };
            let n = images * shape.len();
            let mask: Vec<f32> = drawn(n, "mask").iter().map(|v| if *v < 0.0 { 0.0 } else { 1.25 }).collect();
            for mask in [None, Some(mask)] {
                let [x, gradient] = ["dropped", "dropped gradient"].map(|key| drawn(n, key));
                let inputs = Inputs { images, x, gradient, mask, ..Inputs::default() };
                let mut cpu = dropout::Dropout::new(shape);
                assert_same_bits("dropout", &inputs, &mut cpu, |gpu, images| {
                    Box::new(Dropout::new(gpu, shape, 0.2, images))
                });
            }
        }
    }

    #[test]
    fn masks_are_those_of_the_cpu() {
        for (images, height, width, channels, p) in
            [(1, 1, 1, 3, 0.5), (3, 5, 4, 7, 0.3), (40, 1, 1, 129, 0.25), (9, 4, 4, 128, 0.999), (5, 6, 5, 1, 0.0)]
        {
            let shape = Shape { height, width, channels };
            let n = images * shape.len();
            let x = drawn(n, "x");
            for (order, step) in [(Order::Forward, 0u32), (Order::Shuffled(3), 2)] {
                let gpu = Emulator::new(order);
                let streams: Vec<Stream> = (0..3).map(|i: u8| Stream::keyed(&[i])).collect();
                // As in a training: the keys of two layers, of which this is the second, for each step.
                let keys: Vec<u8> = streams.iter().flat_map(|stream| [[7; 32], stream.key()].concat()).collect();
                let upload = |bytes: &[u8]| {
                    let memory = (&gpu as &dyn Gpu).allocate(bytes.len());
                    gpu.write(memory.address(), bytes);
                    memory
                };
                let (keys, counter, input) = (upload(&keys), upload(&step.to_le_bytes()), upload(&bytes(&x)));
                let output = upload(&bytes(&vec![f32::NAN; n]));
                let mut layer = Dropout::new(&gpu, shape, p, images);
                let first = keys.address().offset_bytes(32);
                layer.set_mask(&gpu, &Mask::Drawn(Keys { first, stride: 64, step: counter.address() }));
                let [x_address, y] = [input.address(), output.address()];
                layer.train(&gpu, &Forward { images, x: x_address, skip: None, parameters: &[], buffers: &[], y });
                let mut mask = vec![0.0; n];
                flatten::to_channels_last(shape, &streams[step as usize].dropout_mask(n, p), &mut mask);
                let expected: Vec<f32> = x.iter().zip(&mask).map(|(x, mask)| x * mask).collect();
                assert_equal("mask", &(&gpu as &dyn Gpu).read_values(layer.mask.address(), n), &mask);
                assert_equal("y", &(&gpu as &dyn Gpu).read_values(y, n), &expected);
            }
        }
    }

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}
