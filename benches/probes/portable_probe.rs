//! Trains the runs of a study for a few steps and prints hashes of the results. `make test-portable` compares these
//! lines between CPUs.
//!
//!     MNIST_REPORT_THREADS=2 cargo run --release --example portable_probe -- src/arithmetic/portable.yaml
//!
//! A `run` line has the hashes of the final state and of the logits of some test images. `step` lines show where two
//! runs first differ: a different loss means a different forward pass, and the first different gradient names the layer
//! in the backward pass.

use std::path::PathBuf;

use clap::Parser;

use mnist_report::arithmetic::{instruction_set, threads};
use mnist_report::compute::{Device, Trainer};
use mnist_report::dataset::{Selection, TrainAndTest};
use mnist_report::digest::sha256_hex;
use mnist_report::study::{Plan, RunPlan, Source};
use mnist_report::training::evidence::state_sha256;

#[derive(Parser)]
struct Options {
    study: PathBuf,
    /// Maximum number of training steps per run.
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// Number of test images to evaluate.
    #[arg(long, default_value_t = 4)]
    images: u32,
    /// Train only this run.
    #[arg(long)]
    run: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let source = Source::load(&options.study)?;
    let plan = Plan::resolve(&source)?;
    let device = Device::cpu();
    let data = TrainAndTest::load(&source.data_dir(None), &plan.data)?;
    let test = Selection::new(&data.test, &(0..options.images).collect::<Vec<_>>());
    println!("environment {}; {:?}, {} threads", device.environment, instruction_set(), threads());
    let runs = plan.runs.values().filter(|run| options.run.as_ref().is_none_or(|name| *name == run.name));
    for run in runs {
        probe(&device, &plan, run, &data, &test, options.steps);
    }
    Ok(())
}

fn probe(device: &Device, plan: &Plan, run: &RunPlan, data: &TrainAndTest, test: &Selection, steps: usize) {
    let seed = run.seeds[0];
    let chosen = run.choose(&data.train.labels, seed);
    let split = Selection::new(&data.train, &chosen);
    let mut trainer = Trainer::new(device, &plan.models[&run.settings.model], run, &plan.input, &split, seed);
    for step in 1..=steps.min(run.settings.epochs * run.steps_per_epoch()) {
        trainer.step();
        println!("step {} {step} loss {}", run.name, floats_sha256(&[trainer.last_loss()]));
        // In the order of the backward pass, so that the first difference is in the layer to look at.
        for gradient in trainer.network().gradients().iter().rev() {
            println!("step {} {step} {} {}", run.name, gradient.name, floats_sha256(&gradient.values));
        }
    }
    let state = state_sha256(trainer.done(), &trainer.state());
    let logits = floats_sha256(&trainer.network().evaluate(test, &plan.input));
    println!("run {} state {state} logits {logits}", run.name);
}

fn floats_sha256(values: &[f32]) -> String {
    sha256_hex(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}
