//! Text and numbers: languages, number formats, text that is safe on a terminal, suggestions for mistyped words.

pub(crate) mod closest;
pub(crate) mod letters;
pub(crate) mod look_alike;
pub(crate) mod markdown;
pub mod numbers;
pub mod printed;
pub mod terminal;
pub(crate) mod unseen;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A language that reports are written in, by its ISO 639-1 code.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
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

    /// The language's name in the language itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Uk => "Українська",
        }
    }
}

/// One or more languages, none of them twice. The first is the default.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(try_from = "Vec<Lang>")]
pub struct Languages(Vec<Lang>);

/// Why a list is not one of languages.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum LanguagesError {
    #[error("lists no language")]
    Empty,
    #[error("`{}` is listed twice", lang.code())]
    Twice {
        /// The place of the second.
        index: usize,
        lang: Lang,
    },
}

impl Languages {
    /// The first.
    pub fn default_language(&self) -> Lang {
        self.0[0]
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Lang] {
        &self.0
    }

    /// The name in a language of a file that each language has: `report.html` in the first language, `report.uk.html` in
    /// Ukrainian as another one.
    pub fn file_in(&self, lang: Lang, name: &str) -> String {
        match name.rsplit_once('.') {
            Some((stem, ending)) if lang != self.default_language() => format!("{stem}.{}.{ending}", lang.code()),
            _ => name.to_owned(),
        }
    }
}

impl From<Lang> for Languages {
    fn from(lang: Lang) -> Self {
        Self(vec![lang])
    }
}

impl TryFrom<Vec<Lang>> for Languages {
    type Error = LanguagesError;

    fn try_from(all: Vec<Lang>) -> Result<Self, LanguagesError> {
        if all.is_empty() {
            return Err(LanguagesError::Empty);
        }
        match (1..all.len()).find(|i| all[..*i].contains(&all[*i])) {
            Some(index) => Err(LanguagesError::Twice { index, lang: all[index] }),
            None => Ok(Self(all)),
        }
    }
}

/// A text without the byte order mark that some editors write at its start.
pub(crate) fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A text without line breaks and repeated spaces.
pub(crate) fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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

/// A number's text as an error shows it: with an exponent if it is longer than 20 characters; other text unchanged.
pub(crate) fn short_number(text: &str) -> String {
    const LONGEST: usize = 20;
    match text.parse::<f64>() {
        Ok(number) if text.len() > LONGEST => format!("{number:e}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short_number;

    #[test]
    fn long_numbers_get_an_exponent() {
        for (text, expected) in [
            ("0.1", "0.1"),
            ("18446744073709551615", "18446744073709551615"),
            (&f64::MAX.to_string(), "1.7976931348623157e308"),
            ("-100000000000000000000", "-1e20"),
            ("many, many, many words", "many, many, many words"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(short_number(text), expected);
        }
    }
}
