//! What is wrong with a study, and where.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error in a study: `file:line: key: message`. An unknown line and an empty key are left out.
#[derive(Clone, Debug, Error)]
#[error("{}{message}", place(file, *line, key))]
#[expect(missing_docs, reason = "self-evident")]
pub struct StudyError {
    pub file: PathBuf,
    pub line: Option<usize>,
    pub key: String,
    pub message: String,
}

impl StudyError {
    /// An error of the file as a whole.
    pub(super) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, key: String::new(), message: message.into() }
    }
}

fn place(file: &Path, line: Option<usize>, key: &str) -> String {
    let line = line.map_or_else(String::new, |line| format!("{line}:"));
    let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
    format!("{}:{line} {key}", file.display())
}
