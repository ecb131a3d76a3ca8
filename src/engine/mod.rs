//! Everything that touches libtorch: devices, the network with its weights, training, evaluation.
//!
//! The only home of `tch` and of `unsafe`. What leaves this module is plain data (`f32`, `u8`, names);
//! what is measured with it is `results`' to compute.

mod device;
mod failure;
mod ffi;
mod flat;
mod graph;
mod kernels;
mod masks;
mod network;
mod optimizer;
mod pass;
mod schedule;
mod train;

pub use device::{DeviceChoice, Engine, Environment, without_outside_settings};
pub use failure::caught;
pub use ffi::leave;
pub use graph::{Recorded, record_steps, recordings_refused};
pub use kernels::{Vectors, choose as choose_vectors};
pub use network::{Network, Trace};
pub use schedule::learning_rate;
pub use train::{DeviceDataset, Observer, Trainer, evaluate};
