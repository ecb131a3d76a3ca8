//! README.txt: what a bundle is and how to check it, with and without the program, for who gets it as a zip.

use minijinja::context;

use super::error::Result;
use super::{Edition, Rendition};

/// The file's name in a bundle.
pub const README: &str = "README.txt";

/// Between two languages.
const RULE: &str = "\n----------------------------------------------------------------------\n\n";

/// The text in each of the report's languages, the first language first. It is listed in SHA256SUMS like any other file, so its
/// own text cannot be changed unnoticed, and a folder and its zip have one Report ID.
pub(super) fn readme(rendition: &Rendition) -> Result<String> {
    let languages = rendition.languages();
    let in_language = |edition: &Edition| {
        let values = context! {
            title => one_line(&edition.study.title),
            author => edition.study.author.as_ref().map(|author| one_line(&author.to_string())),
            first => super::templates::PAGE,
            page => languages.file_in(edition.lang, super::templates::PAGE),
        };
        Ok(rendition.templates.language_of(edition)?.say("readme.text", values)? + "\n")
    };
    Ok(rendition.editions.iter().map(in_language).collect::<Result<Vec<_>>>()?.join(RULE))
}

/// A title or name on one line: a line break in it could look like a part of the instructions.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
