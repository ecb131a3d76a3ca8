//! The results of runs: each seed's losses, predictions and hashes.

use serde::{Deserialize, Serialize};

use super::comparison::IntervalBasis;
use super::digits::Misclassified;
use super::statistics::{Interval, Summary, wilson};
use crate::study::RunSettings;

/// A run's settings and the result of each of its seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct RunResult {
    pub plan: RunSettings,
    pub seeds: Vec<SeedResult>,
}

/// Why a value has no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoInterval {
    /// One seed shows nothing of other seeds.
    OneSeed,
    /// Two seeds give no useful interval.
    TwoSeeds,
    /// The seeds gave the same network.
    SameNetwork,
    /// Both runs of a comparison gave the same networks.
    SameNetworks,
    /// The networks differ, but not in what is measured.
    NoSpread,
}

/// The result of a run with one of its seeds.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct SeedResult {
    pub seed: u64,
    /// SHA-256 over the indices of the training images (little-endian u32, in order).
    pub subset_sha256: String,
    /// SHA-256 of the initial weights as safetensors.
    pub initial_weights_sha256: String,
    /// SHA-256 of the bundle's file of final weights.
    pub weights_sha256: String,
    /// All epochs trained.
    pub epochs: Vec<EpochResult>,
    /// The number of the epoch whose network is stored and reported; none if it is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_epoch: Option<usize>,
    /// Evaluations within epochs; only if the study asks for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within_epochs: Vec<StepResult>,
    /// Counts of (true class, predicted class) on the test set after the reported epoch.
    pub confusion: Vec<Vec<usize>>,
    /// The wrong predictions with the highest confidence.
    #[serde(rename = "misread")]
    pub misclassified: Vec<Misclassified>,
    /// Mean cross-entropy over the test images after the reported epoch.
    pub test_loss: f64,
    /// The sum of the batches' mean test losses divided by the number of images; see `Evaluation::batch_mean_loss`.
    #[serde(rename = "notes_loss")]
    pub batch_mean_loss: f64,
    /// Hashes of the training's state at the start and end of each segment. Rung `replay` compares the states that it loads and
    /// computes with them; the states themselves are in the evidence.
    pub chain: Vec<Segment>,
}

/// A segment of a training: consecutive steps, with the hashes of the states before and after them.
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

/// What was measured in one epoch of a training and after it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct EpochResult {
    /// Counts from 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean cross-entropy over the epoch's images, taken during training: with dropout, and with weights that change from
    /// batch to batch.
    pub train_loss: f64,
    /// The training images, evaluated after the epoch like the test images; only if the study asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_eval: Option<Evaluated>,
    /// The validation set, if the run has one.
    #[serde(rename = "held_out", skip_serializing_if = "Option::is_none")]
    pub validation: Option<Evaluated>,
    pub test: Evaluated,
}

/// What was measured after a step within an epoch.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct StepResult {
    /// Steps done since the start of the training.
    pub step: usize,
    /// The validation set, if the run has one.
    #[serde(rename = "held_out", skip_serializing_if = "Option::is_none")]
    pub validation: Option<Evaluated>,
    pub test: Evaluated,
}

/// The validation loss after each epoch; none if the run has no validation set.
pub fn validation_losses(epochs: &[EpochResult]) -> Vec<f64> {
    epochs.iter().filter_map(|epoch| epoch.validation).map(|validation| validation.loss).collect()
}

/// A network's results on a set of images.
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
    /// The share of correct images, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }
}

impl SeedResult {
    /// The number of the epoch whose network is stored and reported, counted from 1.
    pub fn reported_epoch(&self) -> usize {
        self.reported_epoch.unwrap_or(self.epochs.len())
    }

    /// The epoch whose network is stored and reported.
    ///
    /// # Panics
    /// If there is no such epoch. Results that are read are checked first.
    pub fn reported(&self) -> &EpochResult {
        &self.epochs[self.reported_epoch() - 1]
    }

    /// As [`SeedResult::reported`], to change it.
    ///
    /// # Panics
    /// If there is no such epoch.
    pub fn reported_mut(&mut self) -> &mut EpochResult {
        let index = self.reported_epoch() - 1;
        &mut self.epochs[index]
    }

    /// The number of test images classified correctly.
    pub fn correct(&self) -> usize {
        self.confusion.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// Test accuracy, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.images() as f64
    }

    /// Wilson's 95 % interval of the test accuracy, over test images.
    pub fn interval(&self) -> Interval {
        wilson(self.correct(), self.images())
    }

    /// The number of test images.
    pub fn images(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// The recall of each class: the share of its test images classified correctly.
    pub fn per_class(&self) -> Vec<f64> {
        let recall = |(class, row): (usize, &Vec<usize>)| row[class] as f64 / row.iter().sum::<usize>() as f64;
        self.confusion.iter().enumerate().map(recall).collect()
    }

    /// How many test images were predicted as each class.
    pub fn predicted(&self) -> Vec<usize> {
        (0..self.confusion.len()).map(|c| self.confusion.iter().map(|row| row[c]).sum()).collect()
    }
}

impl RunResult {
    /// Test accuracy, mean over seeds.
    pub fn accuracy(&self) -> f64 {
        self.mean(SeedResult::accuracy)
    }

    /// Test accuracy over seeds: mean, spread and interval, whose ends are limited to 0 and 1. [`RunResult::interval`] says why
    /// there is no interval.
    pub fn accuracies(&self) -> Summary {
        let mut summary = Summary::over_seeds(&self.seeds.iter().map(SeedResult::accuracy).collect::<Vec<_>>());
        summary.interval = summary.interval.filter(|_| !self.is_one_network());
        if let Some(interval) = &mut summary.interval {
            (interval.lower, interval.upper) = (interval.lower.max(0.0), interval.upper.min(1.0));
        }
        summary
    }

    /// The interval of the mean test accuracy over seeds.
    ///
    /// # Errors
    /// Why there is none.
    pub fn interval(&self) -> Result<Interval, NoInterval> {
        self.accuracies().interval.ok_or(match self.seeds.len() {
            1 => NoInterval::OneSeed,
            _ if self.is_one_network() => NoInterval::SameNetwork,
            2 => NoInterval::TwoSeeds,
            _ => NoInterval::NoSpread,
        })
    }

    /// The interval that a test accuracy may be printed with, and what it is over: seeds where there are several, otherwise
    /// test images. A mean over seeds never has the interval of one network.
    ///
    /// # Errors
    /// Why there is none.
    pub fn accuracy_interval(&self) -> Result<(Interval, IntervalBasis), NoInterval> {
        match &self.seeds[..] {
            [seed] => Ok((seed.interval(), IntervalBasis::Images)),
            _ => Ok((self.interval()?, IntervalBasis::Seeds)),
        }
    }

    /// Whether several seeds gave the same network: nothing in the training depends on the seed.
    pub fn is_one_network(&self) -> bool {
        self.seeds.len() > 1 && self.seeds.iter().all(|s| s.weights_sha256 == self.seeds[0].weights_sha256)
    }

    /// Test loss, mean over seeds.
    pub fn test_loss(&self) -> f64 {
        self.mean(|s| s.test_loss)
    }

    /// Loss on the training images, evaluated after the reported epoch, mean over seeds.
    pub fn training_loss_evaluated(&self) -> Option<f64> {
        self.mean_if_all(|s| Some(s.reported().train_eval?.loss))
    }

    /// Accuracy on the validation set after the reported epoch, mean over seeds.
    pub fn validation_accuracy(&self) -> Option<f64> {
        self.mean_if_all(|s| Some(s.reported().validation?.accuracy()))
    }

    /// The mean over seeds of a value that not every run has.
    pub fn mean_if_all(&self, value: impl Fn(&SeedResult) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.seeds.iter().map(value).collect::<Option<_>>()?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }

    /// The mean over seeds of a value.
    pub fn mean(&self, value: impl Fn(&SeedResult) -> f64) -> f64 {
        self.seeds.iter().map(value).sum::<f64>() / self.seeds.len() as f64
    }
}
