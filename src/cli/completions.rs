//! `mnist-report completions`: the completion script for a shell.

use anyhow::Result;
use clap::CommandFactory;

use super::options::{Cli, Completions};
use crate::exit_code::ExitCode;

pub(super) fn run(options: &Completions) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "mnist-report", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
}
