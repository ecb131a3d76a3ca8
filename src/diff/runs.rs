//! Compares the measured values of two bundles, run by run and seed by seed.

use serde::Serialize;
use serde_json::{Value, json};

use crate::results::{EpochResult, Results, RunResult, SeedResult};

/// A run whose results differ.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunDiff {
    pub(crate) run: String,
    /// `a` or `b` if only one bundle has the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) only_in: Option<&'static str>,
    /// Test accuracy, mean over seeds: 0 to 1, the difference in percentage points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accuracy: Option<Amount>,
    /// Test loss, mean over seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) test_loss: Option<Amount>,
    /// The seeds that differ.
    pub(crate) seeds: Vec<SeedDiff>,
}

/// A value in both bundles.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Amount {
    pub(crate) a: f64,
    pub(crate) b: f64,
    /// `b - a`.
    pub(crate) difference: f64,
}

/// The seeds of a training in both bundles; `None` if one bundle has fewer seeds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SeedDiff {
    pub(crate) a: Option<u64>,
    pub(crate) b: Option<u64>,
    /// Where the two trainings differ first.
    #[serde(rename = "parts", skip_serializing_if = "Option::is_none")]
    pub(crate) first_divergence: Option<Divergence>,
}

/// A quantity that differs between two trainings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Divergence {
    /// 0: before training.
    pub(crate) epoch: usize,
    pub(crate) quantity: &'static str,
    pub(crate) a: Value,
    pub(crate) b: Value,
}

/// The runs whose results differ, A's first.
pub(super) fn differences(a: &Results, b: &Results) -> Vec<RunDiff> {
    let mut found = Vec::new();
    for (name, run) in &a.runs {
        match b.runs.get(name) {
            None => found.push(alone(name, "a")),
            Some(other) if run.seeds != other.seeds => found.push(run_diff(name, run, other)),
            Some(_) => {}
        }
    }
    found.extend(b.runs.keys().filter(|name| !a.runs.contains_key(*name)).map(|name| alone(name, "b")));
    found
}

fn alone(run: &str, side: &'static str) -> RunDiff {
    RunDiff { run: run.to_owned(), only_in: Some(side), accuracy: None, test_loss: None, seeds: Vec::new() }
}

fn run_diff(name: &str, a: &RunResult, b: &RunResult) -> RunDiff {
    let amount = |a: f64, b: f64, unit: f64| Some(Amount { a, b, difference: (b - a) * unit });
    let seeds = pairs(&a.seeds, &b.seeds).into_iter().map(|(a, b)| SeedDiff {
        a: a.map(|s| s.seed),
        b: b.map(|s| s.seed),
        first_divergence: a.zip(b).and_then(|(a, b)| first_divergence(a, b)),
    });
    RunDiff {
        run: name.to_owned(),
        only_in: None,
        accuracy: amount(a.accuracy(), b.accuracy(), 100.0),
        test_loss: amount(a.test_loss(), b.test_loss(), 1.0),
        seeds: seeds.filter(|s| s.first_divergence.is_some() || s.a.is_none() || s.b.is_none()).collect(),
    }
}

/// A seed's results in both bundles; `None` where one has no such seed.
type SeedPair<'a> = (Option<&'a SeedResult>, Option<&'a SeedResult>);

/// Pairs equal seeds, and the remaining ones in their order.
fn pairs<'a>(a: &'a [SeedResult], b: &'a [SeedResult]) -> Vec<SeedPair<'a>> {
    let same = |s: &SeedResult, of: &'a [SeedResult]| of.iter().find(|o| o.seed == s.seed);
    let mut rest = b.iter().filter(|s| same(s, a).is_none());
    let mut pairs: Vec<SeedPair> = a.iter().map(|s| (Some(s), same(s, b).or_else(|| rest.next()))).collect();
    pairs.extend(rest.map(|s| (None, Some(s))));
    pairs
}

/// A value's name, and how to get the value from a result.
type NamedValue<T> = (&'static str, fn(&T) -> Value);

const BEFORE_TRAINING: [NamedValue<SeedResult>; 3] = [
    ("seed", |s| json!(s.seed)),
    ("training images", |s| json!(s.subset_sha256)),
    ("initial weights", |s| json!(s.initial_weights_sha256)),
];
const IN_EPOCH: [NamedValue<EpochResult>; 7] = [
    ("learning rate", |e| json!(e.lr)),
    ("training loss", |e| json!(e.train_loss)),
    ("training images evaluated", |e| json!(e.train_eval)),
    ("held-out images", |e| json!(e.validation)),
    ("test loss", |e| json!(e.test.loss)),
    ("test images right", |e| json!(e.test.correct)),
    ("test images", |e| json!(e.test.images)),
];
const NUMBER_OF_EPOCHS: [NamedValue<SeedResult>; 1] = [("number of epochs", |s| json!(s.epochs.len()))];
const AFTER_TRAINING: [NamedValue<SeedResult>; 5] = [
    ("final weights", |s| json!(s.weights_sha256)),
    ("test loss", |s| json!(s.test_loss)),
    ("confusion matrix", |s| json!(s.confusion)),
    ("misclassified images", |s| json!(s.misclassified)),
    ("batch-mean loss", |s| json!(s.batch_mean_loss)),
];

/// The first quantity that differs, in the order in which training computes them.
fn first_divergence(a: &SeedResult, b: &SeedResult) -> Option<Divergence> {
    let last = a.epochs.len().min(b.epochs.len());
    first_of(&BEFORE_TRAINING, 0, a, b)
        .or_else(|| a.epochs.iter().zip(&b.epochs).find_map(|(x, y)| first_of(&IN_EPOCH, x.epoch, x, y)))
        .or_else(|| first_of(&NUMBER_OF_EPOCHS, last, a, b))
        .or_else(|| first_in_chain(last, a, b))
        .or_else(|| first_of(&AFTER_TRAINING, last, a, b))
}

fn first_of<T>(values: &[NamedValue<T>], epoch: usize, a: &T, b: &T) -> Option<Divergence> {
    let mut found = values.iter().map(|(quantity, value)| Divergence { epoch, quantity, a: value(a), b: value(b) });
    found.find(|divergence| divergence.a != divergence.b)
}

/// The first hashed state that differs.
fn first_in_chain(epoch: usize, a: &SeedResult, b: &SeedResult) -> Option<Divergence> {
    let (a, b) = (&a.chain, &b.chain);
    let first = (0..a.len().max(b.len())).find(|i| a.get(*i) != b.get(*i))?;
    Some(Divergence { epoch, quantity: "hashed state", a: json!(a.get(first)), b: json!(b.get(first)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Evaluated;

    fn seed(seed: u64, losses: &[f64]) -> SeedResult {
        let epoch = |(i, loss): (usize, &f64)| EpochResult {
            epoch: i + 1,
            lr: 0.1,
            train_loss: *loss,
            train_eval: None,
            validation: None,
            test: Evaluated { images: 10, correct: 5, loss: 2.0 },
        };
        SeedResult {
            seed,
            subset_sha256: String::new(),
            initial_weights_sha256: String::new(),
            weights_sha256: String::new(),
            epochs: losses.iter().enumerate().map(epoch).collect(),
            confusion: [[1; 10]; 10],
            misclassified: Vec::new(),
            test_loss: 2.0,
            batch_mean_loss: 0.1,
            chain: Vec::new(),
        }
    }

    #[test]
    fn the_first_quantity_that_differs_is_named() {
        let at = |a: &SeedResult, b: &SeedResult| first_divergence(a, b).map(|p| (p.epoch, p.quantity));
        let a = seed(1, &[1.0, 0.5, 0.3]);
        assert_eq!(at(&a, &a), None);
        assert_eq!(at(&a, &seed(1, &[1.0, 0.6, 0.2])), Some((2, "training loss")));
        assert_eq!(at(&a, &seed(1, &[1.0, 0.5])), Some((2, "number of epochs")));
        assert_eq!(at(&a, &seed(2, &[1.0, 0.5, 0.3])), Some((0, "seed")));
        assert_eq!(at(&a, &SeedResult { weights_sha256: "x".into(), ..a.clone() }), Some((3, "final weights")));
    }

    #[test]
    fn equal_seeds_are_paired() {
        let (a, b) = ([seed(1, &[1.0]), seed(2, &[1.0])], [seed(3, &[1.0]), seed(1, &[1.0]), seed(4, &[1.0])]);
        let seeds: Vec<_> = pairs(&a, &b).iter().map(|(a, b)| (a.map(|s| s.seed), b.map(|s| s.seed))).collect();
        assert_eq!(seeds, [(Some(1), Some(1)), (Some(2), Some(3)), (None, Some(4))]);
    }
}
