//! Two runs held against each other, as the report's tables print it.
//!
//! Owns the wording of differences, intervals and verdicts; the figures come from `results`.

use anyhow::Result;
use minijinja::context;
use serde::Serialize;

use super::language::Language;
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
    /// What the interval says of the margin: `not inferior`, `inferior` or `undecided`; empty without one.
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
    ///
    /// # Errors
    /// A phrase that cannot be said.
    pub fn view(&self, lang: &Language) -> Result<Option<ComparisonView>> {
        let Some(pair) = self.counts.pairs.first() else { return Ok(None) };
        let numbers = lang.numbers;
        let Interval { lower, upper } = self.difference.interval;
        Ok(Some(ComparisonView {
            title: self.title.clone(),
            difference: numbers.points(self.difference.mean, 2),
            interval: interval(self.difference.interval, lang)?,
            over: match self.over {
                Over::Seeds => {
                    let (one, other) = (self.run.seeds.len(), self.against.seeds.len());
                    lang.say("run.over_seeds", context! { one, other })?
                }
                Over::Images => lang.say("run.over_images", context! { n => pair.images() })?,
            },
            margin: self.margin.map_or_else(String::new, |m| numbers.points(m, 2)),
            verdict: match self.margin {
                None => "",
                Some(margin) if lower > -margin => "not inferior",
                Some(margin) if upper < -margin => "inferior",
                Some(_) => "undecided",
            },
            counts: [pair.both, pair.only_run, pair.only_against, pair.neither].map(|n| numbers.count(n as u64)),
            p: match mcnemar(pair.only_run, pair.only_against) {
                p if p < 0.001 => lang.word("run.p_below")?,
                p => numbers.fixed(p, 3),
            },
        }))
    }
}

/// An interval of shares, in points: `97.02 to 97.71`.
///
/// # Errors
/// A phrase that cannot be said.
pub fn interval(i: Interval, lang: &Language) -> Result<String> {
    let [lower, upper] = [i.lower, i.upper].map(|x| lang.numbers.points(x, 2));
    lang.say("run.interval", context! { lower, upper })
}
