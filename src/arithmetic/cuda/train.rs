//! Training steps and evaluation on a GPU. All inputs that change from step to step are on the GPU, with a counter that
//! the last kernel of each step advances. So all steps with the same number of images consist of the same launches,
//! which are recorded once and then replayed.

use std::rc::Rc;

use super::clip::Clip;
use super::cross_entropy::LossPlace;
use super::gpu::{Gpu, Grid, Memory, Recording};
use super::inputs::{Chosen, Images};
use super::layers::{Keys, Mask};
use super::network::Network;
use super::optimizers::{Factors, Rule};
use crate::arithmetic::inputs::{epoch_order, factors_of};
use crate::arithmetic::masks::Masks;
use crate::arithmetic::train::EVALUATION_BATCH;
use crate::arithmetic::{Clipping, epoch_changes};
use crate::dataset::Selection;
use crate::model::Model;
use crate::study::{Input, RunPlan};
use crate::tensors::{LoadError, NamedTensor, check_count};

/// Number of bytes in a ChaCha8 key.
const KEY: usize = 32;

/// What the steps of the current epoch read and write on the GPU besides the training's state.
#[derive(Debug)]
struct Epoch {
    /// The number of the step in the epoch, a u32 that counts from 0.
    step: Memory,
    /// The positions in the dataset of the epoch's images, as u32.
    order: Memory,
    /// The affine map of each of these images, if they are changed.
    changes: Option<Memory>,
    /// See [`Factors`].
    factors: Memory,
    factors_per_step: usize,
    /// The key of each dropout layer for each step.
    keys: Memory,
    /// The mean loss of each step.
    losses: Memory,
}

impl Epoch {
    fn new(gpu: &dyn Gpu, plan: &RunPlan, masks: &Masks, images: usize) -> Self {
        let steps = plan.steps_per_epoch();
        let factors_per_step = factors_of(plan, 0, &[]).len() + 1;
        Self {
            step: gpu.allocate(4),
            order: gpu.allocate(4 * images),
            changes: plan.settings.augment.map(|_| gpu.values(6 * images)),
            factors: gpu.values(steps * factors_per_step),
            factors_per_step,
            keys: gpu.allocate(steps * masks.layers.len() * KEY),
            losses: gpu.values(steps),
        }
    }
}

/// How to launch the steps with a given number of images.
#[derive(Debug)]
enum Launches {
    /// Executed once directly, so that the GPU has loaded all kernels.
    Once,
    Recorded(Recording),
    /// Executed directly, because the GPU cannot record them.
    Direct,
}

/// The training of one seed of a run on a GPU.
#[derive(Debug)]
pub struct Trainer<'a> {
    plan: &'a RunPlan,
    seed: u64,
    masks: Masks,
    images: Images,
    /// Number of images in an epoch.
    len: usize,
    /// The validation losses of the epochs so far.
    validation_losses: Vec<f64>,
    epoch: Epoch,
    /// The epoch whose inputs are on the GPU, and the first of its steps that used them. Both count from 0.
    prepared: Option<(usize, usize)>,
    network: Network,
    clip: Option<Clip>,
    rule: Rule,
    launches: Vec<(usize, Launches)>,
    /// Number of steps that were replayed from a recording.
    replayed: usize,
    /// Number of steps done.
    done: usize,
}

impl<'a> Trainer<'a> {
    /// A training before its first step. `dataset` holds the run's images in the order of `RunPlan::choose`.
    pub fn new(
        gpu: &Rc<dyn Gpu>,
        model: &Model,
        plan: &'a RunPlan,
        input: &Input,
        dataset: &Selection,
        seed: u64,
    ) -> Self {
        let (masks, batch) = (Masks::new(model, plan, seed), plan.settings.batch_size.min(dataset.len()));
        let mut network = Network::new(gpu, model, seed, batch.max(EVALUATION_BATCH));
        network.set_label_smoothing(plan.settings.label_smoothing);
        let epoch = Epoch::new(&**gpu, plan, &masks, dataset.len());
        let keys = |i: usize| Keys {
            first: epoch.keys.address().offset_bytes(i * KEY),
            stride: masks.layers.len() * KEY,
            step: epoch.step.address(),
        };
        let drawn = masks.layers.iter().enumerate().map(|(i, layer)| (layer.name.as_str(), Mask::Drawn(keys(i))));
        network.set_masks(&drawn.collect::<Vec<_>>());
        Self {
            plan,
            seed,
            images: Images::new(&**gpu, dataset, input, batch),
            len: dataset.len(),
            validation_losses: Vec::new(),
            epoch,
            prepared: None,
            clip: Clipping::of(&plan.settings).map(|clipping| Clip::new(&**gpu, clipping, &network.gradients)),
            rule: Rule::new(&**gpu, &plan.settings.optimizer, &network.parameters),
            network,
            masks,
            launches: Vec::new(),
            replayed: 0,
            done: 0,
        }
    }

    fn gpu(&self) -> &dyn Gpu {
        &*self.network.gpu
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

    /// The state of the training, as in `arithmetic::Trainer::state`. Waits for the GPU.
    pub fn state(&self) -> Vec<NamedTensor> {
        let mut state = self.network.tensors();
        for (list, values) in self.rule.state() {
            let prefix = format!("{}{list}.", NamedTensor::OPTIMIZER);
            state.extend(self.network.named_like_parameters(&prefix, values));
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
        for (list, values) in self.rule.state() {
            let prefix = format!("{}{list}.", NamedTensor::OPTIMIZER);
            used += self.network.load_like_parameters(&prefix, values, &optimizer)?;
        }
        check_count(&optimizer, "optimizer", used)?;
        self.done = done;
        self.prepared = None;
        Ok(())
    }

    /// Sets the validation losses of the epochs so far, on which the learning rate may depend from the next epoch on.
    pub fn set_validation_losses(&mut self, losses: &[f64]) {
        self.validation_losses = losses.to_vec();
    }

    /// The mean losses of the current epoch's steps, in order. After `load_state`, only those of the steps since then.
    /// Waits for the GPU.
    pub fn epoch_losses(&self) -> Vec<f32> {
        let Some((epoch, first)) = self.prepared else { return Vec::new() };
        let end = self.done - epoch * self.plan.steps_per_epoch();
        self.gpu().read_values(self.epoch.losses.address().offset(first), end - first)
    }

    /// Trains the next batch. Does not wait for the GPU.
    pub fn step(&mut self) {
        let steps = self.plan.steps_per_epoch();
        let (epoch, in_epoch) = (self.done / steps, self.done % steps);
        if self.prepared.is_none_or(|(prepared, _)| prepared != epoch) {
            self.prepare(epoch, in_epoch);
        }
        let batch = self.plan.settings.batch_size;
        let images = self.len.saturating_sub(in_epoch * batch).min(batch);
        self.launch(images);
        self.done += 1;
    }

    /// Copies the inputs of an epoch's steps to the GPU. `in_epoch` is the next step in the epoch.
    fn prepare(&mut self, epoch: usize, in_epoch: usize) {
        let (gpu, steps) = (self.gpu(), self.plan.steps_per_epoch());
        let first = epoch * steps;
        let order = epoch_order(self.plan, self.seed, epoch + 1, self.len);
        let order: Vec<u8> = order.iter().flat_map(|position| position.to_le_bytes()).collect();
        gpu.write(self.epoch.order.address(), &order);
        if let Some(memory) = &self.epoch.changes {
            let changes = epoch_changes(self.plan, self.seed, epoch + 1, self.len).unwrap_or_default();
            gpu.write_values(memory.address(), &changes.iter().flat_map(|map| map.0).collect::<Vec<f32>>());
        }
        let of_step = |step: usize| {
            let is_first = if step == 0 { 1.0 } else { 0.0 };
            [factors_of(self.plan, step, &self.validation_losses), vec![is_first]].concat()
        };
        let factors: Vec<f32> = (first..first + steps).flat_map(of_step).collect();
        gpu.write_values(self.epoch.factors.address(), &factors);
        let masks = &self.masks;
        let of_step = |step: usize| masks.layers.iter().map(move |layer| masks.stream(&layer.name, step).key());
        let keys: Vec<u8> = (first..first + steps).flat_map(of_step).flatten().collect();
        gpu.write(self.epoch.keys.address(), &keys);
        gpu.write(self.epoch.step.address(), &(in_epoch as u32).to_le_bytes());
        self.prepared = Some((epoch, in_epoch));
    }

    /// Launches a step with this number of images.
    fn launch(&mut self, images: usize) {
        let Some(at) = self.launches.iter().position(|(n, _)| *n == images) else {
            self.launch_step(images);
            self.launches.push((images, Launches::Once));
            return;
        };
        if matches!(self.launches[at].1, Launches::Once) {
            let recording = self.gpu().record(&mut || self.launch_step(images));
            self.launches[at].1 = recording.map_or(Launches::Direct, Launches::Recorded);
        }
        match &self.launches[at].1 {
            Launches::Recorded(recording) => {
                self.gpu().replay(recording);
                self.replayed += 1;
            }
            _ => self.launch_step(images),
        }
    }

    /// The number of recordings, and the number of steps that were replayed from them.
    pub fn recordings(&self) -> [usize; 2] {
        let recorded = self.launches.iter().filter(|(_, launches)| matches!(launches, Launches::Recorded(_)));
        [recorded.count(), self.replayed]
    }

    /// Whether the GPU could not record some steps.
    pub fn is_unrecorded(&self) -> bool {
        self.launches.iter().any(|(_, launches)| matches!(launches, Launches::Direct))
    }

    fn launch_step(&self, images: usize) {
        let (gpu, step) = (self.gpu(), self.epoch.step.address());
        let batch = self.plan.settings.batch_size;
        let (order, changes) = (self.epoch.order.address(), self.epoch.changes.as_ref().map(Memory::address));
        self.images.choose(gpu, images, Chosen::Ordered { order, changes, step, batch });
        self.network.train(images, self.images.x());
        let loss = LossPlace { step, losses: self.epoch.losses.address() };
        self.network.backward(images, self.images.x(), self.images.labels(), loss);
        if let Some(clip) = &self.clip {
            clip.launch(gpu, &self.network.gradients);
        }
        let factors = Factors { values: self.epoch.factors.address(), count: self.epoch.factors_per_step, step };
        self.rule.step(gpu, &self.network.parameters, &self.network.gradients, factors);
        gpu.launch("end_step", Grid::blocks(1, 1), &[step.into()]);
    }
}

/// Logits `[images, classes]` of a dataset's images, in evaluation mode, in row-major order.
pub fn evaluate(network: &Network, dataset: &Selection, input: &Input) -> Vec<f32> {
    let (gpu, batch) = (&*network.gpu, network.images);
    let images = Images::new(gpu, dataset, input, batch);
    let classes = network.classes();
    let logits = gpu.values(dataset.len() * classes);
    for first in (0..dataset.len()).step_by(batch) {
        let count = batch.min(dataset.len() - first);
        images.choose(gpu, count, Chosen::From(first));
        network.evaluate(count, images.x(), logits.address().offset(first * classes));
    }
    gpu.read_values(logits.address(), dataset.len() * classes)
}

#[cfg(test)]
mod tests;
