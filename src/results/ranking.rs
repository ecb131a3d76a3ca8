//! Which run is the best: the runs of a study's grid by accuracy, and a test of the difference of each run to the best.

use super::comparison::{are_same_networks, no_interval_over_seeds};
use super::statistics::{differ, holm, mcnemar, welch_p};
use super::{IntervalBasis, NoInterval, Results, RunResult, SeedResult};
use crate::study::{Cell, Study, axes, cells};

/// A run of the grid.
pub struct Ranked<'a> {
    /// Its name, and its place in the grid.
    pub cell: Cell,
    /// Its results.
    pub result: &'a RunResult,
    /// 1 for the best. Runs with equal mean accuracies share a rank.
    pub rank: usize,
    /// Nothing for the first of the best.
    pub against_best: Option<AgainstBest>,
}

/// A run compared with the best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgainstBest {
    /// Its mean accuracy minus that of the best, 0 or less.
    pub difference: f64,
    /// The test of this difference, or why there is none.
    pub test: Result<Test, NoInterval>,
}

/// A test of the difference of two runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The p-value, adjusted for all runs that are compared with the best (Holm).
    pub p: f64,
    /// Over seeds (Welch's test), or of one seed over the test images (McNemar's test of these two networks).
    pub over: IntervalBasis,
}

impl Test {
    /// Whether chance is an unlikely explanation of the difference.
    pub fn tells_apart(&self) -> bool {
        self.p < 0.05
    }
}

/// The name of the comparison of a run with the best of the grid. No comparison of a study can have it.
pub(super) fn comparison_name(run: &str) -> String {
    format!("grid.{run}")
}

/// The runs of the study's grid that have results, best first: by their mean test accuracy, equal ones in the order of the grid.
pub(super) fn by_accuracy<'a>(study: &Study, results: &'a Results) -> Vec<(Cell, &'a RunResult)> {
    let Some(grid) = &study.grid else { return Vec::new() };
    let cells = cells(&axes(grid)).into_iter();
    let mut runs: Vec<_> = cells.filter_map(|cell| results.runs.get(&cell.run).map(|run| (cell, run))).collect();
    runs.sort_by(|(_, a), (_, b)| b.accuracy().total_cmp(&a.accuracy()));
    runs
}

impl Results {
    /// The runs of the study's grid that have results, best first. None without a grid.
    pub fn ranking(&self, study: &Study) -> Vec<Ranked<'_>> {
        let runs = by_accuracy(study, self);
        let Some(((best, _), others)) = runs.split_first() else { return Vec::new() };
        let names: Vec<&str> = others.iter().map(|(cell, _)| cell.run.as_str()).collect();
        let against = self.against_best(&best.run, &names).into_iter().map(Some);
        let against: Vec<Option<AgainstBest>> = std::iter::once(None).chain(against).collect();
        let better = |run: &RunResult| {
            runs.iter().filter(|(_, other)| other.accuracy() > run.accuracy() && !are_equal(other, run)).count()
        };
        let ranks: Vec<usize> = runs.iter().map(|(_, run)| better(run) + 1).collect();
        let places = ranks.into_iter().zip(against);
        runs.into_iter()
            .zip(places)
            .map(|((cell, result), (rank, against_best))| Ranked { cell, result, rank, against_best })
            .collect()
    }

    /// Compares runs that have results with the best: over seeds if both runs have at least three, over the test images if both have one.
    /// Two seeds are too few to tell runs apart. The p-values are adjusted for all runs that can be tested.
    pub fn against_best(&self, best: &str, others: &[&str]) -> Vec<AgainstBest> {
        let tests: Vec<_> = others.iter().map(|run| self.p_value(best, run)).collect();
        let known: Vec<f64> = tests.iter().filter_map(|test| Some(test.ok()?.0)).collect();
        let mut adjusted = holm(&known).into_iter();
        let compared = others.iter().zip(tests).map(|(run, test)| AgainstBest {
            difference: self.runs[*run].accuracy() - self.runs[best].accuracy(),
            test: test.map(|(p, over)| Test { p: adjusted.next().unwrap_or(p), over }),
        });
        compared.collect()
    }

    /// The p-value of the difference of two runs, and what it is over.
    fn p_value(&self, best: &str, other: &str) -> Result<(f64, IntervalBasis), NoInterval> {
        let (a, b) = (&self.runs[best], &self.runs[other]);
        let accuracies = |run: &RunResult| run.seeds.iter().map(SeedResult::accuracy).collect::<Vec<_>>();
        match (&a.seeds[..], &b.seeds[..]) {
            ([_], [_]) if are_same_networks(a, b) => Err(NoInterval::SameNetworks),
            ([one], [two]) => {
                let (only_one, only_two) = self.discordant(best, other).unwrap_or_else(|| most_discordant(one, two));
                Ok((mcnemar(only_one, only_two), IntervalBasis::Images))
            }
            ([_], _) | (_, [_]) => Err(NoInterval::OneSeed),
            _ => match no_interval_over_seeds(a, b) {
                Some(reason) => Err(reason),
                None => welch_over_seeds_p(&accuracies(a), &accuracies(b)),
            },
        }
    }

    /// On how many images the first network of only one run is right, where the results have counted that.
    fn discordant(&self, run: &str, against: &str) -> Option<(usize, usize)> {
        self.comparisons.values().find_map(|c| {
            let pair = c.pairs.first()?;
            if c.run == run && c.against == against {
                Some((pair.only_run, pair.only_against))
            } else if c.run == against && c.against == run {
                Some((pair.only_against, pair.only_run))
            } else {
                None
            }
        })
    }
}

/// The p-value of Welch's test; an error if the accuracies do not vary.
fn welch_over_seeds_p(a: &[f64], b: &[f64]) -> Result<(f64, IntervalBasis), NoInterval> {
    let spread = differ(a) || differ(b);
    let p = if spread { welch_p(a, b) } else { None };
    p.map(|p| (p, IntervalBasis::Seeds)).ok_or(NoInterval::NoSpread)
}

/// The most images on which only one of two networks can be right, by their accuracies alone: where nobody counted, this gives the
/// largest p that is possible.
fn most_discordant(one: &SeedResult, two: &SeedResult) -> (usize, usize) {
    let (right, of) = ((one.correct(), two.correct()), one.images());
    (right.0.min(of - right.1), right.1.min(of - right.0))
}

/// Whether two runs have the same mean accuracy, which rounding may hide.
fn are_equal(a: &RunResult, b: &RunResult) -> bool {
    let total = |run: &RunResult| run.seeds.iter().map(SeedResult::correct).sum::<usize>();
    total(a) * b.seeds.len() == total(b) * a.seeds.len()
}
