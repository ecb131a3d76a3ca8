//! Part of rung `exact`: the verdicts and findings in conclusions.json are those that results.json gives, in any language and by
//! any version of the program that words its answers differently.

use super::subject::Subject;
use crate::bundle::{Contents, SOURCE_SHA256};
use crate::claims::{Verdict, check_expressions, conclude, decided_by_language, judge};
use crate::report::{CONCLUSIONS, Verdicts};
use crate::study::{Plan, Source};
use crate::text::error_chain;

/// The first difference; `None` also if a bundle of an earlier program has no such file.
pub(super) fn difference(subject: &Subject) -> Option<String> {
    let Contents { manifest, source, translations, .. } = &subject.contents;
    let others = match source.in_languages_but(manifest.languages.all()) {
        Ok(others) => others,
        Err(e) => return Some(error_chain(e)),
    };
    // Also in the languages that the bundle has no page in.
    let sources: Vec<&Source> = std::iter::once(source).chain(translations).chain(&others).collect();
    // Another version of the program may accept other expressions, and find more claims that test nothing, or fewer.
    let is_this_program = manifest.program.source_sha256 == SOURCE_SHA256;
    if is_this_program && let Some(fault) = sources.iter().find_map(|source| refused_expressions(source)) {
        return Some(format!("`build` refuses this study: {fault}"));
    }
    let studies = sources.iter().map(|source| &source.study);
    if let Some(id) = decided_by_language(studies, &subject.contents.results).first() {
        return Some(format!("`{id}` is decided in one language of the study in another way than in another"));
    }
    let file = subject.bundle.files.get(CONCLUSIONS)?;
    let stated: Verdicts = match serde_json::from_slice(file) {
        Ok(stated) => stated,
        Err(e) => return Some(format!("{CONCLUSIONS} cannot be read: {e}")),
    };
    let (study, results) = (subject.contents.study(), &subject.contents.results);
    let word = |word: &str| {
        let is_alike = !is_this_program && word == Verdict::TestsNothing.word();
        if is_alike { Verdict::Matches.word().to_owned() } else { word.to_owned() }
    };
    let judged = judge(study, results).into_iter().map(|j| (j.claim.id.clone(), word(j.verdict.word())));
    let concluded = conclude(study, results).into_iter().map(|c| (c.id, c.finding.word().to_owned()));
    let claims = stated.claims.into_iter().map(|c| (c.id, word(&c.verdict)));
    let conclusions = stated.conclusions.into_iter().map(|c| (c.id, c.finding));
    let given: Vec<(String, String)> = judged.chain(concluded).collect();
    let stated: Vec<(String, String)> = claims.chain(conclusions).collect();
    if stated.len() != given.len() {
        return Some(format!("{CONCLUSIONS} has {} claims and conclusions, the study {}", stated.len(), given.len()));
    }
    let (one, other) = stated.iter().zip(&given).find(|(one, other)| one != other)?;
    Some(format!("{CONCLUSIONS}: `{}` is {}, by the results `{}` is {}", one.0, one.1, other.0, other.1))
}

/// Why this program does not build a report of the study's expressions.
fn refused_expressions(source: &Source) -> Option<String> {
    let check = || check_expressions(source, &Plan::resolve(source)?);
    check().err().map(error_chain)
}
