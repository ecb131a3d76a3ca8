//! Convolutions with 3x3 kernels and stride 1 by Winograd's method on a GPU. All images are processed together.

use super::conv2d::sizes;
use super::{Backward, Forward, Layer};
use crate::arithmetic::cuda::gemm::{LOW, Layout, Matrix, PixelSums, Product, SMALL, add_in_parts, product};
use crate::arithmetic::cuda::gpu::{Address, Argument, Gpu, Grid, Memory, size};
use kernels::layers::conv2d::Convolution;
use kernels::layers::winograd::{POINTS, images_together, tiles as tiles_of_image};
use kernels::simd::LANES;
use kernels::threads::{PARTS, images_per_part};

/// The GPU counterpart of `kernels::layers::winograd::Winograd`.
#[derive(Debug)]
pub(super) struct Winograd {
    conv: Convolution,
    /// Number of tiles of an image along height and width.
    tiles: [usize; 2],
    /// Number of input and of output channels, padded to whole groups.
    channels: [usize; 2],
    /// The transformed weight, or its gradient.
    weight: Memory,
    /// The transformed inputs or their gradient, `[POINTS][tiles][input channels]`.
    inputs: Memory,
    /// The transformed outputs or their gradient, `[POINTS][tiles][output channels]`.
    outputs: Memory,
    /// The gradient of the transformed weight for each part of the batch.
    weight_sums: Memory,
    bias_sums: PixelSums,
}

impl Winograd {
    pub(super) fn new(gpu: &dyn Gpu, conv: Convolution, images: usize) -> Self {
        let tiles = tiles_of_image(&conv);
        let all_tiles = images * tiles[0] * tiles[1];
        let [c, k] = [conv.input, conv.output].map(|shape| shape.channels.next_multiple_of(LANES));
        let pixels = conv.output.pixels();
        Self {
            conv,
            tiles,
            channels: [c, k],
            weight: gpu.values(POINTS * c * k),
            inputs: gpu.values(POINTS * all_tiles * c),
            outputs: gpu.values(POINTS * all_tiles * k),
            weight_sums: gpu.values(images.min(PARTS) * POINTS * c * k),
            bias_sums: PixelSums::new(gpu, conv.output.channels, pixels, pixels, images),
        }
    }

    /// Number of tiles of this many images.
    fn tiles_of(&self, images: usize) -> usize {
        images * self.tiles[0] * self.tiles[1]
    }

    /// Transforms the weight to `[POINTS][input channels][output channels]`, or with the last two dimensions exchanged
    /// if `transposed`.
    fn transform_weight(&self, gpu: &dyn Gpu, weight: Address, transposed: bool) {
        let [c, k] = self.channels;
        let [rows, columns] = if transposed { [k, c] } else { [c, k] };
        let channels = [self.conv.input.channels, self.conv.output.channels, rows, columns, usize::from(transposed)];
        let addresses = [weight.into(), self.weight.address().into()];
        let grid = Grid::for_jobs(c * k, 128);
        gpu.launch("winograd_weights", grid, &[addresses.as_slice(), &sizes(channels)].concat());
    }

    fn transform_inputs(&self, gpu: &dyn Gpu, x: Address, images: usize) {
        let (input, [above, left], c) = (self.conv.input, self.conv.padding, self.channels[0]);
        let [down, across] = self.tiles;
        let tiles = self.tiles_of(images);
        let shape = [input.height, input.width, input.channels, c, above, left, down, across, tiles];
        let addresses = [x.into(), self.inputs.address().into()];
        gpu.launch("winograd_inputs", Grid::for_jobs(tiles * c, 128), &[addresses.as_slice(), &sizes(shape)].concat());
    }

    /// For each point, multiplies `a[tiles, from]` and the transformed weight, `[from, to]`.
    fn multiply_points(&self, gpu: &dyn Gpu, a: &Memory, c: &Memory, [tiles, from, to]: [usize; 3]) {
        let matrix = |memory: &Memory, rows: usize, columns: usize| Matrix {
            batch_stride: rows * columns,
            ..Matrix::new(memory.address(), columns)
        };
        let products = Product {
            layout: Layout::Plain,
            a: matrix(a, tiles, from),
            b: matrix(&self.weight, from, to),
            c: matrix(c, tiles, to),
            sizes: [tiles, to, from],
            batch: POINTS,
            addend: Address::NULL,
        };
        product(gpu, &products, None);
    }

    /// The arguments that describe the outputs.
    fn output_sizes(&self, images: usize) -> [Argument; 7] {
        let (out, [down, across]) = (self.conv.output, self.tiles);
        sizes([out.height, out.width, out.channels, self.channels[1], down, across, self.tiles_of(images)])
    }

    /// The gradient of the weight, from `self.inputs` and `self.outputs`.
    fn weight_gradient(&self, gpu: &dyn Gpu, dweight: Address, images: usize) {
        let ([c, k], tiles_of_image) = (self.channels, self.tiles_of(1));
        let per_part = images_per_part(images);
        let parts = images.div_ceil(per_part);
        let group = images_together(self.tiles) * tiles_of_image;
        let (name, tile) =
            if c <= LOW.rows { ("winograd_weight_gradient_low", LOW) } else { ("winograd_weight_gradient", SMALL) };
        let [down, across] = tile.count([c, k]);
        let addresses = [&self.inputs, &self.outputs, &self.weight_sums].map(|memory| memory.address().into());
        let shape = sizes([c, k, self.tiles_of(images), per_part * tiles_of_image, group]);
        let grid = Grid { blocks: [down, across, size(POINTS * parts)], threads: tile.threads, shared_bytes: 0 };
        gpu.launch(name, grid, &[addresses.as_slice(), &shape].concat());
        add_in_parts(gpu, self.weight_sums.address(), self.weight.address(), [parts, 1, POINTS * c * k]);
        let addresses = [self.weight.address().into(), dweight.into()];
        let shape = sizes([self.conv.input.channels, self.conv.output.channels, c, k]);
        let grid = Grid::for_jobs(c * k, 128);
        gpu.launch("winograd_weights_backward", grid, &[addresses.as_slice(), &shape].concat());
    }

    /// The gradient of the input, from that of the transformed outputs, `self.outputs`.
    fn input_gradient(&self, gpu: &dyn Gpu, weight: Address, dx: Address, images: usize) {
        let ([c, k], [down, across]) = (self.channels, self.tiles);
        let (input, [above, left], tiles) = (self.conv.input, self.conv.padding, self.tiles_of(images));
        self.transform_weight(gpu, weight, true);
        self.multiply_points(gpu, &self.outputs, &self.inputs, [tiles, k, c]);
        let inputs = self.inputs.address().into();
        gpu.launch("winograd_inputs_backward", Grid::for_jobs(tiles * c, 128), &[inputs, size(tiles * c).into()]);
        let shape = [input.height, input.width, input.channels, c, above, left, down, across, tiles];
        let arguments = [[inputs, dx.into()].as_slice(), &sizes(shape)].concat();
        let jobs = input.width * input.channels.div_ceil(4);
        gpu.launch("winograd_add_tiles", Grid::for_rows(images * input.height, jobs), &arguments);
    }
}

impl Layer for Winograd {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let [c, k] = self.channels;
        let tiles = self.tiles_of(pass.images);
        self.transform_weight(gpu, pass.parameters[0], false);
        self.transform_inputs(gpu, pass.x, pass.images);
        self.multiply_points(gpu, &self.inputs, &self.outputs, [tiles, c, k]);
        let bias = pass.parameters.get(1).copied().unwrap_or(Address::NULL);
        let addresses = [self.outputs.address(), bias, pass.y].map(Argument::from);
        let arguments = [addresses.as_slice(), &self.output_sizes(pass.images)].concat();
        gpu.launch("winograd_outputs", Grid::for_jobs(tiles * k, 128), &arguments);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let tiles = self.tiles_of(pass.images);
        self.transform_inputs(gpu, pass.x, pass.images);
        let addresses = [pass.output_gradient.into(), self.outputs.address().into()];
        let arguments = [addresses.as_slice(), &self.output_sizes(pass.images)].concat();
        gpu.launch("winograd_outputs_backward", Grid::for_jobs(tiles * self.channels[1], 128), &arguments);
        self.weight_gradient(gpu, pass.parameter_gradients[0], pass.images);
        if let Some(dbias) = pass.parameter_gradients.get(1) {
            self.bias_sums.add(gpu, pass.output_gradient, *dbias, [pass.images, images_per_part(pass.images)]);
        }
        if let Some(dx) = pass.input_gradient {
            self.input_gradient(gpu, pass.parameters[0], dx, pass.images);
        }
    }
}
