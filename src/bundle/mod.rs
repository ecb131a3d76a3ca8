//! The bundle: what a build leaves, hashed, and how it comes to lie on the disk whole or not at all.
//!
//! Owns file names, the manifest, the crate, SHA256SUMS, the Report ID and the published zip.

mod manifest;
mod ro_crate;
mod sums;
mod tolerances;
mod write;
mod zip;

use std::collections::BTreeMap;

use anyhow::Result;

pub use manifest::{Digests, Manifest, Program, SOURCE_SHA256, exact_digest, inputs, inputs_digest};
pub use ro_crate::stated_sizes;
pub use sums::{Sums, is_inside, report_id};
pub use tolerances::{TOLERANCES, Tolerances};
pub use write::{check_place, replace_folder, write_file};
pub use zip::{INDEX, LEAVABLE, REPORT, is_leavable, pack};

use crate::digest::sha256_hex;
use crate::report::{self, InputFile, Provenance, Rendition, Templates};
use crate::results::Results;
use crate::study::Study;

pub const RESULTS: &str = "results.json";
pub const STUDY: &str = "study.yaml";
pub const MANIFEST: &str = "manifest.json";
pub const CRATE: &str = "ro-crate-metadata.json";
pub const SUMS: &str = "SHA256SUMS";
/// Volatile facts: the one file outside SHA256SUMS.
pub const RUN_LOG: &str = "run-log.json";

/// A bundle's files by path, in SHA256SUMS's order.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A file as manifest, crate and sums list it: enough to speak of one that is not at hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub sha256: String,
    /// Unknown of a file that is not at hand and whose size nothing states.
    pub bytes: Option<u64>,
}

impl Listed {
    fn of(bytes: &[u8]) -> Self {
        Self { sha256: sha256_hex(bytes), bytes: Some(bytes.len() as u64) }
    }
}

/// Listed files by path.
pub type Listing = BTreeMap<String, Listed>;

/// Whether a file is one that others are made from: results, study, predictions, weights, evidence.
pub fn is_primary(path: &str) -> bool {
    let folders = ["predictions/", "weights/", "evidence/"];
    path == RESULTS || path == STUDY || folders.iter().any(|folder| path.starts_with(folder))
}

/// Renders and hashes: adds report, figures, manifest, crate and sums to a bundle's primary files (results, study,
/// predictions, weights, evidence).
///
/// # Errors
/// A report that cannot be rendered.
pub fn complete(primary: Files, study: &Study, results: &Results, rendition: &Rendition) -> Result<Files> {
    complete_beside(primary, &Listing::new(), study, results, rendition)
}

/// What the templates are given for a bundle's report, as JSON.
///
/// # Errors
/// A figure that cannot be drawn.
pub fn template_context(study_yaml: &[u8], study: &Study, results: &Results, rendition: &Rendition) -> Result<String> {
    let (inputs, digests) = digests(study_yaml, study, results, rendition.templates);
    let document = report::document(study, results, &provenance(&inputs, &digests), rendition)?;
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn digests(study_yaml: &[u8], study: &Study, results: &Results, templates: &Templates) -> (Vec<InputFile>, Digests) {
    let inputs = inputs(study_yaml, templates);
    let digests = Digests {
        inputs: inputs_digest(&inputs),
        exact: exact_digest(study, results),
        measured: results.measured_digest(),
    };
    (inputs, digests)
}

fn provenance<'a>(inputs: &'a [InputFile], digests: &'a Digests) -> Provenance<'a> {
    Provenance { inputs, inputs_digest: &digests.inputs, measured_digest: &digests.measured }
}

/// As `complete`, for a bundle that lists files which are not at hand.
///
/// # Errors
/// As `complete`.
pub fn complete_beside(
    primary: Files,
    left_out: &Listing,
    study: &Study,
    results: &Results,
    rendition: &Rendition,
) -> Result<Files> {
    let mut files = primary;
    let (inputs, digests) = digests(&files[STUDY], study, results, rendition.templates);
    for (name, text) in report::render(study, results, &provenance(&inputs, &digests), rendition)? {
        files.insert(name, text.into_bytes());
    }
    let names = files.keys().chain(left_out.keys()).cloned().chain([CRATE.to_owned()]).collect();
    let manifest = Manifest::new(study, results, inputs, digests, rendition, names);
    files.insert(MANIFEST.to_owned(), manifest.to_json().into_bytes());
    let mut listing: Listing = files.iter().map(|(path, bytes)| (path.clone(), Listed::of(bytes))).collect();
    listing.extend(left_out.clone());
    let metadata = ro_crate::metadata(study, &manifest, &listing);
    listing.insert(CRATE.to_owned(), Listed::of(metadata.as_bytes()));
    files.insert(CRATE.to_owned(), metadata.into_bytes());
    let sums = Sums(listing.into_iter().map(|(path, listed)| (path, listed.sha256)).collect());
    files.insert(SUMS.to_owned(), sums.to_string().into_bytes());
    Ok(files)
}
