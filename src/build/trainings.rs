//! Does a job's trainings or takes them from the run cache, and measures how long they take.

use std::time::Instant;

use super::side_by_side::{self, Task};
use super::{BuildError, Job, Listener, Timing, run_log};
use crate::bundle::{Files, SeedFiles};
use crate::dataset::write_labels;
use crate::results::{EpochResult, SeedEnd, write_losses};
use crate::study::RunPlan;
use crate::training::{Prepared, RunCache, SeedOutcome, TrainingObserver, Unfinished};

/// The trainings of a job, and their results so far.
pub(super) struct Trainings<'a> {
    job: &'a Job,
    store: Store,
    listener: &'a mut dyn Listener,
    pub files: Files,
    /// Whether the files of finished trainings are only in the run cache.
    pub only_cached: bool,
}

/// A training that ended, with how long it took.
pub(super) type Ended = (Timing, SeedEnd);

impl<'a> Trainings<'a> {
    /// Trainings that go into a bundle.
    pub(super) fn new(job: &'a Job, cache: RunCache, listener: &'a mut dyn Listener) -> Self {
        let store = Store { cache, fresh: job.fresh, must_keep: false };
        Self { job, store, listener, files: Files::default(), only_cached: false }
    }

    /// Trainings that only go into the run cache: it is an error if one cannot be stored.
    pub(super) fn into_cache(job: &'a Job, cache: RunCache, listener: &'a mut dyn Listener) -> Self {
        let mut trainings = Self::new(job, cache, listener);
        trainings.store.must_keep = true;
        trainings.only_cached = true;
        trainings
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
            if let Some(note) = self.store.keep(&files, &inputs, &outcome, unfinished)? {
                timed.note(&note);
            }
            outcome
        };
        let timing = timed.finish();
        Ok(self.add(&files, timing, outcome))
    }

    /// As [`Trainings::all`], several trainings at once.
    fn side_by_side(&mut self, wanted: &[(&'a RunPlan, u64)]) -> Result<Vec<Ended>, BuildError> {
        let job = self.job;
        let mut ended: Vec<Option<Ended>> = Vec::new();
        let mut tasks = Vec::new();
        for (index, (run, seed)) in wanted.iter().enumerate() {
            let (files, inputs) = (SeedFiles::of_plan(run, *seed), job.inputs(run, *seed));
            let name = files.to_string();
            ended.push(self.store.find(&inputs).map(|outcome| {
                let timing = Timing { run: name.clone(), seed: *seed, cached: true, ..Timing::default() };
                self.add(&files, timing, outcome)
            }));
            if ended[index].is_none() {
                let (model, unfinished) = (&job.plan.models[&run.settings.model], self.store.unfinished(&inputs));
                tasks.push(Task { index, name, model, run, seed: *seed, unfinished });
            }
        }
        let steps = tasks.iter().map(|task| task.run.total_steps() as u64).sum();
        self.listener.several_started(tasks.len(), job.jobs.min(tasks.len()), steps);
        let (store, files, only_cached) = (&mut self.store, &mut self.files, self.only_cached);
        side_by_side::train((&job.plan, &job.data), tasks, job.jobs, self.listener, |listener, one| {
            let side_by_side::Ended { task, timing, outcome } = one;
            let seed_files = SeedFiles::of_plan(task.run, task.seed);
            let inputs = job.inputs(task.run, task.seed);
            if let Some(note) = store.keep(&seed_files, &inputs, &outcome, task.unfinished)? {
                listener.note(&note);
            }
            let end = outcome.end();
            listener.seed_finished(&timing, &end);
            if !only_cached {
                add_files(files, &seed_files, outcome);
            }
            ended[task.index] = Some((timing, end));
            Ok::<(), BuildError>(())
        })?;
        Ok(ended.into_iter().map(|one| one.expect("every training has ended")).collect())
    }

    /// Reports an outcome and adds its files.
    fn add(&mut self, files: &SeedFiles, timing: Timing, outcome: SeedOutcome) -> Ended {
        let end = outcome.end();
        self.listener.seed_finished(&timing, &end);
        if !self.only_cached {
            add_files(&mut self.files, files, outcome);
        }
        (timing, end)
    }
}

fn add_files(all: &mut Files, files: &SeedFiles, outcome: SeedOutcome) {
    if let SeedOutcome::Finished(trained) = outcome {
        all.insert(files.predictions(), write_labels(&trained.predictions));
        all.insert(files.weights(), trained.weights);
        all.insert(files.evidence(), trained.evidence);
        all.insert(files.losses(), write_losses(&trained.losses));
    }
}

/// Where outcomes and checkpoints of trainings are kept.
struct Store {
    cache: RunCache,
    /// Whether outcomes that are there are not used.
    fresh: bool,
    /// Whether an outcome that cannot be stored is an error.
    must_keep: bool,
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

    /// Stores an outcome, or returns a note on why it was not stored.
    fn keep(
        &mut self,
        files: &SeedFiles,
        inputs: &str,
        outcome: &SeedOutcome,
        unfinished: Option<Unfinished>,
    ) -> Result<Option<String>, BuildError> {
        match self.cache.store(inputs, outcome) {
            Ok(()) => {
                if let Some(unfinished) = unfinished {
                    unfinished.remove();
                }
                Ok(None)
            }
            Err(source) if self.must_keep => Err(BuildError::NotStored { name: files.to_string(), source }),
            Err(e) => {
                Ok(Some(format!("{files} was not stored in the run cache, so a later build trains it again: {e}")))
            }
        }
    }
}

/// Measures how long a seed's epochs take while passing its progress on.
pub(super) struct Timed<'a> {
    listener: &'a mut dyn Listener,
    started: Instant,
    epoch_started: Instant,
    timing: Timing,
}

impl<'a> Timed<'a> {
    pub(super) fn new(listener: &'a mut dyn Listener, run: String, seed: u64) -> Self {
        let now = Instant::now();
        let timing = Timing { run, seed, ..Timing::default() };
        Self { listener, started: now, epoch_started: now, timing }
    }

    fn note(&mut self, text: &str) {
        self.listener.note(text);
    }

    pub(super) fn finish(mut self) -> Timing {
        self.timing.seconds = run_log::milliseconds(self.started.elapsed());
        self.timing
    }
}

impl TrainingObserver for Timed<'_> {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) {
        self.listener.step(epoch, step, steps);
    }

    fn epoch(&mut self, result: &EpochResult) {
        self.timing.epoch_seconds.push(run_log::milliseconds(self.epoch_started.elapsed()));
        self.epoch_started = Instant::now();
        self.listener.epoch(result);
    }

    fn resumed(&mut self, epochs: &[EpochResult], planned: usize) {
        self.timing.resumed_after = epochs.len();
        self.listener.resumed(epochs, planned);
    }

    fn not_stored(&mut self, why: &std::io::Error) {
        let run = &self.timing.run;
        let text = format!("{run} stores no checkpoint, so a build that is stopped trains it from its start: {why}");
        self.listener.note(&text);
    }
}
