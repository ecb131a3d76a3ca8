//! Counts the work of an expression, so that a study cannot keep a grader's machine busy. An item of a list that is read,
//! compared or made is a step, and so are 64 bytes of text. `evaluate` and `render` count the steps that parsing takes.

use minijinja::Value;
use minijinja::machinery::ast::CompareOpKind;

use super::evaluator::{Evaluated, Evaluator};
use super::{MAX_STEPS, Stop, operators};

impl Evaluator<'_> {
    /// Counts a step.
    pub(super) fn step(&mut self) -> Result<(), Stop> {
        self.charge(1)
    }

    /// Counts several steps at once, for work on long values. Those of an expression that takes too long count for all together,
    /// too: otherwise a thousand of them would each do their work up to the limit.
    pub(super) fn charge(&mut self, steps: u64) -> Result<(), Stop> {
        self.steps = self.steps.saturating_add(steps);
        let spent = self.interpreter.spend(steps);
        if self.steps > MAX_STEPS { Err(Stop::too_long()) } else { spent }
    }

    /// The steps that are left.
    pub(super) fn left(&self) -> u64 {
        MAX_STEPS.saturating_sub(self.steps).min(self.interpreter.left())
    }

    /// Counts the steps that some work took of those that were left, also if it failed.
    pub(super) fn within<T>(&mut self, work: impl FnOnce(&mut u64) -> Result<T, Stop>) -> Result<T, Stop> {
        let before = self.left();
        let mut left = before;
        let done = work(&mut left);
        self.charge(before - left)?;
        done
    }

    /// Checks by `operators::complete` that a value can be worked with; `name` is its expression.
    pub(super) fn check_complete(&mut self, value: &Value, name: &str) -> Result<(), Stop> {
        self.within(|left| operators::complete(value, name, left))
    }

    /// Counts the work that a value was, after it was made.
    pub(super) fn made(&mut self, value: Value) -> Evaluated {
        self.charge(operators::items(&value) + operators::text_steps(&value))?;
        Ok(value)
    }

    /// Counts the work of a search: each item of a list is compared with the whole other value. `complete` has counted that of
    /// other comparisons.
    pub(super) fn charge_comparison(&mut self, op: CompareOpKind, item: &Value, list: &Value) -> Result<(), Stop> {
        let is_search = matches!(op, CompareOpKind::In | CompareOpKind::NotIn);
        let item = 1 + operators::items(item) + operators::text_steps(item);
        self.charge(if is_search { operators::items(list).saturating_mul(item) } else { 0 })
    }

    /// Counts the work of a filter or test that may do something with its arguments for each item of a list.
    pub(super) fn charge_call<'v>(
        &mut self,
        input: &Value,
        arguments: impl IntoIterator<Item = &'v Value>,
    ) -> Result<(), Stop> {
        let of = |value: &Value| operators::items(value) + operators::text_steps(value);
        let arguments = arguments.into_iter().map(of).sum::<u64>();
        self.charge(operators::members(input).saturating_mul(1 + arguments))
    }
}
