//! libtorch: trains on a GPU, and checks the program's own arithmetic as an independent witness on a CPU. No other
//! module uses `tch`.
//!
//! It is a module of the executable `mnist-report-libtorch` and not of the library, so that `mnist-report` starts
//! without libtorch. [`LIBTORCH`] is its interface, which takes and returns plain data (`f32`, `u8`, names), no
//! tensors.

mod backend;
mod clip;
mod device;
mod error;
mod ffi;
mod flat;
mod graph;
mod masks;
mod network;
mod optimizer;
#[cfg(test)]
#[path = "../arithmetic/testing.rs"]
mod testing;
mod train;

use mnist_report::arithmetic::LayerShapes;
use mnist_report::compute::{self, Backend, Libtorch};
use mnist_report::model::Model;

use device::Engine;
use error::Error;
use network::Network;
use train::Trainer;
#[allow(unused_imports, reason = "not every program with this module uses them")]
pub(crate) use {ffi::quick_exit, graph::set_step_recording};

/// libtorch, for `compute::provide_libtorch`.
pub(crate) static LIBTORCH: Provided = Provided;

/// See [`LIBTORCH`].
pub(crate) struct Provided;

impl Libtorch for Provided {
    fn start(&self, gpu: Option<usize>, tf32: bool) -> Result<Box<dyn Backend>, compute::Error> {
        let engine = Engine::start(gpu, tf32).map_err(|error| compute::Error::Libtorch(error.to_string()))?;
        Ok(Box::new(engine))
    }

    fn version(&self) -> String {
        ffi::torch_version()
    }

    fn trace_shapes(&self, model: &Model) -> Result<Vec<LayerShapes>, compute::Error> {
        let engine = Engine::start(None, false).map_err(|error| compute::Error::Libtorch(error.to_string()))?;
        Ok(Network::new(&engine, model, 0).trace(model.input))
    }

    fn recording_failure(&self) -> Option<&'static str> {
        graph::recording_failure()
    }
}
