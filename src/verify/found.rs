//! Differences that a rung finds while it computes. The first is told at once: a limit that a later training exceeds must not lose it.

use super::Rung;
use super::machine::Machine;
use super::outcome::Outcome;
use crate::failure::caught;

/// What a rung has found of the trainings so far.
pub(super) struct Found<'m, 'a> {
    rung: Rung,
    machine: &'m Machine<'a>,
    differences: Vec<String>,
    /// Why trainings could not be checked on this machine.
    failures: Vec<String>,
}

impl<'m, 'a> Found<'m, 'a> {
    pub(super) fn new(rung: Rung, machine: &'m Machine<'a>) -> Self {
        Self { rung, machine, differences: Vec::new(), failures: Vec::new() }
    }

    /// Adds a difference.
    pub(super) fn add(&mut self, difference: String) {
        if self.differences.is_empty() {
            (self.machine.tell)(self.rung, &difference);
        }
        self.differences.push(difference);
    }

    /// Does a part of the rung, for one training. If this machine fails, for example for want of memory, that training is not checked,
    /// and the others are.
    pub(super) fn attempt<T>(&mut self, part: impl FnOnce() -> T) -> Option<T> {
        caught(part).map_err(|why| self.failures.push(why)).ok()
    }

    /// The outcome of a rung that would pass as `otherwise`.
    pub(super) fn outcome(self, otherwise: Outcome) -> Outcome {
        if !self.differences.is_empty() {
            return Outcome::Failed(self.differences);
        }
        if self.failures.is_empty() {
            return otherwise;
        }
        let first = format!("not checked: {}", self.failures.join("; "));
        let details = match otherwise {
            Outcome::Passed(details) | Outcome::PartlyChecked(details) | Outcome::Failed(details) => details,
            Outcome::NotChecked(why) | Outcome::LeftOut(why) => vec![why],
        };
        Outcome::PartlyChecked(std::iter::once(first).chain(details).collect())
    }
}
