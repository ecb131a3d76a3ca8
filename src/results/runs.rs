//! The results of runs: each seed's losses, predictions and hashes.

use serde::{Deserialize, Serialize};

use super::digits::Misread;
use super::facts::PlanFacts;
use super::statistics::Summary;
use crate::dataset::CLASSES;

/// A run: what was done, and each seed's outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    pub plan: PlanFacts,
    pub seeds: Vec<SeedResult>,
}

/// One seed's run.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SeedResult {
    pub seed: u64,
    /// SHA-256 over the indices of the training images (little-endian u32, in order).
    pub subset_sha256: String,
    /// SHA-256 of the first weights as safetensors.
    pub initial_weights_sha256: String,
    /// SHA-256 of the final weights as safetensors: the bundle's file.
    pub weights_sha256: String,
    pub epochs: Vec<EpochResult>,
    /// Rows are true classes, columns predicted ones; the last epoch's test.
    pub confusion: [[usize; CLASSES]; CLASSES],
    /// The wrong predictions that the network is surest of.
    pub misread: Vec<Misread>,
    /// Mean cross-entropy over the test images after the last epoch.
    pub test_loss: f64,
    /// The notes' figure: sum of the batches' mean losses over the number of images.
    pub notes_loss: f64,
    /// Hashes of the whole state at steps of the training: what `verify --upto replay` starts from.
    pub chain: Vec<Segment>,
}

/// A stretch of training between two hashed states.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Batches done at its start.
    pub step: usize,
    /// Batches in it.
    pub steps: usize,
    /// SHA-256 of weights, buffers and optimizer state as safetensors.
    pub start_sha256: String,
    pub end_sha256: String,
}

/// After one epoch.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EpochResult {
    /// From 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean over the epoch's batches while it trained (dropout on, weights moving).
    pub train_loss: f64,
    /// The training images evaluated as the test images are, where the study asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_eval: Option<Evaluated>,
    /// The training images that the run holds out, evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Evaluated>,
    pub test: Evaluated,
}

/// A set of images evaluated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Evaluated {
    pub images: usize,
    pub correct: usize,
    /// Mean cross-entropy.
    pub loss: f64,
}

impl Evaluated {
    /// Correct over images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

impl SeedResult {
    /// Test images predicted right.
    pub fn correct(&self) -> usize {
        (0..CLASSES).map(|c| self.confusion[c][c]).sum()
    }

    /// Test accuracy, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.images() as f64
    }

    /// Test images.
    pub fn images(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// For each class, the share of its test images predicted right (recall).
    pub fn per_class(&self) -> [f64; CLASSES] {
        std::array::from_fn(|c| self.confusion[c][c] as f64 / self.confusion[c].iter().sum::<usize>() as f64)
    }

    /// For each class, how many test images were predicted as it.
    pub fn predicted(&self) -> [usize; CLASSES] {
        std::array::from_fn(|c| self.confusion.iter().map(|row| row[c]).sum())
    }
}

impl RunResult {
    /// Test accuracy, mean over seeds.
    pub fn accuracy(&self) -> f64 {
        self.mean(SeedResult::accuracy)
    }

    /// Test accuracy over seeds; its interval ends where accuracies do.
    pub fn accuracies(&self) -> Summary {
        let mut summary = Summary::of(&self.seeds.iter().map(SeedResult::accuracy).collect::<Vec<_>>());
        if let Some(interval) = &mut summary.interval {
            (interval.lower, interval.upper) = (interval.lower.max(0.0), interval.upper.min(1.0));
        }
        summary
    }

    /// Mean test loss, mean over seeds.
    pub fn test_loss(&self) -> f64 {
        self.mean(|s| s.test_loss)
    }

    /// Accuracy on the images that the run holds out, after the last epoch, mean over seeds.
    pub fn held_out_accuracy(&self) -> Option<f64> {
        let of = |s: &SeedResult| Some(s.epochs.last()?.held_out?.accuracy());
        let accuracies: Vec<f64> = self.seeds.iter().map(of).collect::<Option<_>>()?;
        Some(accuracies.iter().sum::<f64>() / accuracies.len() as f64)
    }

    /// The mean over seeds of any value.
    pub fn mean(&self, value: impl Fn(&SeedResult) -> f64) -> f64 {
        self.seeds.iter().map(value).sum::<f64>() / self.seeds.len() as f64
    }
}
