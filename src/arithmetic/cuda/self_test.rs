//! Compares a GPU with this CPU on a small study that launches every kernel. The tests use the same study.

use std::path::Path;
use std::rc::Rc;

use super::functions;
use super::gpu::Gpu;
use super::train::{Trainer, evaluate};
use crate::arithmetic;
use crate::dataset::{PIXELS, Selection};
use crate::rng::Stream;
use crate::study::{Plan, RunPlan, Source};
use crate::tensors::{first_difference, values_difference};

/// A study with every kind of layer, optimizer and schedule, in a few small steps.
const STUDY: &str = include_str!("../portable.yaml");

/// Number of images that each network evaluates: enough to use the kernels for large products. The emulated GPU is
/// slow, so the tests evaluate fewer images; there, smaller products already use these kernels.
const EVALUATED: usize = if cfg!(test) { 3 } else { 32 };

/// Trains every run of the study on the GPU and on the CPU, on images of random bytes. The caller must catch panics of
/// the GPU.
///
/// # Errors
/// The first value whose bits differ, with its run and step.
pub fn self_test(gpu: &Rc<dyn Gpu>) -> Result<(), String> {
    let plan = study();
    let of_run = |run: &RunPlan| compare(gpu, &plan, run).map(|why| format!("{}: {why}", run.name));
    functions::difference(&**gpu).or_else(|| plan.runs.values().find_map(of_run)).map_or(Ok(()), Err)
}

pub(super) fn study() -> Plan {
    let file = Path::new("portable.yaml");
    let source = Source::from_text(file, STUDY).expect("the tests read this study");
    Plan::resolve(&source).expect("the tests resolve this study")
}

/// Images of random bytes.
pub(super) fn images(count: usize, key: &str) -> Selection {
    let mut random = Stream::keyed(key.as_bytes());
    let pixels = (0..count * PIXELS).map(|_| random.below(256) as u8).collect();
    Selection { pixels, labels: (0..count).map(|i| (i * 7 % 10) as u8).collect() }
}

/// The first difference between a run's training on the GPU and on the CPU, over all its steps.
fn compare(gpu: &Rc<dyn Gpu>, plan: &Plan, run: &RunPlan) -> Option<String> {
    let dataset = images(run.settings.image_count, &run.name);
    training_difference(gpu, plan, run, [&dataset, &images(EVALUATED, "test")], run.total_steps())
}

/// The first difference between the training of a run's first seed on the GPU and on the CPU. Compares the losses and
/// the state after each of the first `steps` steps, then the logits of the test images. `dataset` holds the run's
/// images in the order of `RunPlan::choose`, `test` the test images.
pub fn training_difference(
    gpu: &Rc<dyn Gpu>,
    plan: &Plan,
    run: &RunPlan,
    [dataset, test]: [&Selection; 2],
    steps: usize,
) -> Option<String> {
    let (model, seed) = (&plan.models[&run.settings.model], run.seeds[0]);
    let mut on_gpu = Trainer::new(gpu, model, run, &plan.input, dataset, seed);
    let mut on_cpu = arithmetic::Trainer::new(model, run, &plan.input, dataset, seed);
    for step in 1..=steps.min(run.total_steps()) {
        on_gpu.step();
        on_cpu.step();
        let loss = values_difference(&on_gpu.epoch_losses(), on_cpu.epoch_losses()).map(|why| format!("losses: {why}"));
        if let Some(why) = loss.or_else(|| first_difference(&on_gpu.state(), &on_cpu.state())) {
            return Some(format!("step {step}: {why}"));
        }
    }
    let expected = arithmetic::evaluate(on_cpu.network(), test, &plan.input);
    values_difference(&evaluate(on_gpu.network(), test, &plan.input), &expected).map(|why| format!("logits: {why}"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::arithmetic::cuda::gpu::{Address, Argument, Grid, Memory, Recording};
    use crate::arithmetic::cuda::source;
    use crate::arithmetic::cuda::testing::{Emulator, Order};

    /// A GPU that records which kernels are launched.
    struct Watched {
        gpu: Emulator,
        launched: RefCell<BTreeSet<&'static str>>,
        /// The kernel that is not launched, to test that the self-test detects it.
        broken: Option<&'static str>,
    }

    impl Watched {
        fn new(broken: Option<&'static str>) -> Rc<Self> {
            Rc::new(Self { gpu: Emulator::new(Order::Forward), launched: RefCell::default(), broken })
        }
    }

    impl Gpu for Watched {
        fn allocate(&self, bytes: usize) -> Memory {
            self.gpu.allocate(bytes)
        }

        fn write(&self, to: Address, bytes: &[u8]) {
            self.gpu.write(to, bytes);
        }

        fn read(&self, from: Address, bytes: &mut [u8]) {
            self.gpu.read(from, bytes);
        }

        fn fill_zero(&self, to: Address, bytes: usize) {
            self.gpu.fill_zero(to, bytes);
        }

        fn launch(&self, kernel: &'static str, grid: Grid, arguments: &[Argument]) {
            self.launched.borrow_mut().insert(kernel);
            if self.broken != Some(kernel) {
                self.gpu.launch(kernel, grid, arguments);
            }
        }

        fn record(&self, work: &mut dyn FnMut()) -> Option<Recording> {
            self.gpu.record(work)
        }

        fn replay(&self, recording: &Recording) {
            self.gpu.replay(recording);
        }
    }

    /// The kernels that a comparison launches, and the difference that it finds.
    fn watched(
        broken: Option<&'static str>,
        compare: impl Fn(&Rc<dyn Gpu>) -> Option<String>,
    ) -> (BTreeSet<&'static str>, Option<String>) {
        let watched = Watched::new(broken);
        let gpu: Rc<dyn Gpu> = Rc::clone(&watched) as _;
        let found = compare(&gpu);
        let launched = watched.launched.borrow().clone();
        (launched, found)
    }

    /// Kernels that write indices. They cannot be skipped: other kernels would read and write at arbitrary addresses.
    const WRITES_INDICES: [&str; 1] = ["im2col_pixels"];

    #[test]
    fn the_self_test_finds_every_kernel_that_does_nothing() {
        let plan = study();
        let mut left: BTreeSet<&str> = source::kernels().into_iter().collect();
        let mut break_each = |compare: &dyn Fn(&Rc<dyn Gpu>) -> Option<String>| {
            let (launched, found) = watched(None, compare);
            assert_eq!(found, None);
            for kernel in launched.into_iter().filter(|kernel| left.remove(kernel) && !WRITES_INDICES.contains(kernel))
            {
                let (_, found) = watched(Some(kernel), compare);
                assert!(found.is_some_and(|why| why.contains(" differ")), "{kernel} does nothing, and nothing differs");
            }
        };
        break_each(&|gpu| functions::difference(&**gpu));
        for run in plan.runs.values() {
            break_each(&|gpu| compare(gpu, &plan, run));
        }
        assert!(left.is_empty(), "kernels that are never launched: {left:?}");
    }
}
