//! The results of runs: each seed's losses, predictions and hashes.

use serde::{Deserialize, Serialize};

use super::digits::Misclassified;
use super::statistics::Summary;
use crate::dataset::CLASSES;
use crate::study::RunSettings;

/// A run's plan and the result of each seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct RunResult {
    pub plan: RunSettings,
    pub seeds: Vec<SeedResult>,
}

/// One seed's run.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct SeedResult {
    pub seed: u64,
    /// SHA-256 over the indices of the training images (little-endian u32, in order).
    pub subset_sha256: String,
    /// SHA-256 of the initial weights as safetensors.
    pub initial_weights_sha256: String,
    /// SHA-256 of the final weights as safetensors, which is the file in the bundle.
    pub weights_sha256: String,
    pub epochs: Vec<EpochResult>,
    /// Counts of (true class, predicted class) on the test set after the last epoch.
    pub confusion: [[usize; CLASSES]; CLASSES],
    /// The wrong predictions with the highest confidence.
    #[serde(rename = "misread")]
    pub misclassified: Vec<Misclassified>,
    /// Mean cross-entropy over the test images after the last epoch.
    pub test_loss: f64,
    /// The sum of the batches' mean test losses divided by the number of images; see `Evaluation::batch_mean_loss`.
    #[serde(rename = "notes_loss")]
    pub batch_mean_loss: f64,
    /// Hashes of the training's state at the start and end of each segment; `verify --upto replay` starts from them.
    pub chain: Vec<Segment>,
}

/// A segment of a training between two hashed states.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Segment {
    /// Steps done before it.
    pub step: usize,
    /// Steps in it.
    pub steps: usize,
    /// SHA-256 of weights, buffers and optimizer state as safetensors.
    pub start_sha256: String,
    pub end_sha256: String,
}

/// The state of a training after one epoch.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct EpochResult {
    /// Counts from 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean cross-entropy for each image while it trained, with dropout and changing weights.
    pub train_loss: f64,
    /// The training images, evaluated as the test images are; only if the study asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_eval: Option<Evaluated>,
    /// The validation set, if the run has one.
    #[serde(rename = "held_out", skip_serializing_if = "Option::is_none")]
    pub validation: Option<Evaluated>,
    pub test: Evaluated,
}

/// A set of images evaluated.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
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
    /// Test images classified correctly.
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

    /// The recall of each class: the share of its test images classified correctly.
    pub fn per_class(&self) -> [f64; CLASSES] {
        std::array::from_fn(|c| self.confusion[c][c] as f64 / self.confusion[c].iter().sum::<usize>() as f64)
    }

    /// How many test images were predicted as each class.
    pub fn predicted(&self) -> [usize; CLASSES] {
        std::array::from_fn(|c| self.confusion.iter().map(|row| row[c]).sum())
    }
}

impl RunResult {
    /// Test accuracy, mean over seeds.
    pub fn accuracy(&self) -> f64 {
        self.mean(SeedResult::accuracy)
    }

    /// Test accuracy over seeds; the interval is cut to 0 to 1, and there is none for fewer than three seeds.
    pub fn accuracies(&self) -> Summary {
        let mut summary = Summary::over_seeds(&self.seeds.iter().map(SeedResult::accuracy).collect::<Vec<_>>());
        if let Some(interval) = &mut summary.interval {
            (interval.lower, interval.upper) = (interval.lower.max(0.0), interval.upper.min(1.0));
        }
        summary
    }

    /// Test loss, mean over seeds.
    pub fn test_loss(&self) -> f64 {
        self.mean(|s| s.test_loss)
    }

    /// Accuracy on the validation set after the last epoch, mean over seeds.
    pub fn validation_accuracy(&self) -> Option<f64> {
        let of = |s: &SeedResult| Some(s.epochs.last()?.validation?.accuracy());
        let accuracies: Vec<f64> = self.seeds.iter().map(of).collect::<Option<_>>()?;
        Some(accuracies.iter().sum::<f64>() / accuracies.len() as f64)
    }

    /// The mean over seeds of any value.
    pub fn mean(&self, value: impl Fn(&SeedResult) -> f64) -> f64 {
        self.seeds.iter().map(value).sum::<f64>() / self.seeds.len() as f64
    }
}
