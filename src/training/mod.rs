//! Runs: a plan's seeds trained, evaluated and measured.
//!
//! Owns the step from the engine's losses and logits to typed results; prints nothing.

mod cache;
pub mod evidence;

use anyhow::{Context, Result, anyhow, ensure};

pub use cache::RunCache;

use crate::dataset::{self, Mnist};
use crate::digest::sha256_hex;
use crate::engine::{self, DeviceDataset, Engine, Environment, Network, Observer, Trainer, caught, learning_rate};
use crate::model::Model;
use crate::results::{EpochResult, Evaluated, Evaluation, ModelFacts, SeedResult, confusion, is_loss, misread};
use crate::study::{Input, Plan, RunPlan};
use crate::tensors::to_safetensors;
use evidence::EvidenceRecorder;

/// One seed's outcome: what the results hold, and what the bundle keeps beside them.
#[derive(Clone)]
pub struct SeedOutcome {
    pub result: SeedResult,
    /// The class predicted for each test image.
    pub predictions: Vec<u8>,
    /// Final weights and buffers, as a safetensors file.
    pub weights: Vec<u8>,
    /// Kept segments of the training, as a safetensors file (`evidence`).
    pub evidence: Vec<u8>,
}

/// Watches a run; the caller prints.
pub trait Progress {
    /// A batch was trained; epochs and steps count from 1.
    fn step(&mut self, epoch: usize, step: usize, steps: usize);
    /// An epoch was trained and evaluated.
    fn epoch(&mut self, result: &EpochResult);
}

/// The data on the device, as every run needs them.
pub struct Prepared<'a> {
    pub engine: &'a Engine,
    pub data: &'a Mnist,
    pub input: &'a Input,
    test: DeviceDataset,
}

impl<'a> Prepared<'a> {
    /// Sends the test set to the device.
    pub fn new(engine: &'a Engine, data: &'a Mnist, input: &'a Input) -> Self {
        let all: Vec<u32> = (0..data.test.len() as u32).collect();
        Self { engine, data, input, test: DeviceDataset::new(engine, &data.test, &all) }
    }

    /// Evaluates a network on the test set.
    pub fn test(&self, network: &Network) -> Evaluation {
        Evaluation::of(&engine::evaluate(network, &self.test, self.input), &self.data.test.labels)
    }

    /// Training images on the device, with their labels.
    fn labelled(&self, chosen: &[u32]) -> (DeviceDataset, Vec<u8>) {
        let labels = chosen.iter().map(|i| self.data.train.labels[*i as usize]).collect();
        (DeviceDataset::new(self.engine, &self.data.train, chosen), labels)
    }

    /// The images that a run holds out, if any.
    fn held_out(&self, run: &RunPlan) -> Option<(DeviceDataset, Vec<u8>)> {
        let chosen = dataset::held_out(self.data.train.len(), run.hold_out);
        (!chosen.is_empty()).then(|| self.labelled(&chosen))
    }

    /// What an epoch states besides the test: a network evaluated on its training images and on those held out, as far
    /// as the run's plan asks for it.
    pub fn beside_the_test(&self, network: &Network, run: &RunPlan, seed: u64) -> [Option<Evaluated>; 2] {
        let train = run.evaluate_train.then(|| self.labelled(&run.choose(&self.data.train.labels, seed)));
        [train, self.held_out(run)].map(|images| images.map(|images| self.evaluated(network, &images)))
    }

    /// Evaluates a network on training images.
    fn evaluated(&self, network: &Network, (split, labels): &(DeviceDataset, Vec<u8>)) -> Evaluated {
        evaluated(&Evaluation::of(&engine::evaluate(network, split, self.input), labels), labels)
    }

    /// Trains one seed of a run and measures it.
    ///
    /// # Errors
    /// Training that diverged, or that libtorch cannot do on this machine.
    pub fn run(&self, model: &Model, run: &RunPlan, seed: u64, progress: &mut dyn Progress) -> Result<SeedOutcome> {
        caught(|| self.trained(model, run, seed, progress))
            .unwrap_or_else(|why| Err(anyhow!("training of `{}` (seed {seed}): {why}", run.name)))
    }

    fn trained(&self, model: &Model, run: &RunPlan, seed: u64, progress: &mut dyn Progress) -> Result<SeedOutcome> {
        let chosen = run.choose(&self.data.train.labels, seed);
        let train = self.labelled(&chosen);
        let split = &train.0;
        let held_out = self.held_out(run);
        let mut trainer = Trainer::new(self.engine, model, run, self.input, split, seed);
        let initial = to_safetensors(&trainer.network().tensors())?;
        let recorder = EvidenceRecorder::new(run)?;
        let mut watch =
            Watch { prepared: self, run, train: &train, held_out, progress, recorder, epochs: vec![], last: None };
        trainer.run(&mut watch)?;
        let Watch { epochs, last, recorder, .. } = watch;
        let last = last.context("a run has at least one epoch")?;
        let digest = inputs_digest(&self.engine.environment, self.input, model, run, seed);
        let (chain, evidence) = recorder.finish(epochs.len(), &digest)?;
        let weights = to_safetensors(&trainer.network().tensors())?;
        let result = SeedResult {
            seed,
            subset_sha256: subset_sha256(&chosen),
            initial_weights_sha256: sha256_hex(&initial),
            weights_sha256: sha256_hex(&weights),
            epochs,
            confusion: confusion(&last.predictions, &self.data.test.labels),
            misread: misread(&last, &self.data.test.labels),
            test_loss: last.loss(),
            notes_loss: last.notes_loss(run.batch_size),
            chain,
        };
        Ok(SeedOutcome { result, predictions: last.predictions, weights, evidence })
    }
}

/// The digest of everything that one seed's outcome depends on: environment (with the version of the program's arithmetic),
/// data, input, layers, plan. Not the program's source: a bundle that a later version renders anew keeps its evidence.
pub fn inputs_digest(environment: &Environment, input: &Input, model: &Model, run: &RunPlan, seed: u64) -> String {
    let layers: Vec<_> = model.layers.iter().map(|l| (&l.name, &l.kind)).collect();
    let data: Vec<_> = Mnist::hashes().collect();
    // Neither the model's name nor the run's other seeds say anything about the outcome.
    let plan = RunPlan { model: String::new(), seeds: vec![seed], ..run.clone() };
    let parts = (environment, data, input, layers, plan);
    sha256_hex(serde_json::to_string(&parts).expect("plain values").as_bytes())
}

/// The SHA-256 of a choice of images: their indices as little-endian u32.
pub fn subset_sha256(chosen: &[u32]) -> String {
    sha256_hex(&chosen.iter().flat_map(|i| i.to_le_bytes()).collect::<Vec<u8>>())
}

struct Watch<'a, 'b> {
    prepared: &'a Prepared<'a>,
    run: &'a RunPlan,
    train: &'a (DeviceDataset, Vec<u8>),
    held_out: Option<(DeviceDataset, Vec<u8>)>,
    progress: &'b mut dyn Progress,
    recorder: EvidenceRecorder<'a>,
    epochs: Vec<EpochResult>,
    last: Option<Evaluation>,
}

impl Observer for Watch<'_, '_> {
    type Error = anyhow::Error;

    fn step(&mut self, trainer: &Trainer) -> Result<()> {
        let steps = self.run.steps_per_epoch();
        if let Some(before) = trainer.done().checked_sub(1) {
            self.progress.step(before / steps + 1, before % steps + 1, steps);
        }
        self.recorder.step(trainer)
    }

    fn epoch(&mut self, epoch: usize, train_loss: f64, network: &Network) -> Result<bool> {
        let run = self.run;
        let train_eval = run.evaluate_train.then(|| self.prepared.evaluated(network, self.train));
        let held_out = self.held_out.as_ref().map(|images| self.prepared.evaluated(network, images));
        let test = self.prepared.test(network);
        let result = EpochResult {
            epoch,
            lr: last_learning_rate(run, epoch),
            train_loss,
            train_eval,
            held_out,
            test: evaluated(&test, &self.prepared.data.test.labels),
        };
        ensure!(
            is_loss(result.train_loss) && is_loss(result.test.loss),
            "test loss of `{}` became {} after epoch {epoch}: lower its learning rate",
            run.name,
            result.test.loss
        );
        self.progress.epoch(&result);
        self.epochs.push(result);
        self.last = Some(test);
        Ok(!run.stops_at(train_loss))
    }
}

/// The learning rate of an epoch's last step; epochs count from 1.
pub fn last_learning_rate(run: &RunPlan, epoch: usize) -> f64 {
    let steps = run.steps_per_epoch();
    learning_rate(&run.schedule, run.optimizer.lr(), epoch - 1, steps - 1, run.epochs, steps)
}

fn evaluated(e: &Evaluation, labels: &[u8]) -> Evaluated {
    Evaluated { images: labels.len(), correct: e.correct(labels), loss: e.loss() }
}

/// Holds the shapes that a live network gives against the ones that the layers' arithmetic says.
///
/// # Errors
/// Names the layer and both shapes: a fault of this program. Or a batch that libtorch cannot do on this machine.
pub fn check_trace(network: &Network, model: &Model, facts: &ModelFacts) -> Result<()> {
    let traces = caught(|| network.trace_shapes(facts.batch, model.input))
        .map_err(|why| anyhow!("{} images through the live `{}`: {why}", facts.batch, model.name))?;
    ensure!(traces.len() == facts.layers.len(), "the live `{}` has {} layers", model.name, traces.len());
    for (live, stated) in traces.iter().zip(&facts.layers) {
        ensure!(
            live.layer == stated.name && live.input == stated.input_shape && live.output == stated.output_shape,
            "the live `{}` turns {:?} into {:?} in {}, the arithmetic says {:?} into {:?}",
            model.name,
            live.input,
            live.output,
            live.layer,
            stated.input_shape,
            stated.output_shape
        );
    }
    let live: u64 = network.tensors().iter().map(|t| t.values.len() as u64).sum();
    let stated = facts.parameters + facts.buffers;
    ensure!(live == stated, "the live `{}` holds {live} values, the arithmetic says {stated}", model.name);
    Ok(())
}

/// Checks every model of a plan as a live network.
///
/// # Errors
/// See `check_trace`.
pub fn check_models(engine: &Engine, plan: &Plan, facts: &indexmap::IndexMap<String, ModelFacts>) -> Result<()> {
    plan.models.values().try_for_each(|model| check_trace(&Network::new(engine, model, 0), model, &facts[&model.name]))
}
