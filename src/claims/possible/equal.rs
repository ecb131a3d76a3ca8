//! Which trainings measured the same, so that they are equal in all other results, too.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use indexmap::IndexMap;

use crate::digest::sha256_hex;
use crate::results::{EpochResult, Results, RunResult};
use crate::study::Study;

/// What is equal in all other results.
pub(super) struct Equal<'a> {
    /// For each run, a key that runs with the same settings have in common: they have the same number of images.
    pub(super) settings: IndexMap<&'a str, String>,
    /// For each run and seed, in the order of the results.
    pub(super) origins: Vec<Vec<Origin>>,
}

/// A training, by the numbers of its run and seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) run: usize,
    seed: usize,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "run {} seed {}", self.run, self.seed)
    }
}

/// For each epoch of a training, the first one with the same results up to this epoch: both have the same network.
pub(super) struct Origin {
    epochs: Vec<Source>,
    /// The same with the results on the validation set.
    validation: Vec<Source>,
}

impl Origin {
    /// Of an epoch, counted from 1. One that was not trained is that of the longest training with the same epochs.
    pub(super) fn epoch(&self, number: usize) -> Source {
        self.epochs[number.min(self.epochs.len()) - 1]
    }

    pub(super) fn validation(&self, number: usize) -> Source {
        self.validation[number.min(self.validation.len()) - 1]
    }
}

impl<'a> Equal<'a> {
    pub(super) fn of(study: &'a Study, results: &Results) -> Self {
        let measured =
            |epoch: &EpochResult| (epoch.train_loss.to_bits(), epoch.test.loss.to_bits(), epoch.test.correct);
        let validated = |epoch: &EpochResult| {
            let validation = epoch.validation.map(|set| (set.images, set.correct, set.loss.to_bits()));
            format!("{:?} {validation:?}", measured(epoch))
        };
        let epochs = first_with(results, |epoch| format!("{:?}", measured(epoch)));
        let origins = epochs.into_iter().zip(first_with(results, validated)).map(|(epochs, validation)| {
            let pairs = epochs.into_iter().zip(validation);
            pairs.map(|(epochs, validation)| Origin { epochs, validation }).collect()
        });
        Self { settings: study.digests_of_epochs(), origins: origins.collect() }
    }
}

/// For each epoch of each seed of each run, the longest training that measured the same up to it.
fn first_with(results: &Results, measured: impl Fn(&EpochResult) -> String) -> Vec<Vec<Vec<Source>>> {
    let seeds = |(run, of): (usize, &RunResult)| (0..of.seeds.len()).map(move |seed| Source { run, seed }).collect();
    let mut all: Vec<Source> = results.runs.values().enumerate().flat_map::<Vec<Source>, _>(seeds).collect();
    let epochs = |source: &Source| &results.runs[source.run].seeds[source.seed].epochs;
    all.sort_by_key(|source| Reverse(epochs(source).len()));
    let mut found: Vec<Vec<Vec<Source>>> = results.runs.values().map(|run| vec![Vec::new(); run.seeds.len()]).collect();
    let mut first = HashMap::new();
    for source in all {
        let mut history = String::new();
        for epoch in epochs(&source) {
            history = sha256_hex(format!("{history} {}", measured(epoch)).as_bytes());
            found[source.run][source.seed].push(*first.entry(history.clone()).or_insert(source));
        }
    }
    found
}
