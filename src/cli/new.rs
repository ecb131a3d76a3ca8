//! `mnist-report new`: writes a commented study to start from.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::options::{self, New};
use super::starter::Starter;
use crate::exit_code::ExitCode;
use crate::study;
use crate::text::{Languages, terminal};

/// The file of the schema, beside the study.
const SCHEMA: &str = "study.schema.json";

/// The words of the starters that a student is to replace.
const PLACEHOLDERS: [&str; 14] = [
    "Your name",
    "Your group",
    "Your course",
    "Your university",
    "Describe here what the section is about.",
    "Describe it here.",
    "Write what you think of it here.",
    "Ваше ім’я",
    "Ваша група",
    "Ваша дисципліна",
    "Ваш заклад освіти",
    "Опишіть тут, про що цей розділ.",
    "Опишіть його тут.",
    "Напишіть тут свою думку.",
];

/// The words of a starter that still stand in a study.
pub(super) fn placeholders(study: &str) -> Vec<&'static str> {
    PLACEHOLDERS.into_iter().filter(|words| study.contains(words)).collect()
}

pub(super) fn run(options: &New) -> Result<ExitCode> {
    let Some(file) = options.file.as_deref().filter(|_| !options.list) else {
        super::print(&list())?;
        return Ok(ExitCode::Success);
    };
    check_name(file)?;
    let name = terminal::shell_word(&file.file_name().unwrap_or_default().to_string_lossy());
    let langs = options::languages(&options.lang)?;
    let text = options.from.text_in(langs.as_ref().map_or(&[], Languages::all));
    write(file, &text.replace("{FILE}", &name))?;
    add_schema(file)?;
    let path = file.to_string_lossy();
    super::print(&format!(
        "{}: written; change the title block and what else is marked `<-`, then\n    mnist-report build {}\n",
        terminal::path(&path),
        terminal::shell_word(&path)
    ))?;
    Ok(ExitCode::Success)
}

/// Writes the schema that the study names, so that an editor finds it without a network. A file of that name that is not one
/// is left as it is.
fn add_schema(study: &Path) -> Result<()> {
    let file = study.with_file_name(SCHEMA);
    let text = super::json(&study::schema())?;
    match std::fs::read_to_string(&file) {
        Ok(old) if old == text => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => write(&file, &text),
        _ => {
            super::say(&format!(
                "note: {}: is there already and is left as it is; `mnist-report schema` prints the current one",
                file.display()
            ));
            Ok(())
        }
    }
}

/// The starters with what they study.
fn list() -> String {
    Starter::ALL.iter().fold(String::new(), |mut text, starter| {
        let _ = writeln!(text, "{:<12} {}", starter.name(), starter.help());
        text
    })
}

/// `build` writes the bundle to the study's path without its ending, so a study needs one.
fn check_name(file: &Path) -> Result<()> {
    let is_study = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    if !is_study {
        let suggested = file.with_extension("yaml");
        bail!("{}: a study's name ends in .yaml, such as {}", file.display(), suggested.display());
    }
    Ok(())
}

/// Writes a file that does not exist yet.
fn write(file: &Path, text: &str) -> Result<()> {
    let mut opened = match OpenOptions::new().write(true).create_new(true).open(file) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            bail!("{}: exists already and is left as it is; name another file", file.display())
        }
        opened => opened.with_context(|| format!("{}: cannot be written", file.display()))?,
    };
    opened.write_all(text.as_bytes()).with_context(|| format!("{}: cannot be written", file.display()))
}
