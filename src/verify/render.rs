//! Rung `render`: report, figures, manifest, crate and sums, made again from results.json, have the same bytes.

use std::collections::BTreeMap;

use super::Outcome;
use super::differing::{text_difference, text_differences};
use super::exact::has_runs_of;
use super::subject::Subject;
use crate::bundle::{Bundle, CRATE, Contents, MANIFEST, Program, RESULTS, SOURCE_SHA256, STUDY, SUMS, Sums};
use crate::digest::sha256_hex;
use crate::report::{Rendition, Templates};
use crate::text::error_chain;

/// What another version of the program's page is compared with.
const THIS_PROGRAM: &str = "this program";

pub(super) fn check(subject: &Subject) -> Outcome {
    let Contents { manifest, results, plan, .. } = &subject.contents;
    // Networks that the study does not have may be as many and as large as their author likes, and take long to draw.
    let layers = |name: &String| plan.models.get(name).map(|model| model.layers.len());
    let mut models = results.models.iter();
    if !has_runs_of(results, plan) || models.any(|(name, facts)| layers(name) != Some(facts.layers.len())) {
        return Outcome::NotChecked("its models or runs are not those of the study".into());
    }
    let editions = subject.contents.editions();
    let templates = Templates::built_in();
    let program = &manifest.program;
    let is_this_program = program.source_sha256 == SOURCE_SHA256;
    if is_this_program && program.templates_sha256 != templates.digest() {
        return Outcome::NotChecked("rendered with other templates than the built-in ones".into());
    }
    let rendition = Rendition { editions: &editions, date: manifest.date.as_deref(), templates: &templates };
    let rendered = match subject.bundle.rendered(results, &rendition, program) {
        Ok(rendered) => rendered,
        Err(_) if !is_this_program => return needs_its_program(program, None),
        Err(e) => return Outcome::Failed(vec![format!("cannot be rendered: {}", error_chain(e))]),
    };
    let differs = |path: &str| subject.bundle.files.get(path) != rendered.get(path);
    // A reader compares pages line by line.
    let different = |path: &str, given_by: &str| match (subject.bundle.files.get(path), rendered.get(path)) {
        (Some(stated), Some(given)) if is_page(path) => text_differences(path, stated, given_by, given),
        (Some(stated), Some(given)) => vec![text_difference(path, stated, given_by, given)],
        _ => vec![format!("{path} is missing, and {RESULTS} renders to it")],
    };
    // These change with every other file.
    let follow = [SUMS, CRATE, MANIFEST];
    let mut changed: Vec<&String> =
        rendered.keys().filter(|path| !follow.contains(&path.as_str()) && differs(path)).collect();
    changed.sort_by_key(|path| !is_page(path));
    let mut differences: Vec<String> = changed.into_iter().flat_map(|path| different(path, RESULTS)).collect();
    for name in [MANIFEST, CRATE] {
        if differences.is_empty() && differs(name) {
            differences.extend(different(name, "results.json and the study"));
        }
    }
    let same = "report, figures, manifest and crate have the same bytes";
    match (is_this_program, differences.is_empty()) {
        (true, _) => Outcome::of(differences, same),
        (false, true) => Outcome::Passed(vec![format!("{same}, though another version of the program built them")]),
        (false, false) => {
            let changed = rendered.iter().filter_map(|(path, given)| {
                let stated = subject.bundle.files.get(path)?;
                let is_shown = !follow.contains(&path.as_str()) && stated != given;
                is_shown.then_some((path, stated, given))
            });
            let changed: Vec<_> = changed.collect();
            let are_few = changed.iter().all(|(_, stated, given)| differ_in_few_lines(stated, given));
            let page = changed.iter().find(|(path, ..)| is_page(path)).or(changed.first()).filter(|_| are_few);
            let first = page.map(|(path, stated, given)| text_difference(path, stated, THIS_PROGRAM, given));
            needs_its_program(program, first)
        }
    }
}

/// Where pages that were changed differ from what results.json and the study give, by their paths; empty where these files or the
/// manifest were changed, too, or another version of the program wrote the bundle and renders it otherwise.
pub(super) fn changed_pages(bundle: &Bundle) -> BTreeMap<String, String> {
    let none = BTreeMap::new;
    let Some(Ok(listed)) = bundle.text(SUMS).ok().map(Sums::parse) else { return none() };
    let is_changed = |path: &str| {
        let hash = bundle.files.get(path).map(|bytes| sha256_hex(bytes));
        hash.is_none() || hash.as_ref() != listed.0.get(path)
    };
    let pages: Vec<&String> =
        bundle.files.keys().filter(|path| is_page(path) && listed.0.contains_key(*path) && is_changed(path)).collect();
    if pages.is_empty() || [RESULTS, STUDY, MANIFEST].into_iter().any(is_changed) {
        return none();
    }
    let Ok(contents) = bundle.contents() else { return none() };
    let Contents { manifest, results, .. } = &contents;
    let (templates, program) = (Templates::built_in(), &manifest.program);
    let is_this_program = program.source_sha256 == SOURCE_SHA256;
    if is_this_program && program.templates_sha256 != templates.digest() {
        return none();
    }
    let given_by = if is_this_program { RESULTS } else { THIS_PROGRAM };
    let editions = contents.editions();
    let rendition = Rendition { editions: &editions, date: manifest.date.as_deref(), templates: &templates };
    let Ok(rendered) = bundle.rendered(results, &rendition, program) else { return none() };
    let differences = pages.into_iter().filter_map(|path| {
        let (stated, given) = (bundle.files.get(path)?, rendered.get(path)?);
        let is_told = stated != given && (is_this_program || differ_in_few_lines(stated, given));
        is_told.then(|| (path.clone(), text_difference(path, stated, given_by, given)))
    });
    differences.collect()
}

/// Whether a file is a report as text, in any language.
fn is_page(path: &str) -> bool {
    path.starts_with("report.") && (path.ends_with(".html") || path.ends_with(".md"))
}

/// Another version of the program may word and draw a report in another way, so a difference proves nothing. A reader can judge
/// the first of a few.
fn needs_its_program(program: &Program, first: Option<String>) -> Outcome {
    let Program { version, source_sha256, .. } = program;
    let first = first.map_or_else(String::new, |first| format!("; {first}"));
    Outcome::NotChecked(format!(
        "needs the program that built it: mnist-report {version}, hash of the source {source_sha256}{first}"
    ))
}

/// Whether two texts differ in so few lines that a reader can judge the difference. Another version of the program that words
/// a report in another way changes more.
fn differ_in_few_lines(a: &[u8], b: &[u8]) -> bool {
    const FEW: usize = 5;
    let lines = |text: &[u8]| text.split(|byte| *byte == b'\n').count();
    let differing = a.split(|byte| *byte == b'\n').zip(b.split(|byte| *byte == b'\n')).filter(|(a, b)| a != b);
    lines(a) == lines(b) && differing.count() <= FEW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_in_few_lines_can_be_judged() {
        let text =
            |changed: usize| (0..20).map(|i| format!("{}\n", if i < changed { 100 } else { i })).collect::<String>();
        let differ = |a: &str, b: &str| differ_in_few_lines(a.as_bytes(), b.as_bytes());
        assert!(differ(&text(0), &text(1)) && differ(&text(0), &text(5)));
        assert!(!differ(&text(0), &text(6)), "too many");
        assert!(!differ(&text(0), &(text(0) + "more\n")), "another number of lines");
    }
}
