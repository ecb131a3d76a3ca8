//! Training: trains and evaluates one seed of a run, and records the evidence that lets others check it.

mod cache;
mod checkpoint;
mod error;
pub mod evidence;
mod first_step;
mod inputs;
mod rehearsal;
mod run;
#[cfg(test)]
mod sources;
mod trace;
mod unfinished;

pub use cache::RunCache;
pub use error::TrainingError;
pub use first_step::check_first_steps;
pub use inputs::{inputs_digest, subset_sha256};
pub use rehearsal::Speed;
pub use run::{Prepared, last_learning_rate};
pub use trace::{check_models, check_trace};
pub use unfinished::Unfinished;

use crate::results::{DivergedSeed, EpochResult, SeedEnd, SeedResult};

/// The outcome of one seed.
#[derive(Clone)]
#[expect(missing_docs, reason = "self-evident")]
pub enum SeedOutcome {
    Finished(Box<TrainedSeed>),
    Diverged(DivergedSeed),
}

impl SeedOutcome {
    /// Its part of results.json.
    pub fn end(&self) -> SeedEnd {
        match self {
            Self::Finished(trained) => SeedEnd::Finished(Box::new(trained.result.clone())),
            Self::Diverged(diverged) => SeedEnd::Diverged(diverged.clone()),
        }
    }
}

/// A seed that was trained to the end: what the bundle stores of it.
#[derive(Clone)]
pub struct TrainedSeed {
    /// Its part of results.json.
    pub result: SeedResult,
    /// The class predicted for each test image.
    pub predictions: Vec<u8>,
    /// Final weights and buffers, as a safetensors file.
    pub weights: Vec<u8>,
    /// Stored segments of the training, as a safetensors file; see [`evidence`].
    pub evidence: Vec<u8>,
    /// The mean training loss of each batch, in order.
    pub losses: Vec<f32>,
}

/// Receives the progress of a training.
pub trait TrainingObserver {
    /// A batch was trained; epochs and steps count from 1.
    fn step(&mut self, epoch: usize, step: usize, steps: usize);
    /// An epoch was trained and evaluated.
    fn epoch(&mut self, result: &EpochResult);
    /// Whether the training is to end after this epoch, even if the study trains on: with a result if its plan may end there,
    /// otherwise with [`TrainingError::Ended`].
    fn is_enough(&self, _epoch: usize) -> bool {
        false
    }
    /// An earlier process trained these epochs of the planned ones; the training goes on after them.
    fn resumed(&mut self, _epochs: &[EpochResult], _planned: usize) {}
    /// The training goes on, but cannot store its checkpoints.
    fn not_stored(&mut self, _why: &std::io::Error) {}
}
