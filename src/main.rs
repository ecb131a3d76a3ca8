//! Parses the command line, runs the command, prints its error and exits.

use std::io::Write;

use clap::Parser;
use mnist_report::cli::{self, Cli};
use mnist_report::engine;
use mnist_report::exit_code::ExitCode;

fn main() {
    let status = status();
    // Ignore broken pipes.
    let _ = std::io::stdout().flush();
    // libtorch unregisters its operators one by one at exit, a third of the time of a short command.
    engine::quick_exit(status)
}

fn status() -> u8 {
    if let Err(error) = engine::restart_without_overrides() {
        cli::say(&format!("error: cannot restart without OMP_*, MKL_* and similar variables: {error}; unset them"));
        return ExitCode::Failure.status();
    }
    let options = match Cli::try_parse() {
        Ok(options) => options,
        // clap reports --help and --version as errors, too.
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(ExitCode::Failure.status());
        }
    };
    match cli::run(options) {
        Ok(code) => code.status(),
        Err(error) => {
            cli::say(&format!("error: {}", cli::one_line(&format!("{error:#}"))));
            ExitCode::Failure.status()
        }
    }
}
