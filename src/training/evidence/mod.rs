//! Evidence of training: hashed states, and what of them a bundle carries so that segments can be replayed.
//!
//! Owns which steps are hashed, which segments are kept, how a displacement is sketched and the form of the
//! evidence files. Replaying them is `verify::replay`'s.
//!
//! The chain of a run is fixed when training is over; only then are the kept segments drawn, by a stream keyed
//! with the run's inputs and the whole chain. Who trains as the study says cannot choose them without training again; who
//! invents hashes can draw as often as it takes. docs/verification.md says what that leaves proven.

mod recorder;
mod sketch;

use anyhow::{Context, Result, ensure};
use indexmap::IndexMap;

pub use recorder::{EvidenceRecorder, displacement};
pub use sketch::{Displacement, displacement_error, sketch};

use crate::digest::sha256_hex;
use crate::results::Segment;
use crate::rng::Stream;
use crate::study::RunPlan;
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};

/// Batches in a segment: few, so that rounding stays far below a displacement that was not trained.
pub const SEGMENT: usize = 10;

/// The segments of a run of `epochs` epochs: the first steps; evenly spaced ones; the last epoch's last ones.
/// The second and third kind only where the study keeps any.
pub fn segments(plan: &RunPlan, epochs: usize) -> Vec<(usize, usize)> {
    let total = epochs * plan.steps_per_epoch();
    let mut all = vec![(0, SEGMENT.min(total))];
    let last = last(plan, epochs);
    if plan.evidence.keep > 0 && last.0 > 0 {
        // A run that stopped early may have left the last of them unfinished.
        all.extend(candidates(plan).into_iter().filter(|(step, steps)| *step < last.0 && step + steps <= total));
        all.push(last);
    }
    all
}

/// The evenly spaced segments over the planned epochs, first and last excluded.
fn candidates(plan: &RunPlan) -> Vec<(usize, usize)> {
    let total = plan.epochs * plan.steps_per_epoch();
    let room = total.saturating_sub(3 * SEGMENT);
    let n = plan.evidence.candidates;
    let mut starts: Vec<usize> = (0..n).map(|i| SEGMENT + (2 * i + 1) * room / (2 * n)).collect();
    starts.dedup();
    // A run that stops early may end with any epoch, whose last segment then takes the place.
    let ends_epoch = |start: &usize| (1..=plan.epochs).any(|epoch| last(plan, epoch).0 == *start);
    starts.retain(|start| start + 2 * SEGMENT <= total && !ends_epoch(start));
    starts.into_iter().map(|start| (start, SEGMENT)).collect()
}

/// The last segment, if the given epoch is the last.
fn last(plan: &RunPlan, epoch: usize) -> (usize, usize) {
    let steps = SEGMENT.min(plan.steps_per_epoch());
    (epoch * plan.steps_per_epoch() - steps, steps)
}

/// The segments of a chain whose evidence is kept: the first, and where the study keeps any, those drawn and the
/// last. `run_inputs` is the digest of what the run depends on.
pub fn kept<'a>(plan: &RunPlan, chain: &'a [Segment], run_inputs: &str) -> Vec<&'a Segment> {
    let [first, inner @ .., last] = chain else { return chain.iter().collect() };
    let mut drawn: Vec<&Segment> = inner.iter().collect();
    let list: String =
        chain.iter().map(|s| format!("{} {} {} {}\n", s.step, s.steps, s.start_sha256, s.end_sha256)).collect();
    let key = sha256_hex(format!("{run_inputs}\n{list}").as_bytes());
    Stream::keyed(format!("mnist-report evidence 1\n{key}\n").as_bytes()).shuffle(&mut drawn);
    drawn.truncate(plan.evidence.keep);
    drawn.sort_by_key(|s| s.step);
    std::iter::once(first).chain(drawn).chain([last]).collect()
}

/// The SHA-256 of a state.
///
/// # Errors
/// None that tensors of this program can cause.
pub fn state_sha256(state: &[NamedTensor]) -> Result<String> {
    Ok(sha256_hex(&to_safetensors(state)?))
}

/// What an evidence file holds of one segment.
#[derive(Clone, Debug, Default)]
pub struct SegmentEvidence {
    /// The state at its start; empty for the first segment, whose start follows from the seed.
    pub state: Vec<NamedTensor>,
    pub displacement: Displacement,
}

const STATE: &str = "state.";
const PARAMETERS: &str = "sketch.parameters";
const BUFFERS: &str = "sketch.buffers";

/// The evidence file of one seed: tensors named `step420/state.conv1.weight`, `step420/sketch.parameters`.
///
/// # Errors
/// None that tensors of this program can cause.
pub fn to_file(evidence: &IndexMap<usize, SegmentEvidence>) -> Result<Vec<u8>> {
    let mut tensors = Vec::new();
    for (step, e) in evidence {
        let named = |name: &str, t: &NamedTensor| NamedTensor { name: format!("step{step}/{name}"), ..t.clone() };
        tensors.extend(e.state.iter().map(|t| named(&format!("{STATE}{}", t.name), t)));
        for (name, values) in [(PARAMETERS, &e.displacement.parameters), (BUFFERS, &e.displacement.buffers)] {
            let shape = vec![values.len()];
            tensors.push(NamedTensor { name: format!("step{step}/{name}"), shape, values: values.clone() });
        }
    }
    to_safetensors(&tensors)
}

/// Reads an evidence file.
///
/// # Errors
/// Not safetensors, or tensors under other names.
pub fn from_file(bytes: &[u8]) -> Result<IndexMap<usize, SegmentEvidence>> {
    let mut evidence: IndexMap<usize, SegmentEvidence> = IndexMap::new();
    for tensor in from_safetensors(bytes)? {
        let (step, name) = tensor
            .name
            .strip_prefix("step")
            .and_then(|rest| rest.split_once('/'))
            .and_then(|(step, name)| Some((step.parse::<usize>().ok()?, name.to_owned())))
            .with_context(|| format!("holds a tensor `{}`", tensor.name))?;
        let segment = evidence.entry(step).or_default();
        match name.as_str() {
            PARAMETERS => segment.displacement.parameters = tensor.values,
            BUFFERS => segment.displacement.buffers = tensor.values,
            other => {
                let own = other.strip_prefix(STATE).with_context(|| format!("holds a tensor `{}`", tensor.name))?;
                segment.state.push(NamedTensor { name: own.to_owned(), ..tensor });
            }
        }
    }
    ensure!(!evidence.is_empty(), "holds no segment");
    evidence.sort_keys();
    Ok(evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ImageOrder;
    use crate::dataset::Subset;
    use crate::one_of::Nothing;
    use crate::study::{EvidenceSettings as Setting, Optimizer, Schedule, Sgd};

    fn plan(epochs: usize, images: usize, candidates: usize, keep: usize) -> RunPlan {
        RunPlan {
            name: "r".into(),
            title: "r".into(),
            model: "m".into(),
            images: Subset::All(Nothing {}),
            hold_out: 0,
            order: ImageOrder::Shuffled,
            image_count: images,
            epochs,
            batch_size: 10,
            optimizer: Optimizer::Sgd(Sgd {
                lr: 0.1,
                momentum: 0.0,
                dampening: 0.0,
                weight_decay: 0.0,
                nesterov: false,
            }),
            schedule: Schedule::Constant(Nothing {}),
            dropout: true,
            stop_below_train_loss: None,
            evaluate_train: false,
            evidence: Setting { candidates, keep },
            seeds: vec![1],
        }
    }

    #[test]
    fn segments_are_spaced_within_the_run_and_never_overlap_first_or_last() {
        for (epochs, images, candidates) in [(3, 1000, 16), (1, 150, 4), (2, 210, 16), (1, 300, 1), (40, 10, 5)] {
            let plan = plan(epochs, images, candidates, 1);
            let total = epochs * plan.steps_per_epoch();
            let all = segments(&plan, epochs);
            assert_eq!(all[0].0, 0);
            assert_eq!(all[all.len() - 1].0 + all[all.len() - 1].1, total);
            for (step, steps) in &all[1..all.len() - 1] {
                assert!(*step >= SEGMENT && step + steps < total, "{all:?}");
            }
            assert!(all[1..all.len() - 1].windows(2).all(|w| w[0].0 < w[1].0), "{all:?}");
        }
        assert_eq!(segments(&plan(1, 50, 4, 1), 1), [(0, 5)], "a run of one segment has no other");
        assert_eq!(segments(&plan(3, 1000, 16, 0), 3), [(0, 10)]);
        assert_eq!(segments(&plan(3, 1000, 16, 2), 3).len(), 18);
        // A run that stopped early has the candidates up to its end, and its own last segment.
        assert_eq!(segments(&plan(3, 1000, 3, 2), 1), [(0, 10), (55, 10), (90, 10)]);
        // Also in the middle of one: three steps an epoch, candidates at 17, 22, 32 and 37.
        let plan = plan(20, 30, 6, 2);
        assert_eq!(segments(&plan, 1), [(0, 3)]);
        assert_eq!(segments(&plan, 8), [(0, 10), (21, 3)]);
        assert_eq!(segments(&plan, 9), [(0, 10), (17, 10), (24, 3)]);
        for epochs in 1..=20 {
            let total = epochs * plan.steps_per_epoch();
            assert!(segments(&plan, epochs).iter().all(|(step, steps)| step + steps <= total), "{epochs}");
        }
    }

    #[test]
    fn the_draw_depends_on_every_hash_and_on_the_inputs() {
        let plan = plan(3, 1000, 16, 2);
        let chain = |change: usize| -> Vec<Segment> {
            segments(&plan, 3)
                .into_iter()
                .map(|(step, steps)| Segment {
                    step,
                    steps,
                    start_sha256: format!("{step:064}"),
                    end_sha256: format!("{:064}", if step == change { 7 } else { step + 1 }),
                })
                .collect()
        };
        let steps = |change, inputs: &str| -> Vec<usize> {
            kept(&plan, &chain(change), inputs).iter().map(|s| s.step).collect()
        };
        let base = steps(usize::MAX, "a");
        assert_eq!((base.len(), base[0], base[3]), (4, 0, 290));
        let others: Vec<_> = (0..16).map(|i| steps(segments(&plan, 3)[i].0, "a")).collect();
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
        let back = from_file(&to_file(&evidence).unwrap()).unwrap();
        assert_eq!(back.keys().copied().collect::<Vec<_>>(), [0, 40]);
        assert_eq!(back[&40].state, evidence[&40].state);
        assert_eq!(back[&0].displacement.parameters, evidence[&0].displacement.parameters);
        assert!(from_file(b"nonsense").is_err());
    }
}
