//! The text of several verifications: a line for each bundle, then a table, then what bundles have in common.

use std::fmt::Write;

use crate::digest::short;
use crate::rung::Rung;
use crate::text::terminal;
use crate::verify::{Common, Record, Status, Verification, groups, sorted};

/// Characters of a title in the table, and of a name.
const WIDEST: usize = 30;

/// One bundle's line, and below it what that proves.
pub(super) fn line(record: &Record) -> String {
    let path = terminal::path(record.path());
    match record {
        Record::Unreadable { error, .. } => format!("{path}: cannot be checked: {}\n", super::one_line(error)),
        Record::Checked { verification, .. } => match verification.asked(Status::Failed).next() {
            None => {
                let closing = super::one_line(&verification.closing.line());
                format!("{path}: {}\n  {closing}\n", found(verification))
            }
            Some(step) => {
                let first = step.details.first().map_or("", String::as_str);
                format!("{path}: `{}` FAILED: {}\n", step.rung.name(), super::one_line(first))
            }
        },
    }
}

/// What was found in a bundle in which no rung failed.
fn found(verification: &Verification) -> String {
    let lean = if verification.is_lean() { "lean, fine as far as it goes: " } else { "" };
    let (not_checked, diverged) = (not_checked(verification), diverged(verification));
    let found = format!("{lean}{}{not_checked}{diverged}", rungs(verification));
    match &verification.assignment {
        None => found,
        // First, so that nobody reads only that all rungs passed.
        Some(other) if other.status == Status::Failed => {
            format!("NOT THE ASSIGNMENT: {} ({found})", super::one_line(&other.brief()))
        }
        Some(assignment) => format!("{found}; {}", super::one_line(&assignment.brief())),
    }
}

/// The table of all bundles, sorted by group, author and file, and what they have in common.
pub(super) fn table(records: &[Record]) -> String {
    let upto = records.iter().filter_map(Record::verification).map(|verification| verification.upto).max();
    let columns = Columns {
        rungs: Rung::ALL.into_iter().filter(|rung| Some(*rung) <= upto).collect(),
        has_assignment: records.iter().filter_map(Record::verification).any(|v| v.assignment.is_some()),
    };
    let rows: Vec<Vec<String>> = std::iter::once(columns.header())
        .chain(sorted(records).into_iter().map(|record| columns.row(record)))
        .collect();
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or_default()).collect();
    let mut text = String::from("\n");
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text + &copies(records)
}

/// The columns that depend on what was asked for.
struct Columns {
    rungs: Vec<Rung>,
    has_assignment: bool,
}

impl Columns {
    fn header(&self) -> Vec<String> {
        let mut header: Vec<String> =
            ["file", "result", "author", "group", "title", "Report ID"].map(str::to_owned).into();
        header.extend(self.rungs.iter().map(|rung| rung.name().to_owned()));
        header.extend(self.has_assignment.then(|| "assignment".to_owned()));
        header.push("time".to_owned());
        header
    }

    fn row(&self, record: &Record) -> Vec<String> {
        let none = || "-".to_owned();
        let mut row = vec![terminal::path(record.path()), record.result().to_string()];
        let verification = record.verification();
        let about = verification.map(|verification| &verification.about);
        for text in [about.map(|a| &a.author), about.map(|a| &a.group), about.map(|a| &a.title)] {
            row.push(text.and_then(Option::as_deref).map_or_else(none, cut));
        }
        let id = verification.and_then(|verification| verification.report_id.as_deref());
        row.push(id.map_or_else(none, |id| short(id).to_owned()));
        let step = |rung: &Rung| verification?.steps.iter().find(|step| step.rung == *rung);
        row.extend(self.rungs.iter().map(|rung| step(rung).map_or_else(none, |step| step.word().to_owned())));
        if self.has_assignment {
            let assignment = verification.and_then(|verification| verification.assignment.as_ref());
            row.push(assignment.map_or_else(none, |assignment| assignment.status.to_string()));
        }
        row.push(format!("{:.1} s", record.seconds()));
        row
    }
}

/// `1 passed, 1 FAILED, 3 not checked`, of the rungs asked for.
fn rungs(verification: &Verification) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for status in [Status::Passed, Status::Failed, Status::NotChecked] {
        for left_out in [false, true] {
            let steps: Vec<_> = verification.asked(status).filter(|step| step.left_out == left_out).collect();
            if let Some(step) = steps.first() {
                counts.push((if left_out { "left out" } else { step.word() }, steps.len()));
            }
        }
    }
    counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

/// `: render, replay`, the rungs asked for that were not checked; empty if all were.
fn not_checked(verification: &Verification) -> String {
    let names: Vec<&str> = verification.asked(Status::NotChecked).map(|step| step.rung.name()).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

/// `; diverged: fast (...)`, the runs that the bundle says diverged; empty if none did.
fn diverged(verification: &Verification) -> String {
    match verification.about.diverged.as_deref() {
        None | Some([]) => String::new(),
        Some(runs) => format!("; diverged: {}", super::one_line(&runs.join(", "))),
    }
}

fn cut(text: &str) -> String {
    terminal::cut(&super::one_line(text), WIDEST)
}

/// Each group of bundles that have something in common.
fn copies(records: &[Record]) -> String {
    let mut text = String::new();
    for (common, members) in groups(records) {
        let (what, note) = match common {
            Common::ReportId => ("The same Report ID more than once", ""),
            Common::Measured => (
                "The same measured values under different Report IDs",
                "\n  one run handed in more than once, or the same runs repeated in the same environment",
            ),
            Common::Predictions => (
                "The same predictions under different measured values",
                "\n  the same networks with other values changed, or two environments that agree so far",
            ),
        };
        let paths: Vec<String> = members.iter().map(|v| terminal::path(&v.path)).collect();
        let _ = writeln!(text, "\n{what}: {}{note}", paths.join(", "));
    }
    text
}
