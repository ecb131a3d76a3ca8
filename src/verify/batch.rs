//! Verifies several bundles, and finds those with the same results.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Serialize;

use super::Verification;
use crate::exit_code::ExitCode;

/// One path's result in a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Record {
    Checked {
        #[serde(flatten)]
        verification: Box<Verification>,
        exit_code: ExitCode,
        #[serde(flatten)]
        copies: Copies,
    },
    /// A path that is not a bundle, or cannot be read.
    Unreadable { path: String, error: String, exit_code: ExitCode },
}

/// The other paths that have something in common with a bundle; each path is in one list only.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys of the JSON")]
pub(crate) struct Copies {
    same_report_id_as: Vec<String>,
    /// The same measured values under another Report ID: a run that was copied, or repeated in the same environment.
    same_measured_as: Vec<String>,
    /// The same predictions under other measured values: a bundle that was copied and then changed.
    same_predictions_as: Vec<String>,
}

impl Record {
    fn new(path: &Path, result: Result<Verification, String>) -> Self {
        match result {
            Ok(verification) => Self::Checked {
                exit_code: verification.exit_code(),
                verification: Box::new(verification),
                copies: Copies::default(),
            },
            Err(error) => Self::Unreadable { path: path.display().to_string(), error, exit_code: ExitCode::Failure },
        }
    }

    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Checked { verification, .. } => &verification.path,
            Self::Unreadable { path, .. } => path,
        }
    }

    /// The exit code of this bundle alone; that of the batch is the largest.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Checked { exit_code, .. } | Self::Unreadable { exit_code, .. } => *exit_code,
        }
    }

    /// The verification, if the path is a bundle.
    pub(crate) fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Checked { verification, .. } => Some(verification),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Verifies several bundles with `check` and calls `done` with each record.
pub(crate) fn verify_all(
    paths: &[PathBuf],
    check: impl Fn(&Path) -> Result<Verification, String>,
    mut done: impl FnMut(&Record),
) -> Vec<Record> {
    let mut records: Vec<Record> = paths
        .iter()
        .map(|path| {
            let record = Record::new(path, check(path));
            done(&record);
            record
        })
        .collect();
    find_copies(&mut records);
    records
}

/// What bundles can have in common, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    ReportId,
    Measured,
    Predictions,
}

impl Common {
    const ALL: [Self; 3] = [Self::ReportId, Self::Measured, Self::Predictions];

    fn value_of(self, verification: &Verification) -> Option<&String> {
        match self {
            Self::ReportId => verification.report_id.as_ref(),
            Self::Measured => verification.about.measured_digest.as_ref(),
            Self::Predictions => verification.about.predictions_digest.as_ref(),
        }
    }

    /// The next stronger one.
    fn next_stronger(self) -> Option<Self> {
        match self {
            Self::ReportId => None,
            Self::Measured => Some(Self::ReportId),
            Self::Predictions => Some(Self::Measured),
        }
    }
}

/// Fills in the copies of each record.
fn find_copies(records: &mut [Record]) {
    let known: Vec<Option<Verification>> = records.iter().map(|r| r.verification().cloned()).collect();
    for (i, record) in records.iter_mut().enumerate() {
        let Record::Checked { verification, copies, .. } = record else { continue };
        for other in known[..i].iter().chain(&known[i + 1..]).flatten() {
            let is_common = |what: &Common| {
                what.value_of(verification).is_some() && what.value_of(verification) == what.value_of(other)
            };
            match Common::ALL.into_iter().find(is_common) {
                Some(Common::ReportId) => copies.same_report_id_as.push(other.path.clone()),
                Some(Common::Measured) => copies.same_measured_as.push(other.path.clone()),
                Some(Common::Predictions) => copies.same_predictions_as.push(other.path.clone()),
                None => {}
            }
        }
    }
}

/// Every group of at least two bundles that have something in common, and differ in what is stronger.
pub(crate) fn groups(records: &[Record]) -> Vec<(Common, Vec<&Verification>)> {
    let mut groups = Vec::new();
    for common in Common::ALL {
        let mut by_value: IndexMap<&String, Vec<&Verification>> = IndexMap::new();
        for verification in records.iter().filter_map(Record::verification) {
            if let Some(value) = common.value_of(verification) {
                by_value.entry(value).or_default().push(verification);
            }
        }
        let is_group = |members: &[&Verification]| match common.next_stronger() {
            None => members.len() > 1,
            Some(stronger) => members.iter().any(|member| stronger.value_of(member) != stronger.value_of(members[0])),
        };
        groups.extend(by_value.into_values().filter(|members| is_group(members)).map(|members| (common, members)));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{About, Closing, Rung};

    fn record(path: &str, id: &str, measured: &str, predictions: &str) -> Record {
        let digest = |text: &str| Some(text.to_owned());
        let (measured_digest, predictions_digest) = (digest(measured), digest(predictions));
        let about = About { measured_digest, predictions_digest, ..About::default() };
        let verification = Verification {
            path: path.into(),
            report_id: Some(id.into()),
            about,
            upto: Rung::Files,
            steps: Vec::new(),
            assignment: None,
            closing: Closing::default(),
        };
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
            Record::Checked { copies: c, .. } => {
                [&c.same_report_id_as, &c.same_measured_as, &c.same_predictions_as].map(|paths| paths.join(" "))
            }
            Record::Unreadable { .. } => panic!("was checked"),
        };
        assert_eq!(copies(0), ["c", "b", ""]);
        assert_eq!(copies(2), ["", "a c", ""]);
        assert_eq!(copies(4), ["", "", "e"]);
        let groups: Vec<_> = groups(&records).iter().map(|(common, members)| (*common, members.len())).collect();
        assert_eq!(groups, [(Common::ReportId, 2), (Common::Measured, 3), (Common::Predictions, 2)]);
    }
}
