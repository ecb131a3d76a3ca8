//! Trains and evaluates networks with libtorch and the program's own CPU kernels: devices, weights, training steps,
//! evaluation. No other module uses `tch` or `unsafe`. Its public functions take and return plain data (`f32`, `u8`,
//! names), no tensors of libtorch.

mod device;
mod error;
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

pub use device::{DeviceChoice, Engine, Environment, restart_without_overrides};
pub use error::Error;
pub use failure::caught;
pub use ffi::quick_exit;
pub use graph::{ReplayStats, recording_failure, set_step_recording};
pub use kernels::{Vectors, choose as choose_vectors};
pub use network::{LayerShapes, Network};
pub use optimizer::state_values;
pub use schedule::learning_rate;
pub use train::{DeviceDataset, Observer, Trainer, evaluate};
