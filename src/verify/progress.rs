//! Tells which rungs are done while others still run.

use super::{RungResult, Status, Verification};

/// Who hears from a verification while it runs.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// Gets a line before the rungs that take long.
    pub say: &'a dyn Fn(&str),
    /// Gets each rung that was asked for, when it is done.
    pub done: &'a dyn Fn(&RungResult),
}

impl Listener<'_> {
    /// Nobody.
    pub const NOBODY: Listener<'static> = Listener { say: &|_| {}, done: &|_| {} };
}

/// What was told of one verification.
pub(super) struct Progress<'a> {
    told: usize,
    tell: &'a dyn Fn(&RungResult),
}

impl<'a> Progress<'a> {
    pub(super) fn new(tell: &'a dyn Fn(&RungResult)) -> Self {
        Self { told: 0, tell }
    }

    /// Tells the rungs that were asked for and are done since the answer before.
    pub(super) fn add(&mut self, so_far: &Verification) {
        let is_waiting = |step: &RungResult| step.status == Status::NotChecked && step.details == [""];
        let asked = so_far.steps.iter().filter(|step| step.rung <= so_far.upto);
        for step in asked.skip(self.told).take_while(|step| !is_waiting(step) && !step.is_unfinished) {
            (self.tell)(step);
            self.told += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use indexmap::IndexMap;

    use super::super::{About, Closing, Rung};
    use super::*;

    #[test]
    fn each_rung_is_told_once_when_it_is_done() {
        let step = |rung, status, detail: &str| RungResult {
            rung,
            status,
            details: vec![detail.to_owned()],
            trainings: IndexMap::new(),
            left_out: false,
            held_to_tolerances: false,
            drawn: None,
            is_unfinished: false,
        };
        let answer = |done: usize| {
            let state = |i: usize| match i {
                _ if i >= done => (Status::NotChecked, ""),
                2 => (Status::NotChecked, "needs the data"),
                _ => (Status::Passed, "all"),
            };
            let steps = Rung::ALL.iter().enumerate().map(|(i, rung)| step(*rung, state(i).0, state(i).1)).collect();
            let (about, closing) = (About::default(), Closing::default());
            Verification { report_id: None, upto: Rung::Metrics, about, steps, assignment: None, closing }
        };
        let told = RefCell::new(Vec::new());
        let tell = |step: &RungResult| told.borrow_mut().push(step.rung);
        let mut progress = Progress::new(&tell);
        for (done, expected) in [(1, 1), (1, 1), (4, 4), (8, 5), (8, 5)] {
            progress.add(&answer(done));
            assert_eq!(*told.borrow(), Rung::ALL[..expected], "{done}");
        }
    }
}
