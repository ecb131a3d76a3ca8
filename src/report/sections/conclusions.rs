//! What decides each conclusion.

use minijinja::context;

use crate::claims::{Concluded, Finding};
use crate::report::builder::Builder;
use crate::report::document::{Block, FindingItem, Findings, ReportSection};
use crate::report::error::Result;
use crate::report::inline::{InlineStyle, RichText};

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
        Block::Findings(Findings { style: "rules", items }),
    ];
    Ok(b.section("conclusions", blocks))
}

/// A conclusion's finding.
pub(super) fn badge(b: &Builder, concluded: &Concluded) -> Result<RichText> {
    b.badge(match concluded.finding {
        Finding::Supported => "supported",
        Finding::Refuted => "refuted",
        Finding::Undecided => "undecided",
    })
}
