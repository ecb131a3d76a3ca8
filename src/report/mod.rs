//! From results to report.md, report.html and figures.
//!
//! `sections` builds a `Document` from study and results: it judges the claims, decides the conclusions, derives statistics and
//! draws the figures, with the phrases of a `Language`. `Templates` renders the document in both formats. Nothing is measured
//! here.

mod builder;
mod document;
mod error;
mod escape;
mod figures;
mod inline;
mod language;
mod sections;
mod templates;
mod verdicts;

use serde::{Deserialize, Serialize};

pub use document::Document;
pub use error::{Error, Result};
pub use language::Language;
pub use templates::Templates;
pub use verdicts::{CONCLUSIONS, ClaimVerdict, ConclusionVerdict, Verdicts};

use crate::model::{Model, module_names};
use crate::results::Results;
use crate::study::Study;
use crate::text::Lang;

/// The manifest's name for the templates, which it lists as one input.
pub const TEMPLATES: &str = "templates";
/// The manifest's name for the program's source, which it lists as one input.
pub const SOURCE: &str = "program source and lock file";

/// An input with its hash.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct InputFile {
    /// The file's name; otherwise one of the names above, or libtorch with its version.
    pub name: String,
    /// SHA-256 in hex: of the file's bytes, of a list of hashes if the input is several files, of its name for libtorch.
    pub sha256: String,
}

/// What the report says about its inputs and digests.
pub struct Provenance<'a> {
    /// All inputs, in the manifest's order.
    pub inputs: &'a [InputFile],
    /// The digest of the list of inputs.
    pub inputs_digest: &'a str,
    /// The digest of the measured part of the results.
    pub measured_digest: &'a str,
}

/// How a bundle's report is rendered from its results.
#[derive(Clone, Copy)]
pub struct Rendition<'a> {
    /// The language of the phrases and numbers.
    pub lang: Lang,
    /// The date to print; `None` if neither the study nor SOURCE_DATE_EPOCH gives one.
    pub date: Option<&'a str>,
    /// Pages, blocks, style sheet and phrases.
    pub templates: &'a Templates,
}

/// The folder of the models' PyTorch programs.
pub const PYTORCH: &str = "pytorch/";

/// Builds a study's report.
///
/// # Errors
/// A catalogue that cannot be read, a phrase that is missing, a figure that cannot be drawn.
pub fn document(study: &Study, results: &Results, provenance: &Provenance, rendition: &Rendition) -> Result<Document> {
    let language = rendition.templates.language(rendition.lang)?;
    sections::document(study, results, provenance, rendition.date, &language)
}

/// Renders a study's report: the names and texts of report.html, report.md, conclusions.json, the figures and the PyTorch programs.
///
/// # Errors
/// As [`document`]; and a template that cannot be rendered.
pub fn render(
    study: &Study,
    results: &Results,
    provenance: &Provenance,
    rendition: &Rendition,
) -> Result<Vec<(String, String)>> {
    let document = document(study, results, provenance, rendition)?;
    let mut files = rendition.templates.render(&document)?;
    files.push((CONCLUSIONS.to_owned(), document.verdicts.to_json()));
    files.extend(document.figures().into_iter().map(|f| (f.file.clone(), f.svg.clone())));
    files.extend(model_code(study, results).map(|(_, file)| file));
    Ok(files)
}

/// Each measured model's name, with the name and text of its PyTorch program. Shapes have the batch size of the results.
fn model_code(study: &Study, results: &Results) -> impl Iterator<Item = (String, (String, String))> {
    let files = module_names(study.models.keys().map(String::as_str));
    files.filter_map(|(name, file)| {
        let (spec, facts) = (study.models.get(name)?, results.models.get(name)?);
        let model = Model::resolve(name, spec, study.input.shape).ok()?;
        Some((name.to_owned(), (format!("{PYTORCH}{file}.py"), model.code(facts.batch))))
    })
}
