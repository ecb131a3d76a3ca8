//! Notes on expressions that use values that were not measured, because of a removed run or a typo.

use super::{environment, evaluate, values};
use crate::results::Results;
use crate::study::Source;

/// The most notes shown.
const SHOWN: usize = 5;

/// The notes for the author of a study, each with its file and line.
pub fn unmeasured_notes(source: &Source, results: &Results) -> Vec<String> {
    let study = &source.study;
    let (env, values) = (environment::of_expressions(study.lang), values::of(study, results));
    let unmeasured: Vec<_> = study.expressions().filter(|(_, text)| evaluate(&env, text, &values).is_none()).collect();
    let mut notes: Vec<String> = unmeasured.iter().take(SHOWN).map(|(key, text)| note(source, key, text)).collect();
    if unmeasured.len() > SHOWN {
        notes.push(format!("and {} more like these", unmeasured.len() - SHOWN));
    }
    notes
}

fn note(source: &Source, key: &str, text: &str) -> String {
    let study = &source.study;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut names = study.runs.keys().chain(study.models.keys()).chain(study.comparisons.keys());
    // minijinja reads `runs.slim-bn` as a subtraction.
    let hint = match names.find(|name| name.contains('-') && text.contains(&format!(".{name}"))) {
        Some(name) => format!("write [\"{name}\"] for .{name}"),
        None => "is a name misspelt?".to_owned(),
    };
    source.error(key, format!("`{text}` needs something that was not measured: {hint}")).to_string()
}
