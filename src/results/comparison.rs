//! Two runs compared, image by image and seed by seed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::digits::GALLERY;
use super::statistics::{Difference, Interval, paired, welch_over_seeds};
use super::{NoInterval, RunResult, SeedResult};

/// A comparison of a study: on how many test images the networks of its two runs are right.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct ComparisonResult {
    pub run: String,
    pub against: String,
    /// The first seeds of both runs, then the second seeds, and so on, as long as both runs have one.
    pub pairs: Vec<PairCounts>,
}

/// How two trained networks do on the same test images.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PairCounts {
    /// The seeds of `run` and of `against`.
    pub seeds: [u64; 2],
    /// Images that both networks classify correctly.
    pub both: usize,
    /// Images that only the network of `run` classifies correctly.
    pub only_run: usize,
    /// Images that only the network of `against` classifies correctly.
    pub only_against: usize,
    /// Images that neither network classifies correctly.
    pub neither: usize,
    /// The first images of the test set that the two classify differently.
    pub disagreements: Vec<Disagreement>,
}

/// An image that two networks classify differently.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Disagreement {
    pub image: usize,
    pub label: u8,
    /// The predictions of `run` and of `against`.
    pub predicted: [u8; 2],
}

impl PairCounts {
    /// Counts the correct predictions of two networks, and collects the first images on which they disagree.
    pub fn count(seeds: [u64; 2], run: &[u8], against: &[u8], labels: &[u8]) -> Self {
        let mut pair = Self { seeds, both: 0, only_run: 0, only_against: 0, neither: 0, disagreements: Vec::new() };
        for (image, ((a, b), label)) in run.iter().zip(against).zip(labels).enumerate() {
            *match (a == label, b == label) {
                (true, true) => &mut pair.both,
                (true, false) => &mut pair.only_run,
                (false, true) => &mut pair.only_against,
                (false, false) => &mut pair.neither,
            } += 1;
            if a != b && pair.disagreements.len() < GALLERY {
                pair.disagreements.push(Disagreement { image, label: *label, predicted: [*a, *b] });
            }
        }
        pair
    }

    /// The number of images.
    pub fn images(&self) -> usize {
        self.both + self.only_run + self.only_against + self.neither
    }
}

/// What an interval of a difference is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalBasis {
    /// How much trainings with different seeds differ, on the same test images.
    Seeds,
    /// How much test images differ, for the same two networks: all that one seed allows.
    Images,
}

/// The difference of two runs' test accuracies, `run` minus `against`: means over seeds where there are several.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct RunDifference {
    pub mean: f64,
    /// Over seeds if both runs have several, over test images if both have one; or why there is none.
    pub interval: Result<Interval, NoInterval>,
    pub over: IntervalBasis,
}

/// The difference of two runs. A study that compares one seed with several is refused.
pub fn difference(comparison: &ComparisonResult, run: &RunResult, against: &RunResult) -> Option<RunDifference> {
    let accuracies = |r: &RunResult| r.seeds.iter().map(SeedResult::accuracy).collect::<Vec<f64>>();
    match (run.seeds.len(), against.seeds.len()) {
        (1, 1) => comparison.pairs.first().map(|p| {
            let Difference { mean, interval } = paired(p.only_run, p.only_against, p.images());
            let interval = if are_same_networks(run, against) {
                Err(NoInterval::SameNetworks)
            } else if interval.lower == interval.upper {
                Err(NoInterval::NoSpread)
            } else {
                Ok(interval)
            };
            RunDifference { mean, interval, over: IntervalBasis::Images }
        }),
        (1, _) | (_, 1) => None,
        _ => {
            let found = welch_over_seeds(&accuracies(run), &accuracies(against));
            let interval = match (found, no_interval_over_seeds(run, against)) {
                (_, Some(reason)) => Err(reason),
                (None, None) => Err(NoInterval::NoSpread),
                (Some(difference), None) => Ok(difference.interval),
            };
            Some(RunDifference { mean: run.accuracy() - against.accuracy(), interval, over: IntervalBasis::Seeds })
        }
    }
}

/// Whether the seeds of two runs gave the same networks, one by one.
pub(super) fn are_same_networks(run: &RunResult, against: &RunResult) -> bool {
    let weights = |r: &RunResult| r.seeds.iter().map(|s| s.weights_sha256.clone()).collect::<Vec<_>>();
    weights(run) == weights(against)
}

/// Why no difference of two runs with several seeds can have an interval.
pub fn no_interval_over_seeds(run: &RunResult, against: &RunResult) -> Option<NoInterval> {
    if are_same_networks(run, against) {
        Some(NoInterval::SameNetworks)
    } else if run.is_one_network() || against.is_one_network() {
        Some(NoInterval::SameNetwork)
    } else {
        (run.seeds.len().min(against.seeds.len()) == 2).then_some(NoInterval::TwoSeeds)
    }
}

/// The test accuracy of each seed of a run after each epoch. Clones share the values.
#[derive(Clone, Debug)]
pub struct EpochAccuracies(Arc<[Vec<f64>]>);

impl EpochAccuracies {
    /// Those of a run.
    pub fn of(run: &RunResult) -> Self {
        Self(run.seeds.iter().map(|s| s.epochs.iter().map(|e| e.test.accuracy()).collect()).collect())
    }

    /// Those of all seeds after one epoch, counted from 0.
    fn at(&self, index: usize) -> Vec<f64> {
        self.0.iter().map(|seed| seed[index]).collect()
    }
}

/// The differences of two runs' test accuracies after each epoch that all their seeds have. Each is computed when it is asked for,
/// because an interval takes microseconds and a study has thousands of epochs.
#[derive(Debug)]
pub struct EpochDifferences {
    run: EpochAccuracies,
    against: EpochAccuracies,
    epochs: usize,
    /// Whether the seeds make a difference.
    has_intervals: bool,
}

impl EpochDifferences {
    /// Those of two runs, each with its accuracies.
    pub fn new([run, against]: [(&RunResult, EpochAccuracies); 2]) -> Self {
        let has_intervals = no_interval_over_seeds(run.0, against.0).is_none();
        let (run, against) = (run.1, against.1);
        let epochs = run.0.iter().chain(against.0.iter()).map(Vec::len).min().unwrap_or(0);
        Self { run, against, epochs, has_intervals }
    }

    /// The number of epochs.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The difference after one epoch, counted from 0, with an interval if both runs have at least three seeds.
    pub fn at(&self, index: usize) -> (f64, Option<Difference>) {
        let (a, b) = (self.run.at(index), self.against.at(index));
        (mean(&a) - mean(&b), welch_over_seeds(&a, &b).filter(|_| self.has_intervals))
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// The difference of two runs' test accuracies after each epoch that all their seeds have, with an interval if both have
/// at least three seeds, and the seeds make a difference.
pub fn by_epoch(run: &RunResult, against: &RunResult) -> Vec<(usize, f64, Option<Difference>)> {
    let all = EpochDifferences::new([run, against].map(|r| (r, EpochAccuracies::of(r))));
    let at = |i: usize| {
        let (difference, found) = all.at(i);
        (i + 1, difference, found)
    };
    (0..all.epochs()).map(at).collect()
}

/// The difference after the first epoch, if all seeds of both runs have several. It is that of [`by_epoch`], without the others.
pub fn after_first_epoch(run: &RunResult, against: &RunResult) -> Option<f64> {
    let has_several = run.seeds.iter().chain(&against.seeds).all(|s| s.epochs.len() > 1);
    let first = |r: &RunResult| r.seeds.iter().map(|s| s.epochs[0].test.accuracy()).collect::<Vec<f64>>();
    has_several.then(|| mean(&first(run)) - mean(&first(against)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_every_image_once() {
        let pair = PairCounts::count([1, 1], &[0, 1, 2, 9, 4], &[0, 2, 3, 9, 5], &[0, 1, 3, 3, 6]);
        assert_eq!((pair.both, pair.only_run, pair.only_against, pair.neither), (1, 1, 1, 2));
        assert_eq!(pair.images(), 5);
        let disagreements: Vec<_> = pair.disagreements.iter().map(|d| (d.image, d.label, d.predicted)).collect();
        assert_eq!(disagreements, [(1, 1, [1, 2]), (2, 3, [2, 3]), (4, 6, [4, 5])]);
    }
}
