//! What a bundle states about itself, for the table and the page of several bundles.

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, PREDICTIONS, WEIGHTS};
use crate::compute::Environment;
use crate::digest::sha256_hex;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, Results};
use crate::study::Study;
use crate::text::terminal::cut;

/// Runs and models that are listed, and characters of a title: a bundle may have thousands.
const MOST: usize = 100;
const WIDEST: usize = 200;

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
        let study = bundle.source(None).ok().map(|source| source.study);
        Self {
            author: study.as_ref().and_then(|study| Some(study.author.as_ref()?.to_string())),
            group: study.as_ref().and_then(|study| study.group.clone()),
            title: bundle.manifest().ok().map(|manifest| manifest.title),
            runs: results.as_ref().map(|results| key_runs(results, study.as_ref())).unwrap_or_default(),
            models: results.as_ref().map(|results| key_models(results, study.as_ref())).unwrap_or_default(),
            measured_digest: results.as_ref().map(Results::measured_digest),
            diverged: results.as_ref().map(Results::diverged_in_words),
            environment: results.map(|results| results.environment),
            weights_digest: digest_below(bundle, WEIGHTS),
            predictions_digest: digest_below(bundle, PREDICTIONS),
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

/// The digest of the hashes of all files below a folder, in the order of the hashes.
fn digest_below(bundle: &Bundle, folder: &str) -> Option<String> {
    let files = bundle.files.iter().filter(|(path, _)| path.starts_with(folder));
    let left_out = bundle.left_out.iter().filter(|(path, _)| path.starts_with(folder));
    let mut hashes: Vec<String> = files.map(|(_, bytes)| sha256_hex(bytes)).collect();
    hashes.extend(left_out.map(|(_, info)| info.sha256.clone()));
    hashes.sort();
    (!hashes.is_empty()).then(|| sha256_hex(hashes.join("\n").as_bytes()))
}
