//! The first section: what was found, and all runs in one table.

use super::claims::count;
use super::conclusions::{badge, obstacle};
use super::prelude::*;
use super::settings;
use crate::claims::{DecidedConclusion, JudgedClaim, Verdict};
use crate::results::{ModelFacts, RunResult};

pub(super) fn section(b: &Builder, claims: &[JudgedClaim], conclusions: &[DecidedConclusion]) -> Result<ReportSection> {
    let mut blocks = Vec::new();
    if !conclusions.is_empty() {
        let item = |c: &DecidedConclusion| {
            Ok(FindingItem {
                badge: badge(b, c)?,
                question: c.question.as_str().into(),
                text: RichText::from(c.sentence.as_str()).then(obstacle(b, c)?),
            })
        };
        let items = conclusions.iter().map(item).collect::<Result<_>>()?;
        blocks.push(Block::Findings { style: "", items });
    }
    if !b.results.runs.is_empty() {
        blocks.push(Block::Table(runs(b)?));
    }
    if !b.study.claims.is_empty() {
        let section = b.section_link("claims", "claims")?;
        let count = |verdict| count(claims, verdict);
        let (matches, differs) = (count(Verdict::Matches), count(Verdict::Differs));
        let not_measured = count(Verdict::NotMeasured);
        let values = context! { section, all => claims.len(), matches, differs, not_measured };
        blocks.push(Block::paragraph(b.text("summary.claims", values)?));
    }
    Ok(b.section("summary", b.phrase("summary.heading")?, blocks))
}

fn runs(b: &Builder) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let of_model = |run: &RunResult, print: &dyn Fn(&ModelFacts) -> String| {
        b.results.models.get(&run.plan.model).map_or_else(|| "–".into(), print)
    };
    let columns = Columns::<(&String, &RunResult)>::new()
        .column("run", Text, |(name, _)| b.run_title(name).to_owned())
        .column("model", Text, |(_, run)| model_link(&run.plan.model))
        .column("parameters", Number, |(_, run)| of_model(run, &|m| form.count(m.parameters)))
        .column("total_size", Number, |(_, run)| of_model(run, &|m| form.fixed(m.sizes.torchsummary.total, 2)))
        .column("mult_adds", Number, |(_, run)| of_model(run, &|m| form.count(m.mult_adds)))
        .column("training_images", LongNumber, |(_, run)| {
            settings::images(&run.plan, b.lang).map(|images| RichText::styled(InlineStyle::Unbroken, images))
        })
        .column("epochs", Number, |(_, run)| settings::epochs_done(run, b.lang))
        .column("test_loss", Number, |(_, run)| form.fixed(run.test_loss(), 4))
        .column("test_accuracy", Number, |(_, run)| form.percent(run.accuracy(), 2));
    let caption = b.text("summary.runs", context! { several => b.several_seeds() })?;
    Ok(b.table(caption, &columns, &b.results.runs)?.styled("runs"))
}
