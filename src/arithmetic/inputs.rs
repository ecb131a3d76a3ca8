//! What a training step reads besides the training's state: which images and how they are changed, which dropout masks, and
//! the optimizer's factors of that step (learning rate, momentum, bias corrections). It depends on the model, the plan, the seed and
//! the number of images.

use super::augment::epoch_changes;
use super::masks::Masks;
use super::optimizers::factors;
use super::schedule::{learning_rate, momentum};
use crate::dataset::ImageOrder;
use crate::model::Model;
use crate::rng::{Purpose, Stream};
use crate::study::RunPlan;
use kernels::augment::AffineMap;

/// The inputs of all steps of one seed of a run.
pub(super) struct StepInputs<'a> {
    plan: &'a RunPlan,
    seed: u64,
    masks: Masks,
    /// Images in an epoch.
    images: usize,
    /// The validation losses of the epochs so far.
    pub validation_losses: Vec<f64>,
    /// The epoch that was prepared last.
    epoch: Option<Epoch>,
    /// The masks of the last step.
    drawn: Vec<Vec<f32>>,
}

/// The images of an epoch.
struct Epoch {
    /// Counted from 1.
    number: usize,
    /// See [`epoch_order`].
    order: Vec<u32>,
    /// See [`epoch_changes`].
    changes: Option<Vec<AffineMap>>,
}

/// What one step reads.
pub(super) struct Batch<'a> {
    /// The images' positions in the dataset.
    pub images: &'a [u32],
    /// How each of them is changed; `None` if the run does not augment.
    pub changes: Option<&'a [AffineMap]>,
    /// Each dropout layer's name with its mask.
    pub masks: Vec<(&'a str, &'a [f32])>,
    /// The optimizer's factors of this step, in the order of [`factors`].
    pub factors: Vec<f32>,
}

impl<'a> StepInputs<'a> {
    /// The inputs of a training on a dataset of `images` images.
    pub(super) fn new(model: &Model, plan: &'a RunPlan, seed: u64, images: usize) -> Self {
        let masks = Masks::new(model, plan, seed);
        Self { plan, seed, masks, images, validation_losses: Vec::new(), epoch: None, drawn: Vec::new() }
    }

    /// The inputs of a step. `step` counts from 0 through all epochs.
    pub(super) fn batch(&mut self, step: usize) -> Batch<'_> {
        let (steps, size) = (self.plan.steps_per_epoch(), self.plan.settings.batch_size);
        let (number, in_epoch) = (step / steps + 1, step % steps);
        let factors = factors_of(self.plan, step, &self.validation_losses);
        if self.epoch.as_ref().is_some_and(|epoch| epoch.number != number) {
            self.epoch = None;
        }
        let (plan, seed, count) = (self.plan, self.seed, self.images);
        let Epoch { order, changes, .. } = self.epoch.get_or_insert_with(|| Epoch {
            number,
            order: epoch_order(plan, seed, number, count),
            changes: epoch_changes(plan, seed, number, count),
        });
        let batch = (in_epoch * size).min(count)..((in_epoch + 1) * size).min(count);
        let (images, changes) = (&order[batch.clone()], changes.as_ref().map(|changes| &changes[batch]));
        self.masks.draw(step, images.len(), &mut self.drawn);
        let masks = self.masks.layers.iter().zip(&self.drawn).map(|(layer, mask)| (layer.name.as_str(), &mask[..]));
        Batch { images, changes, masks: masks.collect(), factors }
    }
}

/// The positions in the dataset of an epoch's images, in training order. Epochs count from 1.
pub fn epoch_order(plan: &RunPlan, seed: u64, epoch: usize, images: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..images as u32).collect();
    if plan.settings.order == ImageOrder::Shuffled {
        Stream::new(seed, Purpose::Order { epoch }).shuffle(&mut order);
    }
    order
}

/// The optimizer's factors of a step (see [`factors`]). `step` counts from 0 through all epochs; `validation_losses` are those
/// of the epochs before.
pub fn factors_of(plan: &RunPlan, step: usize, validation_losses: &[f64]) -> Vec<f32> {
    let settings = &plan.settings;
    let lr = learning_rate(settings, step, validation_losses);
    let momentum = momentum(&settings.schedule, step, plan.total_steps());
    factors(&settings.optimizer, lr, momentum, step as u64 + 1)
}
