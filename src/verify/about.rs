//! What a bundle states about itself, for the table and the page of several bundles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, PREDICTIONS, SeedFiles, WEIGHTS, seed_files};
use crate::compute::Environment;
use crate::digest::sha256_hex;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, Results, SeedResult};
use crate::study::Study;
use crate::text::terminal::cut;

/// Runs and models that are listed, and characters of a title: a bundle may have thousands.
const MOST: usize = 100;
const WIDEST: usize = 200;
/// Bytes before the classes in a file of predictions.
const PREDICTIONS_HEADER: usize = 8;

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
    /// The digest of the measured values.
    pub measured_digest: Option<String>,
    /// The runs that the bundle says diverged, each with where.
    pub diverged: Option<Vec<String>>,
    /// The digest of all weights, which does not depend on the runs' names and order. Of a lean zip, by the hashes in its list.
    pub weights_digest: Option<String>,
    /// The digest of all predictions, likewise.
    pub predictions_digest: Option<String>,
    /// The digest of what the study trains, without seeds and names.
    pub study_digest: Option<String>,
    /// Every trained network, with the hashes of its files.
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
    /// The SHA-256 of its weights; none if there is no such file.
    pub weights: Option<String>,
    /// The SHA-256 of its predictions; none if there is no such file, or if they are one class for every image, as those of many
    /// networks that learned nothing are.
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
        Self {
            author: study.as_ref().and_then(|study| Some(study.author.as_ref()?.to_string())),
            group: study.as_ref().and_then(|study| study.group.clone()),
            title: bundle.manifest().ok().map(|manifest| manifest.title),
            runs: results.as_ref().map(|results| key_runs(results, study.as_ref())).unwrap_or_default(),
            models: results.as_ref().map(|results| key_models(results, study.as_ref())).unwrap_or_default(),
            measured_digest: results.as_ref().map(Results::measured_digest),
            diverged: results.as_ref().map(Results::diverged_in_words),
            networks: results.as_ref().map(|results| networks(bundle, results, &hashes)).unwrap_or_default(),
            environment: results.map(|results| results.environment),
            weights_digest: hashes.digest_below(WEIGHTS),
            predictions_digest: hashes.digest_below(PREDICTIONS),
            study_digest: study.map(|study| study.digest_without_names()),
        }
    }
}

fn key_runs(results: &Results, study: Option<&Study>) -> Vec<KeyRun> {
    let title = |name: &String| study.and_then(|study| study.runs.get(name)).and_then(|run| run.title.clone());
    let key = |(name, run): (&String, &crate::results::RunResult)| {
        let (interval, over) = run.accuracy_interval().ok().unzip();
        KeyRun {
            name: name.clone(),
            title: cut(&title(name).unwrap_or_else(|| name.clone()), WIDEST),
            model: run.plan.model.clone(),
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
            name: name.clone(),
            title: cut(&title(name).unwrap_or_else(|| name.clone()), WIDEST),
            parameters: facts.parameters,
        })
        .collect()
}

fn networks(bundle: &Bundle, results: &Results, hashes: &Hashes) -> Vec<KeyNetwork> {
    let model = |run: &str| results.run(run).map(|run| run.plan().model.clone()).unwrap_or_default();
    let network = |(run, _, files): (&str, &SeedResult, SeedFiles)| {
        let predictions = files.predictions();
        // After the header, a byte an image.
        let classes =
            bundle.files.get(&predictions).and_then(|bytes| bytes.get(PREDICTIONS_HEADER..)).unwrap_or_default();
        let is_one_class = classes.iter().all(|class| Some(class) == classes.first());
        KeyNetwork {
            name: files.to_string(),
            run: run.to_owned(),
            model: model(run),
            weights: hashes.0.get(&files.weights()).cloned(),
            predictions: hashes.0.get(&predictions).filter(|_| !is_one_class).cloned(),
        }
    };
    seed_files(results).map(network).collect()
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
