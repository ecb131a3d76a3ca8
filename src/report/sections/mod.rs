//! The report's sections, a file for each. This one puts them in order.

mod claims;
mod comparisons;
mod conclusions;
mod digits;
mod diverged;
mod inputs;
mod parameters;
mod prelude;
mod settings;
mod shapes;
mod summary;
mod training;
mod verify;

use minijinja::context;

use super::builder::Builder;
use super::document::{Definition, Definitions, Document, paragraphs};
use super::error::Result;
use super::{Language, Provenance};
use crate::results::{Results, RunResult};
use crate::study::Study;

/// Builds a study's report. Sections are built in their order, since that numbers tables and figures.
pub(super) fn document(
    study: &Study,
    results: &Results,
    provenance: &Provenance,
    date: Option<&str>,
    lang: &Language,
) -> Result<Document> {
    let b = Builder::new(study, results, provenance, lang)?;
    let judged = crate::claims::judge(study, results);
    let conclusions = crate::claims::conclude(study, results);
    let summary = summary::section(&b, &judged, &conclusions)?;
    let mut sections = vec![inputs::section(&b)?, parameters::section(&b)?, shapes::section(&b)?];
    if !results.diverged.is_empty() {
        sections.push(diverged::section(&b)?);
    }
    for (i, section) in b.training.iter().enumerate() {
        sections.push(training::section(&b, i + 1, section)?);
    }
    if !study.claims.is_empty() {
        sections.push(claims::section(&b, &judged)?);
    }
    if !conclusions.is_empty() {
        sections.push(conclusions::section(&b, &conclusions)?);
    }
    sections.push(verify::section(&b)?);
    let program = inputs::program();
    Ok(Document {
        lang: lang.lang,
        title: study.title.clone(),
        description: paragraphs(&study.description).collect(),
        meta: meta(study, date, lang)?,
        summary,
        contents: lang.word("summary.contents")?,
        sections,
        footer: b.text("page.footer", context! { title => study.title.as_str(), program => program.as_str() })?,
        page_footer: lang.say("page.digest", context! { digest => provenance.measured_digest })?,
        program,
    })
}

fn meta(study: &Study, date: Option<&str>, lang: &Language) -> Result<Definitions> {
    let all = [
        ("meta.author", study.author.as_deref()),
        ("meta.group", study.group.as_deref()),
        ("meta.course", study.course.as_deref()),
        ("meta.institution", study.institution.as_deref()),
        ("meta.date", date),
    ];
    let given = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let items = given.map(|(key, value)| Ok(Definition::new(lang.word(key)?, value)));
    Ok(Definitions { style: "meta", items: items.collect::<Result<_>>()? })
}

/// A run's title where the report shows only its first seed: it names the seed if there are several.
fn first_seed_title(title: &str, run: &RunResult, lang: &Language) -> Result<String> {
    match run.seeds.as_slice() {
        [first, _, ..] => lang.say("run.of_seed", context! { title, seed => first.seed.to_string() }),
        _ => Ok(title.to_owned()),
    }
}
