//! The program's own arithmetic on a GPU, in CUDA C. Every value is the same sequence of IEEE 754 operations as on the CPU, so a
//! study has the same bits on both. What differs is who computes what, and when.

mod cross_entropy;
#[cfg(feature = "cuda")]
pub mod driver;
#[cfg(test)]
mod functions;
mod gemm;
mod gpu;
mod inputs;
mod layers;
mod network;
#[cfg(feature = "cuda")]
pub mod nvrtc;
mod optimizers;
pub mod source;
mod tensors;
#[cfg(test)]
mod testing;
mod train;

pub use gpu::{Address, Argument, Gpu, Grid, Memory, Recording};
pub use network::Network;
pub use train::{Trainer, evaluate};
