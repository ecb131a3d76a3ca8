//! The quoted claims with their verdicts.

use super::prelude::*;
use super::told::obstacle;
use crate::claims::{JudgedClaim, Verdict};

/// With more claims than this, those that match are folded, so that the others are seen.
const MOST_SHOWN: usize = 12;

/// A group of claims, those that differ first.
struct ClaimGroup<'a> {
    title: &'a str,
    claims: Vec<&'a JudgedClaim<'a>>,
}

/// The claims by group, in the study's order.
fn groups<'a>(claims: &'a [JudgedClaim]) -> Vec<ClaimGroup<'a>> {
    let mut groups: Vec<ClaimGroup> = Vec::new();
    for judged in claims {
        let title = judged.claim.group.as_str();
        match groups.iter_mut().find(|g| g.title == title) {
            Some(group) => group.claims.push(judged),
            None => groups.push(ClaimGroup { title, claims: vec![judged] }),
        }
    }
    for group in &mut groups {
        group.claims.sort_by_key(|judged| judged.verdict);
    }
    groups
}

/// How many claims have a verdict.
pub(super) fn count<'a>(claims: impl IntoIterator<Item = &'a JudgedClaim<'a>>, verdict: Verdict) -> usize {
    claims.into_iter().filter(|judged| judged.verdict == verdict).count()
}

fn badge(b: &Builder, verdict: Verdict) -> Result<RichText> {
    match verdict {
        Verdict::Matches => b.badge(InlineStyle::Agrees, "matches"),
        Verdict::TestsNothing => b.badge(InlineStyle::Open, "tests nothing"),
        Verdict::Differs => b.badge(InlineStyle::Opposes, "differs"),
        Verdict::NotMeasured => b.badge(InlineStyle::Open, "not measured"),
    }
}

pub(super) fn section(b: &Builder, claims: &[JudgedClaim]) -> Result<ReportSection> {
    let values = context! {
        matches => badge(b, Verdict::Matches)?.value(),
        differs => badge(b, Verdict::Differs)?.value(),
        not_measured => badge(b, Verdict::NotMeasured)?.value(),
        tests_nothing => badge(b, Verdict::TestsNothing)?.value(),
        any_tests_nothing => count(claims, Verdict::TestsNothing) > 0,
    };
    let mut blocks = vec![Block::paragraph(b.text("claims.text", values)?)];
    let groups = groups(claims);
    let folds = claims.len() > MOST_SHOWN;
    if groups.len() > 1 {
        blocks.push(Block::Table(overview(b, claims, &groups)?));
    }
    for (i, group) in groups.iter().enumerate() {
        blocks.push(Block::heading(group_id(i), group.title));
        let (matching, others): (Vec<&JudgedClaim>, _) =
            group.claims.iter().partition(|judged| folds && judged.verdict == Verdict::Matches);
        if !others.is_empty() {
            blocks.push(Block::Table(table(b, group.title, &others)?));
        }
        if !matching.is_empty() {
            let title = b.text("claims.folded", context! { n => matching.len() })?;
            let table = Block::Table(table(b, group.title, &matching)?);
            blocks.push(Block::Folded { title, blocks: vec![table] });
        }
    }
    Ok(b.section(SectionId::Claims, b.phrase("claims.heading")?, blocks))
}

fn group_id(i: usize) -> String {
    format!("claims-{}", i + 1)
}

/// How many claims of each group have each verdict.
fn overview(b: &Builder, claims: &[JudgedClaim], groups: &[ClaimGroup]) -> Result<TableBlock> {
    let number =
        |(_, claims): &(RichText, Vec<&JudgedClaim>), verdict| count(claims.iter().copied(), verdict).to_string();
    let columns = Columns::<(RichText, Vec<&JudgedClaim>)>::new()
        .column("group", Text, |(title, _)| title.clone())
        .column("claims", Number, |(_, claims)| claims.len().to_string())
        .column("differ", Number, |group| number(group, Verdict::Differs))
        .column("not_measured", Number, |group| number(group, Verdict::NotMeasured))
        .column("tests_nothing", Number, |group| number(group, Verdict::TestsNothing))
        .when(count(claims, Verdict::TestsNothing) > 0)
        .column("match", Number, |group| number(group, Verdict::Matches));
    let rows = groups
        .iter()
        .enumerate()
        .map(|(i, group)| (RichText::linked(InlineStyle::Plain, group.title, group_id(i)), group.claims.clone()));
    let footer = columns.cells(&(b.heading("all")?, claims.iter().collect()))?;
    let table = b.table(b.phrase("claims.groups")?, &columns, rows)?.styled("narrow");
    Ok(TableBlock { footer, ..table })
}

/// Claims of a group, each with the reason that the study gives for a difference.
fn table(b: &Builder, title: &str, claims: &[&JudgedClaim]) -> Result<TableBlock> {
    let columns = Columns::<&JudgedClaim>::new()
        .column("claim", Text, |judged| RichText::code(&judged.claim.id))
        .column("quote", Text, |judged| {
            let quote = b.lang.say("claims.quote", context! { quote => judged.claim.quote.as_str() });
            quote.map(|quote| RichText::styled(InlineStyle::Quote, quote))
        })
        .column("printed", LongNumber, |judged| judged.printed.clone())
        .column("measured", LongNumber, |judged| {
            if judged.measured.is_empty() { "–".to_owned() } else { judged.measured.clone() }
        })
        .column("verdict", Text, |judged| badge(b, judged.verdict));
    let caption = b.text("claims.table", context! { title })?;
    let mut table = b.table(caption, &columns, claims.iter().copied())?.styled("long claims");
    table.note_heading = b.heading("why")?;
    for (row, judged) in table.groups[0].rows.iter_mut().zip(claims) {
        let why = judged.claim.why.as_deref().filter(|_| judged.verdict == Verdict::Differs);
        row.note = match why {
            Some(why) => why.into(),
            None => obstacle(b, judged.obstacle.as_ref())?,
        };
    }
    Ok(table)
}
