//! A dataset on a GPU, and batches of its images as input of a network.

use super::gpu::{Address, Gpu, Memory, size};
use super::layers::value_grid;
use crate::arithmetic::train::Normalise;
use crate::dataset::{PIXELS, Selection};
use crate::study::Input;
use kernels::augment::SIDE;

/// The images and labels of a dataset, and the current batch in a network's format.
#[derive(Debug)]
pub(super) struct Images {
    pixels: Memory,
    labels: Memory,
    /// The network's input value for each value of a byte.
    table: Memory,
    /// Mean and standard deviation of the network's input.
    scale: [f32; 2],
    channels: usize,
    /// The batch `[images, height, width, channels]`, and its labels.
    x: Memory,
    batch_labels: Memory,
}

/// The images of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen {
    /// Consecutive images, from this position in the dataset on.
    From(usize),
    /// The images in `order` from index `step` times `batch` on. `order` and `step` are addresses of u32 values, `changes`
    /// that of an affine map for each image in `order`, if they are changed.
    Ordered { order: Address, changes: Option<Address>, step: Address, batch: usize },
}

impl Images {
    /// A dataset, for batches of up to `images` images.
    pub(super) fn new(gpu: &dyn Gpu, dataset: &Selection, input: &Input, images: usize) -> Self {
        let upload = |bytes: &[u8]| {
            let memory = gpu.allocate(bytes.len());
            gpu.write(memory.address(), bytes);
            memory
        };
        let table = gpu.values(256);
        let normalise = Normalise::new(input);
        gpu.write_values(table.address(), &normalise.values);
        Self {
            pixels: upload(&dataset.pixels),
            labels: upload(&dataset.labels),
            table,
            scale: [normalise.mean, normalise.std],
            channels: input.shape[0],
            x: gpu.values(images * PIXELS),
            batch_labels: gpu.allocate(images),
        }
    }

    /// The batch that was chosen last.
    pub(super) fn x(&self) -> Address {
        self.x.address()
    }

    /// The labels of the batch that was chosen last.
    pub(super) fn labels(&self) -> Address {
        self.batch_labels.address()
    }

    /// Makes a batch of some images.
    pub(super) fn choose(&self, gpu: &dyn Gpu, images: usize, chosen: Chosen) {
        let (order, step, batch, first) = match chosen {
            Chosen::From(first) => (Address::NULL, Address::NULL, 0, first),
            Chosen::Ordered { order, changes: Some(changes), step, batch } => {
                return self.choose_changed(gpu, images, [order, changes, step], batch);
            }
            Chosen::Ordered { order, step, batch, .. } => (order, step, batch, 0),
        };
        let arguments = [
            self.pixels.address().into(),
            self.labels.address().into(),
            order.into(),
            step.into(),
            size(batch).into(),
            size(first).into(),
            self.table.address().into(),
            self.x.address().into(),
            self.batch_labels.address().into(),
            size(images).into(),
            size(self.channels).into(),
            size(PIXELS / self.channels).into(),
        ];
        gpu.launch("input_images", value_grid(images * PIXELS), &arguments);
    }

    /// Makes a batch of changed images of one channel. See `Chosen::Ordered`.
    fn choose_changed(&self, gpu: &dyn Gpu, images: usize, [order, changes, step]: [Address; 3], batch: usize) {
        let [mean, std] = self.scale;
        let arguments = [
            self.pixels.address().into(),
            self.labels.address().into(),
            order.into(),
            changes.into(),
            step.into(),
            size(batch).into(),
            mean.into(),
            std.into(),
            self.x.address().into(),
            self.batch_labels.address().into(),
            size(images).into(),
            size(SIDE).into(),
        ];
        gpu.launch("changed_images", value_grid(images * PIXELS), &arguments);
    }
}
