//! Recording a run's chain while it trains.
//!
//! Owns the states of the candidates on the disk until the draw; they go with the recorder.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use indexmap::IndexMap;

use super::{Displacement, SEGMENT, SegmentEvidence, candidates, kept, last, sketch, to_file};
use crate::digest::sha256_hex;
use crate::engine::Trainer;
use crate::results::Segment;
use crate::study::RunPlan;
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};

/// Watches a training and hashes its states.
pub struct EvidenceRecorder<'a> {
    plan: &'a RunPlan,
    /// How many steps the segment has that starts at a step.
    starts: BTreeMap<usize, usize>,
    open: Vec<Open>,
    done: BTreeMap<usize, (Segment, Displacement)>,
    /// States of candidates, by their step; none where the study keeps none.
    folder: Option<tempfile::TempDir>,
}

/// A segment under way.
struct Open {
    step: usize,
    steps: usize,
    start_sha256: String,
    state: Vec<NamedTensor>,
}

impl<'a> EvidenceRecorder<'a> {
    /// A recorder of one seed's run.
    ///
    /// # Errors
    /// No room for temporary files.
    pub fn new(plan: &'a RunPlan) -> Result<Self> {
        let total = plan.epochs * plan.steps_per_epoch();
        let mut starts = BTreeMap::from([(0, SEGMENT.min(total))]);
        let mut folder = None;
        if plan.evidence.keep > 0 {
            starts.extend(candidates(plan));
            // Any epoch may be the last of a run that stops early.
            let first_end = if plan.stop_below_train_loss.is_some() { 1 } else { plan.epochs };
            starts.extend((first_end..=plan.epochs).map(|epoch| last(plan, epoch)).filter(|(step, _)| *step > 0));
            folder =
                Some(tempfile::tempdir().context("no room for temporary files (set TMPDIR to a folder with room)")?);
        }
        Ok(Self { plan, starts, open: Vec::new(), done: BTreeMap::new(), folder })
    }

    /// After each batch, and before the first.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub fn step(&mut self, trainer: &Trainer) -> Result<()> {
        let now = trainer.done();
        let starting = self.starts.get(&now).copied();
        // The first segment ends with the run, where that stops before it: any epoch may be the last.
        let may_stop = self.plan.stop_below_train_loss.is_some() && now.is_multiple_of(self.plan.steps_per_epoch());
        let ends = |o: &Open| now > o.step && (o.step + o.steps == now || (o.step == 0 && may_stop));
        if starting.is_none() && !self.open.iter().any(ends) {
            return Ok(());
        }
        let state = trainer.state();
        let bytes = to_safetensors(&state)?;
        let sha256 = sha256_hex(&bytes);
        for o in self.open.iter().filter(|o| ends(o)) {
            let (step, steps, start_sha256) = (o.step, now - o.step, o.start_sha256.clone());
            let segment = Segment { step, steps, start_sha256, end_sha256: sha256.clone() };
            self.done.insert(step, (segment, displacement(&o.state, &state)));
        }
        self.open.retain(|o| o.step + o.steps > now);
        if let Some(steps) = starting {
            if let Some(folder) = self.folder.as_ref().filter(|_| now > 0) {
                let path = folder.path().join(now.to_string());
                std::fs::write(&path, &bytes)
                    .with_context(|| format!("cannot write {} (set TMPDIR to a folder with room)", path.display()))?;
            }
            self.open.push(Open { step: now, steps, start_sha256: sha256, state });
        }
        Ok(())
    }

    /// The chain, and the evidence file of the segments drawn from it.
    ///
    /// # Errors
    /// A temporary file that cannot be read back.
    pub fn finish(self, epochs: usize, run_inputs: &str) -> Result<(Vec<Segment>, Vec<u8>)> {
        let chain: Vec<Segment> =
            super::segments(self.plan, epochs).iter().map(|(step, _)| self.done[step].0.clone()).collect();
        let mut evidence = IndexMap::new();
        for segment in kept(self.plan, &chain, run_inputs) {
            let state = match (&self.folder, segment.step) {
                (Some(folder), step) if step > 0 => {
                    from_safetensors(&std::fs::read(folder.path().join(step.to_string()))?)?
                }
                _ => Vec::new(),
            };
            let displacement = self.done[&segment.step].1.clone();
            evidence.insert(segment.step, SegmentEvidence { state, displacement });
        }
        Ok((chain, to_file(&evidence)?))
    }
}

/// What happened between two states, sketched: trainable values and running statistics apart.
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
