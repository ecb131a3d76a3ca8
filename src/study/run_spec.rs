//! The types that a run is read into, with their defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Augment, Optimizer, Schedule};
use crate::dataset::{ImageOrder, Subset};

/// A training run, with `defaults` already filled in.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Its name in tables and figures. Default: the run's name.
    pub title: Option<String>,
    /// One of the models.
    pub model: String,
    /// Which training images, in which order.
    #[serde(default)]
    pub train: TrainImages,
    /// How often all its images are used, 1 to 10,000.
    pub epochs: usize,
    /// Images of a step, 1 to 60,000.
    pub batch_size: usize,
    /// The update rule, such as `{sgd: {lr: 0.01}}`.
    pub optimizer: Optimizer,
    /// How the learning rate changes. Default: `constant`.
    #[serde(default)]
    pub schedule: Schedule,
    /// Smooths the labels of the training loss, at least 0 and below 1. Every evaluation has the plain loss.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Scales the gradients of all parameters in each step so that their norm is at most this, above 0.
    pub clip_grad_norm: Option<f64>,
    /// Limits each value of the gradients to at most this, above 0, and at least minus this.
    pub clip_grad_value: Option<f64>,
    /// Shifts and rotates the training images at random, such as `{shift: 2, rotate: 10}`. Evaluated images stay as they are.
    pub augment: Option<Augment>,
    /// `false` switches every dropout layer off for this run.
    #[serde(default = "default_dropout")]
    pub dropout: bool,
    /// Ends the run after the first epoch whose mean training loss is below this.
    pub stop_below_train_loss: Option<f64>,
    /// Ends the run when the validation loss has not fallen for some epochs. Needs `hold_out`.
    pub early_stopping: Option<EarlyStopping>,
    /// Which epoch's network is stored and reported.
    #[serde(default)]
    pub report_epoch: ReportEpoch,
    /// Also evaluates the training images after each epoch, in the same way as the test images.
    #[serde(default)]
    pub evaluate_train: bool,
    /// Also evaluates the test images, and those of the validation set, within epochs: after each so many steps.
    pub evaluate_every: Option<usize>,
    /// What the bundle stores so that segments of the training can be replayed.
    #[serde(default)]
    pub evidence: EvidenceSettings,
    /// One training for each seed, which fixes initial weights, choice, order and augmentation of images, and dropout masks. Three or more give an interval.
    pub seeds: Vec<u64>,
}

fn default_dropout() -> bool {
    true
}

/// When a run ends before its last epoch, by the loss on the validation set.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// The run ends when so many epochs in a row have not lowered the lowest validation loss so far.
    pub patience: usize,
}

/// Which epoch's network is stored and reported. The test set never decides it.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ReportEpoch {
    /// The last epoch trained.
    #[default]
    Last,
    /// The epoch with the lowest validation loss, the first of equal ones. Needs `hold_out`.
    BestValidation,
}

impl ReportEpoch {
    /// Whether it is the last epoch trained.
    pub fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

/// How much of a training can be replayed. The first steps always can, because their start state follows from the seed.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceSettings {
    /// The number of segments, spread over the training, from which the stored ones are drawn. The states at their start
    /// and end are hashed.
    pub candidates: usize,
    /// How many of them are drawn after the training, to be stored with their start states. Unless it is 0, the training's
    /// last steps are stored, too. A state is the weights and the optimizer's tensors: 8 bytes a parameter with momentum,
    /// 12 with Adam.
    pub keep: usize,
    /// Whether the training's last steps are stored in any case, unless `verify` repeats the whole training.
    pub last: bool,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self { candidates: 16, keep: 0, last: true }
    }
}

/// Which training images, and in which order.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct TrainImages {
    /// `all`, `{first: N}`, `{random: N}` or `{per_class: N}`.
    pub images: Subset,
    /// Size of the validation set: training images that are held out from training and evaluated after each epoch, so
    /// that models and epochs can be chosen by them. Runs with the same number hold out the same images.
    pub hold_out: usize,
    /// `shuffled` in each epoch, `by_class` or `as_stored`.
    pub order: ImageOrder,
}
