//! `mnist-report schema`: prints the JSON Schema of a study.

use anyhow::Result;

use crate::exit_code::ExitCode;
use crate::study;

pub(super) fn run() -> Result<ExitCode> {
    super::print(&super::json(&study::schema())?)?;
    Ok(ExitCode::Success)
}
