//! `mnist-report checker`: prints check.py, which checks bundles without this program.

use anyhow::Result;

use crate::exit_code::ExitCode;

const CHECK_PY: &str = include_str!("../../scripts/check.py");

pub(super) fn run() -> Result<ExitCode> {
    super::print(CHECK_PY)?;
    Ok(ExitCode::Success)
}
