//! The progress of a build on a terminal: a bar with epoch, loss and remaining time, and a line for each finished run.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;
use crate::build::{Listener, Timing};
use crate::results::{EpochResult, SeedEnd};
use crate::text::numbers::{count, duration, loss, percent, plural};
use crate::training::TrainingObserver;

/// Shows a build's progress; the bar only if standard error is a terminal.
pub(super) struct Terminal {
    quiet: bool,
    bar: ProgressBar,
    /// The results of the last epoch, as the bar shows them.
    last: String,
    /// How many of several trainings at once have not ended.
    left: usize,
}

impl Terminal {
    /// A terminal that prints nothing if `quiet`.
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, bar: ProgressBar::hidden(), last: String::new(), left: 0 }
    }

    fn start_bar(&mut self, prefix: &str, steps: u64) {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{prefix} {bar:24} {msg} ({eta} left)");
        self.bar = ProgressBar::with_draw_target(Some(steps), target);
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_prefix(prefix.to_owned());
        self.last.clear();
    }
}

impl Listener for Terminal {
    fn seed_started(&mut self, name: &str, steps: u64) {
        self.left = 1;
        self.start_bar(name, steps);
    }

    fn several_started(&mut self, trainings: usize, at_once: usize, steps: u64) {
        self.left = trainings;
        self.start_bar(&format!("{}, {at_once} at once", plural(trainings, "training")), steps);
    }

    fn advanced(&mut self) {
        self.bar.inc(1);
    }

    fn seed_finished(&mut self, timing: &Timing, end: &SeedEnd) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.bar.finish_and_clear();
        }
        if !self.quiet {
            self.bar.suspend(|| say(&outcome(timing, end)));
        }
    }

    fn note(&mut self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| say(&format!("note: {text}")));
        }
    }
}

/// A line about a training that ended.
fn outcome(timing: &Timing, end: &SeedEnd) -> String {
    let how =
        if timing.cached { "from the run cache (--fresh trains again)".to_owned() } else { duration(timing.seconds) };
    let result = match end {
        SeedEnd::Finished(result) => result,
        SeedEnd::Diverged(seed) => return format!("{}: diverged: {}; {how}", timing.run, seed.not_finite),
    };
    format!(
        "{}: {} of {} test images correct ({}), loss {}; {how}",
        timing.run,
        count(result.correct() as u64),
        count(result.images() as u64),
        percent(result.accuracy(), 2),
        loss(result.test_loss)
    )
}

impl TrainingObserver for Terminal {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) {
        self.bar.set_message(format!("epoch {epoch}, {step}/{steps}{}", self.last));
        self.bar.inc(1);
    }

    fn epoch(&mut self, result: &EpochResult) {
        let accuracy = percent(result.test.accuracy(), 2);
        self.last = format!("; loss {}, test accuracy {accuracy}", loss(result.train_loss));
    }

    fn resumed(&mut self, epochs: &[EpochResult], planned: usize) {
        let done = epochs.len();
        if !self.quiet {
            let text =
                format!("{}: going on after epoch {done} of {planned}, where a build was stopped", self.bar.prefix());
            self.bar.suspend(|| say(&text));
        }
        self.bar.set_position(self.bar.length().unwrap_or(0) * done as u64 / planned as u64);
        self.bar.reset_eta();
        if let Some(last) = epochs.last() {
            self.epoch(last);
        }
    }
}
