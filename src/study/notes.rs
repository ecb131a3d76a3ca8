//! Notes on texts of a study, for its author.

use std::fmt::Write as _;

use super::unread_markup::unread_markup;
use super::{Source, StudyError};
use crate::text::Lang;

impl Source {
    /// Notes on what `only` left out, and on texts that a report prints in another way than was probably meant: texts that a comment
    /// cuts, Markdown that is not read as such, values in a `why`, and texts in one of several languages.
    ///
    /// Of each kind, `most` are named.
    pub fn text_notes(&self, most: usize) -> Vec<String> {
        self.text_notes_in(self.languages.all(), most)
    }

    /// As [`Source::text_notes`], for a report in these languages.
    pub fn text_notes_in(&self, langs: &[Lang], most: usize) -> Vec<String> {
        let claims = self.study.claims.iter().map(|claim| &claim.why).enumerate().map(|(i, why)| ("claims", i, why));
        let conclusions = self.study.conclusions.iter().map(|conclusion| &conclusion.why).enumerate();
        let all = claims.chain(conclusions.map(|(i, why)| ("conclusions", i, why)));
        let literal =
            all.filter(|(_, _, why)| why.as_ref().is_some_and(|why| why.contains("{{"))).map(|(list, i, _)| {
                let message =
                    "`{{ }}` is printed as it is here; values are printed in `description`, `text` and `discussion`";
                self.error(format!("{list}[{i}].why"), message).to_string()
            });
        let markup = self.unread_markup();
        let notes = self.notes_of_files().iter().cloned().chain(literal.take(most));
        let markup = markup.iter().map(StudyError::to_string).take(most);
        notes.chain(markup).chain(self.language_note(langs, most)).collect()
    }

    /// Markdown of the study's own words that is printed as it was typed, in all languages.
    fn unread_markup(&self) -> Vec<StudyError> {
        let others = self.in_languages_but(&[self.study.lang]).unwrap_or_default();
        let mut found: Vec<StudyError> = Vec::new();
        for study in std::iter::once(self).chain(&others).map(|source| &source.study) {
            for (key, text) in study.own_words() {
                for (at, message) in unread_markup(text) {
                    let note = self.error_after(study.lang, &key, &text[..at], message);
                    // A text that is the same in every language is noted once.
                    if !found.iter().any(|other| (&other.key, other.line) == (&note.key, note.line)) {
                        found.push(note);
                    }
                }
            }
        }
        found
    }

    /// A note on the texts that are only in one of several languages.
    fn language_note(&self, langs: &[Lang], most: usize) -> Option<String> {
        let mut all = self.untranslated.iter().filter(|(_, lang)| langs.len() > 1 && langs.contains(lang));
        let (key, lang) = all.next()?;
        let other = langs.iter().find(|other| *other != lang)?;
        let (other, code) = (other.code(), lang.code());
        let mut message = format!("this text is the same in every language; write {{{other}: ..., {code}: ...}}");
        if langs.iter().any(|lang| !self.languages.all().contains(lang)) {
            let codes: Vec<&str> = langs.iter().map(|lang| lang.code()).collect();
            let _ = write!(message, " and `lang: [{}]`", codes.join(", "));
        }
        let others: Vec<&String> = all.map(|(key, _)| key).collect();
        let named: Vec<String> = others.iter().take(most).map(|key| self.key_with_line(key)).collect();
        if !named.is_empty() {
            let _ = write!(message, "; the same holds for {}", named.join(", "));
        }
        if others.len() > named.len() {
            let more = others.len() - named.len();
            let _ = write!(message, " and {more} more, which `mnist-report summary STUDY` lists");
        }
        Some(self.error(key, message).to_string())
    }

    fn key_with_line(&self, key: &str) -> String {
        self.error(key, "").line.map_or_else(|| key.to_owned(), |line| format!("{key} (line {line})"))
    }
}
