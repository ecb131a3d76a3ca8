//! What stands before the first section: what the study found in a paragraph, and its key figures.

use super::prelude::*;
use super::{overview, told};
use crate::claims::{Answer, Compared, DecidedConclusion, Fact, Finding};
use crate::report::document::KeyFigure;
use crate::results::RunResult;
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
    let mut blocks = vec![Block::paragraph(found(b, conclusions, smaller.as_ref())?)];
    if items.len() > 1 {
        blocks.push(Block::KeyFigures { items });
    }
    blocks.extend(overview::figure(b)?.map(Block::Figure));
    Ok(blocks)
}

/// A model with fewer parameters than another one.
struct Smaller<'a> {
    model: &'a str,
    than: &'a str,
    parameters: u64,
    of_other: u64,
}

impl Smaller<'_> {
    fn times(&self, b: &Builder) -> String {
        b.lang.numbers.fixed(self.of_other as f64 / self.parameters as f64, 1)
    }
}

/// The last model that a conclusion found to be smaller than another one: studies go from the simple model to the improved one.
fn smaller(conclusions: &[DecidedConclusion]) -> Option<Smaller<'_>> {
    conclusions.iter().rev().find_map(|c| match &c.answer {
        Answer::Kind { fact: Some(Fact::FewerParameters { model, than, parameters, of_other }), .. }
            if c.finding == Finding::Supported =>
        {
            Some(Smaller { model, than, parameters: *parameters, of_other: *of_other })
        }
        _ => None,
    })
}

/// The runs whose accuracies answer the study's questions: those that conclusions compare, otherwise the first ones.
fn key_runs<'a>(b: &'a Builder) -> Vec<(&'a str, &'a RunResult)> {
    let mut names: Vec<&str> = Vec::new();
    for conclusion in &b.study.conclusions {
        match &conclusion.rule {
            Rule::Kind(Kind::KeepsAccuracy(name) | Kind::Better(name)) => {
                let compared = b.study.comparisons.get(name).map(|c| [c.against.as_str(), c.run.as_str()]);
                names.extend(compared.into_iter().flatten());
            }
            Rule::Kind(Kind::BestOf(runs)) => names.extend(runs.iter().map(String::as_str)),
            _ => {}
        }
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

fn parameters(b: &Builder, size: &Smaller) -> Result<KeyFigure> {
    let values = context! { times => size.times(b), of_other => size.of_other };
    Ok(KeyFigure {
        label: b.text("lead.parameters", context! { model => b.model_title(size.model) })?,
        value: b.lang.numbers.count(size.parameters),
        note: b.text("lead.parameters_note", values)?,
    })
}

/// A run's test accuracy with its interval: over seeds if there is one, otherwise over the test images.
fn accuracy(b: &Builder, name: &str, run: &RunResult) -> Result<KeyFigure> {
    let form = b.lang.numbers;
    let (key, interval) = if let Ok(interval) = run.interval() {
        ("lead.over_seeds", interval)
    } else {
        ("lead.over_images", run.seeds[0].interval())
    };
    let note = b.text(key, range(b, interval.lower, interval.upper, run.seeds.len()))?;
    Ok(KeyFigure {
        label: b.text("lead.accuracy", context! { run => b.run_title(name) })?,
        value: form.percent(run.accuracy(), 2),
        note,
    })
}

fn range(b: &Builder, lower: f64, upper: f64, seeds: usize) -> minijinja::Value {
    let form = b.lang.numbers;
    context! { lower => form.percent(lower, 2), upper => form.percent(upper, 2), seeds }
}

/// What was trained on what, and the answers in a few sentences.
fn found(b: &Builder, conclusions: &[DecidedConclusion], smaller: Option<&Smaller>) -> Result<RichText> {
    let runs = b.results.runs.values();
    let models: std::collections::BTreeSet<&str> = runs.clone().map(|run| run.plan.model.as_str()).collect();
    let images = runs.map(|run| run.plan.image_count).max().unwrap_or_default();
    let values =
        context! { models => models.len(), runs => b.results.runs.len(), images, tested => b.results.data.test_images };
    let mut text = b.text("lead.trained", values)?;
    if let Some(size) = smaller {
        let values =
            context! { model => b.model_title(size.model), than => b.model_title(size.than), times => size.times(b) };
        text = text.then(b.text("lead.smaller", values)?);
    }
    let mut before: Option<&Compared> = None;
    for conclusion in conclusions {
        let Answer::Kind { fact: Some(Fact::Better(compared) | Fact::KeepsAccuracy(compared)), .. } =
            &conclusion.answer
        else {
            continue;
        };
        text = text.then(told::difference(b, compared, before)?);
        before = Some(compared);
    }
    Ok(text)
}
