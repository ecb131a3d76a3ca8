//! The text of several verifications: a line for each bundle, then a table, then what bundles have in common.

use std::fmt::Write;

use crate::compute::Environment;
use crate::digest::short;
use crate::text::terminal;
use crate::verify::{Common, Record, Status, Verification, groups};

/// Characters of a title or environment in the table.
const WIDEST: usize = 40;

/// One bundle's line, and below it what that proves.
pub(super) fn line(record: &Record) -> String {
    let path = terminal::path(record.path());
    match record {
        Record::Unreadable { error, .. } => format!("{path}: cannot be checked: {}\n", super::one_line(error)),
        Record::Checked { verification, .. } => match verification.asked(Status::Failed).next() {
            None => {
                let closing = super::one_line(&verification.closing.line());
                let (not_checked, diverged) = (not_checked(verification), diverged(verification));
                let found = format!("{}{not_checked}{diverged}", rungs(verification));
                let found = match &verification.assignment {
                    None => found,
                    // First, so that nobody reads only that all rungs passed.
                    Some(other) if other.status == Status::Failed => {
                        format!("NOT THE ASSIGNMENT: {} ({found})", super::one_line(&other.brief()))
                    }
                    Some(assignment) => format!("{found}; {}", super::one_line(&assignment.brief())),
                };
                format!("{path}: {found}\n  {closing}\n")
            }
            Some(step) => {
                let first = step.details.first().map_or("", String::as_str);
                format!("{path}: `{}` FAILED: {}\n", step.rung.name(), super::one_line(first))
            }
        },
    }
}

/// The table of all bundles, and what they have in common.
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
    let hash = |hash: &Option<String>| hash.as_deref().map_or_else(none, |hash| short(hash).to_owned());
    [
        path,
        about.title.as_deref().map_or_else(none, cut),
        hash(&verification.report_id),
        rungs(verification),
        about.environment.as_ref().map_or_else(none, class),
        hash(&about.measured_digest),
    ]
}

/// `1 passed, 1 FAILED, 3 not checked`, of the rungs asked for.
fn rungs(verification: &Verification) -> String {
    let counts = [Status::Passed, Status::Failed, Status::NotChecked].into_iter().filter_map(|status| {
        let count = verification.asked(status).count();
        (count > 0).then(|| format!("{count} {status}"))
    });
    counts.collect::<Vec<_>>().join(", ")
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

/// An environment in a few words: `arithmetic 3`, `cuda, NVIDIA H100`.
fn class(environment: &Environment) -> String {
    match &environment.gpu {
        None => format!("arithmetic {}", environment.arithmetic),
        Some(gpu) => cut(&format!("cuda, {}", gpu.name)),
    }
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
