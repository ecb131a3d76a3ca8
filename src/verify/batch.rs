//! Verifies several bundles, and finds those that have their results in common.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Serialize;

use super::{Rung, Verification, verify};
use crate::engine::{DeviceChoice, caught};
use crate::exit_code::ExitCode;
use crate::text::error_chain;

/// One path's result in a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// A bundle that was verified.
    Checked {
        /// Its verification.
        #[serde(flatten)]
        verification: Box<Verification>,
        /// Its exit code.
        exit_code: ExitCode,
        /// Paths with the same Report ID.
        same_report_id_as: Vec<String>,
        /// Paths with the same measured values under another Report ID: a run that was copied, or repeated in the same
        /// environment class.
        same_measured_as: Vec<String>,
        /// Paths with the same predictions under other measured values: copied, with other values changed.
        same_predictions_as: Vec<String>,
    },
    /// A path that is not a bundle, or cannot be read.
    Unreadable {
        /// As given.
        path: String,
        /// Why.
        error: String,
        /// Always a failure.
        exit_code: ExitCode,
    },
}

impl Record {
    fn new(path: &Path, result: Result<Verification, String>) -> Self {
        match result {
            Ok(verification) => Self::Checked {
                exit_code: verification.exit_code(),
                verification: Box::new(verification),
                same_report_id_as: Vec::new(),
                same_measured_as: Vec::new(),
                same_predictions_as: Vec::new(),
            },
            Err(error) => Self::Unreadable { path: path.display().to_string(), error, exit_code: ExitCode::Failure },
        }
    }

    /// The path as given.
    pub fn path(&self) -> &str {
        match self {
            Self::Checked { verification, .. } => &verification.path,
            Self::Unreadable { path, .. } => path,
        }
    }

    /// The exit code of this bundle alone; that of the batch is the largest.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Checked { exit_code, .. } | Self::Unreadable { exit_code, .. } => *exit_code,
        }
    }

    /// The verification, if the path is a bundle.
    pub fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Checked { verification, .. } => Some(verification),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Verifies several bundles; `done` sees each record as soon as it is there. One that cannot be read, or on which this
/// program fails, does not stop the others.
pub fn verify_all(
    paths: &[PathBuf],
    upto: Option<Rung>,
    device: DeviceChoice,
    mut done: impl FnMut(&Record),
) -> Vec<Record> {
    let mut records: Vec<Record> = paths
        .iter()
        .map(|path| {
            let result = caught(|| verify(path, upto, device).map_err(error_chain)).unwrap_or_else(Err);
            let record = Record::new(path, result);
            done(&record);
            record
        })
        .collect();
    find_copies(&mut records);
    records
}

/// What bundles can have in common; what says most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// Every file.
    ReportId,
    /// Every measured value.
    Measured,
    /// Every prediction.
    Predictions,
}

impl Common {
    const ALL: [Self; 3] = [Self::ReportId, Self::Measured, Self::Predictions];

    fn of(self, verification: &Verification) -> Option<&String> {
        match self {
            Self::ReportId => verification.report_id.as_ref(),
            Self::Measured => verification.about.measured_digest.as_ref(),
            Self::Predictions => verification.about.predictions_digest.as_ref(),
        }
    }

    /// What bundles with this in common would have in common if they were copies.
    fn beyond(self) -> Option<Self> {
        match self {
            Self::ReportId => None,
            Self::Measured => Some(Self::ReportId),
            Self::Predictions => Some(Self::Measured),
        }
    }
}

/// Lists in each record the others that have something in common with it, under what says most.
fn find_copies(records: &mut [Record]) {
    let known: Vec<Option<Verification>> = records.iter().map(|r| r.verification().cloned()).collect();
    for (i, record) in records.iter_mut().enumerate() {
        let Record::Checked { verification, same_report_id_as, same_measured_as, same_predictions_as, .. } = record
        else {
            continue;
        };
        let lists = [same_report_id_as, same_measured_as, same_predictions_as];
        for other in known.iter().enumerate().filter(|(j, _)| *j != i).filter_map(|(_, other)| other.as_ref()) {
            let is_common = |what: &Common| what.of(verification).is_some() && what.of(verification) == what.of(other);
            if let Some(common) = Common::ALL.iter().position(is_common) {
                lists[common].push(other.path.clone());
            }
        }
    }
}

/// Bundles that have something in common.
pub struct Group<'a> {
    /// What they have in common.
    pub common: Common,
    /// The bundles, at least two.
    pub members: Vec<&'a Verification>,
}

/// All groups of bundles that have something in common, and differ in what says more.
pub fn groups(records: &[Record]) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    for common in Common::ALL {
        let mut by_value: IndexMap<&String, Vec<&Verification>> = IndexMap::new();
        for verification in records.iter().filter_map(Record::verification) {
            if let Some(value) = common.of(verification) {
                by_value.entry(value).or_default().push(verification);
            }
        }
        let differ =
            |members: &[&Verification], what: Common| members.iter().any(|v| what.of(v) != what.of(members[0]));
        groups.extend(
            by_value
                .into_values()
                .filter(|members| common.beyond().map_or(members.len() > 1, |beyond| differ(members, beyond)))
                .map(|members| Group { common, members }),
        );
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::About;

    fn record(path: &str, id: &str, measured: &str, predictions: &str) -> Record {
        let digest = |text: &str| Some(text.to_owned());
        let (measured_digest, predictions_digest) = (digest(measured), digest(predictions));
        let about = About { measured_digest, predictions_digest, ..About::default() };
        let verification =
            Verification { path: path.into(), report_id: Some(id.into()), about, upto: Rung::Files, steps: Vec::new() };
        Record::new(Path::new(path), Ok(verification))
    }

    #[test]
    fn copies_of_bundles_and_of_runs_are_distinguished() {
        let unreadable = Record::new(Path::new("none"), Err("not a bundle".into()));
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
        let groups: Vec<_> = groups(&records).iter().map(|g| (g.common, g.members.len())).collect();
        assert_eq!(groups, [(Common::ReportId, 2), (Common::Measured, 3), (Common::Predictions, 2)]);
    }
}
