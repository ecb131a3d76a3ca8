//! Adds everything that follows from a bundle's primary files: report, figures, manifest, crate and sums.

use super::layout::{CRATE, MANIFEST, STUDY, SUMS};
use super::{Error, FileInfo, Files, Listing, Manifest, Sums, ro_crate};
use crate::report::{self, Rendition};
use crate::results::Results;

/// Adds all other files to a bundle's primary files (results, study, predictions, weights, evidence, losses). Manifest, crate and
/// sums also list the files of `left_out`.
pub(crate) fn complete(
    mut files: Files,
    left_out: &Listing,
    results: &Results,
    rendition: &Rendition,
) -> Result<Files, Error> {
    let mut manifest = Manifest::new(&files[STUDY], results, rendition);
    let rendered = report::render(results, &manifest.provenance(), rendition)?;
    files.extend(rendered.into_iter().map(|(name, text)| (name, text.into_bytes())));
    manifest.files = files.keys().chain(left_out.keys()).cloned().chain([CRATE, MANIFEST].map(str::to_owned)).collect();
    manifest.files.sort();
    files.insert(MANIFEST.to_owned(), manifest.to_json().into_bytes());
    let mut listing: Listing = files.iter().map(|(path, bytes)| (path.clone(), FileInfo::of(bytes))).collect();
    listing.extend(left_out.clone());
    let metadata = ro_crate::metadata(rendition.study(), &manifest, &listing);
    listing.insert(CRATE.to_owned(), FileInfo::of(metadata.as_bytes()));
    files.insert(CRATE.to_owned(), metadata.into_bytes());
    let sums = Sums(listing.into_iter().map(|(path, info)| (path, info.sha256)).collect());
    files.insert(SUMS.to_owned(), sums.to_string().into_bytes());
    Ok(files)
}

/// What the templates of a bundle's report receive in its first language, as JSON.
pub(super) fn template_context(study_yaml: &[u8], results: &Results, rendition: &Rendition) -> Result<String, Error> {
    let manifest = Manifest::new(study_yaml, results, rendition);
    let document = report::document(&rendition.editions[0], results, &manifest.provenance(), rendition)?;
    Ok(serde_json::to_string_pretty(&document).expect("strings and numbers") + "\n")
}
