//! The program's own arithmetic on a GPU, in CUDA C. Every value is the same sequence of IEEE 754 operations as on the CPU, so a
//! study has the same bits on both. What differs is who computes what, and when.

mod gemm;
mod gpu;
mod layers;
pub mod source;
#[cfg(test)]
mod testing;

pub use gpu::{Address, Argument, Gpu, Grid, Memory, Recording};
