//! Rung `rerun`: every network trained again from the bundle's own study.
//!
//! In the same environment the results must be equal, elsewhere within the tolerances.

use super::Outcome;
use super::machine::Machine;
use super::subject::{Diverged, Subject};
use crate::bundle::TOLERANCES;
use crate::results::{EpochResult, Evaluated, Results, SeedEnd, SeedResult};
use crate::text::error_chain;
use crate::text::numbers::plural;
use crate::training::{SeedOutcome, TrainingObserver};

struct Silent;

impl TrainingObserver for Silent {
    fn step(&mut self, _: usize, _: usize, _: usize) {}
    fn epoch(&mut self, _: &EpochResult) {}
}

pub(super) fn check(subject: &Subject, machine: &Machine) -> Outcome {
    let (mut differences, mut largest_accuracy, mut largest_loss) = (Vec::new(), 0f64, 0f64);
    let results = &subject.contents.results;
    let mut again = results.clone();
    for trained in subject.trained() {
        let (plan, stated) = (trained.plan, trained.result);
        let found = match machine.prepared.run(trained.model, plan, stated.seed, None, &mut Silent) {
            Ok(SeedOutcome::Finished(found)) => found.result,
            Ok(SeedOutcome::Diverged(found)) => {
                differences.push(format!("{}: diverges, the bundle has a result: {}", trained.files, found.not_finite));
                continue;
            }
            Err(e) => {
                differences.push(format!("{}: cannot be trained: {}", trained.files, error_chain(e)));
                continue;
            }
        };
        for value in epoch_values(stated, &found) {
            let largest = if value.images.is_some() { &mut largest_accuracy } else { &mut largest_loss };
            *largest = value.difference().max(*largest);
        }
        differences.extend(first_difference(machine, stated, &found).map(|d| format!("{}: {d}", trained.files)));
        if let Some(slot) = seed_result(&mut again, &plan.name, stated.seed) {
            *slot = found;
        }
    }
    let diverged = subject.diverged().count();
    differences.extend(subject.diverged().filter_map(|stated| otherwise_ended(machine, &stated)));
    if machine.same_environment && differences.is_empty() && again.measured_digest() != results.measured_digest() {
        differences.push("the measured digest differs, though every result is equal".into());
    }
    let largest = if machine.same_environment {
        String::new()
    } else {
        format!(", largest differences: accuracy {:.2} points, loss {largest_loss:.1e}", 100.0 * largest_accuracy)
    };
    let made_on = &results.environment;
    let again =
        if diverged == 0 { String::new() } else { format!("; {} diverged again", plural(diverged, "training")) };
    Outcome::of(
        differences,
        format!("trained again ({}{largest}){again}; the bundle was made on {made_on}", machine.comparison()),
    )
}

/// The result of a seed that was trained to the end.
fn seed_result<'r>(results: &'r mut Results, run: &str, seed: u64) -> Option<&'r mut SeedResult> {
    if let Some(run) = results.runs.get_mut(run) {
        return run.seeds.iter_mut().find(|s| s.seed == seed);
    }
    results.diverged.get_mut(run)?.seeds.iter_mut().find_map(|end| match end {
        SeedEnd::Finished(result) if result.seed == seed => Some(&mut **result),
        _ => None,
    })
}

/// A message if a training that the bundle says diverged does not diverge in the same way. In another environment it
/// must diverge, at any step.
fn otherwise_ended(machine: &Machine, stated: &Diverged) -> Option<String> {
    let Diverged { plan, model, result, files } = stated;
    let at = result.not_finite;
    match machine.prepared.run(model, plan, result.seed, None, &mut Silent) {
        Ok(SeedOutcome::Diverged(found)) if !machine.same_environment || found == **result => None,
        Ok(SeedOutcome::Diverged(found)) if found.not_finite != at => {
            Some(format!("{files}: {}, the bundle has: {at}", found.not_finite))
        }
        Ok(SeedOutcome::Diverged(_)) => Some(format!("{files}: other images or initial weights than the bundle has")),
        Ok(SeedOutcome::Finished(found)) => Some(format!(
            "{files}: was trained to the end with a test loss of {}, the bundle has: {at}",
            found.result.test_loss
        )),
        Err(e) => Some(format!("{files}: cannot be trained: {}", error_chain(e))),
    }
}

/// A value of an epoch in two trainings: a loss, or how many of `images` images are right.
struct EpochValue {
    epoch: usize,
    name: &'static str,
    stated: f64,
    found: f64,
    images: Option<usize>,
}

impl EpochValue {
    /// For a loss, the difference divided by the larger of the two; for images, the difference of the accuracies.
    fn difference(&self) -> f64 {
        let difference = (self.stated - self.found).abs();
        match self.images {
            Some(images) => difference / images as f64,
            None => difference / self.stated.abs().max(self.found.abs()).max(f64::MIN_POSITIVE),
        }
    }
}

/// All values of the epochs that both trainings have, in the order in which training computes them.
fn epoch_values(stated: &SeedResult, found: &SeedResult) -> Vec<EpochValue> {
    let mut all = Vec::new();
    for (a, b) in stated.epochs.iter().zip(&found.epochs) {
        let mut add = |name, stated: f64, found: f64, images| {
            all.push(EpochValue { epoch: a.epoch, name, stated, found, images });
        };
        add("training loss", a.train_loss, b.train_loss, None);
        let mut add_both = |loss, correct, x: &Evaluated, y: &Evaluated| {
            add(loss, x.loss, y.loss, None);
            add(correct, x.correct as f64, y.correct as f64, Some(x.images));
        };
        if let (Some(x), Some(y)) = (&a.train_eval, &b.train_eval) {
            add_both("loss on the training images", "training images right", x, y);
        }
        if let (Some(x), Some(y)) = (&a.validation, &b.validation) {
            add_both("loss on the validation images", "validation images right", x, y);
        }
        add_both("test loss", "test images right", &a.test, &b.test);
    }
    all
}

/// A message on the first difference between two trainings that is larger than this machine allows.
fn first_difference(machine: &Machine, stated: &SeedResult, found: &SeedResult) -> Option<String> {
    let (accuracy, loss) = (machine.allowed(TOLERANCES.rerun_accuracy), machine.allowed(TOLERANCES.rerun_loss));
    let allowed = |q: &EpochValue| if q.images.is_some() { accuracy } else { loss };
    if let Some(q) = epoch_values(stated, found).iter().find(|q| q.difference() > allowed(q)) {
        return Some(format!("epoch {}: {} {}, the bundle has {}", q.epoch, q.name, q.found, q.stated));
    }
    let others = |e: &EpochResult| (e.train_eval.is_some(), e.validation.is_some());
    if let Some((a, _)) = stated.epochs.iter().zip(&found.epochs).find(|(a, b)| others(a) != others(b)) {
        return Some(format!(
            "epoch {}: only one of the trainings evaluated the training or validation images",
            a.epoch
        ));
    }
    if stated.epochs.len() != found.epochs.len() {
        return Some(format!("{}, the bundle has {}", plural(found.epochs.len(), "epoch"), stated.epochs.len()));
    }
    (machine.same_environment && stated != found).then(|| {
        "its losses and accuracies are the same, but another part of its result differs, such as a hash, a learning rate, \
         the confusion matrix or a misclassified image"
            .into()
    })
}
