//! What decides each conclusion.

use super::prelude::*;
use super::told;
use crate::claims::{Answer, DecidedConclusion, Finding};

pub(super) fn section(b: &Builder, conclusions: &[DecidedConclusion]) -> Result<ReportSection> {
    let summary = RichText::linked(InlineStyle::Plain, b.lang.word("summary.heading")?, "summary");
    let mut items: Vec<FindingItem> = Vec::new();
    let mut rules: Vec<(RichText, RichText)> = Vec::new();
    for c in conclusions {
        let rule = told::how(b, c)?;
        // The words of a rule are printed once.
        let printed = match rules.iter().find(|(other, _)| *other == rule) {
            Some((_, question)) => b.text("conclusions.same_rule", context! { question => question.plain() })?,
            None => rule.clone(),
        };
        let text = answer_here(b, c)?.then(printed).then(told::obstacle(b, c.obstacle.as_ref())?);
        let question = told::question(b, c)?;
        rules.push((rule, question.clone()));
        items.push(FindingItem { badge: badge(b, c)?, question, text });
    }
    let blocks = vec![
        Block::paragraph(b.text("conclusions.text", context! { summary => summary.value() })?),
        Block::Findings { style: "rules", items },
    ];
    Ok(b.section(SectionId::Conclusions, b.phrase("conclusions.heading")?, blocks))
}

/// The answer, unless the first section has the whole of it, or a section on training begins with it.
fn answer_here(b: &Builder, c: &DecidedConclusion) -> Result<RichText> {
    let elsewhere = b.training.iter().any(|section| section.answers.contains(&c.id));
    let is_whole = matches!(c.answer, Answer::Own { .. });
    if elsewhere || is_whole { Ok(RichText::default()) } else { Ok(told::sentence(b, c)?.then(told::remark(c))) }
}

/// A conclusion's finding.
pub(super) fn badge(b: &Builder, concluded: &DecidedConclusion) -> Result<RichText> {
    match concluded.finding {
        Finding::Supported => b.badge(InlineStyle::Agrees, "supported"),
        Finding::Refuted => b.badge(InlineStyle::Opposes, "refuted"),
        Finding::Undecided => b.badge(InlineStyle::Open, "undecided"),
    }
}
