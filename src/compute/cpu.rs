//! The program's own arithmetic, on the CPU.

use super::{Backend, Environment, Error, Network, Steps};
use crate::arithmetic;
use crate::dataset::Selection;
use crate::model::Model;
use crate::study::{Input, RunPlan};
use crate::tensors::NamedTensor;

/// This machine's CPU.
pub(super) struct Cpu;

impl Backend for Cpu {
    fn environment(&self) -> Environment {
        Environment::own()
    }

    fn gpu_name(&self) -> Option<String> {
        None
    }

    fn network(&self, model: &Model, seed: u64) -> Box<dyn Network> {
        Box::new(arithmetic::Network::new(model, seed))
    }

    fn trainer<'a>(
        &self,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        images: &'a Selection,
        seed: u64,
    ) -> Box<dyn Steps + 'a> {
        Box::new(arithmetic::Trainer::new(model, plan, input, images, seed))
    }

    fn mult_add_rate(&self) -> f64 {
        arithmetic::convolution_rate()
    }
}

// The types' own methods take precedence over the trait's, so the calls below are not recursive.

impl Network for arithmetic::Network {
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
        arithmetic::evaluate(self, images, input)
    }
}

impl Steps for arithmetic::Trainer<'_> {
    fn done(&self) -> usize {
        self.done()
    }

    fn step(&mut self) {
        self.step();
    }

    fn epoch_losses(&self) -> Vec<f32> {
        self.epoch_losses().to_vec()
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

    fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), Error> {
        self.load_state(state, done).map_err(Error::Tensors)
    }
}
