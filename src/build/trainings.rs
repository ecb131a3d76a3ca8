//! Does a job's trainings or takes them from the run cache, and measures how long they take.

use std::time::Instant;

use super::{BuildError, Job, Listener, Timing, run_log};
use crate::bundle::{Files, SeedFiles};
use crate::dataset::write_labels;
use crate::results::{EpochResult, SeedEnd, write_losses};
use crate::study::RunPlan;
use crate::training::{Prepared, RunCache, SeedOutcome, TrainingObserver};

/// The trainings of a job, and their results so far.
pub(super) struct Trainings<'a> {
    job: &'a Job,
    prepared: Prepared<'a>,
    cache: RunCache,
    /// Whether a training that cannot be stored in the run cache is an error.
    pub must_store: bool,
    listener: &'a mut dyn Listener,
    pub files: Files,
    pub timings: Vec<Timing>,
}

impl<'a> Trainings<'a> {
    pub(super) fn new(job: &'a Job, cache: RunCache, listener: &'a mut dyn Listener) -> Self {
        let prepared = Prepared::new(&job.device, &job.data, &job.plan);
        Self { job, prepared, cache, must_store: false, listener, files: Files::default(), timings: Vec::new() }
    }

    pub(super) fn run(&mut self, plan: &RunPlan) -> Result<Vec<SeedEnd>, BuildError> {
        plan.seeds.iter().map(|seed| self.seed(plan, *seed)).collect()
    }

    /// Trains one seed, or takes it from the run cache, and adds its files.
    pub(super) fn seed(&mut self, run: &RunPlan, seed: u64) -> Result<SeedEnd, BuildError> {
        let Job { plan, fresh, .. } = self.job;
        let (model, files) = (&plan.models[&run.settings.model], SeedFiles::of_plan(run, seed));
        let inputs = self.job.inputs(run, seed);
        self.listener.seed_started(&files.to_string(), run.total_steps() as u64);
        let mut timed = Timed::new(self.listener, files.to_string(), seed);
        let cached = if *fresh { None } else { self.cache.find(&inputs) };
        let outcome = if let Some(outcome) = cached {
            timed.timing.cached = true;
            self.cache.discard_unfinished(&inputs);
            outcome
        } else {
            let unfinished = self.cache.unfinished(&inputs);
            if let Some(unfinished) = unfinished.as_ref().filter(|_| *fresh) {
                unfinished.clear();
            }
            let outcome = self.prepared.run(model, run, seed, unfinished.as_ref(), &mut timed)?;
            match (self.cache.store(&inputs, &outcome), unfinished) {
                (Ok(()), Some(unfinished)) => unfinished.remove(),
                (Ok(()), None) => {}
                (Err(source), _) if self.must_store => {
                    return Err(BuildError::NotStored { name: files.to_string(), source });
                }
                (Err(e), _) => timed
                    .note(&format!("{files} was not stored in the run cache, so a later build trains it again: {e}")),
            }
            outcome
        };
        let timing = timed.finish();
        let end = outcome.end();
        self.listener.seed_finished(&timing, &end);
        self.timings.push(timing);
        if let SeedOutcome::Finished(trained) = outcome {
            self.files.insert(files.predictions(), write_labels(&trained.predictions));
            self.files.insert(files.weights(), trained.weights);
            self.files.insert(files.evidence(), trained.evidence);
            self.files.insert(files.losses(), write_losses(&trained.losses));
        }
        Ok(end)
    }
}

/// Measures how long a seed's epochs take while passing its progress on.
struct Timed<'a> {
    listener: &'a mut dyn Listener,
    started: Instant,
    epoch_started: Instant,
    timing: Timing,
}

impl<'a> Timed<'a> {
    fn new(listener: &'a mut dyn Listener, run: String, seed: u64) -> Self {
        let now = Instant::now();
        let timing = Timing { run, seed, ..Timing::default() };
        Self { listener, started: now, epoch_started: now, timing }
    }

    fn note(&mut self, text: &str) {
        self.listener.note(text);
    }

    fn finish(mut self) -> Timing {
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
