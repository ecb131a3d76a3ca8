//! `mnist-report build`: a study's whole way to a bundle.
//!
//! Owns the order of the steps, what is said before and while they run, and run-log.json.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use chrono::{SecondsFormat, Utc};
use indexmap::IndexMap;
use serde::Serialize;

use super::options::Build;
use super::progress::{Bar, Timing};
use crate::bundle::{self, Files, SeedFiles};
use crate::claims;
use crate::dataset::{Mnist, read_labels, write_labels};
use crate::engine::{DeviceChoice, Engine, recordings_refused};
use crate::paths;
use crate::report::{Rendition, Templates};
use crate::results::{Data, PlanFacts, Results, RunResult, SCHEMA, model_facts};
use crate::study::{Plan, Source};
use crate::text::numbers::{count, duration, fixed, percent, plural};
use crate::training::RunCache;
use crate::training::{Prepared, check_models, inputs_digest};

/// How many of a plan's multiply-adds are done in the time of one of the engine's large operator: on a CPU as measured,
/// on a GPU, where small batches wait for launches, a guess.
const CPU_FACTOR: f64 = 1.5;
const GPU_FACTOR: f64 = 0.25;

const FULL: &str = "reports/coursework.yaml";
const QUICK: &str = "reports/quick.yaml";

/// run-log.json: what is true of this build alone.
#[derive(Serialize)]
struct RunLog {
    started: String,
    finished: String,
    seconds: f64,
    host: String,
    cpu: String,
    cpu_count: usize,
    /// The most memory that the process held; absent where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mib: Option<u64>,
    study: String,
    out: String,
    runs: Vec<Timing>,
}

pub fn run(options: &Build) -> Result<u8> {
    let (started, clock) = (Utc::now(), Instant::now());
    let say = |text: &str| {
        if !options.quiet {
            super::say(text);
        }
    };
    let gpu = matches!(options.device, DeviceChoice::Cuda(_))
        || (options.device == DeviceChoice::Auto && Engine::gpu_in_sight());
    let file = match &options.study {
        Some(file) => file.clone(),
        None => paths::of_repository(if gpu { FULL } else { QUICK }),
    };
    let out = options.out.clone().unwrap_or_else(|| file.with_extension(""));
    // With its name, which `--out .` leaves out: what is kept beside it is named after it.
    let place = std::path::absolute(&out).with_context(|| format!("cannot resolve {}", out.display()))?;
    let (source, plan) = super::load_study(&file)?;
    let date = super::report_date(&source.study)?;
    bundle::check_place(&place)?;
    anyhow::ensure!(out != file, "{} has no .yaml to leave off: name the bundle's folder with --out", file.display());
    let data = Mnist::load(&paths::data_dir(&file, source.study.data.as_deref()))?;
    let engine = Engine::start(options.device, &plan.compute)?;
    let facts = model_facts(&plan);
    check_models(&engine, &plan, &facts)?;
    announce(options, &file, &out, &engine, &plan, &say);

    let mut kept = RunCache::beside(&place);
    let (runs, mut files, timings) = train(options, &plan, &engine, &data, &mut kept, &say)?;
    let mut results = Results {
        schema: SCHEMA,
        environment: engine.environment.clone(),
        data: Data {
            train_images: data.train.len(),
            test_images: data.test.len(),
            test_classes: data.test.class_counts(),
        },
        models: facts,
        runs,
        comparisons: IndexMap::new(),
        digits: IndexMap::new(),
    };
    let predictions =
        |run: &str, seed: u64| read_labels(&files[&SeedFiles::of_plan(&plan.runs[run], seed).predictions()]);
    results.compare(&source.study, &data.test.labels, predictions, |i| data.test.get(i))?;
    files.insert(bundle::RESULTS.to_owned(), results.to_json().into_bytes());
    files.insert(bundle::STUDY.to_owned(), source.yaml.clone().into_bytes());
    let templates = Templates::built_in();
    let lang = options.lang.unwrap_or(source.study.lang);
    let rendition = Rendition { lang, date: date.as_deref(), templates: &templates };
    let files = bundle::complete(files, &source.study, &results, &rendition)?;
    let log = RunLog {
        started: started.to_rfc3339_opts(SecondsFormat::Secs, true),
        finished: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        seconds: clock.elapsed().as_secs_f64(),
        host: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        cpu: Engine::cpu_model(),
        cpu_count: std::thread::available_parallelism().map_or(0, usize::from),
        peak_memory_mib: peak_memory_mib(),
        study: file.display().to_string(),
        out: place.display().to_string(),
        runs: timings,
    };
    bundle::replace_folder(&place, &files, Some((serde_json::to_string_pretty(&log)? + "\n").as_bytes()))?;
    kept.tidy();
    if let Some(why) = recordings_refused() {
        say(&format!("note: each operator of a training step was launched on its own, which is slower: {why}"));
    }
    remark_unmeasured(&source, &results, &say);
    say(&format!("built in {}: {}", duration(log.seconds), out.join("report.html").display()));
    super::print(&format!("Report ID {}\n", bundle::report_id(&files[bundle::SUMS])))?;
    Ok(0)
}

/// Points out claims and conclusions that rest on nothing: removed runs leave some, but so does a misspelt name.
fn remark_unmeasured(source: &Source, results: &Results, say: &dyn Fn(&str)) {
    const SHOWN: usize = 5;
    let unmeasured = claims::unmeasured(&source.study, results);
    for (key, text) in unmeasured.iter().take(SHOWN) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let names = source.study.runs.keys().chain(source.study.models.keys()).chain(source.study.comparisons.keys());
        // minijinja reads `runs.slim-bn` as a difference.
        let hint = match names.into_iter().find(|name| name.contains('-') && text.contains(&format!(".{name}"))) {
            Some(name) => format!("write [\"{name}\"] for .{name}"),
            None => "is a name misspelt?".to_owned(),
        };
        let message = format!("`{text}` speaks of something that was not measured: {hint}");
        say(&format!("note: {}", source.error(key, message)));
    }
    if unmeasured.len() > SHOWN {
        say(&format!("note: and {} more like these", unmeasured.len() - SHOWN));
    }
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    kib.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Says what will be done, why this study, and about how long it takes on this device.
fn announce(options: &Build, file: &Path, out: &Path, engine: &Engine, plan: &Plan, say: &dyn Fn(&str)) {
    if options.quiet {
        return;
    }
    let rate = engine.mult_add_rate() * if engine.is_gpu() { GPU_FACTOR } else { CPU_FACTOR };
    let about = |plan: &Plan| duration(plan.cost() / rate);
    let (models, runs) = (plan.models.len(), plan.runs.values().map(|r| r.seeds.len()).sum::<usize>());
    say(&format!("{} -> {}", file.display(), out.display()));
    let (models, runs) = (plural(models, "model"), plural(runs, "training"));
    say(&format!("{models}, {runs} on {}; about {}", engine.environment, about(plan)));
    if options.study.is_none() {
        let full = paths::of_repository(FULL);
        let why = if engine.is_gpu() { "a GPU is here" } else { "no GPU is here" };
        match super::load_study(&full) {
            Ok((_, plan)) if !engine.is_gpu() => say(&format!(
                "this study since {why}; the full one, {}, would take about {} here",
                full.display(),
                about(&plan)
            )),
            _ => say(&format!("this study since {why}")),
        }
    }
}

type Trained = (IndexMap<String, RunResult>, Files, Vec<Timing>);

fn train(
    options: &Build,
    plan: &Plan,
    engine: &Engine,
    data: &Mnist,
    kept: &mut RunCache,
    say: &dyn Fn(&str),
) -> Result<Trained> {
    let prepared = Prepared::new(engine, data, &plan.input);
    let (mut runs, mut files, mut timings) = (IndexMap::new(), Files::new(), Vec::new());
    for (name, run) in &plan.runs {
        let mut seeds = Vec::with_capacity(run.seeds.len());
        for &seed in &run.seeds {
            let names = SeedFiles::of_plan(run, seed);
            let model = &plan.models[&run.model];
            let inputs = inputs_digest(&engine.environment, &plan.input, model, run, seed);
            let mut bar =
                Bar::new(&names.to_string(), seed, (run.epochs * run.steps_per_epoch()) as u64, options.quiet);
            let (outcome, how) = match kept.find(&inputs).filter(|_| !options.fresh) {
                Some(outcome) => {
                    bar.timing.kept = true;
                    (outcome, "kept from an earlier build (--fresh trains anew)".to_owned())
                }
                None => {
                    let outcome = prepared.run(model, run, seed, &mut bar)?;
                    kept.keep(&inputs, &outcome);
                    (outcome, String::new())
                }
            };
            let timing = bar.finish();
            let how = if how.is_empty() { duration(timing.seconds) } else { how };
            let result = &outcome.result;
            say(&format!(
                "{names}: {} of {} test images right ({}), loss {}; {how}",
                count(result.correct() as u64),
                count(data.test.len() as u64),
                percent(result.accuracy(), 2),
                fixed(result.test_loss, 4)
            ));
            files.insert(names.predictions(), write_labels(&outcome.predictions));
            files.insert(names.weights(), outcome.weights);
            files.insert(names.evidence(), outcome.evidence);
            timings.push(timing);
            seeds.push(outcome.result);
        }
        runs.insert(name.clone(), RunResult { plan: PlanFacts::of(run), seeds });
    }
    Ok((runs, files, timings))
}
