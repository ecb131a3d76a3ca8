//! What decides each conclusion.

use super::prelude::*;
use crate::claims::{Concluded, Finding};

pub(super) fn section(b: &Builder, conclusions: &[Concluded]) -> Result<ReportSection> {
    let summary = RichText::linked(InlineStyle::Plain, b.lang.word("summary.heading")?, "summary");
    let item = |c: &Concluded| {
        let rule = context! { supported_if => c.supported_if.as_str(), refuted_if => c.refuted_if.as_str() };
        let text = b.text("conclusions.how", rule)?;
        Ok(FindingItem { badge: badge(b, c)?, question: c.question.as_str().into(), text })
    };
    let items = conclusions.iter().map(item).collect::<Result<_>>()?;
    let blocks = vec![
        Block::paragraph(b.text("conclusions.text", context! { summary => summary.value() })?),
        Block::Findings { style: "rules", items },
    ];
    Ok(b.section("conclusions", b.phrase("conclusions.heading")?, blocks))
}

/// A conclusion's finding.
pub(super) fn badge(b: &Builder, concluded: &Concluded) -> Result<RichText> {
    match concluded.finding {
        Finding::Supported => b.badge(InlineStyle::Agrees, "supported"),
        Finding::Refuted => b.badge(InlineStyle::Opposes, "refuted"),
        Finding::Undecided => b.badge(InlineStyle::Open, "undecided"),
    }
}
