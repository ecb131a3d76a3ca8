//! Learning-rate schedules with the formulas of `torch.optim.lr_scheduler`. They use the `libm` crate instead of the
//! system's, so that every machine gives the same bits.

use std::f64::consts::PI;

use crate::study::{OneCycle, Schedule};

/// The learning rate of a step. `epoch` and `step` (within the epoch) count from 0; `steps` is the number of steps in
/// an epoch and `base` the optimizer's learning rate. `one_cycle` changes the rate at each step, the others at each
/// epoch.
pub fn learning_rate(schedule: &Schedule, base: f64, epoch: usize, step: usize, epochs: usize, steps: usize) -> f64 {
    match schedule {
        Schedule::Constant(_) => base,
        Schedule::Step(s) => base * libm::pow(s.gamma, (epoch / s.step_size.max(1)) as f64),
        Schedule::Cosine(c) => cosine(base, c.min_lr, epoch as f64 / epochs as f64),
        Schedule::OneCycle(c) => one_cycle(c, base, epoch * steps + step, epochs * steps),
    }
}

/// The value at `progress`, from 0 to 1, along half a cosine from `start` to `end`.
fn cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + libm::cos(PI * progress))
}

fn one_cycle(c: &OneCycle, max: f64, step: usize, total: usize) -> f64 {
    let initial = max / c.div_factor;
    cycle(c, [initial, max, initial / c.final_div_factor], step, total)
}

/// The momentum of a step, where the schedule sets it: SGD's `momentum`, or Adam's first beta. `one_cycle` lowers it
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

    #[derive(Deserialize)]
    struct Schedules {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        schedule: String,
        base_lr: f64,
        config: Map<String, Value>,
        lr: Vec<f64>,
    }

    /// Converts PyTorch's arguments to a study's schedule and its run: base rate, epochs, steps per epoch.
    fn to_study(case: &Case) -> (Schedule, f64, usize, usize) {
        let number = |key: &str| case.config[key].as_u64().expect("a whole number") as usize;
        let (config, base, epochs, steps) = match case.schedule.as_str() {
            "step" => (Value::Object(case.config.clone()), case.base_lr, case.lr.len(), 3),
            "cosine" => (json!({"min_lr": case.config["eta_min"]}), case.base_lr, number("T_max"), 3),
            "one_cycle" => {
                assert_eq!(case.config["anneal_strategy"], "cos");
                assert_eq!(
                    (&case.config["three_phase"], &case.config["cycle_momentum"]),
                    (&json!(false), &json!(false))
                );
                let keys = ["pct_start", "div_factor", "final_div_factor"];
                let config = keys.map(|key| (key.to_owned(), case.config[key].clone()));
                // Split both totals into epochs: 20 steps are 4 x 5, and 13 are 13 x 1.
                let steps = if number("total_steps") % 5 == 0 { 5 } else { 1 };
                let base = case.config["max_lr"].as_f64().expect("a rate");
                (Value::Object(Map::from_iter(config)), base, number("total_steps") / steps, steps)
            }
            other => panic!("{other}"),
        };
        let schedule = serde_json::from_value(json!({&case.schedule: config})).expect("a schedule of the study");
        (schedule, base, epochs, steps)
    }

    #[test]
    fn rates_agree_with_pytorch() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/schedules.json");
        let fixture: Schedules = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut compared = 0;
        for case in &fixture.cases {
            let (schedule, base, epochs, steps) = to_study(case);
            for (i, expected) in case.lr.iter().enumerate() {
                let places = match schedule {
                    Schedule::OneCycle(_) => i % steps..i % steps + 1,
                    // The rate is the same at every step of the epoch.
                    _ => 0..steps,
                };
                let epoch = if matches!(schedule, Schedule::OneCycle(_)) { i / steps } else { i };
                for step in places {
                    let lr = learning_rate(&schedule, base, epoch, step, epochs, steps);
                    // Both use f64 but different formulas: PyTorch multiplies step by step.
                    assert!(
                        (lr - expected).abs() <= 1e-12 * expected,
                        "{schedule:?} at {i}: {lr}, PyTorch gives {expected}"
                    );
                    compared += 1;
                }
            }
        }
        assert_eq!((fixture.cases.len(), compared), (6, 4 * 6 * 3 + 20 + 13));
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
        let rates: Vec<f64> = (0..10).map(|step| learning_rate(&schedule, 1.0, 0, step, 1, 10)).collect();
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
        for (pct_start, rates) in [(0.0, &five_steps[..]), (0.3, &[0.081_174_565_394_976_3, 4e-7]), (0.3, &[4e-7])] {
            let schedule = serde_json::from_value(json!({"one_cycle": {"pct_start": pct_start}})).unwrap();
            for (step, expected) in rates.iter().enumerate() {
                let lr = learning_rate(&schedule, 0.1, 0, step, 1, rates.len());
                assert!((lr - expected).abs() <= 1e-12, "{pct_start}, step {step}: {lr}, PyTorch gives {expected}");
            }
        }
    }
}
