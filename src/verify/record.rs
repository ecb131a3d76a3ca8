//! The row of one path: its verification, in a word and in full. The table, CSV, JSON and the page of a course are all made from it.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::likeness::{Common, Likenesses, SharedNetwork, has_changed_files};
use super::outcome::first_difference;
use super::{About, AssignmentResult, DrawnRuns, Mark, Rung, Status, Verification};
use crate::exit_code::ExitCode;

/// The version of a record's form in JSON, which docs/verification.md describes.
const SCHEMA: u32 = 1;

/// One path's result.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    schema: u32,
    /// The path as it was given.
    pub(crate) path: String,
    /// Why it is not a bundle, or cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// `None` if it cannot be read.
    #[serde(flatten)]
    pub(crate) verification: Option<Box<Verification>>,
    /// The result in a word.
    pub(crate) result: Judgement,
    /// The exit code of this bundle alone; that of the batch is the largest.
    pub(crate) exit_code: ExitCode,
    /// How long the check took.
    pub(crate) seconds: f64,
    /// The other paths that have something in common with it; `None` if it cannot be read.
    #[serde(flatten)]
    pub(super) likenesses: Option<Likenesses>,
}

/// A verification in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Judgement {
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

impl Judgement {
    /// All of them, best first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Verified, Self::Lean, Self::NotChecked, Self::AnotherStudy, Self::Failed, Self::Unreadable];

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

    /// The word in JSON and CSV, and the key of the phrase on a page.
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

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Failed => "FAILED",
            Self::AnotherStudy => "ANOTHER STUDY",
            other => return f.pad(&other.name().replace('_', " ")),
        })
    }
}

impl Record {
    pub(super) fn new(path: &Path, checked: Result<Verification, String>, seconds: f64) -> Self {
        let (verification, error) = match checked {
            Ok(verification) => (Some(Box::new(verification)), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            schema: SCHEMA,
            path: path.display().to_string(),
            error,
            result: verification.as_deref().map_or(Judgement::Unreadable, Judgement::of),
            exit_code: verification.as_deref().map_or(ExitCode::Failure, Verification::exit_code),
            likenesses: verification.is_some().then(Likenesses::default),
            verification,
            // More digits are noise.
            seconds: (seconds * 1000.0).round() / 1000.0,
        }
    }

    /// What the bundle says of itself.
    pub(crate) fn about(&self) -> Option<&About> {
        self.verification.as_deref().map(|verification| &verification.about)
    }

    /// Author, group and title, as the bundle states them.
    pub(crate) fn names(&self) -> [Option<&str>; 3] {
        let about = self.about();
        [about.map(|a| &a.author), about.map(|a| &a.group), about.map(|a| &a.title)].map(|name| name?.as_deref())
    }

    /// The Report ID.
    pub(crate) fn report_id(&self) -> Option<&str> {
        self.verification.as_deref()?.report_id.as_deref()
    }

    /// Whether files are not as SHA256SUMS lists them: the Report ID is stated, but it is that of other files.
    pub(crate) fn has_changed_files(&self) -> bool {
        self.verification.as_deref().is_some_and(has_changed_files)
    }

    /// The result of a rung; `None` if it was not asked for.
    pub(crate) fn mark(&self, rung: Rung) -> Option<Mark> {
        let verification = self.verification.as_deref()?;
        let step = verification.steps.iter().find(|step| step.rung == rung && rung <= verification.upto)?;
        Some(step.mark())
    }

    /// How many runs a rung checked, if not all.
    pub(crate) fn drawn(&self, rung: Rung) -> Option<DrawnRuns> {
        self.verification.as_deref()?.steps.iter().find(|step| step.rung == rung)?.drawn
    }

    /// The comparison with an assignment, if one was asked for.
    pub(crate) fn assignment(&self) -> Option<&AssignmentResult> {
        self.verification.as_deref()?.assignment.as_ref()
    }

    /// The first of the differences that say most, with the rung that found it.
    pub(crate) fn first_difference(&self) -> Option<(Rung, &str)> {
        first_difference(&self.verification.as_deref()?.steps)
    }

    /// The other paths that have something in common with this one, strongest first; each path is in one list only.
    pub(crate) fn likenesses(&self) -> Vec<(Common, &[String])> {
        Common::ALL
            .into_iter()
            .map(|common| (common, self.likenesses.as_ref().map_or(&[][..], |l| l.of(common))))
            .collect()
    }

    /// The networks that it shares with another bundle.
    pub(crate) fn networks_shared_with(&self, path: &str) -> Vec<&SharedNetwork> {
        let all = self.likenesses.iter().flat_map(|likenesses| &likenesses.networks);
        all.filter(|shared| shared.path == path).collect()
    }

    /// The place in a sorted table: by group, author and file; bundles that name neither come last.
    fn place(&self) -> impl Ord + use<'_> {
        let last_if_none = |text: Option<&'_ str>| (text.is_none(), text.map(str::to_owned));
        let [author, group, _] = self.names();
        (last_if_none(group), last_if_none(author), &self.path)
    }
}

/// The records in the order of a table: by group, author and file.
pub(crate) fn sorted(records: &[Record]) -> Vec<&Record> {
    let mut sorted: Vec<&Record> = records.iter().collect();
    sorted.sort_by_key(|record| record.place());
    sorted
}
