//! Several trainings at once on a CPU, each started by a thread of its own. The layers of a small network do not keep many cores
//! busy. No result depends on it.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::timed::Timed;
use super::{Listener, Timing};
use crate::bundle::SeedFiles;
use crate::compute::Device;
use crate::dataset::TrainAndTest;
use crate::failure;
use crate::model::Model;
use crate::results::{EpochResult, SeedEnd};
use crate::study::{Plan, RunPlan};
use crate::training::{Prepared, SeedOutcome, TrainingError, TrainingObserver, Unfinished};

/// A training to do.
pub(super) struct Task<'a> {
    /// Its place among the trainings of the build.
    pub(super) index: usize,
    /// Its files, by which it is named.
    pub(super) files: SeedFiles,
    /// The digest of what its outcome depends on.
    pub(super) inputs: String,
    pub(super) model: &'a Model,
    pub(super) run: &'a RunPlan,
    pub(super) seed: u64,
    /// Where it stores checkpoints.
    pub(super) unfinished: Option<Unfinished>,
}

/// A training that ended.
pub(super) struct Ended<'a> {
    pub(super) task: Task<'a>,
    pub(super) timing: Timing,
    pub(super) outcome: SeedOutcome,
}

/// What a training tells the main thread.
enum Event<'a> {
    Step,
    Note(String),
    Ended(Box<Ended<'a>>),
    Failed(TrainingError),
    /// A panic, as a message of one line.
    Panicked(String),
}

/// Does trainings, at most `jobs` at once, and calls `ended` for each as it ends.
///
/// # Errors
/// The first error of a training or of `ended`. Trainings that are running are finished before it is returned, others do not
/// start.
pub(super) fn train<'a, E: From<TrainingError>>(
    (plan, data): (&'a Plan, &'a TrainAndTest),
    tasks: Vec<Task<'a>>,
    jobs: usize,
    listener: &mut dyn Listener,
    mut ended: impl FnMut(&mut dyn Listener, Ended<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let workers = jobs.min(tasks.len());
    let tasks = Mutex::new(VecDeque::from(tasks));
    let (send, receive) = channel();
    let (mut failed, mut panicked) = (None, None);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (send, tasks) = (send.clone(), &tasks);
            scope.spawn(move || {
                if let Err(message) = failure::caught(|| work(plan, data, tasks, &send)) {
                    let _ = send.send(Event::Panicked(message));
                }
            });
        }
        // The loop below ends when the last worker drops its end.
        drop(send);
        let stop = || locked(&tasks).clear();
        for event in receive {
            match event {
                Event::Step => listener.advanced(),
                Event::Note(text) => listener.note(&text),
                Event::Ended(one) => {
                    if let Err(error) = ended(listener, *one) {
                        stop();
                        failed.get_or_insert(error);
                    }
                }
                Event::Failed(error) => {
                    stop();
                    failed.get_or_insert(error.into());
                }
                Event::Panicked(message) => {
                    stop();
                    panicked.get_or_insert(message);
                }
            }
        }
    });
    match panicked {
        Some(message) => failure::machine(message),
        None => failed.map_or(Ok(()), Err),
    }
}

/// The trainings that have not started. A panic with the lock does not leave them half changed.
fn locked<'t, 'a>(tasks: &'t Mutex<VecDeque<Task<'a>>>) -> MutexGuard<'t, VecDeque<Task<'a>>> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does one training after another until none is left.
fn work<'a>(plan: &'a Plan, data: &'a TrainAndTest, tasks: &Mutex<VecDeque<Task<'a>>>, send: &Sender<Event<'a>>) {
    let device = Device::cpu();
    let prepared = Prepared::new(&device, data, plan);
    loop {
        // A separate statement, so that the lock is released before the training.
        let task = locked(tasks).pop_front();
        let Some(task) = task else { return };
        let name = task.files.to_string();
        let mut sender = Remote { send, name: &name };
        let mut timed = Timed::new(&mut sender, name.clone(), task.seed);
        let outcome = prepared.run(task.model, task.run, task.seed, task.unfinished.as_ref(), &mut timed);
        let timing = timed.finish();
        let event = match outcome {
            Ok(outcome) => Event::Ended(Box::new(Ended { task, timing, outcome })),
            Err(error) => Event::Failed(error),
        };
        let _ = send.send(event);
    }
}

/// Sends a training's progress to the main thread.
struct Remote<'s, 'a> {
    send: &'s Sender<Event<'a>>,
    name: &'s str,
}

impl TrainingObserver for Remote<'_, '_> {
    fn step(&mut self, _epoch: usize, _step: usize, _steps: usize) {
        let _ = self.send.send(Event::Step);
    }

    fn epoch(&mut self, _result: &EpochResult) {}

    fn resumed(&mut self, epochs: &[EpochResult], planned: usize) {
        let done = epochs.len();
        self.note(&format!("{}: going on after epoch {done} of {planned}, where a build was stopped", self.name));
    }
}

impl Listener for Remote<'_, '_> {
    fn seed_started(&mut self, _name: &str, _steps: u64) {}

    fn seed_finished(&mut self, _timing: &Timing, _end: &SeedEnd) {}

    fn note(&mut self, text: &str) {
        let _ = self.send.send(Event::Note(text.to_owned()));
    }
}
