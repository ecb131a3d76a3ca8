//! Trains one run of a study and prints each epoch's mean training loss and seconds as JSON, for the benchmarks in
//! benches/. Does not evaluate or store anything.
//!
//!     cargo run --release --example bench_training -- benches/study.yaml slim-bn [--no-dropout] [--libtorch] [--each-operator] [--export FOLDER]
//!
//! `--libtorch` trains with libtorch's operators, on the CPU or a GPU; on a GPU, `--each-operator` launches every
//! operator of a step separately. Equal values of `state` mean equal bits at the end. `--export` writes the initial
//! weights and the images' order instead, for another program to start from.

#[path = "../../src/engine/mod.rs"]
mod engine;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use engine::{quick_exit, set_step_recording};
use mnist_report::arithmetic::epoch_order;
use mnist_report::compute::{Device, DeviceChoice, Network, Observer, Trainer};
use mnist_report::dataset::{Selection, TrainAndTest};
use mnist_report::study::{Plan, RunPlan, Source};
use mnist_report::tensors::to_safetensors;
use mnist_report::training::evidence::state_sha256;

/// Measures the time of each epoch's batches.
struct Clock<'a> {
    run: &'a RunPlan,
    since: Instant,
    first: bool,
    epochs: Vec<(f64, f64)>,
}

impl Observer for Clock<'_> {
    type Error = anyhow::Error;

    fn step(&mut self, _: &Trainer) -> Result<()> {
        if std::mem::take(&mut self.first) {
            self.since = Instant::now();
        }
        Ok(())
    }

    fn epoch(&mut self, _: usize, losses: &[f32], _: &dyn Network) -> Result<bool> {
        self.epochs.push((self.run.mean_loss(losses), self.since.elapsed().as_secs_f64()));
        self.since = Instant::now();
        Ok(true)
    }
}

fn main() -> Result<()> {
    mnist_report::compute::provide_libtorch(&engine::LIBTORCH);
    let mut words = std::env::args().skip(1);
    let (study, name) = words.next().zip(words.next()).context("usage: bench_training STUDY RUN [--no-dropout]")?;
    let (mut dropout, mut libtorch, mut export) = (true, false, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--no-dropout" => dropout = false,
            "--export" => export = Some(PathBuf::from(words.next().context("--export needs a folder")?)),
            "--each-operator" => set_step_recording(false),
            "--libtorch" => libtorch = true,
            other => anyhow::bail!("unknown option {other}"),
        }
    }
    let file = PathBuf::from(study);
    let source = Source::load(&file)?;
    let mut plan = Plan::resolve(&source)?;
    let run = plan.runs.get_mut(&name).with_context(|| format!("no run {name}"))?;
    run.settings.dropout &= dropout;
    let run = &plan.runs[&name];
    let choice: DeviceChoice = std::env::var("DEVICE").unwrap_or("cpu".into()).parse()?;
    let device = match choice.gpu() {
        Some(gpu) if libtorch => Device::libtorch_on_gpu(gpu, &plan.compute)?,
        None if libtorch => Device::libtorch_on_cpu()?,
        _ => Device::start(choice, &plan.compute, |_| Ok(()))?,
    };
    let data = TrainAndTest::load(&source.data_dir(None), &plan.data)?;
    let chosen = run.choose(&data.train.labels, run.seeds[0]);
    let split = Selection::new(&data.train, &chosen);
    let mut trainer = Trainer::new(&device, &plan.models[&run.settings.model], run, &plan.input, &split, run.seeds[0]);
    if let Some(folder) = export {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{name}.safetensors")), to_safetensors(&trainer.network().tensors()))?;
        let order = |epoch| epoch_order(run, run.seeds[0], epoch, chosen.len());
        let order = |epoch| order(epoch).iter().map(|i| chosen[*i as usize]).collect::<Vec<u32>>();
        let orders: Vec<Vec<u32>> = (1..=run.settings.epochs).map(order).collect();
        std::fs::write(folder.join(format!("{name}.json")), serde_json::to_string(&orders)?)?;
        return Ok(());
    }
    let mut clock = Clock { run, since: Instant::now(), first: true, epochs: Vec::new() };
    trainer.run(&mut clock)?;
    let (losses, seconds): (Vec<f64>, Vec<f64>) = clock.epochs.into_iter().unzip();
    let what = serde_json::json!({
        "environment": device.in_words(), "images": chosen.len(), "losses": losses, "seconds": seconds,
        "state": state_sha256(trainer.done(), &trainer.state()),
        "recorded": trainer.recorded(),
    });
    println!("{what}");
    // Like src/engine/main.rs, skip libtorch's destructors, which take time.
    std::io::stdout().flush()?;
    quick_exit(0)
}
