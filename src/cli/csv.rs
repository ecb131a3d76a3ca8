//! `verify --csv`: the table of several bundles for a spreadsheet, sorted as the printed one.

use super::batch::with_drawn;
use crate::rung::Rung;
use crate::verify::{About, AssignmentResult, Common, Judgement, KeyRun, Mark, Record, Status, sorted};

/// The columns before and after those of the rungs and the likenesses.
const BEFORE: [&str; 6] = ["file", "result", "author", "group", "title", "report_id"];
const AFTER: [&str; 6] = ["assignment", "assignment_differs", "accuracies", "seconds", "exit_code", "measured_digest"];

/// The table as RFC 4180 has it. The byte order mark tells spreadsheets that it is UTF-8.
pub(super) fn text(records: &[Record]) -> String {
    let rows = std::iter::once(header()).chain(sorted(records).into_iter().map(row));
    let lines = rows.map(|row| row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n");
    std::iter::once("\u{feff}".to_owned()).chain(lines).collect()
}

fn header() -> Vec<String> {
    let rungs = Rung::ALL.map(Rung::name);
    let mut header: Vec<String> = BEFORE.iter().chain(&rungs).chain(&AFTER).map(|name| (*name).to_owned()).collect();
    header.extend(Common::ALL.map(|common| format!("same_{}_as", common.name())));
    header.push("error".to_owned());
    header
}

fn row(record: &Record) -> Vec<String> {
    let or_empty = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut row = vec![record.path.clone(), record.result.name().to_owned()];
    row.extend(record.names().map(or_empty));
    row.push(or_empty(record.report_id()));
    let mark = |rung| record.mark(rung).map(|mark| with_drawn(mark.name(), record.drawn(rung))).unwrap_or_default();
    row.extend(Rung::ALL.map(mark));
    let assignment = record.assignment();
    row.push(or_empty(assignment.map(compared)));
    row.push(assignment.map(AssignmentResult::forbidden_keys).unwrap_or_default());
    row.push(record.about().map(accuracies).unwrap_or_default());
    row.push(format!("{:.1}", record.seconds));
    row.push(record.exit_code.status().to_string());
    row.push(or_empty(record.about().and_then(|about| about.measured_digest.as_deref())));
    let with_networks = |path: &String| {
        let shared = record.networks_shared_with(path);
        let named: Vec<&str> = shared.iter().map(|shared| shared.network.as_str()).collect();
        if named.is_empty() { path.clone() } else { format!("{path} ({})", named.join(", ")) }
    };
    let cell = |paths: &[String]| paths.iter().map(with_networks).collect::<Vec<_>>().join("; ");
    row.extend(record.likenesses().into_iter().map(|(_, paths)| cell(paths)));
    row.push(or_empty(record.error.as_deref()));
    row
}

/// The comparison with the assignment, in the words of the results.
fn compared(found: &AssignmentResult) -> &'static str {
    match found.status {
        Status::Failed => Judgement::AnotherStudy.name(),
        other => Mark::from(other).name(),
    }
}

/// `slim 0.9712; slim-bn 0.9804`, the accuracy of each run, as the bundle states it.
fn accuracies(about: &About) -> String {
    let of_run = |run: &KeyRun| format!("{} {:.4}", run.name, run.accuracy);
    about.runs.iter().map(of_run).collect::<Vec<_>>().join("; ")
}

/// What a formula starts with, also in full width.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A cell on one line. A spreadsheet would compute a text that starts like a formula, so an apostrophe comes before it: also after
/// each semicolon, where spreadsheets of many languages start a new cell.
fn quoted(cell: &str) -> String {
    let line = super::one_line(cell);
    let guarded = |part: &str| {
        let is_formula = part.trim_start_matches(['"', ' ']).starts_with(FORMULA);
        if is_formula { format!("'{part}") } else { part.to_owned() }
    };
    let safe = line.split(';').map(guarded).collect::<Vec<_>>().join(";");
    if safe.contains([',', '"', ';']) || safe != line { format!("\"{}\"", safe.replace('"', "\"\"")) } else { line }
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
            ("＝1", "\"'＝1\""),
            ("Lab 1;=HYPERLINK(\"x\")", "\"Lab 1;'=HYPERLINK(\"\"x\"\")\""),
            ("Ann; +cmd|/C calc", "\"Ann;' +cmd|/C calc\""),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
