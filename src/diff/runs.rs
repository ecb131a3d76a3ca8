//! Compares the measured values of two bundles, run by run and seed by seed.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::results::{AnyRun, DivergedSeed, EpochResult, Results, RunResult, SeedEnd, SeedResult};

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
    for (name, run) in a.all_runs() {
        match b.run(name) {
            None => found.push(alone(name, "a")),
            // Seeds in another order are the same trainings.
            Some(other) if sorted_ends(run) != sorted_ends(other) => found.push(run_diff(name, run, other)),
            Some(_) => {}
        }
    }
    found.extend(b.all_runs().filter(|(name, _)| a.run(name).is_none()).map(|(name, _)| alone(name, "b")));
    found
}

/// How each seed of a run ended.
fn ends(run: AnyRun) -> Vec<End> {
    match run {
        AnyRun::Finished(run) => run.seeds.iter().map(End::Finished).collect(),
        AnyRun::Diverged(run) => run.seeds.iter().map(End::of).collect(),
    }
}

/// As [`ends`], in the order of the seeds.
fn sorted_ends(run: AnyRun) -> Vec<End> {
    let mut all = ends(run);
    all.sort_by_key(|end| end.seed());
    all
}

/// The result of a seed, or where it diverged.
#[derive(Clone, Copy, PartialEq)]
enum End<'a> {
    Finished(&'a SeedResult),
    Diverged(&'a DivergedSeed),
}

impl<'a> End<'a> {
    fn of(end: &'a SeedEnd) -> Self {
        match end {
            SeedEnd::Finished(result) => Self::Finished(result),
            SeedEnd::Diverged(diverged) => Self::Diverged(diverged),
        }
    }

    fn seed(self) -> u64 {
        match self {
            Self::Finished(s) => s.seed,
            Self::Diverged(s) => s.seed,
        }
    }

    /// What is known before training: seed, images, initial weights.
    fn before_training(self) -> [Value; 3] {
        match self {
            Self::Finished(s) => [json!(s.seed), json!(s.subset_sha256), json!(s.initial_weights_sha256)],
            Self::Diverged(s) => [json!(s.seed), json!(s.subset_sha256), json!(s.initial_weights_sha256)],
        }
    }

    /// The epoch in which it ended, and how.
    fn in_words(self) -> (usize, Value) {
        match self {
            Self::Finished(s) => (s.epochs.len(), json!("trained to the end")),
            Self::Diverged(s) => (s.not_finite.epoch, json!(format!("diverged: {}", s.not_finite))),
        }
    }
}

fn alone(run: &str, side: &'static str) -> RunDiff {
    RunDiff { run: run.to_owned(), only_in: Some(side), accuracy: None, test_loss: None, seeds: Vec::new() }
}

fn run_diff(name: &str, a: AnyRun, b: AnyRun) -> RunDiff {
    let amount = |a: f64, b: f64, unit: f64| Amount { a, b, difference: (b - a) * unit };
    let seeds = pairs(&ends(a), &ends(b)).into_iter().map(|(a, b)| SeedDiff {
        a: a.map(End::seed),
        b: b.map(End::seed),
        first_divergence: a.zip(b).and_then(|(a, b)| first_divergence(a, b)),
    });
    // A run that diverged has no means.
    let means = match (a, b) {
        (AnyRun::Finished(a), AnyRun::Finished(b)) => Some((a, b)),
        _ => None,
    };
    let mean = |unit: f64, of: fn(&RunResult) -> f64| means.map(|(a, b)| amount(of(a), of(b), unit));
    RunDiff {
        run: name.to_owned(),
        only_in: None,
        accuracy: mean(100.0, RunResult::accuracy),
        test_loss: mean(1.0, RunResult::test_loss),
        seeds: seeds.filter(|s| s.first_divergence.is_some() || s.a.is_none() || s.b.is_none()).collect(),
    }
}

/// A seed's end in both bundles; `None` where one has no such seed.
type SeedPair<'a> = (Option<End<'a>>, Option<End<'a>>);

/// Pairs equal seeds, and the remaining ones in their order.
fn pairs<'a>(a: &[End<'a>], b: &[End<'a>]) -> Vec<SeedPair<'a>> {
    let seeds_of_a: HashSet<u64> = a.iter().map(|end| end.seed()).collect();
    let mut of_b: HashMap<u64, End> = HashMap::with_capacity(b.len());
    for end in b {
        // The first one of a repeated seed.
        of_b.entry(end.seed()).or_insert(*end);
    }
    let mut rest = b.iter().copied().filter(|end| !seeds_of_a.contains(&end.seed()));
    let partner = |end: &End<'a>| of_b.get(&end.seed()).copied();
    let mut pairs: Vec<SeedPair> = a.iter().map(|end| (Some(*end), partner(end).or_else(|| rest.next()))).collect();
    pairs.extend(rest.map(|end| (None, Some(end))));
    pairs
}

/// A value's name, and how to get the value from a result.
type NamedValue<T> = (&'static str, fn(&T) -> Value);

/// What `End::before_training` gives.
const BEFORE_TRAINING: [&str; 3] = ["seed", "training images", "initial weights"];
const IN_EPOCH: [NamedValue<EpochResult>; 7] = [
    ("learning rate", |e| json!(e.lr)),
    ("training loss", |e| json!(e.train_loss)),
    ("training images evaluated", |e| json!(e.train_eval)),
    ("held-out images", |e| json!(e.validation)),
    ("test loss", |e| json!(e.test.loss)),
    ("test images right", |e| json!(e.test.correct)),
    ("test images", |e| json!(e.test.images)),
];
const OF_EPOCHS: [NamedValue<SeedResult>; 3] = [
    ("number of epochs", |s| json!(s.epochs.len())),
    ("evaluations within epochs", |s| json!(s.within_epochs)),
    ("reported epoch", |s| json!(s.reported_epoch())),
];
const AFTER_TRAINING: [NamedValue<SeedResult>; 5] = [
    ("final weights", |s| json!(s.weights_sha256)),
    ("test loss", |s| json!(s.test_loss)),
    ("confusion matrix", |s| json!(s.confusion)),
    ("misclassified images", |s| json!(s.misclassified)),
    ("batch-mean loss", |s| json!(s.batch_mean_loss)),
];

/// The first quantity that differs, in the order in which training computes them.
fn first_divergence(a: End, b: End) -> Option<Divergence> {
    let before = BEFORE_TRAINING.into_iter().zip(a.before_training().into_iter().zip(b.before_training()));
    let differs = before.map(|(quantity, (a, b))| Divergence { epoch: 0, quantity, a, b }).find(|d| d.a != d.b);
    differs.or_else(|| match (a, b) {
        (End::Finished(a), End::Finished(b)) => first_in_results(a, b),
        _ if a == b => None,
        _ => {
            let ((epoch, a), (other, b)) = (a.in_words(), b.in_words());
            Some(Divergence { epoch: epoch.min(other), quantity: "end of the training", a, b })
        }
    })
}

fn first_in_results(a: &SeedResult, b: &SeedResult) -> Option<Divergence> {
    let last = a.epochs.len().min(b.epochs.len());
    let in_epochs = a.epochs.iter().zip(&b.epochs).find_map(|(x, y)| first_of(&IN_EPOCH, x.epoch, x, y));
    in_epochs
        .or_else(|| first_of(&OF_EPOCHS, last, a, b))
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
            reported_epoch: None,
            within_epochs: Vec::new(),
            confusion: vec![vec![1; 10]; 10],
            misclassified: Vec::new(),
            test_loss: 2.0,
            batch_mean_loss: 0.1,
            chain: Vec::new(),
        }
    }

    #[test]
    fn the_first_quantity_that_differs_is_named() {
        let at = |a: &SeedResult, b: &SeedResult| {
            first_divergence(End::Finished(a), End::Finished(b)).map(|p| (p.epoch, p.quantity))
        };
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
        let [a, b] = [&a[..], &b[..]].map(|seeds| seeds.iter().map(End::Finished).collect::<Vec<_>>());
        let seeds: Vec<_> = pairs(&a, &b).iter().map(|(a, b)| (a.map(End::seed), b.map(End::seed))).collect();
        assert_eq!(seeds, [(Some(1), Some(1)), (Some(2), Some(3)), (None, Some(4))]);
    }

    /// The pairs as they were found before, by a search of the whole list for each seed.
    fn pairs_by_search<'a>(a: &[End<'a>], b: &[End<'a>]) -> Vec<SeedPair<'a>> {
        let same = |s: End, of: &[End<'a>]| of.iter().find(|o| o.seed() == s.seed()).copied();
        let mut rest = b.iter().copied().filter(|s| same(*s, a).is_none());
        let mut pairs: Vec<SeedPair> = a.iter().map(|s| (Some(*s), same(*s, b).or_else(|| rest.next()))).collect();
        pairs.extend(rest.map(|s| (None, Some(s))));
        pairs
    }

    #[test]
    fn pairs_do_not_depend_on_how_they_are_found() {
        // Results of two bundles have different losses, so that a pair shows which of them it is from.
        let list = |seeds: &[u64], loss: f64| seeds.iter().map(|s| seed(*s, &[loss])).collect::<Vec<_>>();
        let lists: [&[u64]; 7] = [&[], &[1], &[2, 1], &[1, 2, 3], &[4, 3, 9, 1], &[5, 5, 1], &[8, 7, 6, 5]];
        for (a, b) in lists.iter().flat_map(|a| lists.map(|b| (list(a, 1.0), list(b, 2.0)))) {
            let [a, b] = [&a, &b].map(|seeds| seeds.iter().map(End::Finished).collect::<Vec<_>>());
            assert!(pairs(&a, &b) == pairs_by_search(&a, &b));
        }
    }
}
