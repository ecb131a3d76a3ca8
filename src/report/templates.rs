//! The templates: built into the program, or a folder's in their place.
//!
//! Owns where they come from and how text is escaped in each.

use std::path::Path;

use anyhow::{Context, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value};

use super::language::{Language, catalogue_name, tie};
use crate::text::Lang;

/// The built-in files of templates/, by name.
const BUILT_IN: [(&str, &str); 6] = [
    ("report.md.j2", include_str!("../../templates/report.md.j2")),
    ("report.html.j2", include_str!("../../templates/report.html.j2")),
    ("macros.html.j2", include_str!("../../templates/macros.html.j2")),
    ("style.css", include_str!("../../templates/style.css")),
    ("en.yaml", include_str!("../../templates/en.yaml")),
    ("uk.yaml", include_str!("../../templates/uk.yaml")),
];

/// A set of templates, name and text.
pub struct Templates(Vec<(String, String)>);

impl Templates {
    /// Those built into the program.
    pub fn built_in() -> Self {
        Self(BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    /// The built-in ones, each replaced by the file of its name in a folder, where it has one.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        anyhow::ensure!(folder.is_dir(), "{} is not a folder of templates", folder.display());
        let mut templates = Self::built_in();
        for (name, text) in &mut templates.0 {
            let path = folder.join(&name);
            if path.exists() {
                *text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
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

    /// A language, from its catalogue.
    ///
    /// # Errors
    /// A catalogue that cannot be read, with the key of what is wrong.
    pub fn language(&self, lang: Lang) -> Result<Language> {
        let name = catalogue_name(lang);
        let catalogue = self.0.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str());
        Language::read(lang, catalogue.with_context(|| format!("no template {name}"))?)
    }

    pub(super) fn environment(&self, language: &Language) -> Result<Environment<'_>> {
        let mut env = Environment::new();
        language.teach(&mut env).map_err(|e| anyhow::anyhow!("{e}"))?;
        let syntax =
            SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?;
        env.set_syntax(syntax);
        // What is safe already (a phrase, code) stays as it is.
        env.add_filter("md", |text: Value| match text.is_safe() {
            true => text,
            false => Value::from_safe_string(markdown_escape(&text.to_string())),
        });
        env.add_filter("tied", |text: Value| match text.is_safe() {
            true => Value::from_safe_string(tie(&text.to_string())),
            false => Value::from(tie(&text.to_string())),
        });
        env.add_filter("css", |text: String| Value::from_safe_string(css_string(&text)));
        for (name, text) in self.0.iter().filter(|(name, _)| !name.ends_with(".yaml")) {
            env.add_template(name, text).map_err(|e| anyhow::anyhow!("template {name}: {e}"))?;
        }
        Ok(env)
    }
}

/// Text as a string of CSS, without its quotes: whatever is no letter or digit is escaped (CSS Syntax 3, 4.3.7).
fn css_string(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("\\{:x} ", u32::from(c)) }).collect()
}

/// Text that Markdown shows as it stands, in a paragraph or a table's cell.
pub(super) fn markdown_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // What would begin a list: a dash or plus, or a number with its dot.
    let text = text.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let text = match text.as_bytes().get(digits) {
        Some(b'-' | b'+') if digits == 0 => {
            escaped.push('\\');
            text
        }
        Some(b'.' | b')') if digits > 0 && !text[digits + 1..].starts_with(|c: char| c.is_ascii_digit()) => {
            escaped.push_str(&text[..digits]);
            escaped.push('\\');
            &text[digits..]
        }
        _ => text,
    };
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' => escaped.extend(['\\', c]),
            '&' => escaped.push_str("&amp;"),
            '\n' => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Text as a code span of Markdown, between more backticks than it has in a row (CommonMark 0.31, 6.1).
pub(super) fn code_span(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_shown_as_it_stands() {
        assert_eq!(code_span("a < b|c"), "`a < b|c`");
        assert_eq!(code_span("`a` or ``b``"), "``` `a` or ``b`` ```");
    }

    #[test]
    fn a_style_sheet_cannot_be_broken_by_text() {
        assert_eq!(css_string("Їжак 1\"</style>"), r"Їжак\20 1\22 \3c \2f style\3e ");
    }

    #[test]
    fn markdown_cannot_be_broken_by_text() {
        assert_eq!(markdown_escape("a|b *c* [d](e)\n<f>"), r"a\|b \*c\* \[d\](e) \<f\>");
    }
}
