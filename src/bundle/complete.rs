//! Adds everything that follows from a bundle's primary files: report, figures, manifest, crate and sums.

use super::layout::{CRATE, MANIFEST, STUDY, SUMS};
use super::manifest::{Digests, Manifest, exact_digest, inputs, inputs_digest};
use super::{Error, Files, Listed, Listing, Sums, ro_crate};
use crate::report::{self, InputFile, Provenance, Rendition, Templates};
use crate::results::Results;
use crate::study::Study;

/// The files of a bundle whose primary files (results, study, predictions, weights, evidence) are given. A bundle also
/// lists the files that it left out.
pub(crate) fn complete(
    primary: Files,
    left_out: &Listing,
    study: &Study,
    results: &Results,
    rendition: &Rendition,
) -> Result<Files, Error> {
    let mut files = primary;
    let (inputs, digests) = digests(&files[STUDY], study, results, rendition.templates);
    let rendered = report::render(study, results, &provenance(&inputs, &digests), rendition);
    files.extend(rendered?.into_iter().map(|(name, text)| (name, text.into_bytes())));
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

/// What the templates of a bundle's report receive, as JSON.
pub(super) fn template_context(
    study_yaml: &[u8],
    study: &Study,
    results: &Results,
    rendition: &Rendition,
) -> Result<String, Error> {
    let (inputs, digests) = digests(study_yaml, study, results, rendition.templates);
    let document = report::document(study, results, &provenance(&inputs, &digests), rendition)?;
    Ok(serde_json::to_string_pretty(&document).expect("strings and numbers") + "\n")
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
