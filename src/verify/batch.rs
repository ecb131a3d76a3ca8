//! Verifies several bundles, and finds those with the same results.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use indexmap::IndexMap;
use serde::Serialize;

use super::{Status, Verification};
use crate::exit_code::ExitCode;

/// The version of a record's form in JSON, which docs/verification.md describes.
const SCHEMA: u32 = 1;

/// One path's result.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Record {
    Checked {
        schema: u32,
        #[serde(flatten)]
        verification: Box<Verification>,
        result: Finding,
        exit_code: ExitCode,
        seconds: f64,
        #[serde(flatten)]
        copies: Copies,
    },
    /// A path that is not a bundle, or cannot be read.
    Unreadable { schema: u32, path: String, error: String, result: Finding, exit_code: ExitCode, seconds: f64 },
}

/// A verification in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// All that was asked for passed.
    Verified,
    /// A lean zip, in which nothing else is missing or wrong.
    Lean,
    /// Something could not be checked.
    NotChecked,
    /// Every rung that was checked passed, but the study is not the assignment.
    AnotherStudy,
    /// A rung failed.
    Failed,
    /// Not a bundle, or it cannot be read.
    Unreadable,
}

impl Finding {
    fn of(verification: &Verification) -> Self {
        match verification.exit_code() {
            ExitCode::Success => Self::Verified,
            ExitCode::Difference if verification.asked(Status::Failed).next().is_some() => Self::Failed,
            ExitCode::Difference => Self::AnotherStudy,
            ExitCode::Failure => {
                let is_compared = verification.assignment.as_ref().is_none_or(|a| a.status == Status::Passed);
                if verification.is_lean() && is_compared { Self::Lean } else { Self::NotChecked }
            }
        }
    }

    /// The word in JSON and CSV.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Lean => "lean",
            Self::NotChecked => "not_checked",
            Self::AnotherStudy => "another_study",
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Failed => "FAILED",
            Self::AnotherStudy => "ANOTHER STUDY",
            other => return f.pad(&other.name().replace('_', " ")),
        })
    }
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
    fn new(path: &Path, checked: Result<Verification, String>, seconds: f64) -> Self {
        let schema = SCHEMA;
        // More digits are noise.
        let seconds = (seconds * 1000.0).round() / 1000.0;
        match checked {
            Ok(verification) => Self::Checked {
                schema,
                result: Finding::of(&verification),
                exit_code: verification.exit_code(),
                verification: Box::new(verification),
                seconds,
                copies: Copies::default(),
            },
            Err(error) => {
                let (path, exit_code) = (path.display().to_string(), ExitCode::Failure);
                Self::Unreadable { schema, path, error, result: Finding::Unreadable, exit_code, seconds }
            }
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

    /// The result in a word.
    pub(crate) fn result(&self) -> Finding {
        match self {
            Self::Checked { result, .. } | Self::Unreadable { result, .. } => *result,
        }
    }

    /// How long the check took.
    pub(crate) fn seconds(&self) -> f64 {
        match self {
            Self::Checked { seconds, .. } | Self::Unreadable { seconds, .. } => *seconds,
        }
    }

    /// Why it cannot be read.
    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            Self::Checked { .. } => None,
            Self::Unreadable { error, .. } => Some(error),
        }
    }

    /// The other paths with the same Report ID, measured values and predictions.
    pub(crate) fn copies(&self) -> [&[String]; 3] {
        match self {
            Self::Checked { copies: c, .. } => [&c.same_report_id_as, &c.same_measured_as, &c.same_predictions_as],
            Self::Unreadable { .. } => [&[]; 3],
        }
    }

    /// The place in a sorted table: by group, author and file; bundles that name neither come last.
    fn place(&self) -> impl Ord + use<'_> {
        let about = self.verification().map(|verification| &verification.about);
        let last_if_none = |text: Option<&'_ String>| (text.is_none(), text.cloned());
        let group = last_if_none(about.and_then(|about| about.group.as_ref()));
        (group, last_if_none(about.and_then(|about| about.author.as_ref())), self.path())
    }

    /// The verification, if the path is a bundle.
    pub(crate) fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Checked { verification, .. } => Some(verification),
            Self::Unreadable { .. } => None,
        }
    }
}

/// The records in the order of a table: by group, author and file.
pub(crate) fn sorted(records: &[Record]) -> Vec<&Record> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_key(|record| record.place());
    sorted
}

/// Verifies one bundle with `check`, and measures the time.
pub(crate) fn checked_in_time(path: &Path, check: impl Fn(&Path) -> Result<Verification, String>) -> Record {
    let started = Instant::now();
    let checked = check(path);
    Record::new(path, checked, started.elapsed().as_secs_f64())
}

/// Verifies several bundles with `check`, at most `jobs` at a time, and calls `done` with each record in the order of the paths.
pub(crate) fn verify_all(
    paths: &[PathBuf],
    jobs: usize,
    check: impl Fn(&Path) -> Result<Verification, String> + Sync,
    done: impl FnMut(&Record) + Send,
) -> Vec<Record> {
    let (next, in_order) =
        (AtomicUsize::new(0), Mutex::new(InOrder { records: vec![None; paths.len()], shown: 0, done }));
    let work = || {
        while let Some((i, path)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, paths.get(i)?))) {
            let record = checked_in_time(path, &check);
            in_order.lock().unwrap_or_else(PoisonError::into_inner).add(i, record);
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(paths.len()) {
            // If the system refuses a thread, this one does its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let found = in_order.into_inner().unwrap_or_else(PoisonError::into_inner).records;
    let mut records: Vec<Record> = found.into_iter().flatten().collect();
    find_copies(&mut records);
    records
}

/// Records that come in any order, and are shown in that of the paths.
struct InOrder<F> {
    records: Vec<Option<Record>>,
    shown: usize,
    done: F,
}

impl<F: FnMut(&Record)> InOrder<F> {
    fn add(&mut self, i: usize, record: Record) {
        self.records[i] = Some(record);
        while let Some(Some(record)) = self.records.get(self.shown) {
            (self.done)(record);
            self.shown += 1;
        }
    }
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
        Record::new(Path::new(path), Ok(verification), 0.0)
    }

    #[test]
    fn records_are_shown_in_the_order_of_the_paths_however_many_run_at_once() {
        let paths: Vec<PathBuf> = (0..20).map(|i| PathBuf::from(i.to_string())).collect();
        for jobs in [1, 3, 50] {
            let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let check = |path: &Path| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let i: u64 = path.to_str().unwrap().parse().unwrap();
                thread::sleep(std::time::Duration::from_millis(20 - i));
                running.fetch_sub(1, Ordering::SeqCst);
                Err(format!("record {i}"))
            };
            let mut shown = Vec::new();
            let records = verify_all(&paths, jobs, check, |record| shown.push(record.path().to_owned()));
            let expected: Vec<String> = (0..20).map(|i| i.to_string()).collect();
            assert_eq!(shown, expected, "{jobs} jobs");
            assert_eq!(records.iter().map(Record::path).collect::<Vec<_>>(), expected);
            assert_eq!(records[7].error(), Some("record 7"));
            assert!(most.load(Ordering::SeqCst) <= jobs, "{jobs} jobs");
        }
    }

    #[test]
    fn copies_of_bundles_and_of_runs_are_distinguished() {
        let unreadable = Record::new(Path::new("none"), Err("not a bundle".into()), 0.0);
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
