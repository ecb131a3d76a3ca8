//! Notes on texts of a study, for its author.

use super::Source;
use crate::text::Lang;

impl Source {
    /// Notes on what `only` left out, and on texts that a report prints in another way than was probably meant: in several languages a text that is only in one,
    /// and values in a `why`.
    ///
    /// Of the texts in one language, the first `most` are named.
    pub fn text_notes(&self, most: usize) -> Vec<String> {
        let claims = self.study.claims.iter().map(|claim| &claim.why).enumerate().map(|(i, why)| ("claims", i, why));
        let conclusions = self.study.conclusions.iter().map(|conclusion| &conclusion.why).enumerate();
        let all = claims.chain(conclusions.map(|(i, why)| ("conclusions", i, why)));
        let literal =
            all.filter(|(_, _, why)| why.as_ref().is_some_and(|why| why.contains("{{"))).map(|(list, i, _)| {
                let message =
                    "`{{ }}` is printed as it is here; values are printed in `description`, `text` and `discussion`";
                self.error(format!("{list}[{i}].why"), message).to_string()
            });
        self.notes_of_files().iter().cloned().chain(literal.take(most)).chain(self.language_notes(most)).collect()
    }

    /// Notes on texts of a study in several languages that are only in one.
    fn language_notes(&self, most: usize) -> Vec<String> {
        let note = |(key, lang): &(String, Lang)| {
            let other = self.languages.all().iter().find(|other| *other != lang).unwrap_or(lang);
            let (other, code) = (other.code(), lang.code());
            self.error(key, format!("this text is the same in every language; write {{{other}: ..., {code}: ...}}"))
                .to_string()
        };
        let mut notes: Vec<String> = self.untranslated.iter().take(most).map(note).collect();
        match self.untranslated.len().saturating_sub(most) {
            0 => {}
            more => notes.push(format!(
                "{more} more texts are the same in every language; `mnist-report summary STUDY` lists each with its line"
            )),
        }
        notes
    }
}
