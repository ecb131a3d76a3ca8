//! What the report was made from, and what its measures mean.

use std::collections::HashSet;

use super::prelude::*;
use crate::claims;
use crate::compute::{Environment, Gpu};
use crate::dataset::Subset;
use crate::report::sections::{comparisons, settings, summary};
use crate::report::{InputFile, SOURCE, TEMPLATES};
use crate::results::statistics::LEAST_SEEDS;
use crate::results::{AnyRun, NoInterval};
use crate::study::Table;

pub(super) fn section(b: &Builder) -> Result<ReportSection> {
    let table = inputs(b)?;
    let budget = b.runs().into_iter().map(|(name, run)| {
        let (title, network) = (b.run_title(name), b.model_title(&run.plan().model));
        // A run that is called like its network says so, and a single network needs no words.
        let network = Some(network).filter(|network| *network != title && b.study.models.len() > 1);
        Ok(settings::budget(title, network, run, b.lang)?.into())
    });
    let all = b.runs();
    // If a run diverged, or its results are in no section.
    let with_results = b.training.iter().filter(|section| section.tables.contains(&Table::Results));
    let shown: HashSet<&String> = with_results.flat_map(|section| &section.runs).collect();
    let are_shown = b.results.diverged.is_empty() && all.iter().all(|(name, _)| shown.contains(*name));
    let runs = if are_shown { None } else { Some(Block::Table(summary::runs(b, &all)?)) };
    let mut blocks = vec![
        Block::paragraph(b.text("inputs.text", context! { table => b.table_link(&table)? })?),
        Block::Definitions(facts(b)?),
        Block::Table(table),
        Block::heading("budget", b.phrase("inputs.budget")?),
    ];
    blocks.extend(runs);
    blocks.extend([Block::List { items: budget.collect::<Result<_>>()? }]);
    let draws =
        |run: &AnyRun| run.seeds().len() > 1 && matches!(run.plan().images, Subset::Random(_) | Subset::PerClass(_));
    if all.iter().any(|(_, run)| draws(run)) {
        blocks.push(Block::paragraph(b.phrase("inputs.drawn")?));
    }
    blocks.extend([Block::heading("measures", b.phrase("measures.heading")?), Block::Definitions(measures(b)?)]);
    Ok(b.section(SectionId::Inputs, b.phrase("inputs.heading")?, blocks))
}

fn facts(b: &Builder) -> Result<Definitions> {
    let hash = |digest: &str| RichText::styled(InlineStyle::Hash, digest);
    let environment = &b.results.environment;
    let [mean, std] = [b.study.input.mean, b.study.input.std].map(|x| b.lang.numbers.setting(x));
    let augmented = b.any_run(|run| run.plan.augment.is_some());
    let data = b.study.pinned().map(|data| {
        let classes =
            data.classes.iter().enumerate().map(|(class, name)| format!("{class}: {name}")).collect::<Vec<_>>();
        let values = context! { train => data.train_images, test => data.test_images, classes };
        Ok(Definition::new(b.phrase("inputs.data")?, b.text("inputs.data_text", values)?))
    });
    let mut items = data.into_iter().collect::<Result<Vec<_>>>()?;
    items.extend([
        Definition::new(b.phrase("inputs.environment")?, in_words(b, environment)?),
        Definition::new(b.phrase("inputs.pixels")?, b.text("inputs.pixels_text", context! { mean, std, augmented })?),
        Definition::new(b.phrase("inputs.program")?, crate::report::program()),
        Definition::new(b.phrase("inputs.inputs_digest")?, hash(b.provenance.inputs_digest)),
        Definition::new(b.phrase("inputs.measured_digest")?, hash(b.provenance.measured_digest)),
    ]);
    Ok(Definitions { style: "facts", items })
}

/// The environment that the results come from.
fn in_words(b: &Builder, e: &Environment) -> Result<RichText> {
    let arithmetic = e.arithmetic;
    let Some(Gpu { name, libtorch, cuda, cudnn, precision }) = &e.gpu else {
        return b.text("environment.own", context! { arithmetic });
    };
    b.text("environment.cuda", context! { libtorch, precision, name, cuda, cudnn })
}

fn inputs(b: &Builder) -> Result<TableBlock> {
    let columns = Columns::<&InputFile>::new()
        .column("input", Text, |file| match file.name.as_str() {
            TEMPLATES => b.phrase("inputs.templates"),
            SOURCE => b.phrase("inputs.source"),
            name => Ok(name.into()),
        })
        .column("sha256", Text, |file| RichText::styled(InlineStyle::Hash, &file.sha256));
    b.table(b.phrase("inputs.table")?, &columns, b.provenance.inputs)
}

/// What intervals over seeds mean, and why there are none for one or two.
fn over_seeds(b: &Builder) -> Result<RichText> {
    let interval = match b.any_run(|run| run.seeds.len() >= LEAST_SEEDS) {
        true => b.phrase("measures.over_seeds_text")?,
        false if b.several_seeds() => RichText::default(),
        false => return b.phrase("measures.one_seed_text"),
    };
    let two_seeds = b.any_run(|run| run.seeds.len() == 2);
    let interval = if two_seeds { interval.then(b.phrase("measures.two_seeds_text")?) } else { interval };
    let same = b.any_run(|run| matches!(run.interval(), Err(NoInterval::SameNetwork | NoInterval::NoSpread)));
    Ok(if same { interval.then(b.phrase("measures.no_spread_text")?) } else { interval })
}

/// What the training loss is, and how it differs from the others.
fn training_loss(b: &Builder) -> Result<RichText> {
    let mut text = b.phrase("measures.training_loss_text")?;
    let more = [
        ("measures.smoothed_text", b.any_run(|run| run.plan.label_smoothing > 0.0)),
        ("measures.augmented_text", b.any_run(|run| run.plan.augment.is_some())),
        ("measures.evaluated_text", b.any_run(evaluates_training)),
    ];
    for (key, _) in more.into_iter().filter(|(_, holds)| *holds) {
        text = text.then(b.phrase(key)?);
    }
    Ok(text)
}

/// The measures that the report shows, explained.
fn measures(b: &Builder) -> Result<Definitions> {
    let several = b.several_seeds();
    let validated = b.any_run(|run| run.validation_accuracy().is_some());
    let compared = b.training.iter().flat_map(|s| &s.comparisons).any(|name| comparisons::is_shown(b, name));
    let measures = [
        ("measures.test_accuracy", true),
        ("measures.test_loss", true),
        ("measures.batch_mean_loss", claims::mentions_batch_mean_loss(b.study)),
        ("measures.training_loss", true),
        ("measures.validation_accuracy", validated),
        ("measures.over_images", true),
        ("measures.over_seeds", true),
        ("measures.difference", compared),
        ("measures.several_seeds", several),
    ];
    let explained = |key: &str| -> Result<Definition> {
        let text = match key {
            "measures.over_seeds" => over_seeds(b)?,
            "measures.training_loss" => training_loss(b)?,
            key => b.phrase(&format!("{key}_text"))?,
        };
        Ok(Definition::new(b.phrase(key)?, text))
    };
    let items = measures.into_iter().filter(|(_, shown)| *shown).map(|(key, _)| explained(key));
    Ok(Definitions { style: "terms", items: items.collect::<Result<_>>()? })
}
