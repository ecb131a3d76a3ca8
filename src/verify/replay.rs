//! Rung `replay`: segments of the training, started from stored states, end as they did when the bundle was built.
//!
//! In the same environment the state's hash must agree, elsewhere the displacement within the tolerances.

use super::machine::Machine;
use super::subject::{Subject, Trained};
use super::{Outcome, diverged};
use crate::bundle::TOLERANCES;
use crate::compute::Trainer;
use crate::dataset::Selection;
use crate::digest::sha256_hex;
use crate::results::Segment;
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};
use crate::text::error_chain;
use crate::text::numbers::{agreeing, plural};
use crate::training::evidence::{
    self, Displacement, SEGMENT, SegmentEvidence, Span, displacement, displacement_error, state_sha256,
};
use crate::training::inputs_digest;

/// How many segments were replayed, and their largest errors.
#[derive(Default)]
struct Replayed {
    segments: usize,
    parameters: f64,
    buffers: f64,
}

pub(super) fn check(subject: &Subject, machine: &Machine) -> Outcome {
    let mut differences = Vec::new();
    let mut replayed = Replayed::default();
    for trained in subject.trained() {
        if let Err(why) = replay(subject, machine, &trained, &mut replayed) {
            differences.push(format!("{}: {why}", trained.files));
        }
    }
    let Replayed { segments, parameters, buffers } = replayed;
    let errors = format!("errors of the displacement: parameters {parameters:.1e}, buffers {buffers:.1e}");
    let end = agreeing(segments, "ends where it ended", "end where they ended");
    let passed = format!("{} {end} ({}; {errors})", plural(segments, "segment"), machine.comparison());
    let (repeated, wrong) = diverged::replay(subject, machine);
    differences.extend(wrong);
    let repeated = (repeated > 0).then(|| {
        let trainings = plural(repeated, "training");
        let class = if machine.same_environment { "" } else { ", none in another environment" };
        format!("the first steps of {trainings} that diverged are as stated (at most {SEGMENT}{class}); only `rerun` proves the rest")
    });
    match Outcome::of(differences, passed) {
        Outcome::Passed(passed) => Outcome::Passed(passed.into_iter().chain(repeated).collect()),
        failed => failed,
    }
}

/// Fails with a difference unless a condition holds.
fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn replay(subject: &Subject, machine: &Machine, trained: &Trained, replayed: &mut Replayed) -> Result<(), String> {
    let (plan, seed) = (trained.plan, trained.result);
    let file = evidence_of(subject, trained)?;
    let prepared = &machine.prepared;
    let chosen = plan.choose(&prepared.data.train.labels, seed.seed);
    let images = Selection::new(&prepared.data.train, &chosen);
    let input = &subject.contents.plan.input;
    let mut trainer = Trainer::new(prepared.device, trained.model, plan, input, &images, seed.seed);
    let initial = to_safetensors(&trainer.network().tensors());
    require(sha256_hex(&initial) == seed.initial_weights_sha256, || {
        format!("its initial weights are not those that seed {} gives", seed.seed)
    })?;
    for segment in seed.chain.iter().filter(|segment| file.contains_key(&segment.step)) {
        let end = segment.step + segment.steps;
        let at = |why: String| format!("steps {} to {end}: {why}", segment.step);
        let evidence = &file[&segment.step];
        let state = replay_segment(machine, &mut trainer, segment, evidence, replayed).map_err(at)?;
        if end == seed.epochs.len() * plan.steps_per_epoch() {
            let weights = subject.bundle.bytes(&trained.files.weights()).map_err(error_chain)?;
            let weights = from_safetensors(weights).map_err(error_chain)?;
            ends_in_weights(machine, &evidence.state, &state, &weights).map_err(at)?;
        }
    }
    Ok(())
}

/// The evidence of a network, by step; it must hold the segments that its chain of hashes draws, and no others.
fn evidence_of(subject: &Subject, trained: &Trained) -> Result<indexmap::IndexMap<usize, SegmentEvidence>, String> {
    let (plan, seed, contents) = (trained.plan, trained.result, &subject.contents);
    let expected = evidence::segments(plan, seed.epochs.len());
    let found: Vec<Span> = seed.chain.iter().map(Span::from).collect();
    require(found == expected, || "its chain has other steps than its plan gives".into())?;
    let digest = inputs_digest(&contents.results.environment, &contents.plan.input, trained.model, plan, seed.seed);
    let drawn: Vec<usize> = evidence::stored(plan, &seed.chain, &digest).iter().map(|s| s.step).collect();
    let path = trained.files.evidence();
    let bytes = subject.bundle.bytes(&path).map_err(error_chain)?;
    let file = evidence::from_file(bytes).map_err(|e| format!("{path}: {}", error_chain(e)))?;
    let held: Vec<usize> = file.keys().copied().collect();
    require(held == drawn, || format!("{path} holds the segments at {held:?}; its chain draws those at {drawn:?}"))?;
    Ok(file)
}

/// Replays a segment; returns the state at its end.
fn replay_segment(
    machine: &Machine,
    trainer: &mut Trainer,
    segment: &Segment,
    evidence: &SegmentEvidence,
    replayed: &mut Replayed,
) -> Result<Vec<NamedTensor>, String> {
    if segment.step == 0 {
        // The seed gives the first state; one in the bundle could be another.
        require(evidence.state.is_empty(), || "a state is stored that the seed gives".into())?;
    } else {
        trainer.load_state(&evidence.state, segment.step).map_err(error_chain)?;
    }
    let start = trainer.state();
    require(state_sha256(&start) == segment.start_sha256, || "its start is not the state of the chain".into())?;
    (0..segment.steps).for_each(|_| trainer.step());
    let end = trainer.state();
    let (parameters, buffers) = errors(&evidence.displacement, &displacement(&start, &end));
    require(is_tolerated(parameters, buffers), || {
        format!(
            "its replayed displacement differs by {parameters:.2} of its length (parameters) and {buffers:.2} (buffers)"
        )
    })?;
    if machine.same_environment {
        require(state_sha256(&end) == segment.end_sha256, || {
            "replayed, it ends in another state than the chain has".into()
        })?;
    }
    replayed.segments += 1;
    replayed.parameters = replayed.parameters.max(parameters);
    replayed.buffers = replayed.buffers.max(buffers);
    Ok(end)
}

fn errors(stated: &Displacement, found: &Displacement) -> (f64, f64) {
    (displacement_error(&stated.parameters, &found.parameters), displacement_error(&stated.buffers, &found.buffers))
}

fn is_tolerated(parameters: f64, buffers: f64) -> bool {
    parameters <= TOLERANCES.replay_parameters && buffers <= TOLERANCES.replay_buffers
}

/// Checks that a run's last segment ends in the bundle's weights. `start` is empty for a run of one segment, whose start
/// follows from the seed; then only the ends are compared.
fn ends_in_weights(
    machine: &Machine,
    start: &[NamedTensor],
    end: &[NamedTensor],
    weights: &[NamedTensor],
) -> Result<(), String> {
    let own: Vec<NamedTensor> = end.iter().filter(|t| !t.is_optimizer_state()).cloned().collect();
    let find = |name: &str| weights.iter().find(|w| w.name == name);
    let same_shapes = own.iter().all(|t| find(&t.name).is_some_and(|w| w.shape == t.shape));
    require(own.len() == weights.len() && same_shapes, || "the weights are those of another network".into())?;
    let stated: Vec<NamedTensor> = own.iter().filter_map(|t| find(&t.name).cloned()).collect();
    if machine.same_environment {
        require(own == stated, || "it does not end in the bundle's weights".into())?;
    }
    let start: Vec<NamedTensor> = if start.is_empty() {
        own.iter().map(|t| NamedTensor { values: vec![0.0; t.values.len()], ..t.clone() }).collect()
    } else {
        own.iter().filter_map(|t| start.iter().find(|s| s.name == t.name).cloned()).collect()
    };
    let (parameters, buffers) = errors(&displacement(&start, &stated), &displacement(&start, &own));
    require(is_tolerated(parameters, buffers), || {
        format!("it does not end in the bundle's weights: they differ by {parameters:.2} of the displacement")
    })
}
