//! What a bundle states about itself, for the table and the page of several bundles.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, PREDICTIONS, SeedFiles, WEIGHTS, seed_files};
use crate::compute::{Environment, Gpu};
use crate::digest::sha256_hex;
use crate::model::ModelSpec;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, Results, SeedResult};
use crate::study::Study;
use crate::text::terminal::cut;

/// Runs and models that are listed, and characters of a title: a bundle may have thousands.
const MOST: usize = 100;
const WIDEST: usize = 200;
/// Equal predictions say something if at least this many are wrong, and at least this many are not the most frequent class: networks of
/// any origin agree where they are right, and where they always give one class.
const TELLING: usize = 20;
/// Networks that are listed, as many as a bundle has files: a batch holds those of all its bundles and compares every two.
const MOST_NETWORKS: usize = 10_000;
/// Bytes before the classes in a file of predictions.
const PREDICTIONS_HEADER: usize = 8;
/// Layers of all runs that are hashed: a study that nobody checked yet may have thousands of runs of one large model.
const MOST_LAYERS: usize = 200_000;

/// A bundle's own statements, `None` where they cannot be read. Nothing here is checked; the digests are computed from the
/// files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// The study's title.
    pub title: Option<String>,
    /// The study's author.
    pub author: Option<String>,
    /// The author's group.
    pub group: Option<String>,
    /// The environment in which the networks were trained.
    pub environment: Option<Environment>,
    /// Accuracies, as results.json states them, of the first hundred runs.
    pub runs: Vec<KeyRun>,
    /// Sizes, as results.json states them, of the first hundred models.
    pub models: Vec<KeyModel>,
    /// The digest of the measured values, as the report has it.
    pub measured_digest: Option<String>,
    /// The digest of the measured values without the names of runs and models: a copy may have others.
    pub values_digest: Option<String>,
    /// The runs that the bundle says diverged, each with where.
    pub diverged: Option<Vec<String>>,
    /// The digest of all weights, which does not depend on the runs' names and order. Of a lean zip, by the hashes in its list.
    pub weights_digest: Option<String>,
    /// The digest of all predictions, likewise.
    pub predictions_digest: Option<String>,
    /// The digest of what the study trains, without seeds and names.
    pub study_digest: Option<String>,
    /// The trained networks, at most 10,000, with the hashes of their files.
    pub networks: Vec<KeyNetwork>,
}

/// A trained network, by its files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyNetwork {
    /// The name of its files, such as `slim.seed2`.
    pub name: String,
    /// Its run.
    pub run: String,
    /// The run's model.
    pub model: String,
    /// Its seed.
    #[serde(default)]
    pub seed: u64,
    /// The digest of what decides its training except for the seed and names; none if the study cannot be read.
    #[serde(default)]
    pub settings: Option<String>,
    /// The SHA-256 of its weights; none if there is no such file.
    pub weights: Option<String>,
    /// The SHA-256 of its predictions; none if there is no such file, or if networks without a common origin could have the same:
    /// those that learned nothing, or that make few mistakes.
    pub predictions: Option<String>,
}

/// The accuracy of a run on the test set: of its seed, or the mean over its seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct KeyRun {
    pub name: String,
    pub title: String,
    pub model: String,
    pub seeds: usize,
    pub accuracy: f64,
    /// The 95 % interval; none for two seeds, or seeds that make no difference.
    pub interval: Option<Interval>,
    /// What the interval is over.
    pub over: Option<IntervalBasis>,
}

/// The size of a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct KeyModel {
    pub name: String,
    pub title: String,
    pub parameters: u64,
}

impl About {
    pub(super) fn of(bundle: &Bundle) -> Self {
        let results = bundle.results().ok();
        let hashes = Hashes::of(bundle);
        let study = bundle.source(None).ok().map(|source| source.study);
        let networks = results.as_ref().map(|results| networks(bundle, results, study.as_ref(), &hashes));
        let networks = networks.unwrap_or_default();
        let short = |text: &str| cut(text, WIDEST);
        Self {
            author: study.as_ref().and_then(|study| Some(short(&study.author.as_ref()?.to_string()))),
            group: study.as_ref().and_then(|study| Some(short(study.group.as_ref()?))),
            title: bundle.manifest().ok().map(|manifest| short(&manifest.title)),
            runs: results.as_ref().map(|results| key_runs(results, study.as_ref())).unwrap_or_default(),
            models: results.as_ref().map(|results| key_models(results, study.as_ref())).unwrap_or_default(),
            measured_digest: results.as_ref().map(Results::measured_digest),
            // Of trainings that all diverged, nothing was measured. A copy may have other names, and seeds in another order.
            values_digest: results
                .as_ref()
                .filter(|results| !results.runs.is_empty())
                .map(Results::measured_digest_without_names),
            diverged: results
                .as_ref()
                .map(|results| results.diverged_in_words().iter().take(MOST).map(|words| short(words)).collect()),
            environment: results.map(|results| with_short_names(results.environment)),
            weights_digest: hashes.digest_below(WEIGHTS),
            predictions_digest: hashes
                .digest_below(PREDICTIONS)
                .filter(|_| networks.iter().any(|n| n.predictions.is_some())),
            networks,
            study_digest: study.map(|study| study.digest_without_names()),
        }
    }
}

/// An environment, whose names may be of any length in a bundle that is not checked yet.
fn with_short_names(mut environment: Environment) -> Environment {
    if let Some(Gpu { name, libtorch, cuda, cudnn, precision }) = &mut environment.gpu {
        for text in [name, libtorch, cuda, cudnn, precision] {
            *text = cut(text, WIDEST);
        }
    }
    environment
}

fn key_runs(results: &Results, study: Option<&Study>) -> Vec<KeyRun> {
    let title = |name: &String| study.and_then(|study| study.runs.get(name)).and_then(|run| run.title.clone());
    let key = |(name, run): (&String, &crate::results::RunResult)| {
        let (interval, over) = run.accuracy_interval().ok().unzip();
        KeyRun {
            name: cut(name, WIDEST),
            title: cut(&title(name).unwrap_or_else(|| name.clone()), WIDEST),
            model: cut(&run.plan.model, WIDEST),
            seeds: run.seeds.len(),
            accuracy: run.accuracy(),
            interval,
            over,
        }
    };
    results.runs.iter().take(MOST).map(key).collect()
}

fn key_models(results: &Results, study: Option<&Study>) -> Vec<KeyModel> {
    let title = |name: &String| study.and_then(|study| study.models.get(name)).and_then(|model| model.title.clone());
    let models = results.models.iter().take(MOST);
    models
        .map(|(name, facts)| KeyModel {
            name: cut(name, WIDEST),
            title: cut(&title(name).unwrap_or_else(|| name.clone()), WIDEST),
            parameters: facts.parameters,
        })
        .collect()
}

/// The digest of what decides the trainings of each run, except for seeds and names; none of a study that is too large.
pub(super) fn settings_of_runs(study: &Study) -> IndexMap<&str, String> {
    let models = study.runs.values().filter_map(|run| study.models.get(&run.model));
    if models.flat_map(ModelSpec::in_order).nth(MOST_LAYERS).is_some() {
        return IndexMap::new();
    }
    study.digests_without_names()
}

fn networks(bundle: &Bundle, results: &Results, study: Option<&Study>, hashes: &Hashes) -> Vec<KeyNetwork> {
    let settings = study.map(settings_of_runs).unwrap_or_default();
    let model = |run: &str| results.run(run).map(|run| run.plan().model.clone()).unwrap_or_default();
    let network = |(run, seed, files): (&str, &SeedResult, SeedFiles)| {
        let predictions = files.predictions();
        // After the header, a byte an image.
        let classes =
            bundle.files.get(&predictions).and_then(|bytes| bytes.get(PREDICTIONS_HEADER..)).unwrap_or_default();
        let is_telling = wrong(seed) >= TELLING && classes.len() - most_frequent(classes) >= TELLING;
        KeyNetwork {
            name: cut(&files.to_string(), WIDEST),
            run: cut(run, WIDEST),
            model: cut(&model(run), WIDEST),
            seed: seed.seed,
            settings: settings.get(run).cloned(),
            weights: hashes.0.get(&files.weights()).cloned(),
            predictions: hashes.0.get(&predictions).filter(|_| is_telling).cloned(),
        }
    };
    // Results may state more networks than there are files.
    let has_file =
        |files: &SeedFiles| [files.weights(), files.predictions()].iter().any(|path| hashes.0.contains_key(path));
    seed_files(results).filter(|(_, _, files)| has_file(files)).take(MOST_NETWORKS).map(network).collect()
}

/// The number of test images that a network gets wrong, as the bundle states it.
fn wrong(seed: &SeedResult) -> usize {
    let cells = seed.confusion.iter().enumerate();
    cells
        .flat_map(|(digit, row)| row.iter().enumerate().filter(move |(class, _)| *class != digit))
        .map(|(_, n)| *n)
        .fold(0, usize::saturating_add)
}

/// How often the most frequent class is predicted.
fn most_frequent(classes: &[u8]) -> usize {
    let mut counts = [0; 256];
    for class in classes {
        counts[usize::from(*class)] += 1;
    }
    counts.into_iter().max().unwrap_or_default()
}

/// The hashes of the files of networks, by path.
struct Hashes(BTreeMap<String, String>);

impl Hashes {
    fn of(bundle: &Bundle) -> Self {
        let is_network = |path: &str| path.starts_with(WEIGHTS) || path.starts_with(PREDICTIONS);
        let files = bundle.files.iter().filter(|(path, _)| is_network(path));
        let left_out = bundle.left_out.iter().filter(|(path, _)| is_network(path));
        let hashes = files.map(|(path, bytes)| (path.clone(), sha256_hex(bytes)));
        Self(hashes.chain(left_out.map(|(path, info)| (path.clone(), info.sha256.clone()))).collect())
    }

    /// The digest of the hashes of all files below a folder, in the order of the hashes.
    fn digest_below(&self, folder: &str) -> Option<String> {
        let below = self.0.iter().filter(|(path, _)| path.starts_with(folder));
        let mut hashes: Vec<&str> = below.map(|(_, hash)| hash.as_str()).collect();
        hashes.sort_unstable();
        (!hashes.is_empty()).then(|| sha256_hex(hashes.join("\n").as_bytes()))
    }
}
