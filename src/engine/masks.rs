//! Dropout masks of one training, on its device. On a CPU each mask is drawn at its step. For a GPU, other threads draw
//! the masks of many steps in advance, and one transfer copies them, so that the GPU seldom waits for the host.

use std::ops::Range;
use std::thread::JoinHandle;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use mnist_report::arithmetic::{DropoutLayer, Masks};
use mnist_report::model::Model;
use mnist_report::study::RunPlan;

/// Mask values drawn in advance at a time: 128 MB as f32.
const BLOCK_VALUES: usize = 1 << 25;

/// For each layer, the masks of these steps as bits. Each step's bits start at a new byte.
fn bits(masks: &Masks, batch_size: usize, steps: &Range<usize>) -> Vec<Vec<u8>> {
    let layer_bits = |l: &DropoutLayer| -> Vec<u8> {
        let values = batch_size * l.values_per_image;
        let rows = steps.clone().into_par_iter().map(|step| masks.stream(&l.name, step).dropout_bits(values, l.p));
        rows.collect::<Vec<_>>().concat()
    };
    masks.layers.iter().map(layer_bits).collect()
}

/// The masks of one training.
pub(super) struct DeviceMasks {
    masks: Masks,
    batch_size: usize,
    device: Device,
    /// Steps in a block drawn in advance; `None` if each mask is drawn at its step.
    block_steps: Option<usize>,
    /// Steps of the whole training.
    total_steps: usize,
    /// The current block: its first step, and each layer's masks `[steps, values]`.
    current_block: Option<(usize, Vec<Tensor>)>,
    /// The next block: its first step, and the thread that draws it.
    next_block: Option<(usize, JoinHandle<Vec<Vec<u8>>>)>,
}

impl DeviceMasks {
    /// The masks of one seed of a run.
    pub(super) fn new(model: &Model, plan: &RunPlan, seed: u64, device: Device) -> Self {
        let (masks, batch_size) = (Masks::new(model, plan, seed), plan.settings.batch_size);
        let values: usize = masks.layers.iter().map(|l| batch_size * l.values_per_image).sum();
        let block_steps = device.is_cuda().then(|| (BLOCK_VALUES / values.max(1)).max(1));
        Self {
            masks,
            batch_size,
            device,
            block_steps,
            total_steps: plan.total_steps(),
            current_block: None,
            next_block: None,
        }
    }

    /// The masks of a step (counted from 0 through all epochs) for its `images` images: each dropout layer's name with
    /// a mask `[values]`. Layers with `p` 0 have none.
    pub(super) fn for_step(&mut self, step: usize, images: usize) -> Vec<(String, Tensor)> {
        if let Some(block_steps) = self.block_steps {
            let is_loaded =
                self.current_block.as_ref().is_some_and(|(first, _)| (*first..first + block_steps).contains(&step));
            if !is_loaded && !self.masks.layers.is_empty() {
                self.load_block(step, block_steps);
            }
        }
        let mask = |(at, layer): (usize, &DropoutLayer)| {
            let values = images * layer.values_per_image;
            let mask = match &self.current_block {
                Some((first, masks)) => masks[at].get((step - first) as i64).narrow(0, 0, values as i64),
                None => Tensor::from_slice(&self.masks.stream(&layer.name, step).dropout_mask(values, layer.p)),
            };
            (layer.name.clone(), mask)
        };
        self.masks.layers.iter().enumerate().map(mask).collect()
    }

    /// Tensors of zeros with the sizes of a full batch's masks, by layer name.
    pub(super) fn zeros(&self) -> Vec<(String, Tensor)> {
        let zeros = |layer: &DropoutLayer| {
            let values = self.batch_size * layer.values_per_image;
            (layer.name.clone(), Tensor::zeros([values as i64], (Kind::Float, self.device)))
        };
        self.masks.layers.iter().map(zeros).collect()
    }

    /// Loads the block that starts at a step, and starts a thread that draws the block after it.
    fn load_block(&mut self, step: usize, block_steps: usize) {
        let steps = |first: usize| first..(first + block_steps).min(self.total_steps.max(first + 1));
        let drawn = match self.next_block.take() {
            Some((first, thread)) if first == step => thread.join().expect("drawing masks does not panic"),
            _ => bits(&self.masks, self.batch_size, &steps(step)),
        };
        let rows = steps(step).len();
        let unpack = |(bits, layer): (Vec<u8>, &DropoutLayer)| unpack_bits(&bits, rows, layer.p, self.device);
        self.current_block = Some((step, drawn.into_iter().zip(&self.masks.layers).map(unpack).collect()));
        let after = step + block_steps;
        if after < self.total_steps {
            let (masks, batch_size, steps) = (self.masks.clone(), self.batch_size, steps(after));
            self.next_block = Some((after, std::thread::spawn(move || bits(&masks, batch_size, &steps))));
        }
    }
}

/// Converts bits (`rows` rows of whole bytes) to masks `[rows, values]` on a device: 0 for a zero bit, 1 / (1 - p) for
/// a one.
fn unpack_bits(bits: &[u8], rows: usize, p: f64, device: Device) -> Tensor {
    let bytes = Tensor::from_slice(bits).to_device(device).reshape([rows as i64, -1, 1]);
    let places = Tensor::from_slice(&[1u8, 2, 4, 8, 16, 32, 64, 128]).to_device(device);
    let kept = bytes.bitwise_and_tensor(&places).ne(0).to_kind(Kind::Float);
    (kept * f64::from((1.0 / (1.0 - p)) as f32)).reshape([rows as i64, -1])
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::super::network::to_vec;
    use super::*;

    #[test]
    fn masks_drawn_in_advance_equal_those_drawn_at_their_step() {
        Engine::start(None, false).unwrap();
        let layer = |name: &str, p, values| DropoutLayer { name: name.to_owned(), p, values_per_image: values };
        let layers = vec![layer("a", 0.25, 7), layer("b", 0.5, 4)];
        let masks = |block_steps| DeviceMasks {
            masks: Masks { seed: 3, steps_per_epoch: 5, layers: layers.clone() },
            batch_size: 3,
            device: Device::Cpu,
            block_steps,
            total_steps: 10,
            current_block: None,
            next_block: None,
        };
        let (mut at_step, mut in_advance) = (masks(None), masks(Some(4)));
        // In order, then from other steps, as in `verify`'s rung `replay`. The last batch of an epoch has fewer images.
        for step in (0..10).chain([7, 8, 2]) {
            let images = if step % 5 == 4 { 2 } else { 3 };
            let [expected, got] = [&mut at_step, &mut in_advance].map(|m| {
                let masks = m.for_step(step, images);
                masks.into_iter().map(|(name, mask)| (name, to_vec(&mask))).collect::<Vec<_>>()
            });
            assert_eq!(got, expected, "step {step}");
            let lens: Vec<_> = got.iter().map(|(name, mask)| (name.as_str(), mask.len())).collect();
            assert_eq!(lens, [("a", 7 * images), ("b", 4 * images)]);
        }
    }
}
