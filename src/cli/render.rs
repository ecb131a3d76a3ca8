//! `mnist-report render`: makes a bundle's report again from its results.json, without training.

use anyhow::{Context, Result, ensure};

use super::options::{Render, languages};
use crate::build::report_date;
use crate::bundle::{Bundle, RUN_LOG, Rerender, SUMS, replace_folder, report_id, reserve};
use crate::exit_code::ExitCode;
use crate::report::Templates;

pub(super) fn run(options: &Render) -> Result<ExitCode> {
    let dir = &options.dir;
    ensure!(dir.is_dir(), "{} is not a bundle's folder; unzip a zip before rendering it", dir.display());
    let bundle = Bundle::open(dir)?;
    let reserved = if options.dump_context { None } else { Some(reserve(&bundle.path)?) };
    let rerender = Rerender::new(&bundle, languages(&options.lang)?).with_context(|| dir.display().to_string())?;
    super::note_leftovers(&bundle.leftovers);
    let templates = match &options.templates {
        Some(folder) => Templates::from_folder(folder)?,
        None => Templates::built_in(),
    };
    let date = report_date(&rerender.editions[0].study)?;
    let rendition = rerender.rendition(date.as_deref(), &templates);
    let Some(reserved) = reserved else {
        super::print(&rerender.context(&rendition)?)?;
        return Ok(ExitCode::Success);
    };
    let files = rerender.files(&rendition)?;
    replace_folder(&reserved, &files, bundle.files.get(RUN_LOG).map(Vec::as_slice))?;
    super::print(&format!("Report ID {}\n", report_id(&files[SUMS])))?;
    Ok(ExitCode::Success)
}
