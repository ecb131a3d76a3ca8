//! `mnist-report completions`: the completion script for a shell.

use anyhow::Result;
use clap::CommandFactory;

use super::options::{Cli, Completions};
use crate::exit_code::ExitCode;

pub(super) fn run(options: &Completions) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut shown(), "mnist-report", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    // clap_complete's script for bash sets `cmd` to `mnist__report__subcmd__verify`, and compares it with this, because of the
    // hyphen in the program's name.
    if options.shell == clap_complete::Shell::Bash {
        script = script.replace("mnist__subcmd__report", "mnist__report");
    }
    super::print(&script)?;
    Ok(ExitCode::Success)
}

/// The command line without its hidden commands, which only the program itself runs. `clap_complete` would list them.
fn shown() -> clap::Command {
    let all = Cli::command();
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new("mnist-report")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(commands)
}
