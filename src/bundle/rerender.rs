//! Makes a bundle's report again from its results, without training.

use super::{Bundle, Error, Files, Manifest, STUDY, template_context};
use crate::claims;
use crate::report::{Rendition, Templates};
use crate::results::Results;
use crate::study::{Source, is_date};
use crate::text::Lang;

/// A bundle whose report can be made again: its study and results, checked.
pub struct Rerender<'a> {
    bundle: &'a Bundle,
    /// The manifest of the report that is replaced, if it can be read.
    before: Option<Manifest>,
    /// The bundle's study.
    pub source: Source,
    /// The bundle's results.
    pub results: Results,
}

impl<'a> Rerender<'a> {
    /// Reads and checks what the report is made from.
    ///
    /// # Errors
    /// A study or results that cannot be read, or results of another arithmetic: this program would sign what it cannot
    /// reproduce.
    pub fn new(bundle: &'a Bundle) -> Result<Self, Error> {
        let source = bundle.source()?;
        claims::check_syntax(&source).map_err(|e| Error::Study(e.into()))?;
        let results = bundle.results()?;
        let environment = &results.environment;
        if !environment.is_of_this_program() {
            return Err(Error::OtherArithmetic {
                path: bundle.path.clone(),
                libtorch: environment.libtorch.clone(),
                arithmetic: environment.arithmetic,
            });
        }
        Ok(Self { bundle, before: bundle.manifest().ok(), source, results })
    }

    /// How to render: language and date stay as they were unless others are given.
    pub fn rendition<'r>(
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
    ///
    /// # Errors
    /// A report that cannot be rendered.
    pub fn files(&self, rendition: &Rendition) -> Result<Files, Error> {
        self.bundle.rendered(&self.source.study, &self.results, rendition)
    }

    /// What the templates receive, as JSON.
    ///
    /// # Errors
    /// A figure that cannot be drawn.
    pub fn context(&self, rendition: &Rendition) -> Result<String, Error> {
        template_context(self.bundle.bytes(STUDY)?, &self.source.study, &self.results, rendition)
    }
}
