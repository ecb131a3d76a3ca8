//! Rung `replay`: cheap trainings are done again whole; of the others, segments that start from stored states end as they did
//! when the bundle was built, with the same losses.
//!
//! In the same environment all bits must agree. A bundle that libtorch made on a GPU is elsewhere held to tolerances.

use super::again::{COINCIDENCE, train_again};
use super::found::Found;
use super::machine::{Machine, announcement};
use super::outcome::{Proof, Rated};
use super::subject::{Subject, Trained};
use super::{Draw, Outcome, Rung, diverged};
use crate::build::seconds_of;
use crate::bundle::{SMALL_LOSS, TOLERANCES};
use crate::compute::Trainer;
use crate::dataset::Selection;
use crate::digest::{sha256_hex, short};
use crate::results::{Segment, validation_losses};
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};
use crate::text::error_chain;
use crate::text::numbers::{agreeing, count, plural};
use crate::training::evidence::{
    self, Displacement, SegmentEvidence, Span, displacement, displacement_error, state_sha256,
};
use crate::training::inputs_digest;

/// How many segments were replayed, and their largest errors.
#[derive(Default)]
struct Replayed {
    segments: usize,
    steps: usize,
    parameters: f64,
    buffers: f64,
}

/// The trainings by what was shown of them.
#[derive(Default)]
struct Shown {
    whole: Vec<String>,
    sampled: Vec<String>,
    unchecked: Vec<String>,
}

pub(super) fn check(subject: &Subject, machine: &Machine) -> Rated {
    let mut found = Found::new(Rung::Replay, machine);
    let mut trainings = Vec::new();
    let (mut replayed, mut shown) = (Replayed::default(), Shown::default());
    announce(subject, machine);
    for trained in subject.trained() {
        let (name, before) = (trained.files.to_string(), replayed.steps);
        match found.attempt(|| prove(subject, machine, &trained, &mut replayed)) {
            Some(Ok(proof)) => {
                shown.add(&trained, proof, replayed.steps - before);
                trainings.push((name, proof));
            }
            Some(Err(why)) => found.add(format!("{name}: {why}")),
            None => {}
        }
    }
    for diverged in subject.diverged() {
        let name = diverged.files.to_string();
        match found.attempt(|| diverged::replay(subject, machine, &diverged)) {
            Some(Ok(proof)) => {
                let shown = if proof == Proof::Whole { &mut shown.whole } else { &mut shown.unchecked };
                shown.push(format!("{name} (diverged)"));
                trainings.push((name, proof));
            }
            Some(Err(why)) => found.add(format!("{name}: {why}")),
            None => {}
        }
    }
    let outcome = found.outcome(outcome(shown, &replayed, machine));
    Rated { outcome, trainings, tolerances: !machine.same_environment }
}

/// Says how many trainings are done again, and about how long that takes, unless it is short. The replayed segments of the others
/// take little.
fn announce(subject: &Subject, machine: &Machine) {
    let finished = subject.trained().map(|trained| (trained.plan, trained.cost()));
    let all = finished.chain(subject.diverged().map(|diverged| (diverged.plan, diverged.cost())));
    let repeated = all.filter(|(run, cost)| machine.repeats(run, *cost));
    let (trainings, cost) = repeated.fold((0, 0.0), |(n, sum), (_, cost)| (n + 1, sum + cost));
    let seconds = seconds_of(machine.prepared.device, cost);
    let what = format!("replay: does {} again", plural(trainings, "training"));
    if let Some(line) = announcement(&what, seconds, Rung::Metrics, false) {
        (machine.say)(&line);
    }
}

impl Shown {
    /// Adds a network of which some steps were replayed.
    fn add(&mut self, trained: &Trained, proof: Proof, replayed: usize) {
        let name = trained.files.to_string();
        match proof {
            Proof::Whole => self.whole.push(name),
            Proof::NotChecked => self.unchecked.push(name),
            Proof::Sampled => {
                let all = trained.result.epochs.len() * trained.plan.steps_per_epoch();
                self.sampled.push(format!("{name} ({} of {} steps)", count(replayed as u64), count(all as u64)));
            }
        }
    }
}

/// The outcome if no difference was found.
fn outcome(shown: Shown, replayed: &Replayed, machine: &Machine) -> Outcome {
    let Shown { whole, sampled, unchecked } = shown;
    let Replayed { segments, parameters, buffers, .. } = replayed;
    let comparison = machine.comparison();
    let mut lines = Vec::new();
    if !whole.is_empty() {
        let n = plural(whole.len(), "training");
        lines.push(format!("{n} done again from the first step to the last ({comparison}): {}", whole.join(", ")));
    }
    if *segments > 0 {
        let end = agreeing(*segments, "ends where it ended", "end where they ended");
        let errors = format!("errors of the displacement: parameters {parameters:.1e}, buffers {buffers:.1e}");
        let segments = plural(*segments, "segment");
        lines.push(format!("{segments} {end}, with the losses of the bundle ({comparison}; {errors})"));
    }
    if !sampled.is_empty() {
        lines.push(format!("sampled, so that only `rerun` proves the rest: {}", sampled.join(", ")));
    }
    if unchecked.is_empty() {
        return Outcome::Passed(lines);
    }
    let names = unchecked.join(", ");
    if *machine.draw != Draw::All {
        lines.push(format!("not done again here; of these, `rerun` trains the runs that were drawn: {names}"));
        return Outcome::Passed(lines);
    }
    let why = "not checked: no stored segment ends in their weights, and they take too long to be done again here";
    lines.insert(0, format!("{why}: {names}"));
    Outcome::PartlyChecked(lines)
}

/// Fails unless a hash of the bundle is that of what it stands for.
fn same_hash(what: &str, stated: &str, given_by: &str, given: &str) -> Result<(), String> {
    require(stated == given, || format!("{what} has the SHA-256 {}, {given_by} gives {}", short(stated), short(given)))
}

/// Fails with a difference unless a condition holds.
fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Checks one training, as far as this rung can.
fn prove(subject: &Subject, machine: &Machine, trained: &Trained, replayed: &mut Replayed) -> Result<Proof, String> {
    // Also if `rerun` draws only some runs: a spot check must not show less than a verification without one.
    let is_whole = machine.repeats(trained.plan, trained.cost());
    if is_whole {
        if let Some(difference) = train_again(subject, machine, trained).difference {
            return Err(difference);
        }
        // The chain and the stored segments were compared, too.
        if machine.same_environment {
            return Ok(Proof::Whole);
        }
    }
    let ends_in_weights = replay(subject, machine, trained, replayed)?;
    Ok(match (is_whole, ends_in_weights) {
        (true, _) => Proof::Whole,
        (false, true) => Proof::Sampled,
        (false, false) => Proof::NotChecked,
    })
}

/// Replays the stored segments of a training. Returns whether one of them ends in the bundle's weights.
fn replay(subject: &Subject, machine: &Machine, trained: &Trained, replayed: &mut Replayed) -> Result<bool, String> {
    let (plan, seed) = (trained.plan, trained.result);
    let losses = subject.bundle.losses(&trained.files).map_err(error_chain)?;
    let file = evidence_of(subject, trained, &losses)?;
    let prepared = &machine.prepared;
    let chosen = plan.choose(&prepared.data.train.labels, seed.seed);
    let images = Selection::new(&prepared.data.train, &chosen);
    let input = &subject.contents.plan.input;
    let mut trainer = Trainer::new(prepared.device, trained.model, plan, input, &images, seed.seed);
    trainer.set_validation_losses(&validation_losses(&seed.epochs));
    let initial = to_safetensors(&trainer.network().tensors());
    same_hash(
        "its initial weights",
        &seed.initial_weights_sha256,
        &format!("seed {}", seed.seed),
        &sha256_hex(&initial),
    )?;
    let mut reaches_the_end = false;
    for segment in seed.chain.iter().filter(|segment| file.contains_key(&segment.step)) {
        let end = segment.step + segment.steps;
        let at = |why: String| format!("steps {} to {end}: {why}", segment.step);
        let evidence = &file[&segment.step];
        let stated = losses.get(segment.step..end).ok_or_else(|| at("has no losses".into()))?;
        let Ended { state, same_bits } =
            replay_segment(machine, &mut trainer, segment, evidence, stated, replayed).map_err(at)?;
        if end == seed.reported_epoch() * plan.steps_per_epoch() {
            let weights = subject.bundle.bytes(&trained.files.weights()).map_err(error_chain)?;
            let weights = from_safetensors(weights).map_err(error_chain)?;
            ends_in_weights(same_bits, &evidence.state, &state, &weights).map_err(at)?;
            reaches_the_end = true;
        }
    }
    Ok(reaches_the_end)
}

/// The evidence of a network, by step; it must hold the segments that its chain of hashes draws, and no others.
fn evidence_of(
    subject: &Subject,
    trained: &Trained,
    losses: &[f32],
) -> Result<indexmap::IndexMap<usize, SegmentEvidence>, String> {
    let (plan, seed, contents) = (trained.plan, trained.result, &subject.contents);
    let expected = evidence::segments(plan, seed.reported_epoch());
    let found: Vec<Span> = seed.chain.iter().map(Span::from).collect();
    require(found == expected, || {
        let starts = |spans: &[Span]| spans.iter().map(|span| (span.start, span.len)).collect::<Vec<_>>();
        format!(
            "its chain has segments (first step, steps) {:?}, its plan gives {:?}",
            starts(&found),
            starts(&expected)
        )
    })?;
    let digest = inputs_digest(
        &contents.results.environment,
        (&contents.plan.data, &contents.plan.input),
        trained.model,
        plan,
        seed.seed,
    );
    let drawn: Vec<usize> = evidence::stored(plan, &seed.chain, losses, &digest).iter().map(|s| s.step).collect();
    let path = trained.files.evidence();
    let bytes = subject.bundle.bytes(&path).map_err(error_chain)?;
    let file = evidence::from_file(bytes).map_err(|e| format!("{path}: {}", error_chain(e)))?;
    let held: Vec<usize> = file.keys().copied().collect();
    require(held == drawn, || format!("{path} holds the segments at {held:?}; its chain draws those at {drawn:?}"))?;
    Ok(file)
}

/// The end of a replayed segment.
struct Ended {
    state: Vec<NamedTensor>,
    /// Whether all bits must agree: in the same environment, and wherever a hash or the losses show that the same was
    /// computed.
    same_bits: bool,
}

/// Replays a segment, whose steps had the losses `stated` in the bundle.
fn replay_segment(
    machine: &Machine,
    trainer: &mut Trainer,
    segment: &Segment,
    evidence: &SegmentEvidence,
    stated: &[f32],
    replayed: &mut Replayed,
) -> Result<Ended, String> {
    if segment.step == 0 {
        // The seed gives the first state; one in the bundle could be another.
        require(evidence.state.is_empty(), || "a state is stored that the seed gives".into())?;
    } else {
        trainer.load_state(&evidence.state, segment.step).map_err(error_chain)?;
    }
    let start = trainer.state();
    let loaded = state_sha256(segment.step, &start);
    same_hash("its start in the chain", &segment.start_sha256, "the stored state", &loaded)?;
    let losses: Vec<f32> = (0..segment.steps)
        .map(|_| {
            trainer.step();
            trainer.last_loss()
        })
        .collect();
    let end = trainer.state();
    let ended = state_sha256(segment.step + segment.steps, &end);
    let ends_equal = ended == segment.end_sha256;
    let same_bits =
        machine.same_environment || ends_equal || (losses.len() >= COINCIDENCE && bits(&losses) == bits(stated));
    compare_losses(segment.step, stated, &losses, same_bits)?;
    let (parameters, buffers) = errors(&evidence.displacement, &displacement(&start, &end));
    require(is_tolerated(parameters, buffers), || {
        format!(
            "its replayed displacement differs by {parameters:.2} of its length (parameters) and {buffers:.2} (buffers)"
        )
    })?;
    if same_bits {
        same_hash("its end in the chain", &segment.end_sha256, "the replayed segment", &ended)?;
    }
    replayed.segments += 1;
    replayed.steps += segment.steps;
    replayed.parameters = replayed.parameters.max(parameters);
    replayed.buffers = replayed.buffers.max(buffers);
    Ok(Ended { state: end, same_bits })
}

fn bits(losses: &[f32]) -> Vec<u32> {
    losses.iter().map(|loss| loss.to_bits()).collect()
}

/// Fails with the first loss that differs by more than is allowed.
fn compare_losses(start: usize, stated: &[f32], found: &[f32], same_bits: bool) -> Result<(), String> {
    let is_right = |a: f32, b: f32| {
        let (x, y) = (f64::from(a), f64::from(b));
        // A comparison with NaN is false.
        a.to_bits() == b.to_bits()
            || (!same_bits && (x - y).abs() <= TOLERANCES.replay_loss * x.abs().max(y.abs()).max(SMALL_LOSS))
    };
    match stated.iter().zip(found).position(|(a, b)| !is_right(*a, *b)) {
        None => Ok(()),
        Some(i) => Err(format!("the loss of step {} is {}, the bundle has {}", start + i + 1, found[i], stated[i])),
    }
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
    same_bits: bool,
    start: &[NamedTensor],
    end: &[NamedTensor],
    weights: &[NamedTensor],
) -> Result<(), String> {
    let own: Vec<NamedTensor> = end.iter().filter(|t| !t.is_optimizer_state()).cloned().collect();
    let find = |name: &str| weights.iter().find(|w| w.name == name);
    let same_shapes = own.iter().all(|t| find(&t.name).is_some_and(|w| w.shape == t.shape));
    require(own.len() == weights.len() && same_shapes, || "the weights are those of another network".into())?;
    let stated: Vec<NamedTensor> = own.iter().filter_map(|t| find(&t.name).cloned()).collect();
    if same_bits && let Some((found, stated)) = own.iter().zip(&stated).find(|(found, stated)| found != stated) {
        let at = found.values.iter().zip(&stated.values).position(|(x, y)| x.to_bits() != y.to_bits()).unwrap_or(0);
        let (name, x, y) = (&found.name, found.values.get(at), stated.values.get(at));
        return Err(format!(
            "it does not end in the bundle's weights: {name}[{at}] is {}, the bundle has {}",
            x.copied().unwrap_or_default(),
            y.copied().unwrap_or_default()
        ));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_must_have_the_same_bits_where_the_same_was_computed() {
        let found = [2.3, 1e-7, 0.5];
        assert_eq!(compare_losses(40, &found, &found, true), Ok(()));
        let other = [2.3, 1e-7, 0.500_000_06];
        let difference = compare_losses(40, &other, &found, true).unwrap_err();
        assert_eq!(difference, "the loss of step 43 is 0.5, the bundle has 0.50000006");
        assert_eq!(compare_losses(40, &other, &found, false), Ok(()));
        // Below a hundredth, differences are compared with a hundredth.
        assert_eq!(compare_losses(40, &[2.3, 4e-4, 0.5], &found, false), Ok(()));
        assert!(compare_losses(40, &[2.3, 6e-4, 0.5], &found, false).is_err());
        assert!(compare_losses(40, &[2.3, 1e-7, 0.53], &found, false).is_err());
        assert!(compare_losses(40, &[f32::NAN, 1e-7, 0.5], &found, false).is_err());
    }
}
