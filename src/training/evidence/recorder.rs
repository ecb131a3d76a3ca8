//! Records the chain of a run while it trains.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::states::States;
use super::{
    Displacement, SegmentEvidence, Span, ends_epoch, file_sha256, from_file, lengths, sketch, states_kept, stored,
    to_file,
};
use crate::compute::Trainer;
use crate::results::Segment;
use crate::study::RunPlan;
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};
use crate::training::{TrainingError, Unfinished};

/// Hashes the states of a training and keeps those of candidates until the stored segments are drawn.
pub struct EvidenceRecorder<'a> {
    plan: &'a RunPlan,
    /// The length of the segment that starts at a step.
    lengths: BTreeMap<usize, usize>,
    open: Vec<OpenSegment>,
    /// The first segment is here once for each epoch that may be the reported one and ends before the segment does.
    done: BTreeMap<Span, (Segment, Displacement)>,
    /// Steps at the end of the best epoch so far, if the best one is reported.
    best_end: Option<usize>,
    /// The candidates' states.
    states: States<'a>,
}

/// What a recorder has recorded, for a checkpoint. The states are in the folder of the unfinished training.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::training) struct Recorded {
    open: Vec<OpenRecord>,
    segments: Vec<Segment>,
    /// Of each segment.
    #[serde(skip)]
    displacements: Vec<Displacement>,
}

/// An open segment without its state.
#[derive(Clone, Serialize, Deserialize)]
struct OpenRecord {
    step: usize,
    steps: usize,
    start_sha256: String,
}

/// A segment that has started and not ended.
struct OpenSegment {
    step: usize,
    steps: usize,
    start_sha256: String,
    state: Vec<NamedTensor>,
}

impl<'a> EvidenceRecorder<'a> {
    /// A recorder for one seed of a run. It keeps the candidates' states in `folder`, otherwise in a temporary file.
    ///
    /// # Errors
    /// A temporary file that cannot be created.
    pub fn new(plan: &'a RunPlan, folder: Option<&'a Unfinished>) -> Result<Self, TrainingError> {
        let states = if states_kept(plan) > 0 { States::new(folder)? } else { States::Nowhere };
        Ok(Self { plan, lengths: lengths(plan), open: Vec::new(), done: BTreeMap::new(), best_end: None, states })
    }

    /// Call this after an epoch that is the best one so far, if the best one is reported: its last steps are kept.
    pub fn keep_end(&mut self, epoch: usize) {
        self.best_end = Some(epoch * self.plan.steps_per_epoch());
    }

    /// What has been recorded so far and is still needed if another epoch follows. The last steps of this epoch are the
    /// training's then only if it is the best one.
    pub(in crate::training) fn recorded(&self) -> Recorded {
        let open = |o: &OpenSegment| OpenRecord { step: o.step, steps: o.steps, start_sha256: o.start_sha256.clone() };
        let is_needed = |span: &Span| !ends_epoch(self.plan, span.start) || Some(span.end()) == self.best_end;
        let needed = self.done.iter().filter(|(span, _)| is_needed(span)).map(|(_, done)| done);
        let (segments, displacements) = needed.cloned().unzip();
        Recorded { open: self.open.iter().map(open).collect(), segments, displacements }
    }

    /// Goes on from what an earlier process recorded; `initial` is the state before the first step. Returns false, and
    /// changes nothing, if a state that it needs is missing or damaged.
    pub(in crate::training) fn restore(&mut self, recorded: Recorded, initial: &[NamedTensor]) -> bool {
        let Recorded { open, segments, displacements } = recorded;
        let is_kept =
            |segment: &Segment| segment.step == 0 || self.states.earlier(segment.step, &segment.start_sha256).is_some();
        let open: Option<Vec<OpenSegment>> = open.into_iter().map(|o| self.reopened(o, initial)).collect();
        let (Some(open), true) = (open, segments.iter().all(is_kept)) else { return false };
        self.open = open;
        let pairs = segments.into_iter().zip(displacements);
        self.done = pairs.map(|(segment, displacement)| (Span::from(&segment), (segment, displacement))).collect();
        true
    }

    fn reopened(&self, record: OpenRecord, initial: &[NamedTensor]) -> Option<OpenSegment> {
        let OpenRecord { step, steps, start_sha256 } = record;
        let state = if step == 0 {
            initial.to_vec()
        } else {
            // A file sorts its tensors, but a displacement is drawn in the order of the network.
            let mut stored = from_safetensors(&self.states.earlier(step, &start_sha256)?).ok()?;
            let mut take = |name: &str| Some(stored.swap_remove(stored.iter().position(|t| t.name == name)?));
            initial.iter().map(|t| take(&t.name)).collect::<Option<_>>()?
        };
        Some(OpenSegment { step, steps, start_sha256, state })
    }

    /// Call this before the first step of the training and after each step.
    ///
    /// # Errors
    /// A state that cannot be stored.
    pub fn step(&mut self, trainer: &Trainer) -> Result<(), TrainingError> {
        let now = trainer.done();
        let starting = self.lengths.get(&now).copied();
        // The first segment ends with the reported epoch if that ends before it.
        let may_be_last = self.plan.settings.may_report_earlier() && now.is_multiple_of(self.plan.steps_per_epoch());
        let ends = |o: &OpenSegment| now > o.step && (o.step + o.steps == now || (o.step == 0 && may_be_last));
        if starting.is_none() && !self.open.iter().any(ends) {
            return Ok(());
        }
        let state = trainer.state();
        let bytes = to_safetensors(&state);
        let sha256 = file_sha256(now, &bytes);
        for o in self.open.iter().filter(|o| ends(o)) {
            let (step, steps, start_sha256) = (o.step, now - o.step, o.start_sha256.clone());
            let segment = Segment { step, steps, start_sha256, end_sha256: sha256.clone() };
            self.done.insert(Span::from(&segment), (segment, displacement(&o.state, &state)));
        }
        self.open.retain(|o| o.step + o.steps > now);
        if let Some(steps) = starting {
            if ends_epoch(self.plan, now) {
                self.forget_earlier_ends(now);
            }
            if now > 0 {
                self.states.store(now, &bytes)?;
            }
            self.open.push(OpenSegment { step: now, steps, start_sha256: sha256, state });
        }
        Ok(())
    }

    /// Forgets the last segments of epochs that ended before this step, except for that of the best epoch: the training
    /// went on after them.
    fn forget_earlier_ends(&mut self, now: usize) {
        let (plan, states, best_end) = (self.plan, &mut self.states, self.best_end);
        self.done.retain(|span, _| {
            let is_stale = ends_epoch(plan, span.start) && span.end() < now && Some(span.end()) != best_end;
            if is_stale {
                states.forget(span.start);
            }
            !is_stale
        });
    }

    /// The chain of a training that reports the network after `epochs` epochs, and the evidence file of the segments drawn
    /// from it. `losses` are those of all steps.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn finish(
        self,
        epochs: usize,
        losses: &[f32],
        run_inputs: &str,
    ) -> Result<(Vec<Segment>, Vec<u8>), TrainingError> {
        let spans = super::segments(self.plan, epochs);
        let chain: Vec<Segment> = spans.iter().map(|span| self.done[span].0.clone()).collect();
        let mut evidence = IndexMap::new();
        for segment in stored(self.plan, &chain, losses, run_inputs) {
            let state = if segment.step > 0 { self.stored_state(segment.step)? } else { Vec::new() };
            let displacement = self.done[&Span::from(segment)].1.clone();
            evidence.insert(segment.step, SegmentEvidence { state, displacement });
        }
        Ok((chain, to_file(&evidence)))
    }

    fn stored_state(&self, step: usize) -> Result<Vec<NamedTensor>, TrainingError> {
        let bytes = self.states.read(step)?;
        from_safetensors(&bytes).map_err(|source| TrainingError::Tensors { path: self.states.place(step), source })
    }
}

impl Recorded {
    /// The displacements, as a safetensors file, numbered in the order of the segments. The first segment may be there
    /// several times, with other ends.
    pub(in crate::training) fn sketches(&self) -> Vec<u8> {
        let evidence =
            |displacement: &Displacement| SegmentEvidence { state: Vec::new(), displacement: displacement.clone() };
        to_file(&self.displacements.iter().map(evidence).enumerate().collect())
    }

    /// Reads the displacements again. `None` if there is not exactly one for each segment.
    pub(in crate::training) fn read_sketches(&mut self, bytes: &[u8]) -> Option<()> {
        if self.segments.is_empty() {
            return Some(());
        }
        let mut evidence = from_file(bytes).ok()?;
        let mut take = |i: usize| Some(evidence.swap_remove(&i)?.displacement);
        self.displacements = (0..self.segments.len()).map(&mut take).collect::<Option<_>>()?;
        evidence.is_empty().then_some(())
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
