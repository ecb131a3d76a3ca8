//! Progress on a terminal: a bar with epoch, loss and remaining time; nothing where nobody watches.
//!
//! Owns the bars and the timings that go into run-log.json.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::results::EpochResult;
use crate::text::numbers::{fixed, percent};
use crate::training::Progress;

/// One run's progress, and how long its epochs took.
pub struct Bar {
    bar: ProgressBar,
    started: Instant,
    epoch_started: Instant,
    pub timing: Timing,
    last: String,
}

/// How long a run took: volatile, for run-log.json.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timing {
    pub run: String,
    pub seed: u64,
    pub seconds: f64,
    /// Of each epoch, evaluation included.
    pub epoch_seconds: Vec<f64>,
    /// Whether the run was kept from an earlier build.
    pub kept: bool,
}

impl Bar {
    /// A bar of `steps` batches; hidden when `quiet` or when standard error is no terminal.
    pub fn new(run: &str, seed: u64, steps: u64, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(steps), target);
        let style = ProgressStyle::with_template("{prefix} {bar:24} {msg} ({eta} left)");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(run.to_owned());
        let now = Instant::now();
        let timing = Timing { run: run.to_owned(), seed, ..Timing::default() };
        Self { bar, started: now, epoch_started: now, timing, last: String::new() }
    }

    /// Ends the bar; gives the timing.
    pub fn finish(mut self) -> Timing {
        self.bar.finish_and_clear();
        self.timing.seconds = seconds(self.started.elapsed());
        self.timing
    }
}

impl Progress for Bar {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) {
        self.bar.set_message(format!("epoch {epoch}, {step}/{steps}{}", self.last));
        self.bar.inc(1);
    }

    fn epoch(&mut self, result: &EpochResult) {
        let test = format!("{} right", percent(result.test.accuracy(), 2));
        self.last = format!("; loss {}, test {test}", fixed(result.train_loss, 4));
        self.timing.epoch_seconds.push(seconds(self.epoch_started.elapsed()));
        self.epoch_started = Instant::now();
    }
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
