//! The CPU's kernels: the forward and backward pass of every layer, the loss, and the optimizers' updates, on slices of f32.
//!
//! Every value is a fixed sequence of IEEE 754 operations, so its bits depend neither on the instruction set nor on the number
//! of threads. The crate knows nothing of studies and models: `arithmetic` in mnist-report builds networks of these kernels.
//!
//! It is a crate of its own because the optimizer spends most of its time here, once for each instruction set, and a change
//! elsewhere need not compile it again.

pub mod cross_entropy;
pub mod functions;
pub mod gemm;
pub mod layers;
pub mod memory;
pub mod optimizers;
pub mod samples;
pub mod simd;
pub mod threads;
