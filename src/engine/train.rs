//! Training and evaluation. A training step depends only on the plan, the seed, the state (weights, buffers, optimizer)
//! and the number of the step, so training can continue from any saved state.

use tch::{Device, Kind, Reduction, Tensor};

use super::Engine;
use super::clip::clip;
use super::graph::{ReplayStats, StepReplayer};
use super::masks::DeviceMasks;
use super::network::{Mode, Network, normalise, to_vec};
use super::optimizer::UpdateRule;
use mnist_report::arithmetic::{AffineMap, Clipping, change_image, epoch_changes, epoch_order, factors_of};
use mnist_report::dataset::{PIXELS, Selection};
use mnist_report::model::Model;
use mnist_report::study::{Input, RunPlan};
use mnist_report::tensors::{LoadError, NamedTensor, check_count};

/// The batch size of evaluations. It is fixed, because the bits of a matrix product may depend on its size.
const EVALUATION_BATCH: usize = 250;

/// PyTorch's default of `ignore_index`: no label has this value.
const NO_CLASS: i64 = -100;

/// Images and labels on a device. Pixels are bytes.
struct DeviceDataset {
    /// `[images, PIXELS]`.
    pixels: Tensor,
    /// `[images]`, int64.
    labels: Tensor,
    len: usize,
}

impl DeviceDataset {
    fn new(device: Device, images: &Selection) -> Self {
        Self {
            pixels: Tensor::from_slice(&images.pixels).reshape([-1, PIXELS as i64]).to_device(device),
            labels: Tensor::from_slice(&images.labels).to_kind(Kind::Int64).to_device(device),
            len: images.len(),
        }
    }
}

/// The training of one seed of a run.
pub(super) struct Trainer<'a> {
    plan: &'a RunPlan,
    seed: u64,
    /// Number of steps done.
    done: usize,
    /// The validation losses of the epochs so far.
    validation_losses: Vec<f64>,
    masks: DeviceMasks,
    /// The images on the host, to be changed if the run augments.
    images: &'a Selection,
    epoch: Option<Epoch>,
    training: Training<'a>,
    /// For replayed steps: the tensors from which a recording reads its inputs, and the recordings. `None` on a CPU.
    replay: Option<(StepInputs, StepReplayer)>,
    /// The losses of the current epoch's steps, `[steps]`. They share one tensor, because a small tensor that outlives
    /// its step prevents malloc from merging the large free blocks around it: memory would grow with every step.
    losses: Tensor,
}

/// Inputs of all steps of an epoch, copied to the device once, because a GPU waits for each copy from the host.
struct Epoch {
    /// Counted from 1.
    number: usize,
    /// The images' positions in the dataset, in training order.
    order: Tensor,
    /// The same positions on the host, with how each image is changed; `None` if the run does not augment.
    changes: Option<Vec<(u32, AffineMap)>>,
    /// The optimizer's factors of each step (`arithmetic::factors`), `[steps, factors]`.
    factors: Tensor,
}

/// What a step reads besides the training's state. All inputs are tensors, so that a recording does not contain the
/// values of one step.
struct StepInputs {
    /// The images' positions in the dataset.
    index: Tensor,
    /// The changed images, `[images, PIXELS]`, from 0 to 255; `None` if the run does not augment.
    changed: Option<Tensor>,
    /// See `DeviceMasks::for_step`.
    masks: Vec<(String, Tensor)>,
    /// See `arithmetic::factors`.
    factors: Tensor,
}

impl StepInputs {
    /// Zeros with the sizes of a full batch's inputs.
    fn zeros(plan: &RunPlan, masks: &DeviceMasks, device: Device) -> Self {
        let factors = factors_of(plan, 0, &[]).len();
        Self {
            index: Tensor::zeros([plan.settings.batch_size as i64], (Kind::Int64, device)),
            changed: plan
                .settings
                .augment
                .map(|_| Tensor::zeros([plan.settings.batch_size as i64, PIXELS as i64], (Kind::Float, device))),
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
            changed: self.changed.as_ref().zip(step.changed.as_ref()).map(|(to, from)| put(to, from)),
            masks: masks.map(|((layer, to), (_, from))| (layer.clone(), put(to, from))).collect(),
            factors: put(&self.factors, &step.factors),
        }
    }
}

/// What a step needs and changes, apart from its inputs.
struct Training<'a> {
    input: &'a Input,
    label_smoothing: f64,
    clipping: Option<Clipping>,
    dataset: DeviceDataset,
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
        let x = match &inputs.changed {
            None => normalise(&self.dataset.pixels.index_select(0, &inputs.index), self.input),
            Some(changed) => normalise(changed, self.input),
        };
        let targets = self.dataset.labels.index_select(0, &inputs.index);
        let mut mask = |layer: &str, _: usize| {
            inputs.masks.iter().find(|(name, _)| name == layer).map(|(_, mask)| mask.shallow_clone())
        };
        let logits = self.network.forward(&x, &mut Mode::Train { mask: &mut mask });
        let loss = match self.label_smoothing {
            0.0 => logits.cross_entropy_for_logits(&targets),
            smoothing => logits.cross_entropy_loss(&targets, None::<Tensor>, Reduction::Mean, NO_CLASS, smoothing),
        };
        self.network.backward(&loss);
        if let Some(clipping) = self.clipping {
            clip(clipping, &mut self.network.gradients);
        }
        self.rule.step(&mut self.network.parameters, &self.network.gradients, &inputs.factors, first);
        self.loss.copy_(&loss.detach());
    }
}

impl<'a> Trainer<'a> {
    /// A training before its first step. `images` holds the run's images in the order of `RunPlan::choose`.
    pub(super) fn new(
        engine: &Engine,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        images: &'a Selection,
        seed: u64,
    ) -> Self {
        let network = Network::new(engine, model, seed);
        let rule = UpdateRule::new(&plan.settings.optimizer, &network.parameters);
        let masks = DeviceMasks::new(model, plan, seed, engine.device);
        let dataset = DeviceDataset::new(engine.device, images);
        let losses = Tensor::zeros([plan.steps_per_epoch() as i64], (Kind::Float, engine.device));
        let loss = Tensor::zeros([], (Kind::Float, engine.device));
        let (label_smoothing, clipping) = (plan.settings.label_smoothing, Clipping::of(&plan.settings));
        let training = Training { input, label_smoothing, clipping, dataset, network, rule, loss };
        let replayer = StepReplayer::new(engine.device, training.written());
        let replay = replayer.map(|replayer| (StepInputs::zeros(plan, &masks, engine.device), replayer));
        let validation_losses = Vec::new();
        Self { plan, seed, done: 0, validation_losses, masks, images, epoch: None, training, replay, losses }
    }

    /// Number of steps done since the start of the run.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// The network in its current state.
    pub(super) fn network(&self) -> &Network {
        &self.training.network
    }

    /// Replaces the network's parameters and buffers.
    ///
    /// # Errors
    /// Same as `Network::load`.
    pub(super) fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), LoadError> {
        self.training.network.load(tensors)
    }

    /// How many steps were replayed from recordings. All zero on a CPU.
    pub(super) fn replay_stats(&self) -> ReplayStats {
        self.replay.as_ref().map(|(_, replayer)| replayer.stats.clone()).unwrap_or_default()
    }

    /// The state of the training: parameters and buffers with PyTorch's names, and the optimizer's tensors with names
    /// such as `optimizer.exp_avg.conv1.weight`. To continue from it, `load_state` also needs `done`.
    pub(super) fn state(&self) -> Vec<NamedTensor> {
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
    /// A tensor is missing or has another shape, or there are too many tensors.
    pub(super) fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), LoadError> {
        let (optimizer, weights): (Vec<_>, Vec<_>) = state.iter().cloned().partition(NamedTensor::is_optimizer_state);
        let Training { network, rule, .. } = &mut self.training;
        network.load(&weights)?;
        let mut used = 0;
        for (list, tensors) in rule.state_mut() {
            let prefix = format!("{}{list}.", NamedTensor::OPTIMIZER);
            used += network.load_like_parameters(&prefix, tensors, &optimizer)?;
        }
        check_count(&optimizer, "optimizer", used)?;
        self.done = done;
        Ok(())
    }

    /// Sets the validation losses of the epochs so far, on which the learning rate may depend from the next epoch on.
    pub(super) fn set_validation_losses(&mut self, losses: &[f64]) {
        self.validation_losses = losses.to_vec();
    }

    /// Computes an epoch's inputs and copies them to the device.
    fn prepare_epoch(&self, number: usize) -> Epoch {
        let (steps, dataset) = (self.plan.steps_per_epoch(), &self.training.dataset);
        let factors = |step: usize| factors_of(self.plan, (number - 1) * steps + step, &self.validation_losses);
        let factors: Vec<f32> = (0..steps).flat_map(factors).collect();
        let device = dataset.pixels.device();
        let order = epoch_order(self.plan, self.seed, number, dataset.len);
        let changes = epoch_changes(self.plan, self.seed, number, dataset.len);
        let changes = changes.map(|changes| order.iter().copied().zip(changes).collect());
        let order: Vec<i64> = order.into_iter().map(i64::from).collect();
        Epoch {
            number,
            changes,
            order: Tensor::from_slice(&order).to_device(device),
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
            changed: epoch.changes.as_ref().map(|changes| self.changed(&changes[step * size..][..images])),
            masks: self.masks.for_step(self.done, images),
            factors: epoch.factors.get(step as i64),
        };
        self.epoch = Some(epoch);
        inputs
    }

    /// Some images of the dataset, changed by the CPU like those of the program's own arithmetic.
    fn changed(&self, images: &[(u32, AffineMap)]) -> Tensor {
        let mut values = vec![0.0; images.len() * PIXELS];
        for (values, (at, change)) in values.chunks_exact_mut(PIXELS).zip(images) {
            change_image(self.images.image(*at as usize), *change, values);
        }
        Tensor::from_slice(&values).reshape([-1, PIXELS as i64]).to_device(self.training.dataset.pixels.device())
    }

    /// The number of remaining steps, including the next one, that have the batch size of the next one.
    fn remaining_steps(&self) -> usize {
        let (steps, full) = (self.plan.steps_per_epoch(), self.training.dataset.len / self.plan.settings.batch_size);
        let (epoch, step) = (self.done / steps, self.done % steps);
        let (in_epoch, before) = if step < full { (full, step) } else { (1, 0) };
        (self.plan.settings.epochs * in_epoch).saturating_sub(epoch * in_epoch + before)
    }

    /// The mean loss of the last step. On a GPU, waits for that step.
    pub(super) fn last_loss(&self) -> f32 {
        self.training.loss.double_value(&[]) as f32
    }

    /// Trains the next batch.
    pub(super) fn step(&mut self) {
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
        let step = self.done % self.plan.steps_per_epoch();
        self.losses.get(step as i64).copy_(&self.training.loss);
        self.done += 1;
    }

    /// The mean losses of the current epoch's steps, in order. Waits for the GPU.
    pub(super) fn epoch_losses(&self) -> Vec<f32> {
        let mut losses = to_vec(&self.losses);
        losses.truncate((self.done + self.plan.steps_per_epoch() - 1) % self.plan.steps_per_epoch() + 1);
        losses
    }
}

/// Logits `[images, classes]` in evaluation mode, in row-major order.
pub(super) fn evaluate(network: &Network, images: &Selection, input: &Input) -> Vec<f32> {
    let dataset = DeviceDataset::new(network.device, images);
    tch::no_grad(|| {
        // One tensor, read once, for the same reasons as the losses of an epoch.
        let logits =
            Tensor::zeros([dataset.len as i64, network.classes as i64], (Kind::Float, dataset.pixels.device()));
        for start in (0..dataset.len).step_by(EVALUATION_BATCH) {
            let (start, size) = (start as i64, EVALUATION_BATCH.min(dataset.len - start) as i64);
            let pixels = dataset.pixels.narrow(0, start, size);
            logits.narrow(0, start, size).copy_(&network.forward(&normalise(&pixels, input), &mut Mode::Evaluate));
        }
        to_vec(&logits)
    })
}

#[cfg(test)]
mod tests;
