//! A batch's outcome as text: a line for each bundle as it is done, then the table.
//!
//! Owns the wording; what was found is `verify`'s. Titles are other people's text and are shown without control
//! characters.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::engine::Environment;
use crate::text::terminal;
use crate::verify::{Record, Status, Verification};

/// Digits of a hash, enough to tell two apart.
const SHORT: usize = 12;
/// Characters of a title or environment in the table.
const WIDEST: usize = 40;

/// One bundle's line.
pub(super) fn line(record: &Record) -> String {
    let path = terminal::path(record.path());
    match record {
        Record::Unreadable { error, .. } => format!("{path}: cannot be checked: {}\n", super::one_line(error)),
        Record::Checked { verification, .. } => match verification.asked(Status::Failed).next() {
            None => format!("{path}: {}{}\n", rungs(verification), open(verification)),
            Some(step) => {
                let first = step.details.first().map_or("", String::as_str);
                format!("{path}: `{}` FAILED: {}\n", step.rung.name(), super::one_line(first))
            }
        },
    }
}

/// The table of all, and what shows only side by side.
pub(super) fn table(records: &[Record]) -> String {
    let header = ["path", "title", "Report ID", "rungs", "environment", "measured"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(records.iter().map(row)).collect();
    let widths: [usize; 6] = std::array::from_fn(|i| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0));
    let mut text = String::from("\n");
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text + &copies(records)
}

fn row(record: &Record) -> [String; 6] {
    let path = terminal::path(record.path());
    let none = || "-".to_owned();
    let Some(verification) = record.verification() else {
        return [path, none(), none(), "cannot be checked".into(), none(), none()];
    };
    let about = &verification.about;
    let short = |hash: &Option<String>| hash.as_deref().and_then(|h| h.get(..SHORT)).map_or_else(none, str::to_owned);
    [
        path,
        about.title.as_deref().map_or_else(none, cut),
        short(&verification.report_id),
        rungs(verification),
        about.environment.as_ref().map_or_else(none, class),
        short(&about.measured_digest),
    ]
}

/// `5 passed`, `1 passed, 1 FAILED, 3 not checked`: of the rungs asked for.
fn rungs(verification: &Verification) -> String {
    let counted = [Status::Passed, Status::Failed, Status::NotChecked].map(|status| {
        let count = verification.asked(status).count();
        (count > 0).then(|| format!("{count} {status}"))
    });
    counted.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `: render, replay`: the rungs asked for that were not checked; nothing where all were.
fn open(verification: &Verification) -> String {
    let names: Vec<&str> = verification.asked(Status::NotChecked).map(|step| step.rung.name()).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn cut(text: &str) -> String {
    let text = super::one_line(text);
    match text.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// `portable, 4 threads`, `cuda, NVIDIA H100`: enough to see who can be compared with whom.
fn class(environment: &Environment) -> String {
    let threads = environment.threads.map(|n| format!("{n} threads"));
    let on = environment.gpu.clone().or_else(|| environment.cpu.clone()).or(threads);
    cut(&[Some(environment.class.clone()), on].into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// Each group of bundles that have something in common, once.
fn copies(records: &[Record]) -> String {
    let mut text = String::new();
    let mut tell = |what: &str, group: &[&Verification], note: &str| {
        let names: Vec<String> = group.iter().map(|v| terminal::path(&v.path)).collect();
        let _ = writeln!(text, "\n{what}: {}{note}", names.join(", "));
    };
    let id = |v: &Verification| v.report_id.clone();
    let measured = |v: &Verification| v.about.measured_digest.clone();
    for group in groups(records, id).iter().filter(|group| group.len() > 1) {
        tell("The same Report ID more than once", group, "");
    }
    for group in groups(records, measured).iter().filter(|group| group.iter().any(|v| id(v) != id(group[0]))) {
        let note = "\n  one run handed in more than once, or the same runs done again in the same environment class";
        tell("The same measured values under different Report IDs", group, note);
    }
    let predictions = groups(records, |v| v.about.predictions_digest.clone());
    for group in predictions.iter().filter(|group| group.iter().any(|v| measured(v) != measured(group[0]))) {
        let note = "\n  the same networks, and something beside them was changed, or two classes that agree so far";
        tell("The same predictions under different measured values", group, note);
    }
    text
}

/// Bundles by something that they say of themselves.
fn groups(records: &[Record], mark: impl Fn(&Verification) -> Option<String>) -> Vec<Vec<&Verification>> {
    let mut groups: IndexMap<String, Vec<&Verification>> = IndexMap::new();
    for verification in records.iter().filter_map(Record::verification) {
        if let Some(mark) = mark(verification) {
            groups.entry(mark).or_default().push(verification);
        }
    }
    groups.into_values().collect()
}
