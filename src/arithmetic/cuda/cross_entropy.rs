//! Mean cross-entropy of a batch and its gradient on a GPU.

use super::gpu::{Address, Gpu, Grid, Memory, size};
use kernels::cross_entropy::Targets;

/// The GPU counterpart of `kernels::cross_entropy::cross_entropy`, for up to a fixed number of images.
#[derive(Debug)]
pub(super) struct CrossEntropy {
    /// Each image's loss.
    losses: Memory,
    pub targets: Targets,
    classes: usize,
}

/// Where to write a batch's loss: at index `step` of `losses`. `step` is the address of a u32.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossPlace {
    pub step: Address,
    pub losses: Address,
}

impl CrossEntropy {
    pub(super) fn new(gpu: &dyn Gpu, images: usize, classes: usize) -> Self {
        Self { losses: gpu.values(images), targets: Targets::PLAIN, classes }
    }

    /// Writes the gradient with respect to the logits, and the loss.
    pub(super) fn launch(
        &self,
        gpu: &dyn Gpu,
        images: usize,
        [logits, labels, gradient]: [Address; 3],
        place: LossPlace,
    ) {
        let losses = self.losses.address();
        let Targets { kept, label, other } = self.targets;
        let arguments = [
            logits.into(),
            labels.into(),
            gradient.into(),
            losses.into(),
            size(images).into(),
            size(self.classes).into(),
            (images as f32).into(),
            kept.into(),
            label.into(),
            other.into(),
        ];
        gpu.launch("cross_entropy", Grid::for_jobs(images, 64), &arguments);
        let arguments =
            [losses.into(), size(images).into(), (images as f64).into(), place.step.into(), place.losses.into()];
        gpu.launch("mean_loss", Grid::blocks(1, 256), &arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::cuda::layers::testing::assert_equal;
    use crate::arithmetic::cuda::testing::{Emulator, Order};
    use crate::rng::Stream;
    use kernels::cross_entropy::cross_entropy;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for (images, classes, scale, special, smoothing) in [
            (1, 10, 1.0, None, 0.0),
            (3, 10, 30.0, None, 0.0),
            (300, 10, 5.0, None, 0.0),
            (2, 10, 200.0, None, 0.0),
            (9, 10, 1.0, Some(f32::NEG_INFINITY), 0.0),
            (70, 3, 5.0, None, 0.0),
            (300, 10, 5.0, None, 0.1),
            (2, 10, 200.0, None, 0.3),
            (9, 10, 1.0, Some(f32::NEG_INFINITY), 0.1),
            (70, 3, 5.0, None, 0.1),
        ] {
            let targets = Targets::smoothed(smoothing, classes);
            let mut logits = Stream::keyed(b"logits").uniform(images * classes, scale);
            if let Some(special) = special {
                logits[11] = special;
                logits[25] = f32::NAN;
            }
            let labels: Vec<u8> = (0..images).map(|i| (i * 7 % classes) as u8).collect();
            let mut gradient = vec![f32::NAN; logits.len()];
            let loss = cross_entropy(&logits, &labels, targets, &mut gradient);
            for order in Order::ALL {
                let gpu: &dyn Gpu = &Emulator::new(order);
                let [x, dx, losses] = [logits.len(), logits.len(), 3].map(|n| gpu.values(n));
                let [label_memory, step] = [images, 4].map(|bytes| gpu.allocate(bytes));
                gpu.write_values(x.address(), &logits);
                gpu.write(label_memory.address(), &labels);
                gpu.write(step.address(), &2u32.to_le_bytes());
                let place = LossPlace { step: step.address(), losses: losses.address() };
                let addresses = [&x, &label_memory, &dx].map(Memory::address);
                let on_gpu = CrossEntropy { targets, ..CrossEntropy::new(gpu, images, classes) };
                on_gpu.launch(gpu, images, addresses, place);
                assert_equal("gradient", &gpu.read_values(dx.address(), logits.len()), &gradient);
                assert_equal("loss", &gpu.read_values(losses.address().offset(2), 1), &[loss]);
            }
        }
    }
}
