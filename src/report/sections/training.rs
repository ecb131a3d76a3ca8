//! The sections on training: answers, tables and figures of the runs that each shows.

use super::comparisons::{self, ComparedRuns};
use super::prelude::*;
use super::shown_run::ShownRun;
use super::{digits, grid, overview, told, training_tables};
use crate::claims::DecidedConclusion;
use crate::model::{LayerKind, ModelSpec};
use crate::report::figures::{Curve, Drawing, LadderPoint, OneSeed};
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
    // All images that are confused, before some of them.
    let (halves, galleries) = (halves(b, number, section, &runs)?, galleries(b, number, section, &runs)?);
    let mut remarks = Vec::new();
    if !runs.is_empty() {
        let all: Vec<&FigureBlock> = figures.iter().chain(figures_of(&halves)).chain(figures_of(&galleries)).collect();
        let overview = if overview::shows(b, section) { overview::reference(b)? } else { RichText::default() };
        let shown = figures_sentence(b, &all)?.then(overview);
        remarks.extend((!shown.is_empty()).then(|| Block::paragraph(shown)));
    }
    remarks.extend(training_tables::tables(b, number, &runs)?);
    blocks.extend(joined(remarks));
    blocks.extend(comparisons::blocks(b, &compared)?);
    let has_results = |section: &Section| section.runs.iter().any(|run| b.results.runs.contains_key(run));
    if !runs.is_empty() && !b.training[..number - 1].iter().any(has_results) {
        let section = b.section_link(SectionId::Inputs, "measures")?;
        blocks.push(Block::paragraph(b.text("training.measures", context! { section })?));
    }
    blocks.extend(figures.into_iter().map(Block::Figure));
    blocks.extend(halves);
    if !galleries.is_empty() {
        blocks.push(Block::Group { style: "galleries", blocks: galleries });
    }
    blocks.extend(own_words::blocks(b, discussion)?);
    Ok(b.section(SectionId::Training(number), section.title.as_str(), blocks))
}

/// Some blocks, each row of paragraphs among them as one: a sentence each would be scattered over the page.
fn joined(blocks: Vec<Block>) -> Vec<Block> {
    let mut joined: Vec<Block> = Vec::new();
    for block in blocks {
        match (joined.last_mut(), block) {
            (Some(Block::Paragraph { text: before }), Block::Paragraph { text }) => {
                *before = std::mem::take(before).then(text);
            }
            (_, block) => joined.push(block),
        }
    }
    joined
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
    if section.tables.contains(&Table::Ranking) {
        drawings.extend(grid::ranking_figure(b, &name("ranking"))?);
    }
    if shows(section, runs, Show::Curves) {
        drawings.extend(figures::curves(&name("curves"), &panels(b, section, runs), b.lang)?);
    }
    if shows(section, runs, Show::CurvesTogether) {
        let together = runs.iter().filter_map(|run| curve(b, run)).collect();
        drawings.extend(figures::curves(&name("curves-together"), &[together], b.lang)?);
    }
    if shows(section, runs, Show::Predictions) {
        drawings.push(figures::predictions(&name("predictions"), &first_seeds(b, runs), b.lang)?);
    }
    if section.show.contains(&Show::Gain) && !compared.is_empty() {
        let gains: Vec<figures::Gain> = compared.iter().map(|c| c.gain(b)).collect();
        drawings.push(figures::gain(&name("gain"), &gains, b.lang)?);
    }
    if shows(section, runs, Show::Ladder) && !overview::shows(b, section) {
        drawings.push(figures::ladder(&name("ladder"), &ladder_points(b, section, runs), None, b.lang)?);
    }
    if shows(section, runs, Show::PerClass) {
        drawings.push(figures::per_class(&name("per-class"), &first_seeds(b, runs), b.lang)?);
    }
    drawings.into_iter().map(|drawing| b.figure(drawing)).collect()
}

/// A run's losses, as curves show them.
fn curve<'a>(b: &'a Builder, run: &'a ShownRun) -> Option<Curve<'a>> {
    let layers = b.study.models.get(&run.result.plan.model).into_iter().flat_map(ModelSpec::in_order);
    let has_dropout = layers.map(|(_, kind)| kind).any(|kind| matches!(kind, LayerKind::Dropout(d) if d.p > 0.0));
    Some(Curve {
        title: run.title,
        series: b.series(run.name),
        run: run.result,
        has_dropout: run.result.plan.dropout && has_dropout,
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
    let panel = |group: Vec<&'a ShownRun<'a>>| {
        // A value of the grid's last list has one colour and mark in every panel of a row.
        let places: Vec<usize> = group.iter().filter_map(|run| grid::column_of(b.study, run.name)).collect();
        let is_row = group.len() > 1
            && places.len() == group.len()
            && (0..places.len()).all(|i| places[i] < Show::MAX_TOGETHER && !places[..i].contains(&places[i]));
        let of_row = |(i, curve): (usize, Curve<'a>)| if is_row { Curve { series: places[i], ..curve } } else { curve };
        let curves = group.into_iter().enumerate().filter_map(|(i, run)| Some((i, curve(b, run)?)));
        curves.map(of_row).collect()
    };
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
        let matrix =
            |run: &ShownRun| digits::confusion(b, &format!("section{number}-confusion-{}", run.name), run, runs);
        groups.push(runs.iter().map(matrix).collect::<Result<Vec<_>>>()?);
    }
    if shows(section, runs, Show::Filters) {
        let kernels = |run: &ShownRun| digits::filters(b, &format!("section{number}-filters-{}", run.name), run);
        groups.push(runs.iter().filter_map(|run| kernels(run).transpose()).collect::<Result<Vec<_>>>()?);
    }
    let group = |drawings: Vec<Drawing>| {
        let figures = drawings.into_iter().map(|drawing| Ok(Block::Figure(b.figure(drawing)?)));
        Ok(Block::Group { style: "halves", blocks: figures.collect::<Result<_>>()? })
    };
    groups.into_iter().filter(|drawings| !drawings.is_empty()).map(group).collect()
}

/// The figures among some blocks, also those in groups.
fn figures_of(blocks: &[Block]) -> Vec<&FigureBlock> {
    let mut figures = Vec::new();
    for block in blocks {
        match block {
            Block::Figure(figure) => figures.push(figure),
            Block::Group { blocks, .. } => figures.extend(figures_of(blocks)),
            _ => {}
        }
    }
    figures
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
            drawings.extend(digits::misclassified(b, &format!("section{number}-misread-{}", run.name), run)?);
        }
    }
    if section.show.contains(&Show::Disagreements) {
        for name in &section.comparisons {
            drawings.extend(digits::disagreements(b, &format!("section{number}-disagree-{name}"), name)?);
        }
    }
    drawings.into_iter().map(|drawing| Ok(Block::Figure(b.figure(drawing)?))).collect()
}
