//! What a panel of curves shows of one run: its losses by step and by epoch, means over seeds where there are several.

use minijinja::context;

use super::Curve;
use crate::report::Language;
use crate::report::error::Result;
use crate::results::statistics::{Interval, Summary};
use crate::results::{EpochResult, LossCurve, NoInterval, RunResult, SeedResult, StepResult};
use crate::study::{Augment, first_lowest};

/// The moving mean is taken over one of so many parts of a training.
const PARTS: usize = 20;

/// A loss after an epoch: the mean over seeds, and its interval where there are at least three.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub mean: f64,
    pub interval: Option<Interval>,
}

/// A run's losses, as far as every seed was trained. Places on the axis are in epochs: 1.5 is in the middle of the second.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own words in the figure")]
pub(super) struct Course<'a> {
    pub title: &'a str,
    pub series: usize,
    pub steps_per_epoch: usize,
    pub batch: usize,
    pub steps_per_group: usize,
    /// The mean loss of each group of steps.
    pub groups: Vec<(f64, f64)>,
    /// The moving mean of these.
    pub smooth: Vec<(f64, f64)>,
    /// How many steps a moving mean is taken of.
    pub window: usize,
    /// The training images, evaluated after each epoch; empty if they were not.
    pub train: Vec<Loss>,
    /// The mean training loss of each epoch, taken during it.
    pub during: Vec<f64>,
    pub test: Vec<Loss>,
    /// The validation images; empty if the run has none.
    pub validation: Vec<Loss>,
    /// The test loss and the validation loss as lines: after each epoch, and where they were evaluated within epochs.
    pub test_line: Vec<(f64, f64)>,
    pub validation_line: Vec<(f64, f64)>,
    /// Steps from one evaluation within epochs to the next.
    pub evaluate_every: Option<usize>,
    /// The epoch that all seeds report, where it is not the last one by definition.
    pub reported: Option<usize>,
    /// Whether seeds were trained for different numbers of epochs, so that the means end with the shortest training.
    pub is_shortened: bool,
    /// Whether the training loss has smoothed labels.
    pub smooths_labels: bool,
    /// Whether the training loss is measured with dropout.
    pub has_dropout: bool,
    /// How the images of the training loss are changed; `None` if they are not.
    pub augment: Option<Augment>,
    /// The learning rate by step.
    pub rates: Vec<(f64, f64)>,
    /// Whether the learning rate changes.
    pub has_schedule: bool,
    pub seeds: usize,
    /// The number of classes of the data set.
    pub classes: usize,
    /// Why no epoch has an interval.
    pub no_interval: Option<NoInterval>,
}

impl<'a> Course<'a> {
    pub(super) fn of(&Curve { title, series, run, has_dropout, losses: curve }: &Curve<'a>) -> Self {
        let epochs = run.seeds.iter().map(|s| s.epochs.len()).min().unwrap_or(0);
        let steps_per_epoch = run.plan.steps_per_epoch().max(1);
        let groups = groups(curve, epochs as f64 * steps_per_epoch as f64);
        let values: Vec<f64> = groups.iter().map(|(_, loss)| *loss).collect();
        let half = values.len() / (2 * PARTS);
        let middles = groups.iter().map(|(middle, _)| middle / steps_per_epoch as f64);
        let smooth: Vec<(f64, f64)> = middles.clone().zip(moving_mean(&values, half)).collect();
        let group = curve.steps_per_group as f64 / steps_per_epoch as f64;
        let firsts = (0..curve.learning_rates.len()).map(|i| i as f64 * group);
        let rates: Vec<(f64, f64)> =
            firsts.zip(curve.learning_rates.iter().copied()).take_while(|(at, _)| *at < epochs as f64).collect();
        let constant = || vec![(0.0, run.plan.optimizer.lr()), (epochs as f64, run.plan.optimizer.lr())];
        let evaluated = run.seeds.iter().flat_map(|s| &s.epochs).all(|e| e.train_eval.is_some());
        let train_eval = |e: &EpochResult| e.train_eval.map_or(0.0, |t| t.loss);
        let validated = run.seeds.iter().flat_map(|s| &s.epochs).all(|e| e.validation.is_some());
        let validation = |e: &EpochResult| e.validation.map_or(0.0, |v| v.loss);
        let test = losses(run, epochs, |e| e.test.loss);
        let validation = if validated { losses(run, epochs, validation) } else { Vec::new() };
        let line = |marks: &[Loss], loss: &dyn Fn(&StepResult) -> Option<f64>| {
            let within = within(run, epochs * steps_per_epoch, loss);
            let within = within.into_iter().map(|(step, loss)| (step as f64 / steps_per_epoch as f64, loss));
            let after = marks.iter().enumerate().map(|(i, loss)| ((i + 1) as f64, loss.mean));
            let mut line: Vec<(f64, f64)> = within.chain(after).collect();
            line.sort_by(|a, b| a.0.total_cmp(&b.0));
            line
        };
        let is_one_network = run.is_one_network();
        let two = (run.seeds.len() == 2).then_some(NoInterval::TwoSeeds);
        Self {
            title,
            series,
            steps_per_epoch,
            batch: run.plan.batch_size.min(run.plan.image_count),
            steps_per_group: curve.steps_per_group,
            groups: middles.zip(values).collect(),
            smooth,
            window: curve.steps_per_group.saturating_mul(2 * half + 1),
            train: if evaluated { losses(run, epochs, train_eval) } else { Vec::new() },
            during: losses(run, epochs, |e| e.train_loss).iter().map(|loss| loss.mean).collect(),
            test_line: line(&test, &|s| Some(s.test.loss)),
            validation_line: if validated { line(&validation, &|s| Some(s.validation?.loss)) } else { Vec::new() },
            test,
            validation,
            evaluate_every: run.plan.evaluate_every,
            reported: reported(run),
            is_shortened: run.seeds.iter().any(|s| s.epochs.len() > epochs),
            smooths_labels: run.plan.label_smoothing > 0.0,
            has_dropout,
            augment: run.plan.augment,
            has_schedule: !rates.is_empty(),
            rates: if rates.is_empty() { constant() } else { rates },
            seeds: run.seeds.len(),
            classes: run.seeds.first().map_or(0, |seed| seed.confusion.len()),
            no_interval: if is_one_network { Some(NoInterval::SameNetwork) } else { two },
        }
    }

    /// The number of epochs.
    pub(super) fn epochs(&self) -> usize {
        self.test.len()
    }

    /// All values that the axis must hold.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        let marks = self.train.iter().chain(&self.test).chain(&self.validation);
        let ends = marks.flat_map(|l| [Some(l.mean), l.interval.map(|i| i.upper)]).flatten();
        let lines = self.smooth.iter().chain(&self.test_line).chain(&self.validation_line);
        lines.map(|(_, loss)| *loss).chain(ends)
    }

    /// The epoch, counted from 1, after which the test loss is lowest, where it rises again by the end.
    pub(super) fn turn(&self) -> Option<usize> {
        let turn = first_lowest(&self.test.iter().map(|loss| loss.mean).collect::<Vec<f64>>());
        (turn + 1 < self.test.len()).then_some(turn + 1)
    }

    /// Whether the training loss, measured with dropout, ends above the test loss, which is measured without.
    pub(super) fn is_higher_with_dropout(&self) -> bool {
        let ends = self.smooth.last().zip(self.test.last());
        self.has_dropout && ends.is_some_and(|((_, training), test)| *training > test.mean)
    }

    /// The outline of the gap between test and training loss after the turning point; `None` where the test loss does not
    /// rise.
    pub(super) fn gap(&self) -> Option<Vec<(f64, f64)>> {
        let turn = self.turn()?;
        let marks = |losses: &[Loss]| -> Vec<(f64, f64)> {
            losses.iter().enumerate().skip(turn - 1).map(|(i, loss)| ((i + 1) as f64, loss.mean)).collect()
        };
        let after_turn = |line: &[(f64, f64)]| -> Vec<(f64, f64)> {
            line.iter().filter(|(at, _)| *at >= turn as f64).copied().collect()
        };
        let below = if self.train.is_empty() { after_turn(&self.smooth) } else { marks(&self.train) };
        Some(after_turn(&self.test_line).into_iter().chain(below.into_iter().rev()).collect())
    }

    /// The figures of the run, in words.
    pub(super) fn describe(&self, lang: &Language) -> Result<String> {
        let train: Vec<f64> =
            if self.train.is_empty() { self.during.clone() } else { self.train.iter().map(|l| l.mean).collect() };
        let (Some(train_first), Some(test_first)) = (train.first(), self.test.first()) else {
            return Ok(String::new());
        };
        let last = self.test.len();
        let turn = self.turn();
        let fixed = |loss: f64| lang.numbers.loss(loss);
        let values = context! {
            title => self.title,
            evaluated => !self.train.is_empty(),
            train_first => fixed(*train_first),
            train_last => fixed(train[last - 1]),
            test_first => fixed(test_first.mean),
            test_last => fixed(self.test[last - 1].mean),
            last,
            turn,
            lowest => turn.map(|turn| fixed(self.test[turn - 1].mean)),
        };
        lang.say("figures.curves.description", values)
    }
}

/// The middle of each group of steps and the mean over seeds of its loss, for groups that every seed has.
fn groups(curve: &LossCurve, steps: f64) -> Vec<(f64, f64)> {
    let size = curve.steps_per_group.max(1) as f64;
    let start = |i: usize| i as f64 * size;
    let middle = |i: usize| f64::midpoint(start(i), (start(i) + size).min(steps));
    let common = curve.losses.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |i: usize| curve.losses.iter().map(|seed| seed[i]).sum::<f64>() / curve.losses.len() as f64;
    (0..common).take_while(|i| start(*i) < steps).map(|i| (middle(i), mean(i))).collect()
}

/// The epoch that all seeds report, if the study chooses it.
fn reported(run: &RunResult) -> Option<usize> {
    let first = run.seeds[0].reported_epoch?;
    run.seeds.iter().all(|s| s.reported_epoch == Some(first)).then_some(first)
}

/// The mean over seeds of a loss that was evaluated within epochs, after each step at which all seeds have it, up to the
/// given one.
fn within(run: &RunResult, steps: usize, loss: &dyn Fn(&StepResult) -> Option<f64>) -> Vec<(usize, f64)> {
    let first = run.seeds[0].within_epochs.iter().take_while(|s| s.step < steps).enumerate();
    let mean = |(i, at): (usize, &StepResult)| {
        let of_seed = |seed: &SeedResult| seed.within_epochs.get(i).filter(|s| s.step == at.step).and_then(loss);
        let all: Vec<f64> = run.seeds.iter().map(of_seed).collect::<Option<_>>()?;
        Some((at.step, all.iter().sum::<f64>() / all.len() as f64))
    };
    first.filter_map(mean).collect()
}

/// A loss after each epoch.
fn losses(run: &RunResult, epochs: usize, loss: impl Fn(&EpochResult) -> f64) -> Vec<Loss> {
    let is_one_network = run.is_one_network();
    let of_epoch = |i: usize| {
        let all: Vec<f64> = run.seeds.iter().map(|s| loss(&s.epochs[i])).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        Loss { mean, interval: Summary::over_seeds(&all).interval.filter(|_| !is_one_network) }
    };
    (0..epochs).map(of_epoch).collect()
}

/// The mean of each value and of up to `half` values on each side of it. Near the start, where losses fall fast, as many on
/// both sides, so that the curve starts where the losses do; near the end, those that there are.
fn moving_mean(values: &[f64], half: usize) -> Vec<f64> {
    let at = |i: usize| {
        let before = half.min(i);
        let part = &values[i - before..values.len().min(i + before + 1)];
        part.iter().sum::<f64>() / part.len() as f64
    };
    (0..values.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moving_mean_keeps_the_start_and_ends_in_the_mean_of_the_last() {
        assert_eq!(moving_mean(&[4.0, 1.0, 1.0, 4.0, 7.0], 1), [4.0, 2.0, 2.0, 4.0, 5.5]);
        assert_eq!(moving_mean(&[1.0, 2.0, 3.0, 4.0], 9), [1.0, 2.0, 2.5, 2.5]);
        assert_eq!(moving_mean(&[3.0, 5.0], 0), [3.0, 5.0]);
        assert!(moving_mean(&[], 3).is_empty());
    }

    #[test]
    fn groups_are_those_that_every_seed_has() {
        let curve =
            LossCurve { steps_per_group: 2, losses: vec![vec![1.0, 2.0, 3.0], vec![3.0, 4.0]], learning_rates: vec![] };
        assert_eq!(groups(&curve, 4.0), [(1.0, 2.0), (3.0, 3.0)]);
        let one = LossCurve { losses: vec![vec![1.0, 2.0, 3.0]], ..curve };
        assert_eq!(groups(&one, 5.0), [(1.0, 1.0), (3.0, 2.0), (4.5, 3.0)], "the last group has one step");
    }
}
