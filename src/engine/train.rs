//! Training and evaluation. A training step depends only on the plan, the seed, the state (weights, buffers, optimizer) and
//! the number of the step, so training can continue from any saved state.

use tch::{Device, Kind, Tensor};

use super::graph::{ReplayStats, StepReplayer};
use super::masks::Masks;
use super::network::{Mode, Network, normalise, to_vec};
use super::optimizer::UpdateRule;
use super::{Engine, Error, learning_rate};
use crate::dataset::{CLASSES, ImageOrder, ImageSet, PIXELS};
use crate::model::Model;
use crate::rng::{Purpose, Stream};
use crate::study::{Input, RunPlan};
use crate::tensors::NamedTensor;

/// Batch size of an evaluation. It is fixed because the bits of a matrix product may depend on its size.
const EVALUATION_BATCH: usize = 250;

/// Images and labels on the engine's device. Pixels are bytes.
pub struct DeviceDataset {
    /// `[images, PIXELS]`.
    pixels: Tensor,
    /// `[images]`, int64.
    labels: Tensor,
    len: usize,
}

impl DeviceDataset {
    /// Copies the chosen images (indices into `images`) to the device.
    pub fn new(engine: &Engine, images: &ImageSet, chosen: &[u32]) -> Self {
        let pixels: Vec<u8> = chosen.iter().flat_map(|i| images.image(*i as usize)).copied().collect();
        let labels: Vec<u8> = chosen.iter().map(|i| images.labels[*i as usize]).collect();
        Self {
            pixels: Tensor::from_slice(&pixels).reshape([-1, PIXELS as i64]).to_device(engine.device),
            labels: Tensor::from_slice(&labels).to_kind(Kind::Int64).to_device(engine.device),
            len: chosen.len(),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no images.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Is called during training, to evaluate, record or show progress.
pub trait Observer {
    /// Why the observer stops the training; also carries the engine's own errors.
    type Error: From<Error>;

    /// Called before the first step and after each step.
    ///
    /// # Errors
    /// Any error stops the training.
    fn step(&mut self, trainer: &Trainer) -> Result<(), Self::Error>;
    /// Called after the training of each epoch, with the mean of its training losses over the images. Returns whether to
    /// continue with the next epoch.
    ///
    /// # Errors
    /// Any error stops the training.
    fn epoch(&mut self, epoch: usize, train_loss: f64, network: &Network) -> Result<bool, Self::Error>;
    /// Called when another epoch follows.
    ///
    /// # Errors
    /// Any error stops the training.
    fn between_epochs(&mut self, _trainer: &Trainer) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// The training of one seed of a run.
pub struct Trainer<'a> {
    plan: &'a RunPlan,
    seed: u64,
    /// Steps done.
    done: usize,
    masks: Masks,
    epoch: Option<Epoch>,
    training: Training<'a>,
    /// For replayed steps: the tensors from which a recording reads its inputs, and the recordings. `None` on a CPU.
    replay: Option<(StepInputs, StepReplayer)>,
}

/// Inputs of all steps of an epoch, copied to the device once, because a GPU waits for each copy from the host.
struct Epoch {
    /// Counted from 1.
    number: usize,
    /// The images' positions in the dataset, in training order.
    order: Tensor,
    /// `UpdateRule::factors` of each step, `[steps, factors]`.
    factors: Tensor,
}

/// What a step reads besides the training's state. All of it is tensors, so that a recording contains no value of one step.
struct StepInputs {
    /// The images' positions in the dataset.
    index: Tensor,
    /// See `Masks::for_step`.
    masks: Vec<(String, Tensor)>,
    /// See `UpdateRule::factors`.
    factors: Tensor,
}

impl StepInputs {
    /// Zeros with the sizes of a full batch's inputs.
    fn zeros(plan: &RunPlan, masks: &Masks, device: Device) -> Self {
        let factors = UpdateRule::factors(&plan.settings.optimizer, 0.0, 1).len();
        Self {
            index: Tensor::zeros([plan.settings.batch_size as i64], (Kind::Int64, device)),
            masks: masks.zeros(),
            factors: Tensor::zeros([factors as i64], (Kind::Float, device)),
        }
    }

    /// Copies a step's inputs into these tensors and returns views of the copies. The step's batch must not be larger.
    fn copy_from(&mut self, step: &Self) -> Self {
        let put = |to: &Tensor, from: &Tensor| {
            let mut view = to.narrow(0, 0, from.size()[0]);
            view.copy_(from);
            view
        };
        let masks = self.masks.iter().zip(&step.masks);
        Self {
            index: put(&self.index, &step.index),
            masks: masks.map(|((layer, to), (_, from))| (layer.clone(), put(to, from))).collect(),
            factors: put(&self.factors, &step.factors),
        }
    }
}

/// What a step needs and changes, apart from its inputs.
struct Training<'a> {
    input: &'a Input,
    dataset: &'a DeviceDataset,
    network: Network,
    rule: UpdateRule,
    /// The mean loss of the last step.
    loss: Tensor,
}

impl Training<'_> {
    /// Every tensor that a step writes and that another step or the caller reads.
    fn written(&self) -> Vec<Tensor> {
        let parameters = std::iter::once(&self.network.parameters.all);
        let all = parameters.chain(&self.network.buffers).chain(self.rule.all()).chain([&self.loss]);
        all.map(Tensor::shallow_clone).collect()
    }

    /// Executes a step; `first` means the first step of the training.
    fn step(&mut self, inputs: &StepInputs, first: bool) {
        let x = normalise(&self.dataset.pixels.index_select(0, &inputs.index), self.input);
        let targets = self.dataset.labels.index_select(0, &inputs.index);
        let mut mask = |layer: &str, _: usize| {
            inputs.masks.iter().find(|(name, _)| name == layer).map(|(_, mask)| mask.shallow_clone())
        };
        let pass = self.network.forward(&x, &mut Mode::Train { mask: &mut mask });
        let loss = pass.logits.cross_entropy_for_logits(&targets);
        self.network.backward(pass, &loss);
        self.rule.step(&mut self.network.parameters, &self.network.gradients, &inputs.factors, first);
        self.loss.copy_(&loss.detach());
    }
}

impl<'a> Trainer<'a> {
    /// A training before its first step. `dataset` holds the run's images in the order of `RunPlan::choose`.
    pub fn new(
        engine: &Engine,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        dataset: &'a DeviceDataset,
        seed: u64,
    ) -> Self {
        let network = Network::new(engine, model, seed);
        let rule = UpdateRule::new(&plan.settings.optimizer, &network.parameters);
        let masks = Masks::new(model, plan, seed, engine.device);
        let loss = Tensor::zeros([], (Kind::Float, engine.device));
        let training = Training { input, dataset, network, rule, loss };
        let replayer = StepReplayer::new(engine.device, training.written());
        let replay = replayer.map(|replayer| (StepInputs::zeros(plan, &masks, engine.device), replayer));
        Self { plan, seed, done: 0, masks, epoch: None, training, replay }
    }

    /// Number of steps done since the start of the run.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The network in its current state.
    pub fn network(&self) -> &Network {
        &self.training.network
    }

    /// Replaces the network's parameters and buffers.
    ///
    /// # Errors
    /// `Error::Tensors`, as `Network::load`.
    pub fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), Error> {
        self.training.network.load(tensors).map_err(Error::Tensors)
    }

    /// Returns the network and drops the rest.
    pub fn into_network(self) -> Network {
        self.training.network
    }

    /// How many steps were replayed from recordings. All zero on a CPU.
    pub fn replay_stats(&self) -> ReplayStats {
        self.replay.as_ref().map(|(_, replayer)| replayer.stats.clone()).unwrap_or_default()
    }

    /// The state of the training: parameters and buffers with PyTorch's names, and the optimizer's tensors with names such
    /// as `optimizer.exp_avg.conv1.weight`. To continue from it, `load_state` also needs `done`.
    pub fn state(&self) -> Vec<NamedTensor> {
        let Training { network, rule, .. } = &self.training;
        let mut state = network.tensors();
        for (list, tensors) in rule.state() {
            state.extend(network.named_like_parameters(&format!("{}{list}.", NamedTensor::OPTIMIZER), tensors));
        }
        state
    }

    /// Continues from a state after `done` steps.
    ///
    /// # Errors
    /// `Error::Tensors` if a tensor is missing or has another shape, or there are too many tensors.
    pub fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), Error> {
        let (optimizer, weights): (Vec<_>, Vec<_>) = state.iter().cloned().partition(NamedTensor::is_optimizer_state);
        let Training { network, rule, .. } = &mut self.training;
        network.load(&weights).map_err(Error::Tensors)?;
        let mut used = 0;
        for (list, tensors) in rule.state_mut() {
            let prefix = format!("{}{list}.", NamedTensor::OPTIMIZER);
            used += network.load_like_parameters(&prefix, tensors, &optimizer).map_err(Error::Tensors)?;
        }
        if used != optimizer.len() {
            let message = format!("there are {} optimizer tensors, but the optimizer has {used}", optimizer.len());
            return Err(Error::Tensors(message));
        }
        self.done = done;
        Ok(())
    }

    /// The positions in the dataset of an epoch's images, in training order. Epochs count from 1.
    pub fn epoch_order(&self, epoch: usize) -> Vec<i64> {
        let mut order: Vec<i64> = (0..self.training.dataset.len as i64).collect();
        if self.plan.settings.order == ImageOrder::Shuffled {
            Stream::new(self.seed, Purpose::Order { epoch }).shuffle(&mut order);
        }
        order
    }

    /// Computes an epoch's inputs and copies them to the device.
    fn prepare_epoch(&self, number: usize) -> Epoch {
        let (settings, steps) = (&self.plan.settings, self.plan.steps_per_epoch());
        let factors = |step: usize| {
            let base = settings.optimizer.lr();
            let lr = learning_rate(&settings.schedule, base, number - 1, step, settings.epochs, steps);
            UpdateRule::factors(&settings.optimizer, lr, ((number - 1) * steps + step + 1) as u64)
        };
        let factors: Vec<f32> = (0..steps).flat_map(factors).collect();
        let device = self.training.dataset.pixels.device();
        Epoch {
            number,
            order: Tensor::from_slice(&self.epoch_order(number)).to_device(device),
            factors: Tensor::from_slice(&factors).reshape([steps as i64, -1]).to_device(device),
        }
    }

    /// The inputs of the next step.
    fn next_inputs(&mut self) -> StepInputs {
        let (steps, size) = (self.plan.steps_per_epoch(), self.plan.settings.batch_size);
        let (number, step) = (self.done / steps + 1, self.done % steps);
        let epoch = match self.epoch.take() {
            Some(epoch) if epoch.number == number => epoch,
            _ => self.prepare_epoch(number),
        };
        let images = size.min(self.training.dataset.len - step * size);
        let inputs = StepInputs {
            index: epoch.order.narrow(0, (step * size) as i64, images as i64),
            masks: self.masks.for_step(self.done, images),
            factors: epoch.factors.get(step as i64),
        };
        self.epoch = Some(epoch);
        inputs
    }

    /// How many steps are still to execute that have the batch size of the next step, that one included.
    fn remaining_steps(&self) -> usize {
        let (steps, full) = (self.plan.steps_per_epoch(), self.training.dataset.len / self.plan.settings.batch_size);
        let (epoch, step) = (self.done / steps, self.done % steps);
        let (in_epoch, before) = if step < full { (full, step) } else { (1, 0) };
        (self.plan.settings.epochs * in_epoch).saturating_sub(epoch * in_epoch + before)
    }

    /// The mean loss of the last step. On a GPU, waits for that step.
    pub fn last_loss(&self) -> f32 {
        self.training.loss.double_value(&[]) as f32
    }

    /// Trains the next batch.
    pub fn step(&mut self) {
        let (inputs, remaining, first) = (self.next_inputs(), self.remaining_steps(), self.done == 0);
        let training = &mut self.training;
        match &mut self.replay {
            // The first step of a training is never recorded, because optimizers treat it differently.
            Some((fixed, replayer)) if !first => {
                let inputs = fixed.copy_from(&inputs);
                let images = inputs.index.size()[0] as usize;
                replayer.run(images, remaining, &mut || training.step(&inputs, false));
            }
            _ => training.step(&inputs, first),
        }
        self.done += 1;
    }

    /// Trains all batches of the next epoch. Returns the mean loss over its images.
    fn epoch<O: Observer>(&mut self, observer: &mut O) -> Result<f64, O::Error> {
        let steps = self.plan.steps_per_epoch();
        // A GPU's losses are read once per epoch, so that it never waits for the host during it. They share one tensor, because a
        // small tensor that outlives its step prevents malloc from merging the large free blocks around it: memory would
        // grow with every step.
        let losses = Tensor::zeros([steps as i64], (Kind::Float, self.training.loss.device()));
        let epoch = self.done / steps + 1;
        let on_cpu = losses.device() == Device::Cpu;
        for step in 0..steps {
            self.step();
            losses.get(step as i64).copy_(&self.training.loss);
            if on_cpu && !self.last_loss().is_finite() {
                return Err(Error::Diverged { epoch, step: step + 1 }.into());
            }
            observer.step(self)?;
        }
        let losses = to_vec(&losses);
        if let Some(at) = losses.iter().position(|l| !l.is_finite()) {
            return Err(Error::Diverged { epoch, step: at + 1 }.into());
        }
        let (images, batch) = (self.training.dataset.len, self.plan.settings.batch_size);
        let size = |step: usize| (images - step * batch).min(batch);
        let sum: f64 = losses.iter().enumerate().map(|(step, loss)| f64::from(*loss) * size(step) as f64).sum();
        Ok(sum / images as f64)
    }

    /// Trains to the end of the run, or until the observer stops it. Begins with the first epoch, or after the epoch that
    /// `load_state` went to.
    ///
    /// # Errors
    /// `Error::Diverged` if a training loss is not finite, or the observer's error.
    pub fn run<O: Observer>(&mut self, observer: &mut O) -> Result<(), O::Error> {
        if self.done == 0 {
            observer.step(self)?;
        }
        let last = self.plan.settings.epochs;
        for epoch in self.done / self.plan.steps_per_epoch() + 1..=last {
            let loss = self.epoch(observer)?;
            if !observer.epoch(epoch, loss, &self.training.network)? || epoch == last {
                break;
            }
            observer.between_epochs(self)?;
        }
        Ok(())
    }
}

/// Logits `[images, 10]` of a dataset's images, in evaluation mode, in row-major order.
pub fn evaluate(network: &Network, dataset: &DeviceDataset, input: &Input) -> Vec<f32> {
    tch::no_grad(|| {
        // One tensor, read once, for the same reasons as the losses of an epoch.
        let logits = Tensor::zeros([dataset.len as i64, CLASSES as i64], (Kind::Float, dataset.pixels.device()));
        for start in (0..dataset.len).step_by(EVALUATION_BATCH) {
            let (start, size) = (start as i64, EVALUATION_BATCH.min(dataset.len - start) as i64);
            let pixels = dataset.pixels.narrow(0, start, size);
            logits.narrow(0, start, size).copy_(&network.evaluate(&normalise(&pixels, input)));
        }
        to_vec(&logits)
    })
}

#[cfg(test)]
mod tests;
