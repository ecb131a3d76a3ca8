//! `mnist-report demo`: forges copies of a bundle in several ways, and prints which rung of `verify` finds each forgery.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;

use super::options::Demo;
use crate::demo::{FORGERIES, Forgery, Honest};
use crate::exit_code::ExitCode;
use crate::paths;
use crate::temporary::Folder;
use crate::verify::RungResult;

impl Demo {
    /// The bundle that is forged.
    pub(super) fn bundle(&self) -> PathBuf {
        self.bundle.clone().unwrap_or_else(|| paths::here_or_in_repository("reports/coursework"))
    }
}

pub(super) fn run(options: &Demo) -> Result<ExitCode> {
    let honest = Honest::open(&options.bundle(), options.device, options.data.as_deref())?;
    let folder = Folder::of_system()?;
    let mut code = ExitCode::Success;
    super::print(&format!("{:<12} {:<9} story\n", "forgery", "caught by"))?;
    for forgery in FORGERIES.iter().filter(|f| f.caught_by <= options.upto) {
        if !honest.has_run_for(forgery) {
            let why = "not tried: every run is cheap enough for `replay` to do it again";
            super::print(&format!("{:<12} {:<9} {}\n{:<22} {why}\n", forgery.name, "-", forgery.story, ""))?;
            continue;
        }
        let caught = honest.attempt(forgery, folder.path())?;
        if caught.as_ref().is_none_or(|step| step.rung != forgery.caught_by) {
            code = ExitCode::Difference;
        }
        super::print(&text(forgery, caught.as_ref()))?;
    }
    Ok(code)
}

fn text(forgery: &Forgery, caught: Option<&RungResult>) -> String {
    let rung = caught.map_or("NOBODY", |step| step.rung.name());
    let mut text = format!("{:<12} {rung:<9} {}\n", forgery.name, forgery.story);
    if let Some(detail) = caught.and_then(|step| step.details.first()) {
        let _ = writeln!(text, "{:<22} {}", "", super::one_line(detail));
    }
    text
}
