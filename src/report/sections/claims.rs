//! The quoted claims with their verdicts.

use minijinja::{Value, context};

use crate::claims::{Judged, Verdict, judge};
use crate::report::builder::{Builder, Columns};
use crate::report::document::ColumnKind::{LongNumber, Number, Text};
use crate::report::document::{Block, ReportSection, TableBlock, TableColumn, TableRow};
use crate::report::error::Result;
use crate::report::inline::{InlineStyle, RichText};
use crate::results::Results;
use crate::study::Study;

/// All claims in the study's order, judged.
pub(super) struct Claims<'a>(Vec<Judged<'a>>);

/// A group of claims, those that differ first.
struct ClaimGroup<'c, 'a> {
    title: &'c str,
    claims: Vec<&'c Judged<'a>>,
}

impl<'a> Claims<'a> {
    pub(super) fn of(study: &'a Study, results: &Results) -> Self {
        Self(judge(study, results))
    }

    /// How many claims there are, and how many have each verdict.
    pub(super) fn counts(&self) -> Value {
        let claims: Vec<&Judged> = self.0.iter().collect();
        let count = |verdict| count(&claims, verdict);
        let (matches, differs) = (count(Verdict::Matches), count(Verdict::Differs));
        context! { all => claims.len(), matches, differs, not_measured => count(Verdict::NotMeasured) }
    }

    /// By group, in the study's order.
    fn groups(&self) -> Vec<ClaimGroup<'_, 'a>> {
        let mut groups: Vec<ClaimGroup> = Vec::new();
        for judged in &self.0 {
            let title = judged.claim.group.as_str();
            match groups.iter_mut().find(|g| g.title == title) {
                Some(group) => group.claims.push(judged),
                None => groups.push(ClaimGroup { title, claims: vec![judged] }),
            }
        }
        groups.iter_mut().for_each(|g| g.claims.sort_by_key(|judged| judged.verdict));
        groups
    }
}

fn count(claims: &[&Judged], verdict: Verdict) -> usize {
    claims.iter().filter(|judged| judged.verdict == verdict).count()
}

fn badge(b: &Builder, verdict: Verdict) -> Result<RichText> {
    b.badge(match verdict {
        Verdict::Matches => "matches",
        Verdict::Differs => "differs",
        Verdict::NotMeasured => "not measured",
    })
}

pub(super) fn section(b: &Builder, claims: &Claims) -> Result<ReportSection> {
    let [matches, differs, not_measured] =
        [Verdict::Matches, Verdict::Differs, Verdict::NotMeasured].map(|verdict| badge(b, verdict));
    let (matches, differs, not_measured) = (matches?.value(), differs?.value(), not_measured?.value());
    let mut blocks = vec![Block::paragraph(b.text("claims.text", context! { matches, differs, not_measured })?)];
    let groups = claims.groups();
    if groups.len() > 1 {
        blocks.push(Block::Table(overview(b, claims, &groups)?));
    }
    for (i, group) in groups.iter().enumerate() {
        blocks.push(Block::heading(group_id(i), group.title));
        blocks.push(Block::Table(table(b, group)?));
    }
    Ok(b.section("claims", blocks))
}

fn group_id(i: usize) -> String {
    format!("claims-{}", i + 1)
}

/// How many claims of each group have each verdict.
fn overview(b: &Builder, claims: &Claims, groups: &[ClaimGroup]) -> Result<TableBlock> {
    type Row<'a> = (RichText, Vec<&'a Judged<'a>>);
    let all = (b.heading("all")?, claims.0.iter().collect());
    let linked = |i, title| RichText::linked(InlineStyle::Plain, title, group_id(i));
    let rows = groups.iter().enumerate().map(|(i, group)| (linked(i, group.title), group.claims.clone()));
    let columns = Columns::<Row>::new()
        .column("group", Text, |(title, _)| Ok(title.clone()))
        .plain("claims", Number, |(_, claims)| claims.len().to_string())
        .plain("differ", Number, |(_, claims)| count(claims, Verdict::Differs).to_string())
        .plain("not_measured", Number, |(_, claims)| count(claims, Verdict::NotMeasured).to_string())
        .plain("match", Number, |(_, claims)| count(claims, Verdict::Matches).to_string());
    let footer = columns.cells(&all)?;
    Ok(b.table(b.phrase("claims.groups")?, &columns, rows)?.styled("narrow").with_footer(footer))
}

fn table(b: &Builder, group: &ClaimGroup) -> Result<TableBlock> {
    let row = |judged: &&Judged| {
        let claim = judged.claim;
        let quote = b.lang.say("claims.quote", context! { quote => claim.quote.as_str() })?;
        let measured = if judged.measured.is_empty() { "–" } else { judged.measured.as_str() };
        let cells = vec![
            RichText::code(claim.id.as_str()),
            RichText::styled(InlineStyle::Quote, quote),
            claim.printed.as_str().into(),
            measured.into(),
            badge(b, judged.verdict)?,
        ];
        let why = claim.why.as_deref().filter(|_| judged.verdict == Verdict::Differs);
        Ok(TableRow { cells, note: why.unwrap_or_default().into() })
    };
    let rows: Vec<TableRow> = group.claims.iter().map(row).collect::<Result<_>>()?;
    let columns =
        [("claim", Text), ("quote", Text), ("printed", LongNumber), ("measured", LongNumber), ("verdict", Text)];
    let columns = columns.into_iter().map(|(key, kind)| Ok(TableColumn::new(b.heading(key)?, kind)));
    let caption = b.text("claims.table", context! { title => group.title })?;
    let table = b.numbered_table(caption, columns.collect::<Result<_>>()?, vec![rows.into()])?.styled("long claims");
    Ok(TableBlock { note_heading: b.heading("why")?, ..table })
}
