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
    before: Option<Manifest>,
    pub(crate) source: Source,
    results: Results,
}

impl<'a> Rerender<'a> {
    /// Refuses results of another arithmetic, because this program would sign what it cannot reproduce.
    pub(crate) fn new(bundle: &'a Bundle) -> Result<Self, Error> {
        let source = bundle.source()?;
        claims::check_expressions(&source, &Plan::resolve(&source)?)?;
        let results = bundle.results()?;
        let environment = &results.environment;
        if !environment.is_of_this_program() {
            let reason = format!(
                "has results of libtorch {}, arithmetic {}, which this program cannot reproduce: build the study again",
                environment.libtorch, environment.arithmetic
            );
            return Err(Error::refused(&bundle.path, reason));
        }
        Ok(Self { bundle, before: bundle.manifest().ok(), source, results })
    }

    /// How to render: language and date stay as they were unless others are given.
    pub(crate) fn rendition<'r>(
        &'r self,
        lang: Option<Lang>,
        date: Option<&'r str>,
        templates: &'r Templates,
    ) -> Rendition<'r> {
        let before = self.before.as_ref();
        let lang = lang.or(before.map(|m| m.language)).unwrap_or(self.source.study.lang);
        let date = date.or_else(|| before?.date.as_deref().filter(|date| is_date(date)));
        Rendition { lang, date, templates }
    }

    /// The bundle's files with the report made again.
    pub(crate) fn files(&self, rendition: &Rendition) -> Result<Files, Error> {
        self.bundle.rendered(&self.source.study, &self.results, rendition)
    }

    /// What the templates receive, as JSON.
    pub(crate) fn context(&self, rendition: &Rendition) -> Result<String, Error> {
        template_context(self.bundle.bytes(STUDY)?, &self.source.study, &self.results, rendition)
    }
}
