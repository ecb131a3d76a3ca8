//! Adds the files that are computed from a bundle's primary files: report, figures, manifest, crate and sums.

use super::layout::{CRATE, IMAGES, MANIFEST, SUMS};
use super::ro_crate::Described;
use super::{Error, FileInfo, Files, Listing, Manifest, Program, Sums, images, ro_crate};
use crate::claims::OwnWords;
use crate::report::{self, Pictures, Rendition};
use crate::results::Results;
use crate::study::Picture;
use crate::text::markdown;

/// Adds all other files to a bundle's primary files (results, study, predictions, weights, evidence, losses). Manifest,
/// crate and sums also list the files of `left_out`.
pub(crate) fn complete(
    files: Files,
    left_out: &Listing,
    results: &Results,
    rendition: &Rendition,
) -> Result<Files, Error> {
    complete_as(&Program::this(rendition.templates), files, left_out, results, rendition)
}

/// Like [`complete`], with the name and digests of another program in the place of this one's.
pub(super) fn complete_as(
    program: &Program,
    mut files: Files,
    left_out: &Listing,
    results: &Results,
    rendition: &Rendition,
) -> Result<Files, Error> {
    let mut manifest = Manifest::new(&files, results, rendition, program);
    let rendered = report::render(results, &manifest.provenance(&pictures(&files)), rendition)?;
    files.extend(rendered.into_iter().map(|(name, text)| (name, text.into_bytes())));
    manifest.files = files.keys().chain(left_out.keys()).cloned().chain([CRATE, MANIFEST].map(str::to_owned)).collect();
    manifest.files.sort();
    files.insert(MANIFEST.to_owned(), manifest.to_json().into_bytes());
    let mut listing: Listing = files.iter().map(|(path, bytes)| (path.clone(), FileInfo::of(bytes))).collect();
    listing.extend(left_out.clone());
    let (study, language) = (rendition.study(), rendition.templates.language_of(&rendition.editions[0])?);
    let description = OwnWords::of(study, results).print(&study.description);
    let description = description.map(|text| markdown::plain(&text)).unwrap_or_default();
    let about = Described { study, description, manifest: &manifest, language: &language };
    let metadata = ro_crate::metadata(&about, &listing)?;
    listing.insert(CRATE.to_owned(), FileInfo::of(metadata.as_bytes()));
    files.insert(CRATE.to_owned(), metadata.into_bytes());
    let sums = Sums(listing.into_iter().map(|(path, info)| (path, info.sha256)).collect());
    files.insert(SUMS.to_owned(), sums.to_string().into_bytes());
    Ok(files)
}

/// The images of a bundle, by the paths that the study's texts give them. Omits files that are not images.
fn pictures(files: &Files) -> Pictures {
    let picture = |(path, bytes): (&String, &Vec<u8>)| {
        Some((path.strip_prefix(IMAGES)?.to_owned(), Picture::read(bytes.clone()).ok()?))
    };
    images(files).filter_map(picture).collect()
}

/// The input of the templates for a bundle's report in its first language, as JSON.
pub(super) fn template_context(files: &Files, results: &Results, rendition: &Rendition) -> Result<String, Error> {
    let manifest = Manifest::new(files, results, rendition, &Program::this(rendition.templates));
    let document =
        report::document(&rendition.editions[0], results, &manifest.provenance(&pictures(files)), rendition)?;
    Ok(serde_json::to_string_pretty(&document).expect("strings and numbers") + "\n")
}
