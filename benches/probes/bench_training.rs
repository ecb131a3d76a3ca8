//! Trains one run of a study and prints each epoch's mean training loss and seconds as JSON, for the benchmarks in benches/.
//! Evaluates nothing and stores nothing.
//!
//!     cargo run --release --example bench_training -- benches/study.yaml slim-bn [--no-dropout] [--avx2 | --libtorch] [--each-operator] [--export FOLDER]
//!
//! `--avx2` uses narrower vectors, `--libtorch` only libtorch's operators; on a GPU, `--each-operator` launches every operator
//! of a step on its own. Equal values of `state` mean equal bits at the end.
//! `--export` writes the initial weights and the images' order instead, for another program to start from.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use mnist_report::dataset::Mnist;
use mnist_report::engine::{
    DeviceDataset, Engine, Network, Observer, Trainer, Vectors, choose_vectors, quick_exit, restart_without_overrides,
    set_step_recording,
};
use mnist_report::study::{Plan, Source};
use mnist_report::tensors::to_safetensors;
use mnist_report::training::evidence::state_sha256;

/// Measures the time of each epoch's batches.
struct Clock {
    since: Instant,
    first: bool,
    epochs: Vec<(f64, f64)>,
}

impl Observer for Clock {
    type Error = anyhow::Error;

    fn step(&mut self, _: &Trainer) -> Result<()> {
        if std::mem::take(&mut self.first) {
            self.since = Instant::now();
        }
        Ok(())
    }

    fn epoch(&mut self, _: usize, train_loss: f64, _: &Network) -> Result<bool> {
        self.epochs.push((train_loss, self.since.elapsed().as_secs_f64()));
        self.since = Instant::now();
        Ok(true)
    }
}

fn main() -> Result<()> {
    restart_without_overrides()?;
    let mut words = std::env::args().skip(1);
    let (study, name) = words.next().zip(words.next()).context("usage: bench_training STUDY RUN [--no-dropout]")?;
    let (mut dropout, mut export) = (true, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--no-dropout" => dropout = false,
            "--export" => export = Some(PathBuf::from(words.next().context("--export needs a folder")?)),
            "--avx2" => anyhow::ensure!(choose_vectors(Some(Vectors::Avx2)), "too late"),
            "--each-operator" => set_step_recording(false),
            "--libtorch" => anyhow::ensure!(choose_vectors(None), "too late"),
            other => anyhow::bail!("unknown option {other}"),
        }
    }
    let file = PathBuf::from(study);
    let source = Source::load(&file)?;
    let mut plan = Plan::resolve(&source)?;
    let run = plan.runs.get_mut(&name).with_context(|| format!("no run {name}"))?;
    run.settings.dropout &= dropout;
    let run = &plan.runs[&name];
    let engine = Engine::start(
        std::env::var("DEVICE").unwrap_or("cpu".into()).parse().map_err(anyhow::Error::msg)?,
        &plan.compute,
    )?;
    let data = Mnist::load(&source.data_dir())?;
    let chosen = run.choose(&data.train.labels, run.seeds[0]);
    let split = DeviceDataset::new(&engine, &data.train, &chosen);
    let mut trainer = Trainer::new(&engine, &plan.models[&run.settings.model], run, &plan.input, &split, run.seeds[0]);
    if let Some(folder) = export {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{name}.safetensors")), to_safetensors(&trainer.network().tensors()))?;
        let order = |epoch| trainer.epoch_order(epoch).iter().map(|i| chosen[*i as usize]).collect::<Vec<u32>>();
        let orders: Vec<Vec<u32>> = (1..=run.settings.epochs).map(order).collect();
        std::fs::write(folder.join(format!("{name}.json")), serde_json::to_string(&orders)?)?;
        return Ok(());
    }
    let mut clock = Clock { since: Instant::now(), first: true, epochs: Vec::new() };
    trainer.run(&mut clock)?;
    let (losses, seconds): (Vec<f64>, Vec<f64>) = clock.epochs.into_iter().unzip();
    let stats = trainer.replay_stats();
    let what = serde_json::json!({
        "environment": engine.environment.to_string(), "images": chosen.len(), "losses": losses, "seconds": seconds,
        "state": state_sha256(&trainer.state()),
        "recorded": {"kinds": stats.recordings, "steps": stats.replayed_steps, "refused": stats.failure},
    });
    println!("{what}");
    // As main.rs does: libtorch's destructors take time.
    std::io::stdout().flush()?;
    quick_exit(0)
}
