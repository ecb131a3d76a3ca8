//! Runs compared in pairs: the difference of their accuracies, by table and by epoch.

use super::prelude::*;
use crate::report::figures::Gain;
use crate::results::statistics::{Difference, Interval, mcnemar};
use crate::results::{ComparisonResult, Over, PairCounts, RunResult, by_epoch, difference};

/// A comparison with both of its runs.
pub(super) struct ComparedRuns<'a> {
    pub title: String,
    pub run: &'a RunResult,
    pub against: &'a RunResult,
    margin: Option<f64>,
    counts: &'a ComparisonResult,
    difference: Difference,
    over: Over,
}

impl<'a> ComparedRuns<'a> {
    /// The comparison of that name; `None` if the results lack it or one of its runs, or if its difference cannot be computed.
    pub(super) fn of(b: &Builder<'a>, name: &str) -> Option<Self> {
        let counts = b.results.comparisons.get(name)?;
        let (run, against) = (b.results.runs.get(&counts.run)?, b.results.runs.get(&counts.against)?);
        let (difference, over) = difference(counts, run, against)?;
        let spec = b.study.comparisons.get(name);
        let title = spec.and_then(|c| c.title.clone()).unwrap_or_else(|| name.to_owned());
        Some(Self { title, run, against, margin: spec.and_then(|c| c.margin), counts, difference, over })
    }

    /// What the figure of differences by epoch shows.
    pub(super) fn gain(&self) -> Gain<'_> {
        Gain { title: &self.title, epochs: by_epoch(self.run, self.against), margin: self.margin }
    }

    /// The interval of the difference, and what it is taken over.
    fn interval(&self, pair: &PairCounts, lang: &Language) -> Result<String> {
        let over = match self.over {
            Over::Seeds => {
                let (one, other) = (self.run.seeds.len(), self.against.seeds.len());
                lang.say("run.over_seeds", context! { one, other })?
            }
            Over::Images => lang.say("run.over_images", context! { n => pair.images() })?,
        };
        lang.say("training.interval_over", context! { interval => interval(self.difference.interval, lang)?, over })
    }

    /// The margin, and what the interval says about it.
    fn verdict(&self, lang: &Language) -> Result<String> {
        let Some(margin) = self.margin else { return Ok("–".into()) };
        let Interval { lower, upper } = self.difference.interval;
        let verdict = if lower > -margin {
            "verdict.not inferior"
        } else if upper < -margin {
            "verdict.inferior"
        } else {
            "verdict.undecided"
        };
        let values = context! { margin => lang.numbers.points(margin, 2), verdict => lang.word(verdict)? };
        lang.say("training.margin", values)
    }
}

/// Whether the comparison of that name has a row in its section's table.
pub(super) fn is_shown(b: &Builder, name: &str) -> bool {
    ComparedRuns::of(b, name).is_some_and(|c| !c.counts.pairs.is_empty())
}

/// The table of a section's comparisons; none where none has a counted pair.
pub(super) fn table(b: &Builder, compared: &[ComparedRuns]) -> Result<Option<TableBlock>> {
    type Row<'a> = (&'a ComparedRuns<'a>, &'a PairCounts);
    let rows: Vec<Row> = compared.iter().filter_map(|c| Some((c, c.counts.pairs.first()?))).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let count = |n: usize| b.lang.numbers.count(n as u64);
    let margins = rows.iter().any(|(c, _)| c.margin.is_some());
    let columns = Columns::<Row>::new()
        .column("comparison", Text, |(c, _)| c.title.clone())
        .column("difference", Number, |(c, _)| b.lang.numbers.points(c.difference.mean, 2))
        .column("interval", Text, |(c, pair)| {
            c.interval(pair, b.lang).map(|interval| RichText::styled(InlineStyle::Unbroken, interval))
        })
        .column("margin", Text, |(c, _)| c.verdict(b.lang))
        .when(margins)
        .column("both", Number, |(_, pair)| count(pair.both))
        .column("only_first", Number, |(_, pair)| count(pair.only_run))
        .column("only_second", Number, |(_, pair)| count(pair.only_against))
        .column("neither", Number, |(_, pair)| count(pair.neither))
        .column("p", Number, |(_, pair)| match mcnemar(pair.only_run, pair.only_against) {
            p if p < 0.001 => b.phrase("run.p_below"),
            p => Ok(b.lang.numbers.fixed(p, 3).into()),
        });
    Ok(Some(b.table(b.phrase("training.comparisons")?, &columns, rows)?.styled("runs")))
}

/// An interval of shares, in points: `97.02 to 97.71`.
pub(super) fn interval(i: Interval, lang: &Language) -> Result<String> {
    let [lower, upper] = [i.lower, i.upper].map(|x| lang.numbers.points(x, 2));
    lang.say("run.interval", context! { lower, upper })
}
