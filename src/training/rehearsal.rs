//! The first steps of each run, tried before any training. A step that this machine cannot do fails at once and not
//! after hours, and the time of the steps gives an estimate of the training's time.

use std::time::{Duration, Instant};

use super::evidence::{segments_recorded, state_sha256};
use super::{Prepared, TrainingError};
use crate::compute::Trainer;
use crate::dataset::Selection;
use crate::failure::caught;
use crate::model::Model;
use crate::results::Evaluation;
use crate::study::RunPlan;

/// Steps are timed until they have taken `TIMED` together, but at most `MOST_STEPS` of them.
const TIMED: Duration = Duration::from_millis(60);
const MOST_STEPS: u32 = 20;
/// Evaluated images: two batches.
const IMAGES: u32 = 500;

/// How many seconds the parts of a training take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    /// To choose and send the images, and to draw the initial weights.
    start: f64,
    /// A step.
    step: f64,
    /// To evaluate an image.
    image: f64,
    /// To hash a state of the training.
    state: f64,
}

impl Speed {
    /// Seconds of one seed of a run, if it trains all its epochs.
    pub fn seconds(&self, run: &RunPlan) -> f64 {
        let per_epoch = run.steps_per_epoch() as f64 * self.step + run.evaluated_images() as f64 * self.image;
        self.start + run.settings.epochs as f64 * per_epoch + 2.0 * segments_recorded(run) as f64 * self.state
    }
}

impl Prepared<'_> {
    /// Trains the first steps of a run and discards the result. With libtorch it times nothing: there, later steps are replayed
    /// from a recording, which is faster.
    ///
    /// # Errors
    /// What this machine cannot do, such as an activation that memory cannot hold.
    pub fn rehearse(&self, model: &Model, run: &RunPlan) -> Result<Speed, TrainingError> {
        let seed = run.seeds[0];
        caught(|| self.first_steps(model, run, seed)).map_err(|reason| {
            let run = run.name.clone();
            TrainingError::Failed { run, seed, reason }
        })
    }

    fn first_steps(&self, model: &Model, run: &RunPlan, seed: u64) -> Speed {
        let since = Instant::now();
        let chosen = run.choose(&self.data.train.labels, seed);
        let dataset = Selection::new(&self.data.train, &chosen);
        let mut trainer = Trainer::new(self.device, model, run, self.input, &dataset, seed);
        let start = since.elapsed().as_secs_f64();
        let mut time = |steps: u32| {
            let since = Instant::now();
            (0..steps).for_each(|_| trainer.step());
            // Waits for the step on a GPU.
            let _ = trainer.last_loss();
            since.elapsed()
        };
        // The first step takes longer: it starts threads and touches memory for the first time. A GPU records the second.
        let first = time(1);
        if self.device.is_libtorch() {
            return Speed::default();
        }
        // At most as many steps as the training has, because the trainer has no plan for more.
        let left = u32::try_from(run.total_steps() - 1).unwrap_or(u32::MAX).min(MOST_STEPS);
        let (mut timed, mut steps) = (Duration::ZERO, 0);
        while timed < TIMED && steps < left {
            timed += time(1);
            steps += 1;
        }
        let step = if steps == 0 { first } else { timed / steps };
        let image = self.time_evaluation(&trainer);
        let since = Instant::now();
        let _ = state_sha256(trainer.done(), &trainer.state());
        Speed { start, step: step.as_secs_f64(), image, state: since.elapsed().as_secs_f64() }
    }

    /// Seconds to evaluate an image, of as many as `IMAGES`.
    fn time_evaluation(&self, trainer: &Trainer) -> f64 {
        let chosen: Vec<u32> = (0..IMAGES.min(self.data.test.len() as u32)).collect();
        let images = Selection::new(&self.data.test, &chosen);
        let time = || {
            let since = Instant::now();
            let logits = trainer.network().evaluate(&images, self.input);
            let _ = Evaluation::of(&logits, &self.data.test.labels[..chosen.len()]).loss();
            since.elapsed()
        };
        time().min(time()).as_secs_f64() / chosen.len() as f64
    }
}
