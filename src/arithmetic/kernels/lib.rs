//! The CPU's kernels: the forward and backward pass of every layer, the loss, gradient clipping, the optimizers' updates, and
//! changes of images, on slices of f32.
//!
//! Every value is a fixed sequence of IEEE 754 operations, so its bits depend neither on the instruction set nor on the
//! number of threads. The crate does not depend on studies or models: `arithmetic` in mnist-report builds networks from
//! these kernels.
//!
//! It is a separate crate to save compile time: rustc optimizes each kernel once for each instruction set, and a change
//! in another crate does not repeat that.

pub mod augment;
pub mod clip;
pub mod cross_entropy;
pub mod functions;
pub mod gemm;
pub mod layers;
pub mod memory;
pub mod optimizers;
pub mod samples;
pub mod simd;
pub mod threads;
