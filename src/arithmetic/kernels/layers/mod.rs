//! The kernels of each layer, forward and backward, one file for each kind of layer.
//!
//! Activations are `[images, height, width, channels]` in memory (PyTorch's channels_last); flat ones are
//! `[images, features]`. Parameters have PyTorch's names, shapes and order.

pub mod avg_pool2d;
pub mod batch_norm2d;
pub mod conv2d;
mod direct;
pub mod dropout;
mod elementwise;
pub mod flatten;
pub mod gelu;
pub mod global_avg_pool;
mod im2col;
pub mod layer_norm;
pub mod leaky_relu;
pub mod linear;
pub mod max_pool2d;
pub mod relu;
pub mod residual;
pub mod sigmoid;
pub mod tanh;
#[cfg(test)]
mod testing;
pub mod winograd;

/// Height, width and channels of an image's activation. A flat activation has height and width 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Shape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Shape {
    /// Number of values of one image.
    #[expect(clippy::len_without_is_empty, reason = "an image is never empty")]
    pub const fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Number of pixels of one image.
    pub const fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// What a layer reads in a forward pass, and where it writes.
pub struct Forward<'a> {
    /// The input, `[images, ...]`.
    pub x: &'a [f32],
    /// The input of the residual block that this layer ends; empty for other layers.
    pub skip: &'a [f32],
    /// The layer's parameters, in PyTorch's order.
    pub parameters: &'a [Vec<f32>],
    /// The layer's buffers (`running_mean`, `running_var`).
    pub buffers: &'a [Vec<f32>],
    /// Where to write the output, `[images, ...]`. Every value is overwritten.
    pub y: &'a mut [f32],
}

/// What a layer reads in a backward pass, and where it writes gradients of the loss. Every value is overwritten.
pub struct Backward<'a> {
    /// The input of the forward pass.
    pub x: &'a [f32],
    /// The output of the forward pass.
    pub y: &'a [f32],
    /// The gradient with respect to `y`.
    pub output_gradient: &'a [f32],
    /// The layer's parameters.
    pub parameters: &'a [Vec<f32>],
    /// Where to write the gradient with respect to `x`; `None` if no layer before this one needs it.
    pub input_gradient: Option<&'a mut [f32]>,
    /// Where to write the gradients with respect to the parameters.
    pub parameter_gradients: &'a mut [Vec<f32>],
}

/// The kernels of one layer of a network.
///
/// From `train` until `backward`, a layer stores what its backward pass needs besides its input and output.
pub trait Layer: Send + Sync {
    /// Computes the output in evaluation mode.
    fn evaluate(&self, pass: Forward);

    /// Computes the output in training mode. By default the same as `evaluate`.
    fn train(&mut self, pass: Forward) {
        self.evaluate(pass);
    }

    /// Updates the layer's buffers after `train`. Not part of `train`, because `Forward` borrows the buffers. By
    /// default there are none.
    fn update_buffers(&self, _buffers: &mut [Vec<f32>]) {}

    /// Sets the dropout mask of the next training steps, `[images, channels, height, width]` as in PyTorch. `None`
    /// keeps every value. By default the layer has no mask.
    fn set_mask(&mut self, _mask: Option<&[f32]>) {}

    /// Computes the gradients. Call it after `train` with the same input and parameters.
    fn backward(&mut self, pass: Backward);
}
