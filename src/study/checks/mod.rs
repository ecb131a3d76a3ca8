//! Checks of a study: that names exist, numbers are in range and parts fit together. Each reports the first fault.

mod comparisons;
mod conclusions;
mod data;
mod names;
mod runs;
mod sections;
mod titles;

use std::collections::HashSet;
use std::fmt::Display;

use super::run_spec::RunSpec;
use super::{Source, StudyError};
use crate::text::closest::unknown;
use crate::text::short_number;

pub(super) use comparisons::check as check_comparisons;
pub(super) use conclusions::check as check_conclusions;
pub(super) use names::{check as check_names, is_device};
pub(super) use runs::{check as check_run, image_count};
pub(super) use sections::check as check_sections;

/// More epochs than this in all trainings together take days even for the smallest network.
const MAX_EPOCHS_IN_ALL: usize = 200_000;

/// A key of a study, for errors.
pub(super) struct Place<'a> {
    source: &'a Source,
    key: String,
}

impl<'a> Place<'a> {
    pub(super) fn new(source: &'a Source, key: impl Into<String>) -> Self {
        Self { source, key: key.into() }
    }

    /// A key inside this one.
    pub(super) fn at(&self, part: &str) -> Self {
        Self::new(self.source, format!("{}.{part}", self.key))
    }

    /// The error that the key's value is wrong.
    pub(super) fn error(&self, message: impl Into<String>) -> StudyError {
        self.source.error(&self.key, message)
    }

    /// Fails with the error that the key's value is wrong.
    pub(super) fn refuse<T>(&self, message: impl Into<String>) -> Result<T, StudyError> {
        Err(self.error(message))
    }

    /// Checks that a number is above 0.
    pub(super) fn positive(&self, part: &str, value: f64) -> Result<(), StudyError> {
        if value == f64::INFINITY {
            return self.at(part).refuse(format!("{value}: is too large"));
        }
        self.require(part, value, value > 0.0, "above 0")
    }

    /// Checks that a number is 0 or above.
    pub(super) fn not_negative(&self, part: &str, value: f64) -> Result<(), StudyError> {
        self.require(part, value, value.is_finite() && value >= 0.0, "at least 0")
    }

    /// Checks that a number is in a closed range.
    pub(super) fn within<T>(&self, part: &str, value: T, low: T, high: T) -> Result<(), StudyError>
    where
        T: PartialOrd + Display + Copy,
    {
        let holds = low <= value && value <= high;
        self.require(part, value, holds, &format!("from {low} to {high}"))
    }

    /// Checks any other condition, which `expected` describes.
    pub(super) fn require(
        &self,
        part: &str,
        value: impl Display,
        holds: bool,
        expected: &str,
    ) -> Result<(), StudyError> {
        if holds {
            return Ok(());
        }
        self.at(part).refuse(format!("{}: must be {expected}", short_number(&value.to_string())))
    }
}

/// Checks the study's own settings: input, threads, date, ids.
pub(super) fn check_study(source: &Source) -> Result<(), StudyError> {
    let study = &source.study;
    let input = Place::new(source, "input");
    if study.input.shape != [1, 28, 28] {
        return input.at("shape").refuse(format!("{:?}: MNIST images are [1, 28, 28]", study.input.shape));
    }
    if !study.input.mean.is_finite() {
        return input.at("mean").refuse(format!("{}: must be a number", study.input.mean));
    }
    input.positive("std", study.input.std)?;
    if let Some(date) = study.date.as_ref().filter(|date| !super::is_date(date)) {
        let message = format!(
            "`{date}` is not a date: write a day, YYYY-MM-DD, or a year, YYYY, or print another form as a line of the title \
             block, such as `meta: [{{label: Date, value: May 2026}}]`"
        );
        return Err(source.error("date", message));
    }
    titles::check(source)?;
    data::check(source)?;
    check_ids(source)
}

/// Limits the epochs of all trainings together. A bundle keeps a row of results and a time for each.
pub(super) fn check_epochs(source: &Source) -> Result<(), StudyError> {
    let of_run = |run: &RunSpec| run.epochs.saturating_mul(run.seeds.len());
    let count = source.study.runs.values().map(of_run).fold(0, usize::saturating_add);
    if count > MAX_EPOCHS_IN_ALL {
        let message = format!("{count} epochs in all trainings together: at most {MAX_EPOCHS_IN_ALL} are supported");
        return Err(source.error("runs", message));
    }
    Ok(())
}

/// Checks that no id is used twice: claims and conclusions share one set of ids.
fn check_ids(source: &Source) -> Result<(), StudyError> {
    let (claims, conclusions) = (&source.study.claims, &source.study.conclusions);
    let claims = claims.iter().enumerate().map(|(i, c)| (format!("claims[{i}].id"), &c.id));
    let conclusions = conclusions.iter().enumerate().map(|(i, c)| (format!("conclusions[{i}].id"), &c.id));
    let mut ids = HashSet::new();
    match claims.chain(conclusions).find(|(_, id)| !ids.insert(*id)) {
        Some((key, id)) => Err(source.error(key, format!("id `{id}` is used twice"))),
        None => Ok(()),
    }
}

/// Checks that a run exists.
fn check_run_exists(place: &Place, run: &str) -> Result<(), StudyError> {
    let runs = &place.source.study.runs;
    if runs.contains_key(run) { Ok(()) } else { place.refuse(unknown("run", run, runs.keys())) }
}
