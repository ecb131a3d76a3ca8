//! `mnist-report verify`: checks one bundle, or several.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Result, anyhow};

use super::batch;
use super::options::{Verify, VerifyForParent};
use crate::exit_code::ExitCode;
use crate::verify::{Limits, Record, Rung, RungResult, Status, Verification, answer, verify_all, verify_in_child};
use crate::witness;

pub(super) fn run(options: &Verify) -> Result<ExitCode> {
    let [path] = options.paths.as_slice() else { return run_batch(options) };
    let verification = checked(options, path).map_err(|why| anyhow!("{why}"))?;
    super::print(&if options.json { super::json(&verification)? } else { text(&verification) })?;
    let is_evaluated = |step: &RungResult| step.rung == Rung::Weights && step.status == Status::Passed;
    let witness = verification.steps.iter().any(is_evaluated).then(|| witness::ask(path)).flatten();
    let witnessed = witness.map_or(ExitCode::Success, |answer| super::witness::report(answer.as_ref()));
    Ok(verification.exit_code().max(witnessed))
}

/// Checks one bundle in a process of its own.
fn checked(options: &Verify, path: &Path) -> Result<Verification, String> {
    let limits = Limits::of(options.upto, options.memory, options.timeout);
    verify_in_child(path, options.upto, &options.device.to_string(), limits)
}

/// Checks one bundle for the process that started this one.
pub(super) fn run_for_parent(options: &VerifyForParent) -> Result<ExitCode> {
    super::print(&answer(&options.path, options.upto, options.device, options.memory))?;
    Ok(ExitCode::Success)
}

fn run_batch(options: &Verify) -> Result<ExitCode> {
    let mut printed = Ok(());
    let records = verify_all(
        &options.paths,
        |path| checked(options, path),
        |record| {
            if !options.json && printed.is_ok() {
                printed = super::print(&batch::line(record));
            }
        },
    );
    printed?;
    super::print(&if options.json { super::json(&records)? } else { batch::table(&records) })?;
    Ok(records.iter().map(Record::exit_code).max().unwrap_or_default())
}

/// A line for each rung, with at most 12 details, and one for each run that diverged.
fn text(verification: &Verification) -> String {
    const MOST: usize = 12;
    let mut text = String::new();
    for step in &verification.steps {
        let mut details = step.details.iter().map(|detail| super::one_line(detail));
        let first = details.next().unwrap_or_default();
        let _ = writeln!(text, "{:<9} {:<12} {first}", step.rung.name(), step.status);
        for detail in details.take(MOST - 1) {
            let _ = writeln!(text, "{:<22} {detail}", "");
        }
        let more = step.details.len().saturating_sub(MOST);
        if more > 0 {
            let _ = writeln!(text, "{:<22} and {more} more", "");
        }
    }
    for run in verification.about.diverged.iter().flatten() {
        let _ = writeln!(text, "Diverged  {}", super::one_line(run));
    }
    let id = verification.report_id.as_deref().unwrap_or("none: there is no SHA256SUMS");
    let _ = writeln!(text, "Report ID {id}");
    text
}
