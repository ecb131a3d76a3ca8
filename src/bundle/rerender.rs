//! Renders a bundle's report again from its results, without training.

use super::complete::template_context;
use super::{Bundle, Error, Files, Manifest};
use crate::claims;
use crate::report::{Edition, Rendition, Templates};
use crate::results::Results;
use crate::study::{Plan, is_date};
use crate::text::{Lang, Languages};

/// A bundle with a checked study and checked results, whose report can be rendered again.
pub(crate) struct Rerender<'a> {
    bundle: &'a Bundle,
    /// The manifest of the report that is replaced, if it can be read.
    old_manifest: Option<Manifest>,
    /// The study in each language to render in.
    pub(crate) editions: Vec<Edition>,
    results: Results,
}

impl<'a> Rerender<'a> {
    /// Reads and checks the bundle's study and results. The report will be in `languages`, by default in those of the
    /// old report.
    ///
    /// # Errors
    /// The study or the results cannot be used. Results of another arithmetic are refused, because the new manifest
    /// would name this program as their maker.
    pub(crate) fn new(bundle: &'a Bundle, languages: Option<Languages>) -> Result<Self, Error> {
        let old_manifest = bundle.manifest().ok();
        let languages = languages.or(old_manifest.as_ref().map(|manifest| manifest.languages.clone()));
        let languages = languages.map_or_else(|| Ok(bundle.source(None)?.languages), Ok::<_, Error>)?;
        let edition = |lang: &Lang| {
            let source = bundle.source(Some(*lang))?;
            claims::check_expressions(&source, &Plan::resolve(&source)?)?;
            Ok(Edition { lang: *lang, study: source.study })
        };
        let editions = languages.all().iter().map(edition).collect::<Result<_, Error>>()?;
        let results = bundle.results()?;
        if !results.environment.is_this_arithmetic() {
            return Err(Error::OtherArithmetic { arithmetic: results.environment.arithmetic });
        }
        Ok(Self { bundle, old_manifest, editions, results })
    }

    /// How to render the report: with `date`, by default that of the old report.
    pub(crate) fn rendition<'r>(&'r self, date: Option<&'r str>, templates: &'r Templates) -> Rendition<'r> {
        let old = self.old_manifest.as_ref();
        let date = date.or_else(|| old?.date.as_deref().filter(|date| is_date(date)));
        Rendition { editions: &self.editions, date, templates }
    }

    /// The bundle's files with the new report.
    pub(crate) fn files(&self, rendition: &Rendition) -> Result<Files, Error> {
        self.bundle.render_again(&self.results, rendition)
    }

    /// The input of the templates, as JSON.
    pub(crate) fn context(&self, rendition: &Rendition) -> Result<String, Error> {
        template_context(&self.bundle.files, &self.results, rendition)
    }
}
