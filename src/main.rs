//! Parse, run, print the error, exit code.

use std::process::ExitCode;

use clap::Parser;
use mnist_report::cli::Cli;
use mnist_report::commands;

fn main() -> ExitCode {
    if let Err(error) = mnist_report::engine::without_outside_settings() {
        commands::say(&format!("error: cannot start again without OMP_*, MKL_* and the like: {error}; unset them"));
        return ExitCode::from(2);
    }
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            commands::say(&format!("error: {}", commands::one_line(&format!("{error:#}"))));
            ExitCode::from(2)
        }
    }
}
