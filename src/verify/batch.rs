//! Several bundles verified together: a grader's batch.
//!
//! Owns what shows only side by side: equal Report IDs, and equal measured values or predictions under different ones.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::Verification;

/// One path's outcome in a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Record {
    Checked {
        #[serde(flatten)]
        verification: Box<Verification>,
        exit_code: u8,
        /// Paths with the same Report ID.
        same_report_id_as: Vec<String>,
        /// Paths with the same measured values under another Report ID: a run that was copied, or done again in
        /// the same environment class.
        same_measured_as: Vec<String>,
        /// Paths with the same predictions under other measured values: copied, and something beside them changed.
        same_predictions_as: Vec<String>,
    },
    /// A path that is no bundle, or cannot be read.
    Unreadable { path: String, error: String, exit_code: u8 },
}

impl Record {
    /// A verification's record; those of the same batch are not yet held against each other.
    pub fn new(path: &Path, outcome: Result<Verification>) -> Self {
        match outcome {
            Ok(verification) => {
                let exit_code = verification.exit_code();
                let verification = Box::new(verification);
                Self::Checked {
                    verification,
                    exit_code,
                    same_report_id_as: Vec::new(),
                    same_measured_as: Vec::new(),
                    same_predictions_as: Vec::new(),
                }
            }
            Err(e) => Self::Unreadable { path: path.display().to_string(), error: format!("{e:#}"), exit_code: 2 },
        }
    }

    pub fn path(&self) -> &str {
        match self {
            Self::Checked { verification, .. } => &verification.path,
            Self::Unreadable { path, .. } => path,
        }
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Checked { exit_code, .. } | Self::Unreadable { exit_code, .. } => *exit_code,
        }
    }

    pub fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Checked { verification, .. } => Some(verification),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Holds a batch's records against each other.
pub fn find_copies(records: &mut [Record]) {
    let marks =
        |v: &Verification| [&v.report_id, &v.about.measured_digest, &v.about.predictions_digest].map(Clone::clone);
    let known: Vec<(String, [Option<String>; 3])> =
        records.iter().filter_map(Record::verification).map(|v| (v.path.clone(), marks(v))).collect();
    let checked = records.iter_mut().filter(|r| matches!(r, Record::Checked { .. }));
    for (i, record) in checked.enumerate() {
        let Record::Checked { same_report_id_as, same_measured_as, same_predictions_as, .. } = record else { continue };
        let lists = [same_report_id_as, same_measured_as, same_predictions_as];
        for (_, (path, others)) in known.iter().enumerate().filter(|(j, _)| *j != i) {
            // The first thing in common says the most.
            let common = known[i].1.iter().zip(others).position(|(own, other)| own.is_some() && own == other);
            if let Some(common) = common {
                lists[common].push(path.clone());
            }
        }
    }
}

/// The worst of several exit codes: a difference found, before what could not be checked, before none.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    codes.into_iter().max_by_key(|code| [0, 2, 1].iter().position(|known| known == code)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{About, Rung};

    fn record(path: &str, id: &str, measured: &str, predictions: &str) -> Record {
        let digest = |text: &str| Some(text.to_owned());
        let (measured_digest, predictions_digest) = (digest(measured), digest(predictions));
        let about = About { measured_digest, predictions_digest, ..About::default() };
        let verification =
            Verification { path: path.into(), report_id: Some(id.into()), about, upto: Rung::Files, steps: Vec::new() };
        Record::new(Path::new(path), Ok(verification))
    }

    #[test]
    fn copies_of_bundles_and_of_runs_are_told_apart() {
        let unreadable = Record::new(Path::new("none"), Err(anyhow::anyhow!("no bundle")));
        let mut records = [
            record("a", "1", "x", "p"),
            unreadable,
            record("b", "2", "x", "p"),
            record("c", "1", "x", "p"),
            record("d", "3", "y", "q"),
            record("e", "4", "z", "q"),
        ];
        find_copies(&mut records);
        let copies = |i: usize| match &records[i] {
            Record::Checked { same_report_id_as, same_measured_as, same_predictions_as, .. } => {
                [same_report_id_as, same_measured_as, same_predictions_as].map(|paths| paths.join(" "))
            }
            Record::Unreadable { .. } => panic!("was checked"),
        };
        assert_eq!(copies(0), ["c", "b", ""]);
        assert_eq!(copies(2), ["", "a c", ""]);
        assert_eq!(copies(4), ["", "", "e"]);
    }

    #[test]
    fn a_difference_is_worse_than_what_could_not_be_checked() {
        assert_eq!((worst([0, 2, 1, 2]), worst([0, 2]), worst([0]), worst([])), (1, 2, 0, 0));
    }
}
