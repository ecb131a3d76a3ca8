//! The learning rate at each epoch and step, as `torch.optim.lr_scheduler` has it.
//!
//! Owns the formulas; `libm` and not the machine's, so that every machine gives the same bits.

use std::f64::consts::PI;

use crate::study::{OneCycle, Schedule};

/// The learning rate of a step: epochs and steps count from 0, `steps` a full epoch.
pub fn learning_rate(schedule: &Schedule, base: f64, epoch: usize, step: usize, epochs: usize, steps: usize) -> f64 {
    match schedule {
        Schedule::Constant(_) => base,
        Schedule::Step(s) => base * libm::pow(s.gamma, (epoch / s.step_size) as f64),
        Schedule::Cosine(c) => cosine(base, c.min_lr, epoch as f64 / epochs as f64),
        Schedule::OneCycle(c) => one_cycle(c, base, epoch * steps + step, epochs * steps),
    }
}

/// From `start` to `end` along half a cosine; `progress` from 0 to 1.
fn cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + libm::cos(PI * progress))
}

fn one_cycle(c: &OneCycle, max: f64, step: usize, total: usize) -> f64 {
    let (initial, step) = (max / c.div_factor, step as f64);
    let minimum = initial / c.final_div_factor;
    let up = c.pct_start * total as f64 - 1.0;
    let down = (total as f64 - 1.0 - up).max(1.0);
    match up > 0.0 && step <= up {
        true => cosine(initial, max, step / up),
        false => cosine(max, minimum, (step - up.max(0.0)) / down),
    }
}
