//! Convolutions whose output channels read one input channel each, on a GPU.

use super::conv2d::{sizes, window};
use super::{Backward, Forward, Layer};
use crate::arithmetic::cuda::gemm::add_in_parts;
use crate::arithmetic::cuda::gpu::{Address, Argument, Gpu, Grid, Memory, size};
use kernels::layers::conv2d::Convolution;
use kernels::threads::images_per_part;

/// Numbers of neighbouring pixels and of taps that a thread computes: `DIRECT_PIXELS` and `DIRECT_ACROSS` in the
/// kernels.
const PIXELS: usize = 4;
const ACROSS: usize = 5;

/// The GPU counterpart of `kernels::layers::direct::Direct`.
#[derive(Debug)]
pub(super) struct Direct {
    conv: Convolution,
    /// The contribution of each row of outputs to the gradients of the weight and of the bias.
    weight_rows: Memory,
    bias_rows: Memory,
}

impl Direct {
    pub(super) fn new(gpu: &dyn Gpu, conv: Convolution, images: usize) -> Self {
        let rows = images * conv.output.height * conv.output.channels;
        Self { conv, weight_rows: gpu.values(rows * conv.taps()), bias_rows: gpu.values(rows) }
    }

    /// The arguments that describe the convolution.
    fn sizes(&self) -> Vec<Argument> {
        let Convolution { input, output, .. } = self.conv;
        let shapes = [input.height, input.width, input.channels, output.height, output.width, output.channels];
        [sizes(shapes).as_slice(), &window(&self.conv)].concat()
    }
}

impl Layer for Direct {
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward) {
        let out = self.conv.output;
        let bias = pass.parameters.get(1).copied().unwrap_or(Address::NULL);
        let addresses = [pass.x, pass.parameters[0], bias, pass.y].map(Argument::from);
        let jobs = out.width.div_ceil(PIXELS) * out.channels;
        let arguments = [addresses.as_slice(), &self.sizes()].concat();
        gpu.launch("direct_forward", Grid::for_rows(pass.images * out.height, jobs), &arguments);
    }

    fn backward(&self, gpu: &dyn Gpu, pass: &Backward) {
        let (out, [height, width], taps) = (self.conv.output, self.conv.kernel, self.conv.taps());
        let groups = if self.conv.kernel == [3; 2] { 1 } else { height * width.div_ceil(ACROSS) };
        let [weight_rows, bias_rows] = [self.weight_rows.address(), self.bias_rows.address()];
        let addresses = [pass.x, pass.output_gradient, weight_rows, bias_rows].map(Argument::from);
        let rows = pass.images * out.height;
        let images = size(pass.images).into();
        let sizes = self.sizes();
        let grid = Grid::for_jobs(rows * groups * out.channels, 128);
        gpu.launch("direct_backward_rows", grid, &[addresses.as_slice(), &[images], &sizes].concat());
        let per_part = images_per_part(pass.images) * out.height;
        let len = out.channels * taps;
        add_in_parts(gpu, weight_rows, pass.parameter_gradients[0], [rows, per_part, len]);
        if let Some(dbias) = pass.parameter_gradients.get(1) {
            add_in_parts(gpu, bias_rows, *dbias, [rows, per_part, out.channels]);
        }
        if let Some(dx) = pass.input_gradient {
            let addresses = [pass.output_gradient, pass.parameters[0], dx].map(Argument::from);
            let grid = Grid::for_jobs(pass.images * self.conv.input.len(), 128);
            gpu.launch("direct_input_gradient", grid, &[addresses.as_slice(), &[images], &sizes].concat());
        }
    }
}
