//! The subcommands, one a file, and what they share.
//!
//! Owns the way from options to the library and back to text on the terminal.

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

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::claims;
use crate::engine::caught;
use crate::exit_code::ExitCode;
use crate::study::{Plan, Source};
pub use crate::text::terminal::one_line;
pub use options::Cli;
use options::Command;

/// Runs a command; gives the exit code, 0 or what the command's contract says.
///
/// # Errors
/// What could not be done: printed as one line, exit code 2.
pub fn run(cli: Cli) -> Result<u8> {
    caught(|| run_command(cli)).unwrap_or_else(|why| Err(anyhow!("{why}")))
}

fn run_command(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Build(options) => build::run(&options),
        Command::Summary(options) => summary::run(&options),
        Command::Verify(options) => verify::run(&options).map(ExitCode::status),
        Command::Render(options) => render::run(&options).map(ExitCode::status),
        Command::Publish(options) => publish::run(&options).map(ExitCode::status),
        Command::Diff(options) => diff::run(&options).map(ExitCode::status),
        Command::Data(options) => data::run(&options),
        Command::Demo(options) => demo::run(&options).map(ExitCode::status),
        Command::Completions(options) => completions::run(&options),
    }
}

/// A study, read and checked in every part.
fn load_study(file: &Path) -> Result<(Source, Plan)> {
    let source = Source::load(file)?;
    let plan = Plan::resolve(&source)?;
    claims::check_syntax(&source)?;
    Ok((source, plan))
}

/// The date that a report carries: the study's, else SOURCE_DATE_EPOCH's (UTC), else none; never the clock's.
/// <https://reproducible-builds.org/specs/source-date-epoch/> 1.1: a malformed value is an error.
fn report_date(study: &crate::study::Study) -> Result<Option<String>> {
    if study.date.is_some() {
        return Ok(study.date.clone());
    }
    let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    let epoch = epoch.to_string_lossy();
    let digits = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
    let seconds = digits.then(|| epoch.parse::<i64>().ok()).flatten();
    let date = seconds.and_then(|s| chrono::DateTime::from_timestamp(s, 0)).with_context(|| {
        format!("SOURCE_DATE_EPOCH is `{epoch}`: a number of seconds is needed; correct or unset it")
    })?;
    Ok(Some(date.format("%Y-%m-%d").to_string()))
}

/// A value as the JSON document that `--json` prints.
fn json(value: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Writes a line to standard error; where it cannot be written (`2>&1 | head`) there is nobody to tell.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes text to standard output; a reader that has gone (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e).context("cannot write to standard output"),
        _ => Ok(()),
    }
}
