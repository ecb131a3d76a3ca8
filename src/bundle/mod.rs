//! The bundle: what a build leaves, hashed, and how it comes to lie on the disk whole or not at all.
//!
//! Owns file names, the manifest, SHA256SUMS and the Report ID.

mod manifest;
mod sums;
mod write;

use std::collections::BTreeMap;

use anyhow::Result;

pub use manifest::{Digests, Manifest, Program, SOURCE_SHA256, exact_digest, inputs, inputs_digest};
pub use sums::{Sums, report_id};
pub use write::{check_place, replace_folder, write_file};

use crate::report::{Facts, Templates, render};
use crate::results::Results;
use crate::study::Study;

pub const RESULTS: &str = "results.json";
pub const STUDY: &str = "study.yaml";
pub const MANIFEST: &str = "manifest.json";
pub const SUMS: &str = "SHA256SUMS";
/// Volatile facts: the one file outside SHA256SUMS.
pub const RUN_LOG: &str = "run-log.json";

/// A bundle's files by path, in SHA256SUMS's order.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Whether a file is one that others are made from: results, study, predictions, weights, evidence.
pub fn is_primary(path: &str) -> bool {
    let folders = ["predictions/", "weights/", "evidence/"];
    path == RESULTS || path == STUDY || folders.iter().any(|folder| path.starts_with(folder))
}

/// Renders and hashes: adds report, figures, manifest and sums to a bundle's primary files (results, study,
/// predictions, weights, evidence).
///
/// # Errors
/// A report that cannot be rendered.
pub fn complete(
    mut primary: Files,
    study: &Study,
    results: &Results,
    date: Option<&str>,
    templates: &Templates,
) -> Result<Files> {
    let inputs = inputs(&primary[STUDY], templates);
    let digests = Digests {
        inputs: inputs_digest(&inputs),
        exact: exact_digest(study, results),
        measured: results.measured_digest(),
    };
    let facts = Facts { inputs: &inputs, inputs_digest: &digests.inputs, measured_digest: &digests.measured, date };
    for (name, text) in render(study, results, &facts, templates)?.files {
        primary.insert(name, text.into_bytes());
    }
    let manifest = Manifest::new(study, results, inputs, digests, date, primary.keys().cloned().collect());
    primary.insert(MANIFEST.to_owned(), manifest.to_json().into_bytes());
    let sums = Sums::of(&primary).to_string();
    primary.insert(SUMS.to_owned(), sums.into_bytes());
    Ok(primary)
}
