//! The training of one seed of a run, on any device: its steps, and the loop over its epochs.

use super::{Device, Error, Network, Recorded, Steps};
use crate::dataset::Selection;
use crate::model::Model;
use crate::study::{Input, RunPlan};
use crate::tensors::NamedTensor;

/// Callbacks during a training, to evaluate the network, record data or show progress.
pub trait Observer {
    /// Why the training stopped: the observer's errors, and those of the device.
    type Error: From<Error>;

    /// Called before the first step and after each step.
    ///
    /// # Errors
    /// Any error stops the training.
    fn step(&mut self, trainer: &Trainer) -> Result<(), Self::Error>;
    /// Called after the training of each epoch, with the mean loss of each of its batches. Returns whether to continue
    /// with the next epoch.
    ///
    /// # Errors
    /// Any error stops the training.
    fn epoch(&mut self, epoch: usize, losses: &[f32], network: &dyn Network) -> Result<bool, Self::Error>;
    /// The validation losses of the epochs so far; none without a validation set.
    fn validation_losses(&self) -> Vec<f64> {
        Vec::new()
    }
    /// Called between two epochs.
    ///
    /// # Errors
    /// Any error stops the training.
    fn between_epochs(&mut self, _trainer: &Trainer) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The training of one seed of a run.
pub struct Trainer<'a> {
    plan: &'a RunPlan,
    steps: Box<dyn Steps + 'a>,
    /// Whether a loss can be read without waiting for a GPU.
    reads_losses: bool,
}

impl<'a> Trainer<'a> {
    /// A training before its first step. `images` holds the run's images in the order of `RunPlan::choose`.
    pub fn new(
        device: &Device,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        images: &'a Selection,
        seed: u64,
    ) -> Self {
        let steps = device.backend.trainer(model, plan, input, images, seed);
        Self { plan, steps, reads_losses: !device.is_gpu() }
    }

    /// Number of steps done since the start of the run.
    pub fn done(&self) -> usize {
        self.steps.done()
    }

    /// The network in its current state.
    pub fn network(&self) -> &dyn Network {
        self.steps.network()
    }

    /// Replaces the network's parameters and buffers.
    ///
    /// # Errors
    /// Same as `Network::load`.
    pub fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), Error> {
        self.steps.load_weights(tensors)
    }

    /// Sets the validation losses of the epochs so far, on which the learning rate may depend from the next epoch on. Those of
    /// later epochs do not count, so a training that repeats another one can have all of them from the start.
    pub fn set_validation_losses(&mut self, losses: &[f64]) {
        self.steps.set_validation_losses(losses);
    }

    /// The state of the training: parameters and buffers with PyTorch's names, and the optimizer's tensors with names
    /// such as `optimizer.exp_avg.conv1.weight`. To continue from it, `load_state` also needs `done`,
    /// and `set_validation_losses` the losses up to there.
    pub fn state(&self) -> Vec<NamedTensor> {
        self.steps.state()
    }

    /// Continues from a state after `done` steps.
    ///
    /// # Errors
    /// A tensor is missing or has another shape, or there are too many tensors.
    pub fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), Error> {
        self.steps.load_state(state, done)
    }

    /// How many steps a GPU replayed from recordings. All zero on a CPU.
    pub fn recorded(&self) -> Recorded {
        self.steps.recorded()
    }

    /// The mean loss of the last step. On a GPU, waits for that step.
    pub fn last_loss(&self) -> f32 {
        self.steps.last_loss()
    }

    /// Trains the next batch.
    pub fn step(&mut self) {
        self.steps.step();
    }

    /// Trains all batches of the next epoch. Returns the mean loss of each.
    fn epoch<O: Observer>(&mut self, observer: &mut O) -> Result<Vec<f32>, O::Error> {
        let steps = self.plan.steps_per_epoch();
        let epoch = self.done() / steps + 1;
        for step in 0..steps {
            self.step();
            if self.reads_losses && !self.last_loss().is_finite() {
                return Err(Error::Diverged { epoch, step: step + 1 }.into());
            }
            observer.step(self)?;
        }
        // A GPU's losses are read once per epoch, so that the GPU does not wait for the host during the epoch.
        let losses = self.steps.epoch_losses();
        if let Some(at) = losses.iter().position(|l| !l.is_finite()) {
            return Err(Error::Diverged { epoch, step: at + 1 }.into());
        }
        Ok(losses)
    }

    /// Trains to the end of the run, or until the observer stops it. Begins with the first epoch, or after the epoch
    /// whose state `load_state` loaded.
    ///
    /// # Errors
    /// `Error::Diverged` if a training loss is not finite, or the observer's error.
    pub fn run<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        if self.done() == 0 {
            observer.step(self)?;
        }
        let last = self.plan.settings.epochs;
        for epoch in self.done() / self.plan.steps_per_epoch() + 1..=last {
            let losses = self.epoch(observer)?;
            if !observer.epoch(epoch, &losses, self.network())? || epoch == last {
                break;
            }
            self.set_validation_losses(&observer.validation_losses());
            observer.between_epochs(self)?;
        }
        Ok(())
    }
}
