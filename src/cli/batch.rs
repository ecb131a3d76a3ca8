//! The text of several verifications: a line for each bundle, then a table, then what bundles have in common.

use std::fmt::Write;

use crate::course::{CourseColumns, named};
use crate::digest::short;
use crate::rung::Rung;
use crate::text::terminal;
use crate::verify::{
    AssignmentResult, Common, DrawnRuns, Group, Mark, Record, RungResult, SharedNetwork, Status, Verification, groups,
    sorted,
};

/// Characters of a title in the table, and of a name.
const WIDEST: usize = 30;
/// Characters of a reason.
const LONGEST: usize = 300;

/// One bundle's line, and below it what that proves.
pub(super) fn line(record: &Record) -> String {
    let path = terminal::path(&record.path);
    let Some(verification) = &record.verification else {
        let error = record.error.as_deref().unwrap_or_default();
        return format!("{path}: cannot be checked: {}\n", super::one_line(error));
    };
    let found = match record.first_difference() {
        Some((rung, first)) => format!("`{}` FAILED: {}", rung.name(), super::one_line(first)),
        None => found(verification),
    };
    format!("{path}: {found}\n  {}\n", super::one_line(&verification.closing.line()))
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
            format!("ANOTHER STUDY: {} ({found})", super::one_line(&other.brief()))
        }
        Some(assignment) => format!("{found}; {}", super::one_line(&assignment.brief())),
    }
}

/// The table of all bundles, sorted by group, author and file, and what they have in common.
pub(super) fn table(records: &[Record]) -> String {
    let columns = CourseColumns::of(records);
    let rows: Vec<Vec<String>> = std::iter::once(header(&columns))
        .chain(sorted(records).into_iter().map(|record| row(&columns, record)))
        .collect();
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or_default()).collect();
    let mut text = String::from("\n");
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text + &groups(records).iter().map(in_common).collect::<String>()
}

/// The headings of the table.
fn header(columns: &CourseColumns) -> Vec<String> {
    let mut header: Vec<String> = ["file", "result", "author", "group", "title", "Report ID"].map(str::to_owned).into();
    header.extend(columns.rungs.iter().map(|rung| rung.name().to_owned()));
    header.extend(columns.has_assignment.then(|| "assignment".to_owned()));
    header.push("time".to_owned());
    header
}

/// A bundle's row.
fn row(columns: &CourseColumns, record: &Record) -> Vec<String> {
    let none = || "-".to_owned();
    let mut row = vec![terminal::path(&record.path), record.result.to_string()];
    row.extend(record.names().map(|name| name.map_or_else(none, cut)));
    let stated = if record.has_changed_files() { " (stated)" } else { "" };
    row.push(record.report_id().map_or_else(none, |id| format!("{}{stated}", short(id))));
    let rung = |rung: &Rung| {
        let mark = record.mark(*rung)?;
        Some(with_drawn(&mark.to_string(), record.drawn(*rung)))
    };
    row.extend(columns.rungs.iter().map(|of| rung(of).unwrap_or_else(none)));
    if columns.has_assignment {
        row.push(record.assignment().map_or_else(none, AssignmentResult::word));
    }
    row.push(format!("{:.1} s", record.seconds));
    row
}

/// `passed, 1 of 2` if a rung checked only some of the bundle's runs.
pub(super) fn with_drawn(word: &str, drawn: Option<DrawnRuns>) -> String {
    match drawn {
        Some(DrawnRuns { runs, of }) => format!("{word}, {runs} of {of}"),
        None => word.to_owned(),
    }
}

/// `1 passed, 1 FAILED, 3 not checked`, of the rungs asked for.
fn rungs(verification: &Verification) -> String {
    let count = |mark| {
        let has_it = |step: &&RungResult| step.rung <= verification.upto && step.mark() == mark;
        let count = verification.steps.iter().filter(has_it).count();
        let word = if mark == Mark::Lean { "left out".to_owned() } else { mark.to_string() };
        (count > 0).then(|| format!("{count} {word}"))
    };
    [Mark::Passed, Mark::Failed, Mark::NotChecked, Mark::Lean]
        .into_iter()
        .filter_map(count)
        .collect::<Vec<_>>()
        .join(", ")
}

/// `: render, replay (REASON)`, the rungs asked for that were not checked, and why the first one was not; empty if all were. What a
/// lean zip leaves out needs no reason.
fn not_checked(verification: &Verification) -> String {
    let names: Vec<&str> = verification.asked(Status::NotChecked).map(|step| step.rung.name()).collect();
    let reason = verification.asked(Status::NotChecked).find(|step| !step.left_out).map(|step| {
        let why = step.details.first().map_or("", String::as_str);
        format!(" ({})", terminal::cut(&super::one_line(why.trim_start_matches("not checked: ")), LONGEST))
    });
    if names.is_empty() { String::new() } else { format!(": {}{}", names.join(", "), reason.unwrap_or_default()) }
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

/// A group of bundles that have something in common.
fn in_common(group: &Group) -> String {
    let changed = group.members.iter().filter(|record| record.has_changed_files());
    let changed = changed.map(|record| terminal::path(&record.path)).collect::<Vec<_>>().join(", ");
    let of_stated = format!("files were changed in {changed}");
    let (what, note) = match group.common {
        Common::ReportId => ("The same Report ID more than once", ""),
        Common::StatedReportId => ("The same Report ID stated, though files were changed", of_stated.as_str()),
        Common::Measured => (
            "The same measured values under different Report IDs",
            "one training handed in more than once, under whatever names, or the same trainings done by both",
        ),
        Common::Weights => (
            "The same weights under different measured values",
            "the same networks with other values changed, or the same trainings evaluated otherwise",
        ),
        Common::Predictions => (
            "The same predictions under different measured values",
            "the same networks with other values changed, or two environments that agree so far",
        ),
        Common::Networks => (
            "The same networks among others",
            "copied, or trained alike by both: equal settings and seeds give equal networks",
        ),
        Common::Study => {
            ("The same study but for seeds or names", "the same networks and settings, chosen alike or copied")
        }
    };
    let paths: Vec<String> = group.members.iter().map(|record| terminal::path(&record.path)).collect();
    let mut text = format!("\n{what}: {}\n", paths.join(", "));
    if !note.is_empty() {
        let _ = writeln!(text, "  {note}");
    }
    if let [first, ..] = group.networks.as_slice() {
        let other = &first.path;
        let named: Vec<String> = group.networks.iter().map(|shared| network(shared)).collect();
        let _ = writeln!(text, "  {} (of {})", super::one_line(&named.join(", ")), terminal::path(other));
    }
    if !group.unlike.is_empty() {
        let keys = super::one_line(&named(&group.unlike));
        let effect = if group.are_retrained {
            ", which has no effect on these values: all was trained again"
        } else {
            ": that has no effect on these values, or one of them was copied; `verify --upto rerun` shows which"
        };
        let _ = writeln!(text, "  their studies differ in {keys}{effect}");
    }
    if let Some(keys) = &group.same_study_but {
        let keys = if keys.is_empty() { "seeds or names".to_owned() } else { super::one_line(&named(keys)) };
        let _ =
            writeln!(text, "  their studies are the same but for {keys}: equal settings and seeds give equal networks");
    }
    if !group.shared.is_empty() {
        let _ = writeln!(text, "  changed from the assignment alike: {}", super::one_line(&named(&group.shared)));
    }
    text
}

/// Which network of a bundle is which of another one.
pub(super) fn network(shared: &SharedNetwork) -> String {
    let SharedNetwork { network, other, same, .. } = shared;
    format!("the {same} of {network} are those of {other}")
}
