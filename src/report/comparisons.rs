//! Two runs held against each other, as the report's tables print it.
//!
//! Owns the wording of differences, intervals and verdicts; the figures come from `results`.

use serde::Serialize;

use crate::numbers::{count, p_value, points};
use crate::results::statistics::{Difference, Interval, mcnemar};
use crate::results::{ComparisonResult, Over, Results, RunResult, difference};
use crate::study::Study;

/// A comparison with all that its row is made from.
pub struct Compared<'a> {
    pub title: String,
    pub run: &'a RunResult,
    pub against: &'a RunResult,
    pub margin: Option<f64>,
    counts: &'a ComparisonResult,
    difference: Difference,
    over: Over,
}

/// A row of the table of comparisons.
#[derive(Serialize)]
pub struct ComparisonView {
    title: String,
    /// In points.
    difference: String,
    interval: String,
    /// What the interval is taken over.
    over: String,
    margin: String,
    /// What the interval says of the margin; empty without one.
    verdict: &'static str,
    /// The first pair's test images: both right, the run alone, the other alone, neither.
    counts: [String; 4],
    p: String,
}

impl<'a> Compared<'a> {
    /// The comparison of that name; none where results and study disagree about it.
    pub fn of(name: &str, study: &Study, results: &'a Results) -> Option<Self> {
        let counts = results.comparisons.get(name)?;
        let (run, against) = (results.runs.get(&counts.run)?, results.runs.get(&counts.against)?);
        let (difference, over) = difference(counts, run, against)?;
        let spec = study.comparisons.get(name);
        let title = spec.and_then(|c| c.title.clone()).unwrap_or_else(|| name.to_owned());
        Some(Self { title, run, against, margin: spec.and_then(|c| c.margin), counts, difference, over })
    }

    /// The row; none without a counted pair.
    pub fn view(&self) -> Option<ComparisonView> {
        let pair = self.counts.pairs.first()?;
        let Interval { lower, upper } = self.difference.interval;
        Some(ComparisonView {
            title: self.title.clone(),
            difference: points(self.difference.mean, 2),
            interval: interval(self.difference.interval),
            over: match self.over {
                Over::Seeds => format!("{} and {} seeds", self.run.seeds.len(), self.against.seeds.len()),
                Over::Images => format!("{} test images", count(pair.images() as u64)),
            },
            margin: self.margin.map_or_else(String::new, |m| points(m, 2)),
            verdict: match self.margin {
                None => "",
                Some(margin) if lower > -margin => "not inferior",
                Some(margin) if upper < -margin => "inferior",
                Some(_) => "undecided",
            },
            counts: [pair.both, pair.only_run, pair.only_against, pair.neither].map(|n| count(n as u64)),
            p: p_value(mcnemar(pair.only_run, pair.only_against)),
        })
    }
}

/// An interval of shares, in points: `97.02 to 97.71`.
pub fn interval(i: Interval) -> String {
    format!("{} to {}", points(i.lower, 2), points(i.upper, 2))
}
