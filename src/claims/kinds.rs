//! Decides the conclusions of a kind that the program knows. What was not measured decides nothing, and where an interval
//! exists, the interval decides.

use super::{Finding, Obstacle};
use crate::results::statistics::{Interval, newcombe};
use crate::results::{
    ComparisonResult, EpochResult, IntervalBasis, NoInterval, Results, RunDifference, RunResult, SeedResult,
    after_first_epoch, difference,
};
use crate::study::{Kind, ModelPair, OrderPair, Study, first_lowest};

/// A network overfits if its training loss ends below this ...
pub const NEAR_ZERO: f64 = 0.01;
/// ... and not if it ends above this.
pub const FAR_FROM_ZERO: f64 = 0.1;
/// How many times as high the test loss of an overfitted network is, at least.
pub const TIMES_AS_HIGH: f64 = 2.0;
/// How much the test loss rises from its lowest value, at least, where overfitting has started.
pub const RISE: f64 = 0.1;
/// How many times as accurate as always guessing the most frequent digit a network is that has learned something.
pub const TIMES_GUESSING: f64 = 2.0;
/// By how much shuffled images must do better for their order to matter: a percentage point.
pub const ORDER_MARGIN: f64 = 0.01;
/// How close the loss of a network that learned nothing is to that of equal probabilities.
const NEAR_CHANCE: f64 = 0.1;

/// What decided a conclusion, for its sentence. Values of a run are means over its seeds.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Grounds {
    Overfits(Losses),
    OverfittingStarts(Turn),
    Learns { run: String, seeds: SeedCount, accuracy: f64, interval: Interval, guessing: f64 },
    FewerParameters(ParameterCounts),
    KeepsAccuracy(Compared),
    Better(Compared),
    BestOf { best: String, accuracy: f64, ties: Vec<String>, unknown: Vec<String>, why: Option<NoInterval> },
    OrderMatters(Compared),
}

/// The parameters of a model and of the one that it is compared with.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct ParameterCounts {
    pub model: String,
    pub than: String,
    pub parameters: u64,
    pub of_other: u64,
}

impl ParameterCounts {
    /// How many times fewer parameters the model has.
    pub fn times(&self) -> f64 {
        self.of_other as f64 / self.parameters as f64
    }
}

/// How many of a run's seeds gave the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct SeedCount {
    pub yes: usize,
    pub of: usize,
}

/// The losses of a run after its last epoch.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Losses {
    pub run: String,
    pub seeds: SeedCount,
    pub epoch: usize,
    pub images: usize,
    /// Evaluated after the epoch if the run does that, otherwise the mean while training.
    pub train_loss: f64,
    pub train_accuracy: Option<f64>,
    pub test_loss: f64,
    pub test_accuracy: f64,
    /// Whether the test loss is about that of a network which gives all digits the same probability.
    pub is_like_chance: bool,
}

/// Where the test loss of a run was lowest.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Turn {
    pub run: String,
    pub seeds: SeedCount,
    /// The earliest and the latest epoch over the seeds.
    pub epochs: [usize; 2],
    pub last: usize,
    pub lowest: f64,
    pub end: f64,
}

/// Two runs and the difference of their accuracies.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Compared {
    pub run: String,
    pub against: String,
    pub accuracies: [f64; 2],
    pub epochs: [usize; 2],
    pub seeds: [usize; 2],
    pub images: usize,
    pub train_images: usize,
    pub parameters: [u64; 2],
    pub margin: f64,
    pub difference: f64,
    pub interval: Interval,
    pub over: IntervalBasis,
    /// The difference after the first epoch, if there are several.
    pub first: Option<f64>,
}

/// A decided conclusion: its finding with what decided it, or what was in the way.
pub(super) type Decision = Result<(Finding, Grounds), Obstacle>;

/// Decides a conclusion.
pub(super) fn decide(study: &Study, results: &Results, kind: &Kind) -> Decision {
    match kind {
        Kind::Overfits(name) => Ok(overfits(name, run(results, name)?)),
        Kind::OverfittingStarts(name) => Ok(overfitting_starts(name, run(results, name)?)),
        Kind::Learns(name) => Ok(learns(name, run(results, name)?, results)),
        Kind::FewerParameters(models) => fewer_parameters(results, models),
        Kind::KeepsAccuracy(name) => {
            let c = &study.comparisons[name];
            let found = compared(results, &c.run, &c.against, c.margin.unwrap_or_default())?;
            Ok((above(found.interval, -found.margin), Grounds::KeepsAccuracy(found)))
        }
        Kind::Better(name) => {
            let c = &study.comparisons[name];
            let found = compared(results, &c.run, &c.against, 0.0)?;
            Ok((above(found.interval, 0.0), Grounds::Better(found)))
        }
        Kind::BestOf(runs) => best_of(results, runs),
        Kind::OrderMatters(OrderPair { shuffled, ordered }) => {
            let found = compared(results, shuffled, ordered, ORDER_MARGIN)?;
            Ok((above(found.interval, ORDER_MARGIN), Grounds::OrderMatters(found)))
        }
    }
}

fn run<'a>(results: &'a Results, name: &str) -> Result<&'a RunResult, Obstacle> {
    results.runs.get(name).ok_or_else(|| Obstacle::NotMeasured(vec![format!("runs.{name}")]))
}

/// Supported if a whole interval is above a bound, refuted if it is below.
fn above(interval: Interval, bound: f64) -> Finding {
    match interval {
        Interval { lower, .. } if lower > bound => Finding::Supported,
        Interval { upper, .. } if upper < bound => Finding::Refuted,
        _ => Finding::Undecided,
    }
}

/// What all seeds say; undecided unless they agree.
fn agreed(run: &RunResult, of_seed: impl Fn(&SeedResult) -> Finding) -> (Finding, SeedCount) {
    let findings: Vec<Finding> = run.seeds.iter().map(of_seed).collect();
    let yes = findings.iter().filter(|f| **f == Finding::Supported).count();
    let all = findings.iter().all(|f| *f == findings[0]);
    (if all { findings[0] } else { Finding::Undecided }, SeedCount { yes, of: findings.len() })
}

fn last(seed: &SeedResult) -> &EpochResult {
    &seed.epochs[seed.epochs.len() - 1]
}

/// The training loss after an epoch: evaluated if the run does that, otherwise the mean while training.
fn train_loss(epoch: &EpochResult) -> f64 {
    epoch.train_eval.map_or(epoch.train_loss, |e| e.loss)
}

fn overfits(name: &str, run: &RunResult) -> (Finding, Grounds) {
    let (finding, seeds) = agreed(run, |seed| {
        let (train, test) = (train_loss(last(seed)), last(seed).test.loss);
        if train < NEAR_ZERO && test > TIMES_AS_HIGH * train {
            Finding::Supported
        } else if train > FAR_FROM_ZERO || test <= train {
            Finding::Refuted
        } else {
            Finding::Undecided
        }
    });
    let chance = (run.seeds[0].confusion.len() as f64).ln();
    let test_loss = run.mean(|s| last(s).test.loss);
    let train_accuracy = run.mean_if_all(|s| last(s).train_eval.map(|e| e.accuracy()));
    let losses = Losses {
        run: name.to_owned(),
        seeds,
        epoch: run.seeds.iter().map(|s| s.epochs.len()).max().unwrap_or_default(),
        images: run.plan.image_count,
        train_loss: run.mean(|s| train_loss(last(s))),
        train_accuracy,
        test_loss,
        test_accuracy: run.mean(|s| last(s).test.accuracy()),
        is_like_chance: (test_loss / chance - 1.0).abs() < NEAR_CHANCE,
    };
    (finding, Grounds::Overfits(losses))
}

/// The index of the first epoch with the lowest test loss.
fn turn(seed: &SeedResult) -> usize {
    first_lowest(&seed.epochs.iter().map(|e| e.test.loss).collect::<Vec<f64>>())
}

fn overfitting_starts(name: &str, run: &RunResult) -> (Finding, Grounds) {
    let lowest = |seed: &SeedResult| seed.epochs[turn(seed)].test.loss;
    let (finding, seeds) = agreed(run, |seed| {
        let (at, end) = (&seed.epochs[turn(seed)], last(seed));
        let rises = end.test.loss >= (1.0 + RISE) * at.test.loss && train_loss(end) < train_loss(at);
        match (turn(seed) + 1 == seed.epochs.len(), rises) {
            (true, _) => Finding::Refuted,
            (false, true) => Finding::Supported,
            (false, false) => Finding::Undecided,
        }
    });
    let epochs = || run.seeds.iter().map(|s| turn(s) + 1);
    let turn = Turn {
        run: name.to_owned(),
        seeds,
        epochs: [epochs().min().unwrap_or_default(), epochs().max().unwrap_or_default()],
        last: run.seeds.iter().map(|s| s.epochs.len()).max().unwrap_or_default(),
        lowest: run.mean(lowest),
        end: run.mean(|s| last(s).test.loss),
    };
    (finding, Grounds::OverfittingStarts(turn))
}

fn learns(name: &str, run: &RunResult, results: &Results) -> (Finding, Grounds) {
    let most = results.data.test_classes.iter().max().copied().unwrap_or_default();
    let guessing = most as f64 / results.data.test_images as f64;
    let (finding, seeds) = agreed(run, |seed| above(seed.interval(), TIMES_GUESSING * guessing));
    let (accuracy, interval) = (run.accuracy(), run.seeds[0].interval());
    (finding, Grounds::Learns { run: name.to_owned(), seeds, accuracy, interval, guessing })
}

fn fewer_parameters(results: &Results, models: &ModelPair) -> Decision {
    let ModelPair { model, than } = models;
    let parameters = |name: &String| {
        let found = results.models.get(name).map(|m| m.parameters);
        found.ok_or_else(|| Obstacle::NotMeasured(vec![format!("models.{name}")]))
    };
    let (parameters, of_other) = (parameters(model)?, parameters(than)?);
    let finding = if parameters < of_other { Finding::Supported } else { Finding::Refuted };
    Ok((
        finding,
        Grounds::FewerParameters(ParameterCounts { model: model.clone(), than: than.clone(), parameters, of_other }),
    ))
}

/// The difference of two runs: that of the study's comparison where there is one, which pairs the test images; otherwise that of
/// independent samples.
fn difference_of(results: &Results, run: &str, against: &str) -> Result<RunDifference, Obstacle> {
    let (a, b) = (self::run(results, run)?, self::run(results, against)?);
    let pair = |one: &str, other: &str| results.comparisons.values().find(|c| c.run == one && c.against == other);
    let no_pairs = ComparisonResult { run: run.to_owned(), against: against.to_owned(), pairs: Vec::new() };
    let found = match (pair(run, against), pair(against, run)) {
        (Some(c), _) => difference(c, a, b),
        (None, Some(c)) => difference(c, b, a).map(negated),
        (None, None) if a.seeds.len() == 1 && b.seeds.len() == 1 => {
            let [one, other] = [a, b].map(|r| (r.seeds[0].correct(), r.seeds[0].images()));
            let difference = newcombe(one, other);
            Some(RunDifference {
                mean: difference.mean,
                interval: Ok(difference.interval),
                over: IntervalBasis::Images,
            })
        }
        (None, None) => difference(&no_pairs, a, b),
    };
    found.ok_or_else(|| Obstacle::NotMeasured(vec![format!("runs.{run}"), format!("runs.{against}")]))
}

fn negated(d: RunDifference) -> RunDifference {
    let interval = d.interval.map(|i| Interval { lower: -i.upper, upper: -i.lower });
    RunDifference { mean: -d.mean, interval, ..d }
}

fn compared(results: &Results, run: &str, against: &str, margin: f64) -> Result<Compared, Obstacle> {
    let (a, b) = (self::run(results, run)?, self::run(results, against)?);
    let found = difference_of(results, run, against)?;
    let parameters = |r: &RunResult| results.models.get(&r.plan.model).map_or(0, |m| m.parameters);
    let epochs = |r: &RunResult| r.seeds.iter().map(SeedResult::reported_epoch).max().unwrap_or_default();
    Ok(Compared {
        run: run.to_owned(),
        against: against.to_owned(),
        accuracies: [a.accuracy(), b.accuracy()],
        epochs: [epochs(a), epochs(b)],
        seeds: [a.seeds.len(), b.seeds.len()],
        images: a.seeds[0].images(),
        train_images: a.plan.image_count,
        parameters: [parameters(a), parameters(b)],
        margin,
        difference: found.mean,
        interval: found.interval.map_err(Obstacle::NoInterval)?,
        over: found.over,
        first: after_first_epoch(a, b),
    })
}

/// The most accurate run, and those that it is not clearly better than.
fn best_of(results: &Results, runs: &[String]) -> Decision {
    let missing: Vec<String> =
        runs.iter().filter(|name| !results.runs.contains_key(*name)).map(|name| format!("runs.{name}")).collect();
    if !missing.is_empty() {
        return Err(Obstacle::NotMeasured(missing));
    }
    let accuracy = |name: &String| results.runs[name].accuracy();
    let best =
        runs.iter().skip(1).fold(&runs[0], |best, name| if accuracy(name) > accuracy(best) { name } else { best });
    let others: Vec<&str> = runs.iter().filter(|name| *name != best).map(String::as_str).collect();
    let (mut ties, mut unknown, mut why) = (Vec::new(), Vec::new(), None);
    for (other, compared) in others.iter().zip(results.against_best(best, &others)) {
        match compared.test {
            Ok(test) if test.tells_apart() => {}
            Ok(_) => ties.push((*other).to_owned()),
            Err(reason) => {
                why.get_or_insert(reason);
                unknown.push((*other).to_owned());
            }
        }
    }
    let finding = if ties.is_empty() && unknown.is_empty() { Finding::Supported } else { Finding::Undecided };
    let (best, accuracy) = (best.clone(), accuracy(best));
    Ok((finding, Grounds::BestOf { best, accuracy, ties, unknown, why }))
}
