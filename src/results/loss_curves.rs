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
    /// The learning rate of each group's first step, rounded to five digits; absent where it is constant. If it depends on
    /// validation losses, the mean over seeds; one whose training has ended counts with its last rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_rates: Vec<f64>,
}

impl LossCurve {
    /// Averages the losses of all steps of each seed. All seeds have groups of one size, so that they can be averaged.
    /// `validation_losses` are those of each seed's epochs.
    pub fn of(settings: &RunSettings, losses: &[Vec<f32>], validation_losses: &[Vec<f64>]) -> Self {
        let steps = losses.iter().map(Vec::len).max().unwrap_or(0);
        let steps_per_group = steps.div_ceil(MAX_GROUPS).max(1);
        let mean = |group: &[f32]| {
            let sum = group.iter().fold(0.0, |sum, loss| sum + f64::from(*loss));
            rounded(sum / group.len() as f64)
        };
        let losses = losses.iter().map(|seed| seed.chunks(steps_per_group).map(mean).collect()).collect();
        let firsts = (0..steps).step_by(steps_per_group);
        Self { steps_per_group, losses, learning_rates: learning_rates(settings, firsts, validation_losses) }
    }
}

fn learning_rates(
    settings: &RunSettings,
    steps: impl Iterator<Item = usize>,
    validation_losses: &[Vec<f64>],
) -> Vec<f64> {
    let rate = |step: usize| match &settings.schedule {
        schedule if schedule.follows_validation() => {
            let of_seed = |losses: &Vec<f64>| {
                let last = losses.len().saturating_mul(settings.steps_per_epoch()).saturating_sub(1);
                learning_rate(settings, step.min(last), losses)
            };
            validation_losses.iter().map(of_seed).fold(0.0, |sum, rate| sum + rate) / validation_losses.len() as f64
        }
        _ => learning_rate(settings, step, &[]),
    };
    match settings.schedule {
        Schedule::Constant(_) => Vec::new(),
        _ => steps.map(|step| rounded(rate(step))).collect(),
    }
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

    /// The curve of a run without a validation set.
    fn curve_of(schedule: &str, losses: &[Vec<f32>]) -> LossCurve {
        LossCurve::of(&settings(schedule), losses, &vec![Vec::new(); losses.len()])
    }

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
        let curve = curve_of("", &[vec![2.0, 1.0, 0.123_456_78], vec![3.0]]);
        let losses = vec![vec![2.0, 1.0, 0.12346], vec![3.0]];
        assert_eq!(curve, LossCurve { steps_per_group: 1, losses, learning_rates: vec![] });
    }

    #[test]
    fn many_steps_are_averaged_in_groups_of_one_size_for_all_seeds() {
        let steps = |n: usize| (0..n).map(|i| i as f32).collect::<Vec<f32>>();
        let curve = curve_of("", &[steps(601), steps(4)]);
        assert_eq!((curve.steps_per_group, curve.losses[0].len()), (3, 201));
        assert_eq!(curve.losses[0][..2], [1.0, 4.0]);
        assert_eq!(curve.losses[0][200], 600.0, "the last group has one step");
        assert_eq!(curve.losses[1], [1.0, 3.0]);
        for n in [1, 299, 300, 301, 599, 600, 12_345] {
            let curve = curve_of("", &[steps(n)]);
            assert!(curve.losses[0].len() <= MAX_GROUPS && curve.losses[0].len() >= n.min(MAX_GROUPS / 2), "{n}");
        }
    }

    #[test]
    fn learning_rates_are_those_of_the_groups_first_steps() {
        // Four steps an epoch; halved after each.
        let step = ", schedule: {step: {step_size: 1, gamma: 0.5}}";
        let curve = curve_of(step, &[vec![1.0; 16]]);
        let expected: Vec<f64> = (0..16).map(|i| 0.5 * 0.5f64.powi(i / 4)).collect();
        assert_eq!(curve.learning_rates, expected);
        assert!(curve_of("", &[vec![1.0; 16]]).learning_rates.is_empty(), "constant");
    }

    #[test]
    fn rates_that_depend_on_validation_losses_are_means_over_seeds() {
        let plateau = serde_json::from_str(r#"{"reduce_on_plateau": {"factor": 0.5, "patience": 0}}"#).unwrap();
        let settings = RunSettings { schedule: plateau, ..settings("") };
        // The first seed's loss rises in the second epoch, so its third has half the rate; the second seed ends after two.
        let curve = LossCurve::of(&settings, &[vec![1.0; 16], vec![1.0; 8]], &[vec![2.0, 3.0, 1.0], vec![2.0, 1.0]]);
        let expected: Vec<f64> = (0..16).map(|i| if i < 8 { 0.5 } else { 0.375 }).collect();
        assert_eq!(curve.learning_rates, expected);
    }
}
