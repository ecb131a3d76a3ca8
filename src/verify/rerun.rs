//! Rung `rerun`: networks trained again from the bundle's own study: all of them, or those of the runs that the verifier
//! names or draws.
//!
//! In the same environment the results must be equal, elsewhere within the tolerances.

use super::again::{AtMost, train_again};
use super::differing::json_difference;
use super::found::Found;
use super::machine::{Again, Machine, announcement};
use super::outcome::{Proof, Rated};
use super::subject::{Diverged, Subject};
use super::{Draw, Outcome, Rung};
use crate::build::seconds_of;
use crate::bundle::SeedFiles;
use crate::failure;
use crate::study::RunPlan;
use crate::text::error_chain;
use crate::text::numbers::{count, plural};
use crate::training::{SeedOutcome, TrainingError};

pub(super) fn check(subject: &Subject, machine: &Machine) -> Rated {
    let runs: Vec<&String> = subject.contents.results.all_runs().map(|(name, _)| name).collect();
    let drawn = match machine.draw.of(&runs) {
        Ok(drawn) => drawn,
        Err(why) => return Outcome::NotChecked(why).into(),
    };
    let is_drawn = |plan: &RunPlan| drawn.contains(&plan.name);
    announce(subject, machine, &drawn, runs.len());
    let (mut found, mut trainings) = (Found::new(Rung::Rerun, machine), Vec::new());
    let (mut accuracy, mut loss) = (0f64, 0f64);
    for trained in subject.trained().filter(|trained| is_drawn(trained.plan)) {
        let Some(again) = found.attempt(|| train_again(subject, machine, &trained)) else { continue };
        (accuracy, loss) = (accuracy.max(again.accuracy), loss.max(again.loss));
        match again.difference {
            Some(difference) => found.add(format!("{}: {difference}", trained.files)),
            None => trainings.push((trained.files.to_string(), Proof::Whole)),
        }
    }
    let mut diverged = 0;
    for stated in subject.diverged().filter(|stated| is_drawn(stated.plan)) {
        match found.attempt(|| diverges_again(machine, &stated)) {
            Some(Some(difference)) => found.add(format!("{}: {difference}", stated.files)),
            Some(None) => {
                diverged += 1;
                trainings.push((stated.files.to_string(), Proof::Whole));
            }
            None => {}
        }
    }
    let largest = if machine.same_environment {
        String::new()
    } else {
        format!(", largest differences: accuracy {:.2} points, loss {loss:.1e}", 100.0 * accuracy)
    };
    let which = match machine.draw {
        Draw::All => "trained again".into(),
        _ => format!("{} trained again: {}", of_runs(drawn.len(), runs.len()), drawn.join(", ")),
    };
    let again =
        if diverged == 0 { String::new() } else { format!("; {} diverged again", plural(diverged, "training")) };
    let made_on = &subject.contents.results.environment;
    let passed = format!("{which} ({}{largest}){again}; the bundle was made on {made_on}", machine.comparison());
    let outcome = found.outcome(Outcome::Passed(vec![passed]));
    Rated { outcome, trainings, tolerances: !machine.same_environment }
}

/// `2 of 12 runs`.
pub(super) fn of_runs(drawn: usize, all: usize) -> String {
    format!("{} of {}", count(drawn as u64), plural(all, "run"))
}

/// Says what will be trained, and about how long it takes: always of runs that the user names or draws.
fn announce(subject: &Subject, machine: &Machine, drawn: &[String], all: usize) {
    let contents = &subject.contents;
    let plans = drawn.iter().filter_map(|name| contents.plan.runs.get(name));
    let seconds: f64 = plans.map(|plan| seconds(subject, machine, plan)).sum();
    let which = match machine.draw {
        Draw::All => plural(all, "run"),
        _ => format!("{} ({})", of_runs(drawn.len(), all), drawn.join(", ")),
    };
    let is_chosen = *machine.draw != Draw::All;
    let what = format!("rerun: trains {which} again");
    if let Some(line) = announcement(&what, seconds, Rung::Replay, is_chosen) {
        (machine.say)(&line);
    }
}

/// About how long the trainings of a run take, from the time of its first steps.
fn seconds(subject: &Subject, machine: &Machine, plan: &RunPlan) -> f64 {
    let device = machine.prepared.device;
    let one = match machine.prepared.rehearse(&subject.contents.plan.models[&plan.settings.model], plan) {
        Ok(speed) if !device.is_gpu() => speed.seconds(plan),
        _ => seconds_of(device, plan.cost),
    };
    let is_left = |of: &RunPlan, files: &SeedFiles| of.name == plan.name && !machine.has_trained(files);
    let finished: f64 = subject.trained().filter(|t| is_left(t.plan, &t.files)).map(|t| t.share()).sum();
    let diverged: f64 = subject.diverged().filter(|d| is_left(d.plan, &d.files)).map(|d| d.share()).sum();
    one * (finished + diverged)
}

/// A difference if a training that diverged according to the bundle ends otherwise.
pub(super) fn diverges_again(machine: &Machine, stated: &Diverged) -> Option<String> {
    machine.once(&stated.files, || Again::of_diverged(otherwise_ended(machine, stated))).difference
}

/// A message if a training that the bundle says diverged does not diverge in the same way. In another environment it
/// must diverge, at any step.
fn otherwise_ended(machine: &Machine, stated: &Diverged) -> Option<String> {
    let Diverged { plan, model, result, .. } = stated;
    let at = result.not_finite;
    match machine.prepared.run(model, plan, result.seed, None, &mut AtMost(at.epoch)) {
        Ok(SeedOutcome::Diverged(found)) if !machine.same_environment || found == **result => None,
        Ok(SeedOutcome::Diverged(found)) if found.not_finite != at => {
            Some(format!("{}, the bundle has: {at}", found.not_finite))
        }
        Ok(SeedOutcome::Diverged(found)) => json_difference("the bundle's result", *result, "the training", &found),
        Ok(SeedOutcome::Finished(found)) => {
            let (epochs, loss) = (plural(found.result.epochs.len(), "epoch"), found.result.test_loss);
            Some(format!("was trained for {epochs} with a test loss of {loss}, the bundle has: {at}"))
        }
        Err(TrainingError::Ended { epoch }) => {
            Some(format!("does not diverge in {}, the bundle has: {at}", plural(epoch, "epoch")))
        }
        Err(e) => failure::machine(format!("{} cannot be trained here: {}", stated.files, error_chain(e))),
    }
}
