//! Rung `rerun`: everything trained anew, from the bundle's own study.
//!
//! Owns the comparison of two trainings: equal in the same environment class, elsewhere within the tolerances.

use super::machine::{Machine, seeds};
use super::{Outcome, Read};
use crate::bundle::TOLERANCES;
use crate::results::{EpochResult, Evaluated, SeedResult};
use crate::training::Progress;

struct Silent;

impl Progress for Silent {
    fn step(&mut self, _: usize, _: usize, _: usize) {}
    fn epoch(&mut self, _: &EpochResult) {}
}

pub fn check(read: &Read, machine: &Machine) -> Outcome {
    let (mut differences, mut worst_accuracy, mut worst_loss) = (Vec::new(), 0f64, 0f64);
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
        let (accuracy, loss) = match machine.same_class {
            true => (0.0, 0.0),
            false => (TOLERANCES.rerun_accuracy, TOLERANCES.rerun_loss),
        };
        let difference = first_difference(seed, &result, accuracy, loss);
        for quantity in quantities(seed, &result) {
            let worst = if quantity.images.is_some() { &mut worst_accuracy } else { &mut worst_loss };
            *worst = quantity.off().max(*worst);
        }
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
    let off = match machine.same_class {
        true => String::new(),
        false => format!(", at most {:.2} points and {worst_loss:.1e} of a loss off", 100.0 * worst_accuracy),
    };
    Outcome::of(differences, format!("trained anew ({}{off}); the bundle was made on {class}", machine.judged()))
}

/// One figure of an epoch in two trainings: a loss, or how many of so many images are right.
struct Quantity {
    epoch: usize,
    what: &'static str,
    stated: f64,
    found: f64,
    images: Option<usize>,
}

impl Quantity {
    /// A loss's difference relative to the larger one, or a share of the images.
    fn off(&self) -> f64 {
        let off = (self.stated - self.found).abs();
        match self.images {
            Some(images) => off / images as f64,
            None => off / self.stated.abs().max(self.found.abs()).max(f64::MIN_POSITIVE),
        }
    }
}

/// All figures of the epochs that both trainings have, in the order in which they came about.
fn quantities(stated: &SeedResult, found: &SeedResult) -> Vec<Quantity> {
    let mut all = Vec::new();
    for (a, b) in stated.epochs.iter().zip(&found.epochs) {
        let mut add = |what, stated: f64, found: f64, images| {
            all.push(Quantity { epoch: a.epoch, what, stated, found, images });
        };
        add("training loss", a.train_loss, b.train_loss, None);
        let mut evaluated = |loss, correct, x: &Evaluated, y: &Evaluated| {
            add(loss, x.loss, y.loss, None);
            add(correct, x.correct as f64, y.correct as f64, Some(x.images));
        };
        if let (Some(x), Some(y)) = (&a.train_eval, &b.train_eval) {
            evaluated("training images' loss", "training images' correct", x, y);
        }
        if let (Some(x), Some(y)) = (&a.held_out, &b.held_out) {
            evaluated("held-out images' loss", "held-out images' correct", x, y);
        }
        evaluated("test loss", "test correct", &a.test, &b.test);
    }
    all
}

/// The first epoch and quantity in which two trainings differ by more than the tolerances.
fn first_difference(stated: &SeedResult, found: &SeedResult, accuracy: f64, loss: f64) -> Option<String> {
    let exact = accuracy == 0.0 && loss == 0.0;
    let allowed = |q: &Quantity| if q.images.is_some() { accuracy } else { loss };
    if let Some(q) = quantities(stated, found).iter().find(|q| q.off() > allowed(q)) {
        return Some(format!("epoch {}: {} {} where the bundle says {}", q.epoch, q.what, q.found, q.stated));
    }
    let others = |e: &EpochResult| (e.train_eval.is_some(), e.held_out.is_some());
    if let Some((a, _)) = stated.epochs.iter().zip(&found.epochs).find(|(a, b)| others(a) != others(b)) {
        return Some(format!("epoch {}: other images were evaluated", a.epoch));
    }
    if stated.epochs.len() != found.epochs.len() {
        return Some(format!("{} epochs where the bundle says {}", found.epochs.len(), stated.epochs.len()));
    }
    (exact && stated != found)
        .then(|| "its weights, chain, confusion matrix or misread images differ, though no epoch's figures do".into())
}
