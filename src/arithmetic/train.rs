//! Training steps and evaluation. A training step depends only on the plan, the seed, the state (weights, buffers,
//! optimizer) and the number of the step, so training can continue from any saved state.

use super::clip::Clipping;
use super::inputs::StepInputs;
use super::network::{Network, channels_last};
use super::optimizers::Rule;
use crate::dataset::{PIXELS, Selection};
use crate::model::Model;
use crate::study::{Input, RunPlan};
use crate::tensors::{LoadError, NamedTensor, check_count};
use kernels::augment::{AffineMap, change_image};
use kernels::threads::for_each_job;

/// Number of images that are evaluated together. Does not change the bits.
pub(super) const EVALUATION_BATCH: usize = 250;

/// Converts images from bytes to a network's input, as torchvision's ToTensor and Normalize do.
pub(super) struct Normalise {
    /// The value of each byte: `(byte / 255 - mean) / std`, each operation rounded to f32.
    pub values: Vec<f32>,
    pub mean: f32,
    pub std: f32,
    shape: [usize; 3],
}

impl Normalise {
    pub(super) fn new(input: &Input) -> Self {
        let (mean, std) = (input.mean as f32, input.std as f32);
        let value = |byte: u8| (f32::from(byte) / 255.0 - mean) / std;
        Self { values: (0..=255).map(value).collect(), mean, std, shape: input.shape }
    }

    /// Images as `[images, height, width, channels]`.
    fn images<'a>(&self, images: impl Iterator<Item = &'a [u8]>) -> Vec<f32> {
        let values: Vec<f32> = images.flatten().map(|byte| self.values[usize::from(*byte)]).collect();
        if self.shape[0] == 1 { values } else { channels_last(&values, self.shape) }
    }

    /// Images of one channel, the first changed by the first map and so on.
    fn changed(&self, images: &[&[u8]], changes: &[AffineMap]) -> Vec<f32> {
        let mut all = vec![0.0; images.len() * PIXELS];
        for_each_job(all.chunks_mut(PIXELS).zip(images.iter().zip(changes)), |(values, (image, change))| {
            change_image(image, *change, values);
            for value in values {
                *value = (*value / 255.0 - self.mean) / self.std;
            }
        });
        all
    }
}

/// The training of one seed of a run.
pub struct Trainer<'a> {
    plan: &'a RunPlan,
    dataset: &'a Selection,
    normalise: Normalise,
    inputs: StepInputs<'a>,
    network: Network,
    rule: Rule,
    /// Number of steps done.
    done: usize,
    /// The mean losses of the current epoch's steps.
    losses: Vec<f32>,
}

impl<'a> Trainer<'a> {
    /// A training before its first step. `dataset` holds the run's images in the order of `RunPlan::choose`.
    pub fn new(model: &Model, plan: &'a RunPlan, input: &Input, dataset: &'a Selection, seed: u64) -> Self {
        let mut network = Network::new(model, seed);
        network.set_label_smoothing(plan.settings.label_smoothing);
        let rule = Rule::new(&plan.settings.optimizer, &network.parameters);
        let inputs = StepInputs::new(model, plan, seed, dataset.len());
        Self { plan, dataset, normalise: Normalise::new(input), inputs, network, rule, done: 0, losses: Vec::new() }
    }

    /// Number of steps done since the start of the run.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The network in its current state.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Replaces the network's parameters and buffers.
    ///
    /// # Errors
    /// Same as `Network::load`.
    pub fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), LoadError> {
        self.network.load(tensors)
    }

    /// The state of the training: parameters and buffers with PyTorch's names, and the optimizer's tensors with names
    /// such as `optimizer.exp_avg.conv1.weight`. To continue from it, `load_state` also needs `done`.
    pub fn state(&self) -> Vec<NamedTensor> {
        let mut state = self.network.tensors();
        for (list, values) in self.rule.state() {
            state.extend(self.network.named_like_parameters(&format!("{}{list}.", NamedTensor::OPTIMIZER), values));
        }
        state
    }

    /// Continues from a state after `done` steps.
    ///
    /// # Errors
    /// A tensor is missing or has another shape, or there are too many tensors.
    pub fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), LoadError> {
        let (optimizer, weights): (Vec<_>, Vec<_>) = state.iter().cloned().partition(NamedTensor::is_optimizer_state);
        self.network.load(&weights)?;
        let mut used = 0;
        for (list, values) in self.rule.state_mut() {
            let prefix = format!("{}{list}.", NamedTensor::OPTIMIZER);
            used += self.network.load_like_parameters(&prefix, values, &optimizer)?;
        }
        check_count(&optimizer, "optimizer", used)?;
        self.done = done;
        Ok(())
    }

    /// Sets the validation losses of the epochs so far, on which the learning rate may depend from the next epoch on.
    pub fn set_validation_losses(&mut self, losses: &[f64]) {
        self.inputs.validation_losses = losses.to_vec();
    }

    /// The mean loss of each step of the current epoch, in order.
    pub fn epoch_losses(&self) -> &[f32] {
        &self.losses
    }

    /// Trains the next batch.
    pub fn step(&mut self) {
        let batch = self.inputs.batch(self.done);
        let images = batch.images.iter().map(|i| self.dataset.image(*i as usize));
        let images = match batch.changes {
            None => self.normalise.images(images),
            Some(changes) => self.normalise.changed(&images.collect::<Vec<_>>(), changes),
        };
        let labels: Vec<u8> = batch.images.iter().map(|i| self.dataset.labels[*i as usize]).collect();
        self.network.train(&images, &batch.masks);
        if self.done.is_multiple_of(self.plan.steps_per_epoch()) {
            self.losses.clear();
        }
        self.losses.push(self.network.backward(&images, &labels));
        let (network, first) = (&mut self.network, self.done == 0);
        if let Some(clipping) = Clipping::of(&self.plan.settings) {
            clipping.clip(&mut network.gradients);
        }
        self.rule.step(&mut network.parameters, &network.gradients, &batch.factors, first);
        self.done += 1;
    }
}

/// Logits `[images, classes]` of a dataset's images, in evaluation mode, in row-major order.
pub fn evaluate(network: &Network, dataset: &Selection, input: &Input) -> Vec<f32> {
    let normalise = Normalise::new(input);
    let mut logits = Vec::with_capacity(dataset.len() * network.classes());
    for pixels in dataset.pixels.chunks(EVALUATION_BATCH * PIXELS) {
        logits.extend(network.evaluate(&normalise.images(pixels.chunks_exact(PIXELS))));
    }
    logits
}
