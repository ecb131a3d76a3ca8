//! The result of a rung, and the result of a whole verification.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::differing::weight;
use super::{About, AssignmentResult, Closing};
use crate::changes::{Change, changes};
use crate::exit_code::ExitCode;
use crate::rung::Rung;

/// The result of a rung. A rung that was not checked never counts as passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that the rung checks is right.
    Passed,
    /// Something is wrong.
    Failed,
    /// Not asked for, or not possible here.
    NotChecked,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        Mark::from(*self).fmt(f)
    }
}

/// A status in a table, where what a lean zip leaves out has a word of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Status`")]
pub enum Mark {
    Passed,
    Failed,
    NotChecked,
    /// Not checked, because a lean zip was published without the files that it needs.
    Lean,
}

impl Mark {
    /// The word in CSV, and the key of the phrase on a page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
            Self::Lean => "lean",
        }
    }
}

impl From<Status> for Mark {
    fn from(status: Status) -> Self {
        match status {
            Status::Passed => Self::Passed,
            Status::Failed => Self::Failed,
            Status::NotChecked => Self::NotChecked,
        }
    }
}

/// The word on a terminal: a failure is the one to be seen first.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Failed => "FAILED",
            Self::NotChecked => "not checked",
            other => other.name(),
        })
    }
}

/// One rung's result.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RungResult {
    pub rung: Rung,
    pub status: Status,
    /// What was checked, every difference found, or why nothing was checked.
    pub details: Vec<String>,
    /// What `replay` and `rerun` showed of each training, by the name of its files.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub trainings: IndexMap<String, Proof>,
    /// Whether a lean zip was published without the files that it needs, so that it was not checked or only `rerun` shows it.
    #[serde(default)]
    pub left_out: bool,
    /// Whether values were held to tolerances, because libtorch made the bundle in another environment.
    pub held_to_tolerances: bool,
    /// The runs that were trained again, if they are not all of the bundle's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<DrawnRuns>,
    /// Whether the rung is still at work, and has found what `details` says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unfinished: bool,
}

/// How many runs of a bundle a rung checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnRuns {
    /// The checked ones.
    pub runs: usize,
    /// All of the bundle.
    pub of: usize,
}

impl RungResult {
    /// The result in a table.
    pub fn mark(&self) -> Mark {
        if self.left_out && self.status == Status::NotChecked { Mark::Lean } else { self.status.into() }
    }
}

/// The first of the differences that say most, with the rung that found it: a number before a hash of it, whichever rung comes first.
pub(super) fn first_difference(steps: &[RungResult]) -> Option<(Rung, &str)> {
    let failed = || steps.iter().filter(|step| step.status == Status::Failed);
    let first = failed().next()?;
    if first.rung == Rung::Files {
        return Some((first.rung, first.details.first().map_or("", String::as_str)));
    }
    let all = failed().flat_map(|step| step.details.iter().map(|detail| (step.rung, detail.as_str())));
    // Of equal ones, the first.
    all.min_by_key(|(_, detail)| std::cmp::Reverse(weight(detail))).or(Some((first.rung, "")))
}

/// What a rung showed of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It was done again from the first step to the last: a full proof.
    Whole,
    /// Stored segments were replayed, and one of them ends in the bundle's weights.
    Sampled,
    /// Nothing ties its weights to its training.
    NotChecked,
}

/// A bundle's verification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// `None` without SHA256SUMS.
    pub report_id: Option<String>,
    /// The last rung asked for.
    pub upto: Rung,
    /// What the bundle says of itself.
    #[serde(flatten)]
    pub about: About,
    /// One for each rung, cheapest first.
    pub steps: Vec<RungResult>,
    /// The comparison with an assignment, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<AssignmentResult>,
    /// What that proves and what it does not, in plain words.
    #[serde(flatten)]
    pub closing: Closing,
}

impl Verification {
    /// Success if every rung asked for passed, and the study is the assignment if one was named; a difference if a rung failed or
    /// the study is another; otherwise a failure to check.
    pub fn exit_code(&self) -> ExitCode {
        let is_assignment = |status| self.assignment.as_ref().is_some_and(|assignment| assignment.status == status);
        if self.asked(Status::Failed).next().is_some() || is_assignment(Status::Failed) {
            ExitCode::Difference
        } else if self.asked(Status::NotChecked).next().is_some() || is_assignment(Status::NotChecked) {
            ExitCode::Failure
        } else {
            ExitCode::Success
        }
    }

    /// Whether nothing is wrong, and all that was not checked needs files that a lean zip was published without.
    pub fn is_lean(&self) -> bool {
        let mut not_checked = self.asked(Status::NotChecked).peekable();
        let is_sound = self.asked(Status::Failed).next().is_none() && not_checked.peek().is_some();
        is_sound && not_checked.all(|step| step.left_out)
    }

    /// The rungs asked for that have this status, in their order.
    pub fn asked(&self, status: Status) -> impl Iterator<Item = &RungResult> {
        self.steps.iter().filter(move |step| step.rung <= self.upto && step.status == status)
    }
}

/// What a rung's check returns: what was checked, every difference, or why nothing was checked.
pub(super) enum Outcome {
    Passed(Vec<String>),
    Failed(Vec<String>),
    NotChecked(String),
    /// Not checked, because a lean zip was published without the files.
    LeftOut(String),
    /// Not everything could be checked, but nothing was wrong.
    PartlyChecked(Vec<String>),
}

/// A rung's outcome, with what the closing sentence needs to know of it.
pub(super) struct Rated {
    pub(super) outcome: Outcome,
    pub(super) trainings: Vec<(String, Proof)>,
    pub(super) tolerances: bool,
}

impl From<Outcome> for Rated {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, trainings: Vec::new(), tolerances: false }
    }
}

impl Outcome {
    /// Failed if there are differences, otherwise passed with a statement.
    pub(super) fn of(differences: Vec<String>, passed: impl Into<String>) -> Self {
        if differences.is_empty() { Self::Passed(vec![passed.into()]) } else { Self::Failed(differences) }
    }

    /// As `of`, for a rung that checks trained networks: not checked if there is none because all trainings diverged.
    /// `not_checked` is the statement on those that did.
    pub(super) fn of_networks(
        differences: Vec<String>,
        networks: usize,
        passed: String,
        not_checked: Option<String>,
    ) -> Self {
        match not_checked {
            Some(why) if differences.is_empty() && networks == 0 => Self::NotChecked(why),
            why if differences.is_empty() => Self::Passed(std::iter::once(passed).chain(why).collect()),
            _ => Self::Failed(differences),
        }
    }
}

impl Rated {
    pub(super) fn into_result(self, rung: Rung) -> RungResult {
        let left_out = matches!(self.outcome, Outcome::LeftOut(_));
        let (status, details) = match self.outcome {
            Outcome::Passed(details) => (Status::Passed, details),
            Outcome::Failed(details) => (Status::Failed, details),
            Outcome::NotChecked(why) | Outcome::LeftOut(why) => (Status::NotChecked, vec![why]),
            Outcome::PartlyChecked(details) => (Status::NotChecked, details),
        };
        let trainings = self.trainings.into_iter().collect();
        let held_to_tolerances = self.tolerances;
        RungResult { rung, status, details, trainings, left_out, held_to_tolerances, drawn: None, is_unfinished: false }
    }
}

/// What differs between two values as JSON, by key (`models.slim.parameters`): at most five differences, then how many more.
pub(super) fn json_differences<T: Serialize>(what: &str, stated: &T, found: &T) -> Vec<String> {
    const MOST: usize = 5;
    let changes = changes(what, stated, found);
    let describe = |c: &Change| format!("{}: the bundle has {}, the recomputed value is {}", c.what, c.a, c.b);
    let mut differences: Vec<String> = changes.iter().take(MOST).map(describe).collect();
    if changes.len() > MOST {
        differences.push(format!("{what}: {} more differences", changes.len() - MOST));
    }
    differences
}
