//! The program's own arithmetic, on a GPU, with the same bits as on the CPU.

use std::rc::Rc;

use super::{Backend, Environment, Error, GpuSoftware, Network, Recorded, Steps};
use crate::arithmetic::cuda::{self, Gpu};
use crate::dataset::Selection;
use crate::model::Model;
use crate::study::{Input, RunPlan};
use crate::tensors::NamedTensor;

/// Number of images that a network without a trainer evaluates together. Does not change the bits.
const EVALUATION_BATCH: usize = 250;

/// An NVIDIA GPU.
pub(super) struct NvidiaGpu {
    pub gpu: Rc<dyn Gpu>,
    pub name: String,
    pub software: GpuSoftware,
}

impl NvidiaGpu {
    /// Opens the GPU with this index, from 0.
    #[cfg(feature = "cuda")]
    pub(super) fn open(index: usize) -> Result<Self, String> {
        use super::Device;
        use crate::paths;
        use crate::text::error_chain;

        let folders = [paths::here_or_in_repository("libtorch/nvidia/cu13/lib")];
        let cache = paths::user_cache().map(|folder| folder.join("cuda"));
        let cuda::Opened { gpu, name, cuda, nvrtc } =
            cuda::open(index, &folders, cache.as_deref()).map_err(error_chain)?;
        let driver = format!("{}, CUDA {cuda}", Device::gpu_driver());
        Ok(Self { gpu, name, software: GpuSoftware { driver, nvrtc: Some(nvrtc) } })
    }

    #[cfg(not(feature = "cuda"))]
    pub(super) fn open(_index: usize) -> Result<Self, String> {
        Err("this program was built without CUDA".to_owned())
    }
}

impl Backend for NvidiaGpu {
    fn environment(&self) -> Environment {
        Environment::own()
    }

    fn gpu_name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn gpu_software(&self) -> Option<GpuSoftware> {
        Some(self.software.clone())
    }

    fn network(&self, model: &Model, seed: u64) -> Box<dyn Network> {
        Box::new(cuda::Network::new(&self.gpu, model, seed, EVALUATION_BATCH))
    }

    fn trainer<'a>(
        &self,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        images: &'a Selection,
        seed: u64,
    ) -> Box<dyn Steps + 'a> {
        Box::new(cuda::Trainer::new(&self.gpu, model, plan, input, images, seed))
    }

    fn mult_add_rate(&self) -> f64 {
        cuda::convolution_rate(&*self.gpu)
    }
}

// The types' own methods take precedence over the trait's, so the calls below are not recursive.

impl Network for cuda::Network {
    fn tensors(&self) -> Vec<NamedTensor> {
        self.tensors()
    }

    fn gradients(&self) -> Vec<NamedTensor> {
        self.gradients()
    }

    fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), Error> {
        self.load(tensors).map_err(Error::Tensors)
    }

    fn evaluate(&self, images: &Selection, input: &Input) -> Vec<f32> {
        cuda::evaluate(self, images, input)
    }
}

impl Steps for cuda::Trainer<'_> {
    fn done(&self) -> usize {
        self.done()
    }

    fn step(&mut self) {
        self.step();
    }

    fn epoch_losses(&self) -> Vec<f32> {
        self.epoch_losses()
    }

    fn network(&self) -> &dyn Network {
        self.network()
    }

    fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), Error> {
        self.load_weights(tensors).map_err(Error::Tensors)
    }

    fn set_validation_losses(&mut self, losses: &[f64]) {
        self.set_validation_losses(losses);
    }

    fn state(&self) -> Vec<NamedTensor> {
        self.state()
    }

    fn recorded(&self) -> Recorded {
        let [kinds, steps] = self.recordings();
        let refused = self.is_unrecorded().then(|| "the driver does not record them".to_owned());
        Recorded { kinds, steps, refused }
    }

    fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), Error> {
        self.load_state(state, done).map_err(Error::Tensors)
    }
}
