//! Why a report cannot be rendered.

use std::path::PathBuf;

use plotters::drawing::DrawingAreaErrorKind;

/// Why a report cannot be rendered.
#[expect(missing_docs, reason = "the messages say what each variant means")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} is not a folder of templates", .0.display())]
    NoFolder(PathBuf),
    #[error("{}: no template of this name; templates are {known}", path.display())]
    UnknownTemplate { path: PathBuf, known: String },
    #[error("{}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("template {name}")]
    Template { name: String, source: minijinja::Error },
    #[error("template {file}")]
    Catalogue { file: &'static str, source: serde_yaml::Error },
    #[error("template {file}: {key}: not a phrase; write text in quotes")]
    NotAPhrase { file: &'static str, key: String },
    #[error("template {file}: {key}")]
    Phrase { file: &'static str, key: String, source: minijinja::Error },
    #[error("a figure cannot be drawn")]
    Figure(#[from] DrawingAreaErrorKind<std::io::Error>),
}

/// A result whose error is a report's.
pub type Result<T> = std::result::Result<T, Error>;
