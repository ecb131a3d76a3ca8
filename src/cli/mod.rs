//! The command line: options as typed, and a file for each subcommand.

mod batch;
mod build;
mod completions;
mod data;
mod demo;
mod diff;
mod options;
mod progress;
mod publish;
mod render;
mod summary;
mod verify;

use anyhow::{Context, Result, anyhow};

pub use options::Cli;
use options::Command;

use crate::bundle::leftovers_line;
use crate::engine::caught;
use crate::exit_code::ExitCode;
pub use crate::text::terminal::one_line;

/// Runs a command.
///
/// # Errors
/// What could not be done; the caller prints it as one line and exits with status 2.
pub fn run(cli: Cli) -> Result<ExitCode> {
    caught(|| run_command(cli)).unwrap_or_else(|why| Err(anyhow!("{why}")))
}

fn run_command(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Build(options) => build::run(&options),
        Command::Summary(options) => summary::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Render(options) => render::run(&options),
        Command::Publish(options) => publish::run(&options),
        Command::Diff(options) => diff::run(&options),
        Command::Data(options) => data::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Completions(options) => completions::run(&options),
    }
}

/// A value as the JSON document that `--json` prints.
fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Prints a line to standard error, ignoring that it cannot be written.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Names the files that an operating system left in a bundle's folder.
fn note_leftovers(leftovers: &[String]) {
    if let Some(line) = leftovers_line(leftovers) {
        say(&format!("note: {}", one_line(&line)));
    }
}

/// Prints text to standard output, ignoring broken pipes.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(()),
    }
}
