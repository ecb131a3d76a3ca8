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
