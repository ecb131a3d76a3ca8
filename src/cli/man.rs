//! `mnist-report man`: the manual pages, made from the command line's own help.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man;

use super::options::{Cli, ManPages};
use crate::exit_code::ExitCode;
use crate::text::terminal;

pub(super) fn run(options: &ManPages) -> Result<ExitCode> {
    let mut program = Cli::command();
    program.build();
    let Some(dir) = &options.dir else { return print(program) };
    let is_named =
        |command: &&clap::Command| !command.is_hide_set() && dir.as_os_str() == command.get_name() && !dir.is_dir();
    if let Some(command) = program.get_subcommands().find(is_named).cloned() {
        return print(command);
    }
    fs::create_dir_all(dir).with_context(|| format!("{}: cannot be created", dir.display()))?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        // `build` names it `mnist-report build`; a page is called mnist-report-build.1.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        write(&dir.join(format!("{name}.1")), &page(command.clone())?)?;
    }
    let pages = 1 + program.get_subcommands().filter(|command| !command.is_hide_set()).count();
    write(&dir.join("mnist-report.1"), &page(program)?)?;
    super::print(&format!("{pages} pages written to {}\n", terminal::path(&dir.display().to_string())))?;
    Ok(ExitCode::Success)
}

fn print(command: clap::Command) -> Result<ExitCode> {
    super::print(&String::from_utf8_lossy(&page(command)?))?;
    Ok(ExitCode::Success)
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    // What --help prints last.
    Ok(String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH \"EXIT STATUS\"").into_bytes())
}

fn write(path: &Path, page: &[u8]) -> Result<()> {
    fs::write(path, page).with_context(|| format!("{}: cannot be written", path.display()))
}
