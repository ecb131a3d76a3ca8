//! The first section: what was found, and all runs in one table.

use minijinja::context;

use super::claims::Claims;
use super::conclusions::badge;
use super::settings;
use crate::claims::Concluded;
use crate::report::builder::{Builder, Columns};
use crate::report::document::ColumnKind::{LongNumber, Number, Text};
use crate::report::document::{Block, FindingItem, Findings, ReportSection, TableBlock};
use crate::report::error::Result;
use crate::report::inline::{InlineStyle, RichText};
use crate::results::{ModelFacts, RunResult};

pub(super) fn section(b: &Builder, claims: &Claims, conclusions: &[Concluded]) -> Result<ReportSection> {
    let mut blocks = Vec::new();
    if !conclusions.is_empty() {
        let item = |c: &Concluded| {
            Ok(FindingItem {
                badge: badge(b, c)?,
                question: c.question.as_str().into(),
                text: c.sentence.as_str().into(),
            })
        };
        let items = conclusions.iter().map(item).collect::<Result<_>>()?;
        blocks.push(Block::Findings(Findings { style: "", items }));
    }
    if !b.results.runs.is_empty() {
        blocks.push(Block::Table(runs(b)?));
    }
    if !b.study.claims.is_empty() {
        let section = b.section_link("claims", "claims")?;
        let values = context! { section, ..claims.counts() };
        blocks.push(Block::paragraph(b.text("summary.claims", values)?));
    }
    let heading = b.phrase("summary.heading")?;
    Ok(ReportSection { id: "summary".into(), number: None, heading, blocks })
}

fn runs(b: &Builder) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let of_model = |run: &RunResult, print: &dyn Fn(&ModelFacts) -> String| {
        b.results.models.get(&run.plan.model).map_or_else(|| "–".into(), print)
    };
    let columns = Columns::<(&String, &RunResult)>::new()
        .plain("run", Text, |(name, _)| b.run_title(name).into())
        .column("model", Text, |(_, run)| Ok(b.model_link(&run.plan.model)))
        .plain("parameters", Number, |(_, run)| of_model(run, &|m| form.count(m.parameters)))
        .plain("total_size", Number, |(_, run)| of_model(run, &|m| form.fixed(m.sizes.torchsummary.total, 2)))
        .plain("mult_adds", Number, |(_, run)| of_model(run, &|m| form.count(m.mult_adds)))
        .column("training_images", LongNumber, |(_, run)| {
            Ok(RichText::styled(InlineStyle::Unbroken, settings::images(&run.plan, b.lang)?))
        })
        .column("epochs", Number, |(_, run)| Ok(settings::epochs_done(run, b.lang)?.into()))
        .plain("test_loss", Number, |(_, run)| form.fixed(run.test_loss(), 4))
        .plain("test_accuracy", Number, |(_, run)| form.percent(run.accuracy(), 2));
    let caption = b.text("summary.runs", context! { several => b.several_seeds() })?;
    Ok(b.table(caption, &columns, &b.results.runs)?.styled("runs"))
}
