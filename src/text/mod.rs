//! How text and numbers are written: languages, number formats, text for a terminal; words that were meant.

pub(crate) mod closest;
pub mod numbers;
pub mod printed;
pub mod terminal;

use serde::{Deserialize, Serialize};

/// A language that reports are written in, by its ISO 639-1 code.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Ukrainian.
    Uk,
}

impl Lang {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::En, Self::Uk];

    /// The ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Uk => "uk",
        }
    }

    /// The language's English name.
    pub fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Uk => "Ukrainian",
        }
    }
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
