//! Implements the traits of `compute` for libtorch.

use mnist_report::compute::{Backend, Device, Environment, Error, GpuSoftware, Network, Recorded, Steps};
use mnist_report::dataset::Selection;
use mnist_report::model::Model;
use mnist_report::study::{Input, RunPlan};
use mnist_report::tensors::NamedTensor;

use super::graph::ReplayStats;
use super::{Engine, train};

impl Backend for Engine {
    fn environment(&self) -> Environment {
        Environment { gpu: Some(self.facts()), ..Environment::own() }
    }

    fn gpu_name(&self) -> Option<String> {
        self.is_gpu().then(|| self.facts().name)
    }

    fn gpu_software(&self) -> Option<GpuSoftware> {
        self.is_gpu().then(|| GpuSoftware { driver: Device::gpu_driver(), nvrtc: None })
    }

    fn network(&self, model: &Model, seed: u64) -> Box<dyn Network> {
        Box::new(super::Network::new(self, model, seed))
    }

    fn trainer<'a>(
        &self,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        images: &'a Selection,
        seed: u64,
    ) -> Box<dyn Steps + 'a> {
        Box::new(super::Trainer::new(self, model, plan, input, images, seed))
    }

    fn mult_add_rate(&self) -> f64 {
        self.mult_add_rate()
    }
}

impl Network for super::Network {
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
        train::evaluate(self, images, input)
    }
}

impl Steps for super::Trainer<'_> {
    fn done(&self) -> usize {
        self.done()
    }

    fn step(&mut self) {
        self.step();
    }

    fn last_loss(&self) -> f32 {
        self.last_loss()
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
        let ReplayStats { recordings, replayed_steps, failure } = self.replay_stats();
        Recorded { kinds: recordings, steps: replayed_steps, refused: failure }
    }

    fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), Error> {
        self.load_state(state, done).map_err(Error::Tensors)
    }
}
