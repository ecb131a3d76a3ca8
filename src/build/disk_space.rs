//! Checks before training that the disks have room for the files of a build, and that `verify` will accept the bundle's
//! size.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::memory::F32;
use super::{BuildError, Job};
use crate::arithmetic::state_values;
use crate::bundle::{self, FILES_PER_SEED, Files, SeedFiles, existing};
use crate::report::{CONCLUSIONS, PYTORCH, README};
use crate::study::{Plan, RunPlan, Section, Source, StudyError, images_named};
use crate::training::evidence::{states_kept, states_stored};

/// Estimated bytes of results.json and the files made from it, such as report and figures. Those of the coursework
/// study take 1.3 MB.
const REPORT: u64 = 4 << 20;
/// Estimated bytes that each trained network adds to them.
const REPORT_PER_SEED: u64 = 64 << 10;

/// The names of the files of a study's trained networks, each with its smallest possible size in bytes.
pub(super) fn files(plan: &Plan) -> Vec<(String, u64)> {
    let of_seed = |run: &RunPlan, seed: u64| {
        let files = SeedFiles::of_plan(run, seed);
        let weights = state_bytes(plan, run, 0);
        let evidence = states_stored(run) as u64 * state_bytes(plan, run, state_values(&run.settings.optimizer));
        let losses = F32 * run.total_steps() as u64;
        files.all().into_iter().zip([run.test_images as u64, weights, evidence, losses])
    };
    plan.runs.values().flat_map(|run| run.seeds.iter().flat_map(move |seed| of_seed(run, *seed))).collect()
}

/// The file with the longest name in its folder.
pub(super) fn longest(files: &[(String, u64)]) -> &str {
    let names = files.iter().map(|(path, _)| path.as_str());
    names.max_by_key(|path| path.rsplit('/').next().map_or(0, str::len)).unwrap_or_default()
}

/// Bytes of a run's weights and buffers, with `optimizer` values of the optimizer for each parameter.
fn state_bytes(plan: &Plan, run: &RunPlan, optimizer: usize) -> u64 {
    let model = &plan.models[&run.settings.model];
    F32 * (model.parameter_count() * (1 + optimizer as u64) + model.buffer_count())
}

/// Names for a bundle's files except those of its trained networks, at least as many as there are: they count towards the
/// limits of `verify`.
fn made_files(source: &Source, plan: &Plan, languages: usize) -> Result<Vec<String>, StudyError> {
    let fixed = [bundle::STUDY, bundle::MANIFEST, bundle::CRATE, bundle::SUMS, bundle::RUN_LOG, bundle::INDEX];
    let fixed = fixed.into_iter().chain([CONCLUSIONS, README]);
    let page = |i: usize| [bundle::REPORT, bundle::REPORT_MARKDOWN].map(|page| format!("{page}.{i}"));
    let fixed = fixed.map(str::to_owned).chain((0..languages).flat_map(page));
    let figure = |i: usize| format!("{}{i}.svg", bundle::FIGURES);
    // Without sections in the study, the report has one section with all runs: two figures, and one for each run.
    let sections = match source.study.sections.as_slice() {
        [] => plan.runs.len() + 2,
        sections => sections.iter().map(Section::figures).sum(),
    };
    // The overview of runs, all models' parameters, and a figure of each model.
    let figures = 2 + plan.models.len() + sections;
    let programs = plan.models.keys().map(|model| format!("{PYTORCH}{model}.py"));
    let images = images_named(source)?.into_iter().map(|image| format!("{}{image}", bundle::IMAGES));
    Ok(fixed.chain((0..figures * languages).map(figure)).chain(programs).chain(images).collect())
}

/// Refuses a study whose bundle would be too large to open.
pub(super) fn check_sizes(
    source: &Source,
    plan: &Plan,
    files: &[(String, u64)],
    languages: usize,
) -> Result<(), StudyError> {
    let seeds = (files.len() / FILES_PER_SEED) as u64;
    let made = made_files(source, plan, languages)?.into_iter().map(|file| (file, 0));
    let made = made.chain([(bundle::RESULTS.to_owned(), REPORT + REPORT_PER_SEED * seeds)]).collect::<Vec<_>>();
    let Err((file, reason)) = bundle::check_sizes(files.iter().chain(&made)) else { return Ok(()) };
    let is_of =
        |run: &&RunPlan| run.seeds.iter().any(|seed| file.contains(&format!("/{}.", SeedFiles::of_plan(run, *seed))));
    let run = plan.runs.values().find(is_of).map_or("runs".to_owned(), |run| format!("runs.{}", run.name));
    let advice = if file.starts_with(bundle::EVIDENCE) {
        "lower `evidence.keep`, take a smaller model or fewer seeds"
    } else {
        "take a smaller model or fewer seeds"
    };
    Err(source.error(&run, format!("its {file} {reason}; {advice}")))
}

/// Refuses a bundle that is too large to open, such as one whose report has thousands of figures. The trainings stay in
/// the run cache.
pub(super) fn check_made(source: &Source, files: &Files) -> Result<(), StudyError> {
    let sizes: Vec<(String, u64)> = files.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect();
    bundle::check_sizes(sizes.iter()).map_err(|(file, reason)| {
        source.error("sections", format!("its {file} {reason}; show fewer runs and figures, or take fewer epochs"))
    })
}

/// Fails if a disk has too little free space for the bundle, the run cache and the states of a training.
pub(super) fn check(job: &Job, files: &[(String, u64)]) -> Result<(), BuildError> {
    let (outcomes, states) = cache_bytes(job, files);
    if job.only.is_some() {
        return require(job.cache.folder(), "the run cache", outcomes + states, "--cache");
    }
    let seeds = (files.len() / FILES_PER_SEED) as u64;
    let bundle = files.iter().map(|(_, size)| size).sum::<u64>() + REPORT + REPORT_PER_SEED * seeds;
    let stored = job.cache.is_writable();
    // Without a run cache, states are in temporary files.
    let temporary = std::env::temp_dir();
    let (folder, cache, option) = if stored {
        (job.cache.folder(), outcomes + states, "MNIST_REPORT_CACHE")
    } else {
        (temporary.as_path(), states, "TMPDIR")
    };
    if device(folder) == device(&job.place) {
        return require(&job.place, "the bundle and the run cache", bundle + cache, "--out and MNIST_REPORT_CACHE");
    }
    require(&job.place, "the bundle", bundle, "--out")?;
    require(folder, "the run cache", cache, option)
}

/// Bytes that the build adds to the run cache: the outcomes of the seeds that are not in it, and the largest temporary
/// files of a training.
fn cache_bytes(job: &Job, files: &[(String, u64)]) -> (u64, u64) {
    let seeds = job.plan.runs.values().flat_map(|run| run.seeds.iter().map(move |seed| (run, *seed)));
    let (mut outcomes, mut states) = (0, 0);
    for ((run, seed), files) in seeds.zip(files.chunks(FILES_PER_SEED)) {
        let is_chosen = job.seeds(run).any(|chosen| chosen == seed);
        if is_chosen && (job.fresh || !job.cache.has(&job.inputs(run, seed))) {
            outcomes += files.iter().map(|(_, size)| size).sum::<u64>();
            // The candidates' states, and two checkpoints while one replaces the other.
            let state = state_bytes(&job.plan, run, state_values(&run.settings.optimizer));
            states = states.max((states_kept(run) as u64 + 2) * state);
        }
    }
    (outcomes, states)
}

fn require(folder: &Path, what: &'static str, needed: u64, option: &'static str) -> Result<(), BuildError> {
    let path = existing(folder);
    match free(path) {
        Some(free) if free < needed => Err(BuildError::Room { path: path.to_owned(), what, needed, free, option }),
        _ => Ok(()),
    }
}

/// Free bytes for this user. `None` if the system does not know; some file systems report no size at all.
fn free(path: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(path).ok()?;
    (status.f_blocks > 0).then(|| status.f_bavail.saturating_mul(status.f_frsize))
}

fn device(path: &Path) -> Option<u64> {
    existing(path).metadata().ok().map(|metadata| metadata.dev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_nobody_could_open_is_refused() {
        let yaml = "title: t\nmodels: {m: {layers: [flatten]}}\nruns: {r: {model: m, epochs: 1, batch_size: 1, optimizer: adam, seeds: [1]}}\nsections: [{title: S}]\n";
        let source = Source::from_text(Path::new("mini.yaml"), yaml).unwrap();
        let of_size = |bytes: usize| Files::from([(bundle::REPORT.to_owned(), vec![0; bytes])]);
        assert!(check_made(&source, &of_size(64 << 20)).is_ok());
        let why = check_made(&source, &of_size((64 << 20) + 1)).unwrap_err().to_string();
        for part in ["mini.yaml", "sections", "report.html is too large", "at most 64 MiB", "fewer runs and figures"] {
            assert!(why.contains(part), "{why}");
        }
    }
}
