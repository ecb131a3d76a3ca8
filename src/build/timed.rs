//! Measures how long a training takes.

use std::time::Instant;

use super::{Listener, Timing, run_log};
use crate::results::EpochResult;
use crate::training::TrainingObserver;

/// Measures how long a seed's epochs take while passing its progress on.
pub(super) struct Timed<'a> {
    pub(super) listener: &'a mut dyn Listener,
    started: Instant,
    epoch_started: Instant,
    pub(super) timing: Timing,
}

impl<'a> Timed<'a> {
    pub(super) fn new(listener: &'a mut dyn Listener, run: String, seed: u64) -> Self {
        let now = Instant::now();
        let timing = Timing { run, seed, ..Timing::default() };
        Self { listener, started: now, epoch_started: now, timing }
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
