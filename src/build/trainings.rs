//! Does a job's trainings or takes them from the run cache.

use super::side_by_side::{self, Task};
use super::timed::Timed;
use super::{BuildError, Job, Listener, Timing};
use crate::bundle::{Files, SeedFiles};
use crate::dataset::write_labels;
use crate::results::{SeedEnd, write_losses};
use crate::study::RunPlan;
use crate::training::{Prepared, RunCache, SeedOutcome, Unfinished};

/// The trainings of a job, and their results so far.
pub(super) struct Trainings<'a> {
    job: &'a Job,
    store: Store,
    listener: &'a mut dyn Listener,
}

/// A training that ended, with how long it took.
pub(super) type Ended = (Timing, SeedEnd);

impl<'a> Trainings<'a> {
    /// Trainings that go into a bundle.
    pub(super) fn new(job: &'a Job, cache: RunCache, listener: &'a mut dyn Listener) -> Self {
        let store = Store { cache, fresh: job.fresh, only_cached: false, files: Files::default() };
        Self { job, store, listener }
    }

    /// Trainings that only go into the run cache: it is an error if one cannot be stored.
    pub(super) fn into_cache(job: &'a Job, cache: RunCache, listener: &'a mut dyn Listener) -> Self {
        let mut trainings = Self::new(job, cache, listener);
        trainings.store.only_cached = true;
        trainings
    }

    /// The files of all trainings that go into a bundle.
    pub(super) fn into_files(self) -> Files {
        self.store.files
    }

    /// Trains these seeds of runs, or takes them from the run cache, and adds their files.
    pub(super) fn all(&mut self, wanted: &[(&'a RunPlan, u64)]) -> Result<Vec<Ended>, BuildError> {
        if self.job.jobs > 1 {
            return self.side_by_side(wanted);
        }
        let prepared = Prepared::new(&self.job.device, &self.job.data, &self.job.plan);
        wanted.iter().map(|(run, seed)| self.one(&prepared, run, *seed)).collect()
    }

    fn one(&mut self, prepared: &Prepared, run: &RunPlan, seed: u64) -> Result<Ended, BuildError> {
        let (files, inputs) = (SeedFiles::of_plan(run, seed), self.job.inputs(run, seed));
        self.listener.seed_started(&files.to_string(), run.total_steps() as u64);
        let mut timed = Timed::new(self.listener, files.to_string(), seed);
        let outcome = if let Some(outcome) = self.store.find(&inputs) {
            timed.timing.cached = true;
            outcome
        } else {
            let unfinished = self.store.unfinished(&inputs);
            let model = &self.job.plan.models[&run.settings.model];
            let outcome = prepared.run(model, run, seed, unfinished.as_ref(), &mut timed)?;
            self.store.keep(&files, &inputs, &outcome, unfinished, timed.listener)?;
            outcome
        };
        let timing = timed.finish();
        Ok(self.store.add(&files, timing, outcome, self.listener))
    }

    /// As [`Trainings::all`], several trainings at once.
    fn side_by_side(&mut self, wanted: &[(&'a RunPlan, u64)]) -> Result<Vec<Ended>, BuildError> {
        let Self { job, store, listener } = self;
        let mut ended: Vec<Option<Ended>> = Vec::new();
        let mut tasks = Vec::new();
        for (index, (run, seed)) in wanted.iter().enumerate() {
            let (files, inputs) = (SeedFiles::of_plan(run, *seed), job.inputs(run, *seed));
            ended.push(store.find(&inputs).map(|outcome| {
                let timing = Timing { run: files.to_string(), seed: *seed, cached: true, ..Timing::default() };
                store.add(&files, timing, outcome, *listener)
            }));
            if ended[index].is_none() {
                let (model, unfinished) = (&job.plan.models[&run.settings.model], store.unfinished(&inputs));
                tasks.push(Task { index, files, inputs, model, run, seed: *seed, unfinished });
            }
        }
        let steps = tasks.iter().map(|task| task.run.total_steps() as u64).sum();
        listener.several_started(tasks.len(), job.jobs.min(tasks.len()), steps);
        side_by_side::train((&job.plan, &job.data), tasks, job.jobs, *listener, |listener, one| {
            let side_by_side::Ended { task, timing, outcome } = one;
            store.keep(&task.files, &task.inputs, &outcome, task.unfinished, listener)?;
            ended[task.index] = Some(store.add(&task.files, timing, outcome, listener));
            Ok::<(), BuildError>(())
        })?;
        Ok(ended.into_iter().map(|one| one.expect("every training has ended")).collect())
    }
}

/// Where outcomes and checkpoints of trainings are kept.
struct Store {
    cache: RunCache,
    /// Whether outcomes that are in the cache are not used.
    fresh: bool,
    /// Whether outcomes are kept in the cache alone, so that it is an error if one cannot be stored there.
    only_cached: bool,
    /// The files of outcomes that go into a bundle.
    files: Files,
}

impl Store {
    fn find(&mut self, inputs: &str) -> Option<SeedOutcome> {
        let outcome = if self.fresh { None } else { self.cache.find(inputs) }?;
        self.cache.discard_unfinished(inputs);
        Some(outcome)
    }

    /// Where a training stores its checkpoints.
    fn unfinished(&mut self, inputs: &str) -> Option<Unfinished> {
        let unfinished = self.cache.unfinished(inputs)?;
        if self.fresh {
            unfinished.clear();
        }
        Some(unfinished)
    }

    /// Stores an outcome in the cache.
    fn keep(
        &mut self,
        files: &SeedFiles,
        inputs: &str,
        outcome: &SeedOutcome,
        unfinished: Option<Unfinished>,
        listener: &mut dyn Listener,
    ) -> Result<(), BuildError> {
        match self.cache.store(inputs, outcome) {
            Ok(()) => {
                if let Some(unfinished) = unfinished {
                    unfinished.remove();
                }
            }
            Err(source) if self.only_cached => {
                return Err(BuildError::NotStored { name: files.to_string(), source });
            }
            Err(e) => listener
                .note(&format!("{files} was not stored in the run cache, so a later build trains it again: {e}")),
        }
        Ok(())
    }

    /// Reports an outcome and adds its files.
    fn add(&mut self, files: &SeedFiles, timing: Timing, outcome: SeedOutcome, listener: &mut dyn Listener) -> Ended {
        let end = outcome.end();
        listener.seed_finished(&timing, &end);
        if let SeedOutcome::Finished(trained) = outcome
            && !self.only_cached
        {
            self.files.insert(files.predictions(), write_labels(&trained.predictions));
            self.files.insert(files.weights(), trained.weights);
            self.files.insert(files.evidence(), trained.evidence);
            self.files.insert(files.losses(), write_losses(&trained.losses));
        }
        (timing, end)
    }
}
