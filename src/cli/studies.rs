//! `mnist-report studies`: writes the studies that come with the program, so that a copy of it needs no repository.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::options::Studies;
use crate::exit_code::ExitCode;
use crate::study;
use crate::text::terminal;

/// The studies by their file names. Some extend coursework.yaml, which they find beside them.
const STUDIES: [(&str, &str); 5] = [
    ("coursework.yaml", include_str!("../../reports/coursework.yaml")),
    ("quick.yaml", include_str!("../../reports/quick.yaml")),
    ("notes-audit.yaml", include_str!("../../reports/notes-audit.yaml")),
    ("ladder.yaml", include_str!("../../reports/ladder.yaml")),
    ("extended.yaml", include_str!("../../reports/extended.yaml")),
];
/// The examples by their file names, for the folder `examples`.
const EXAMPLES: [(&str, &str); 4] = [
    ("first-network.yaml", include_str!("../../examples/first-network.yaml")),
    ("batch-norm.yaml", include_str!("../../examples/batch-norm.yaml")),
    ("optimizers.yaml", include_str!("../../examples/optimizers.yaml")),
    ("overfit.yaml", include_str!("../../examples/overfit.yaml")),
];
const EXAMPLES_FOLDER: &str = "examples";
/// The schema, with which editors check a study, and where the repository's studies look for it.
const SCHEMA: &str = "study.schema.json";
const SCHEMA_IN_REPOSITORY: &str = "../docs/study.schema.json";

pub(super) fn run(options: &Studies) -> Result<ExitCode> {
    let dir = &options.dir;
    let examples = dir.join(EXAMPLES_FOLDER);
    std::fs::create_dir_all(&examples).with_context(|| format!("{}: cannot be created", dir.display()))?;
    let mut is_new = write(&dir.join(SCHEMA), &super::json(&study::schema())?)?;
    for (name, text) in STUDIES {
        is_new |= write(&dir.join(name), &text.replacen(SCHEMA_IN_REPOSITORY, SCHEMA, 1))?;
    }
    for (name, text) in EXAMPLES {
        is_new |= write(&examples.join(name), &text.replacen(SCHEMA_IN_REPOSITORY, &format!("../{SCHEMA}"), 1))?;
    }
    let done = if is_new { "written" } else { "were there already and are left as they are" };
    let names = STUDIES.map(|(name, _)| name).join(", ");
    let examples = EXAMPLES.map(|(name, _)| name).join(", ");
    let quick = terminal::shell_word(&dir.join("quick.yaml").to_string_lossy());
    super::print(&format!(
        "{names}\nin {EXAMPLES_FOLDER}/: {examples}\n{done}; a first report in about two minutes:\n    mnist-report build {quick}\n"
    ))?;
    Ok(ExitCode::Success)
}

/// Writes a file, unless it is there already with the same text. Somebody's own file is left as it is. Returns whether it was written.
fn write(file: &Path, text: &str) -> Result<bool> {
    let unwritable = || format!("{}: cannot be written", file.display());
    match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut opened) => opened.write_all(text.as_bytes()).map(|()| true).with_context(unwritable),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => match std::fs::read_to_string(file) {
            Ok(old) if old == text => Ok(false),
            _ => {
                bail!("{}: exists already with another text and is left as it is; name another folder", file.display())
            }
        },
        Err(e) => Err(e).with_context(unwritable),
    }
}
