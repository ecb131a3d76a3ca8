//! Why results cannot be used.

use thiserror::Error;

use crate::dataset::MAX_CLASSES;
use crate::study::MAX_TRAININGS;

use super::{NotFinite, SCHEMA};

/// More test images would make the statistics too slow.
pub(super) const MAX_TEST_IMAGES: usize = 1_000_000;

/// Why a results.json cannot be used, or why results cannot be completed.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum ResultsError {
    #[error("is not JSON: {0}")]
    Json(serde_json::Error),
    #[error("has no schema number; this mnist-report reads schema {SCHEMA}")]
    NoSchema,
    #[error(
        "has schema {found}, that of {} mnist-report than this one, which reads schema {SCHEMA}: use the version that \
         wrote it, or build the study again",
        if *found < u64::from(SCHEMA) { "an older" } else { "a newer" }
    )]
    Schema { found: u64 },
    #[error("does not follow the schema: {0}")]
    Form(serde_json::Error),
    #[error("data.test_classes has {0} classes: 2 to {MAX_CLASSES} are supported")]
    Classes(usize),
    #[error("{0} test images: at least 2 and at most {MAX_TEST_IMAGES} are supported")]
    TestImages(usize),
    #[error("{0} trainings, finished or diverged: a study has at most {MAX_TRAININGS}")]
    Trainings(usize),
    #[error("run {run}: {problem}")]
    Run { run: String, problem: RunProblem },
    #[error("comparison {0} is not of two runs with paired seeds")]
    Comparison(String),
    #[error("comparison {name} does not count {images} test images")]
    Pairs { name: String, images: usize },
    #[error("digit {0} is not an image")]
    Digit(String),
    #[error("comparison {name}: unknown run {run}")]
    UnknownRun { name: String, run: String },
    #[error("predictions of run {run}, seed {seed}")]
    Predictions { run: String, seed: u64, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("losses of run {run}, seed {seed}")]
    Losses { run: String, seed: u64, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("weights of run {run}, seed {seed}")]
    Weights { run: String, seed: u64, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("loss_curves are not one for each run with results, in their order")]
    LossCurves,
    #[error(
        "loss_curves.{0}: needs steps, one curve for each seed, and losses and learning rates that a training can have"
    )]
    LossCurve(String),
    #[error("filters.{0}: not the weights of a first convolution")]
    Filters(String),
    #[error("there is no test image {0}")]
    NoTestImage(usize),
}

/// What is wrong with a run's results.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum RunProblem {
    #[error("has no seeds")]
    NoSeeds,
    #[error("has no epochs")]
    NoEpochs,
    #[error("reported_epoch {0}: there is no such epoch")]
    ReportedEpoch(usize),
    #[error("within_epochs: step {0}: loss out of range, or more correct images than images")]
    Step(usize),
    #[error("epoch {0}: loss out of range")]
    Loss(usize),
    #[error("epoch {0}: more correct images than images")]
    Correct(usize),
    #[error("the confusion matrix needs {0} rows and columns, one for each class")]
    Square(usize),
    #[error("a class has no test images in the confusion matrix")]
    EmptyClass,
    #[error("the confusion matrix does not count {0} test images")]
    Confusion(usize),
    #[error("has results, but is also among the runs that diverged")]
    Both,
    #[error("is among the runs that diverged, but no seed of it did")]
    NoneDiverged,
    #[error("seed {0} is repeated")]
    RepeatedSeed(u64),
    #[error("seed {seed}: diverged in epoch {}, step {}, which its plan does not have", at.epoch, at.step)]
    NoSuchStep { seed: u64, at: NotFinite },
}
