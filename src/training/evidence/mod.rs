//! Evidence of training: hashed states, and the segments between them that a bundle stores so that they can be replayed.
//!
//! The chain of a run (the hashes of all its segments) is fixed when training is over. Only then are the stored segments
//! drawn, by a stream keyed with the run's inputs and the whole chain. Whoever trains as the study says cannot choose them
//! without training again; whoever invents hashes can repeat the draw as often as they like. docs/verification.md says what
//! that proves and what it does not.

mod file;
mod recorder;
mod sketch;
mod states;

pub use file::{EvidenceError, SegmentEvidence, from_file, to_file};
pub(super) use recorder::Recorded;
pub use recorder::{EvidenceRecorder, displacement};
pub use sketch::{Displacement, displacement_error, sketch};

use std::collections::BTreeMap;

use crate::digest::sha256_hex;
use crate::results::{Segment, write_losses};
use crate::rng::Stream;
use crate::study::RunPlan;
use crate::tensors::{NamedTensor, to_safetensors};

/// A training whose cost is at most this is repeated whole by rung `replay`, and stores no segment unless its study asks for
/// one. In multiply-adds, computed from the study alone (`RunPlan::cost`), so that every machine decides alike. About 35
/// seconds on two CPU cores: each training of reports/quick.yaml costs less.
pub const WHOLE: f64 = 1.2e13;

/// Steps in a segment. There are few, so that rounding errors stay far smaller than the displacement of the weights.
pub const SEGMENT: usize = 10;

/// Consecutive steps of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Steps done before it.
    pub start: usize,
    /// Steps in it.
    pub len: usize,
}

impl Span {
    fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    /// Steps done after it.
    pub fn end(self) -> usize {
        self.start + self.len
    }
}

impl From<&Segment> for Span {
    fn from(segment: &Segment) -> Self {
        Self::new(segment.step, segment.steps)
    }
}

/// Whether rung `replay` repeats a training of this run from its first step to its last, even if it has all epochs of the plan.
fn is_repeated_whole(plan: &RunPlan) -> bool {
    plan.cost <= WHOLE
}

/// Whether the last steps of a training are stored.
pub fn keeps_last(plan: &RunPlan) -> bool {
    let evidence = &plan.settings.evidence;
    evidence.keep > 0 || (evidence.last && !is_repeated_whole(plan))
}

/// The segments of a run that reports the network after `epochs` epochs: the first steps, candidates spread over the training if the study
/// keeps any, and the last epoch's last steps if they are stored.
pub fn segments(plan: &RunPlan, epochs: usize) -> Vec<Span> {
    let total = epochs * plan.steps_per_epoch();
    let mut all = vec![Span::new(0, SEGMENT.min(total))];
    let last = last_span(plan, epochs);
    if keeps_last(plan) && last.start > 0 {
        // The last candidate may have been left unfinished, or end after the reported epoch.
        all.extend(candidates(plan).into_iter().filter(|span| span.start < last.start && span.end() <= total));
        all.push(last);
    }
    all
}

/// The length of each segment that a training may record, by its first step.
fn lengths(plan: &RunPlan) -> BTreeMap<usize, usize> {
    let mut lengths = BTreeMap::from([(0, SEGMENT.min(plan.total_steps()))]);
    if keeps_last(plan) {
        let epochs = plan.settings.epochs;
        let first_end = if plan.settings.may_report_earlier() { 1 } else { epochs };
        let last = (first_end..=epochs).map(|epoch| last_span(plan, epoch)).filter(|span| span.start > 0);
        lengths.extend(candidates(plan).into_iter().chain(last).map(|span| (span.start, span.len)));
    }
    lengths
}

/// The most segments that a training records.
pub fn segments_recorded(plan: &RunPlan) -> usize {
    lengths(plan).len()
}

/// The most states that are on the disk when a training ends.
pub fn states_kept(plan: &RunPlan) -> usize {
    // The first segment starts with the initial state, which follows from the seed. Of the segments at the ends of epochs,
    // the states of the last one and of the best one so far are kept, and until the last one ends also that of the one
    // before if there are no steps between them.
    let before = plan.settings.may_report_earlier() && plan.steps_per_epoch() <= SEGMENT;
    let ends = 1 + usize::from(before) + usize::from(!plan.settings.report_epoch.is_last());
    if keeps_last(plan) { candidates(plan).len() + ends } else { 0 }
}

/// The most states that the evidence file has.
pub fn states_stored(plan: &RunPlan) -> usize {
    // The drawn ones and the last.
    states_kept(plan).min(plan.settings.evidence.keep + 1)
}

/// The candidates over the planned epochs, without the first and last segments; none if the study keeps none of them.
fn candidates(plan: &RunPlan) -> Vec<Span> {
    if plan.settings.evidence.keep == 0 {
        return Vec::new();
    }
    let total = plan.total_steps();
    let room = total.saturating_sub(3 * SEGMENT);
    let n = plan.settings.evidence.candidates;
    let mut starts: Vec<usize> = (0..n).map(|i| SEGMENT + (2 * i + 1) * room / (2 * n)).collect();
    starts.dedup();
    // Any epoch may be the reported one, whose last segment then starts there.
    starts.retain(|start| start + 2 * SEGMENT <= total && !ends_epoch(plan, *start));
    starts.into_iter().map(|start| Span::new(start, SEGMENT)).collect()
}

/// Whether the segment that starts at a step is the last one of some epoch.
fn ends_epoch(plan: &RunPlan, start: usize) -> bool {
    start > 0 && start % plan.steps_per_epoch() == last_span(plan, 1).start
}

/// The last segment of a run that ends with the given epoch.
fn last_span(plan: &RunPlan, epoch: usize) -> Span {
    let steps = SEGMENT.min(plan.steps_per_epoch());
    Span::new(epoch * plan.steps_per_epoch() - steps, steps)
}

/// The segments of a chain whose evidence is stored: the first, the drawn ones and the last. `run_inputs` is the digest of
/// what the run depends on. The draw depends on every loss and every hash, so none can be chosen after it.
pub fn stored<'a>(plan: &RunPlan, chain: &'a [Segment], losses: &[f32], run_inputs: &str) -> Vec<&'a Segment> {
    let [first, inner @ .., last] = chain else { return chain.iter().collect() };
    let mut drawn: Vec<&Segment> = inner.iter().collect();
    let list: String =
        chain.iter().map(|s| format!("{} {} {} {}\n", s.step, s.steps, s.start_sha256, s.end_sha256)).collect();
    let losses = sha256_hex(&write_losses(losses));
    let key = sha256_hex(format!("{run_inputs}\n{losses}\n{list}").as_bytes());
    Stream::keyed(format!("mnist-report evidence 2\n{key}\n").as_bytes()).shuffle(&mut drawn);
    drawn.truncate(plan.settings.evidence.keep);
    drawn.sort_by_key(|s| s.step);
    std::iter::once(first).chain(drawn).chain([last]).collect()
}

/// The SHA-256 of the state after some steps. The number of steps is hashed, too, so that a state of a longer training cannot
/// stand at an earlier step of a shorter one.
pub fn state_sha256(step: usize, state: &[NamedTensor]) -> String {
    file_sha256(step, &to_safetensors(state))
}

/// As [`state_sha256`], of the state's safetensors file.
pub(super) fn file_sha256(step: usize, state: &[u8]) -> String {
    sha256_hex(&[format!("mnist-report state, steps: {step}\n").as_bytes(), state].concat())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use indexmap::IndexMap;

    use super::*;
    use crate::dataset::{ImageOrder, Subset};
    use crate::study::{EvidenceSettings, Plan, ReportEpoch, RunSettings, Schedule, Source};

    fn plan(epochs: usize, images: usize, candidates: usize, keep: usize) -> RunPlan {
        let settings = RunSettings {
            model: "m".into(),
            images: Subset::default(),
            hold_out: 0,
            order: ImageOrder::Shuffled,
            image_count: images,
            epochs,
            batch_size: 10,
            optimizer: serde_yaml::from_str("sgd: {lr: 0.1}").unwrap(),
            schedule: Schedule::default(),
            label_smoothing: 0.0,
            clip_grad_norm: None,
            clip_grad_value: None,
            augment: None,
            dropout: true,
            stop_below_train_loss: None,
            early_stopping: None,
            report_epoch: ReportEpoch::Last,
            evaluate_train: false,
            evaluate_every: None,
            evidence: EvidenceSettings { candidates, keep, last: true },
        };
        RunPlan { name: "r".into(), title: "r".into(), settings, seeds: vec![1], test_images: 10_000, cost: WHOLE }
    }

    fn pairs(spans: Vec<Span>) -> Vec<(usize, usize)> {
        spans.into_iter().map(|span| (span.start, span.len)).collect()
    }

    #[test]
    fn segments_are_spaced_within_the_run_and_never_overlap_first_or_last() {
        for (epochs, images, candidates) in [(3, 1000, 16), (1, 150, 4), (2, 210, 16), (1, 300, 1), (40, 10, 5)] {
            let plan = plan(epochs, images, candidates, 1);
            let total = epochs * plan.steps_per_epoch();
            let all = segments(&plan, epochs);
            assert_eq!(all[0].start, 0);
            assert_eq!(all[all.len() - 1].end(), total);
            for span in &all[1..all.len() - 1] {
                assert!(span.start >= SEGMENT && span.end() < total, "{all:?}");
            }
            assert!(all[1..all.len() - 1].windows(2).all(|w| w[0].start < w[1].start), "{all:?}");
        }
        assert_eq!(pairs(segments(&plan(1, 50, 4, 1), 1)), [(0, 5)], "a run of one segment has no other");
        assert_eq!(pairs(segments(&plan(3, 1000, 16, 0), 3)), [(0, 10)]);
        assert_eq!(segments(&plan(3, 1000, 16, 2), 3).len(), 18);
        // A run that stopped early has the candidates up to its end, and its own last segment.
        assert_eq!(pairs(segments(&plan(3, 1000, 3, 2), 1)), [(0, 10), (55, 10), (90, 10)]);
        // Also in the middle of one: three steps an epoch, candidates at 17, 22, 32 and 37.
        let plan = plan(20, 30, 6, 2);
        assert_eq!(pairs(segments(&plan, 1)), [(0, 3)]);
        assert_eq!(pairs(segments(&plan, 8)), [(0, 10), (21, 3)]);
        assert_eq!(pairs(segments(&plan, 9)), [(0, 10), (17, 10), (24, 3)]);
        for epochs in 1..=20 {
            let total = epochs * plan.steps_per_epoch();
            assert!(segments(&plan, epochs).iter().all(|span| span.end() <= total), "{epochs}");
        }
    }

    /// Which trainings of the shipped studies `replay` repeats: docs/verification.md says so.
    #[test]
    fn the_quick_study_is_repeated_whole_and_the_large_runs_of_the_full_one_are_sampled() {
        let whole = |study: &str| -> Vec<(String, bool)> {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports").join(study);
            let plan = Plan::resolve(&Source::load(&path).unwrap()).unwrap();
            plan.runs.values().map(|run| (run.name.clone(), is_repeated_whole(run))).collect()
        };
        assert!(whole("quick.yaml").iter().all(|(_, whole)| *whole), "{:?}", whole("quick.yaml"));
        let sampled: Vec<String> = whole("coursework.yaml").into_iter().filter(|run| !run.1).map(|run| run.0).collect();
        assert_eq!(sampled, ["baseline", "overfit", "slim", "slim-bn"]);
    }

    #[test]
    fn only_trainings_that_are_not_repeated_whole_store_their_last_steps_unless_a_study_says_otherwise() {
        let mut cheap = plan(3, 1000, 16, 0);
        let mut dear = RunPlan { cost: 2.0 * WHOLE, ..cheap.clone() };
        assert_eq!(pairs(segments(&cheap, 3)), [(0, 10)]);
        assert_eq!(pairs(segments(&dear, 3)), [(0, 10), (290, 10)]);
        assert_eq!((states_stored(&cheap), states_stored(&dear)), (0, 1));
        (cheap.settings.evidence.last, dear.settings.evidence.last) = (false, false);
        assert_eq!(pairs(segments(&dear, 3)), [(0, 10)]);
        // A run that may stop after any epoch keeps the last steps of one at a time.
        dear.settings.evidence.last = true;
        dear.settings.stop_below_train_loss = Some(0.1);
        assert_eq!((segments_recorded(&dear), states_kept(&dear)), (4, 1));
    }

    #[test]
    fn the_draw_depends_on_every_hash_and_on_the_inputs() {
        let plan = plan(3, 1000, 16, 2);
        let chain = |change: usize| -> Vec<Segment> {
            segments(&plan, 3)
                .into_iter()
                .map(|Span { start: step, len: steps }| Segment {
                    step,
                    steps,
                    start_sha256: format!("{step:064}"),
                    end_sha256: format!("{:064}", if step == change { 7 } else { step + 1 }),
                })
                .collect()
        };
        let steps = |change, inputs: &str| -> Vec<usize> {
            stored(&plan, &chain(change), &[0.5, 0.25], inputs).iter().map(|s| s.step).collect()
        };
        let base = steps(usize::MAX, "a");
        assert_eq!((base.len(), base[0], base[3]), (4, 0, 290));
        let others: Vec<_> = (0..16).map(|i| steps(segments(&plan, 3)[i].start, "a")).collect();
        assert!(others.iter().filter(|o| **o != base).count() >= 13, "a changed hash draws other segments");
        assert_ne!((base, steps(usize::MAX, "b")), (steps(usize::MAX, "b"), steps(usize::MAX, "c")));
    }

    #[test]
    fn evidence_survives_its_file() {
        let state = vec![NamedTensor { name: "conv1.weight".into(), shape: vec![2], values: vec![1.0, -2.5] }];
        let displacement = Displacement { parameters: vec![0.5; 4], buffers: vec![] };
        let evidence: IndexMap<usize, SegmentEvidence> = [
            (0, SegmentEvidence { state: vec![], displacement: displacement.clone() }),
            (40, SegmentEvidence { state, displacement }),
        ]
        .into();
        let back = from_file(&to_file(&evidence)).unwrap();
        assert_eq!(back.keys().copied().collect::<Vec<_>>(), [0, 40]);
        assert_eq!(back[&40].state, evidence[&40].state);
        assert_eq!(back[&0].displacement.parameters, evidence[&0].displacement.parameters);
        assert!(from_file(b"nonsense").is_err());
    }
}
