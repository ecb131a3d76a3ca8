//! Notes on texts of a study, for its author.

use std::fmt::Write as _;

use super::unread_markup::unread_markup;
use super::{Conclusion, Kind, OrderPair, Rule, Source, StudyError};
use crate::text::Lang;

impl Source {
    /// Notes on what `only` left out, on conclusions that two seeds leave undecided, and on texts that a report prints in another way
    /// or place than was probably meant: texts that a comment cuts, Markdown that is not read as such, values in a `why`, a `why` far
    /// from the results, and texts in one of several languages.
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
        let notes = self.notes_of_files().iter().cloned().chain(self.two_seeds_note(most)).chain(literal.take(most));
        let notes = notes.chain(self.unanswered_notes().into_iter().take(most));
        let markup = markup.iter().map(StudyError::to_string).take(most);
        notes.chain(markup).chain(self.language_note(langs, most)).collect()
    }

    /// A note on conclusions that cannot be decided, or comparisons that have no interval, because a run has two seeds.
    fn two_seeds_note(&self, most: usize) -> Option<String> {
        let study = &self.study;
        let has_two = |run: &&String| study.runs.get(*run).is_some_and(|run| run.seeds.len() == 2);
        let compared = |name: &String| {
            let comparison = study.comparisons.get(name)?;
            [&comparison.run, &comparison.against].into_iter().find(has_two)
        };
        let of_rule = |rule: &'_ Rule| match rule {
            Rule::Kind(Kind::KeepsAccuracy(name) | Kind::Better(name)) => compared(name).cloned(),
            Rule::Kind(Kind::BestOf(runs)) => runs.iter().find(has_two).cloned(),
            Rule::Kind(Kind::OrderMatters(OrderPair { shuffled, ordered })) => {
                [shuffled, ordered].into_iter().find(has_two).cloned()
            }
            _ => None,
        };
        let undecided: Vec<(String, &String)> =
            study.conclusions.iter().filter_map(|c| Some((of_rule(&c.rule)?, &c.id))).collect();
        let is_shown = |name: &&String| {
            study.sections.is_empty() || study.sections.iter().any(|section| section.comparisons.contains(name))
        };
        let shown = study.comparisons.keys().filter(is_shown);
        let without: Vec<(String, &String)> = shown.filter_map(|name| Some((compared(name)?.clone(), name))).collect();
        let (concerned, what) =
            if undecided.is_empty() { (without, "will have none") } else { (undecided, "will be undecided") };
        let (run, _) = concerned.first()?;
        let mut names: Vec<String> = concerned.iter().take(most).map(|(_, name)| format!("`{name}`")).collect();
        let more = concerned.len() - names.len();
        names.extend((more > 0).then(|| format!("{more} more")));
        let names = names.join(", ");
        let message = format!("two seeds give no interval, so {names} {what}; take one seed or at least three");
        Some(self.error(format!("runs.{run}.seeds"), message).to_string())
    }

    /// Notes on conclusions with a `why` that no section shows, unless a section answers the same question. Those by the study's own
    /// conditions are in the first section.
    fn unanswered_notes(&self) -> Vec<String> {
        let study = &self.study;
        let is_in_section = |id: &String| study.sections.iter().any(|section| section.answers.contains(id));
        let is_answered = |kind: &Kind| {
            let is_same = |rule: &Rule| matches!(rule, Rule::Kind(other) if other == kind);
            study.conclusions.iter().any(|c| is_same(&c.rule) && is_in_section(&c.id))
        };
        let note = |(i, c): (usize, &Conclusion)| match &c.rule {
            Rule::Kind(kind) if c.why.is_some() && !study.sections.is_empty() && !is_answered(kind) => {
                let message = format!(
                    "no section has `{}` in its `answers`, so its `why` is printed only near the end of the report, \
                     with the rules of all conclusions",
                    c.id
                );
                Some(self.error(format!("conclusions[{i}]"), message).to_string())
            }
            _ => None,
        };
        study.conclusions.iter().enumerate().filter_map(note).collect()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const STUDY: &str = "title: T
models: {m: {layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {model: m, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1, 2]}
runs: {a: {}, b: {epochs: 2}, c: {epochs: 3}}
comparisons: {ab: {run: a, against: b, margin: 0.01}, bc: {run: b, against: c}}
sections:
  - {title: S, answers: [better-ab], comparisons: [bc], runs: [a, b, c]}
conclusions:
  - {better: ab, why: Shown.}
  - {id: other, better: ab, why: Answered in the section.}
  - {keeps_accuracy: ab}
  - {learns: a, why: Because.}
";

    fn notes(from: &str, to: &str) -> Vec<String> {
        assert!(STUDY.contains(from), "{from}");
        Source::from_text(Path::new("s.yaml"), &STUDY.replace(from, to)).unwrap().text_notes(3)
    }

    #[test]
    fn conclusions_that_two_seeds_leave_undecided_are_noted() {
        let of_two = "s.yaml:3: defaults.seeds: two seeds give no interval, so `better-ab`, `other`, \
                      `keeps-accuracy-ab` will be undecided; take one seed or at least three";
        let unanswered = "s.yaml:12: conclusions[3]: no section has `learns-a` in its `answers`, so its `why` is \
                          printed only near the end of the report, with the rules of all conclusions";
        assert_eq!(notes("T", "T"), [of_two, unanswered]);
        for seeds in ["[1]", "[1, 2, 3]"] {
            assert_eq!(notes("[1, 2]", seeds), [unanswered]);
        }
        let more = notes("  - {learns: a, why: Because.}", "  - {best_of: [a, b]}\n  - {best_of: [b, c]}");
        assert_eq!(more, [of_two.replace(" will be", ", 2 more will be")]);
        let of_section = STUDY.split_once("conclusions:").unwrap().0.replace("answers: [better-ab], ", "");
        let of_section = Source::from_text(Path::new("s.yaml"), &of_section).unwrap().text_notes(3);
        assert_eq!(
            of_section[0],
            "s.yaml:3: defaults.seeds: two seeds give no interval, so `bc` will have none; take one seed or at least \
             three"
        );
    }

    #[test]
    fn two_seeds_are_noted_only_where_something_rests_on_a_difference() {
        let alone = "comparisons: {ab: {run: a, against: b, margin: 0.01}, bc: {run: b, against: c}}\n";
        let study = STUDY.replace(alone, "").replace("answers: [better-ab], comparisons: [bc], ", "");
        let (study, _) = study.split_once("conclusions:").unwrap();
        let notes = |study: &str| Source::from_text(Path::new("s.yaml"), study).unwrap().text_notes(3);
        assert_eq!(notes(study), [""; 0]);
        assert_eq!(notes(&format!("{study}conclusions: [{{learns: a}}]\n")), [""; 0]);
        let order = "conclusions: [{order_matters: {shuffled: a, ordered: b}}]\n";
        let two_and_three = study
            .replace("b: {epochs: 2}", "b: {train: {order: by_class}}")
            .replace("seeds: [1, 2]}\n", "seeds: [1, 2, 3]}\n")
            .replace("{a: {}", "{a: {seeds: [1, 2]}");
        let expected = "s.yaml:4: runs.a.seeds: two seeds give no interval, so `order-matters-a-b` will be undecided; \
                        take one seed or at least three";
        assert_eq!(notes(&(two_and_three + order)), [expected]);
    }
}
