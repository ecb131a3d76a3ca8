//! The program's own arithmetic: the forward and backward pass of every layer, the loss, the optimizers and the
//! training of a network, in pure Rust. The kernels of the layers, the loss and the optimizers are a separate crate, in
//! `kernels/`.
//!
//! Every result is a fixed sequence of IEEE 754 operations: additions, multiplications, divisions, square roots and
//! fused multiply-additions, each correctly rounded, in the order written in this code. So the bits depend only on the
//! study, its data and [`VERSION`], and not on the CPU, the width of its vectors or the number of threads.

mod augment;
mod clip;
pub mod cuda;
mod inputs;
mod masks;
mod network;
mod optimizers;
mod schedule;
mod speed;
mod steps;
#[cfg(test)]
mod testing;
mod train;

pub use augment::epoch_changes;
pub use clip::Clipping;
pub use inputs::{epoch_order, factors_of};
pub use kernels::augment::{AffineMap, change_image};
pub use kernels::simd::{InstructionSet, instruction_set, use_instruction_set};
pub use kernels::threads::{threads, use_threads};
pub use masks::{DropoutLayer, Masks};
pub use network::{Network, cancelled_biases, initial_values};
pub use optimizers::{factors, state_names, state_values};
pub use schedule::{learning_rate, momentum};
pub use speed::convolution_rate;
pub use steps::{LayerShapes, trace_shapes};
pub use train::{Trainer, evaluate};

/// The version of this arithmetic. Increment it with every change that alters the bits of a study's results. Results of
/// different versions cannot be compared bit for bit.
pub const VERSION: u32 = 3;
