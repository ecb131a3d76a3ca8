//! Random expressions and printed figures, judged by the program and by a second, simple implementation.

mod expressions;
mod figures;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const CASES: u32 = 100_000;

/// Runs a test on random inputs, the same ones each time, so that a failure can be repeated.
fn check<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::default());
    TestRunner::new_with_rng(config, rng).run(strategy, test).unwrap();
}
