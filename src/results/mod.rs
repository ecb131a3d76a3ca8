//! The results: every measured value once, as `results.json` stores it.
//!
//! Values that follow from others, such as the accuracy from the confusion matrix, are methods, not fields. Durations and
//! hosts are in run-log.json.

mod checks;
mod comparison;
mod digits;
mod diverged;
mod error;
mod facts;
mod filters;
mod loss_curves;
mod losses;
mod metrics;
mod ranking;
mod runs;
pub mod statistics;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use comparison::{
    ComparisonResult, Disagreement, EpochAccuracies, EpochDifferences, IntervalBasis, PairCounts, RunDifference,
    after_first_epoch, by_epoch, difference, no_interval_over_seeds,
};
pub use digits::{GALLERY, Misclassified, digits, misclassified};
pub use diverged::{AnyRun, Checked, DivergedRun, DivergedSeed, NotFinite, SeedEnd};
pub use error::{ResultsError, RunProblem};
pub use facts::{LayerFacts, ModelFacts, model_facts};
pub use filters::{Filters, MAX_KERNELS};
pub use loss_curves::{LossCurve, MAX_GROUPS};
pub use losses::{LossesError, read_losses, write_losses};
pub use metrics::{Evaluation, confusion, predicted_classes};
pub use ranking::{AgainstBest, Ranked, Test};
pub use runs::{EpochResult, Evaluated, NoInterval, RunResult, SeedResult, Segment, StepResult, validation_losses};

use crate::compute::Environment;
use crate::dataset::{ImageSet, TrainAndTest};
use crate::study::Study;

/// The version of results.json's schema; a program refuses any other.
pub const SCHEMA: u32 = 6;

/// A study's results.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Results {
    pub schema: u32,
    pub environment: Environment,
    pub data: Data,
    pub models: IndexMap<String, ModelFacts>,
    pub runs: IndexMap<String, RunResult>,
    /// The runs that have no results because they diverged.
    pub diverged: IndexMap<String, DivergedRun>,
    pub comparisons: IndexMap<String, ComparisonResult>,
    /// The test images that the report shows, by their index in the test set: PNG in base64.
    pub digits: IndexMap<String, String>,
    /// For each run with results: its losses by step, as figures show them.
    pub loss_curves: IndexMap<String, LossCurve>,
    /// The first convolutions that the report shows, by run.
    pub filters: IndexMap<String, Filters>,
}

/// The number of images.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Data {
    pub train_images: usize,
    pub test_images: usize,
    /// Test images of each class.
    pub test_classes: Vec<usize>,
}

impl Data {
    /// Counts the images of a data set.
    pub fn of(data: &TrainAndTest) -> Self {
        let (train_images, test_images) = (data.train.len(), data.test.len());
        Self { train_images, test_images, test_classes: data.test.class_counts() }
    }
}

/// The part of a results.json that every version has.
#[derive(Deserialize)]
struct Probe {
    schema: Option<u64>,
}

impl Results {
    /// Adds what follows from the predictions: the study's comparisons, those of its grid with the best run, and the pixels of the test images that its report
    /// shows. `predictions` gives the predicted classes of a run's seed. A comparison
    /// with a run that diverged is left out.
    ///
    /// # Errors
    /// Predictions that cannot be read, or an image that the test set does not have.
    pub fn add_comparisons<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        study: &Study,
        test: &ImageSet,
        predictions: impl Fn(&str, u64) -> Result<Vec<u8>, E>,
    ) -> Result<(), ResultsError> {
        let read = |run: &str, seed: u64| {
            let failed = |e: E| ResultsError::Predictions { run: run.to_owned(), seed, source: e.into() };
            predictions(run, seed).map_err(failed)
        };
        let ranked = ranking::by_accuracy(study, self);
        let of_grid = ranked
            .iter()
            .skip(1)
            .map(|(cell, _)| (ranking::comparison_name(&cell.run), cell.run.clone(), ranked[0].0.run.clone()));
        let of_study = study.comparisons.iter().map(|(name, c)| (name.clone(), c.run.clone(), c.against.clone()));
        let mut comparisons = IndexMap::new();
        for (name, run, against) in of_study.chain(of_grid) {
            if [&run, &against].into_iter().any(|run| self.diverged.contains_key(run)) {
                continue;
            }
            let unknown = |run: &String| ResultsError::UnknownRun { name: name.clone(), run: run.clone() };
            let seeds = |run: &String| self.runs.get(run).map(|r| &r.seeds).ok_or_else(|| unknown(run));
            let pairs = seeds(&run)?.iter().zip(seeds(&against)?).map(|(a, b)| {
                let (run, against) = (read(&run, a.seed)?, read(&against, b.seed)?);
                Ok(PairCounts::count([a.seed, b.seed], &run, &against, &test.labels))
            });
            let pairs = pairs.collect::<Result<_, ResultsError>>()?;
            comparisons.insert(name, ComparisonResult { run, against, pairs });
        }
        self.comparisons = comparisons;
        self.digits = digits(study, self, test)?;
        Ok(())
    }

    /// Adds the losses by step of every run. `losses` gives those of a run's seed, one for each batch.
    ///
    /// # Errors
    /// Losses that cannot be read.
    pub fn add_loss_curves<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        losses: impl Fn(&str, u64) -> Result<Vec<f32>, E>,
    ) -> Result<(), ResultsError> {
        let of_run = |(name, run): (&String, &RunResult)| {
            let of_seed = |seed: &SeedResult| {
                let failed = |e: E| ResultsError::Losses { run: name.clone(), seed: seed.seed, source: e.into() };
                losses(name, seed.seed).map_err(failed)
            };
            let losses = run.seeds.iter().map(of_seed).collect::<Result<Vec<_>, _>>()?;
            let validation: Vec<Vec<f64>> = run.seeds.iter().map(|seed| validation_losses(&seed.epochs)).collect();
            Ok((name.clone(), LossCurve::of(&run.plan, &losses, &validation)))
        };
        self.loss_curves = self.runs.iter().map(of_run).collect::<Result<_, ResultsError>>()?;
        Ok(())
    }

    /// The text of results.json.
    ///
    /// # Panics
    /// On a number that is not finite.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("finite numbers and string keys") + "\n"
    }

    /// Reads results.json.
    ///
    /// # Errors
    /// Not JSON, another schema, or values that cannot be results, such as a run without seeds.
    pub fn from_json(text: &str) -> Result<Self, ResultsError> {
        // Not as a `Value` first, which takes ten times the memory of the text.
        let probe: Probe = serde_json::from_str(text)
            .map_err(|e| if e.is_data() { ResultsError::NoSchema } else { ResultsError::Json(e) })?;
        let found = probe.schema.ok_or(ResultsError::NoSchema)?;
        if found != u64::from(SCHEMA) {
            return Err(ResultsError::Schema { found });
        }
        let results: Self = serde_json::from_str(text).map_err(ResultsError::Form)?;
        checks::check(&results)?;
        Ok(results)
    }

    /// The digest of what training measured: the results of all seeds of all runs, with the runs' names. The study's texts
    /// are not part of it. Two bundles of one environment that have the same digest measured the same.
    ///
    /// # Panics
    /// On a number that is not finite.
    pub fn measured_digest(&self) -> String {
        let runs: IndexMap<&String, &Vec<SeedResult>> = self.runs.iter().map(|(n, r)| (n, &r.seeds)).collect();
        let diverged: IndexMap<&String, &Vec<SeedEnd>> = self.diverged.iter().map(|(n, r)| (n, &r.seeds)).collect();
        let measured =
            if diverged.is_empty() { serde_json::to_string(&runs) } else { serde_json::to_string(&(runs, diverged)) };
        crate::digest::sha256_hex(measured.expect("finite numbers").as_bytes())
    }

    /// A digest of what was measured, whatever runs and layers are called and in whatever order runs and seeds are. The hashes of
    /// states have the layers' names in them, and follow from the rest.
    pub(crate) fn measured_digest_without_names(&self) -> String {
        fn digest(end: &impl Serialize) -> String {
            let mut value = serde_json::to_value(end).expect("finite numbers");
            if let Some(map) = value.as_object_mut() {
                map.retain(|key, _| !["weights_sha256", "initial_weights_sha256", "chain"].contains(&key.as_str()));
            }
            crate::digest::sha256_hex(value.to_string().as_bytes())
        }
        let finished = self.runs.values().flat_map(|run| &run.seeds).map(digest);
        let ended = self.diverged.values().flat_map(|run| &run.seeds).map(|end| match end {
            SeedEnd::Finished(result) => digest(result),
            SeedEnd::Diverged(diverged) => digest(diverged),
        });
        let mut all: Vec<String> = finished.chain(ended).collect();
        all.sort_unstable();
        crate::digest::sha256_hex(all.join("\n").as_bytes())
    }
}
