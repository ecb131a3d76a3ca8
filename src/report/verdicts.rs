//! The verdicts on claims and the answers of conclusions as data, for programs: conclusions.json.

use serde::{Deserialize, Serialize};

use crate::text::Lang;

/// The file's name in a bundle.
pub const CONCLUSIONS: &str = "conclusions.json";

/// The version of the file's form.
pub(super) const SCHEMA: u32 = 1;

/// What conclusions.json says.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Verdicts {
    pub schema: u32,
    /// The language of questions and answers.
    pub language: Lang,
    pub claims: Vec<ClaimVerdict>,
    pub conclusions: Vec<ConclusionVerdict>,
}

/// A claim with its verdict.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct ClaimVerdict {
    pub id: String,
    pub group: String,
    pub quote: String,
    /// The published value with its tolerance, as the report prints it.
    pub printed: String,
    /// As the report prints it; empty if nothing was measured.
    pub measured: String,
    /// `matches`, `differs` or `not measured`.
    pub verdict: String,
}

/// A conclusion with its answer.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct ConclusionVerdict {
    pub id: String,
    /// The word of its kind, or `expressions`.
    pub kind: String,
    pub question: String,
    /// `supported`, `refuted` or `undecided`.
    pub finding: String,
    pub answer: String,
    /// Why it could not be decided; empty if nothing was in the way.
    pub obstacle: String,
}

impl Verdicts {
    /// The text of the file.
    ///
    /// # Panics
    /// Never: texts and numbers can always be written.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers") + "\n"
    }
}
