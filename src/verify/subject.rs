//! A bundle under verification: its files, what they say, and the data to check them with.

use std::path::Path;

use crate::bundle::{Bundle, Contents, SeedFiles};
use crate::dataset::Mnist;
use crate::model::Model;
use crate::paths;
use crate::results::SeedResult;
use crate::study::RunPlan;
use crate::text::error_chain;

pub(super) struct Subject<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) contents: Contents,
    /// The data on this machine, or why they cannot be used.
    pub(super) data: Result<Mnist, String>,
}

/// A trained network of a bundle, with what the study plans for it.
pub(super) struct Trained<'a> {
    pub(super) plan: &'a RunPlan,
    pub(super) model: &'a Model,
    pub(super) result: &'a SeedResult,
    pub(super) files: SeedFiles,
}

impl<'a> Subject<'a> {
    /// Parses a bundle whose files are sound; fails with the first thing that cannot be parsed.
    pub(super) fn new(bundle: &'a Bundle) -> Result<Self, String> {
        let contents = bundle.contents().map_err(error_chain)?;
        let data = Mnist::load(&paths::data_dir(Path::new(""), contents.study().data.as_deref()))
            .or_else(|_| Mnist::load(&paths::of_repository("data/mnist")))
            .map_err(|e| format!("needs the data: {}", error_chain(e)));
        Ok(Self { bundle, contents, data })
    }

    /// Every trained network of a run that the study has.
    pub(super) fn trained(&self) -> impl Iterator<Item = Trained<'_>> {
        let plan = &self.contents.plan;
        let runs = self.contents.results.runs.iter().filter_map(|(name, run)| Some((plan.runs.get(name)?, run)));
        runs.flat_map(move |(run, result)| {
            let model = &plan.models[&run.settings.model];
            let trained = move |seed: &'_ SeedResult| SeedFiles::of_result(&run.name, result, seed.seed);
            result.seeds.iter().map(move |seed| Trained { plan: run, model, result: seed, files: trained(seed) })
        })
    }
}
