//! The curves of a run that a report draws: the losses of all batches, averaged in groups of steps, and the learning rate.

use serde::{Deserialize, Serialize};

use crate::arithmetic::learning_rate;
use crate::study::{RunSettings, Schedule};

/// The most groups of a curve: more points than this are closer together than a figure shows.
pub const MAX_GROUPS: usize = 300;

/// A run's losses and learning rates by step.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LossCurve {
    /// How many consecutive steps are a group; a seed's last group may have fewer.
    pub steps_per_group: usize,
    /// For each seed, the mean of the batches' losses in each group, rounded to five digits. The bundle's folder `losses/` has
    /// the losses themselves.
    pub losses: Vec<Vec<f64>>,
    /// The learning rate of each group's first step, rounded to five digits; absent where it is constant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_rates: Vec<f64>,
}

impl LossCurve {
    /// Averages the losses of all steps of each seed. All seeds have groups of one size, so that they can be averaged.
    pub fn of(settings: &RunSettings, losses: &[Vec<f32>]) -> Self {
        let steps = losses.iter().map(Vec::len).max().unwrap_or(0);
        let steps_per_group = steps.div_ceil(MAX_GROUPS).max(1);
        let mean = |group: &[f32]| {
            let sum = group.iter().fold(0.0, |sum, loss| sum + f64::from(*loss));
            rounded(sum / group.len() as f64)
        };
        let losses = losses.iter().map(|seed| seed.chunks(steps_per_group).map(mean).collect()).collect();
        Self { steps_per_group, losses, learning_rates: learning_rates(settings, steps, steps_per_group) }
    }
}

fn learning_rates(settings: &RunSettings, steps: usize, steps_per_group: usize) -> Vec<f64> {
    let RunSettings { schedule, optimizer, epochs, .. } = settings;
    if matches!(schedule, Schedule::Constant(_)) {
        return Vec::new();
    }
    let in_epoch = settings.steps_per_epoch();
    let firsts = (0..steps).step_by(steps_per_group);
    let rate =
        |step: usize| learning_rate(schedule, optimizer.lr(), step / in_epoch, step % in_epoch, *epochs, in_epoch);
    firsts.map(|step| rounded(rate(step))).collect()
}

/// Five digits are more than a figure shows.
fn rounded(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::study::{Plan, Source};

    fn settings(schedule: &str) -> RunSettings {
        let yaml = format!(
            "title: T\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\nruns:\n  r: {{model: m, train: \
             {{images: {{first: 100}}}}, epochs: 4, batch_size: 30, optimizer: {{sgd: {{lr: 0.5}}}}, seeds: [1]{schedule}}}\n"
        );
        let source = Source::from_text(Path::new("study.yaml"), &yaml).unwrap();
        Plan::resolve(&source).unwrap().runs["r"].settings.clone()
    }

    #[test]
    fn few_steps_are_kept_one_by_one() {
        let curve = LossCurve::of(&settings(""), &[vec![2.0, 1.0, 0.123_456_78], vec![3.0]]);
        let losses = vec![vec![2.0, 1.0, 0.12346], vec![3.0]];
        assert_eq!(curve, LossCurve { steps_per_group: 1, losses, learning_rates: vec![] });
    }

    #[test]
    fn many_steps_are_averaged_in_groups_of_one_size_for_all_seeds() {
        let steps = |n: usize| (0..n).map(|i| i as f32).collect::<Vec<f32>>();
        let curve = LossCurve::of(&settings(""), &[steps(601), steps(4)]);
        assert_eq!((curve.steps_per_group, curve.losses[0].len()), (3, 201));
        assert_eq!(curve.losses[0][..2], [1.0, 4.0]);
        assert_eq!(curve.losses[0][200], 600.0, "the last group has one step");
        assert_eq!(curve.losses[1], [1.0, 3.0]);
        for n in [1, 299, 300, 301, 599, 600, 12_345] {
            let curve = LossCurve::of(&settings(""), &[steps(n)]);
            assert!(curve.losses[0].len() <= MAX_GROUPS && curve.losses[0].len() >= n.min(MAX_GROUPS / 2), "{n}");
        }
    }

    #[test]
    fn learning_rates_are_those_of_the_groups_first_steps() {
        // Four steps an epoch; halved after each.
        let step = ", schedule: {step: {step_size: 1, gamma: 0.5}}";
        let curve = LossCurve::of(&settings(step), &[vec![1.0; 16]]);
        let expected: Vec<f64> = (0..16).map(|i| 0.5 * 0.5f64.powi(i / 4)).collect();
        assert_eq!(curve.learning_rates, expected);
        assert!(LossCurve::of(&settings(""), &[vec![1.0; 16]]).learning_rates.is_empty(), "constant");
    }
}
