//! Builds a bundle from a study: trains and measures every run, renders the report, and writes everything with its
//! hashes.

mod busy;
mod date;
mod disk_space;
mod error;
mod estimate;
mod memory;
mod only;
mod run_log;
mod side_by_side;
mod timed;
mod trainings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

pub use crate::bundle::Timing;
pub(crate) use busy::is_busy;
pub use date::report_date;
pub use error::BuildError;
pub(crate) use estimate::seconds_of;
pub use only::training_names;

use trainings::Trainings;

use crate::bundle::{self, Files, Listing, Reserved, SeedFiles};
use crate::claims;
use crate::compute::{self, Device, DeviceChoice};
use crate::dataset::{Subset, TrainAndTest, read_labels};
use crate::report::{Edition, Rendition, Templates};
use crate::results::{Data, ModelFacts, Results, SCHEMA, SeedEnd, model_facts, read_losses};
use crate::study::{Picture, Plan, RunPlan, Source, StudyError, read_images};
use crate::tensors::from_safetensors;
use crate::text::{Lang, Languages};
use crate::training::{RunCache, Speed, TrainingObserver, check_first_steps, check_models, inputs_digest};
use crate::witness::{self, Agreement};

/// What to build.
#[expect(missing_docs, reason = "self-evident")]
pub struct Request<'a> {
    pub study: &'a Path,
    /// The bundle's folder; by default the study's path without .yaml.
    pub out: Option<&'a Path>,
    pub device: DeviceChoice,
    /// The folder of the data; by default the study's.
    pub data: Option<&'a Path>,
    /// The report's languages; by default the study's.
    pub languages: Option<Languages>,
    /// Whether to train all runs, even those in the run cache.
    pub fresh: bool,
    /// The run cache's folder; by default the user's.
    pub cache: Option<&'a Path>,
    /// The trainings for [`Job::train`], as runs (`slim`) or seeds of runs (`slim.seed2`). Empty for all trainings,
    /// from which [`Job::run`] makes a bundle.
    pub only: &'a [String],
    /// How many trainings are done at once, at least 1.
    pub jobs: usize,
}

/// A build that is ready to train: its study, folder, data and device are checked.
pub struct Job {
    started: (DateTime<Utc>, Instant),
    study: PathBuf,
    out: PathBuf,
    /// `out` as an absolute path, because `.` has no file name.
    place: PathBuf,
    /// Reserves `place`, so that no other build writes there; `None` if no bundle is made.
    reserved: Option<Reserved>,
    source: Source,
    plan: Plan,
    date: Option<String>,
    /// The study in each language of the report.
    editions: Vec<Edition>,
    /// The images that the study's texts show.
    images: BTreeMap<String, Picture>,
    fresh: bool,
    /// The trainings to do; `None` for all.
    only: Option<only::Chosen>,
    /// The folder of the data.
    folder: PathBuf,
    data: TrainAndTest,
    device: Device,
    models: IndexMap<String, ModelFacts>,
    cache: RunCache,
    /// How many trainings are done at once.
    jobs: usize,
    /// The speed of each run that will be trained.
    speeds: IndexMap<String, Speed>,
}

/// A bundle that was built.
#[expect(missing_docs, reason = "self-evident")]
pub struct Built {
    pub report_id: String,
    /// The bundle's folder, as the user wrote it.
    pub out: PathBuf,
    /// The names of the report's pages, one for each language.
    pub pages: Vec<String>,
    pub seconds: f64,
    /// How far libtorch's evaluation of the networks agrees, or why it failed; `None` if libtorch is not installed.
    pub witness: Option<Result<Agreement, String>>,
    /// The trainings that came from the run cache.
    pub cached: Vec<String>,
    /// How many runs the study has.
    pub runs: usize,
    /// The runs that diverged, each with the epochs and steps at which its seeds diverged.
    pub diverged: Vec<String>,
    /// Notes for the user, such as those on claims about values that were not measured.
    pub notes: Vec<String>,
    /// Mistakes in the study that only the results reveal: conclusions whose conditions both hold.
    pub mistakes: Vec<StudyError>,
}

/// Receives the progress of a build.
pub trait Listener: TrainingObserver {
    /// A seed of a run starts, with this many steps. `name` is the run's name, with the seed if the run has several.
    fn seed_started(&mut self, name: &str, steps: u64);
    /// A seed of a run was trained or taken from the run cache.
    fn seed_finished(&mut self, timing: &Timing, end: &SeedEnd);
    /// A note for the user, shown at once.
    fn note(&mut self, text: &str);
    /// Several trainings start, some of them at once, with this many steps together.
    fn several_started(&mut self, _trainings: usize, _at_once: usize, _steps: u64) {}
    /// One of several trainings has done a step.
    fn advanced(&mut self) {}
}

/// How many texts in one language `build` names before it trains; `summary` names all.
const MOST_NOTES: usize = 3;

impl Job {
    /// Checks everything that can be checked before training, and starts the device.
    ///
    /// # Errors
    /// The study, the bundle's folder, the data set or the device cannot be used.
    pub fn prepare(request: &Request) -> Result<Self, BuildError> {
        Self::prepare_on(request, |plan, data| {
            Device::start(request.device, &plan.compute, |gpu| check_first_steps(gpu, plan, data))
        })
    }

    /// Like [`Job::prepare`], on another device than the request's.
    ///
    /// # Errors
    /// Same as [`Job::prepare`].
    pub fn prepare_on(
        request: &Request,
        start: impl FnOnce(&Plan, &TrainAndTest) -> Result<Device, compute::Error>,
    ) -> Result<Self, BuildError> {
        let started = (Utc::now(), Instant::now());
        let study = request.study.to_owned();
        let out = request.out.map_or_else(|| study.with_extension(""), Path::to_owned);
        let place = std::path::absolute(&out).map_err(|source| BuildError::Path { path: out.clone(), source })?;
        let (source, plan) =
            claims::load_study_in(&study, request.languages.as_ref().map(Languages::default_language))?;
        let editions = editions(&source, request.languages.as_ref())?;
        let images = read_images(&source)?;
        let date = report_date(&source.study)?;
        let only = if request.only.is_empty() { None } else { Some(only::chosen(&plan, request.only)?) };
        // Reserve the place first, so that no other build replaces what is checked. A build of only some trainings
        // writes no bundle.
        let reserved = if only.is_none() { Some(reserve(&study, &out, &place)?) } else { None };
        let files = disk_space::files(&plan);
        disk_space::check_sizes(&source, &plan, &files, editions.len())?;
        memory::check(&source, &plan, request.jobs)?;
        if let Some(reserved) = &reserved {
            bundle::try_place(reserved, disk_space::longest(&files))?;
        }
        let cache = run_cache(request, &place)?;
        let folder = source.data_dir(request.data);
        let data = TrainAndTest::load(&folder, &plan.data)?;
        check_classes(&source, &plan, &data)?;
        let device = start(&plan, &data)?;
        if request.jobs > 1 && (device.is_gpu() || device.is_libtorch()) {
            return Err(BuildError::JobsOnGpu);
        }
        let models = model_facts(&plan);
        check_models(&plan, &models)?;
        let fresh = request.fresh;
        let mut job = Self {
            started,
            study,
            out,
            place,
            reserved,
            source,
            plan,
            date,
            editions,
            images,
            fresh,
            only,
            folder,
            data,
            device,
            models,
            cache,
            jobs: request.jobs.max(1),
            speeds: IndexMap::new(),
        };
        // Only the user clears a folder that the user named.
        if request.cache.is_none() {
            job.cache.trim();
        }
        disk_space::check(&job, &files)?;
        job.speeds = job.rehearsed()?;
        Ok(job)
    }

    /// The study file and the bundle's folder, as the user wrote them; no folder if no bundle is made.
    pub fn places(&self) -> (&Path, Option<&Path>) {
        (&self.study, self.only.is_none().then_some(&*self.out))
    }

    /// The run cache's folder.
    pub fn cache_folder(&self) -> &Path {
        self.cache.folder()
    }

    /// How many trainings were requested.
    pub fn planned(&self) -> usize {
        self.plan.runs.values().map(|run| self.seeds(run).count()).sum()
    }

    /// The text of the study.
    pub fn study_text(&self) -> &str {
        &self.source.yaml
    }

    /// The plan that will be carried out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Notes on expressions that use values that this study never measures, and on texts in one language only.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = claims::never_measured_notes(&self.source, &self.plan);
        let langs: Vec<Lang> = self.editions.iter().map(|edition| edition.lang).collect();
        notes.extend(self.source.text_notes_in(&langs, MOST_NOTES));
        notes
    }

    /// The device that trains.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Trains all runs that are not in the run cache, renders the report and writes the bundle.
    ///
    /// # Errors
    /// A training is impossible on this machine, the report cannot be rendered, or the disk cannot be written. Finished
    /// runs stay in the run cache.
    ///
    /// # Panics
    /// If only some trainings were requested. Call [`Job::train`] for those.
    pub fn run(mut self, listener: &mut dyn Listener) -> Result<Built, BuildError> {
        let reserved = self.reserved.take().expect("`train` is called for some trainings");
        let cache = std::mem::take(&mut self.cache);
        let mut trainings = Trainings::new(&self, cache, listener);
        let wanted: Vec<(&RunPlan, u64)> = self.wanted().collect();
        let (timings, seed_ends): (Vec<Timing>, Vec<SeedEnd>) = trainings.all(&wanted)?.into_iter().unzip();
        let mut files = trainings.into_files();
        let mut ends: IndexMap<String, Vec<SeedEnd>> = IndexMap::new();
        for ((run, _), end) in wanted.iter().zip(seed_ends) {
            ends.entry(run.name.clone()).or_default().push(end);
        }
        let results = self.results(ends, &files)?;
        files.insert(bundle::RESULTS.to_owned(), results.to_json().into_bytes());
        files.insert(bundle::STUDY.to_owned(), self.source.yaml.clone().into_bytes());
        let image = |(path, image): (&String, &Picture)| (format!("{}{path}", bundle::IMAGES), image.bytes.clone());
        files.extend(self.images.iter().map(image));
        let templates = Templates::built_in();
        let rendition = Rendition { editions: &self.editions, date: self.date.as_deref(), templates: &templates };
        let files = bundle::complete(files, &Listing::new(), &results, &rendition)?;
        disk_space::check_made(&self.source, &files)?;
        let pages = files.keys().filter(|file| file.ends_with(".html")).cloned().collect();
        let seconds = self.started.1.elapsed().as_secs_f64();
        bundle::replace_folder(&reserved, &files, Some(&run_log::bytes(&self, seconds, &timings, None)))?;
        // libtorch cannot be an independent witness of its own results.
        let witness = if self.device.is_libtorch() { None } else { witness::ask(&self.place, Some(&self.folder)) };
        if let Some(Ok(agreement)) = &witness {
            bundle::replace_run_log(&reserved, &run_log::bytes(&self, seconds, &timings, Some(agreement)))?;
        }
        let notes = claims::unmeasured_notes(&self.source, &self.plan, &results);
        let mut mistakes = claims::contradictions(&self.source, &results);
        let shown: Vec<Lang> = self.editions.iter().map(|edition| edition.lang).collect();
        let others = self.source.in_languages_but(&shown)?;
        let studies =
            self.editions.iter().map(|edition| &edition.study).chain(others.iter().map(|source| &source.study));
        mistakes.extend(claims::decided_by_language(studies, &results).into_iter().map(|id| {
            let message = "depends on the language; compare numbers, not printed text";
            self.source.error("claims", format!("`{id}`: the verdict {message}"))
        }));
        let (report_id, runs) = (bundle::report_id(&files[bundle::SUMS]), self.plan.runs.len());
        let diverged = results.diverged_in_words();
        let cached = timings.iter().filter(|timing| timing.cached).map(|timing| timing.run.clone()).collect();
        Ok(Built { cached, report_id, out: self.out, pages, seconds, witness, runs, diverged, notes, mistakes })
    }

    /// The digest of everything on which a seed's outcome depends.
    fn inputs(&self, run: &RunPlan, seed: u64) -> String {
        let model = &self.plan.models[&run.settings.model];
        inputs_digest(&self.device.environment, (&self.plan.data, &self.plan.input), model, run, seed)
    }

    fn results(&self, ends: IndexMap<String, Vec<SeedEnd>>, files: &Files) -> Result<Results, BuildError> {
        let mut results = Results {
            schema: SCHEMA,
            environment: self.device.environment.clone(),
            data: Data::of(&self.data),
            models: self.models.clone(),
            runs: IndexMap::new(),
            diverged: IndexMap::new(),
            comparisons: IndexMap::new(),
            digits: IndexMap::new(),
            loss_curves: IndexMap::new(),
            filters: IndexMap::new(),
        };
        for (name, ends) in ends {
            let plan = self.plan.runs[&name].settings.clone();
            results.add_run(name, plan, ends);
        }
        let seed_files = |run: &str, seed: u64| SeedFiles::of_plan(&self.plan.runs[run], seed);
        let predictions = |run: &str, seed: u64| read_labels(&files[&seed_files(run, seed).predictions()]);
        results.add_comparisons(&self.source.study, &self.data.test, predictions)?;
        results.add_loss_curves(|run, seed| read_losses(&files[&seed_files(run, seed).losses()]))?;
        let weights = |run: &str, seed: u64| from_safetensors(&files[&seed_files(run, seed).weights()]);
        results.add_filters(&self.source.study, weights)?;
        Ok(results)
    }
}

/// Refuses a run that takes more images of each class than there are. Only MNIST's numbers are known without the labels.
fn check_classes(source: &Source, plan: &Plan, data: &TrainAndTest) -> Result<(), StudyError> {
    let counts = data.train.class_counts();
    for (name, run) in &plan.runs {
        if let Subset::PerClass(n) = run.settings.images
            && let Some(class) = counts.iter().position(|count| *count < n)
        {
            let (found, class) = (counts[class], source.study.class_name(class));
            let message = format!("{n}: the class `{class}` has {found} training images; take at most as many");
            return Err(source.error(format!("runs.{name}.train.images"), message));
        }
    }
    Ok(())
}

/// Checks a bundle's place and reserves it.
fn reserve(study: &Path, out: &Path, place: &Path) -> Result<Reserved, BuildError> {
    let reserved = bundle::reserve(place);
    bundle::check_place(place, &Files::new())?;
    let reserved = reserved?;
    if out == study {
        return Err(BuildError::NoExtension(study.to_owned()));
    }
    Ok(reserved)
}

/// The run cache of a build. It must be writable if the user named it, or if this build makes no bundle, because then
/// the trainings are stored nowhere else.
fn run_cache(request: &Request, place: &Path) -> Result<RunCache, BuildError> {
    let named = request.cache.map(Path::to_owned);
    let cache = match named.or_else(|| RunCache::place_of_user().filter(|_| !request.only.is_empty())) {
        Some(folder) => RunCache::at(folder),
        None => return Ok(RunCache::of_user(place)),
    };
    if cache.is_writable() { Ok(cache) } else { Err(BuildError::Cache(cache.folder().to_owned())) }
}

/// The study in each language of the report. `load_study_in` has already checked all its languages.
fn editions(source: &Source, languages: Option<&Languages>) -> Result<Vec<Edition>, StudyError> {
    let languages = languages.unwrap_or(&source.languages);
    let edition = |lang: &Lang| {
        let study = Source::from_text_in(Path::new(bundle::STUDY), &source.yaml, Some(*lang))?.study;
        Ok(Edition { lang: *lang, study })
    };
    languages.all().iter().map(edition).collect()
}
