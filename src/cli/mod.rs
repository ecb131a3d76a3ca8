//! The command line: options as typed, and a file for each subcommand.

mod batch;
mod bilingual;
mod build;
mod checker;
mod code;
mod completions;
mod csv;
mod data;
mod demo;
mod diff;
mod doctor;
mod man;
mod models;
mod new;
mod options;
mod progress;
mod publish;
mod render;
mod schema;
mod starter;
mod studies;
mod summary;
mod verify;
mod version;
mod witness;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use clap::error::ErrorKind;

pub use options::Cli;
use options::Command;

use crate::build::BuildError;
use crate::bundle::{Bundle, leftovers_line};
use crate::compute::{self, libtorch_program};
use crate::exit_code::ExitCode;
use crate::failure::caught;
use crate::temporary;
use crate::text::terminal::is_hidden;
pub use crate::text::terminal::one_line;
use crate::text::unseen::is_invisible;

/// Parses the command line, runs the command, and prints its error. Returns the exit status.
pub fn main() -> u8 {
    report_full_files();
    let options = match Cli::try_parse_from(arguments()) {
        Ok(options) => options,
        // clap reports --help and --version as errors, too.
        Err(error) if error.kind() == ErrorKind::DisplayVersion => {
            let printed = print(&version::text());
            return if printed.is_ok() { ExitCode::Success } else { ExitCode::Failure }.status();
        }
        Err(error) => {
            let error = options::with_suggestion(error);
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(ExitCode::Failure.status());
        }
    };
    // The process that verifies for another has nothing to clean up and nobody to tell.
    if !matches!(options.command, Command::VerifyForParent(_)) {
        temporary::remove_on_signals(say);
    }
    let restarted = if needs_libtorch(&options.command) { restart_with_libtorch(None) } else { Ok(()) };
    let done = restarted.and_then(|()| run(options)).or_else(|error| match gpu_needs_libtorch(&error) {
        Some(why) => restart_with_libtorch(Some(&why)).and(Err(error)),
        None => Err(error),
    });
    match done {
        Ok(code) => code.status(),
        Err(error) => {
            say(&format!("error: {}", one_line(&format!("{error:#}"))));
            ExitCode::Failure.status()
        }
    }
}

/// The command line. A shell turns `*` into names of files and folders, and clap would read one such as `--help.zip` or
/// `--upto=files` as an option, so these get `./` in front.
fn arguments() -> impl Iterator<Item = OsString> {
    let exists =
        |word: &OsString| word.as_encoded_bytes().starts_with(b"-") && Path::new(word).symlink_metadata().is_ok();
    let mut words: Vec<OsString> = std::env::args_os().collect();
    // clap would take the option for the name of a command.
    if words.len() == 3 && words[1] == "help" && (words[2] == "--help" || words[2] == "-h") {
        words.truncate(2);
    }
    words.into_iter().map(move |word| if exists(&word) { Path::new(".").join(word).into() } else { word })
}

/// Turns the signal that a file reached the largest size that the system allows, which would end this process, into an error of
/// the write.
fn report_full_files() {
    let _ = signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::default());
}

/// Whether only the program that has libtorch can do this, and this process is not it: asking libtorch as a witness, and checking
/// on a GPU what libtorch computed.
fn needs_libtorch(command: &Command) -> bool {
    let is_of_libtorch = |path: &Path| {
        let results = Bundle::open(path).and_then(|bundle| bundle.results());
        results.is_ok_and(|results| results.environment.gpu.is_some())
    };
    let needed = match command {
        Command::Witness(_) => true,
        // The process that verifies one bundle for another: the other one reads no bundle.
        Command::VerifyForParent(options) => options.device.gpu().is_some() && is_of_libtorch(&options.path),
        Command::Demo(options) => options.device.gpu().is_some() && is_of_libtorch(&options.bundle()),
        _ => false,
    };
    needed && compute::libtorch().is_none()
}

/// Why a GPU can only be used by the program that has libtorch, if that is the error.
fn gpu_needs_libtorch(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref() {
        Some(BuildError::Device(compute::Error::NeedsLibtorch { why, .. })) => Some(why.clone()),
        _ => None,
    }
}

/// Starts the program that has libtorch, with the same arguments, in the place of this process. Given the reason why this program
/// cannot use a GPU, it computes with libtorch there. Returns if there is no such program.
fn restart_with_libtorch(why: Option<&str>) -> Result<()> {
    let Some(program) = libtorch_program() else { return Ok(()) };
    let mut restart = std::process::Command::new(&program);
    restart.args(std::env::args_os().skip(1));
    if let Some(why) = why {
        restart.env(compute::GPU_VARIABLE, format!("libtorch: {why}"));
    }
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
        Command::Code(options) => code::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::VerifyForParent(options) => Ok(verify::run_for_parent(&options)),
        Command::Render(options) => render::run(&options),
        Command::Publish(options) => publish::run(&options),
        Command::Diff(options) => diff::run(&options),
        Command::Data(options) => data::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Witness(options) => witness::run(&options),
        Command::Schema => schema::run(),
        Command::Checker(options) => checker::run(&options),
        Command::Studies(options) => studies::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Man(options) => man::run(&options),
        Command::Completions(options) => completions::run(&options),
    }
}

/// A value as the JSON document that `--json` prints. Characters that could change what a terminal shows are written as escapes:
/// JSON itself only asks for that of some.
fn json(value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    let is_unseen = |c: char| is_hidden(c) || is_invisible(c);
    let escaped = |c: char| match c {
        // JSON writes characters above U+FFFF as two numbers.
        c if is_unseen(c) => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        c => c.to_string(),
    };
    Ok(if text.contains(is_unseen) { text.chars().map(escaped).collect() } else { text })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_character_that_changes_what_a_terminal_shows() {
        let text = "a\u{9b}31m\u{202e}b\u{7f}\u{feff} ї\u{200b}\u{e0041}\n";
        let printed = json(&text).unwrap();
        assert_eq!(printed, "\"a\\u009b31m\\u202eb\\u007f\\ufeff ї\\u200b\\udb40\\udc41\\n\"\n");
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text);
    }
}
