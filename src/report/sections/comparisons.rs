//! Runs compared in pairs: the difference of their accuracies, by table and by epoch.

use super::prelude::*;
use crate::report::figures::Gain;
use crate::results::statistics::{Difference, Interval, mcnemar};
use crate::results::{
    ComparisonResult, IntervalBasis, NoInterval, PairCounts, RunDifference, RunResult, by_epoch, difference,
    no_interval_over_seeds,
};

/// A comparison with both of its runs.
pub(super) struct ComparedRuns<'a> {
    pub title: String,
    pub run: &'a RunResult,
    pub against: &'a RunResult,
    margin: Option<f64>,
    counts: &'a ComparisonResult,
    difference: RunDifference,
}

impl<'a> ComparedRuns<'a> {
    /// The comparison of that name; `None` if the results lack it or one of its runs, or if its difference cannot be computed.
    pub(super) fn of(b: &Builder<'a>, name: &str) -> Option<Self> {
        let counts = b.results.comparisons.get(name)?;
        let (run, against) = (b.results.runs.get(&counts.run)?, b.results.runs.get(&counts.against)?);
        let difference = difference(counts, run, against)?;
        let spec = b.study.comparisons.get(name);
        let title = spec.and_then(|c| c.title.clone()).unwrap_or_else(|| name.to_owned());
        Some(Self { title, run, against, margin: spec.and_then(|c| c.margin), counts, difference })
    }

    /// What the figure of differences by epoch shows.
    pub(super) fn gain(&self, b: &Builder) -> Gain<'_> {
        let runs = [&self.counts.run, &self.counts.against];
        let runs = runs.map(|name| (b.run_title(name).to_owned(), b.series(name)));
        let mut epochs = by_epoch(self.run, self.against);
        let pairs = epochs.iter().map(|(epoch, ..)| [self.run, self.against].map(|run| accuracy_after(run, *epoch)));
        let accuracies = pairs.collect();
        let over_images = self.over_images_at(&mut epochs);
        Gain {
            title: &self.title,
            runs,
            accuracies,
            epochs,
            over_images,
            margin: self.margin,
            seeds: self.run.seeds.len().min(self.against.seeds.len()),
            no_interval: no_interval_over_seeds(self.run, self.against),
        }
    }

    /// Adds the interval over test images to the last epoch, if the compared runs have one seed each. Returns whether it did.
    fn over_images_at(&self, epochs: &mut [(usize, f64, Option<Difference>)]) -> bool {
        // The counts of the comparison are those of the reported networks.
        let ends = |run: &RunResult, epoch: usize| {
            run.seeds[0].reported_epoch() == epoch && run.seeds[0].epochs.len() == epoch
        };
        let RunDifference { mean, interval, over } = self.difference;
        match (epochs.last_mut(), interval) {
            (Some(last), Ok(interval))
                if over == IntervalBasis::Images && ends(self.run, last.0) && ends(self.against, last.0) =>
            {
                last.2 = Some(Difference { mean, interval });
                true
            }
            _ => false,
        }
    }

    /// The interval of the difference, and what it is taken over.
    fn interval(&self, pair: &PairCounts, lang: &Language) -> Result<String> {
        let bounds = match self.difference.interval {
            Ok(bounds) => bounds,
            Err(reason) => return no_interval(reason, lang),
        };
        let over = match self.difference.over {
            IntervalBasis::Seeds => {
                let (one, other) = (self.run.seeds.len(), self.against.seeds.len());
                lang.say("run.over_seeds", context! { one, other })?
            }
            IntervalBasis::Images => lang.say("run.over_images", context! { n => pair.images() })?,
        };
        lang.say("training.interval_over", context! { interval => interval(bounds, lang)?, over })
    }

    /// The margin, and what the interval says about it.
    fn verdict(&self, lang: &Language) -> Result<String> {
        let Some(margin) = self.margin else { return Ok("–".into()) };
        let verdict = match self.difference.interval {
            Ok(Interval { lower, .. }) if lower > -margin => "verdict.not inferior",
            Ok(Interval { upper, .. }) if upper < -margin => "verdict.inferior",
            _ => "verdict.undecided",
        };
        let values = context! { margin => lang.numbers.points(margin, 2), verdict => lang.word(verdict)? };
        lang.say("training.margin", values)
    }
}

/// The mean test accuracy over seeds after an epoch, counted from 1.
fn accuracy_after(run: &RunResult, epoch: usize) -> f64 {
    run.mean(|seed| seed.epochs[epoch - 1].test.accuracy())
}

/// Whether the comparison of that name has a row in its section's table.
pub(super) fn is_shown(b: &Builder, name: &str) -> bool {
    ComparedRuns::of(b, name).is_some_and(|c| !c.counts.pairs.is_empty())
}

type Row<'a> = (&'a ComparedRuns<'a>, &'a PairCounts);

/// The tables of a section's comparisons, a sentence for a single one; none where none has a counted pair. Where runs have
/// several seeds, what is known of the first seeds has a table of its own, because the differences are means over all.
pub(super) fn blocks(b: &Builder, compared: &[ComparedRuns]) -> Result<Vec<Block>> {
    let rows: Vec<Row> = compared.iter().filter_map(|c| Some((c, c.counts.pairs.first()?))).collect();
    match rows[..] {
        [] => return Ok(Vec::new()),
        [row] => return Ok(vec![Block::paragraph(sentence(b, row)?)]),
        _ => {}
    }
    let columns = || Columns::<Row>::new().column("comparison", Text, |(c, _)| c.title.clone());
    let several = rows.iter().any(|(c, _)| c.difference.over == IntervalBasis::Seeds);
    let tables = if several {
        let differences =
            b.table(b.phrase("training.differences")?, &differences(b, &rows, columns()), rows.clone())?;
        vec![differences, b.table(b.phrase("training.first_seeds")?, &counts(b, columns()), rows)?]
    } else {
        let columns = counts(b, differences(b, &rows, columns()));
        vec![b.table(b.phrase("training.comparisons")?, &columns, rows)?]
    };
    Ok(tables.into_iter().map(|table| Block::Table(table.styled("runs"))).collect())
}

/// What a table of this one comparison would say.
fn sentence(b: &Builder, (c, pair): Row) -> Result<RichText> {
    let count = |n: usize| b.lang.numbers.count(n as u64);
    let values = context! {
        title => c.title.as_str(),
        run => b.run_title(&c.counts.run),
        against => b.run_title(&c.counts.against),
        difference => b.lang.numbers.points(c.difference.mean, 2),
        interval => c.interval(pair, b.lang)?,
        margin => c.margin.map(|_| c.verdict(b.lang)).transpose()?,
        several => c.difference.over == IntervalBasis::Seeds,
        both => pair.both,
        only_first => count(pair.only_run),
        only_second => count(pair.only_against),
        neither => count(pair.neither),
        p => p_value(b, pair)?,
    };
    b.text("training.comparison", values)
}

/// McNemar's p of the first seeds.
fn p_value(b: &Builder, pair: &PairCounts) -> Result<String> {
    match mcnemar(pair.only_run, pair.only_against) {
        p if p < 0.001 => b.lang.word("run.p_below"),
        p => Ok(b.lang.numbers.fixed(p, 3)),
    }
}

/// Adds the differences of accuracies and what they say about the margins.
fn differences<'a>(b: &'a Builder, rows: &[Row], columns: Columns<'a, Row<'a>>) -> Columns<'a, Row<'a>> {
    columns
        .column("difference", Number, |(c, _)| b.lang.numbers.points(c.difference.mean, 2))
        .column("interval", Text, |(c, pair)| {
            c.interval(pair, b.lang).map(|interval| RichText::styled(InlineStyle::Unbroken, interval))
        })
        .column("margin", Text, |(c, _)| c.verdict(b.lang))
        .when(rows.iter().any(|(c, _)| c.margin.is_some()))
}

/// Adds how often the networks of the first seeds are right.
fn counts<'a>(b: &'a Builder, columns: Columns<'a, Row<'a>>) -> Columns<'a, Row<'a>> {
    let count = |n: usize| b.lang.numbers.count(n as u64);
    columns
        .column("both", Number, move |(_, pair)| count(pair.both))
        .column("only_first", Number, move |(_, pair)| count(pair.only_run))
        .column("only_second", Number, move |(_, pair)| count(pair.only_against))
        .column("neither", Number, move |(_, pair)| count(pair.neither))
        .column("p", Number, |(_, pair)| p_value(b, pair))
}

/// Why there is no interval.
pub(super) fn no_interval(reason: NoInterval, lang: &Language) -> Result<String> {
    lang.word(match reason {
        NoInterval::OneSeed => "training.no_interval",
        NoInterval::TwoSeeds => "training.two_seeds",
        NoInterval::SameNetwork => "training.same_network",
        NoInterval::SameNetworks => "training.same_networks",
        NoInterval::NoSpread => "training.no_spread",
    })
}

/// Why a difference to the best run was not tested.
pub(super) fn no_test(reason: NoInterval, lang: &Language) -> Result<String> {
    match reason {
        NoInterval::OneSeed => lang.word("training.one_and_several_seeds"),
        NoInterval::TwoSeeds => lang.word("training.two_seeds_no_test"),
        other => no_interval(other, lang),
    }
}

/// An interval of shares, in points: `97.02 to 97.71`.
pub(super) fn interval(i: Interval, lang: &Language) -> Result<String> {
    let [lower, upper] = [i.lower, i.upper].map(|x| lang.numbers.points(x, 2));
    lang.say("run.interval", context! { lower, upper })
}
