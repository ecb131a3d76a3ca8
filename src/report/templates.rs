//! The templates that render a document: built into the program, or replaced by a folder's files.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::Edition;
use super::document::Document;
use super::error::{Error, Result};
use super::escape;
use super::language::{Language, catalogue_name};
use crate::text::Lang;

/// The built-in files of templates/, by name.
const BUILT_IN: [(&str, &str); 7] = [
    ("page.md.j2", include_str!("../../templates/page.md.j2")),
    ("blocks.md.j2", include_str!("../../templates/blocks.md.j2")),
    ("page.html.j2", include_str!("../../templates/page.html.j2")),
    ("blocks.html.j2", include_str!("../../templates/blocks.html.j2")),
    ("style.css", include_str!("../../templates/style.css")),
    ("en.yaml", include_str!("../../templates/en.yaml")),
    ("uk.yaml", include_str!("../../templates/uk.yaml")),
];

/// The page about several bundles. No report is made from it, so it is not in the digest of templates that a bundle has.
const COURSE: (&str, &str) = ("course.html.j2", include_str!("../../templates/course.html.j2"));

/// The report as a web page, in its first language.
pub(crate) const PAGE: &str = "report.html";
/// The report as Markdown, in its first language.
pub(super) const PAGE_MARKDOWN: &str = "report.md";

/// A set of templates, name and text.
pub struct Templates(Vec<(String, String)>);

impl Templates {
    /// Those built into the program.
    pub fn built_in() -> Self {
        Self(BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// The built-in ones, each replaced by the file of its name in a folder, if there is one.
    ///
    /// # Errors
    /// A folder or file that cannot be read, or a template of a name that is not built in.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::NoFolder(folder.to_owned()));
        }
        let mut templates = Self::built_in();
        for entry in std::fs::read_dir(folder).map_err(|source| Error::Read { path: folder.to_owned(), source })? {
            let path = entry.map_err(|source| Error::Read { path: folder.to_owned(), source })?.path();
            let name = path.file_name().unwrap_or_default();
            if let Some((_, text)) = templates.0.iter_mut().find(|(n, _)| name == n.as_str()) {
                *text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path, source })?;
            } else if path.extension().is_some_and(|e| e == "j2") {
                return Err(Error::UnknownTemplate { path, known: BUILT_IN.map(|(name, _)| name).join(", ") });
            }
        }
        Ok(templates)
    }

    /// The SHA-256 over all of them.
    pub fn digest(&self) -> String {
        let list: String =
            self.0.iter().map(|(n, t)| format!("{}  {n}\n", crate::digest::sha256_hex(t.as_bytes()))).collect();
        crate::digest::sha256_hex(list.as_bytes())
    }

    /// The language of an edition, with the phrases for its study's data set.
    ///
    /// # Errors
    /// As [`Templates::language`].
    pub fn language_of(&self, edition: &Edition) -> Result<Language> {
        Ok(self.language(edition.lang)?.about(&edition.study))
    }

    /// A language, from its catalogue.
    ///
    /// # Errors
    /// A catalogue that cannot be read, with the key of what is wrong.
    pub fn language(&self, lang: Lang) -> Result<Language> {
        let name = catalogue_name(lang);
        let catalogue = self.0.iter().find(|(n, _)| n == name).map_or("", |(_, text)| text.as_str());
        Language::read(lang, catalogue)
    }

    /// The report's pages: name and text.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn render(&self, document: &Document) -> Result<Vec<(String, String)>> {
        let env = self.environment()?;
        let page = |(file, name): (&str, &str)| {
            let text = env.get_template(name).and_then(|template| template.render(Serde(document)));
            Ok((file.to_owned(), text.map_err(|source| Error::Template { name: name.to_owned(), source })?))
        };
        [(&*document.file.md, "page.md.j2"), (&*document.file.html, "page.html.j2")].into_iter().map(page).collect()
    }

    /// The page about several bundles.
    ///
    /// # Errors
    /// A template that cannot be rendered.
    pub fn course(&self, page: &impl Serialize) -> Result<String> {
        let (name, text) = COURSE;
        let failed = |source| Error::Template { name: name.to_owned(), source };
        let mut env = self.environment()?;
        env.add_template(name, text).map_err(failed)?;
        env.get_template(name).and_then(|template| template.render(Serde(page))).map_err(failed)
    }

    pub(super) fn environment(&self) -> Result<Environment<'_>> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        env.set_syntax(syntax.build().expect("the default delimiters are valid"));
        // Values are escaped by the format of the file that prints them.
        env.set_auto_escape_callback(|name| match name {
            name if name.ends_with(".html.j2") => AutoEscape::Html,
            name if name.ends_with(".md.j2") => AutoEscape::Custom("markdown".into()),
            _ => AutoEscape::None,
        });
        env.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::Custom(_) if !value.is_safe() => {
                out.write_str(&escape::markdown(&value.to_string())).map_err(minijinja::Error::from)
            }
            AutoEscape::Custom(_) => write!(out, "{value}").map_err(minijinja::Error::from),
            _ => minijinja::escape_formatter(out, state, value),
        });
        env.add_filter("tied", |text: String| escape::tied(&text));
        env.add_filter("unbroken", |text: String| escape::unbroken(&text));
        env.add_filter("code_span", |text: String| Value::from_safe_string(escape::code_span(&text)));
        env.add_filter("code_cell", |text: String| Value::from_safe_string(escape::code_cell(&text)));
        env.add_filter("link_target", |url: String| Value::from_safe_string(escape::link_target(&url)));
        env.add_filter("fenced", |text: String, language: String| {
            Value::from_safe_string(escape::fenced(&text, &language))
        });
        env.add_filter("quotation", |text: String| Value::from_safe_string(escape::quotation(&text)));
        env.add_filter("css", |text: String| Value::from_safe_string(escape::css_string(&text)));
        for (name, text) in self.0.iter().filter(|(name, _)| !name.ends_with(".yaml")) {
            env.add_template(name, text).map_err(|source| Error::Template { name: name.clone(), source })?;
        }
        Ok(env)
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn a_phrase_is_escaped_for_the_format_it_is_printed_in() {
        let catalogue = "a: {b: \"{{ x }} in {{ 'f|g'|code }} & {{ 'so'|em }}\"}";
        let language = Language::read(Lang::En, catalogue).unwrap();
        let values = || context! { x => "<i>*" };
        assert_eq!(language.say("a.b", values()).unwrap(), "<i>* in f|g & so");
        let phrase = language.text("a.b", values()).unwrap();
        let templates = Templates::built_in();
        let mut env = templates.environment().unwrap();
        for format in ["html", "md"] {
            let source = format!("{{% import 'blocks.{format}.j2' as blocks %}}{{{{ blocks.inline(text) }}}}");
            env.add_template_owned(format!("r.{format}.j2"), source).unwrap();
        }
        let text = Value::from(Serde(&phrase));
        let shown = |name: &str| env.get_template(name).unwrap().render(context! { text => text.clone() }).unwrap();
        assert_eq!(shown("r.html.j2"), "&lt;i&gt;* in <code>f|g</code> &amp; <em>so</em>");
        assert_eq!(shown("r.md.j2"), "\\<i\\>\\* in `f|g` &amp; *so*");
    }
}
