//! The command line: options as typed, and a file for each subcommand.

mod batch;
mod build;
mod completions;
mod data;
mod demo;
mod diff;
mod new;
mod options;
mod progress;
mod publish;
mod render;
mod schema;
mod summary;
mod verify;
mod witness;

use anyhow::{Context, Result, anyhow};
use clap::Parser;

pub use options::Cli;
use options::Command;

use crate::bundle::leftovers_line;
use crate::compute::{self, libtorch_program};
use crate::exit_code::ExitCode;
use crate::failure::caught;
pub use crate::text::terminal::one_line;

/// Parses the command line, runs the command, and prints its error. Returns the exit status.
pub fn main() -> u8 {
    let options = match Cli::try_parse() {
        Ok(options) => options,
        // clap reports --help and --version as errors, too.
        Err(error) => {
            let error = options::with_suggestion(error);
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(ExitCode::Failure.status());
        }
    };
    let done = match restart_with_libtorch(&options) {
        Ok(()) => run(options),
        Err(error) => Err(error),
    };
    match done {
        Ok(code) => code.status(),
        Err(error) => {
            say(&format!("error: {}", one_line(&format!("{error:#}"))));
            ExitCode::Failure.status()
        }
    }
}

/// If the command needs libtorch and this process does not have it, starts the program that has it, with the same arguments, in
/// the place of this process. Returns if that is not so, or if there is no such program.
fn restart_with_libtorch(options: &Cli) -> Result<()> {
    let needed = options.command.needs_libtorch() && compute::libtorch().is_none();
    let Some(program) = libtorch_program().filter(|_| needed) else { return Ok(()) };
    let mut restart = std::process::Command::new(&program);
    restart.args(std::env::args_os().skip(1));
    Err(exec(restart)).with_context(|| format!("cannot start {}", program.display()))
}

/// Runs a command in the place of this process; returns only if that fails.
#[cfg(unix)]
fn exec(mut command: std::process::Command) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

/// Runs a command and ends this process with its status; returns only if that fails.
#[cfg(not(unix))]
fn exec(mut command: std::process::Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(2)),
        Err(error) => error,
    }
}

/// Runs a command.
///
/// # Errors
/// What could not be done; the caller prints it as one line and exits with status 2.
pub fn run(cli: Cli) -> Result<ExitCode> {
    caught(|| run_command(cli)).unwrap_or_else(|why| Err(anyhow!("{why}")))
}

fn run_command(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::New(options) => new::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Summary(options) => summary::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Render(options) => render::run(&options),
        Command::Publish(options) => publish::run(&options),
        Command::Diff(options) => diff::run(&options),
        Command::Data(options) => data::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Witness(options) => witness::run(&options),
        Command::Schema => schema::run(),
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
