//! Which colour and mark each run has in the figures: the same in the whole report.

use std::collections::BTreeMap;

use crate::results::{Results, RunResult};
use crate::study::{Section, Show, Study};

/// A number for each run, by which figures choose its colour and its mark.
pub(super) struct Series(BTreeMap<String, usize>);

impl Series {
    /// Runs that share a section, or the figure of the first screen, differ as long as there are colours enough.
    pub(super) fn of(study: &Study, sections: &[Section], results: &Results) -> Self {
        let of_section = |section: &Section| {
            let compared = section.comparisons.iter().filter_map(|name| study.comparisons.get(name));
            let compared = compared.flat_map(|c| [c.against.clone(), c.run.clone()]);
            section.runs.iter().cloned().chain(compared).collect()
        };
        let first = trained_on_most(study, results).into_iter().map(|(name, _)| name.clone()).collect();
        let groups: Vec<Vec<String>> = std::iter::once(first).chain(sections.iter().map(of_section)).collect();
        Self::of_groups(&groups)
    }

    /// Each run gets the number that the fewest runs have that share a group with it, the lowest of these.
    fn of_groups(groups: &[Vec<String>]) -> Self {
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for run in groups.iter().flatten() {
            if numbers.contains_key(run) {
                continue;
            }
            let mut taken = [0; Show::MAX_TOGETHER];
            for other in groups.iter().filter(|group| group.contains(run)).flatten() {
                if let Some(number) = numbers.get(other) {
                    taken[*number] += 1;
                }
            }
            let free = (0..taken.len()).min_by_key(|number| taken[*number]).unwrap_or_default();
            numbers.insert(run.clone(), free);
        }
        Self(numbers)
    }

    /// A run's number; runs that no figure shows have the first.
    pub(super) fn of_run(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or_default()
    }
}

/// The runs that were trained on the most images, in the study's order: accuracies of others do not compare with theirs.
pub(super) fn trained_on_most<'a>(study: &Study, results: &'a Results) -> Vec<(&'a String, &'a RunResult)> {
    let most = results.runs.values().map(|run| run.plan.image_count).max().unwrap_or(0);
    let mut runs: Vec<_> = results.runs.iter().filter(|(_, run)| run.plan.image_count == most).collect();
    runs.sort_by_key(|(name, _)| study.runs.get_index_of(*name));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(groups: &[&str]) -> String {
        let groups: Vec<Vec<String>> =
            groups.iter().map(|group| group.split_whitespace().map(str::to_owned).collect()).collect();
        let Series(numbers) = Series::of_groups(&groups);
        numbers.iter().map(|(run, number)| format!("{run}{number}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_run_keeps_its_number_in_every_section() {
        assert_eq!(numbers(&["a b c", "b c", "c b d"]), "a0 b1 c2 d0");
        assert_eq!(numbers(&["a b", "c d"]), "a0 b1 c0 d1");
    }

    #[test]
    fn runs_that_share_a_section_differ_as_long_as_there_are_numbers() {
        assert_eq!(numbers(&["a b", "c a b"]), "a0 b1 c2");
        assert_eq!(numbers(&["a b c d e f g h"]), "a0 b1 c2 d3 e4 f5 g0 h1");
    }
}
