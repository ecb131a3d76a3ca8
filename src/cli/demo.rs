//! `mnist-report demo`: forges copies of a bundle in several ways, and prints which rung of `verify` finds each forgery.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};

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
    if options.bundle.is_none() && !options.bundle().exists() {
        bail!(
            "no bundle is named, and there is no reports/coursework here; build a study with `mnist-report build`, then run \
             `mnist-report demo BUNDLE`"
        );
    }
    super::data::check_folder(options.data.as_deref())?;
    let honest = Honest::open(&options.bundle(), options.device, options.data.as_deref())?;
    let folder = Folder::of_system()?;
    let mut code = ExitCode::Success;
    super::print(&format!("{:<12} {:<9} story\n", "forgery", "caught by"))?;
    for forgery in FORGERIES.iter().filter(|f| f.caught_by <= options.upto) {
        if !honest.has_run_for(forgery) {
            super::print(&skipped(forgery, "every run is cheap enough for `replay` to do it again"))?;
            continue;
        }
        let caught = match honest.attempt(forgery, folder.path()) {
            Ok(caught) => caught,
            Err(error) => {
                let Some(lacking) = error.lacking() else { return Err(error.into()) };
                super::print(&skipped(forgery, &lacking.to_string()))?;
                continue;
            }
        };
        if caught.as_ref().is_none_or(|step| step.rung != forgery.caught_by) {
            code = ExitCode::Difference;
        }
        super::print(&text(forgery, caught.as_ref()))?;
    }
    Ok(code)
}

/// The lines of a forgery that this bundle does not allow.
fn skipped(forgery: &Forgery, why: &str) -> String {
    format!("{:<12} {:<9} {}\n{:<22} skipped: {why}\n", forgery.name, "-", forgery.story, "")
}

fn text(forgery: &Forgery, caught: Option<&RungResult>) -> String {
    let rung = caught.map_or("NOBODY", |step| step.rung.name());
    let mut text = format!("{:<12} {rung:<9} {}\n", forgery.name, forgery.story);
    if let Some(detail) = caught.and_then(|step| step.details.first()) {
        let _ = writeln!(text, "{:<22} {}", "", super::one_line(detail));
    }
    text
}
