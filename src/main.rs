//! Parse, run, print the error, exit code.

use std::io::Write;

use clap::Parser;
use mnist_report::cli::{self, Cli};
use mnist_report::engine;

fn main() {
    let code = code();
    // A reader that has gone is no error.
    let _ = std::io::stdout().flush();
    // libtorch takes its operators down one by one: a third of the time of a short command.
    engine::quick_exit(code)
}

fn code() -> u8 {
    if let Err(error) = engine::restart_without_overrides() {
        cli::say(&format!("error: cannot start again without OMP_*, MKL_* and the like: {error}; unset them"));
        return 2;
    }
    let options = match Cli::try_parse() {
        Ok(options) => options,
        // Help and version are said so, too.
        Err(said) => {
            let _ = said.print();
            return u8::try_from(said.exit_code()).unwrap_or(2);
        }
    };
    match cli::run(options) {
        Ok(code) => code,
        Err(error) => {
            cli::say(&format!("error: {}", cli::one_line(&format!("{error:#}"))));
            2
        }
    }
}
