//! Trains the runs of a study for a few steps and prints hashes of the results. `make test-portable` compares these lines
//! between CPUs.
//!
//!     cargo run --release --example portable_probe -- tests/fixtures/portable.yaml --threads 2
//!
//! A `run` line has the hashes of the final state and of the logits of some test images. `step` lines show where two runs
//! first differ: the loss stands for the forward pass, each gradient for one layer of the backward pass.

use std::path::PathBuf;

use clap::Parser;

use mnist_report::dataset::Mnist;
use mnist_report::digest::sha256_hex;
use mnist_report::engine::{DeviceChoice, DeviceDataset, Engine, Trainer, evaluate};
use mnist_report::study::{CpuClass, Plan, RunPlan, Source};
use mnist_report::training::evidence::state_sha256;

#[derive(Parser)]
struct Options {
    study: PathBuf,
    /// Threads, instead of the study's.
    #[arg(long)]
    threads: Option<usize>,
    /// The class `native`, instead of the study's, to show that the comparison detects a difference.
    #[arg(long)]
    native: bool,
    /// Training steps of a run, at most.
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// Test images to evaluate.
    #[arg(long, default_value_t = 4)]
    images: u32,
    /// Only this run.
    #[arg(long)]
    run: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let source = Source::load(&options.study)?;
    let mut plan = Plan::resolve(&source)?;
    plan.compute.threads = options.threads.unwrap_or(plan.compute.threads);
    if options.native {
        plan.compute.class = CpuClass::Native;
    }
    let engine = Engine::start(DeviceChoice::Cpu, &plan.compute)?;
    let data = Mnist::load(&source.data_dir())?;
    let test = DeviceDataset::new(&engine, &data.test, &(0..options.images).collect::<Vec<_>>());
    println!("environment {}", engine.environment);
    let runs = plan.runs.values().filter(|run| options.run.as_ref().is_none_or(|name| *name == run.name));
    for run in runs {
        probe(&engine, &plan, run, &data, &test, options.steps);
    }
    Ok(())
}

fn probe(engine: &Engine, plan: &Plan, run: &RunPlan, data: &Mnist, test: &DeviceDataset, steps: usize) {
    let seed = run.seeds[0];
    let chosen = run.choose(&data.train.labels, seed);
    let split = DeviceDataset::new(engine, &data.train, &chosen);
    let mut trainer = Trainer::new(engine, &plan.models[&run.settings.model], run, &plan.input, &split, seed);
    for step in 1..=steps.min(run.settings.epochs * run.steps_per_epoch()) {
        trainer.step();
        println!("step {} {step} loss {}", run.name, floats_sha256(&[trainer.last_loss()]));
        // In the order of the backward pass: the first that differs is the layer to look at.
        for gradient in trainer.network().gradients().iter().rev() {
            println!("step {} {step} {} {}", run.name, gradient.name, floats_sha256(&gradient.values));
        }
    }
    let state = state_sha256(&trainer.state());
    let logits = floats_sha256(&evaluate(trainer.network(), test, &plan.input));
    println!("run {} threads {} state {state} logits {logits}", run.name, plan.compute.threads);
}

fn floats_sha256(values: &[f32]) -> String {
    sha256_hex(&values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}
