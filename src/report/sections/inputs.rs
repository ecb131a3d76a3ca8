//! What the report was made from, and what its measures mean.

use minijinja::context;

use crate::claims;
use crate::engine::Environment;
use crate::report::builder::{Builder, Columns, evaluates_training};
use crate::report::document::{Block, ColumnKind, Definition, Definitions, ReportSection, TableBlock};
use crate::report::error::Result;
use crate::report::inline::{InlineStyle, RichText};
use crate::report::sections::{comparisons, settings};
use crate::report::{InputFile, SOURCE, TEMPLATES};

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let table = inputs(b)?;
    let budget = b.results.runs.iter().map(|(name, run)| Ok(settings::budget(b.run_title(name), run, b.lang)?.into()));
    let blocks = vec![
        Block::paragraph(b.text("inputs.text", context! { table => b.table_link(&table)? })?),
        Block::Definitions(facts(b)?),
        Block::Table(table),
        Block::heading("", b.phrase("inputs.budget")?),
        Block::List { items: budget.collect::<Result<_>>()? },
        Block::heading("measures", b.phrase("measures.heading")?),
        Block::Definitions(measures(b)?),
    ];
    Ok(b.section("inputs", blocks))
}

/// The program's name and version.
pub(super) fn program() -> String {
    format!("mnist-report {}", env!("CARGO_PKG_VERSION"))
}

fn facts(b: &Builder) -> Result<Definitions> {
    let hash = |digest: &str| RichText::styled(InlineStyle::Hash, digest);
    let environment = &b.results.environment;
    let items = vec![
        Definition::new(b.phrase("inputs.environment")?, in_words(b, environment)?),
        Definition::new(b.phrase("inputs.class")?, environment.class.as_str()),
        Definition::new(b.phrase("inputs.program")?, program()),
        Definition::new(b.phrase("inputs.inputs_digest")?, hash(b.provenance.inputs_digest)),
        Definition::new(b.phrase("inputs.measured_digest")?, hash(b.provenance.measured_digest)),
    ];
    Ok(Definitions { style: "facts", items })
}

/// The environment that the results come from.
fn in_words(b: &Builder, e: &Environment) -> Result<RichText> {
    let key = match (e.class.as_str(), &e.cpu) {
        ("cuda", _) => "environment.cuda",
        ("native", Some(_)) => "environment.native",
        _ => "environment.portable",
    };
    let Environment { libtorch, arithmetic, precision, cpu, gpu, cuda, cudnn, .. } = e;
    let threads = e.threads.unwrap_or_default();
    b.text(key, context! { libtorch, arithmetic, precision, cpu, gpu, cuda, cudnn, threads })
}

fn inputs(b: &Builder) -> Result<TableBlock> {
    let columns = Columns::<&InputFile>::new()
        .column("input", ColumnKind::Text, |file| match file.name.as_str() {
            TEMPLATES => b.phrase("inputs.templates"),
            SOURCE => b.phrase("inputs.source"),
            name => Ok(name.into()),
        })
        .column("sha256", ColumnKind::Text, |file| Ok(RichText::styled(InlineStyle::Hash, file.sha256.as_str())));
    b.table(b.phrase("inputs.table")?, &columns, b.provenance.inputs)
}

/// The measures that the report shows, explained.
fn measures(b: &Builder) -> Result<Definitions> {
    let several = b.several_seeds();
    let validated = b.any_run(|run| run.validation_accuracy().is_some());
    let compared = b.training.iter().flat_map(|s| &s.comparisons).any(|name| comparisons::is_shown(b, name));
    let term = |key: &str, shown: bool| {
        let define = || Ok(Definition::new(b.phrase(key)?, b.phrase(&format!("{key}_text"))?));
        shown.then(define).transpose()
    };
    let mut training_loss = b.phrase("measures.training_loss_text")?;
    if b.any_run(evaluates_training) {
        training_loss = training_loss.then(b.phrase("measures.evaluated_text")?);
    }
    let over_seeds = if several { "measures.over_seeds_text" } else { "measures.one_seed_text" };
    let items = [
        term("measures.test_accuracy", true)?,
        term("measures.test_loss", true)?,
        term("measures.batch_mean_loss", claims::mentions_batch_mean_loss(b.study))?,
        Some(Definition::new(b.phrase("measures.training_loss")?, training_loss)),
        term("measures.validation_accuracy", validated)?,
        term("measures.over_images", true)?,
        Some(Definition::new(b.phrase("measures.over_seeds")?, b.phrase(over_seeds)?)),
        term("measures.difference", compared)?,
        term("measures.several_seeds", several)?,
    ];
    Ok(Definitions { style: "terms", items: items.into_iter().flatten().collect() })
}
