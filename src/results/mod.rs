//! The results: every measured value once, typed, as `results.json` holds them.
//!
//! Owns the schema; values that follow from others (accuracy from the confusion matrix) are methods, not
//! fields. Durations, times, hosts and paths never enter.

mod comparison;
mod digits;
mod metrics;
pub mod statistics;

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use comparison::{ComparisonResult, Disagreement, Over, Pair, by_epoch, difference};
use digits::is_base64;
pub use digits::{GALLERY, Misread, digits, misread};
pub use metrics::{Evaluation, confusion, predicted_classes};

use self::statistics::Summary;
use crate::dataset::CLASSES;
use crate::dataset::ImageOrder;
use crate::dataset::Subset;
use crate::engine::Environment;
use crate::model::{Model, Sizes};
use crate::study::{EvidenceSettings, Optimizer, Plan, RunPlan, Schedule, Study};

/// The schema's version; a reader refuses another.
pub const SCHEMA: u32 = 2;

/// A study's results.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    pub schema: u32,
    pub environment: Environment,
    pub data: Data,
    pub models: IndexMap<String, ModelFacts>,
    pub runs: IndexMap<String, RunResult>,
    pub comparisons: IndexMap<String, ComparisonResult>,
    /// The pixels of the test images that the report shows, by their place in the test set: PNG in base64.
    pub digits: IndexMap<String, String>,
}

/// The data, as far as it is not the same for every study.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub train_images: usize,
    pub test_images: usize,
    /// Test images of each class.
    pub test_classes: [usize; CLASSES],
}

/// What follows from a model's layers alone.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ModelFacts {
    /// Trainable, as PyTorch counts.
    pub parameters: u64,
    /// Values in running statistics.
    pub buffers: u64,
    /// One image, by torchinfo's convention.
    pub mult_adds: u64,
    pub sizes: Sizes,
    /// The batch that the shapes are given for.
    pub batch: usize,
    pub layers: Vec<LayerFacts>,
}

/// A layer's row in the tables of parameters and shapes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LayerFacts {
    pub name: String,
    pub kind: String,
    pub parameters: u64,
    pub buffers: u64,
    pub formula: String,
    pub mult_adds: u64,
    /// With the batch first.
    pub input_shape: Vec<usize>,
    pub output_shape: Vec<usize>,
}

/// A run: what was done, and each seed's outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    pub plan: PlanFacts,
    pub seeds: Vec<SeedResult>,
}

/// The plan of a run, as it was done.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PlanFacts {
    pub model: String,
    pub images: Subset,
    pub hold_out: usize,
    pub order: ImageOrder,
    pub image_count: usize,
    pub epochs: usize,
    pub batch_size: usize,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub dropout: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_below_train_loss: Option<f64>,
    pub evaluate_train: bool,
    pub evidence: EvidenceSettings,
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

/// A mean cross-entropy beyond this is a training that diverged; drawing it would take for ever.
const MAX_LOSS: f64 = 1e6;

/// More is no test set, and would keep the statistics busy for ever.
const MAX_TEST_IMAGES: usize = 1_000_000;

/// The sum of counts that anybody may have written.
fn total(counts: &[usize]) -> Option<usize> {
    counts.iter().try_fold(0usize, |sum, n| sum.checked_add(*n))
}

/// Whether a value can be a loss of training that went well.
pub fn is_loss(x: f64) -> bool {
    (0.0..=MAX_LOSS).contains(&x)
}

impl ModelFacts {
    /// The facts of a model, shapes for batches of the given size.
    pub fn of(model: &Model, batch: usize) -> Self {
        let with_batch = |shape: &[usize]| std::iter::once(batch).chain(shape.iter().copied()).collect();
        Self {
            parameters: model.parameter_count(),
            buffers: model.buffer_count(),
            mult_adds: model.mult_adds(),
            sizes: model.sizes(),
            batch,
            layers: model
                .layers
                .iter()
                .map(|l| LayerFacts {
                    name: l.name.clone(),
                    kind: l.kind.key().to_owned(),
                    parameters: l.parameter_count(),
                    buffers: l.buffer_count(),
                    formula: l.formula.clone(),
                    mult_adds: l.mult_adds,
                    input_shape: with_batch(&l.input),
                    output_shape: with_batch(&l.output),
                })
                .collect(),
        }
    }
}

impl PlanFacts {
    /// The plan of a run, without its names and seeds.
    pub fn of(run: &RunPlan) -> Self {
        Self {
            model: run.model.clone(),
            images: run.images.clone(),
            hold_out: run.hold_out,
            order: run.order,
            image_count: run.image_count,
            epochs: run.epochs,
            batch_size: run.batch_size,
            optimizer: run.optimizer.clone(),
            schedule: run.schedule.clone(),
            dropout: run.dropout,
            stop_below_train_loss: run.stop_below_train_loss,
            evaluate_train: run.evaluate_train,
            evidence: run.evidence.clone(),
        }
    }
}

/// The facts of every model of a plan. Shapes are given for the batch size of the model's first run.
pub fn model_facts(plan: &Plan) -> IndexMap<String, ModelFacts> {
    let batch = |name: &str| plan.runs.values().find(|r| r.model == *name).map_or(1, |r| r.batch_size);
    plan.models.iter().map(|(name, model)| (name.clone(), ModelFacts::of(model, batch(name)))).collect()
}

impl Results {
    /// Counts the study's comparisons anew and takes up the pixels that its report shows. `predictions` gives a trained
    /// network's (run, seed), `image` a test image's pixels.
    ///
    /// # Errors
    /// Predictions that cannot be had, or an image that the test set does not have.
    pub fn compare<'a>(
        &mut self,
        study: &Study,
        labels: &[u8],
        predictions: impl Fn(&str, u64) -> Result<Vec<u8>>,
        image: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> Result<()> {
        let mut comparisons = IndexMap::new();
        for (name, c) in &study.comparisons {
            let seeds = |run: &str| self.runs.get(run).with_context(|| format!("comparison {name}: no run {run}"));
            let pairs = seeds(&c.run)?.seeds.iter().zip(&seeds(&c.against)?.seeds);
            let pairs = pairs
                .map(|(a, b)| {
                    let (read, other) = (predictions(&c.run, a.seed)?, predictions(&c.against, b.seed)?);
                    Ok(Pair::count([a.seed, b.seed], &read, &other, labels))
                })
                .collect::<Result<_>>()?;
            let (run, against) = (c.run.clone(), c.against.clone());
            comparisons.insert(name.clone(), ComparisonResult { run, against, pairs });
        }
        self.comparisons = comparisons;
        self.digits = digits(study, self, image)?;
        Ok(())
    }

    /// The bytes of results.json.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("finite numbers and string keys");
        text.push('\n');
        text
    }

    /// Reads results.json.
    ///
    /// # Errors
    /// Not JSON, another schema, or values that cannot be results (a run without seeds or epochs).
    pub fn from_json(text: &str) -> Result<Self> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        let schema = value.get("schema").and_then(serde_json::Value::as_u64);
        ensure!(schema == Some(SCHEMA.into()), "schema {schema:?} is not {SCHEMA}, the one this program reads");
        let results: Self = serde_json::from_value(value).context("does not follow the schema")?;
        let images = results.data.test_images;
        ensure!((2..=MAX_TEST_IMAGES).contains(&images), "{images} test images");
        for (name, run) in &results.runs {
            ensure!(!run.seeds.is_empty(), "run {name} has no seeds");
            for seed in &run.seeds {
                ensure!(!seed.epochs.is_empty(), "run {name} has no epochs");
                for e in &seed.epochs {
                    let sets = e.train_eval.iter().chain(&e.held_out).chain([&e.test]);
                    let losses = sets.clone().map(|s| s.loss).chain([e.train_loss, seed.test_loss, seed.notes_loss]);
                    ensure!(losses.clone().all(is_loss), "run {name}, epoch {}: a loss that none can be", e.epoch);
                    ensure!(
                        sets.clone().all(|s| s.images > 0 && s.correct <= s.images),
                        "run {name}, epoch {}: more correct than there are images",
                        e.epoch
                    );
                }
                ensure!(
                    seed.confusion.iter().all(|row| total(row).is_some_and(|n| n > 0)),
                    "run {name}: a class without test images in its confusion matrix"
                );
                ensure!(
                    total(seed.confusion.as_flattened()) == Some(images),
                    "run {name}: a confusion matrix of other than {images} test images"
                );
            }
        }
        for (name, comparison) in &results.comparisons {
            let known = |run: &String| results.runs.contains_key(run);
            ensure!(
                known(&comparison.run) && known(&comparison.against) && !comparison.pairs.is_empty(),
                "comparison {name} is not of two runs"
            );
            let counts = |p: &Pair| total(&[p.both, p.only_run, p.only_against, p.neither]);
            ensure!(
                comparison.pairs.iter().all(|p| counts(p) == Some(images)),
                "comparison {name} is of other than {images} test images"
            );
        }
        for (image, png) in &results.digits {
            ensure!(image.parse::<usize>().is_ok() && is_base64(png), "digit {image} is no picture");
        }
        Ok(results)
    }

    /// The digest of what was measured: comparable within an environment class, whatever the study is called.
    pub fn measured_digest(&self) -> String {
        let runs: IndexMap<&String, &Vec<SeedResult>> = self.runs.iter().map(|(n, r)| (n, &r.seeds)).collect();
        crate::digest::sha256_hex(serde_json::to_string(&runs).expect("finite numbers").as_bytes())
    }
}
