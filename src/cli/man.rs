//! `mnist-report man`: the manual pages, made from the command line's own help.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man;

use super::options::{Cli, ManPages};
use crate::exit_code::ExitCode;

pub(super) fn run(options: &ManPages) -> Result<ExitCode> {
    let mut program = Cli::command();
    program.build();
    let Some(dir) = &options.dir else {
        super::print(&String::from_utf8_lossy(&page(program)?))?;
        return Ok(ExitCode::Success);
    };
    fs::create_dir_all(dir).with_context(|| format!("{}: cannot be created", dir.display()))?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        // `build` names it `mnist-report build`; a page is called mnist-report-build.1.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        write(&dir.join(format!("{name}.1")), &page(command.clone())?)?;
    }
    write(&dir.join("mnist-report.1"), &page(program)?)?;
    Ok(ExitCode::Success)
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

fn write(path: &Path, page: &[u8]) -> Result<()> {
    fs::write(path, page).with_context(|| format!("{}: cannot be written", path.display()))
}
