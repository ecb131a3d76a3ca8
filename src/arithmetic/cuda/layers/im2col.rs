//! Convolutions with any kernel, stride, padding, dilation and number of groups as matrix products, on a GPU.

use super::conv2d::{sizes, window};
use super::{Backward, Forward, Layer};
use crate::arithmetic::cuda::gemm::{
    LARGE, Layout, MANY_BLOCKS, Matrix, PixelSums, Product, SMALL, add_in_parts, has_large_tiles, product,
};
use crate::arithmetic::cuda::gpu::{Address, Argument, Gpu, Grid, Memory, size};
use kernels::gemm::PIECE;
use kernels::layers::conv2d::Convolution;
use kernels::threads::{PARTS, images_per_part};

/// Approximate number of values in a layer's working memory, which holds at least one image. Does not change the bits.
const WORKING_LEN: usize = 1 << 25;

/// The GPU counterpart of `kernels::layers::im2col::Im2col`.
#[derive(Debug)]
pub(super) struct Im2col {
    conv: Convolution,
    /// Number of terms of an output.
    terms: usize,
    /// The positions that each output pixel of all images reads: see `im2col_pixels` in the kernels.
    pixels: Memory,
    /// The weight or its gradient, rearranged.
    weight: Memory,
    /// Partial sums of the gradient of the weight, each over some pixels.
    weight_sums: Memory,
    /// Number of values in `weight_sums`.
    weight_sums_len: usize,
    bias_sums: PixelSums,
    /// The gradients of the values that the output pixels of some images read; `None` if they equal the gradient of the
    /// input.
    term_gradients: Option<Memory>,
    /// Number of those images.
    images_together: usize,
}

impl Im2col {
    pub(super) fn new(gpu: &dyn Gpu, conv: Convolution, images: usize) -> Self {
        let terms = conv.taps() * conv.inputs_per_group();
        let out = conv.output;
        let weight_len = out.channels * terms;
        let image_len = out.pixels() * conv.groups * terms;
        let images_together = (WORKING_LEN / image_len).clamp(1, images);
        let pixels = gpu.allocate(8 * images * out.pixels());
        let count = images * out.pixels();
        let shapes = sizes([count, conv.input.len(), out.height, out.width]);
        let arguments = [[pixels.address().into()].as_slice(), &shapes, &window(&conv)].concat();
        gpu.launch("im2col_pixels", Grid::for_jobs(count, 256), &arguments);
        let pieces = (count.div_ceil(PIECE) + PARTS).min(WORKING_LEN / 2 / weight_len);
        let weight_sums_len = weight_len * pieces.max(images.min(PARTS));
        Self {
            conv,
            terms,
            pixels,
            weight: gpu.values(weight_len),
            weight_sums: gpu.values(weight_sums_len),
            weight_sums_len,
            bias_sums: PixelSums::new(gpu, out.channels, out.pixels(), PIECE, images),
            term_gradients: (!conv.is_pointwise()).then(|| gpu.values(images_together * image_len)),
            images_together: if conv.is_pointwise() { images } else { images_together },
        }
    }

    /// The arguments that describe the rows of values that output pixels read.
    fn row_sizes(&self) -> Vec<Argument> {
        let (input, inputs, outputs) = (self.conv.input, self.conv.inputs_per_group(), self.conv.outputs_per_group());
        let shapes = sizes([inputs, outputs, input.height, input.width, input.channels]);
        [shapes.as_slice(), &window(&self.conv)].concat()
    }

    fn weight_gradient(&self, gpu: &dyn Gpu, pass: &Backward) {
        let (groups, outputs, pixels) = (self.conv.groups, self.conv.outputs_per_group(), self.conv.output.pixels());
        let (count, per_part) = (pass.images * pixels, images_per_part(pass.images) * pixels);
        let blocks = SMALL.count([self.terms, outputs]);
        let sums_of =
            |per_sum: usize| count / per_part * per_part.div_ceil(per_sum) + (count % per_part).div_ceil(per_sum);
        // One sum per part, or one per piece if there would be too few sums to keep the GPU busy.
        let few = (blocks[0] * blocks[1]) as usize * groups * sums_of(per_part) < MANY_BLOCKS;
        let pieces = sums_of(PIECE);
        let fits = pieces * groups <= 0xffff && pieces * self.conv.output.channels * self.terms <= self.weight_sums_len;
        let per_sum = if few && fits { PIECE } else { per_part };
        let sums = sums_of(per_sum);
        let addresses = [pass.x, self.pixels.address(), pass.output_gradient, self.weight_sums.address()];
        let arguments =
            [addresses.map(Argument::from).as_slice(), &sizes([count, per_part, per_sum, groups]), &self.row_sizes()]
                .concat();
        let grid =
            Grid { blocks: [blocks[0], blocks[1], size(groups * sums)], threads: SMALL.threads, shared_bytes: 0 };
        gpu.launch("im2col_weight_gradient", grid, &arguments);
        let len = self.conv.output.channels * self.terms;
        let [from, to] = [self.weight_sums.address(), self.weight.address()];
        add_in_parts(gpu, from, to, [sums, per_part.div_ceil(per_sum), len]);
        let arguments = sizes([groups, self.conv.inputs_per_group(), outputs, self.conv.taps()]);
        let addresses = [to, pass.parameter_gradients[0]].map(Argument::from);
        let arguments = [addresses.as_slice(), &arguments].concat();
        gpu.launch("im2col_write_weight_gradient", Grid::for_jobs(len, 256), &arguments);
    }

    fn input_gradient(&self, gpu: &dyn Gpu, pass: &Backward, dx: Address) {
        let Convolution { input, output, groups, .. } = self.conv;
        let (inputs, outputs, terms) = (self.conv.inputs_per_group(), self.conv.outputs_per_group(), self.terms);
        let len = output.channels * terms;
        let arguments = [
            [pass.parameters[0], self.weight.address()].map(Argument::from).as_slice(),
            &sizes([inputs, self.conv.taps(), len]),
        ]
        .concat();
        gpu.launch("im2col_weight_by_terms", Grid::for_jobs(len, 256), &arguments);
        for first in (0..pass.images).step_by(self.images_together) {
            let images = (pass.images - first).min(self.images_together);
            let gradient = pass.output_gradient.offset(first * output.len());
            let dx = dx.offset(first * input.len());
            let term_gradients = self.term_gradients.as_ref().map_or(dx, Memory::address);
            let products = Product {
                layout: Layout::Plain,
                a: Matrix { batch_stride: outputs, ..Matrix::new(gradient, output.channels) },
                b: Matrix { batch_stride: outputs * terms, ..Matrix::new(self.weight.address(), terms) },
                c: Matrix { batch_stride: terms, ..Matrix::new(term_gradients, groups * terms) },
                sizes: [images * output.pixels(), terms, outputs],
                batch: groups,
                addend: Address::NULL,
            };
            product(gpu, &products, None);
            if self.term_gradients.is_some() {
                let shape = [images, input.height, input.width, input.channels, inputs];
                let rest = sizes([output.height, output.width]);
                let addresses = [term_gradients, dx].map(Argument::from);
                let arguments = [addresses.as_slice(), &sizes(shape), &rest, &window(&self.conv)].concat();
                gpu.launch("im2col_add_terms", Grid::for_jobs(images * input.len(), 256), &arguments);
            }
        }
    }
}

impl Layer for Im2col {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let (groups, outputs) = (self.conv.groups, self.conv.outputs_per_group());
        let len = self.conv.output.channels * self.terms;
        let arguments = [
            [pass.parameters[0], self.weight.address()].map(Argument::from).as_slice(),
            &sizes([groups, self.conv.inputs_per_group(), outputs, self.conv.taps()]),
        ]
        .concat();
        gpu.launch("im2col_transpose_weight", Grid::for_jobs(len, 256), &arguments);
        let count = pass.images * self.conv.output.pixels();
        let (name, tile) = if has_large_tiles([count, outputs], groups) {
            ("im2col_forward_large", LARGE)
        } else {
            ("im2col_forward_small", SMALL)
        };
        let bias = pass.parameters.get(1).copied().unwrap_or(Address::NULL);
        let addresses = [pass.x, self.pixels.address(), self.weight.address(), bias, pass.y].map(Argument::from);
        let arguments = [addresses.as_slice(), &[size(count).into()], &self.row_sizes()].concat();
        let [down, across] = tile.count([count, outputs]);
        gpu.launch(
            name,
            Grid { blocks: [down, across, size(groups)], threads: tile.threads, shared_bytes: 0 },
            &arguments,
        );
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        self.weight_gradient(gpu, pass);
        if let Some(dbias) = pass.parameter_gradients.get(1) {
            self.bias_sums.add(gpu, pass.output_gradient, *dbias, [pass.images, images_per_part(pass.images)]);
        }
        if let Some(dx) = pass.input_gradient {
            self.input_gradient(gpu, pass, dx);
        }
    }
}
