//! The program: runs the command and exits.

use std::process::ExitCode;

use mnist_report::cli;

fn main() -> ExitCode {
    cli::main().into()
}
