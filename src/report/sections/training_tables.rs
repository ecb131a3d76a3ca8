//! The tables of a section on training: settings, results, intervals, epochs.

use std::collections::HashSet;

use super::comparisons::{self, interval};
use super::prelude::*;
use super::shown_run::ShownRun;
use super::{grid, settings};
use crate::claims;
use crate::model::LayerKind;
use crate::results::{AnyRun, EpochResult, Evaluated, IntervalBasis, NoInterval};
use crate::study::{Section, Table};

/// The section before this one that has the results of all its runs.
fn results_before(b: &Builder, number: usize) -> Option<usize> {
    let section = &b.training[number - 1];
    let has_all = |other: &Section| {
        let runs: HashSet<&String> = other.runs.iter().collect();
        other.tables.contains(&Table::Results) && section.runs.iter().all(|run| runs.contains(run))
    };
    b.training[..number - 1].iter().position(has_all).map(|index| index + 1)
}

/// The results of the section's runs: a table, a sentence for a single run, or where they stand if another section has them.
fn results(b: &Builder, number: usize, runs: &[ShownRun]) -> Result<Vec<Block>> {
    if let Some(before) = results_before(b, number) {
        let section = b.section_link(SectionId::Training(before), &format!("training-{before}"))?;
        return Ok(vec![Block::paragraph(b.text("training.results_before", context! { section })?)]);
    }
    if let [run] = runs {
        return Ok(vec![Block::paragraph(result_sentence(b, run)?)]);
    }
    let mut tables = vec![Block::Table(results_table(b, runs)?)];
    if has_several_seeds(runs) {
        let reason = only_reason(runs);
        tables.push(Block::Table(intervals_table(b, runs, reason.is_none())?));
        // The ranking gives the reason, too.
        let is_told = b.training[number - 1].tables.contains(&Table::Ranking);
        if let Some(reason) = reason.filter(|_| !is_told) {
            let reason = comparisons::no_interval(reason, b.lang)?;
            tables.push(Block::paragraph(b.text("training.no_intervals", context! { reason })?));
        }
    }
    Ok(tables)
}

/// The tables that the section asks for.
pub(super) fn tables(b: &Builder, number: usize, runs: &[ShownRun]) -> Result<Vec<Block>> {
    let section = &b.training[number - 1];
    let mut tables = Vec::new();
    let all: Vec<(&str, AnyRun)> =
        section.runs.iter().filter_map(|name| Some((b.run_title(name), b.results.run(name)?))).collect();
    if section.tables.contains(&Table::Ranking) {
        tables.extend(grid::ranking(b)?);
    }
    if section.tables.contains(&Table::Matrix) {
        tables.extend(grid::matrix(b)?.map(Block::Table));
    }
    if section.tables.contains(&Table::Settings) {
        tables.extend(settings_that_differ(b, &all)?);
    }
    if runs.is_empty() {
        return Ok(tables);
    }
    if section.tables.contains(&Table::Results) {
        tables.extend(results(b, number, runs)?);
    }
    if section.tables.contains(&Table::Epochs) {
        tables.push(Block::Table(epochs_table(b, runs)?));
    }
    Ok(tables)
}

/// A table with a row for each setting in which the runs differ and a column for each run, or a sentence if they differ in
/// one setting only. Leaves out how much evidence is recorded, which changes no result. The section on inputs lists all
/// settings.
fn settings_that_differ(b: &Builder, runs: &[(&str, AnyRun)]) -> Result<Option<Block>> {
    type Setting<'a> = (&'static str, &'a dyn Fn(AnyRun) -> Result<RichText>);
    let lang = b.lang;
    let dropout = |on: bool| if on { "run.dropout_on" } else { "run.dropout_off" };
    let evaluated = |on: bool| if on { "run.after_each_epoch" } else { "run.never" };
    let several = b.several_seeds() || runs.iter().any(|(_, run)| run.seeds().len() > 1);
    let rows: [Setting; 14] = [
        ("model", &|r| Ok(model_link(&r.plan().model))),
        ("training_images", &|r| Ok(RichText::styled(InlineStyle::Unbroken, settings::images(r.plan(), lang)?))),
        ("order", &|r| Ok(settings::order(r.plan().order, lang)?.into())),
        ("batch", &|r| Ok(r.plan().batch_size.to_string().into())),
        ("optimizer", &|r| Ok(settings::optimizer(&r.plan().optimizer, lang)?.into())),
        ("schedule", &|r| Ok(settings::schedule(&r.plan().schedule, lang)?.into())),
        ("label_smoothing", &|r| Ok(lang.numbers.setting(r.plan().label_smoothing).into())),
        ("clipping", &|r| settings::clipping(r.plan(), lang).map(RichText::from)),
        ("augmentation", &|r| settings::augmentation(r.plan(), lang).map(RichText::from)),
        ("dropout", &|r| b.phrase(dropout(r.plan().dropout))),
        ("epochs", &|r| Ok(settings::epochs_planned(r.plan(), lang)?.into())),
        ("training_evaluated", &|r| b.phrase(evaluated(r.plan().evaluate_train))),
        ("evaluated_within", &|r| settings::evaluated_within(r.plan(), lang).map(RichText::from)),
        (if several { "seeds" } else { "seed" }, &|r| Ok(settings::seeds(r).into())),
    ];
    let mut columns = Columns::<Setting>::new().column("setting", Text, |(key, _)| b.heading(key));
    for (title, run) in runs {
        columns = columns.column(RichText::from(*title), Text, |(_, setting)| setting(*run));
    }
    let mut differing = Vec::new();
    for row in rows {
        let cells = runs.iter().map(|(_, run)| (row.1)(*run)).collect::<Result<Vec<_>>>()?;
        if cells.windows(2).any(|pair| pair[0] != pair[1]) {
            differing.push(row);
        }
    }
    let section = b.section_link(SectionId::Inputs, "budget")?;
    if let [(key, value)] = differing[..] {
        let of_run = |(title, run): &(&str, AnyRun)| Ok(context! { title => *title, value => value(*run)?.value() });
        let each = runs.iter().map(of_run).collect::<Result<Vec<_>>>()?;
        let setting = b.heading(key)?.plain();
        let networks = if key == "model" { differing_layers(b, runs)? } else { String::new() };
        // A run that is called like its network needs no words for it.
        let is_named = |(title, run): &(&str, AnyRun)| b.model_title(&run.plan().model) == *title;
        let sentence = if key == "model" && runs.iter().all(is_named) {
            b.text("training.only_model", context! { networks, section })?
        } else {
            b.text("training.one_setting", context! { setting, runs => each, networks, section })?
        };
        return Ok(Some(Block::paragraph(sentence)));
    }
    if differing.is_empty() {
        return Ok(None);
    }
    let caption = b.text("training.settings", context! { section })?;
    Ok(Some(Block::Table(b.table(caption, &columns, differing)?.styled("settings"))))
}

/// In which layers the networks of some runs differ, and that the comparison cannot tell what each does if they are of
/// several kinds; empty if they do not differ.
fn differing_layers(b: &Builder, runs: &[(&str, AnyRun)]) -> Result<String> {
    const MOST_NAMED: usize = 6;
    // Layers of the same settings differ in their parameters if their inputs differ.
    let mut models: Vec<Vec<(&str, &LayerKind, u64)>> = Vec::new();
    for (_, run) in runs {
        let name = &run.plan().model;
        let (Some(spec), Some(facts)) = (b.study.models.get(name), b.results.models.get(name)) else {
            return Ok(String::new());
        };
        let layers = facts.layers.iter().zip(spec.in_order());
        models.push(layers.map(|(layer, (_, kind))| (layer.name.as_str(), kind, layer.parameters)).collect());
    }
    let mut differing: Vec<(&str, &'static str)> = Vec::new();
    for (name, kind, parameters) in models.iter().flatten() {
        let is_known = differing.iter().any(|(other, _)| other == name);
        let same = (*name, *kind, *parameters);
        let has_same = |model: &Vec<(&str, &LayerKind, u64)>| model.contains(&same);
        if !is_known && !models.iter().all(has_same) {
            differing.push((*name, kind.key()));
        }
    }
    if differing.is_empty() {
        return Ok(String::new());
    }
    let few = differing.len() <= MOST_NAMED;
    let one_kind = few && differing.iter().all(|(_, kind)| *kind == differing[0].1);
    let layers: Vec<String> = differing.iter().filter(|_| few).map(|(name, _)| (*name).to_owned()).collect();
    b.lang.say("training.networks", context! { layers, one_kind })
}

fn results_table(b: &Builder, runs: &[ShownRun]) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let validated = runs.iter().any(|run| run.result.validation_accuracy().is_some());
    let columns = Columns::<&ShownRun>::new()
        .column("run", Text, |run| run.title.to_owned())
        .column("training_loss", Number, |run| form.loss(run.result.mean(|s| s.reported().train_loss)))
        .when(!runs.iter().all(|run| evaluates_training(run.result)))
        .column("training_loss_evaluated", Number, |run| {
            run.result.training_loss_evaluated().map_or_else(|| "–".into(), |loss| form.loss(loss))
        })
        .when(runs.iter().any(|run| evaluates_training(run.result)))
        .column("test_loss", Number, |run| form.loss(run.result.test_loss()))
        .column("batch_mean_loss", Number, |run| form.loss(run.result.mean(|s| s.batch_mean_loss)))
        .when(claims::mentions_batch_mean_loss(b.study))
        .column("validation_accuracy", Number, |run| {
            run.result.validation_accuracy().map_or_else(|| "–".into(), |a| form.percent(a, 2))
        })
        .when(validated)
        .column("epochs", Number, |run| settings::epochs_of(run.result, b.lang))
        .when(runs.iter().any(|run| run.result.plan.may_report_earlier()))
        .column("test_accuracy", Number, |run| form.percent(run.result.accuracy(), 2))
        .column("correct", Number, |run| correct(b, run))
        .column("over_test_images", Number, |run| over_images(b, run))
        .when(!has_several_seeds(runs));
    let several = has_several_seeds(runs);
    Ok(b.table(
        b.text("training.results", context! { several, chosen => runs.iter().any(|run| chooses_epoch(run.result)) })?,
        &columns,
        runs,
    )?
    .styled("runs"))
}

/// How many test images the network of each seed classifies correctly.
fn correct(b: &Builder, run: &ShownRun) -> Result<String> {
    let count = |n: usize| b.lang.numbers.count(n as u64);
    let each: Vec<String> = run.result.seeds.iter().map(|s| count(s.correct())).collect();
    b.lang.say("run.correct", context! { each => each.join("; "), all => count(run.first_seed().images()) })
}

/// What the tables of results and intervals would say of a single run.
fn result_sentence(b: &Builder, run: &ShownRun) -> Result<RichText> {
    let (form, result) = (b.lang.numbers, run.result);
    let found = result.accuracy_interval();
    let values = context! {
        title => run.title,
        chosen => chooses_epoch(result),
        seeds => result.seeds.len(),
        trained => form.loss(result.mean(|s| s.reported().train_loss)),
        evaluated => result.training_loss_evaluated().map(|loss| form.loss(loss)),
        test => form.loss(result.test_loss()),
        batch_mean => claims::mentions_batch_mean_loss(b.study).then(|| form.loss(result.mean(|s| s.batch_mean_loss))),
        validation => result.validation_accuracy().map(|a| form.percent(a, 2)),
        accuracy => form.percent(result.accuracy(), 2),
        correct => correct(b, run)?,
        sd => result.accuracies().sd.map(|sd| form.points(sd, 2)),
        over_seeds => matches!(found, Ok((_, IntervalBasis::Seeds))),
        interval => found.ok().map(|(bounds, _)| interval(bounds, b.lang)).transpose()?,
        reason => found.err().map(|reason| comparisons::no_interval(reason, b.lang)).transpose()?,
    };
    b.text("training.result", values)
}

/// The interval of the first seed's accuracy over test images.
fn over_images(b: &Builder, run: &ShownRun) -> Result<String> {
    interval(run.first_seed().interval(), b.lang)
}

/// Why runs have no interval over seeds, if several have none for the same reason.
fn only_reason(runs: &[ShownRun]) -> Option<NoInterval> {
    let first = runs.first()?.result.interval().err()?;
    runs.iter().all(|run| run.result.interval().err() == Some(first)).then_some(first)
}

/// The intervals of runs with several seeds, each beside the accuracy that it is an interval of.
fn intervals_table(b: &Builder, runs: &[ShownRun], over_any_seeds: bool) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let over_seeds = |run: &&ShownRun| match run.result.interval() {
        Ok(bounds) => interval(bounds, b.lang),
        Err(reason) => comparisons::no_interval(reason, b.lang),
    };
    let sd = |run: &&ShownRun| run.result.accuracies().sd.map_or_else(|| "–".into(), |sd| form.points(sd, 2));
    let columns = Columns::<&ShownRun>::new()
        .column("run", Text, |run| run.title.to_owned())
        .column("seeds", Number, |run| run.result.seeds.len().to_string())
        .column("mean_accuracy", Number, |run| form.percent(run.result.accuracy(), 2))
        .column("standard_deviation", Number, sd)
        .column("over_seeds", LongNumber, over_seeds)
        .when(over_any_seeds)
        .column("first_seed_accuracy", Number, |run| form.percent(run.first_seed().accuracy(), 2))
        .column("over_test_images_first_seed", Number, |run| over_images(b, run));
    Ok(b.table(b.phrase("training.intervals")?, &columns, runs)?.styled("runs"))
}

/// A row for each epoch of each run's first seed, grouped by run where there are several runs.
fn epochs_table(b: &Builder, runs: &[ShownRun]) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let evaluated = runs.iter().any(|run| evaluates_training(run.result));
    let validated = runs.iter().any(|run| run.result.validation_accuracy().is_some());
    let loss = |e: Evaluated| form.loss(e.loss);
    let accuracy = |e: Evaluated| form.percent(e.accuracy(), 2);
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "–".into());
    let columns = Columns::<&EpochResult>::new()
        .column("epoch", Key, |e| e.epoch.to_string())
        .column("training_loss", Number, |e| form.loss(e.train_loss))
        .column("training_loss_evaluated", Number, |e| or_dash(e.train_eval.map(loss)))
        .when(evaluated)
        .column("training_accuracy_evaluated", Number, |e| or_dash(e.train_eval.map(accuracy)))
        .when(evaluated)
        .column("validation_loss", Number, |e| or_dash(e.validation.map(loss)))
        .when(validated)
        .column("validation_accuracy", Number, |e| or_dash(e.validation.map(accuracy)))
        .when(validated)
        .column("test_loss", Number, |e| loss(e.test))
        .column("test_accuracy", Number, |e| accuracy(e.test));
    let table = match runs {
        [run] => {
            let caption = match run.result.seeds.len() {
                1 => b.phrase("training.epochs")?,
                _ => b.text("training.epochs_of", context! { title => run.first_seed_title.as_str() })?,
            };
            b.table(caption, &columns, &run.first_seed().epochs)?
        }
        runs => {
            let groups = runs.iter().map(|run| (run.first_seed_title.as_str().into(), &run.first_seed().epochs));
            b.grouped_table(b.phrase("training.epochs")?, b.heading("run")?, &columns, groups)?
        }
    };
    Ok(table.styled("long grouped"))
}

/// Whether any run has several seeds.
fn has_several_seeds(runs: &[ShownRun]) -> bool {
    runs.iter().any(|run| run.result.seeds.len() > 1)
}
