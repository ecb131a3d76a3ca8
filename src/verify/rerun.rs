//! Rung `rerun`: everything trained anew, from the bundle's own study.
//!
//! Owns the comparison of two trainings: equal in the same environment class, elsewhere within the tolerances.

use super::machine::{Machine, seeds};
use super::{Outcome, Read};
use crate::results::{EpochResult, Evaluated, SeedResult};
use crate::runs::Progress;
use crate::tolerances::TOLERANCES;

struct Silent;

impl Progress for Silent {
    fn step(&mut self, _: usize, _: usize, _: usize) {}
    fn epoch(&mut self, _: &EpochResult) {}
}

pub fn check(read: &Read, machine: &Machine) -> Outcome {
    let mut differences = Vec::new();
    let mut anew = read.results.clone();
    for (plan, seed, stem) in seeds(read) {
        let model = &read.plan.models[&plan.model];
        let result = match machine.prepared.run(model, plan, seed.seed, &mut Silent) {
            Ok(outcome) => outcome.result,
            Err(e) => {
                differences.push(format!("{stem}: cannot be trained: {e:#}"));
                continue;
            }
        };
        let difference = match machine.same_class {
            true => first_difference(seed, &result, 0.0, 0.0),
            false => first_difference(seed, &result, TOLERANCES.rerun_accuracy, TOLERANCES.rerun_loss),
        };
        differences.extend(difference.map(|d| format!("{stem}: {d}")));
        let slot = anew.runs.get_mut(&plan.name).and_then(|r| r.seeds.iter_mut().find(|s| s.seed == seed.seed));
        if let Some(slot) = slot {
            *slot = result;
        }
    }
    if machine.same_class && differences.is_empty() && anew.measured_digest() != read.results.measured_digest() {
        differences.push("the measured digest differs, though no epoch does".into());
    }
    let class = &read.results.environment;
    Outcome::of(differences, format!("trained anew ({}); the bundle was made on {class}", machine.judged()))
}

/// The first epoch and quantity in which two trainings differ by more than the tolerances.
pub fn first_difference(stated: &SeedResult, found: &SeedResult, accuracy: f64, loss: f64) -> Option<String> {
    let exact = accuracy == 0.0 && loss == 0.0;
    for (a, b) in stated.epochs.iter().zip(&found.epochs) {
        let relative = |x: f64, y: f64| (x - y).abs() / x.abs().max(y.abs()).max(f64::MIN_POSITIVE);
        let evaluated = |what: &str, x: &Evaluated, y: &Evaluated| {
            if relative(x.loss, y.loss) > loss {
                return Some(format!("epoch {}: {what} loss {} where the bundle says {}", a.epoch, y.loss, x.loss));
            }
            let off = (x.accuracy() - y.accuracy()).abs();
            (off > accuracy)
                .then(|| format!("epoch {}: {what} correct {} where the bundle says {}", a.epoch, y.correct, x.correct))
        };
        if relative(a.train_loss, b.train_loss) > loss {
            let (x, y) = (a.train_loss, b.train_loss);
            return Some(format!("epoch {}: training loss {y} where the bundle says {x}", a.epoch));
        }
        if let (Some(x), Some(y)) = (&a.train_eval, &b.train_eval)
            && let Some(difference) = evaluated("training images'", x, y)
        {
            return Some(difference);
        }
        if (a.train_eval.is_some(), a.held_out.is_some()) != (b.train_eval.is_some(), b.held_out.is_some()) {
            return Some(format!("epoch {}: other images were evaluated", a.epoch));
        }
        if let (Some(x), Some(y)) = (&a.held_out, &b.held_out)
            && let Some(difference) = evaluated("held-out images'", x, y)
        {
            return Some(difference);
        }
        if let Some(difference) = evaluated("test", &a.test, &b.test) {
            return Some(difference);
        }
    }
    if stated.epochs.len() != found.epochs.len() {
        return Some(format!("{} epochs where the bundle says {}", found.epochs.len(), stated.epochs.len()));
    }
    (exact && stated != found)
        .then(|| "its weights, chain, confusion matrix or misread images differ, though no epoch's figures do".into())
}
