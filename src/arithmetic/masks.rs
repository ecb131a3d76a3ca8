//! Dropout masks of a training: which layers have one, and the values of each step.

use crate::model::{Layer, LayerKind, Model};
use crate::rng::{Purpose, Stream};
use crate::study::RunPlan;
use kernels::threads::for_each_job;

/// Number of mask values that one job draws.
const BLOCK: usize = 1 << 15;

/// Everything that determines the masks of a training.
#[derive(Clone, Debug)]
pub struct Masks {
    /// The run's seed.
    pub seed: u64,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// The dropout layers with a probability above 0; none if the run switches dropout off.
    pub layers: Vec<DropoutLayer>,
}

/// A layer that drops values.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "self-evident")]
pub struct DropoutLayer {
    pub name: String,
    /// The probability that a value is dropped.
    pub p: f64,
    /// Number of the layer's values for one image.
    pub values_per_image: usize,
}

impl Masks {
    /// The masks of one seed of a run.
    pub fn new(model: &Model, plan: &RunPlan, seed: u64) -> Self {
        let dropout = |layer: &Layer| match &layer.kind {
            LayerKind::Dropout(c) if plan.settings.dropout && c.p > 0.0 => Some(DropoutLayer {
                name: layer.name.clone(),
                p: c.p,
                values_per_image: layer.output_values() as usize,
            }),
            _ => None,
        };
        let layers = model.layers.iter().filter_map(dropout).collect();
        Self { seed, steps_per_epoch: plan.steps_per_epoch(), layers }
    }

    /// The random stream of a layer's mask at a step. `step` counts from 0 through all epochs.
    pub fn stream(&self, layer: &str, step: usize) -> Stream {
        let (epoch, step) = (step / self.steps_per_epoch + 1, step % self.steps_per_epoch + 1);
        Stream::new(self.seed, Purpose::Dropout { layer, epoch, step })
    }

    /// Draws the masks of a step for its `images` images, one for each dropout layer:
    /// `[images, channels, height, width]`, 0 or 1 / (1 - p).
    pub(super) fn draw(&self, step: usize, images: usize, masks: &mut Vec<Vec<f32>>) {
        masks.resize(self.layers.len(), Vec::new());
        for (layer, mask) in self.layers.iter().zip(masks) {
            let stream = self.stream(&layer.name, step);
            mask.resize(images * layer.values_per_image, 0.0);
            for_each_job(mask.chunks_mut(BLOCK).enumerate(), |(block, values)| {
                stream.dropout_mask_from(block * BLOCK, layer.p, values);
            });
        }
    }
}
