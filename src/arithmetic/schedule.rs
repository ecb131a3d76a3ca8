//! Learning-rate schedules with the formulas of `torch.optim.lr_scheduler`. They use the `libm` crate instead of the
//! system's, so that every machine gives the same bits.

use std::f64::consts::PI;

use crate::study::{OneCycle, ReduceOnPlateau, RunSettings, Schedule, Warmup};

/// A change of the rate by less than this is not made: `eps` of PyTorch's `ReduceLROnPlateau`.
const LEAST_CHANGE: f64 = 1e-8;

/// The learning rate of a step of a run, counted from 0 through all epochs. `validation_losses` are those of the epochs so far;
/// only `reduce_on_plateau` uses them, and only those of the epochs before the step's.
pub fn learning_rate(settings: &RunSettings, step: usize, validation_losses: &[f64]) -> f64 {
    // Settings from a bundle that is not checked yet may have no steps.
    let steps = settings.steps_per_epoch().max(1);
    let moment = Moment { step, steps, epochs: settings.epochs as f64, validation_losses };
    rate(&settings.schedule, settings.optimizer.lr(), moment)
}

/// A step of a training.
#[derive(Clone, Copy)]
struct Moment<'a> {
    /// Counted from 0 through all epochs.
    step: usize,
    /// Steps in an epoch.
    steps: usize,
    /// The number of epochs; not whole if a warm-up has taken a part of one.
    epochs: f64,
    validation_losses: &'a [f64],
}

impl Moment<'_> {
    /// Counted from 0.
    fn epoch(&self) -> usize {
        self.step / self.steps
    }
}

/// The learning rate at a step, if `base` is the optimizer's. `one_cycle` and a warm-up change the rate at each step, the
/// others at each epoch.
fn rate(schedule: &Schedule, base: f64, moment: Moment) -> f64 {
    let epoch = moment.epoch();
    match schedule {
        Schedule::Constant(_) => base,
        Schedule::Step(s) => base * libm::pow(s.gamma, (epoch / s.step_size.max(1)) as f64),
        Schedule::Cosine(c) => cosine(base, c.min_lr, epoch as f64 / moment.epochs),
        Schedule::OneCycle(c) => one_cycle(c, base, moment.step, (moment.epochs * moment.steps as f64) as usize),
        Schedule::ReduceOnPlateau(c) => {
            reduced(c, base, &moment.validation_losses[..epoch.min(moment.validation_losses.len())])
        }
        Schedule::Warmup(c) => warmed_up(c, base, moment),
    }
}

/// `LinearLR`, then the other schedule from its start, in what is left of the training.
fn warmed_up(c: &Warmup, base: f64, moment: Moment) -> f64 {
    if moment.step < c.steps {
        let progress = moment.step as f64 / c.steps as f64;
        return base * (c.start_factor + (1.0 - c.start_factor) * progress);
    }
    let epochs = moment.epochs - c.steps as f64 / moment.steps as f64;
    rate(&c.then, base, Moment { step: moment.step - c.steps, epochs, ..moment })
}

/// The rate after epochs with these validation losses: `ReduceLROnPlateau` with `mode` min and `threshold_mode` rel.
fn reduced(c: &ReduceOnPlateau, base: f64, losses: &[f64]) -> f64 {
    let (mut rate, mut best, mut bad) = (base, f64::INFINITY, 0);
    for loss in losses {
        if *loss < best * (1.0 - c.threshold) {
            (best, bad) = (*loss, 0);
        } else {
            bad += 1;
        }
        if bad > c.patience {
            let lower = (rate * c.factor).max(c.min_lr);
            if rate - lower > LEAST_CHANGE {
                rate = lower;
            }
            bad = 0;
        }
    }
    rate
}

/// The value at `progress`, from 0 to 1, along half a cosine from `start` to `end`.
fn cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + libm::cos(PI * progress))
}

fn one_cycle(c: &OneCycle, max: f64, step: usize, total: usize) -> f64 {
    let initial = max / c.div_factor;
    cycle(c, [initial, max, initial / c.final_div_factor], step, total)
}

/// The momentum of a step, where the schedule sets it: `momentum` of SGD and RMSprop, or Adam's first beta. `one_cycle` lowers it
/// from `max_momentum` to `base_momentum` while the rate rises, and raises it again while the rate falls. `step` counts
/// from 0 through all `total` steps.
pub fn momentum(schedule: &Schedule, step: usize, total: usize) -> Option<f64> {
    match schedule {
        Schedule::OneCycle(c) if c.cycle_momentum => {
            Some(cycle(c, [c.max_momentum, c.base_momentum, c.max_momentum], step, total))
        }
        _ => None,
    }
}

/// From the first value to the second while the rate rises, then to the third.
fn cycle(c: &OneCycle, [first, middle, last]: [f64; 3], step: usize, total: usize) -> f64 {
    let step = step as f64;
    // The last step of the rise. Negative if the rise takes less than one step, as in PyTorch.
    let up = c.pct_start * total as f64 - 1.0;
    let down = total as f64 - 1.0 - up;
    if up > 0.0 && step <= up {
        cosine(first, middle, step / up)
    } else if down > 0.0 {
        cosine(middle, last, (step - up) / down)
    } else {
        middle
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Map, Value, json};

    use super::*;

    /// The rates of all steps of a training.
    fn rates(schedule: &Schedule, base: f64, [epochs, steps]: [usize; 2], validation_losses: &[f64]) -> Vec<f64> {
        let at = |step| Moment { step, steps, epochs: epochs as f64, validation_losses };
        (0..epochs * steps).map(|step| rate(schedule, base, at(step))).collect()
    }

    #[derive(Deserialize)]
    struct Schedules {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        schedule: String,
        /// `step` or `epoch`.
        per: String,
        base_lr: f64,
        config: Map<String, Value>,
        lr: Vec<f64>,
        /// If the schedule sets it.
        momentum: Option<Vec<f64>>,
    }

    /// Converts PyTorch's arguments to a study's schedule and its run: base rate, epochs and steps per epoch, validation losses.
    fn to_study(case: &Case) -> (Schedule, f64, [usize; 2], Vec<f64>) {
        let number = |key: &str| case.config[key].as_u64().expect("a whole number") as usize;
        let (mut config, epochs) = (case.config.clone(), case.lr.len());
        let (config, base, size) = match case.schedule.as_str() {
            "step" => (Value::Object(config), case.base_lr, [epochs, 3]),
            "cosine" => (json!({"min_lr": case.config["eta_min"]}), case.base_lr, [number("T_max"), 3]),
            "one_cycle" => {
                assert_eq!(case.config["anneal_strategy"], "cos");
                assert_eq!(case.config["three_phase"], false);
                let size = number("total_steps");
                for key in ["max_lr", "total_steps", "anneal_strategy", "three_phase"] {
                    config.remove(key);
                }
                // Split both totals into epochs: 20 steps are 4 x 5, and 13 are 13 x 1.
                let steps = if size % 5 == 0 { 5 } else { 1 };
                let base = case.config["max_lr"].as_f64().expect("a rate");
                (Value::Object(config), base, [size / steps, steps])
            }
            "warmup" => {
                let steps = number("steps_per_epoch");
                config.remove("steps_per_epoch");
                (Value::Object(config), case.base_lr, [epochs / steps, steps])
            }
            "reduce_on_plateau" => {
                config.remove("validation_losses");
                (Value::Object(config), case.base_lr, [epochs, 2])
            }
            other => panic!("{other}"),
        };
        let losses = case.config.get("validation_losses").map(|losses| serde_json::from_value(losses.clone()).unwrap());
        let schedule = serde_json::from_value(json!({&case.schedule: config})).expect("a schedule of the study");
        (schedule, base, size, losses.unwrap_or_default())
    }

    fn fixture() -> Schedules {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/schedules.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn rates_agree_with_pytorch() {
        let fixture = fixture();
        let mut compared = 0;
        for case in &fixture.cases {
            let (schedule, base, [epochs, steps], losses) = to_study(case);
            let of_step = case.per == "step";
            // The cosine's are those of one epoch more than the run has.
            for step in 0..if of_step { case.lr.len() } else { case.lr.len() * steps } {
                let moment = Moment { step, steps, epochs: epochs as f64, validation_losses: &losses };
                let lr = rate(&schedule, base, moment);
                // The rates that change at each epoch are the same at every step of it.
                let expected = case.lr[if of_step { step } else { step / steps }];
                // Both use f64 but different formulas: PyTorch multiplies step by step.
                assert!(
                    (lr - expected).abs() <= 1e-12 * expected,
                    "{schedule:?} at {step}: {lr}, PyTorch gives {expected}"
                );
                compared += 1;
            }
        }
        let (of_epochs, of_cycles, warmups, plateaus) = (4 * 6 * 3, 2 * (20 + 13), 8 + 24 + 10, 4 * 18 * 2);
        assert_eq!((fixture.cases.len(), compared), (15, of_epochs + of_cycles + warmups + plateaus));
    }

    #[test]
    fn momenta_agree_with_pytorch() {
        let mut compared = 0;
        for case in &fixture().cases {
            let (schedule, ..) = to_study(case);
            for step in 0..case.lr.len() {
                let got = momentum(&schedule, step, case.lr.len());
                let expected = case.momentum.as_ref().map(|momenta| momenta[step]);
                let agree = match (got, expected) {
                    (Some(got), Some(expected)) => (got - expected).abs() <= 1e-12 * expected,
                    (got, expected) => got == expected,
                };
                assert!(agree, "{schedule:?} at {step}: {got:?}, PyTorch gives {expected:?}");
                compared += usize::from(expected.is_some());
            }
        }
        assert_eq!(compared, 20 + 13);
    }

    #[test]
    fn a_warm_up_may_end_within_an_epoch() {
        // PyTorch 2.11, CosineAnnealingLR(T_max=4.5, eta_min=0): after 3 of 12 steps, 4.5 epochs of two steps are left.
        let after = [0.1, 0.088_302_222_155_948_9, 0.058_682_408_883_346_53, 0.025, 0.003_015_368_960_704_584_5];
        let schedule = json!({"warmup": {"steps": 3, "start_factor": 0.5, "then": "cosine"}});
        let got = rates(&serde_json::from_value(schedule).unwrap(), 0.1, [6, 2], &[]);
        for (step, lr) in got.iter().enumerate() {
            let expected = match step {
                0..3 => 0.1 * (0.5 + 0.5 * step as f64 / 3.0),
                _ => after[(step - 3) / 2],
            };
            assert!((lr - expected).abs() <= 1e-12, "step {step}: {lr}, expected {expected}");
        }
    }

    #[test]
    fn a_plateau_counts_only_the_epochs_before() {
        let schedule = serde_json::from_value(json!({"reduce_on_plateau": {"patience": 0}})).unwrap();
        // The second epoch is the first one that is not better.
        let losses = [1.0, 1.0, 0.5];
        for known in 0..=3 {
            let got = rates(&schedule, 1.0, [4, 1], &losses[..known]);
            let lowered = if known < 2 { 1.0 } else { 0.1 };
            assert_eq!(got, [1.0, 1.0, lowered, lowered], "{known} losses");
        }
    }

    #[test]
    fn the_momentum_goes_down_while_the_rate_goes_up() {
        let schedule: Schedule = serde_json::from_value(json!({"one_cycle": {"pct_start": 0.5}})).unwrap();
        let momenta: Vec<f64> = (0..10).map(|step| momentum(&schedule, step, 10).unwrap()).collect();
        // The rate is highest at step 4 of steps 0 to 9. Between the extremes, both follow half a cosine, which is
        // halfway at the midpoint.
        for (step, expected) in [(0, 0.95), (2, 0.9), (4, 0.85), (9, 0.95)] {
            assert!((momenta[step] - expected).abs() < 1e-15, "step {step}: {}", momenta[step]);
        }
        let rates = rates(&schedule, 1.0, [1, 10], &[]);
        assert!((0..9).all(|i| (rates[i] < rates[i + 1]) == (momenta[i] > momenta[i + 1])));
        let off: Schedule = serde_json::from_value(json!({"one_cycle": {"cycle_momentum": false}})).unwrap();
        assert_eq!((momentum(&off, 3, 10), momentum(&Schedule::default(), 3, 10)), (None, None));
    }

    #[test]
    fn a_rise_of_less_than_one_step_agrees_with_pytorch() {
        // Computed by PyTorch 2.11, OneCycleLR(max_lr=0.1).
        let five_steps = [
            0.090_450_887_915_348_5,
            0.065_450_987_915_348_5,
            0.034_549_412_084_651_51,
            0.009_549_512_084_651_508,
            4e-7,
        ];
        for (pct_start, expected) in [(0.0, &five_steps[..]), (0.3, &[0.081_174_565_394_976_3, 4e-7]), (0.3, &[4e-7])] {
            let schedule = serde_json::from_value(json!({"one_cycle": {"pct_start": pct_start}})).unwrap();
            for (step, (lr, expected)) in
                rates(&schedule, 0.1, [1, expected.len()], &[]).iter().zip(expected).enumerate()
            {
                assert!((lr - expected).abs() <= 1e-12, "{pct_start}, step {step}: {lr}, PyTorch gives {expected}");
            }
        }
    }
}
