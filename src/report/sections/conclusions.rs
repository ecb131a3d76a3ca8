//! What decides each conclusion.

use super::prelude::*;
use crate::claims::{DecidedConclusion, Finding, Obstacle};

pub(super) fn section(b: &Builder, conclusions: &[DecidedConclusion]) -> Result<ReportSection> {
    let summary = RichText::linked(InlineStyle::Plain, b.lang.word("summary.heading")?, "summary");
    let item = |c: &DecidedConclusion| {
        let rule = context! { supported_if => c.supported_if.as_str(), refuted_if => c.refuted_if.as_str() };
        let text = b.text("conclusions.how", rule)?.then(obstacle(b, c.obstacle.as_ref())?);
        Ok(FindingItem { badge: badge(b, c)?, question: c.question.as_str().into(), text })
    };
    let items = conclusions.iter().map(item).collect::<Result<_>>()?;
    let blocks = vec![
        Block::paragraph(b.text("conclusions.text", context! { summary => summary.value() })?),
        Block::Findings { style: "rules", items },
    ];
    Ok(b.section(SectionId::Conclusions, b.phrase("conclusions.heading")?, blocks))
}

/// Why a conclusion could not be decided, or nothing measured for a claim; empty if nothing stood in the way.
pub(super) fn obstacle(b: &Builder, obstacle: Option<&Obstacle>) -> Result<RichText> {
    match obstacle {
        None => Ok(RichText::default()),
        Some(Obstacle::NotMeasured(names)) => b.text("conclusions.not_measured", context! { names }),
        Some(Obstacle::NoValue(reason)) => b.text("conclusions.no_value", context! { reason }),
        Some(Obstacle::BothHold) => b.phrase("conclusions.both_hold"),
    }
}

/// A conclusion's finding.
pub(super) fn badge(b: &Builder, concluded: &DecidedConclusion) -> Result<RichText> {
    match concluded.finding {
        Finding::Supported => b.badge(InlineStyle::Agrees, "supported"),
        Finding::Refuted => b.badge(InlineStyle::Opposes, "refuted"),
        Finding::Undecided => b.badge(InlineStyle::Open, "undecided"),
    }
}
