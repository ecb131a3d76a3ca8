//! Training and evaluation: a function of state (weights, buffers, optimizer, step) and plan.
//!
//! Owns the loop; what it measures is handed out as losses and logits, to be judged elsewhere.

use anyhow::{Result, bail};
use tch::{Kind, Tensor};

use super::masks::Masks;
use super::network::{Mode, NamedTensor, Network, normalise, values};
use super::optimizer::UpdateRule;
use super::{Engine, learning_rate};
use crate::dataset::{Images, PIXELS};
use crate::model::{CLASSES, Model};
use crate::rng::{Purpose, Stream};
use crate::study::{Input, Order, RunPlan};

/// Images in one batch of an evaluation: fixed, since a matrix product's bits may depend on its size.
const EVALUATION_BATCH: usize = 250;

/// Images on the engine's device, as bytes.
pub struct Split {
    pixels: Tensor,
    labels: Tensor,
    len: usize,
}

impl Split {
    /// Sends the chosen images (indices into `images`) to the device.
    pub fn new(engine: &Engine, images: &Images, chosen: &[u32]) -> Self {
        let mut pixels: Vec<u8> = Vec::with_capacity(chosen.len() * PIXELS);
        chosen.iter().for_each(|i| pixels.extend(images.image(*i as usize)));
        let labels: Vec<u8> = chosen.iter().map(|i| images.labels[*i as usize]).collect();
        Self {
            pixels: Tensor::from_slice(&pixels).reshape([-1, PIXELS as i64]).to_device(engine.device),
            labels: Tensor::from_slice(&labels).to_kind(Kind::Int64).to_device(engine.device),
            len: chosen.len(),
        }
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Watches training; the engine prints nothing itself.
pub trait Observer {
    /// Before the first batch, and after each: what is done so far.
    ///
    /// # Errors
    /// Whatever stops the run.
    fn step(&mut self, trainer: &Trainer) -> Result<()>;
    /// After each epoch's training: its mean training loss. Then the weights can be evaluated.
    /// Returns whether training goes on.
    ///
    /// # Errors
    /// Whatever stops the run.
    fn epoch(&mut self, epoch: usize, train_loss: f64, network: &Network) -> Result<bool>;
}

/// A run under way: everything that the next step depends on.
pub struct Trainer<'a> {
    plan: &'a RunPlan,
    input: &'a Input,
    split: &'a Split,
    seed: u64,
    pub network: Network,
    rule: UpdateRule,
    masks: Masks,
    /// The current epoch's order, on the device; none before its first batch.
    order: Option<Tensor>,
}

impl<'a> Trainer<'a> {
    /// A run before its first step. `split` holds the run's images in the order of `dataset::choose`.
    pub fn new(
        engine: &Engine,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        split: &'a Split,
        seed: u64,
    ) -> Self {
        let network = Network::new(engine, model, seed);
        let rule = UpdateRule::new(&plan.optimizer, &network.parameters);
        let masks = Masks::new(model, plan, seed, engine.device);
        Self { plan, input, split, seed, network, rule, masks, order: None }
    }

    /// Batches done since the run's start.
    pub fn done(&self) -> usize {
        self.rule.steps as usize
    }

    /// Everything that the next step depends on, but the plan: weights and buffers by PyTorch's names, and the
    /// optimizer's tensors as `optimizer.exp_avg.conv1.weight`. Which step comes next is `done`.
    pub fn state(&self) -> Vec<NamedTensor> {
        let mut state = self.network.tensors();
        for (list, tensors) in self.rule.state() {
            state.extend(self.network.named_like_parameters(&format!("{}{list}.", NamedTensor::OPTIMIZER), tensors));
        }
        state
    }

    /// Goes on from a state after `done` batches.
    ///
    /// # Errors
    /// Names the tensor that is missing, too many or of another shape.
    pub fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), String> {
        let (kept, own): (Vec<_>, Vec<_>) = state.iter().cloned().partition(NamedTensor::is_optimizers);
        self.network.load(&own)?;
        let mut used = 0;
        for (list, tensors) in self.rule.state_mut() {
            used += self.network.load_like_parameters(&format!("{}{list}.", NamedTensor::OPTIMIZER), tensors, &kept)?;
        }
        if used != kept.len() {
            return Err(format!("{} tensors of an optimizer that has {used}", kept.len()));
        }
        self.rule.steps = done as u64;
        self.order = None;
        Ok(())
    }

    /// The positions (in the split) of an epoch's images, epochs counting from 1.
    pub fn epoch_order(&self, epoch: usize) -> Vec<i64> {
        let mut order: Vec<i64> = (0..self.split.len as i64).collect();
        if self.plan.order == Order::Shuffled {
            Stream::new(self.seed, Purpose::Order { epoch }).shuffle(&mut order);
        }
        order
    }

    /// Trains the next batch. Gives its mean loss, still on the device.
    pub fn step(&mut self) -> Tensor {
        let (steps, size) = (self.plan.steps_per_epoch(), self.plan.batch_size);
        let (epoch, step) = (self.done() / steps + 1, self.done() % steps + 1);
        // Sent once an epoch: a GPU that is sent something waits for it.
        let order = match self.order.take() {
            Some(order) if step > 1 => order,
            _ => Tensor::from_slice(&self.epoch_order(epoch)).to_device(self.split.pixels.device()),
        };
        let first = (step - 1) * size;
        let index = order.narrow(0, first as i64, size.min(self.split.len - first) as i64);
        let x = normalise(&self.split.pixels.index_select(0, &index), self.input);
        let targets = self.split.labels.index_select(0, &index);
        self.order = Some(order);
        let done = self.done();
        let mut mask = |layer: &str, values: usize| self.masks.mask(layer, done, values);
        let pass = self.network.forward(&x, &mut Mode::Train { mask: &mut mask });
        let loss = pass.logits.cross_entropy_for_logits(&targets);
        self.network.backward(pass, &loss);
        let (schedule, base) = (&self.plan.schedule, self.plan.optimizer.lr());
        let lr = learning_rate(schedule, base, epoch - 1, step - 1, self.plan.epochs, steps);
        self.rule.step(&mut self.network.parameters, &self.network.gradients, lr);
        loss.detach()
    }

    /// All batches of the next epoch; gives the mean loss over its images.
    ///
    /// # Errors
    /// A loss that is no number: training diverged. Or what the observer stopped it for.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<f64> {
        let steps = self.plan.steps_per_epoch();
        let mut losses = Vec::with_capacity(steps);
        for _ in 0..steps {
            losses.push(self.step());
            observer.step(self)?;
        }
        // Read once an epoch, so that a GPU never waits for the host in between.
        let losses = values(&Tensor::stack(&losses, 0));
        if let Some(at) = losses.iter().position(|l| !l.is_finite()) {
            bail!(
                "training loss of `{}` (seed {}) became {} in epoch {}, step {}: lower its learning rate",
                self.plan.name,
                self.seed,
                losses[at],
                self.done() / steps,
                at + 1
            );
        }
        let images = self.split.len;
        let size = |step: usize| (images - step * self.plan.batch_size).min(self.plan.batch_size);
        let sum: f64 = losses.iter().enumerate().map(|(step, loss)| f64::from(*loss) * size(step) as f64).sum();
        Ok(sum / images as f64)
    }

    /// Trains to the run's end.
    ///
    /// # Errors
    /// Training that diverged, or what the observer stopped it for.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<()> {
        observer.step(self)?;
        for epoch in 1..=self.plan.epochs {
            let loss = self.epoch(observer)?;
            if !observer.epoch(epoch, loss, &self.network)? {
                break;
            }
        }
        Ok(())
    }
}

/// Logits of every image of a split, in its order: ten a row.
pub fn evaluate(network: &Network, split: &Split, input: &Input) -> Vec<f32> {
    let mut logits = Vec::with_capacity(split.len * CLASSES);
    tch::no_grad(|| {
        for start in (0..split.len).step_by(EVALUATION_BATCH) {
            let size = EVALUATION_BATCH.min(split.len - start);
            let pixels = split.pixels.narrow(0, start as i64, size as i64);
            let x = normalise(&pixels, input);
            logits.extend(values(&network.evaluate(&x)));
        }
    });
    logits
}
