//! Records the chain of a run while it trains.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tempfile::TempDir;

use super::{Displacement, SEGMENT, SegmentEvidence, candidates, last_span, sketch, stored, to_file};
use crate::digest::sha256_hex;
use crate::engine::Trainer;
use crate::results::Segment;
use crate::study::RunPlan;
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};
use crate::training::TrainingError;

/// Hashes the states of a training and keeps those of candidates until the stored segments are drawn.
pub struct EvidenceRecorder<'a> {
    plan: &'a RunPlan,
    /// The length of the segment that starts at a step.
    lengths: BTreeMap<usize, usize>,
    open: Vec<OpenSegment>,
    done: BTreeMap<usize, (Segment, Displacement)>,
    /// Files with the candidates' states, named by their steps; removed with the recorder. None if the study keeps none.
    folder: Option<TempDir>,
}

/// A segment that has started and not ended.
struct OpenSegment {
    step: usize,
    steps: usize,
    start_sha256: String,
    state: Vec<NamedTensor>,
}

impl<'a> EvidenceRecorder<'a> {
    /// A recorder for one seed of a run.
    ///
    /// # Errors
    /// A temporary folder that cannot be created.
    pub fn new(plan: &'a RunPlan) -> Result<Self, TrainingError> {
        let mut lengths = BTreeMap::from([(0, SEGMENT.min(plan.total_steps()))]);
        let mut folder = None;
        if plan.settings.evidence.keep > 0 {
            // A run that stops early may end with any epoch.
            let first_end = if plan.settings.stop_below_train_loss.is_some() { 1 } else { plan.settings.epochs };
            let last =
                (first_end..=plan.settings.epochs).map(|epoch| last_span(plan, epoch)).filter(|span| span.start > 0);
            lengths.extend(candidates(plan).into_iter().chain(last).map(|span| (span.start, span.len)));
            folder = Some(tempfile::tempdir().map_err(TrainingError::TemporaryFolder)?);
        }
        Ok(Self { plan, lengths, open: Vec::new(), done: BTreeMap::new(), folder })
    }

    /// Call this before the first step of the training and after each step.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub fn step(&mut self, trainer: &Trainer) -> Result<(), TrainingError> {
        let now = trainer.done();
        let starting = self.lengths.get(&now).copied();
        // The first segment ends with the run if the run stops before it; any epoch may be the last.
        let may_stop =
            self.plan.settings.stop_below_train_loss.is_some() && now.is_multiple_of(self.plan.steps_per_epoch());
        let ends = |o: &OpenSegment| now > o.step && (o.step + o.steps == now || (o.step == 0 && may_stop));
        if starting.is_none() && !self.open.iter().any(ends) {
            return Ok(());
        }
        let state = trainer.state();
        let bytes = to_safetensors(&state);
        let sha256 = sha256_hex(&bytes);
        for o in self.open.iter().filter(|o| ends(o)) {
            let (step, steps, start_sha256) = (o.step, now - o.step, o.start_sha256.clone());
            let segment = Segment { step, steps, start_sha256, end_sha256: sha256.clone() };
            self.done.insert(step, (segment, displacement(&o.state, &state)));
        }
        self.open.retain(|o| o.step + o.steps > now);
        if let Some(steps) = starting {
            if now > 0 {
                self.store(now, &bytes)?;
            }
            self.open.push(OpenSegment { step: now, steps, start_sha256: sha256, state });
        }
        Ok(())
    }

    /// The chain, and the evidence file of the segments drawn from it.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn finish(self, epochs: usize, run_inputs: &str) -> Result<(Vec<Segment>, Vec<u8>), TrainingError> {
        let spans = super::segments(self.plan, epochs);
        let chain: Vec<Segment> = spans.iter().map(|span| self.done[&span.start].0.clone()).collect();
        let mut evidence = IndexMap::new();
        for segment in stored(self.plan, &chain, run_inputs) {
            let state = if segment.step > 0 { self.stored_state(segment.step)? } else { Vec::new() };
            let displacement = self.done[&segment.step].1.clone();
            evidence.insert(segment.step, SegmentEvidence { state, displacement });
        }
        Ok((chain, to_file(&evidence)))
    }

    fn store(&self, step: usize, bytes: &[u8]) -> Result<(), TrainingError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = folder.path().join(step.to_string());
        std::fs::write(&path, bytes).map_err(|source| TrainingError::TemporaryFile { path, source })
    }

    fn stored_state(&self, step: usize) -> Result<Vec<NamedTensor>, TrainingError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let path = folder.path().join(step.to_string());
        match std::fs::read(&path) {
            Ok(bytes) => from_safetensors(&bytes).map_err(|source| TrainingError::Tensors { path, source }),
            Err(source) => Err(TrainingError::Reread { path, source }),
        }
    }
}

/// The sketched difference of two states, trainable values and running statistics separately.
pub fn displacement(start: &[NamedTensor], end: &[NamedTensor]) -> Displacement {
    let values = |state: &[NamedTensor], buffers: bool| -> Vec<f32> {
        state
            .iter()
            .filter(|t| !t.is_optimizer_state() && t.is_buffer() == buffers)
            .flat_map(|t| t.values.iter().copied())
            .collect()
    };
    Displacement {
        parameters: sketch(&values(start, false), &values(end, false)),
        buffers: sketch(&values(start, true), &values(end, true)),
    }
}
