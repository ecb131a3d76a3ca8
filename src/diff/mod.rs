//! Compares two bundles: what differs, and what may explain it.
//!
//! This compares what the bundles say. Whether that is true is for `verify` to check; only damaged files are reported.

mod explain;
mod runs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Serialize;

pub(crate) use explain::Explanation;
pub(crate) use runs::{Amount, Divergence, RunDiff, SeedDiff};

use crate::bundle::{self, Bundle, Manifest, RUN_LOG};
use crate::changes::{Change, changes, changes_by_key};
use crate::results::{ModelFacts, Results};
use crate::study::{RunSettings, Source};

/// A bundle that cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("cannot compare {}", path.display())]
pub(crate) struct Error {
    path: PathBuf,
    source: Box<bundle::Error>,
}

/// What differs between two bundles.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Diff {
    pub(crate) a: Side,
    pub(crate) b: Side,
    /// Every file has the same bytes.
    pub(crate) same: bool,
    /// Data, study, templates, program, libtorch: name and SHA-256.
    pub(crate) inputs: Vec<Change>,
    /// The keys of the studies, with defaults filled in.
    pub(crate) study: Vec<Change>,
    /// What every machine computes alike: model facts and plans.
    pub(crate) exact: Vec<Change>,
    /// The runs whose results differ.
    pub(crate) measured: Vec<RunDiff>,
    /// Files by path, with SHA-256.
    pub(crate) files: Vec<Change>,
    pub(crate) explanation: Explanation,
}

/// One of the two bundles.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) path: PathBuf,
    pub(crate) title: String,
    /// Empty without SHA256SUMS.
    pub(crate) report_id: String,
    pub(crate) environment: String,
    /// What is wrong with the files: if anything is, no value of this bundle can be trusted.
    pub(crate) problems: Vec<String>,
    /// Files that an operating system left; they are not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) leftovers: Vec<String>,
}

/// A bundle parsed as far as the comparison needs it.
struct Parsed {
    side: Side,
    bundle: Bundle,
    manifest: Manifest,
    results: Results,
    source: Source,
}

impl Parsed {
    fn new(path: &Path) -> Result<Self, Error> {
        Self::read(path).map_err(|e| Error { path: path.to_owned(), source: Box::new(e) })
    }

    fn read(path: &Path) -> Result<Self, bundle::Error> {
        let bundle = Bundle::open(path)?;
        let (manifest, results) = (bundle.manifest()?, bundle.results()?);
        let source = bundle.source(Some(manifest.languages.default_language()))?;
        let side = Side {
            path: path.to_owned(),
            title: manifest.title.clone(),
            report_id: bundle.report_id().unwrap_or_default(),
            environment: results.environment.to_string(),
            problems: bundle.damage(),
            leftovers: bundle.leftovers.clone(),
        };
        Ok(Self { side, bundle, manifest, results, source })
    }
}

/// Compares two bundles, folders or zips.
pub(crate) fn diff(a: &Path, b: &Path) -> Result<Diff, Error> {
    let (a, b) = (Parsed::new(a)?, Parsed::new(b)?);
    let files = changes("", &hashes(&a.bundle), &hashes(&b.bundle));
    let measured = runs::differences(&a.results, &b.results);
    let exact = exact(&a.results, &b.results);
    let explanation = explain::explain(&a, &b, &exact, !measured.is_empty());
    Ok(Diff {
        same: files.is_empty() && a.side.problems.is_empty() && b.side.problems.is_empty(),
        inputs: changes("", &inputs(&a.manifest), &inputs(&b.manifest)),
        study: changes("", &a.source.study, &b.source.study),
        exact,
        measured,
        files,
        explanation,
        a: a.side,
        b: b.side,
    })
}

fn inputs(manifest: &Manifest) -> IndexMap<&str, &str> {
    manifest.inputs.iter().map(|input| (input.name.as_str(), input.sha256.as_str())).collect()
}

fn exact(a: &Results, b: &Results) -> Vec<Change> {
    fn models(r: &Results) -> impl Iterator<Item = (&str, &ModelFacts)> {
        r.models.iter().map(|(name, model)| (name.as_str(), model))
    }
    fn plans(r: &Results) -> impl Iterator<Item = (&str, &RunSettings)> {
        r.all_runs().map(|(name, run)| (name.as_str(), run.plan()))
    }
    // Not as one tree: a bundle may have results of 64 MiB.
    let mut exact = changes_by_key("models", models(a), models(b));
    exact.extend(changes_by_key("runs", plans(a), plans(b)));
    exact.extend(changes("data", &a.data, &b.data));
    exact
}

/// The hashes of the files' content; of files that a lean zip left out, those that SHA256SUMS lists.
fn hashes(bundle: &Bundle) -> BTreeMap<&str, String> {
    let paths = bundle.files.keys().chain(bundle.left_out.keys()).filter(|path| *path != RUN_LOG);
    paths.filter_map(|path| Some((path.as_str(), bundle.sha256(path)?))).collect()
}
