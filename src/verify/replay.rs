//! Rung `replay`: kept segments of training, started from kept states, end where they ended.
//!
//! Owns the chain's form, the draw checked anew, and the comparison: in the same environment class the state's
//! hash, elsewhere the displacement within the tolerances.

use anyhow::{Context, Result, ensure};

use super::machine::{Machine, seeds};
use super::{Outcome, Read};
use crate::bundle::TOLERANCES;
use crate::digest::sha256_hex;
use crate::engine::{DeviceDataset, Trainer};
use crate::results::{SeedResult, Segment};
use crate::study::RunPlan;
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};
use crate::training::evidence::{self, Displacement, SegmentEvidence, displacement, displacement_error, state_sha256};
use crate::training::inputs_digest;

/// The largest errors met.
#[derive(Default)]
struct Worst {
    segments: usize,
    parameters: f64,
    buffers: f64,
}

pub fn check(read: &Read, machine: &Machine) -> Outcome {
    let mut differences = Vec::new();
    let mut worst = Worst::default();
    for (plan, seed, stem) in seeds(read) {
        if let Err(e) = replay(read, machine, plan, seed, &stem, &mut worst) {
            differences.push(format!("{stem}: {e:#}"));
        }
    }
    let Worst { segments, parameters, buffers } = worst;
    let off = format!("errors of the displacement: parameters {parameters:.1e}, buffers {buffers:.1e}");
    Outcome::of(differences, format!("{segments} segments end where they ended ({}; {off})", machine.judged()))
}

fn replay(
    read: &Read,
    machine: &Machine,
    plan: &RunPlan,
    seed: &SeedResult,
    stem: &str,
    worst: &mut Worst,
) -> Result<()> {
    let model = &read.plan.models[&plan.model];
    let expected = evidence::segments(plan, seed.epochs.len());
    let found: Vec<(usize, usize)> = seed.chain.iter().map(|s| (s.step, s.steps)).collect();
    ensure!(found == expected, "its chain has other steps than its plan gives");
    let digest = inputs_digest(&read.results.environment, &read.plan.input, model, plan, seed.seed);
    let kept = evidence::kept(plan, &seed.chain, &digest);
    let path = format!("evidence/{stem}.safetensors");
    let file = read.opened.files.get(&path).with_context(|| format!("{path} is missing"))?;
    let file = evidence::from_file(file).with_context(|| path.clone())?;
    let (carried, drawn): (Vec<usize>, Vec<usize>) =
        (file.keys().copied().collect(), kept.iter().map(|s| s.step).collect());
    ensure!(carried == drawn, "{path} carries the segments at {carried:?}; its chain draws those at {drawn:?}");

    let data = machine.prepared.data;
    let chosen = plan.choose(&data.train.labels, seed.seed);
    let split = DeviceDataset::new(machine.prepared.engine, &data.train, &chosen);
    let mut trainer = Trainer::new(machine.prepared.engine, model, plan, &read.plan.input, &split, seed.seed);
    let initial = sha256_hex(&to_safetensors(&trainer.network().tensors())?);
    ensure!(initial == seed.initial_weights_sha256, "its first weights are not those that seed {} gives", seed.seed);
    for segment in kept {
        let at = || format!("steps {} to {}", segment.step, segment.step + segment.steps);
        let end = replay_segment(machine, &mut trainer, segment, &file[&segment.step], worst).with_context(at)?;
        if segment.step + segment.steps == seed.epochs.len() * plan.steps_per_epoch() {
            let weights = read.opened.files.get(&format!("weights/{stem}.safetensors")).context("no weights")?;
            let start = &file[&segment.step].state;
            ends_in_weights(machine, start, &end, &from_safetensors(weights)?).with_context(at)?;
        }
    }
    Ok(())
}

/// Replays a segment; gives the state at its end.
fn replay_segment(
    machine: &Machine,
    trainer: &mut Trainer,
    segment: &Segment,
    evidence: &SegmentEvidence,
    worst: &mut Worst,
) -> Result<Vec<NamedTensor>> {
    match segment.step {
        // What a bundle holds is not taken for what follows from the seed.
        0 => ensure!(evidence.state.is_empty(), "a state is kept, where the seed gives it"),
        step => trainer.load_state(&evidence.state, step)?,
    }
    let start = trainer.state();
    ensure!(state_sha256(&start)? == segment.start_sha256, "its start is not the state of the chain");
    (0..segment.steps).for_each(|_| trainer.step());
    let end = trainer.state();
    let (parameters, buffers) = errors(&evidence.displacement, &displacement(&start, &end));
    ensure!(
        parameters <= TOLERANCES.replay_parameters && buffers <= TOLERANCES.replay_buffers,
        "replayed, its displacement is off by {parameters:.2} of its length (parameters) and {buffers:.2} (buffers)"
    );
    if machine.same_class {
        ensure!(state_sha256(&end)? == segment.end_sha256, "replayed, it ends in another state than the chain says");
    }
    worst.segments += 1;
    worst.parameters = worst.parameters.max(parameters);
    worst.buffers = worst.buffers.max(buffers);
    Ok(end)
}

fn errors(stated: &Displacement, found: &Displacement) -> (f64, f64) {
    (displacement_error(&stated.parameters, &found.parameters), displacement_error(&stated.buffers, &found.buffers))
}

/// The run's last segment ends in the bundle's weights. Without a kept start (a run of one segment, whose start
/// follows from the seed) only the end is compared.
fn ends_in_weights(
    machine: &Machine,
    start: &[NamedTensor],
    end: &[NamedTensor],
    weights: &[NamedTensor],
) -> Result<()> {
    let own: Vec<NamedTensor> = end.iter().filter(|t| !t.is_optimizer_state()).cloned().collect();
    let find = |name: &str| weights.iter().find(|w| w.name == name);
    ensure!(
        own.len() == weights.len() && own.iter().all(|t| find(&t.name).is_some_and(|w| w.shape == t.shape)),
        "the weights are those of another network"
    );
    let stated: Vec<NamedTensor> = own.iter().filter_map(|t| find(&t.name).cloned()).collect();
    if machine.same_class {
        ensure!(own == stated, "it does not end in the bundle's weights");
    }
    let start: Vec<NamedTensor> = match start.is_empty() {
        true => own.iter().map(|t| NamedTensor { values: vec![0.0; t.values.len()], ..t.clone() }).collect(),
        false => own.iter().filter_map(|t| start.iter().find(|s| s.name == t.name).cloned()).collect(),
    };
    let (parameters, buffers) = errors(&displacement(&start, &stated), &displacement(&start, &own));
    ensure!(
        parameters <= TOLERANCES.replay_parameters && buffers <= TOLERANCES.replay_buffers,
        "it does not end in the bundle's weights: off by {parameters:.2} of its length"
    );
    Ok(())
}
