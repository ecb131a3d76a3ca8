//! `mnist-report completions`: the completion script of a shell.

use anyhow::Result;
use clap::CommandFactory;

use super::options::{Cli, Completions};

pub fn run(options: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "mnist-report", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
