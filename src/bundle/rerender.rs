//! Makes a bundle's report again from its results, without training.

use super::complete::template_context;
use super::{Bundle, Error, Files, Manifest, STUDY};
use crate::claims;
use crate::report::{Rendition, Templates};
use crate::results::Results;
use crate::study::{Plan, Source, is_date};
use crate::text::Lang;

/// A bundle whose report can be made again: its study and results, checked.
pub(crate) struct Rerender<'a> {
    bundle: &'a Bundle,
    /// The manifest of the report that is replaced, if it can be read.
    old_manifest: Option<Manifest>,
    /// The language to render in.
    lang: Lang,
    pub(crate) source: Source,
    results: Results,
}

impl<'a> Rerender<'a> {
    /// Reads and checks the bundle's study and results. The report will be in the language given here, otherwise in that of the old
    /// report.
    ///
    /// # Errors
    /// A study or results that cannot be used. Results of another arithmetic are refused, because the new manifest
    /// would name this program as the one that made them.
    pub(crate) fn new(bundle: &'a Bundle, lang: Option<Lang>) -> Result<Self, Error> {
        let old_manifest = bundle.manifest().ok();
        let lang = lang.or(old_manifest.as_ref().map(|manifest| manifest.language));
        let source = bundle.source(lang)?;
        claims::check_expressions(&source, &Plan::resolve(&source)?)?;
        let results = bundle.results()?;
        if !results.environment.is_this_arithmetic() {
            return Err(Error::OtherArithmetic { arithmetic: results.environment.arithmetic });
        }
        let lang = lang.unwrap_or(source.study.lang);
        Ok(Self { bundle, old_manifest, lang, source, results })
    }

    /// How to render: with the date given here, otherwise that of the old report.
    pub(crate) fn rendition<'r>(&'r self, date: Option<&'r str>, templates: &'r Templates) -> Rendition<'r> {
        let old = self.old_manifest.as_ref();
        let date = date.or_else(|| old?.date.as_deref().filter(|date| is_date(date)));
        Rendition { lang: self.lang, date, templates }
    }

    /// The bundle's files with the report made again.
    pub(crate) fn files(&self, rendition: &Rendition) -> Result<Files, Error> {
        self.bundle.render_again(&self.source.study, &self.results, rendition)
    }

    /// What the templates receive, as JSON.
    pub(crate) fn context(&self, rendition: &Rendition) -> Result<String, Error> {
        template_context(self.bundle.bytes(STUDY)?, &self.source.study, &self.results, rendition)
    }
}
