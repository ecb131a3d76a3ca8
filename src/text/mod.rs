//! How text and numbers are written: languages, number formats, text for a terminal.

pub mod numbers;
pub mod terminal;

use serde::{Deserialize, Serialize};

/// A language that reports are written in, by its ISO 639-1 code.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Ukrainian.
    Uk,
}

/// An error with its causes on one line: `cannot read a.zip: No such file or directory`.
pub fn error_chain(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> String {
    let error = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
