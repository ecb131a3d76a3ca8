//! `mnist-report render`: a bundle's report, figures, manifest and sums anew, from its results.json.

use anyhow::{Context, Result, ensure};

use super::options::Render;
use crate::bundle::{self, Manifest};
use crate::claims;
use crate::report::{Rendition, Templates};
use crate::results::Results;
use crate::study::{Source, is_date};
use crate::verify::Opened;

pub fn run(options: &Render) -> Result<u8> {
    ensure!(options.dir.is_dir(), "{} is not a bundle's folder: unzip it to render it anew", options.dir.display());
    let Opened { mut files, .. } = Opened::read(&options.dir)?;
    let text = |name: &str| -> Result<String> {
        let bytes = files.get(name).with_context(|| format!("{} has no {name}", options.dir.display()))?;
        String::from_utf8(bytes.clone()).with_context(|| format!("{name} is not text"))
    };
    let study_file = options.dir.join(bundle::STUDY);
    let source = Source::from_text(&study_file, &text(bundle::STUDY)?)?;
    claims::check_syntax(&source)?;
    let results_file = options.dir.join(bundle::RESULTS);
    let results = Results::from_json(&text(bundle::RESULTS)?).with_context(|| results_file.display().to_string())?;
    ensure!(
        results.environment.is_of_this_program(),
        "{} holds results of libtorch {}, arithmetic {}, which this program cannot vouch for: build the study anew",
        options.dir.display(),
        results.environment.libtorch,
        results.environment.arithmetic
    );
    let templates = match &options.templates {
        Some(folder) => Templates::from_folder(folder)?,
        None => Templates::built_in(),
    };
    // What is not asked for anew stays as it was.
    let before = text(bundle::MANIFEST).ok().and_then(|t| Manifest::from_json(&t).ok());
    let lang = options.lang.or(before.as_ref().map(|m| m.language)).unwrap_or(source.study.lang);
    let date = match source.study.date.is_some() || std::env::var_os("SOURCE_DATE_EPOCH").is_some() {
        true => super::report_date(&source.study)?,
        false => before.and_then(|m| m.date).filter(|date| is_date(date)),
    };
    let rendition = Rendition { lang, date: date.as_deref(), templates: &templates };
    if options.dump_context {
        super::print(&bundle::template_context(&files[bundle::STUDY], &source.study, &results, &rendition)?)?;
        return Ok(0);
    }
    let run_log = files.remove(bundle::RUN_LOG);
    files.retain(|path, _| bundle::is_primary(path));
    let files = bundle::complete(files, &source.study, &results, &rendition)?;
    bundle::replace_folder(&options.dir, &files, run_log.as_deref())?;
    super::print(&format!("Report ID {}\n", bundle::report_id(&files[bundle::SUMS])))?;
    Ok(0)
}
