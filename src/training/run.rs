//! Trains one seed of a run, evaluates it after each epoch and measures the result.

use super::checkpoint::Checkpoint;
use super::evidence::EvidenceRecorder;
use super::{SeedOutcome, TrainedSeed, TrainingError, TrainingObserver, Unfinished, inputs_digest, subset_sha256};
use crate::arithmetic::learning_rate;
use crate::compute::{self, Device, Network, Observer, Trainer};
use crate::dataset::{DataSet, Selection, TrainAndTest, validation_images};
use crate::digest::sha256_hex;
use crate::failure::caught;
use crate::model::Model;
use crate::results::{
    Checked, DivergedSeed, EpochResult, Evaluated, Evaluation, NotFinite, SeedResult, StepResult, confusion,
    misclassified, validation_losses,
};
use crate::study::{Input, Plan, RunPlan};
use crate::tensors::{NamedTensor, to_safetensors};

/// The engine and the data, with the test set on the device: what every run needs.
#[expect(missing_docs, reason = "self-evident")]
pub struct Prepared<'a> {
    pub device: &'a Device,
    pub set: &'a DataSet,
    pub data: &'a TrainAndTest,
    pub input: &'a Input,
    test: Selection,
}

impl<'a> Prepared<'a> {
    /// Sends the test set to the device.
    pub fn new(device: &'a Device, data: &'a TrainAndTest, plan: &'a Plan) -> Self {
        let all: Vec<u32> = (0..data.test.len() as u32).collect();
        Self { device, set: &plan.data, data, input: &plan.input, test: Selection::new(&data.test, &all) }
    }

    /// Evaluates a network on the test set.
    pub fn test(&self, network: &dyn Network) -> Evaluation {
        Evaluation::of(&network.evaluate(&self.test, self.input), &self.data.test.labels)
    }

    /// Evaluates a network on its training images and on its validation set; `None` for what the run's plan does not
    /// ask for.
    pub fn evaluate_beside_test(
        &self,
        network: &dyn Network,
        run: &RunPlan,
        seed: u64,
    ) -> [Option<(Evaluated, Evaluation)>; 2] {
        let train = run.settings.evaluate_train.then(|| self.train_images(&run.choose(&self.data.train.labels, seed)));
        let evaluate = |images: Selection| {
            let evaluation = Evaluation::of(&network.evaluate(&images, self.input), &images.labels);
            (evaluated(&evaluation, &images.labels), evaluation)
        };
        [train, self.validation_set(run)].map(|images| images.map(evaluate))
    }

    /// Trains one seed of a run and measures it. A training that diverges stops there. Stores checkpoints in
    /// `unfinished`, and goes on from the last one there.
    ///
    /// # Errors
    /// A training that this machine cannot do.
    pub fn run(
        &self,
        model: &Model,
        run: &RunPlan,
        seed: u64,
        unfinished: Option<&Unfinished>,
        progress: &mut dyn TrainingObserver,
    ) -> Result<SeedOutcome, TrainingError> {
        caught(|| self.train(model, run, seed, unfinished, progress))
            .unwrap_or_else(|reason| Err(TrainingError::Failed { run: run.name.clone(), seed, reason }))
    }

    fn train(
        &self,
        model: &Model,
        run: &RunPlan,
        seed: u64,
        unfinished: Option<&Unfinished>,
        progress: &mut dyn TrainingObserver,
    ) -> Result<SeedOutcome, TrainingError> {
        let chosen = run.choose(&self.data.train.labels, seed);
        let train = self.train_images(&chosen);
        let mut trainer = Trainer::new(self.device, model, run, self.input, &train, seed);
        let initial = to_safetensors(&trainer.network().tensors());
        let mut watch = Watch {
            prepared: self,
            run,
            train: &train,
            validation: self.validation_set(run),
            progress,
            recorder: EvidenceRecorder::new(run, unfinished)?,
            epochs: vec![],
            within_epochs: vec![],
            not_finite: None,
            losses: vec![],
            reported: None,
            unfinished,
        };
        if !watch.resume(&mut trainer) {
            trainer = Trainer::new(self.device, model, run, self.input, &train, seed);
        }
        if let Err(stopped) = trainer.run(&mut watch) {
            let not_finite = divergence(&stopped).ok_or(stopped)?;
            let (subset_sha256, initial_weights_sha256) = (subset_sha256(&chosen), sha256_hex(&initial));
            return Ok(SeedOutcome::Diverged(DivergedSeed { seed, subset_sha256, initial_weights_sha256, not_finite }));
        }
        let Watch { epochs, within_epochs, losses, reported, recorder, .. } = watch;
        let Reported { evaluation, network } = reported.expect("a run has at least one epoch");
        let reported_epoch = run.reported_epoch(&validation_losses(&epochs));
        let digest = inputs_digest(&self.device.environment, (self.set, self.input), model, run, seed);
        let (chain, evidence) = recorder.finish(reported_epoch.unwrap_or(epochs.len()), &losses, &digest)?;
        let weights = to_safetensors(&network.unwrap_or_else(|| trainer.network().tensors()));
        let result = SeedResult {
            seed,
            subset_sha256: subset_sha256(&chosen),
            initial_weights_sha256: sha256_hex(&initial),
            weights_sha256: sha256_hex(&weights),
            epochs,
            reported_epoch,
            within_epochs,
            confusion: confusion(&evaluation.predictions, &self.data.test.labels, self.set.classes),
            misclassified: misclassified(&evaluation, &self.data.test.labels),
            test_loss: evaluation.loss(),
            batch_mean_loss: evaluation.batch_mean_loss(run.settings.batch_size),
            chain,
        };
        let trained = TrainedSeed { result, predictions: evaluation.predictions, weights, evidence, losses };
        Ok(SeedOutcome::Finished(Box::new(trained)))
    }

    fn train_images(&self, chosen: &[u32]) -> Selection {
        Selection::new(&self.data.train, chosen)
    }

    fn validation_set(&self, run: &RunPlan) -> Option<Selection> {
        let chosen = validation_images(self.data.train.len(), run.settings.hold_out);
        (!chosen.is_empty()).then(|| self.train_images(&chosen))
    }

    fn evaluated(&self, network: &dyn Network, images: &Selection) -> Evaluated {
        evaluated(&Evaluation::of(&network.evaluate(images, self.input), &images.labels), &images.labels)
    }
}

/// Evaluates after each epoch, records evidence and reports progress.
struct Watch<'a, 'b> {
    prepared: &'a Prepared<'a>,
    run: &'a RunPlan,
    train: &'a Selection,
    validation: Option<Selection>,
    progress: &'b mut dyn TrainingObserver,
    recorder: EvidenceRecorder<'a>,
    epochs: Vec<EpochResult>,
    within_epochs: Vec<StepResult>,
    /// The first loss of this epoch's `within_epochs` that is not finite. It counts only if all training losses of the epoch
    /// are finite, which a GPU's training does not know before the end of the epoch.
    not_finite: Option<NotFinite>,
    /// The mean loss of each batch so far.
    losses: Vec<f32>,
    /// The epoch that would be reported if the run ended here.
    reported: Option<Reported>,
    /// Where checkpoints are stored; set to `None` when storing one fails.
    unfinished: Option<&'a Unfinished>,
}

/// The epoch that a run reports.
struct Reported {
    /// Of the test set.
    evaluation: Evaluation,
    /// `None` if it is the trainer's at the end of the run.
    network: Option<Vec<NamedTensor>>,
}

impl Watch<'_, '_> {
    /// Goes on from the last checkpoint, if there is one that can be used. Returns false if that failed halfway, so
    /// that the trainer must be created again.
    fn resume(&mut self, trainer: &mut Trainer) -> bool {
        let Some(unfinished) = self.unfinished else { return true };
        let steps = self.run.steps_per_epoch();
        let fits = |c: &Checkpoint| {
            (1..self.run.settings.epochs).contains(&c.epochs.len())
                && c.done == c.epochs.len() * steps
                && c.losses.len() == c.done
        };
        let Some(checkpoint) = unfinished.checkpoint().filter(fits) else {
            unfinished.clear();
            return true;
        };
        let Checkpoint { done, state, epochs, within_epochs, losses, best, recorded } = checkpoint;
        let initial = trainer.state();
        if let Some(epoch) = self.run.reported_epoch(&validation_losses(&epochs)) {
            if trainer.load_weights(&best).is_err() {
                unfinished.clear();
                return false;
            }
            self.recorder.keep_end(epoch);
            let evaluation = self.prepared.test(trainer.network());
            self.reported = Some(Reported { evaluation, network: Some(best) });
        }
        if trainer.load_state(&state, done).is_err() || !self.recorder.restore(recorded, &initial) {
            unfinished.clear();
            return false;
        }
        trainer.set_validation_losses(&validation_losses(&epochs));
        self.progress.resumed(&epochs, self.run.settings.epochs);
        self.epochs = epochs;
        self.within_epochs = within_epochs;
        self.losses = losses;
        true
    }

    /// Evaluates test and validation images within an epoch.
    fn evaluate_within(&mut self, trainer: &Trainer) {
        let (step, network) = (trainer.done(), trainer.network());
        let validation = self.validation.as_ref().map(|images| self.prepared.evaluated(network, images));
        let test = evaluated(&self.prepared.test(network), &self.prepared.data.test.labels);
        let steps = self.run.steps_per_epoch();
        let lost = first_not_finite([(Checked::TestLoss, Some(test)), (Checked::ValidationLoss, validation)]);
        let at = |value| NotFinite { epoch: step / steps + 1, step: step % steps, value };
        self.not_finite = self.not_finite.or(lost.map(at));
        self.within_epochs.push(StepResult { step, validation, test });
    }
}

impl Observer for Watch<'_, '_> {
    type Error = TrainingError;

    fn step(&mut self, trainer: &Trainer) -> Result<(), TrainingError> {
        let steps = self.run.steps_per_epoch();
        if let Some(before) = trainer.done().checked_sub(1) {
            self.progress.step(before / steps + 1, before % steps + 1, steps);
        }
        if self.run.settings.is_evaluated_within(trainer.done()) {
            self.evaluate_within(trainer);
        }
        self.recorder.step(trainer)
    }

    fn validation_losses(&self) -> Vec<f64> {
        validation_losses(&self.epochs)
    }

    fn epoch(&mut self, epoch: usize, batches: &[f32], network: &dyn Network) -> Result<bool, TrainingError> {
        let run = self.run;
        if let Some(not_finite) = self.not_finite {
            return Err(TrainingError::Diverged(not_finite));
        }
        let train_loss = run.mean_loss(batches);
        self.losses.extend(batches);
        let train_eval = run.settings.evaluate_train.then(|| self.prepared.evaluated(network, self.train));
        let validation = self.validation.as_ref().map(|images| self.prepared.evaluated(network, images));
        let evaluation = self.prepared.test(network);
        let test = evaluated(&evaluation, &self.prepared.data.test.labels);
        let lost = first_not_finite([
            (Checked::TestLoss, Some(test)),
            (Checked::ValidationLoss, validation),
            (Checked::TrainingImagesLoss, train_eval),
        ]);
        if let Some(value) = lost.or_else(|| (!has_finite_weights(network)).then_some(Checked::Weights)) {
            return Err(TrainingError::Diverged(NotFinite { epoch, step: run.steps_per_epoch(), value }));
        }
        let lr = last_learning_rate(run, epoch, &validation_losses(&self.epochs));
        let result = EpochResult { epoch, lr, train_loss, train_eval, validation, test };
        self.progress.epoch(&result);
        self.epochs.push(result);
        let validation_losses = validation_losses(&self.epochs);
        match run.reported_epoch(&validation_losses) {
            None => self.reported = Some(Reported { evaluation, network: None }),
            Some(best) if best == epoch => {
                self.recorder.keep_end(epoch);
                self.reported = Some(Reported { evaluation, network: Some(network.tensors()) });
            }
            Some(_) => {}
        }
        let is_last = epoch == run.settings.epochs || run.stops_after(train_loss, &validation_losses);
        let is_enough = self.progress.is_enough(epoch);
        if is_enough && !is_last && !run.settings.may_report_earlier() {
            return Err(TrainingError::Ended { epoch });
        }
        Ok(!is_last && !is_enough)
    }

    fn between_epochs(&mut self, trainer: &Trainer) -> Result<(), TrainingError> {
        let Some(unfinished) = self.unfinished.filter(|unfinished| unfinished.is_due()) else { return Ok(()) };
        let checkpoint = Checkpoint {
            done: trainer.done(),
            state: trainer.state(),
            epochs: self.epochs.clone(),
            within_epochs: self.within_epochs.clone(),
            losses: self.losses.clone(),
            best: self.reported.as_ref().and_then(|reported| reported.network.clone()).unwrap_or_default(),
            recorded: self.recorder.recorded(),
        };
        if let Err(why) = unfinished.store_checkpoint(&checkpoint) {
            self.progress.not_stored(&why);
            self.unfinished = None;
        }
        Ok(())
    }
}

/// The first set of images with a loss that is not finite.
fn first_not_finite<const N: usize>(sets: [(Checked, Option<Evaluated>); N]) -> Option<Checked> {
    let is_finite = |set: Option<Evaluated>| set.is_none_or(|set| set.loss.is_finite());
    sets.into_iter().find(|(_, set)| !is_finite(*set)).map(|(value, _)| value)
}

/// Where a training diverged, if that is what stopped it.
fn divergence(stopped: &TrainingError) -> Option<NotFinite> {
    match stopped {
        TrainingError::Diverged(not_finite) => Some(*not_finite),
        TrainingError::Device(compute::Error::Diverged { epoch, step }) => {
            Some(NotFinite { epoch: *epoch, step: *step, value: Checked::TrainingLoss })
        }
        _ => None,
    }
}

/// Whether all weights and running statistics are finite. The loss does not always show it: ReLU hides a bias of minus
/// infinity. And NaN has no fixed bits to hash.
fn has_finite_weights(network: &dyn Network) -> bool {
    network.tensors().iter().all(|tensor| tensor.values.iter().all(|x| x.is_finite()))
}

/// The learning rate of an epoch's last step; epochs count from 1. `validation_losses` are those of the epochs before.
pub fn last_learning_rate(run: &RunPlan, epoch: usize, validation_losses: &[f64]) -> f64 {
    learning_rate(&run.settings, epoch * run.steps_per_epoch() - 1, validation_losses)
}

fn evaluated(e: &Evaluation, labels: &[u8]) -> Evaluated {
    Evaluated { images: labels.len(), correct: e.correct(labels), loss: e.loss() }
}

#[cfg(test)]
mod tests;
