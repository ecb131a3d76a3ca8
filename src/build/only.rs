//! `build --only`: trains some of a study's runs or seeds, to split the work among machines. Their outcomes go to the
//! run cache, where a later build finds them.

use std::collections::BTreeSet;

use super::trainings::Trainings;
use super::{BuildError, Job, Listener, Timing};
use crate::bundle::SeedFiles;
use crate::results::SeedEnd;
use crate::study::{Plan, RunPlan};
use crate::text::closest::unknown;

/// Some trainings, by run and seed.
pub(super) type Chosen = BTreeSet<(String, u64)>;

/// The trainings that these names stand for: each a run (`slim`) or a seed of a run (`slim.seed2`).
pub(super) fn chosen(plan: &Plan, names: &[String]) -> Result<Chosen, BuildError> {
    let mut chosen = Chosen::new();
    for name in names {
        let before = chosen.len();
        for run in plan.runs.values() {
            let is_named = |seed: u64| *name == run.name || *name == format!("{}.seed{seed}", run.name);
            chosen.extend(run.seeds.iter().filter(|seed| is_named(**seed)).map(|seed| (run.name.clone(), *seed)));
        }
        let is_known = chosen.len() > before
            || chosen.iter().any(|(run, seed)| name == run || *name == format!("{run}.seed{seed}"));
        if !is_known {
            return Err(BuildError::UnknownTraining(unknown("training", name, training_names(plan).iter())));
        }
    }
    Ok(chosen)
}

/// The names of all trainings of a study, in its order: a run's name, with the seed if it has several.
pub fn training_names(plan: &Plan) -> Vec<String> {
    let of_run =
        |run: &RunPlan| run.seeds.iter().map(|seed| SeedFiles::of_plan(run, *seed).to_string()).collect::<Vec<_>>();
    plan.runs.values().flat_map(of_run).collect()
}

impl Job {
    /// The seeds of a run that this build trains or takes from the run cache.
    pub(super) fn seeds<'a>(&'a self, run: &'a RunPlan) -> impl Iterator<Item = u64> + 'a {
        let is_chosen = |seed: &u64| {
            self.only.as_ref().is_none_or(|only| only.iter().any(|(name, s)| *name == run.name && s == seed))
        };
        run.seeds.iter().copied().filter(is_chosen)
    }

    /// All seeds of runs that this build trains or takes from the run cache.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (&RunPlan, u64)> {
        self.plan.runs.values().flat_map(|run| self.seeds(run).map(move |seed| (run, seed)))
    }

    /// Does the requested trainings that are not in the run cache, and writes no bundle. Returns the timing and the
    /// outcome of each training.
    ///
    /// # Errors
    /// A training is impossible on this machine, or the run cache cannot be written. Finished trainings stay in the
    /// cache.
    pub fn train(mut self, listener: &mut dyn Listener) -> Result<Vec<(Timing, SeedEnd)>, BuildError> {
        let cache = std::mem::take(&mut self.cache);
        let wanted: Vec<(&RunPlan, u64)> = self.wanted().collect();
        Trainings::into_cache(&self, cache, listener).all(&wanted)
    }
}
