//! The program's own arithmetic on a GPU, in CUDA C. Every value is the same sequence of IEEE 754 operations as on the
//! CPU, so a study has the same bits on both. Only the distribution of the work over threads differs.

mod clip;
mod cross_entropy;
#[cfg(feature = "cuda")]
pub mod driver;
mod functions;
mod gemm;
mod gpu;
mod inputs;
mod layers;
mod network;
#[cfg(feature = "cuda")]
pub mod nvrtc;
#[cfg(feature = "cuda")]
mod open;
mod optimizers;
mod self_test;
pub mod source;
mod speed;
mod tensors;
#[cfg(test)]
mod testing;
mod train;

pub use gpu::{Address, Argument, Gpu, Grid, Memory, Recording};
pub use network::Network;
#[cfg(feature = "cuda")]
pub use open::{OpenError, Opened, open};
pub use self_test::{self_test, training_difference};
pub use speed::convolution_rate;
pub use train::{Trainer, evaluate};

/// A GPU that this CPU emulates.
#[cfg(test)]
pub(crate) fn emulated() -> std::rc::Rc<dyn Gpu> {
    std::rc::Rc::new(testing::Emulator::new(testing::Order::Forward))
}
