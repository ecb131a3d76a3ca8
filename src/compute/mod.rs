//! Trains and evaluates networks on a device: with the program's own arithmetic on a CPU or a GPU, or with libtorch.
//! Its public functions take and return plain data, so other modules do not depend on the device.
//!
//! libtorch is not in this library: the executable `mnist-report-libtorch` provides it (`src/engine`).

mod choice;
mod cpu;
mod device;
mod environment;
mod error;
mod gpu;
mod libtorch_program;
mod trainer;

pub use choice::DeviceChoice;
pub use device::{Device, GPU_VARIABLE, libtorch, provide_libtorch};
pub use environment::{Environment, Gpu};
pub use error::Error;
pub use libtorch_program::{LIBTORCH_PROGRAM, libtorch_program};
pub use trainer::{Observer, Trainer};

use crate::arithmetic::LayerShapes;
use crate::dataset::Selection;
use crate::model::Model;
use crate::study::{Input, RunPlan};
use crate::tensors::NamedTensor;

/// A network on a device.
pub trait Network {
    /// Copies of all parameters and buffers, with PyTorch's names.
    fn tensors(&self) -> Vec<NamedTensor>;

    /// The gradients of the last step, with the parameters' names.
    fn gradients(&self) -> Vec<NamedTensor>;

    /// Sets all parameters and buffers.
    ///
    /// # Errors
    /// A tensor is missing or has another shape, or there are too many tensors.
    fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), Error>;

    /// Logits `[images, classes]` in evaluation mode, in row-major order.
    fn evaluate(&self, images: &Selection, input: &Input) -> Vec<f32>;
}

/// How many steps of a training were replayed from recordings on a GPU (CUDA graphs).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Recorded {
    /// Recordings in use: recorded, and checked to give the same bits.
    pub kinds: usize,
    /// Steps that were replayed, without those that only checked a recording.
    pub steps: usize,
    /// Why the last failed recording failed; `None` if none did.
    pub refused: Option<String>,
}

/// The versions of a GPU's software. The bits of the program's own arithmetic do not depend on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuSoftware {
    /// The driver, and for the program's own arithmetic the version of CUDA that it supports.
    pub driver: String,
    /// The compiler of the kernels; `None` for libtorch's.
    pub nvrtc: Option<String>,
}

/// A device that computes.
pub trait Backend {
    /// What the bits of its results depend on.
    fn environment(&self) -> Environment;
    /// The GPU's name; `None` if the device is not a GPU.
    fn gpu_name(&self) -> Option<String>;
    /// The versions of the GPU's software; `None` if the device is not a GPU.
    fn gpu_software(&self) -> Option<GpuSoftware> {
        None
    }
    /// A network with initial weights drawn from the seed's streams (PyTorch's default initialisation).
    fn network(&self, model: &Model, seed: u64) -> Box<dyn Network>;
    /// A training before its first step; see [`Trainer::new`].
    fn trainer<'a>(
        &self,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        images: &'a Selection,
        seed: u64,
    ) -> Box<dyn Steps + 'a>;
    /// The speed of a large operator, in multiply-adds per second.
    fn mult_add_rate(&self) -> f64;
}

/// libtorch, where the executable links it.
pub trait Libtorch: Sync {
    /// Starts libtorch on this GPU, counted from 0; `None` means the CPU.
    ///
    /// # Errors
    /// The GPU does not exist, or libtorch or CUDA rejects a setting.
    fn start(&self, gpu: Option<usize>, tf32: bool) -> Result<Box<dyn Backend>, Error>;
    /// The version of libtorch, such as 2.11.0.
    fn version(&self) -> String;
    /// The shapes that libtorch's operators give, on the CPU, to one image in each layer of a network, batch first.
    ///
    /// # Errors
    /// libtorch rejects a setting.
    fn trace_shapes(&self, model: &Model) -> Result<Vec<LayerShapes>, Error>;
    /// Why the steps of a training could not be recorded on a GPU; `None` if all could.
    fn recording_failure(&self) -> Option<&'static str>;
}

/// A training on a device, step by step. A step depends only on the plan, the seed, the state (weights, buffers,
/// optimizer) and the number of the step, so a training can continue from any saved state.
pub trait Steps {
    /// Number of steps done since the start of the run.
    fn done(&self) -> usize;
    /// Trains the next batch.
    fn step(&mut self);
    /// The mean loss of the last step; 0 before the first one. On a GPU, waits for that step.
    fn last_loss(&self) -> f32 {
        self.epoch_losses().last().copied().unwrap_or_default()
    }
    /// The mean loss of each step of the current epoch, in order.
    fn epoch_losses(&self) -> Vec<f32>;
    /// The network in its current state.
    fn network(&self) -> &dyn Network;
    /// See [`Trainer::load_weights`].
    ///
    /// # Errors
    /// Same as [`Trainer::load_weights`].
    fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), Error>;
    /// See [`Trainer::set_validation_losses`].
    fn set_validation_losses(&mut self, losses: &[f64]);
    /// See [`Trainer::state`].
    fn state(&self) -> Vec<NamedTensor>;
    /// See [`Trainer::recorded`].
    fn recorded(&self) -> Recorded {
        Recorded::default()
    }
    /// See [`Trainer::load_state`].
    ///
    /// # Errors
    /// Same as [`Trainer::load_state`].
    fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), Error>;
}
