//! `verify --csv`: the table of several bundles for a spreadsheet, sorted as the printed one.

use std::fs::{self, OpenOptions};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::rung::Rung;
use crate::verify::{AssignmentResult, Record, Status, sorted};

/// The columns before and after those of the rungs.
const BEFORE: [&str; 6] = ["file", "result", "author", "group", "title", "report_id"];
const AFTER: [&str; 9] = [
    "assignment",
    "assignment_differs",
    "seconds",
    "exit_code",
    "measured_digest",
    "same_report_id_as",
    "same_measured_as",
    "same_predictions_as",
    "error",
];

/// Refuses a file that cannot be written, before anything is verified. The ending keeps `verify --csv *.zip` from overwriting
/// the first zip.
pub(super) fn check(file: &Path) -> Result<()> {
    if !file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
        bail!("--csv {}: the table's name must end in .csv", file.display());
    }
    OpenOptions::new().create(true).append(true).open(file).with_context(|| cannot_write(file))?;
    Ok(())
}

/// Writes the table.
pub(super) fn write(file: &Path, records: &[Record]) -> Result<()> {
    fs::write(file, text(records)).with_context(|| cannot_write(file))
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write {}", file.display())
}

/// The table as RFC 4180 has it. The byte order mark tells spreadsheets that it is UTF-8.
fn text(records: &[Record]) -> String {
    let rungs = Rung::ALL.map(Rung::name);
    let header: Vec<String> = BEFORE.iter().chain(&rungs).chain(&AFTER).map(|name| (*name).to_owned()).collect();
    let rows = std::iter::once(header).chain(sorted(records).into_iter().map(row));
    let lines = rows.map(|row| row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n");
    std::iter::once("\u{feff}".to_owned()).chain(lines).collect()
}

fn row(record: &Record) -> Vec<String> {
    let verification = record.verification();
    let about = verification.map(|verification| &verification.about);
    let mut row = vec![record.path().to_owned(), record.result().name().to_owned()];
    for text in [about.map(|a| &a.author), about.map(|a| &a.group), about.map(|a| &a.title)] {
        row.push(text.cloned().flatten().unwrap_or_default());
    }
    row.push(verification.and_then(|verification| verification.report_id.clone()).unwrap_or_default());
    for rung in Rung::ALL {
        let step = verification.and_then(|v| v.steps.iter().find(|step| step.rung == rung && step.rung <= v.upto));
        row.push(step.map(|step| word(step.status, step.left_out).to_owned()).unwrap_or_default());
    }
    let assignment = verification.and_then(|verification| verification.assignment.as_ref());
    row.push(assignment.map(|assignment| word(assignment.status, false).to_owned()).unwrap_or_default());
    row.push(assignment.map(AssignmentResult::forbidden_keys).unwrap_or_default());
    row.push(format!("{:.1}", record.seconds()));
    row.push(record.exit_code().status().to_string());
    row.push(about.and_then(|about| about.measured_digest.clone()).unwrap_or_default());
    row.extend(record.copies().map(|paths| paths.join("; ")));
    row.push(record.error().unwrap_or_default().to_owned());
    row
}

fn word(status: Status, left_out: bool) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::NotChecked if left_out => "lean",
        Status::NotChecked => "not_checked",
    }
}

/// A cell on one line. A spreadsheet would compute a text that starts like a formula, so an apostrophe comes before it.
fn quoted(cell: &str) -> String {
    let line = super::one_line(cell);
    let guard = if line.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if line.contains([',', '"', ';']) || !guard.is_empty() {
        format!("\"{guard}{}\"", line.replace('"', "\"\""))
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_can_neither_end_its_row_nor_be_a_formula() {
        for (cell, expected) in [
            ("Їжак", "Їжак"),
            ("a, \"b\"", "\"a, \"\"b\"\"\""),
            ("a\r\nb\tc", "a b c"),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            (" \t@SUM(A1)", "\"'@SUM(A1)\""),
            ("-1", "\"'-1\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
