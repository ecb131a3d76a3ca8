//! `mnist-report verify`: checks one bundle, or several.

use std::fmt::Write;

use anyhow::Result;

use super::batch;
use super::options::Verify;
use crate::exit_code::ExitCode;
use crate::verify::{Record, Rung, RungResult, Status, Verification, verify, verify_all};
use crate::witness;

pub(super) fn run(options: &Verify) -> Result<ExitCode> {
    let [path] = options.paths.as_slice() else { return run_batch(options) };
    let verification = verify(path, options.upto, options.device)?;
    super::print(&if options.json { super::json(&verification)? } else { text(&verification) })?;
    let is_evaluated = |step: &RungResult| step.rung == Rung::Weights && step.status == Status::Passed;
    let witness = verification.steps.iter().any(is_evaluated).then(|| witness::ask(path)).flatten();
    let witnessed = witness.map_or(ExitCode::Success, |answer| super::witness::report(answer.as_ref()));
    Ok(verification.exit_code().max(witnessed))
}

fn run_batch(options: &Verify) -> Result<ExitCode> {
    let mut printed = Ok(());
    let records = verify_all(&options.paths, options.upto, options.device, |record| {
        if !options.json && printed.is_ok() {
            printed = super::print(&batch::line(record));
        }
    });
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
