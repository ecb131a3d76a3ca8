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
mod own_words;
mod readme;
mod sections;
mod series;
mod templates;
mod verdicts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::study::Picture;
pub use document::Document;
pub use error::{Error, Result};
pub use inline::RichText;
pub use language::Language;
pub use readme::README;
pub(crate) use templates::PAGE;
pub use templates::Templates;
pub use verdicts::{CONCLUSIONS, ClaimVerdict, ConclusionVerdict, Verdicts};

use crate::model::{Model, module_names};
use crate::results::Results;
use crate::study::Study;
use crate::text::{Lang, Languages};

/// The program's name and version.
pub fn program() -> String {
    format!("mnist-report {}", env!("CARGO_PKG_VERSION"))
}

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

/// Images by the paths that the study's texts give them.
pub type Pictures = BTreeMap<String, Picture>;

/// What the report says about its inputs and digests.
pub struct Provenance<'a> {
    /// The languages that the report is rendered in.
    pub languages: &'a Languages,
    /// The images that the study's own words show.
    pub pictures: &'a Pictures,
    /// All inputs, in the manifest's order.
    pub inputs: &'a [InputFile],
    /// The digest of the list of inputs.
    pub inputs_digest: &'a str,
    /// The digest of the measured part of the results.
    pub measured_digest: &'a str,
}

/// A language of the report, with the study whose texts are in that language as far as it has them.
pub struct Edition {
    /// The language of the phrases and numbers.
    pub lang: Lang,
    /// The study.
    pub study: Study,
}

/// How a bundle's report is rendered from its results.
#[derive(Clone, Copy)]
pub struct Rendition<'a> {
    /// The report's languages, at least one. The files of the first have the plain names.
    pub editions: &'a [Edition],
    /// The date to print; `None` if neither the study nor SOURCE_DATE_EPOCH gives one.
    pub date: Option<&'a str>,
    /// Pages, blocks, style sheet and phrases.
    pub templates: &'a Templates,
}

/// The folder of the models' PyTorch programs.
pub const PYTORCH: &str = "pytorch/";

impl Rendition<'_> {
    /// The study, with its texts in the first language.
    ///
    /// # Panics
    /// Without editions.
    pub fn study(&self) -> &Study {
        &self.editions[0].study
    }

    /// The report's languages.
    ///
    /// # Panics
    /// Without editions, or with two of one language.
    pub fn languages(&self) -> Languages {
        let all: Vec<Lang> = self.editions.iter().map(|edition| edition.lang).collect();
        all.try_into().expect("one edition or more, each in another language")
    }
}

/// Builds a study's report in one of its languages.
///
/// # Errors
/// A catalogue that cannot be read, a phrase that is missing, a figure that cannot be drawn.
pub fn document(
    edition: &Edition,
    results: &Results,
    provenance: &Provenance,
    rendition: &Rendition,
) -> Result<Document> {
    let language = rendition.templates.language_of(edition)?;
    sections::document(&edition.study, results, provenance, rendition.date, &language)
}

/// Renders a study's report in each of its languages: the names and texts of report.html, report.md, conclusions.json, the
/// figures, the PyTorch programs and README.txt. conclusions.json is in the first language, README.txt in all.
///
/// # Errors
/// As [`document`]; and a template that cannot be rendered.
pub fn render(results: &Results, provenance: &Provenance, rendition: &Rendition) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for edition in rendition.editions {
        let document = document(edition, results, provenance, rendition)?;
        files.extend(rendition.templates.render(&document)?);
        files.extend(document.figures().into_iter().map(|f| (f.file.clone(), f.svg.clone())));
        if edition.lang == provenance.languages.default_language() {
            files.push((CONCLUSIONS.to_owned(), document.verdicts.to_json()));
        }
    }
    files.extend(model_code(rendition.study(), results).map(|(_, file)| file));
    files.push((README.to_owned(), readme::readme(rendition)?));
    Ok(files)
}

/// Each measured model's name, with the name and text of its PyTorch program. Shapes have the batch size of the results.
fn model_code(study: &Study, results: &Results) -> impl Iterator<Item = (String, (String, String))> {
    let files = module_names(study.models.keys().map(String::as_str));
    files.filter_map(|(name, file)| {
        let (spec, facts) = (study.models.get(name)?, results.models.get(name)?);
        let model = Model::resolve(name, spec, study.input.shape, study.data_set().classes).ok()?;
        Some((name.to_owned(), (format!("{PYTORCH}{file}.py"), model.code(facts.batch))))
    })
}
