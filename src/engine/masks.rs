//! Dropout masks of a training, on its device.
//!
//! Owns when they are drawn and sent: on a CPU at their step; for a GPU a block of steps ahead, by other threads and in
//! one transfer, so that it never waits for the host within a block. Which values they hold is `rng`'s alone.

use std::thread::JoinHandle;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::model::LayerKind;
use crate::model::Model;
use crate::rng::{Purpose, Stream};
use crate::study::RunPlan;

/// Mask values of a block of steps: as f32, 128 MB.
const BLOCK: usize = 1 << 25;

/// What a training's masks follow from.
#[derive(Clone)]
struct Streams {
    seed: u64,
    steps_per_epoch: usize,
    batch_size: usize,
    /// The layers that drop something.
    layers: Vec<Layer>,
}

#[derive(Clone)]
struct Layer {
    name: String,
    p: f64,
    /// Values of an image.
    values: usize,
}

impl Streams {
    fn of(&self, layer: &str, step: usize) -> Stream {
        let (epoch, step) = (step / self.steps_per_epoch + 1, step % self.steps_per_epoch + 1);
        Stream::new(self.seed, Purpose::Dropout { layer, epoch, step })
    }

    /// For each layer, the masks of these steps as bits, a row of whole bytes a step.
    fn bits(&self, steps: std::ops::Range<usize>) -> Vec<Vec<u8>> {
        let layer = |l: &Layer| -> Vec<u8> {
            let values = self.batch_size * l.values;
            let rows = steps.clone().into_par_iter().map(|step| self.of(&l.name, step).dropout_bits(values, l.p));
            rows.collect::<Vec<_>>().concat()
        };
        self.layers.iter().map(layer).collect()
    }
}

/// The masks of one training.
pub(super) struct Masks {
    streams: Streams,
    device: Device,
    /// How many steps' masks are drawn at once; none where each is drawn at its step.
    block: Option<usize>,
    /// Steps of the whole training.
    total: usize,
    /// The first step of the block at hand, and each layer's masks `[steps, values]`.
    ready: Option<(usize, Vec<Tensor>)>,
    /// The block after it, from its first step.
    next: Option<(usize, JoinHandle<Vec<Vec<u8>>>)>,
}

impl Masks {
    /// The masks of a run's training on a device.
    pub fn new(model: &Model, plan: &RunPlan, seed: u64, device: Device) -> Self {
        let layer = |layer: &crate::model::Layer| match &layer.kind {
            LayerKind::Dropout(c) if plan.dropout && c.p > 0.0 => {
                Some(Layer { name: layer.name.clone(), p: c.p, values: layer.output_values() as usize })
            }
            _ => None,
        };
        let layers: Vec<Layer> = model.layers.iter().filter_map(layer).collect();
        let values: usize = layers.iter().map(|l| plan.batch_size * l.values).sum();
        let block = device.is_cuda().then(|| (BLOCK / values.max(1)).max(1));
        let steps_per_epoch = plan.steps_per_epoch();
        let streams = Streams { seed, steps_per_epoch, batch_size: plan.batch_size, layers };
        Self { streams, device, block, total: plan.epochs * steps_per_epoch, ready: None, next: None }
    }

    /// The masks of a step (counted from 0 through all epochs), each with its layer's name and in a row `[values]`, for
    /// the first images of a batch. Layers that drop nothing have none.
    pub fn of(&mut self, step: usize, images: usize) -> Vec<(String, Tensor)> {
        if let Some(block) = self.block {
            let is_ready = self.ready.as_ref().is_some_and(|(first, _)| (*first..first + block).contains(&step));
            if !is_ready && !self.streams.layers.is_empty() {
                self.advance(step, block);
            }
        }
        let mask = |(at, layer): (usize, &Layer)| {
            let values = images * layer.values;
            let mask = match &self.ready {
                Some((first, masks)) => masks[at].get((step - first) as i64).narrow(0, 0, values as i64),
                None => Tensor::from_slice(&self.streams.of(&layer.name, step).dropout_mask(values, layer.p)),
            };
            (layer.name.clone(), mask)
        };
        self.streams.layers.iter().enumerate().map(mask).collect()
    }

    /// Room for a batch's masks.
    pub fn room(&self) -> Vec<(String, Tensor)> {
        let zeros = |values: usize| Tensor::zeros([values as i64], (Kind::Float, self.device));
        let room = |layer: &Layer| (layer.name.clone(), zeros(self.streams.batch_size * layer.values));
        self.streams.layers.iter().map(room).collect()
    }

    /// Makes the block from a step on ready, and starts on the one after it.
    fn advance(&mut self, step: usize, block: usize) {
        let steps = |first: usize| first..(first + block).min(self.total.max(first + 1));
        let drawn = match self.next.take() {
            Some((first, thread)) if first == step => thread.join().expect("drawing masks does not panic"),
            _ => self.streams.bits(steps(step)),
        };
        let rows = steps(step).len();
        let spread = |(bits, layer): (Vec<u8>, &Layer)| spread(&bits, rows, layer.p, self.device);
        self.ready = Some((step, drawn.into_iter().zip(&self.streams.layers).map(spread).collect()));
        let after = step + block;
        if after < self.total {
            let (streams, steps) = (self.streams.clone(), steps(after));
            self.next = Some((after, std::thread::spawn(move || streams.bits(steps))));
        }
    }
}

/// Bits `rows` of whole bytes as masks `[rows, values]` on a device: 0, or 1 / (1 - p).
fn spread(bits: &[u8], rows: usize, p: f64, device: Device) -> Tensor {
    let bytes = Tensor::from_slice(bits).to_device(device).reshape([rows as i64, -1, 1]);
    let places = Tensor::from_slice(&[1u8, 2, 4, 8, 16, 32, 64, 128]).to_device(device);
    let kept = bytes.bitwise_and_tensor(&places).ne(0).to_kind(Kind::Float);
    (kept * f64::from((1.0 / (1.0 - p)) as f32)).reshape([rows as i64, -1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::network::values;
    use crate::engine::{DeviceChoice, Engine};
    use crate::study::Compute;

    #[test]
    fn masks_drawn_ahead_are_those_of_their_steps() {
        Engine::start(DeviceChoice::Cpu, &Compute::default()).unwrap();
        let layer = |name: &str, p, values| Layer { name: name.to_owned(), p, values };
        let layers = vec![layer("a", 0.25, 7), layer("b", 0.5, 4)];
        let masks = |block| Masks {
            streams: Streams { seed: 3, steps_per_epoch: 5, batch_size: 3, layers: layers.clone() },
            device: Device::Cpu,
            block,
            total: 10,
            ready: None,
            next: None,
        };
        let (mut at_once, mut ahead) = (masks(None), masks(Some(4)));
        // In order, then as a replay starts anew anywhere; the last batch of an epoch holds fewer images.
        for step in (0..10).chain([7, 8, 2]) {
            let images = if step % 5 == 4 { 2 } else { 3 };
            let [expected, got] = [&mut at_once, &mut ahead].map(|m| {
                let masks = m.of(step, images);
                masks.into_iter().map(|(name, mask)| (name, values(&mask))).collect::<Vec<_>>()
            });
            assert_eq!(got, expected, "step {step}");
            let lens: Vec<_> = got.iter().map(|(name, mask)| (name.as_str(), mask.len())).collect();
            assert_eq!(lens, [("a", 7 * images), ("b", 4 * images)]);
        }
    }
}
