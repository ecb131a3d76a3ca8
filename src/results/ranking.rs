//! The runs of a study's grid, best first, and each compared with the best.

use super::statistics::{LEAST_SEEDS, differ, holm, mcnemar, welch_p};
use super::{IntervalBasis, Results, RunResult, SeedResult};
use crate::study::{Cell, Study, axes, cells};

/// A run of the grid.
pub struct Ranked<'a> {
    /// Its name, and its place in the grid.
    pub cell: Cell,
    /// Its results.
    pub result: &'a RunResult,
    /// Nothing for the best.
    pub against_best: Option<AgainstBest>,
}

/// A run compared with the best of the grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgainstBest {
    /// Its mean accuracy minus that of the best, 0 or less.
    pub difference: f64,
    /// The p-value, adjusted for all runs of the grid (Holm).
    pub p: f64,
    /// Over seeds (Welch's test) if both runs have three or more that make a difference; otherwise over the test images (McNemar's
    /// test of the networks of the first seeds).
    pub over: IntervalBasis,
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
    /// The runs of the study's grid that have results, best first. None without a grid, or where the comparisons lack one.
    pub fn ranking(&self, study: &Study) -> Vec<Ranked<'_>> {
        let runs = by_accuracy(study, self);
        let Some(((_, best), others)) = runs.split_first() else { return Vec::new() };
        let compared: Option<Vec<_>> = others.iter().map(|(cell, run)| self.p_value(best, &cell.run, run)).collect();
        let Some(compared) = compared else { return Vec::new() };
        let adjusted = holm(&compared.iter().map(|(p, _)| *p).collect::<Vec<_>>());
        let of_others = others.iter().zip(&compared).zip(adjusted).map(|(((_, run), (_, over)), p)| AgainstBest {
            difference: run.accuracy() - best.accuracy(),
            p,
            over: *over,
        });
        let against: Vec<Option<AgainstBest>> = std::iter::once(None).chain(of_others.map(Some)).collect();
        runs.into_iter()
            .zip(against)
            .map(|((cell, result), against_best)| Ranked { cell, result, against_best })
            .collect()
    }

    /// The p-value of a run against the best, and what it is over.
    fn p_value(&self, best: &RunResult, name: &str, run: &RunResult) -> Option<(f64, IntervalBasis)> {
        let accuracies = |run: &RunResult| run.seeds.iter().map(SeedResult::accuracy).collect::<Vec<_>>();
        let (a, b) = (accuracies(run), accuracies(best));
        let has_spread = a.len().min(b.len()) >= LEAST_SEEDS && (differ(&a) || differ(&b));
        let over_seeds = has_spread.then(|| welch_p(&a, &b)).flatten();
        over_seeds.map(|p| (p, IntervalBasis::Seeds)).or_else(|| {
            let pair = self.comparisons.get(&comparison_name(name))?.pairs.first()?;
            Some((mcnemar(pair.only_run, pair.only_against), IntervalBasis::Images))
        })
    }
}
