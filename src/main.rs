//! Parse, run, print the error, exit code.

use std::process::ExitCode;

use clap::Parser;
use mnist_report::cli::Cli;
use mnist_report::commands;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
