//! The first section: what was asked, and what was found. All runs in one table, for the section on inputs.

use super::claims::count;
use super::conclusions::{badge, limit};
use super::prelude::*;
use super::{grid, settings, told};
use crate::claims::{Answer, DecidedConclusion, JudgedClaim, Verdict};
use crate::results::{AnyRun, ModelFacts, RunResult};

pub(super) fn section(b: &Builder, claims: &[JudgedClaim], conclusions: &[DecidedConclusion]) -> Result<ReportSection> {
    let mut blocks = Vec::new();
    if !conclusions.is_empty() {
        let item = |(i, c): (usize, &DecidedConclusion)| {
            let mut text = told::brief(b, c)?.then(evidence(b, &c.id)?);
            // The answers of the other kinds are in another section, with the remark.
            if matches!(c.answer, Answer::Own { .. }) {
                text = told::with_remark(b, text, c)?;
            }
            let (badge, limit) = (badge(b, c)?, limit(b, c)?);
            Ok(FindingItem { number: i + 1, badge, limit, question: told::question(b, c)?, text })
        };
        let items = conclusions.iter().enumerate().map(item).collect::<Result<_>>()?;
        blocks.push(Block::Findings { items });
    }
    blocks.extend(grid::sentence(b)?.map(Block::paragraph));
    let all = b.runs();
    if !all.is_empty() {
        let names: Vec<&str> = b.results.diverged.keys().map(|name| b.run_title(name)).collect();
        if !names.is_empty() {
            let (section, n, titles) =
                (b.section_link(SectionId::Diverged, "diverged")?, names.len(), names.join("; "));
            let values = context! { section, n, all => all.len(), titles };
            blocks.push(Block::paragraph(b.text("summary.diverged", values)?));
        }
    }
    if !b.study.claims.is_empty() {
        let section = b.section_link(SectionId::Claims, "claims")?;
        let count = |verdict| count(claims, verdict);
        let (matches, differs) = (count(Verdict::Matches), count(Verdict::Differs));
        let not_measured = count(Verdict::NotMeasured);
        let nothing = count(Verdict::TestsNothing);
        let values = context! { section, all => claims.len(), matches, differs, not_measured, nothing };
        blocks.push(Block::paragraph(b.text("summary.claims", values)?));
    }
    Ok(ReportSection { number: None, id: "summary".to_owned(), heading: b.phrase("summary.heading")?, blocks })
}

/// A link to the section with the whole answer: the section on training that gives it, otherwise that on conclusions.
fn evidence(b: &Builder, id: &str) -> Result<RichText> {
    let answering = b.training.iter().position(|section| section.answers.iter().any(|answer| answer == id));
    let (section, anchor) = match answering {
        Some(index) => (SectionId::Training(index + 1), format!("training-{}", index + 1)),
        None => (SectionId::Conclusions, "conclusions".to_owned()),
    };
    b.text("summary.evidence", context! { section => b.section_link(section, &anchor)? })
}

/// All runs in one table.
pub(super) fn runs(b: &Builder, all: &[(&String, AnyRun)]) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let of_model = |run: &AnyRun, print: &dyn Fn(&ModelFacts) -> String| {
        b.results.models.get(&run.plan().model).map_or_else(|| "–".into(), print)
    };
    // A run that diverged has no results.
    let or_dash = |run: &AnyRun, print: &dyn Fn(&RunResult) -> Result<String>| match run {
        AnyRun::Finished(run) => print(run),
        AnyRun::Diverged(_) => Ok("–".into()),
    };
    let columns = Columns::<(&String, AnyRun)>::new()
        .column("run", Text, |(name, _)| b.run_title(name).to_owned())
        .column("model", Text, |(_, run)| model_link(&run.plan().model))
        .column("parameters", Number, |(_, run)| of_model(run, &|m| form.count(m.parameters)))
        .column("total_size", Number, |(_, run)| of_model(run, &|m| form.fixed(m.sizes.torchsummary.total, 2)))
        .column("mult_adds", Number, |(_, run)| of_model(run, &|m| form.count(m.mult_adds)))
        .column("training_images", LongNumber, |(_, run)| {
            settings::images(run.plan(), b.lang).map(|images| RichText::styled(InlineStyle::Unbroken, images))
        })
        .column("epochs", Number, |(_, run)| or_dash(run, &|run| settings::epochs_of(run, b.lang)))
        .column("test_loss", Number, |(_, run)| or_dash(run, &|run| Ok(form.loss(run.test_loss()))))
        .column("test_accuracy", Number, |(_, run)| match run {
            AnyRun::Finished(run) => Ok(form.percent(run.accuracy(), 2).into()),
            AnyRun::Diverged(_) => b.badge(InlineStyle::Opposes, "diverged"),
        });
    let caption =
        b.text("summary.runs", context! { several => b.several_seeds(), chosen => b.any_run(chooses_epoch) })?;
    Ok(b.table(caption, &columns, all.iter().copied())?.styled("runs"))
}
