//! `mnist-report demo`: a forger tries every trick on a bundle, and the ladder catches each.

use std::fmt::Write;

use anyhow::Result;

use super::options::Demo;
use crate::demo::{FORGERIES, Honest};
use crate::paths;
use crate::verify::{Status, verify};

pub fn run(options: &Demo) -> Result<u8> {
    let bundle = options.bundle.clone().unwrap_or_else(|| paths::of_repository("reports/quick"));
    let honest = Honest::read(&bundle, options.device)?;
    let folder = tempfile::tempdir()?;
    let mut missed = 0;
    super::print(&format!("{:<12} {:<9} story\n", "forgery", "caught by"))?;
    for forgery in FORGERIES.iter().filter(|f| f.caught_by <= options.upto) {
        let dir = folder.path().join(forgery.name);
        honest.forge(forgery, &dir)?;
        let verification = verify(&dir, Some(forgery.caught_by), options.device)?;
        let caught = verification.asked(Status::Failed).next();
        let by = caught.map_or("NOBODY", |s| s.rung.name());
        missed += usize::from(caught.is_none_or(|s| s.rung != forgery.caught_by));
        let mut text = format!("{:<12} {by:<9} {}\n", forgery.name, forgery.story);
        if let Some(detail) = caught.and_then(|s| s.details.first()) {
            let _ = writeln!(text, "{:<22} {detail}", "");
        }
        super::print(&text)?;
    }
    Ok(u8::from(missed > 0))
}
