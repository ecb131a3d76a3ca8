//! A bundle under verification: its files, what they say, and the data to check them with.

use std::path::Path;

use crate::bundle::{Bundle, Contents, SeedFiles, seed_files};
use crate::dataset::TrainAndTest;
use crate::model::Model;
use crate::results::{AnyRun, DivergedSeed, SeedResult};
use crate::study::RunPlan;
use crate::text::error_chain;

pub(super) struct Subject<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) contents: Contents,
    /// The data on this machine, or why they cannot be used.
    pub(super) data: Result<TrainAndTest, String>,
}

/// Why a bundle whose files are sound cannot be parsed.
pub(super) struct Unreadable {
    pub(super) reason: String,
    /// Another version of the program wrote it, in another form. That is not a fault of the bundle.
    pub(super) is_of_another_version: bool,
}

/// A trained network of a bundle, with what the study plans for it.
pub(super) struct Trained<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) model: &'a Model,
    pub(super) result: &'a SeedResult,
    pub(super) files: SeedFiles,
}

/// A training of a bundle that diverged, with what the study plans for it.
pub(super) struct Diverged<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) model: &'a Model,
    pub(super) result: &'a DivergedSeed,
    /// The files that it would have. `Display` names the training.
    pub(super) files: SeedFiles,
}

impl Trained<'_> {
    /// Of the planned epochs, the part that the training has.
    pub(super) fn share(&self) -> f64 {
        (self.result.epochs.len() as f64 / self.plan.settings.epochs as f64).min(1.0)
    }

    /// The cost of the epochs that the training has, in multiply-adds.
    pub(super) fn cost(&self) -> f64 {
        self.plan.cost * self.share()
    }
}

impl Diverged<'_> {
    /// Of the planned epochs, the part up to the one in which it diverged.
    pub(super) fn share(&self) -> f64 {
        (self.result.not_finite.epoch as f64 / self.plan.settings.epochs as f64).min(1.0)
    }

    /// The cost of the epochs up to that one, in multiply-adds.
    pub(super) fn cost(&self) -> f64 {
        self.plan.cost * self.share()
    }
}

impl<'a> Subject<'a> {
    /// Parses a bundle whose files are sound; fails with the first thing that cannot be parsed. `data` is the folder of the data,
    /// if the user names one.
    pub(super) fn new(bundle: &'a Bundle, data: Option<&Path>) -> Result<Self, Unreadable> {
        let contents = bundle
            .contents()
            .map_err(|e| Unreadable { is_of_another_version: e.is_of_another_version(), reason: error_chain(e) })?;
        let data = contents.data(data).map_err(|e| format!("needs the data: {}", error_chain(e)));
        Ok(Self { bundle, contents, data })
    }

    /// Every trained network of a run that the study has.
    pub(super) fn trained(&self) -> impl Iterator<Item = Trained<'_>> {
        let Contents { plan, results, .. } = &self.contents;
        seed_files(results).filter_map(|(run, result, files)| {
            let run = plan.runs.get(run)?;
            Some(Trained { plan: run, model: &plan.models[&run.settings.model], result, files })
        })
    }

    /// The cost of doing every training again, in multiply-adds.
    pub(super) fn cost(&self) -> f64 {
        let finished: f64 = self.trained().map(|trained| trained.cost()).sum();
        finished + self.diverged().map(|diverged| diverged.cost()).sum::<f64>()
    }

    /// The names of all trainings' files, finished or diverged, of runs that the study has.
    pub(super) fn training_names(&self) -> Vec<String> {
        let diverged = self.diverged().map(|diverged| diverged.files.to_string());
        self.trained().map(|trained| trained.files.to_string()).chain(diverged).collect()
    }

    /// Every training that diverged, of a run that the study has.
    pub(super) fn diverged(&self) -> impl Iterator<Item = Diverged<'_>> {
        let Contents { plan, results, .. } = &self.contents;
        results.diverged.iter().flat_map(move |(name, run)| {
            let planned = plan.runs.get(name);
            run.diverged().filter_map(move |result| {
                let files = SeedFiles::of_result(name, AnyRun::Diverged(run), result.seed);
                let plan_of_run = planned?;
                Some(Diverged { plan: plan_of_run, model: &plan.models[&plan_of_run.settings.model], result, files })
            })
        })
    }
}
