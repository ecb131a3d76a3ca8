//! Runs that diverged, and where: for each seed, the first value of the training that was not finite.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Results, RunResult, SeedResult};
use crate::study::RunSettings;

/// A run of which at least one seed diverged. It has no means, figures or comparisons, because a mean over the other seeds
/// would be a selection.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct DivergedRun {
    pub plan: RunSettings,
    /// In the study's order.
    pub seeds: Vec<SeedEnd>,
}

/// How the training of one seed ended.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum SeedEnd {
    /// After its last epoch.
    Finished(Box<SeedResult>),
    /// When a value was not finite.
    Diverged(DivergedSeed),
}

/// One seed's training that diverged. It has no weights or predictions.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct DivergedSeed {
    pub seed: u64,
    /// As in `SeedResult`.
    pub subset_sha256: String,
    /// As in `SeedResult`.
    pub initial_weights_sha256: String,
    pub not_finite: NotFinite,
}

/// The first value of a training that was not finite.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct NotFinite {
    /// Counts from 1.
    pub epoch: usize,
    /// The step in the epoch, counted from 1. For a value computed after an epoch, its last step.
    pub step: usize,
    /// What was not finite.
    pub value: Checked,
}

/// The values of a training that must be finite, in the order in which they are checked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// The mean loss of a batch, after each step.
    TrainingLoss,
    /// After each epoch.
    TestLoss,
    /// On the validation set, after each epoch.
    ValidationLoss,
    /// On the training images, evaluated after each epoch.
    TrainingImagesLoss,
    /// Weights and running statistics, after each epoch: a layer can hide them from every loss.
    Weights,
}

impl Checked {
    /// The name in results.json, which is also the phrase's key in the report.
    pub fn key(self) -> &'static str {
        match self {
            Self::TrainingLoss => "training_loss",
            Self::TestLoss => "test_loss",
            Self::ValidationLoss => "validation_loss",
            Self::TrainingImagesLoss => "training_images_loss",
            Self::Weights => "weights",
        }
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { epoch, step, .. } = self;
        match self.value {
            Checked::TrainingLoss => write!(f, "training loss not finite in epoch {epoch}, step {step}"),
            Checked::TestLoss => write!(f, "test loss not finite after epoch {epoch} (step {step})"),
            Checked::ValidationLoss => write!(f, "validation loss not finite after epoch {epoch} (step {step})"),
            Checked::TrainingImagesLoss => {
                write!(f, "loss on the training images not finite after epoch {epoch} (step {step})")
            }
            Checked::Weights => write!(f, "weights not finite after epoch {epoch} (step {step})"),
        }
    }
}

impl SeedEnd {
    /// The seed.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Finished(result) => result.seed,
            Self::Diverged(diverged) => diverged.seed,
        }
    }
}

impl DivergedRun {
    /// The seeds that were trained to the end.
    pub fn finished(&self) -> impl Iterator<Item = &SeedResult> {
        self.seeds.iter().filter_map(|end| match end {
            SeedEnd::Finished(result) => Some(&**result),
            SeedEnd::Diverged(_) => None,
        })
    }

    /// The seeds that diverged.
    pub fn diverged(&self) -> impl Iterator<Item = &DivergedSeed> {
        self.seeds.iter().filter_map(|end| match end {
            SeedEnd::Finished(_) => None,
            SeedEnd::Diverged(diverged) => Some(diverged),
        })
    }

    /// Where each seed diverged, on one line: `seed 1: training loss not finite in epoch 2, step 5`.
    pub fn in_words(&self) -> String {
        let each: Vec<String> =
            self.diverged().map(|seed| format!("seed {}: {}", seed.seed, seed.not_finite)).collect();
        each.join("; ")
    }
}

/// A run with its results, or one that diverged.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "self-evident")]
pub enum AnyRun<'a> {
    Finished(&'a RunResult),
    Diverged(&'a DivergedRun),
}

impl<'a> AnyRun<'a> {
    /// How it was trained.
    pub fn plan(self) -> &'a RunSettings {
        match self {
            Self::Finished(run) => &run.plan,
            Self::Diverged(run) => &run.plan,
        }
    }

    /// Each seed with the SHA-256 of its choice of images, in the study's order.
    pub fn subsets(self) -> Vec<(u64, &'a String)> {
        match self {
            Self::Finished(run) => run.seeds.iter().map(|s| (s.seed, &s.subset_sha256)).collect(),
            Self::Diverged(run) => run.seeds.iter().map(subset).collect(),
        }
    }

    /// The seeds, in the study's order.
    pub fn seeds(self) -> Vec<u64> {
        self.subsets().into_iter().map(|(seed, _)| seed).collect()
    }

    /// The number of seeds, counted without listing them: it is asked for each seed.
    pub fn seed_count(self) -> usize {
        match self {
            Self::Finished(run) => run.seeds.len(),
            Self::Diverged(run) => run.seeds.len(),
        }
    }

    /// The seeds that were trained to the end.
    pub fn finished(self) -> Vec<&'a SeedResult> {
        match self {
            Self::Finished(run) => run.seeds.iter().collect(),
            Self::Diverged(run) => run.finished().collect(),
        }
    }
}

fn subset(end: &SeedEnd) -> (u64, &String) {
    match end {
        SeedEnd::Finished(s) => (s.seed, &s.subset_sha256),
        SeedEnd::Diverged(s) => (s.seed, &s.subset_sha256),
    }
}

impl Results {
    /// Every run: first those that have results, then those that diverged.
    pub fn all_runs(&self) -> impl Iterator<Item = (&String, AnyRun<'_>)> {
        let finished = self.runs.iter().map(|(name, run)| (name, AnyRun::Finished(run)));
        finished.chain(self.diverged.iter().map(|(name, run)| (name, AnyRun::Diverged(run))))
    }

    /// The run of that name.
    pub fn run(&self, name: &str) -> Option<AnyRun<'_>> {
        let finished = self.runs.get(name).map(AnyRun::Finished);
        finished.or_else(|| self.diverged.get(name).map(AnyRun::Diverged))
    }

    /// Adds a run, to the diverged ones if any of its seeds diverged.
    pub fn add_run(&mut self, name: String, plan: RunSettings, ends: Vec<SeedEnd>) {
        if ends.iter().any(|end| matches!(end, SeedEnd::Diverged(_))) {
            self.diverged.insert(name, DivergedRun { plan, seeds: ends });
            return;
        }
        let finished = |end| match end {
            SeedEnd::Finished(result) => Some(*result),
            SeedEnd::Diverged(_) => None,
        };
        self.runs.insert(name, RunResult { plan, seeds: ends.into_iter().filter_map(finished).collect() });
    }

    /// A line for each run that diverged: `fast (seed 1: training loss not finite in epoch 2, step 5)`.
    pub fn diverged_in_words(&self) -> Vec<String> {
        self.diverged.iter().map(|(name, run)| format!("{name} ({})", run.in_words())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use indexmap::IndexMap;

    use super::*;
    use crate::compute::Environment;
    use crate::results::{Data, ResultsError, SCHEMA, checks};
    use crate::study::{MAX_TRAININGS, Plan, Source};

    /// A run of which so many seeds diverged in the first step.
    fn run(seeds: usize) -> DivergedRun {
        let yaml = "title: T\nmodels: {m: {layers: [flatten, {linear: {out_features: 10}}]}}\n\
                    runs: {r: {model: m, epochs: 1, batch_size: 50, optimizer: adam, seeds: [1]}}\n";
        let plan = Plan::resolve(&Source::from_text(Path::new("study.yaml"), yaml).unwrap()).unwrap();
        let diverged = |seed: usize| {
            SeedEnd::Diverged(DivergedSeed {
                seed: seed as u64,
                subset_sha256: String::new(),
                initial_weights_sha256: String::new(),
                not_finite: NotFinite { epoch: 1, step: 1, value: Checked::TrainingLoss },
            })
        };
        DivergedRun { plan: plan.runs["r"].settings.clone(), seeds: (1..=seeds).map(diverged).collect() }
    }

    #[test]
    fn seeds_are_counted_as_they_are_listed() {
        for count in [1, 2, 5] {
            let run = run(count);
            let run = AnyRun::Diverged(&run);
            assert_eq!((run.seed_count(), run.seeds().len()), (count, count));
        }
    }

    #[test]
    fn results_have_as_many_trainings_as_a_study_may_plan() {
        let checked = |trainings: usize| {
            let runs = [("a", run(4000)), ("b", run(trainings - 4000))];
            checks::check(&Results {
                schema: SCHEMA,
                environment: Environment::own(),
                data: Data { train_images: 60_000, test_images: 10, test_classes: vec![5, 5] },
                models: IndexMap::new(),
                runs: IndexMap::new(),
                diverged: runs.map(|(name, run)| (name.to_owned(), run)).into_iter().collect(),
                comparisons: IndexMap::new(),
                digits: IndexMap::new(),
                loss_curves: IndexMap::new(),
                filters: IndexMap::new(),
            })
        };
        assert!(checked(MAX_TRAININGS).is_ok());
        assert!(matches!(checked(MAX_TRAININGS + 1), Err(ResultsError::Trainings(10_001))));
    }
}
