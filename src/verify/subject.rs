//! A bundle under verification: its files, what they say, and the data to check them with.

use crate::bundle::{Bundle, Contents, SeedFiles, seed_files};
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
        let data = Mnist::load(&contents.source.data_dir())
            .or_else(|_| Mnist::load(&paths::here_or_in_repository("data/mnist")))
            .map_err(|e| format!("needs the data: {}", error_chain(e)));
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
}
