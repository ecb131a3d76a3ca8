//! From results to report.md, report.html and figures.
//!
//! Owns rendering: contexts of ready strings go into minijinja templates. Computes nothing that is not in
//! the results or follows from the study's own claims and conclusions; knows no libtorch, clock or host.

mod comparisons;
mod context;
pub mod figures;
mod galleries;
mod language;
mod sections;
mod templates;
mod wording;

use anyhow::{Context, Result};
use minijinja::value::Serde;

pub use context::{InputFile, Report, SOURCE, TEMPLATES};
pub use language::Language;
pub use templates::Templates;

use crate::results::Results;
use crate::study::Study;
use crate::text::Lang;

/// A rendered report: file names and contents, all below the bundle's folder.
pub struct Rendered {
    pub files: Vec<(String, String)>,
}

/// What the report states besides study and results.
pub struct Facts<'a> {
    pub inputs: &'a [InputFile],
    pub inputs_digest: &'a str,
    pub measured_digest: &'a str,
    /// The date printed, where the study or SOURCE_DATE_EPOCH gives one.
    pub date: Option<&'a str>,
}

/// How a bundle's report is made from its results.
#[derive(Clone, Copy)]
pub struct Rendition<'a> {
    pub lang: Lang,
    /// The date printed; none where neither study nor SOURCE_DATE_EPOCH gives one.
    pub date: Option<&'a str>,
    pub templates: &'a Templates,
}

/// Renders a study's results.
///
/// # Errors
/// A template that does not render, with its name and line.
pub fn render(study: &Study, results: &Results, facts: &Facts, rendition: &Rendition) -> Result<Rendered> {
    let language = rendition.templates.language(rendition.lang)?;
    let report = Report::new(study, results, facts, &language)?;
    let env = rendition.templates.environment(&language)?;
    let mut files = Vec::new();
    for name in ["report.md", "report.html"] {
        let template = env.get_template(&format!("{name}.j2")).with_context(|| format!("template {name}.j2"))?;
        let text = template.render(Serde(&report)).map_err(|e| anyhow::anyhow!("template {name}.j2: {e}"))?;
        files.push((name.to_owned(), text));
    }
    files.extend(report.figures().map(|f| (f.file.clone(), f.svg.clone())));
    Ok(Rendered { files })
}
