//! Training and evaluation: a function of state (weights, buffers, optimizer, step) and plan.
//!
//! Owns the loop; what it measures is handed out as losses and logits, to be judged elsewhere.

use anyhow::{Result, bail};
use tch::{Device, Kind, Tensor};

use super::graph::{Recorded, Steps};
use super::masks::Masks;
use super::network::{Mode, Network, normalise, values};
use super::optimizer::UpdateRule;
use super::{Engine, learning_rate};
use crate::dataset::CLASSES;
use crate::dataset::ImageOrder;
use crate::dataset::{ImageSet, PIXELS};
use crate::model::Model;
use crate::rng::{Purpose, Stream};
use crate::study::{Input, RunPlan};
use crate::tensors::NamedTensor;

/// Images in one batch of an evaluation: fixed, since a matrix product's bits may depend on its size.
const EVALUATION_BATCH: usize = 250;

/// Images on the engine's device, as bytes.
pub struct DeviceDataset {
    pixels: Tensor,
    labels: Tensor,
    len: usize,
}

impl DeviceDataset {
    /// Sends the chosen images (indices into `images`) to the device.
    pub fn new(engine: &Engine, images: &ImageSet, chosen: &[u32]) -> Self {
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
    seed: u64,
    done: usize,
    masks: Masks,
    epoch: Option<Epoch>,
    training: Training<'a>,
    /// Recordings of steps, and the place where they find their inputs.
    steps: Option<(Inputs, Steps)>,
}

/// What an epoch's steps share, sent to the device once: a GPU that is sent something waits for it.
struct Epoch {
    /// Counted from 1.
    number: usize,
    /// The images' positions in the split.
    order: Tensor,
    /// The optimizer's factors, a row a step.
    factors: Tensor,
}

/// What a step reads beside the training's state: tensors alone, so that a recording of it holds nothing of one step.
struct Inputs {
    /// The images' positions in the split.
    index: Tensor,
    /// By layer, as `Masks::of` gives them.
    masks: Vec<(String, Tensor)>,
    /// As `UpdateRule::factors` gives them.
    factors: Tensor,
}

impl Inputs {
    /// Room for a batch's, on a device.
    fn room(plan: &RunPlan, masks: &Masks, device: Device) -> Self {
        let factors = UpdateRule::factors(&plan.optimizer, 0.0, 1).len();
        Self {
            index: Tensor::zeros([plan.batch_size as i64], (Kind::Int64, device)),
            masks: masks.room(),
            factors: Tensor::zeros([factors as i64], (Kind::Float, device)),
        }
    }

    /// Copies a step's inputs to the place of this one's, of as many images or more; gives them as they lie there.
    fn take(&mut self, step: &Self) -> Self {
        let put = |to: &Tensor, from: &Tensor| {
            let mut place = to.narrow(0, 0, from.size()[0]);
            place.copy_(from);
            place
        };
        let masks = self.masks.iter().zip(&step.masks);
        Self {
            index: put(&self.index, &step.index),
            masks: masks.map(|((layer, to), (_, from))| (layer.clone(), put(to, from))).collect(),
            factors: put(&self.factors, &step.factors),
        }
    }
}

/// The part of a training that its steps change, and how.
struct Training<'a> {
    input: &'a Input,
    split: &'a DeviceDataset,
    network: Network,
    rule: UpdateRule,
    /// Of the last step.
    loss: Tensor,
}

impl Training<'_> {
    /// Every tensor that a step writes to.
    fn written(&self) -> Vec<Tensor> {
        let parameters = std::iter::once(&self.network.parameters.all);
        let all = parameters.chain(&self.network.buffers).chain(self.rule.all()).chain([&self.loss]);
        all.map(Tensor::shallow_clone).collect()
    }

    /// A step; `first` for the first of the training.
    fn step(&mut self, inputs: &Inputs, first: bool) {
        let x = normalise(&self.split.pixels.index_select(0, &inputs.index), self.input);
        let targets = self.split.labels.index_select(0, &inputs.index);
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
    /// A run before its first step. `split` holds the run's images in the order of `dataset::choose`.
    pub fn new(
        engine: &Engine,
        model: &Model,
        plan: &'a RunPlan,
        input: &'a Input,
        split: &'a DeviceDataset,
        seed: u64,
    ) -> Self {
        let network = Network::new(engine, model, seed);
        let rule = UpdateRule::new(&plan.optimizer, &network.parameters);
        let masks = Masks::new(model, plan, seed, engine.device);
        let loss = Tensor::zeros([], (Kind::Float, engine.device));
        let training = Training { input, split, network, rule, loss };
        let steps = Steps::new(engine.device, training.written());
        let steps = steps.map(|steps| (Inputs::room(plan, &masks, engine.device), steps));
        Self { plan, seed, done: 0, masks, epoch: None, training, steps }
    }

    /// Batches done since the run's start.
    pub fn done(&self) -> usize {
        self.done
    }

    /// The network as trained so far.
    pub fn network(&self) -> &Network {
        &self.training.network
    }

    /// Replaces the network's weights and buffers.
    ///
    /// # Errors
    /// As `Network::load`.
    pub fn load_weights(&mut self, tensors: &[NamedTensor]) -> Result<(), String> {
        self.training.network.load(tensors)
    }

    /// The network alone.
    pub fn into_network(self) -> Network {
        self.training.network
    }

    /// What was done by recordings of steps, on a GPU.
    pub fn recorded(&self) -> Recorded {
        self.steps.as_ref().map(|(_, steps)| steps.recorded.clone()).unwrap_or_default()
    }

    /// Everything that the next step depends on, but the plan: weights and buffers by PyTorch's names, and the
    /// optimizer's tensors as `optimizer.exp_avg.conv1.weight`. Which step comes next is `done`.
    pub fn state(&self) -> Vec<NamedTensor> {
        let Training { network, rule, .. } = &self.training;
        let mut state = network.tensors();
        for (list, tensors) in rule.state() {
            state.extend(network.named_like_parameters(&format!("{}{list}.", NamedTensor::OPTIMIZER), tensors));
        }
        state
    }

    /// Goes on from a state after `done` batches.
    ///
    /// # Errors
    /// Names the tensor that is missing, too many or of another shape.
    pub fn load_state(&mut self, state: &[NamedTensor], done: usize) -> Result<(), String> {
        let (kept, own): (Vec<_>, Vec<_>) = state.iter().cloned().partition(NamedTensor::is_optimizers);
        let Training { network, rule, .. } = &mut self.training;
        network.load(&own)?;
        let mut used = 0;
        for (list, tensors) in rule.state_mut() {
            used += network.load_like_parameters(&format!("{}{list}.", NamedTensor::OPTIMIZER), tensors, &kept)?;
        }
        if used != kept.len() {
            return Err(format!("{} tensors of an optimizer that has {used}", kept.len()));
        }
        self.done = done;
        Ok(())
    }

    /// The positions (in the split) of an epoch's images, epochs counting from 1.
    pub fn epoch_order(&self, epoch: usize) -> Vec<i64> {
        let mut order: Vec<i64> = (0..self.training.split.len as i64).collect();
        if self.plan.order == ImageOrder::Shuffled {
            Stream::new(self.seed, Purpose::Order { epoch }).shuffle(&mut order);
        }
        order
    }

    /// An epoch's order and factors.
    fn prepare(&self, number: usize) -> Epoch {
        let (plan, steps) = (self.plan, self.plan.steps_per_epoch());
        let factors = |step: usize| {
            let lr = learning_rate(&plan.schedule, plan.optimizer.lr(), number - 1, step, plan.epochs, steps);
            UpdateRule::factors(&plan.optimizer, lr, ((number - 1) * steps + step + 1) as u64)
        };
        let factors: Vec<f32> = (0..steps).flat_map(factors).collect();
        let device = self.training.split.pixels.device();
        Epoch {
            number,
            order: Tensor::from_slice(&self.epoch_order(number)).to_device(device),
            factors: Tensor::from_slice(&factors).reshape([steps as i64, -1]).to_device(device),
        }
    }

    /// What the next step reads.
    fn inputs(&mut self) -> Inputs {
        let (steps, size) = (self.plan.steps_per_epoch(), self.plan.batch_size);
        let (number, step) = (self.done / steps + 1, self.done % steps);
        let epoch = match self.epoch.take() {
            Some(epoch) if epoch.number == number => epoch,
            _ => self.prepare(number),
        };
        let images = size.min(self.training.split.len - step * size);
        let inputs = Inputs {
            index: epoch.order.narrow(0, (step * size) as i64, images as i64),
            masks: self.masks.of(self.done, images),
            factors: epoch.factors.get(step as i64),
        };
        self.epoch = Some(epoch);
        inputs
    }

    /// How many steps of the run have batches as large as the next one's, that one and those after it.
    fn left(&self) -> usize {
        let (steps, full) = (self.plan.steps_per_epoch(), self.training.split.len / self.plan.batch_size);
        let (epoch, step) = (self.done / steps, self.done % steps);
        let (in_epoch, before) = if step < full { (full, step) } else { (1, 0) };
        (self.plan.epochs * in_epoch).saturating_sub(epoch * in_epoch + before)
    }

    /// Trains the next batch. Gives its mean loss, still on the device.
    pub fn step(&mut self) -> Tensor {
        self.advance();
        self.training.loss.copy()
    }

    fn advance(&mut self) {
        let (inputs, left, first) = (self.inputs(), self.left(), self.done == 0);
        let training = &mut self.training;
        match &mut self.steps {
            // Optimizers do the first step of all otherwise than the others.
            Some((place, steps)) if !first => {
                let inputs = place.take(&inputs);
                let images = inputs.index.size()[0] as usize;
                steps.run(images, left, &mut || training.step(&inputs, false));
            }
            _ => training.step(&inputs, first),
        }
        self.done += 1;
    }

    /// All batches of the next epoch; gives the mean loss over its images.
    ///
    /// # Errors
    /// A loss that is no number: training diverged. Or what the observer stopped it for.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<f64> {
        let steps = self.plan.steps_per_epoch();
        // Read once an epoch, so that a GPU never waits for the host in between; in one place, since a small tensor that
        // outlives its step keeps malloc from joining the large blocks around it, and memory grows with every step.
        let losses = Tensor::zeros([steps as i64], (Kind::Float, self.training.loss.device()));
        for step in 0..steps {
            self.advance();
            losses.get(step as i64).copy_(&self.training.loss);
            observer.step(self)?;
        }
        let losses = values(&losses);
        if let Some(at) = losses.iter().position(|l| !l.is_finite()) {
            bail!(
                "training loss of `{}` (seed {}) became {} in epoch {}, step {}: lower its learning rate",
                self.plan.name,
                self.seed,
                losses[at],
                self.done / steps,
                at + 1
            );
        }
        let images = self.training.split.len;
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
            if !observer.epoch(epoch, loss, &self.training.network)? {
                break;
            }
        }
        Ok(())
    }
}

/// Logits of every image of a split, in its order: ten a row.
pub fn evaluate(network: &Network, split: &DeviceDataset, input: &Input) -> Vec<f32> {
    // Read once, so that a GPU never waits for the host in between; in one place, as an epoch's losses are.
    tch::no_grad(|| {
        let logits = Tensor::zeros([split.len as i64, CLASSES as i64], (Kind::Float, split.pixels.device()));
        for start in (0..split.len).step_by(EVALUATION_BATCH) {
            let (start, size) = (start as i64, EVALUATION_BATCH.min(split.len - start) as i64);
            let pixels = split.pixels.narrow(0, start, size);
            logits.narrow(0, start, size).copy_(&network.evaluate(&normalise(&pixels, input)));
        }
        values(&logits)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::dataset::Mnist;
    use crate::engine::failure::caught;
    use crate::engine::graph::StepRecorder;
    use crate::engine::{DeviceChoice, Engine};
    use crate::study::{Plan, Source};

    /// A CPU in a GPU's place: a recording is the work that it will be given.
    enum Fake {
        Honest,
        /// Its recordings do too much.
        TwiceOver,
        /// Its recordings find the inputs that were at this place, and keep them.
        Stale(Vec<Tensor>, BTreeMap<usize, Vec<Tensor>>),
        /// Nothing can be recorded.
        Unable,
    }

    impl StepRecorder for Fake {
        fn record(&mut self, key: usize, _: &mut dyn FnMut()) -> Result<(), String> {
            match self {
                Self::Unable => return caught(|| panic!("no")),
                Self::Stale(place, kept) => {
                    kept.insert(key, place.iter().map(Tensor::copy).collect());
                }
                Self::Honest | Self::TwiceOver => {}
            }
            Ok(())
        }

        fn replay(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String> {
            match self {
                Self::Honest => work(),
                Self::TwiceOver => (0..2).for_each(|_| work()),
                Self::Stale(place, kept) => {
                    let now: Vec<Tensor> = place.iter().map(Tensor::copy).collect();
                    place.iter_mut().zip(&kept[&key]).for_each(|(to, from)| to.copy_(from));
                    work();
                    place.iter_mut().zip(&now).for_each(|(to, from)| to.copy_(from));
                }
                Self::Unable => unreachable!("nothing was recorded"),
            }
            Ok(())
        }

        fn forget(&mut self, _: usize) {}
    }

    #[test]
    fn training_by_recordings_gives_the_same_bits() {
        const EPOCHS: usize = 6;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut plan = Plan::resolve(&Source::load(&root.join("tests/fixtures/portable.yaml")).unwrap()).unwrap();
        let engine = Engine::start(DeviceChoice::Cpu, &plan.compute).unwrap();
        let data = Mnist::load(&root.join("data/mnist")).unwrap();
        for (name, run) in &mut plan.runs {
            run.epochs = EPOCHS;
            let chosen = run.choose(&data.train.labels, 1);
            let split = DeviceDataset::new(&engine, &data.train, &chosen);
            let count = EPOCHS * run.steps_per_epoch();
            let train = |recorder: fn(&Inputs) -> Option<Fake>, worth: usize| {
                let mut trainer = Trainer::new(&engine, &plan.models[&run.model], run, &plan.input, &split, 1);
                let place = Inputs::room(run, &trainer.masks, engine.device);
                let written = trainer.training.written();
                trainer.steps = recorder(&place).map(|r| (place, Steps::by(Box::new(r), written, worth)));
                let losses: Vec<u32> = (0..count).map(|_| values(&trainer.step())[0].to_bits()).collect();
                (trainer.state(), losses, trainer.recorded())
            };
            let stale = |place: &Inputs| {
                let masks = place.masks.iter().map(|(_, mask)| mask);
                let all = masks.chain([&place.index, &place.factors]).map(Tensor::shallow_clone).collect();
                Some(Fake::Stale(all, BTreeMap::new()))
            };
            let (state, losses, none) = train(|_| None, 1);
            assert_eq!(none, Recorded::default());
            // The first step is for no recording; then each size of batch is done twice, recorded, shown to be right, and
            // from then on replayed.
            let sizes = if split.len().is_multiple_of(run.batch_size) { 1 } else { 2 };
            let honest = Recorded { kinds: sizes, steps: count - 1 - 4 * sizes, refused: None };
            let refused = |why: &str| Recorded { refused: Some(why.to_owned()), ..Recorded::default() };
            let wrong = refused("a recorded step gives other bits");
            // With the same image in the same place at every epoch, and a constant rate, there is nothing to be stale.
            let is_constant = name == "convs-adadelta-of-one";
            for (way, trained, expected) in [
                ("honest", train(|_| Some(Fake::Honest), 1), honest.clone()),
                ("short", train(|_| Some(Fake::Honest), count + 1), Recorded::default()),
                ("twice", train(|_| Some(Fake::TwiceOver), 1), wrong.clone()),
                ("stale", train(stale, 1), if is_constant { honest } else { wrong }),
                ("unable", train(|_| Some(Fake::Unable), 1), refused("a fault of mnist-report, please report it: no")),
            ] {
                let (got_state, got_losses, recorded) = trained;
                assert_eq!(recorded, expected, "{name}, {way}");
                assert_eq!(got_losses, losses, "{name}, {way}");
                assert!(got_state == state, "{name}, {way}: another state");
            }
        }
    }

    #[test]
    fn steps_to_come_are_counted_by_their_size() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut plan = Plan::resolve(&Source::load(&root.join("tests/fixtures/portable.yaml")).unwrap()).unwrap();
        let engine = Engine::start(DeviceChoice::Cpu, &plan.compute).unwrap();
        let run = &mut plan.runs["features-adam"];
        (run.epochs, run.image_count, run.batch_size) = (3, 10, 4);
        let (pixels, labels) = (vec![0; 10 * PIXELS], vec![0; 10]);
        let split = DeviceDataset::new(&engine, &ImageSet { pixels, labels }, &(0..10).collect::<Vec<_>>());
        let mut trainer = Trainer::new(&engine, &plan.models["features"], run, &plan.input, &split, 1);
        let counted: Vec<usize> = (0..10).map(|done| (trainer.done = done, trainer.left()).1).collect();
        assert_eq!(counted, [6, 5, 3, 4, 3, 2, 2, 1, 1, 0]);
    }

    #[test]
    fn inputs_lie_at_the_same_place_at_every_step() {
        let engine = Engine::start(DeviceChoice::Cpu, &crate::study::Compute::default()).unwrap();
        let inputs = |n: i64, value: f64| {
            let full = |size: i64, kind| Tensor::full([size], value, (kind, engine.device));
            let masks = vec![("drop".to_owned(), full(3 * n, Kind::Float))];
            Inputs { index: full(n, Kind::Int64), masks, factors: full(2, Kind::Float) }
        };
        let mut place = inputs(4, 0.0);
        let tensors = |i: &Inputs| [&i.index, &i.masks[0].1, &i.factors].map(Tensor::shallow_clone);
        let address = |t: Tensor| t.data_ptr() as usize;
        let own = tensors(&place).map(address);
        for (n, value) in [(4, 1.0), (3, 2.0), (4, 3.0)] {
            let step = inputs(n, value);
            let taken = place.take(&step);
            assert_eq!(tensors(&taken).map(address), own);
            for (taken, step) in tensors(&taken).iter().zip(&tensors(&step)) {
                assert_eq!((taken.size(), values(taken)), (step.size(), values(step)));
            }
        }
    }
}
