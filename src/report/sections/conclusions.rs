//! The rules that decide the conclusions. The first section has their questions and answers.

use std::collections::HashSet;

use super::prelude::*;
use super::told;
use crate::claims::{Answer, DecidedConclusion, Finding};
use crate::study::{Kind, OrderPair};

/// The conclusions that one rule decides, each with its number.
struct Decided<'a> {
    rule: RichText,
    conclusions: Vec<(usize, &'a DecidedConclusion)>,
}

pub(super) fn section(b: &Builder, conclusions: &[DecidedConclusion]) -> Result<ReportSection> {
    let summary = RichText::linked(InlineStyle::Plain, b.lang.word("summary.heading")?, "summary");
    let mut rules: Vec<Decided> = Vec::new();
    for (i, c) in conclusions.iter().enumerate() {
        let rule = told::how(b, c)?;
        match rules.iter_mut().find(|other| other.rule == rule) {
            Some(same) => same.conclusions.push((i + 1, c)),
            None => rules.push(Decided { rule, conclusions: vec![(i + 1, c)] }),
        }
    }
    let items = rules.into_iter().map(|rule| definition(b, rule)).collect::<Result<_>>()?;
    let blocks = vec![
        Block::paragraph(b.text("conclusions.text", context! { summary => summary.value() })?),
        Block::Definitions(Definitions { style: "rules", items }),
    ];
    Ok(b.section(SectionId::Conclusions, b.phrase("conclusions.heading")?, blocks))
}

/// A rule after the numbers of its questions, with what only this section says of them.
fn definition(b: &Builder, Decided { rule, conclusions }: Decided) -> Result<Definition> {
    let number = |n: usize| RichText::linked(InlineStyle::Plain, n.to_string(), format!("question-{n}"));
    let mut numbers = RichText::default();
    let mut text = rule;
    let n = conclusions.len();
    let mut after_remark = false;
    for (i, (question, c)) in conclusions.into_iter().enumerate() {
        if i > 0 {
            numbers.push(InlineStyle::Plain, ", ", "", "");
        }
        numbers.append(number(question));
        let (answer, is_here) = answer_here(b, c)?;
        let more = answer.then(told::obstacle(b, c.obstacle.as_ref())?);
        if !more.is_empty() {
            let of =
                if n > 1 { b.text("conclusions.question", context! { n => question })? } else { RichText::default() };
            if after_remark {
                text.push(InlineStyle::Break, "", "", "");
                text.append(of.then(more));
            } else {
                text = text.then(of).then(more);
            }
            after_remark = is_here && c.why.is_some();
            if after_remark {
                text = told::with_remark(b, text, c)?;
            }
        }
    }
    Ok(Definition::new(b.text("conclusions.questions", context! { n, numbers => numbers.value() })?, text))
}

/// The answer, and whether it is here: unless the first section has the whole of it, or a section on training begins with it.
fn answer_here(b: &Builder, c: &DecidedConclusion) -> Result<(RichText, bool)> {
    let elsewhere = b.training.iter().any(|section| section.answers.contains(&c.id));
    let is_whole = matches!(c.answer, Answer::Own { .. });
    let is_here = !elsewhere && !is_whole;
    Ok((if is_here { told::sentence(b, c)? } else { RichText::default() }, is_here))
}

/// A conclusion's finding.
pub(super) fn badge(b: &Builder, concluded: &DecidedConclusion) -> Result<RichText> {
    match concluded.finding {
        Finding::Supported => b.badge(InlineStyle::Agrees, "supported"),
        Finding::Refuted => b.badge(InlineStyle::Opposes, "refuted"),
        Finding::Undecided => b.badge(InlineStyle::Open, "undecided"),
    }
}

/// That a finding rests on a run of one seed; empty if it does not, or if nothing was measured.
pub(super) fn limit(b: &Builder, concluded: &DecidedConclusion) -> Result<String> {
    let has_one_seed = |run: &str| b.results.runs.get(run).is_some_and(|run| run.seeds.len() == 1);
    let is_limited = concluded.obstacle.is_none() && runs_of(b, &concluded.answer).into_iter().any(has_one_seed);
    if is_limited { b.lang.word("verdict.one_seed") } else { Ok(String::new()) }
}

/// The runs that an answer rests on.
fn runs_of<'a>(b: &'a Builder, answer: &'a Answer) -> Vec<&'a str> {
    let compared = |name: &str| -> Vec<&'a str> {
        b.study.comparisons.get(name).map(|c| vec![c.run.as_str(), c.against.as_str()]).unwrap_or_default()
    };
    match answer {
        Answer::Kind { kind, .. } => match kind {
            Kind::Overfits(run) | Kind::OverfittingStarts(run) | Kind::Learns(run) => vec![run],
            Kind::KeepsAccuracy(name) | Kind::Better(name) => compared(name),
            Kind::BestOf(runs) => runs.iter().map(String::as_str).collect(),
            Kind::OrderMatters(OrderPair { shuffled, ordered }) => vec![shuffled, ordered],
            Kind::FewerParameters(_) => Vec::new(),
        },
        Answer::Own { supported_if, refuted_if, .. } => {
            let rule = format!("{supported_if} {refuted_if}");
            let [in_runs, in_comparisons] = ["runs", "comparisons"].map(|group| names(&rule, group));
            let runs = b.study.runs.keys().map(String::as_str).filter(|run| in_runs.contains(run));
            let of_comparisons = b.study.comparisons.keys().filter(|name| in_comparisons.contains(name.as_str()));
            let named: Vec<&str> = runs.chain(of_comparisons.flat_map(|name| compared(name))).collect();
            // An expression may go over all runs without naming them.
            let uses_all = named.is_empty() && ["runs", "comparisons"].iter().any(|group| rule.contains(group));
            if uses_all { b.study.runs.keys().map(String::as_str).collect() } else { named }
        }
    }
}

/// The names in an expression whose values of `group` it has: `runs.slim` or `runs['slim-bn']`. Collected once, because a study may
/// have thousands of runs.
fn names<'e>(expression: &'e str, group: &str) -> HashSet<&'e str> {
    let name = |(at, _): (usize, &str)| {
        let rest = &expression[at + group.len()..];
        if let Some(name) = rest.strip_prefix('.') {
            return name.split(|c: char| !c.is_alphanumeric() && c != '_').next();
        }
        let quoted = rest.strip_prefix('[')?;
        let quote = quoted.chars().next().filter(|c| ['\'', '"'].contains(c))?;
        let (name, after) = quoted[1..].split_once(quote)?;
        after.starts_with(']').then_some(name)
    };
    expression.match_indices(group).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_names_its_runs() {
        let expression = "runs.slim.accuracy > 0.9 and runs['slim-bn'].loss < comparisons.order.difference";
        let named = |group: &str, name: &str| names(expression, group).contains(name);
        assert!(named("runs", "slim") && named("runs", "slim-bn") && named("comparisons", "order"));
        assert!(!named("runs", "sli") && !named("runs", "order") && !named("comparisons", "slim"));
    }
}
