//! What stands before the first section: what the study found in a paragraph, and its key figures.

use super::prelude::*;
use super::{comparisons, overview, told};
use crate::claims::{Answer, Compared, DecidedConclusion, Finding, Grounds, ParameterCounts};
use crate::report::document::KeyFigure;
use crate::results::statistics::Interval;
use crate::results::{IntervalBasis, RunResult};
use crate::study::{Kind, Rule};

/// More would not be read at a glance.
const ACCURACIES: usize = 3;

/// The paragraph, the key figures, and accuracy against size. There are none if no run was measured.
pub(super) fn blocks(b: &Builder, conclusions: &[DecidedConclusion]) -> Result<Vec<Block>> {
    if b.results.runs.is_empty() {
        return Ok(Vec::new());
    }
    let smaller = smaller(conclusions);
    let runs = key_runs(b);
    let mut items: Vec<KeyFigure> = smaller.iter().map(|size| parameters(b, size)).collect::<Result<_>>()?;
    items.extend(runs.iter().map(|(name, run)| accuracy(b, name, run)).collect::<Result<Vec<_>>>()?);
    let mut blocks = vec![Block::paragraph(found(b, conclusions, smaller)?)];
    if items.len() > 1 {
        blocks.push(Block::KeyFigures { items });
    }
    blocks.extend(overview::figure(b)?.map(Block::Figure));
    Ok(blocks)
}

/// The last model that a conclusion found to be smaller than another one: studies go from the simple model to the improved one.
fn smaller(conclusions: &[DecidedConclusion]) -> Option<&ParameterCounts> {
    conclusions.iter().rev().find_map(|c| match &c.answer {
        Answer::Kind { fact: Some(Grounds::FewerParameters(sizes)), .. } if c.finding == Finding::Supported => {
            Some(sizes)
        }
        _ => None,
    })
}

/// A ratio of sizes, as the lead prints it.
fn times(b: &Builder, sizes: &ParameterCounts) -> String {
    b.lang.numbers.fixed(sizes.times(), 2)
}

/// The runs whose accuracies answer the study's questions: those that conclusions compare, otherwise those of comparisons,
/// otherwise the best of a grid, otherwise the first ones.
fn key_runs<'a>(b: &'a Builder) -> Vec<(&'a str, &'a RunResult)> {
    let mut names: Vec<&str> = Vec::new();
    for conclusion in &b.study.conclusions {
        match &conclusion.rule {
            Rule::Kind(Kind::KeepsAccuracy(name) | Kind::Better(name)) => {
                let compared = b.study.comparisons.get(name).map(|c| [c.against.as_str(), c.run.as_str()]);
                names.extend(compared.into_iter().flatten());
            }
            Rule::Kind(Kind::BestOf(runs)) => names.extend(runs.iter().map(String::as_str)),
            Rule::Kind(Kind::OrderMatters(pair)) => names.extend([pair.ordered.as_str(), pair.shuffled.as_str()]),
            _ => {}
        }
    }
    if names.is_empty() {
        let is_compared = |name: &&String| b.study.comparisons.values().any(|c| c.run == **name || c.against == **name);
        names.extend(b.study.runs.keys().filter(is_compared).map(String::as_str));
    }
    let ranked = b.results.ranking(b.study);
    if names.is_empty() {
        names.extend(
            ranked.iter().filter_map(|run| b.study.runs.get_key_value(&run.cell.run)).map(|(name, _)| name.as_str()),
        );
    }
    if names.is_empty() {
        names.extend(b.study.runs.keys().map(String::as_str));
    }
    let mut found: Vec<(&str, &RunResult)> = Vec::new();
    for name in names {
        if let Some(run) = b.results.runs.get(name)
            && found.iter().all(|(other, _)| *other != name)
        {
            found.push((name, run));
        }
    }
    found.truncate(ACCURACIES);
    found
}

fn parameters(b: &Builder, size: &ParameterCounts) -> Result<KeyFigure> {
    let values = context! { times => times(b, size), of_other => size.of_other };
    Ok(KeyFigure {
        label: b.text("lead.parameters", context! { model => b.model_title(&size.model) })?,
        value: b.lang.numbers.count(size.parameters),
        note: b.text("lead.parameters_note", values)?,
    })
}

/// A run's test accuracy with its own interval, or why it has none.
fn accuracy(b: &Builder, name: &str, run: &RunResult) -> Result<KeyFigure> {
    let (form, seeds) = (b.lang.numbers, run.seeds.len());
    let note = match run.accuracy_interval() {
        Ok((Interval { lower, upper }, over)) => {
            let key = match over {
                IntervalBasis::Seeds => "lead.over_seeds",
                IntervalBasis::Images => "lead.over_images",
            };
            b.text(key, context! { lower => form.percent(lower, 2), upper => form.percent(upper, 2), seeds })?
        }
        Err(reason) => {
            b.text("lead.no_interval", context! { seeds, reason => comparisons::no_interval(reason, b.lang)? })?
        }
    };
    Ok(KeyFigure {
        label: b.text("lead.accuracy", context! { run => b.run_title(name) })?,
        value: form.percent(run.accuracy(), 2),
        note,
    })
}

/// What was trained on what, and the answers in a few sentences.
fn found(b: &Builder, conclusions: &[DecidedConclusion], smaller: Option<&ParameterCounts>) -> Result<RichText> {
    let runs = b.results.runs.values();
    let models: std::collections::BTreeSet<&str> = runs.clone().map(|run| run.plan.model.as_str()).collect();
    let counts = runs.map(|run| run.plan.image_count);
    let (images, fewest) = (counts.clone().max().unwrap_or_default(), counts.min().unwrap_or_default());
    let tested = b.results.data.test_images;
    let values = context! {
        models => models.len(), runs => b.results.runs.len(), images, varies => fewest < images, tested,
    };
    let mut text = b.text("lead.trained", values)?;
    if let Some(size) = smaller {
        let values = context! { model => b.model_title(&size.model), than => b.model_title(&size.than), times => times(b, size) };
        text = text.then(b.text("lead.smaller", values)?);
    }
    let mut before: Option<&Compared> = None;
    let mut told_pairs: Vec<(&str, &str)> = Vec::new();
    for conclusion in conclusions {
        let Answer::Kind { fact: Some(Grounds::Better(compared) | Grounds::KeepsAccuracy(compared)), .. } =
            &conclusion.answer
        else {
            continue;
        };
        let pair = (compared.run.as_str(), compared.against.as_str());
        if told_pairs.contains(&pair) {
            continue;
        }
        told_pairs.push(pair);
        text = text.then(told::difference(b, compared, before)?);
        before = Some(compared);
    }
    let have_one_seed = b.results.runs.values().all(|run| run.seeds.len() == 1);
    Ok(if before.is_some() && have_one_seed { text.then(b.phrase("lead.one_seed")?) } else { text })
}
