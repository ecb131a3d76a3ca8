//! `mnist-report verify`: the ladder's outcome, as text or JSON.

use std::fmt::Write;

use anyhow::Result;

use crate::cli::Verify;
use crate::verify::{Verification, verify};

pub fn run(options: &Verify) -> Result<u8> {
    let verification = verify(&options.path, options.upto, options.device)?;
    let text = match options.json {
        true => serde_json::to_string_pretty(&verification)? + "\n",
        false => text(&verification),
    };
    super::print(&text)?;
    Ok(verification.exit_code())
}

fn text(verification: &Verification) -> String {
    const MOST: usize = 12;
    let mut text = String::new();
    for step in &verification.steps {
        let mut details = step.details.iter();
        let first = details.next().map_or("", String::as_str);
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
