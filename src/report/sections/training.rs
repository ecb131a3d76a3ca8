//! The sections on training: settings, results and figures of the runs that each shows.

use super::comparisons::{self, ComparedRuns, interval};
use super::prelude::*;
use super::shown_run::ShownRun;
use super::{digits, grid, overview, settings, told};
use crate::claims::{self, DecidedConclusion};
use crate::report::figures::{Curve, Drawing, LadderPoint, OneSeed};
use crate::results::{AnyRun, EpochResult, Evaluated, SeedResult};
use crate::study::{Section, Show, Table};

/// A section on training, counted from 1.
pub(super) fn section(b: &Builder, number: usize, conclusions: &[DecidedConclusion]) -> Result<ReportSection> {
    let section = &b.training[number - 1];
    let (text, discussion) = (section.text.as_str(), section.discussion.as_str());
    // First, because pictures are numbered with the figures.
    let text = own_words::blocks(b, text)?;
    let runs = section.runs.iter().filter_map(|name| ShownRun::of(b, name).transpose()).collect::<Result<Vec<_>>>()?;
    let compared: Vec<ComparedRuns> = section.comparisons.iter().filter_map(|n| ComparedRuns::of(b, n)).collect();
    let figures = training_figures(b, number, section, &runs, &compared)?;
    let answers = section.answers.iter().filter_map(|id| conclusions.iter().find(|c| c.id == *id));
    let mut blocks = answers.map(|c| answer(b, c)).collect::<Result<Vec<Block>>>()?;
    blocks.extend(text);
    blocks.extend(left_out(b, section)?.into_iter().map(Block::paragraph));
    if !runs.is_empty() {
        let all: Vec<&FigureBlock> = figures.iter().collect();
        let explained =
            b.text("training.measures", context! { section => b.section_link(SectionId::Inputs, "measures")? })?;
        let overview = if overview::shows(b, section) { overview::reference(b)? } else { RichText::default() };
        blocks.push(Block::paragraph(figures_sentence(b, &all)?.then(overview).then(explained)));
    }
    blocks.extend(tables(b, section, &runs)?);
    blocks.extend(comparisons::tables(b, &compared)?.into_iter().map(Block::Table));
    blocks.extend(figures.into_iter().map(Block::Figure));
    blocks.extend(halves(b, number, section, &runs)?);
    let galleries = galleries(b, number, section, &runs)?;
    if !galleries.is_empty() {
        blocks.push(Block::Group { style: "galleries", blocks: galleries });
    }
    blocks.extend(own_words::blocks(b, discussion)?);
    Ok(b.section(SectionId::Training(number), section.title.as_str(), blocks))
}

/// A conclusion's answer, at the start of its section.
fn answer(b: &Builder, c: &DecidedConclusion) -> Result<Block> {
    let question = RichText::styled(InlineStyle::Strong, told::question(b, c)?.plain());
    Ok(Block::paragraph(question.then(told::answer(b, c)?)))
}

/// A sentence for each run of the section that diverged, and for each comparison with one: why they are not shown.
fn left_out(b: &Builder, section: &Section) -> Result<Vec<RichText>> {
    let has_diverged = |name: &&String| b.results.diverged.contains_key(*name);
    let mut sentences = Vec::new();
    for name in section.runs.iter().filter(has_diverged) {
        let link = b.section_link(SectionId::Diverged, &format!("diverged-{name}"))?;
        sentences.push(b.text("training.diverged", context! { title => b.run_title(name), section => link })?);
    }
    for name in &section.comparisons {
        let Some(spec) = b.study.comparisons.get(name) else { continue };
        let runs: Vec<&str> =
            [&spec.run, &spec.against].into_iter().filter(has_diverged).map(|run| b.run_title(run)).collect();
        if !runs.is_empty() {
            let values =
                context! { title => spec.title.as_deref().unwrap_or(name), runs => runs.join("; "), n => runs.len() };
            sentences.push(b.text("training.not_compared", values)?);
        }
    }
    Ok(sentences)
}

fn shows(section: &Section, runs: &[ShownRun], show: Show) -> bool {
    section.show.contains(&show) && !runs.is_empty()
}

fn first_seeds<'a>(b: &Builder, runs: &'a [ShownRun]) -> Vec<OneSeed<'a>> {
    let of_run = |run: &'a ShownRun| OneSeed {
        title: &run.first_seed_title,
        seed: run.first_seed(),
        series: b.series(run.name),
    };
    runs.iter().map(of_run).collect()
}

/// The figures of all runs together.
fn training_figures(
    b: &Builder,
    number: usize,
    section: &Section,
    runs: &[ShownRun],
    compared: &[ComparedRuns],
) -> Result<Vec<FigureBlock>> {
    let name = |figure: &str| format!("section{number}-{figure}");
    let mut drawings = Vec::new();
    if shows(section, runs, Show::Curves) {
        drawings.extend(figures::curves(name("curves"), &panels(b, section, runs), b.lang)?);
    }
    if shows(section, runs, Show::CurvesTogether) {
        let together = runs.iter().filter_map(|run| curve(b, run)).collect();
        drawings.extend(figures::curves(name("curves-together"), &[together], b.lang)?);
    }
    if shows(section, runs, Show::Predictions) {
        drawings.push(figures::predictions(name("predictions"), &first_seeds(b, runs), b.lang)?);
    }
    if section.show.contains(&Show::Gain) && !compared.is_empty() {
        let gains: Vec<figures::Gain> = compared.iter().map(|c| c.gain(b)).collect();
        drawings.push(figures::gain(name("gain"), &gains, b.lang)?);
    }
    if shows(section, runs, Show::Ladder) && !overview::shows(b, section) {
        drawings.push(figures::ladder(name("ladder"), &ladder_points(b, section, runs), None, b.lang)?);
    }
    if shows(section, runs, Show::PerClass) {
        drawings.push(figures::per_class(name("per-class"), &first_seeds(b, runs), b.lang)?);
    }
    drawings.into_iter().map(|drawing| b.figure(drawing)).collect()
}

/// A run's losses, as curves show them.
fn curve<'a>(b: &'a Builder, run: &'a ShownRun) -> Option<Curve<'a>> {
    Some(Curve {
        title: run.title,
        series: b.series(run.name),
        run: run.result,
        losses: b.results.loss_curves.get(run.name)?,
    })
}

/// The panels of curves: runs that the section compares, directly or through others, share one. More runs than can be told
/// apart have panels of their own.
fn panels<'a>(b: &'a Builder, section: &Section, runs: &'a [ShownRun]) -> Vec<Vec<Curve<'a>>> {
    // Of a grid, runs that differ in its last list alone share one, too.
    let mut groups: Vec<Vec<&ShownRun>> = Vec::new();
    let mut rows: Vec<Option<Vec<usize>>> = Vec::new();
    for run in runs {
        let row = grid::row_of(b.study, run.name);
        if let Some(i) = rows.iter().position(|other| row.is_some() && *other == row) {
            groups[i].push(run);
        } else {
            groups.push(vec![run]);
            rows.push(row);
        }
    }
    for name in &section.comparisons {
        let Some(spec) = b.study.comparisons.get(name) else { continue };
        let group_of = |run: &String| groups.iter().position(|group| group.iter().any(|other| other.name == run));
        if let (Some(one), Some(other)) = (group_of(&spec.run), group_of(&spec.against))
            && one != other
        {
            let joined = groups.remove(one.max(other));
            groups[one.min(other)].extend(joined);
        }
    }
    let split = |group: Vec<&'a ShownRun<'a>>| {
        if group.len() > Show::MAX_TOGETHER { group.into_iter().map(|run| vec![run]).collect() } else { vec![group] }
    };
    let panel = |group: Vec<&'a ShownRun<'a>>| group.into_iter().filter_map(|run| curve(b, run)).collect();
    groups.into_iter().flat_map(split).map(panel).collect()
}

/// The section's runs by size, and the points that the study adds.
fn ladder_points(b: &Builder, section: &Section, runs: &[ShownRun]) -> Vec<LadderPoint> {
    let measured = runs.iter().filter_map(|run| overview::point(b, run.name, run.result));
    measured.chain(overview::quoted(section)).collect()
}

/// The figures of half the width, one for each run: confusion matrices and kernels.
fn halves(b: &Builder, number: usize, section: &Section, runs: &[ShownRun]) -> Result<Vec<Block>> {
    let mut groups = Vec::new();
    if shows(section, runs, Show::Confusion) {
        let matrix = |run: &ShownRun| digits::confusion(b, format!("section{number}-confusion-{}", run.name), run);
        groups.push(runs.iter().map(matrix).collect::<Result<Vec<_>>>()?);
    }
    if shows(section, runs, Show::Filters) {
        let kernels = |run: &ShownRun| digits::filters(b, format!("section{number}-filters-{}", run.name), run);
        groups.push(runs.iter().filter_map(|run| kernels(run).transpose()).collect::<Result<Vec<_>>>()?);
    }
    let group = |drawings: Vec<Drawing>| {
        let figures = drawings.into_iter().map(|drawing| Ok(Block::Figure(b.figure(drawing)?)));
        Ok(Block::Group { style: "halves", blocks: figures.collect::<Result<_>>()? })
    };
    groups.into_iter().filter(|drawings| !drawings.is_empty()).map(group).collect()
}

/// What the section's figures are for; empty without figures.
fn figures_sentence(b: &Builder, figures: &[&FigureBlock]) -> Result<RichText> {
    let number = |f: &FigureBlock| RichText::linked(InlineStyle::Plain, f.number.to_string(), f.id()).value();
    match figures {
        [] => Ok(RichText::default()),
        [figure] => b.text("training.one_figure", context! { figure => b.figure_link(figure)? }),
        [first, last] => b.text("training.two_figures", context! { first => number(first), last => number(last) }),
        [first, .., last] => b.text("training.figures", context! { first => number(first), last => number(last) }),
    }
}

fn galleries(b: &Builder, number: usize, section: &Section, runs: &[ShownRun]) -> Result<Vec<Block>> {
    let mut drawings = Vec::new();
    if shows(section, runs, Show::Misclassified) {
        for run in runs {
            drawings.extend(digits::misclassified(b, format!("section{number}-misread-{}", run.name), run)?);
        }
    }
    if section.show.contains(&Show::Disagreements) {
        for name in &section.comparisons {
            drawings.extend(digits::disagreements(b, format!("section{number}-disagree-{name}"), name)?);
        }
    }
    drawings.into_iter().map(|drawing| Ok(Block::Figure(b.figure(drawing)?))).collect()
}

/// The tables that the section asks for.
fn tables(b: &Builder, section: &Section, runs: &[ShownRun]) -> Result<Vec<Block>> {
    let mut tables = Vec::new();
    let all: Vec<(&str, AnyRun)> =
        section.runs.iter().filter_map(|name| Some((b.run_title(name), b.results.run(name)?))).collect();
    if section.tables.contains(&Table::Ranking) {
        tables.extend(grid::ranking(b)?.map(Block::Table));
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
        tables.push(Block::Table(results_table(b, runs)?));
        if has_several_seeds(runs) {
            tables.push(Block::Table(intervals_table(b, runs)?));
        }
    }
    if section.tables.contains(&Table::Epochs) {
        tables.push(Block::Table(epochs_table(b, runs)?));
    }
    Ok(tables)
}

/// A row for each setting in which the runs differ, a column for each run; a sentence for a single setting. No row for the evidence that is recorded, which changes
/// no result. The section on inputs lists all settings.
fn settings_that_differ(b: &Builder, runs: &[(&str, AnyRun)]) -> Result<Option<Block>> {
    type Setting<'a> = (&'static str, &'a dyn Fn(AnyRun) -> Result<RichText>);
    let lang = b.lang;
    let dropout = |on: bool| if on { "run.dropout_on" } else { "run.dropout_off" };
    let evaluated = |on: bool| if on { "run.after_each_epoch" } else { "run.never" };
    let several = b.several_seeds() || runs.iter().any(|(_, run)| run.seeds().len() > 1);
    let rows: [Setting; 10] = [
        ("model", &|r| Ok(model_link(&r.plan().model))),
        ("training_images", &|r| Ok(RichText::styled(InlineStyle::Unbroken, settings::images(r.plan(), lang)?))),
        ("order", &|r| Ok(settings::order(r.plan().order, lang)?.into())),
        ("batch", &|r| Ok(r.plan().batch_size.to_string().into())),
        ("optimizer", &|r| Ok(settings::optimizer(&r.plan().optimizer, lang)?.into())),
        ("schedule", &|r| Ok(settings::schedule(&r.plan().schedule, lang)?.into())),
        ("dropout", &|r| b.phrase(dropout(r.plan().dropout))),
        ("epochs", &|r| Ok(settings::epochs(r, lang)?.into())),
        ("training_evaluated", &|r| b.phrase(evaluated(r.plan().evaluate_train))),
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
        let sentence = b.text("training.one_setting", context! { setting, runs => each, section })?;
        return Ok(Some(Block::paragraph(sentence)));
    }
    if differing.is_empty() {
        return Ok(None);
    }
    let caption = b.text("training.settings", context! { section })?;
    Ok(Some(Block::Table(b.table(caption, &columns, differing)?.styled("settings"))))
}

fn results_table(b: &Builder, runs: &[ShownRun]) -> Result<TableBlock> {
    let form = b.lang.numbers;
    let validated = runs.iter().any(|run| run.result.validation_accuracy().is_some());
    let columns = Columns::<&ShownRun>::new()
        .column("run", Text, |run| run.title.to_owned())
        .column("training_loss", Number, |run| form.loss(run.result.mean(|s| last_epoch(s).train_loss)))
        .column("test_loss", Number, |run| form.loss(run.result.test_loss()))
        .column("batch_mean_loss", Number, |run| form.loss(run.result.mean(|s| s.batch_mean_loss)))
        .when(claims::mentions_batch_mean_loss(b.study))
        .column("validation_accuracy", Number, |run| {
            run.result.validation_accuracy().map_or_else(|| "–".into(), |a| form.percent(a, 2))
        })
        .when(validated)
        .column("test_accuracy", Number, |run| form.percent(run.result.accuracy(), 2))
        .column("correct", Number, |run| {
            let each: Vec<String> = run.result.seeds.iter().map(|s| form.count(s.correct() as u64)).collect();
            let all = form.count(last_epoch(run.first_seed()).test.images as u64);
            b.text("run.correct", context! { each => each.join("; "), all })
        })
        .column("over_test_images", Number, |run| over_images(b, run))
        .when(!has_several_seeds(runs));
    let several = has_several_seeds(runs);
    Ok(b.table(b.text("training.results", context! { several })?, &columns, runs)?.styled("runs"))
}

/// The interval of the first seed's accuracy over test images.
fn over_images(b: &Builder, run: &ShownRun) -> Result<String> {
    interval(run.first_seed().interval(), b.lang)
}

/// The intervals of runs with several seeds, each beside the accuracy that it is an interval of.
fn intervals_table(b: &Builder, runs: &[ShownRun]) -> Result<TableBlock> {
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

fn last_epoch(seed: &SeedResult) -> &EpochResult {
    &seed.epochs[seed.epochs.len() - 1]
}

/// Whether any run has several seeds.
fn has_several_seeds(runs: &[ShownRun]) -> bool {
    runs.iter().any(|run| run.result.seeds.len() > 1)
}
