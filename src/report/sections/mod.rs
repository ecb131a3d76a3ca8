//! The report's sections, a file for each. This one puts them in order.

mod claims;
mod code;
mod comparisons;
mod conclusions;
mod digits;
mod diverged;
mod grid;
mod inputs;
mod lead;
mod overview;
mod parameters;
mod prelude;
mod settings;
mod shapes;
mod shown_run;
mod summary;
mod told;
mod training;
mod training_tables;
mod verify;

use minijinja::context;

use super::builder::{Builder, SectionId};
use super::document::{Block, Definition, Definitions, Document, ReportFiles, ReportSection};
use super::error::Result;
use super::templates::{PAGE, PAGE_MARKDOWN};
use super::verdicts::{self, ClaimVerdict, ConclusionVerdict, Verdicts};
use super::{Language, Provenance, own_words};
use crate::claims::{DecidedConclusion, JudgedClaim};
use crate::results::Results;
use crate::study::Study;
use crate::text::Lang;

/// Builds a study's report. Sections are built in their order, since that numbers tables and figures.
pub(super) fn document(
    study: &Study,
    results: &Results,
    provenance: &Provenance,
    date: Option<&str>,
    lang: &Language,
) -> Result<Document> {
    let b = Builder::new(study, results, provenance, lang)?;
    let judged = crate::claims::judge_in(study, results, lang.lang);
    let conclusions = crate::claims::conclude(study, results);
    let description = own_words::blocks(&b, &study.description)?;
    let lead = lead::blocks(&b, &conclusions)?;
    let summary = summary::section(&b, &judged, &conclusions)?;
    let section = |planned: &SectionId| match planned {
        SectionId::Inputs => inputs::section(&b),
        SectionId::Parameters => parameters::section(&b),
        SectionId::Shapes => shapes::section(&b),
        SectionId::Diverged => diverged::section(&b),
        SectionId::Training(number) => training::section(&b, *number, &conclusions),
        SectionId::Claims => claims::section(&b, &judged),
        SectionId::Conclusions => conclusions::section(&b, &conclusions),
        SectionId::Code => code::section(&b),
        SectionId::Verify => verify::section(&b),
        SectionId::References => references(&b),
    };
    let sections = b.outline.iter().map(section).collect::<Result<_>>()?;
    let program = crate::report::program();
    let verdicts = verdicts(&b, &judged, &conclusions)?;
    let files = |lang: Lang| ReportFiles {
        lang,
        name: lang.own_name(),
        html: provenance.languages.file_in(lang, PAGE),
        md: provenance.languages.file_in(lang, PAGE_MARKDOWN),
    };
    let others = provenance.languages.all().iter().filter(|other| **other != lang.lang);
    Ok(Document {
        lang: lang.lang,
        file: files(lang.lang),
        translations: others.map(|other| files(*other)).collect(),
        title: study.title.clone(),
        description,
        meta: meta(study, date, lang)?,
        lead,
        summary,
        contents: lang.word("summary.contents")?,
        sections,
        footer: b.text("page.footer", context! { title => study.title.as_str(), program => program.as_str() })?,
        page_footer: lang.say("page.digest", context! { digest => provenance.measured_digest })?,
        program,
        verdicts,
    })
}

/// What the study's own words refer to.
fn references(b: &Builder) -> Result<ReportSection> {
    let items = b.study.references.iter().map(|text| own_words::line(b, text)).collect::<Result<_>>()?;
    Ok(b.section(SectionId::References, b.phrase("own.references")?, vec![Block::References { items }]))
}

/// The claims and conclusions as data.
fn verdicts(b: &Builder, judged: &[JudgedClaim], conclusions: &[DecidedConclusion]) -> Result<Verdicts> {
    let claim = |j: &JudgedClaim| ClaimVerdict {
        id: j.claim.id.clone(),
        group: j.claim.group.clone(),
        quote: j.claim.quote.clone(),
        printed: j.printed.clone(),
        measured: j.measured.clone(),
        verdict: j.verdict.word().to_owned(),
    };
    let conclusion = |c: &DecidedConclusion| {
        Ok(ConclusionVerdict {
            id: c.id.clone(),
            kind: c.answer.kind().to_owned(),
            question: told::question(b, c)?.plain(),
            finding: c.finding.word().to_owned(),
            answer: told::sentence(b, c)?.plain(),
            obstacle: told::obstacle(b, c.obstacle.as_ref())?.plain(),
        })
    };
    let claims = judged.iter().map(claim).collect();
    let conclusions = conclusions.iter().map(conclusion).collect::<Result<_>>()?;
    Ok(Verdicts { schema: verdicts::SCHEMA, language: b.lang.lang, claims, conclusions })
}

fn meta(study: &Study, date: Option<&str>, lang: &Language) -> Result<Definitions> {
    let authors = study.author.as_ref().filter(|authors| !authors.names().is_empty());
    let author = authors.map(ToString::to_string);
    let are_several = authors.is_some_and(|authors| authors.names().len() > 1);
    let given = [
        (if are_several { "meta.authors" } else { "meta.author" }, author.as_deref()),
        ("meta.group", study.group.as_deref()),
        ("meta.course", study.course.as_deref()),
        ("meta.supervisor", study.supervisor.as_deref()),
        ("meta.institution", study.institution.as_deref()),
        ("meta.city", study.city.as_deref()),
    ];
    let keyed = |(key, value): (&str, Option<&str>)| {
        let value = value?;
        // As in the country's theses: the institution at the head of the page, city and date at its foot.
        let place = match key {
            "meta.institution" => "head",
            "meta.city" | "meta.date" => "foot",
            _ => "",
        };
        Some(lang.word(key).map(|word| Definition::new(word, value).at(place)))
    };
    let mut items = given.into_iter().filter_map(keyed).collect::<Result<Vec<_>>>()?;
    items.extend(study.meta.iter().map(|pair| Definition::new(pair.label.as_str(), pair.value.as_str())));
    let date = date.map(|date| lang.date(date));
    items.extend(keyed(("meta.date", date.as_deref())).transpose()?);
    Ok(Definitions { style: "meta", items })
}
