//! Trains every run of a study for some steps on a GPU and on the CPU, with the program's own arithmetic, and compares
//! the bits of every step's loss and of the state after it. Then times steps on the GPU.
//!
//!     cargo run --release --example gpu_probe -- STUDY STEPS TIMED_STEPS [FOLDER WITH NVRTC]...
//!
//! With `STUDY whole BUNDLE`, trains every run with one seed to its end on the GPU, and compares the weights with those
//! of a bundle that was built on a CPU.
//!
//! The exit code is 1 if any bit differs.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use mnist_report::arithmetic::cuda::{self, Address, Argument, Gpu, Grid, Memory, Recording, open};
use mnist_report::dataset::{Selection, TrainAndTest};
use mnist_report::failure::caught;
use mnist_report::study::{Plan, RunPlan, Source};
use mnist_report::tensors::{first_difference, from_safetensors};

/// A GPU that cannot record, so that each kernel of a step is launched separately.
struct WithoutRecordings(Rc<dyn Gpu>);

impl Gpu for WithoutRecordings {
    fn allocate(&self, bytes: usize) -> Memory {
        self.0.allocate(bytes)
    }

    fn write(&self, to: Address, bytes: &[u8]) {
        self.0.write(to, bytes);
    }

    fn read(&self, from: Address, bytes: &mut [u8]) {
        self.0.read(from, bytes);
    }

    fn fill_zero(&self, to: Address, bytes: usize) {
        self.0.fill_zero(to, bytes);
    }

    fn launch(&self, kernel: &'static str, grid: Grid, arguments: &[Argument]) {
        self.0.launch(kernel, grid, arguments);
    }

    fn record(&self, _work: &mut dyn FnMut()) -> Option<Recording> {
        None
    }

    fn replay(&self, recording: &Recording) {
        self.0.replay(recording);
    }
}

struct Probe {
    gpu: Rc<dyn Gpu>,
    plan: Plan,
    data: TrainAndTest,
    steps: usize,
    timed: usize,
}

impl Probe {
    /// Compares the steps of a run. Returns the first difference.
    fn compare(&self, run: &RunPlan) -> Option<String> {
        let images = Selection::new(&self.data.train, &run.choose(&self.data.train.labels, run.seeds[0]));
        let some = Selection::new(&self.data.test, &(0..600).collect::<Vec<u32>>());
        cuda::training_difference(&self.gpu, &self.plan, run, [&images, &some], self.steps)
    }

    /// Trains a seed to its end. Returns the seconds that it took, or the first difference from the weights in a
    /// bundle.
    fn whole(&self, name: &str, run: &RunPlan, seed: u64, bundle: &Path) -> Result<Result<f64, String>> {
        let images = Selection::new(&self.data.train, &run.choose(&self.data.train.labels, seed));
        let model = &self.plan.models[&run.settings.model];
        let since = Instant::now();
        let mut gpu = cuda::Trainer::new(&self.gpu, model, run, &self.plan.input, &images, seed);
        (0..run.settings.epochs * run.steps_per_epoch()).for_each(|_| gpu.step());
        let weights = gpu.network().tensors();
        let seconds = since.elapsed().as_secs_f64();
        let file = bundle.join(format!("weights/{name}.safetensors"));
        let expected = from_safetensors(&std::fs::read(&file).with_context(|| file.display().to_string())?)?;
        Ok(first_difference(&weights, &expected).map_or(Ok(seconds), Err))
    }

    /// Images per second on the GPU: training with recorded steps, training with launches one by one, and evaluation.
    fn time(&self, run: &RunPlan) -> [f64; 3] {
        let one_by_one: Rc<dyn Gpu> = Rc::new(WithoutRecordings(Rc::clone(&self.gpu)));
        let [train, evaluate] = self.time_on(&self.gpu, run);
        [train, self.time_on(&one_by_one, run)[0], evaluate]
    }

    fn time_on(&self, gpu: &Rc<dyn Gpu>, run: &RunPlan) -> [f64; 2] {
        let (model, seed) = (&self.plan.models[&run.settings.model], run.seeds[0]);
        let images = Selection::new(&self.data.train, &run.choose(&self.data.train.labels, seed));
        let mut gpu = cuda::Trainer::new(gpu, model, run, &self.plan.input, &images, seed);
        let steps = self.timed.min(run.steps_per_epoch() - 4);
        (0..3).for_each(|_| gpu.step());
        gpu.epoch_losses();
        let since = Instant::now();
        (0..steps).for_each(|_| gpu.step());
        gpu.epoch_losses();
        let train = (steps * run.settings.batch_size) as f64 / since.elapsed().as_secs_f64();
        let some = Selection::new(&self.data.test, &(0..10_000).collect::<Vec<u32>>());
        cuda::evaluate(gpu.network(), &some, &self.plan.input);
        let since = Instant::now();
        cuda::evaluate(gpu.network(), &some, &self.plan.input);
        [train, 10_000.0 / since.elapsed().as_secs_f64()]
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).collect::<Vec<_>>().into_iter();
    let study = words.next().context("usage: gpu_probe STUDY STEPS TIMED_STEPS [FOLDER]...")?;
    let whole = words.clone().next().is_some_and(|word| word == "whole");
    if whole {
        words.next();
    }
    let bundle = PathBuf::from(if whole { words.next().context("the bundle is missing")? } else { String::new() });
    let number = |word: Option<String>| word.and_then(|word| word.parse().ok()).context("a number of steps is missing");
    let [steps, timed] = if whole { [0, 0] } else { [number(words.next())?, number(words.next())?] };
    let folders: Vec<PathBuf> = words.map(PathBuf::from).collect();
    let source = Source::load(&PathBuf::from(study))?;
    let plan = Plan::resolve(&source)?;
    let since = Instant::now();
    let cuda::Opened { gpu, name, .. } = open(0, &folders, None)?;
    println!("{name}: compiled and tested in {:.2} s", since.elapsed().as_secs_f64());
    let data = TrainAndTest::load(&source.data_dir(None), &plan.data)?;
    let probe = Probe { gpu, plan, data, steps, timed };
    let mut differ = 0;
    for (name, run) in &probe.plan.runs {
        for seed in run.seeds.iter().filter(|_| whole && run.settings.stop_below_train_loss.is_none()) {
            let found = caught(|| probe.whole(name, run, *seed, &bundle)).map_err(|why| anyhow!("{name}: {why}"))??;
            differ += usize::from(found.is_err());
            match found {
                Ok(seconds) => println!("{name}, seed {seed}: equal weights after the whole training, {seconds:.1} s"),
                Err(difference) => println!("{name}, seed {seed}: DIFFERENT: {difference}"),
            }
        }
        if steps > 0 {
            let since = Instant::now();
            let found = caught(|| probe.compare(run)).map_err(|why| anyhow!("{name}: {why}"));
            let verdict = match found {
                Ok(None) => "equal bits".to_owned(),
                Ok(Some(difference)) => format!("DIFFERENT: {difference}"),
                Err(why) => format!("FAILED: {why}"),
            };
            differ += usize::from(verdict != "equal bits");
            println!("{name}: {verdict} ({:.1} s)", since.elapsed().as_secs_f64());
        }
        if timed > 0 {
            match caught(|| probe.time(run)) {
                Ok([train, one_by_one, evaluate]) => println!(
                    "{name}: trains {train:.0} images/s ({one_by_one:.0} with launches one by one), evaluates {evaluate:.0} images/s"
                ),
                Err(why) => println!("{name}: cannot be timed: {why}"),
            }
        }
    }
    std::process::exit(i32::from(differ > 0))
}
