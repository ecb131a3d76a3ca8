//! Two bundles side by side: what differs between them, and what may explain it.
//!
//! Owns the comparison as a typed value; `commands` prints it. Compares what the bundles say: whether that is true is
//! `verify`'s, and a bundle whose files are damaged is named as such.

mod explain;
mod runs;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

pub use explain::Explanation;
pub use runs::{Amount, Parting, RunDiff, SeedDiff};

use crate::bundle::{self, Manifest};
use crate::changes::{Change, changes};
use crate::results::Results;
use crate::study::{Source, Study};
use crate::verify::{Opened, files_problems};

/// What differs between two bundles.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    pub a: Side,
    pub b: Side,
    /// Every file has the same bytes.
    pub same: bool,
    /// Data, study, templates, program, libtorch: name and SHA-256.
    pub inputs: Vec<Change>,
    /// The keys of the studies, defaults filled in.
    pub study: Vec<Change>,
    /// What any machine computes identically: model facts and plans.
    pub exact: Vec<Change>,
    /// The runs whose results differ.
    pub measured: Vec<RunDiff>,
    /// Files by path, with SHA-256.
    pub files: Vec<Change>,
    pub explanation: Explanation,
}

/// One of the two bundles.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    pub path: PathBuf,
    pub title: String,
    pub report_id: String,
    pub environment: String,
    /// What rung `files` finds wrong: with any of these, nothing here is sure.
    pub problems: Vec<String>,
}

/// A bundle read, as far as the comparison needs it.
struct Read {
    side: Side,
    opened: Opened,
    manifest: Manifest,
    results: Results,
    study: Study,
}

impl Read {
    fn new(path: &Path) -> Result<Self> {
        let opened = Opened::read(path)?;
        let text = |name: &str| -> Result<&str> {
            let bytes = opened.files.get(name).with_context(|| format!("{name} is missing"))?;
            std::str::from_utf8(bytes).with_context(|| format!("{name} is not text"))
        };
        let manifest = Manifest::from_json(text(bundle::MANIFEST)?).context(bundle::MANIFEST)?;
        let results = Results::from_json(text(bundle::RESULTS)?).context(bundle::RESULTS)?;
        let study = Source::from_text(Path::new(bundle::STUDY), text(bundle::STUDY)?)?.study;
        let side = Side {
            path: path.to_owned(),
            title: manifest.title.clone(),
            report_id: opened.files.get(bundle::SUMS).map(|sums| bundle::report_id(sums)).unwrap_or_default(),
            environment: results.environment.to_string(),
            problems: files_problems(&opened),
        };
        Ok(Self { side, opened, manifest, results, study })
    }
}

/// Compares two bundles, folders or zips.
///
/// # Errors
/// One that cannot be read.
pub fn diff(a: &Path, b: &Path) -> Result<Diff> {
    let read = |path: &Path| Read::new(path).with_context(|| format!("cannot compare {}", path.display()));
    let (a, b) = (read(a)?, read(b)?);
    let inputs = named(
        a.manifest.inputs.iter().map(|i| (i.name.as_str(), i.sha256.clone())),
        b.manifest.inputs.iter().map(|i| (i.name.as_str(), i.sha256.clone())),
    );
    let files = changed_files(&a.opened, &b.opened);
    let measured = runs::differences(&a.results, &b.results);
    let exact = exact(&a.results, &b.results);
    let explanation = explain::explain(&a, &b, &exact, !measured.is_empty());
    Ok(Diff {
        same: files.is_empty(),
        inputs,
        study: changes("", &a.study, &b.study),
        exact,
        measured,
        files,
        explanation,
        a: a.side,
        b: b.side,
    })
}

/// Named values that differ or that one side alone has, in A's order.
fn named<'a>(a: impl Iterator<Item = (&'a str, String)>, b: impl Iterator<Item = (&'a str, String)>) -> Vec<Change> {
    let (a, b): (indexmap::IndexMap<_, _>, indexmap::IndexMap<_, _>) = (a.collect(), b.collect());
    changes("", &a, &b)
}

fn exact(a: &Results, b: &Results) -> Vec<Change> {
    let mut exact = changes("models", &a.models, &b.models);
    let plans = |r: &Results| -> indexmap::IndexMap<String, _> {
        r.runs.iter().map(|(name, run)| (name.clone(), run.plan.clone())).collect()
    };
    exact.extend(changes("runs", &plans(a), &plans(b)));
    exact.extend(changes("data", &a.data, &b.data));
    exact
}

/// Files by what they hold, not by what SHA256SUMS says; of what a lean zip left out there is only that.
fn changed_files(a: &Opened, b: &Opened) -> Vec<Change> {
    let hashes = |o: &Opened| -> std::collections::BTreeMap<String, String> {
        let paths = o.files.keys().chain(o.left_out.keys()).filter(|path| *path != bundle::RUN_LOG);
        paths.filter_map(|path| Some((path.clone(), o.sha256(path)?))).collect()
    };
    changes("", &hashes(a), &hashes(b))
}
