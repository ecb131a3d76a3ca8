//! The layers on a GPU, one file for each kind of layer. They launch the kernels in `../kernels`, which compute the
//! same bits as the files of the same names in `arithmetic/kernels/layers`.
//!
//! Activations and parameters have the same order in memory as on the CPU.

pub(super) mod avg_pool2d;
pub(super) mod batch_norm2d;
pub(super) mod conv2d;
mod direct;
pub(super) mod dropout;
pub(super) mod flatten;
pub(super) mod gelu;
pub(super) mod global_avg_pool;
mod im2col;
pub(super) mod layer_norm;
pub(super) mod leaky_relu;
pub(super) mod linear;
pub(super) mod max_pool2d;
pub(super) mod relu;
pub(super) mod residual;
pub(super) mod sigmoid;
pub(super) mod tanh;
#[cfg(test)]
pub(super) mod testing;
mod winograd;

use super::gpu::{Address, Gpu, Grid, size};

/// What a layer reads in a forward pass, and where it writes.
pub(in crate::arithmetic::cuda) struct Forward<'a> {
    pub images: usize,
    /// The input, `[images, ...]`.
    pub x: Address,
    /// The input of the residual block that this layer ends; `None` for other layers.
    pub skip: Option<Address>,
    /// The layer's parameters, in PyTorch's order.
    pub parameters: &'a [Address],
    /// The layer's buffers (`running_mean`, `running_var`).
    pub buffers: &'a [Address],
    /// Where to write the output, `[images, ...]`. Every value is overwritten.
    pub y: Address,
}

/// What a layer reads in a backward pass, and where it writes gradients of the loss. Every value is overwritten.
pub(in crate::arithmetic::cuda) struct Backward<'a> {
    pub images: usize,
    /// The input of the forward pass.
    pub x: Address,
    /// The output of the forward pass.
    pub y: Address,
    /// The gradient with respect to `y`.
    pub output_gradient: Address,
    /// The layer's parameters.
    pub parameters: &'a [Address],
    /// Where to write the gradient with respect to `x`; `None` if no layer before this one needs it.
    pub input_gradient: Option<Address>,
    /// Where to write the gradients with respect to the parameters.
    pub parameter_gradients: &'a [Address],
}

/// Where a dropout layer's masks come from.
pub(in crate::arithmetic::cuda) enum Mask<'a> {
    /// Every value is kept.
    None,
    /// These values, `[images, channels, height, width]` as in PyTorch.
    Given(&'a [f32]),
    /// Drawn on the GPU at each step.
    Drawn(Keys),
}

/// The keys of a layer's random streams on the GPU.
#[derive(Clone, Copy, Debug)]
pub(in crate::arithmetic::cuda) struct Keys {
    /// The key of the layer's first step, 32 bytes.
    pub first: Address,
    /// Distance between the keys of consecutive steps, in bytes.
    pub stride: usize,
    /// The address of the step's number, a u32 that counts from 0.
    pub step: Address,
}

/// The kernels of one layer of a network.
///
/// From `train` until `backward`, a layer stores what its backward pass needs besides its input and output. It
/// allocates its working memory when it is created, for a maximum number of images, because recorded launches must find
/// it at the same addresses.
pub(in crate::arithmetic::cuda) trait Layer {
    /// Computes the output in evaluation mode.
    fn evaluate(&self, gpu: &dyn Gpu, pass: &Forward);

    /// Computes the output in training mode, and updates the buffers. By default the same as `evaluate`, without
    /// buffers.
    fn train(&self, gpu: &dyn Gpu, pass: &Forward) {
        self.evaluate(gpu, pass);
    }

    /// Sets the dropout mask of the next training steps. By default the layer has no mask.
    fn set_mask(&mut self, _gpu: &dyn Gpu, _mask: &Mask) {}

    /// Computes the gradients. Call it after `train` with the same input and parameters.
    fn backward(&self, gpu: &dyn Gpu, pass: &Backward);
}

/// The grid of an elementwise kernel for `n` values: see `FOR_EACH_VALUE` in the kernels.
pub(in crate::arithmetic::cuda) fn value_grid(n: usize) -> Grid {
    Grid::blocks(n.div_ceil(1024), 256)
}

/// The number of threads that compute the channels of a pixel.
fn lanes(channels: usize) -> u32 {
    channels.next_power_of_two().min(32) as u32
}

/// The grid of a kernel that computes `pixels` pixels with `lanes` threads each: see `pixel_of_thread` in the kernels.
fn pixel_grid(pixels: usize, lanes: u32) -> Grid {
    Grid::blocks(pixels.div_ceil(256 / lanes as usize), 256)
}

/// The grid of a kernel with a block for each image and group of `lanes` channels: see `channel_sums` in the kernels.
fn image_grid(images: usize, channels: usize, lanes: u32) -> Grid {
    let groups = channels.div_ceil(lanes as usize);
    Grid { blocks: [size(images), size(groups), 1], threads: 256, shared_bytes: 0 }
}
