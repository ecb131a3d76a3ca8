//! `mnist-report build`: builds a study's bundle.

use std::path::Path;

use anyhow::{Result, bail};

use super::models::default_study;
use super::options::{Build, languages};
use super::progress::Terminal;
use super::say;
use crate::build::{Built, Job, Request};
use crate::compute::{self, Libtorch};
use crate::exit_code::ExitCode;
use crate::report;
use crate::results::SeedEnd;
use crate::study::Source;
use crate::text::numbers::{duration, plural};
use crate::witness::Agreement;

pub(super) fn run(options: &Build) -> Result<ExitCode> {
    let study = options.study.clone().map_or_else(|| default_study("build"), Ok)?;
    check_study(&study)?;
    check_data(&study, options.data.as_deref())?;
    let (out, device, fresh) = (options.out.as_deref(), options.device, options.fresh);
    let (cache, only) = (options.cache.as_deref(), options.only.as_slice());
    let (languages, data) = (languages(&options.lang)?, options.data.as_deref());
    let jobs = usize::from(options.jobs);
    let job = Job::prepare(&Request { study: &study, out, device, data, languages, fresh, cache, only, jobs })?;
    if !options.quiet {
        announce(&job);
    }
    // Quiet or not, because the results of another device may differ.
    job.device().notes.iter().for_each(|note| say(&format!("note: {note}")));
    // A quiet part is one of many processes; the one that makes the report prints what is to say about the study.
    if only.is_empty() || !options.quiet {
        note_study(&job);
    }
    if !only.is_empty() {
        return train(job, options.quiet);
    }
    let built = job.run(&mut Terminal::new(options.quiet))?;
    if !options.quiet {
        if let Some(reason) = compute::libtorch().and_then(Libtorch::recording_failure) {
            say(&format!("note: each operator of a training step was launched on its own, which is slower: {reason}"));
        }
        built.notes.iter().for_each(|note| say(&format!("note: {note}")));
        say(&format!("built in {}: {}", duration(built.seconds), reports(&built)));
    }
    // Even with --quiet: whoever can write to the run cache could have made these results.
    if !built.cached.is_empty() {
        say(&format!("note: not trained now but taken from the run cache: {}", built.cached.join(", ")));
    }
    super::print(&format!("Report ID {}\n", built.report_id))?;
    let witnessed = built.witness.as_ref().map_or(ExitCode::Success, |answer| witnessed(options.quiet, answer));
    built.mistakes.iter().for_each(|mistake| say(&format!("error: {mistake}")));
    if !built.diverged.is_empty() {
        let (runs, diverged) = (plural(built.runs, "run"), built.diverged.join(", "));
        say(&format!("error: {} of {runs} diverged: {diverged}; the report lists usual causes", built.diverged.len()));
    }
    let is_good = built.mistakes.is_empty() && built.diverged.is_empty();
    Ok(if is_good { witnessed } else { ExitCode::Difference })
}

/// Refuses a name without .yaml that a study beside it has.
fn check_study(study: &Path) -> Result<()> {
    let file = study.with_extension("yaml");
    if !study.is_file() && study.extension().is_none() && file.is_file() {
        bail!("{} is not a study; did you mean {}?", study.display(), file.display());
    }
    Ok(())
}

/// Refuses a folder of the data that does not exist, named by --data, or by the variable if the study names none. A study that cannot
/// be read gets its own message later.
fn check_data(study: &Path, named: Option<&Path>) -> Result<()> {
    let names_folder = |source: Source| source.study.data.as_ref().is_some_and(|data| data.dir().is_some());
    if named.is_none() && Source::load(study).map_or(true, names_folder) {
        return Ok(());
    }
    super::data::check_folder(named)
}

/// Prints notes on the study: before hours are spent on training, what will never be measured, and before the report is
/// handed in, words of the starter.
fn note_study(job: &Job) {
    job.notes().iter().for_each(|note| say(&format!("note: {note}")));
    let placeholders = super::new::placeholders(job.study_text());
    if !placeholders.is_empty() {
        say(&format!("note: the study still has words of the starter: {}", placeholders.join("; ")));
    }
}

/// Trains what was asked for into the run cache, and prints a line for each training.
fn train(job: Job, quiet: bool) -> Result<ExitCode> {
    let mut code = ExitCode::Success;
    for (timing, end) in job.train(&mut Terminal::new(quiet))? {
        let how = if timing.cached { "was in the run cache" } else { "stored in the run cache" };
        let ended = match end {
            SeedEnd::Finished(_) => "",
            SeedEnd::Diverged(_) => {
                code = ExitCode::Difference;
                "diverged; "
            }
        };
        super::print(&format!("{}: {ended}{how}\n", timing.run))?;
    }
    Ok(code)
}

/// The report's pages, one for each language, the first language first.
fn reports(built: &Built) -> String {
    let (first, others): (Vec<&String>, Vec<_>) = built.pages.iter().partition(|page| *page == report::PAGE);
    let pages = first.into_iter().chain(others).map(|page| built.out.join(page).display().to_string());
    pages.collect::<Vec<_>>().join(", ")
}

/// Prints libtorch's answer. With --quiet, prints it only if it shows an error of this program.
fn witnessed(quiet: bool, answer: &Result<Agreement, String>) -> ExitCode {
    match answer {
        Ok(found) if quiet && found.is_close() => ExitCode::Success,
        Err(_) if quiet => ExitCode::Success,
        answer => super::witness::report(answer.as_ref()),
    }
}

/// Prints what will be done, and about how long it takes on this device.
fn announce(job: &Job) {
    let (device, plan) = (job.device(), job.plan());
    let (study, out) = job.places();
    let planned = job.planned();
    let cached = match planned - job.trainings() {
        0 => String::new(),
        cached => format!(" ({cached} in the run cache)"),
    };
    let (models, trainings) = (plural(plan.models.len(), "model"), plural(planned, "training") + &cached);
    let stops = plan.runs.values().any(|run| run.settings.may_stop_early());
    let busy = if crate::build::is_busy() { " (this machine is busy)" } else { "" };
    let about = duration(job.estimate()) + busy + if stops { ", less if a run stops early" } else { "" };
    let out = out.unwrap_or(job.cache_folder());
    say(&format!("{} -> {}", study.display(), out.display()));
    say(&format!("{models}, {trainings} on {}; about {about}", device.in_words()));
}
