//! `mnist-report verify`: the ladder's outcome, of one bundle or of a grader's batch, as text or JSON.

use std::fmt::Write;

use anyhow::{Result, anyhow};

use super::batch;
use super::options::Verify;
use crate::engine::caught;
use crate::verify::{Record, Verification, find_copies, verify, worst};

pub fn run(options: &Verify) -> Result<u8> {
    match options.paths.as_slice() {
        [path] => {
            let verification = verify(path, options.upto, options.device)?;
            let text = match options.json {
                true => serde_json::to_string_pretty(&verification)? + "\n",
                false => text(&verification),
            };
            super::print(&text)?;
            Ok(verification.exit_code())
        }
        _ => run_batch(options),
    }
}

/// Several bundles: one that cannot be read does not stop the others.
fn run_batch(options: &Verify) -> Result<u8> {
    let mut records = Vec::with_capacity(options.paths.len());
    for path in &options.paths {
        // A fault of this program that one bundle brings out is no reason to leave the others unchecked.
        let outcome = caught(|| verify(path, options.upto, options.device)).unwrap_or_else(|why| Err(anyhow!("{why}")));
        let record = Record::new(path, outcome);
        if !options.json {
            super::print(&batch::line(&record))?;
        }
        records.push(record);
    }
    find_copies(&mut records);
    let text = match options.json {
        true => serde_json::to_string_pretty(&records)? + "\n",
        false => batch::table(&records),
    };
    super::print(&text)?;
    Ok(worst(records.iter().map(Record::exit_code)))
}

fn text(verification: &Verification) -> String {
    const MOST: usize = 12;
    let mut text = String::new();
    for step in &verification.steps {
        let mut details = step.details.iter().map(|detail| super::one_line(detail));
        let first = details.next().unwrap_or_default();
        let _ = writeln!(text, "{:<9} {:<12} {first}", step.rung.name(), step.status);
        let more = step.details.len().saturating_sub(MOST);
        details.take(MOST - 1).for_each(|d| writeln!(text, "{:<22} {d}", "").expect("a string takes text"));
        if more > 0 {
            let _ = writeln!(text, "{:<22} and {more} more", "");
        }
    }
    let id = verification.report_id.as_deref().unwrap_or("none: there is no SHA256SUMS");
    let _ = writeln!(text, "Report ID {id}");
    text
}
