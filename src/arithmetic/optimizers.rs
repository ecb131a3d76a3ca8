//! Optimizers with the update rules and state of `torch.optim`. The state can be read and set, so that training can
//! continue from any saved state.

use kernels::optimizers as rules;

use crate::study::Optimizer;

/// How many values an optimizer stores for each weight.
pub fn state_values(rule: &Optimizer) -> usize {
    state_names(rule).len()
}

/// The names of an optimizer's state tensors in PyTorch's `state_dict`.
pub fn state_names(rule: &Optimizer) -> &'static [&'static str] {
    match rule {
        Optimizer::Sgd(c) if c.momentum == 0.0 => &[],
        Optimizer::Sgd(_) => &["momentum_buffer"],
        Optimizer::Adam(_) | Optimizer::AdamW(_) => &["exp_avg", "exp_avg_sq"],
        Optimizer::Adadelta(_) => &["square_avg", "acc_delta"],
        Optimizer::RmsProp(c) => match (c.momentum != 0.0, c.centered) {
            (false, false) => &["square_avg"],
            (true, false) => &["square_avg", "momentum_buffer"],
            (false, true) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "momentum_buffer", "grad_avg"],
        },
    }
}

/// The optimizer's numbers of one step, for `Rule::step`. `momentum` is the value that the schedule sets, if it sets
/// one (`momentum` of SGD and RMSprop, Adam's first beta); `t` is the step, counted from 1. Computed in f64 and rounded once.
///
/// SGD and RMSprop: lr, momentum. Adadelta: lr. Adam: lr / correction 1, the square root of correction 2, beta 1, 1 - beta 1.
/// AdamW: the same as Adam, then 1 - lr * `weight_decay`. As in PyTorch, the corrections use the betas of this step,
/// even if the schedule changes them.
pub fn factors(rule: &Optimizer, lr: f64, momentum: Option<f64>, t: u64) -> Vec<f32> {
    // Kingma and Ba 2015, algorithm 1: the step size, the square root of the second moment's bias correction, the first
    // beta and its complement.
    let adam = |betas: [f64; 2]| {
        let betas = [momentum.unwrap_or(betas[0]), betas[1]];
        let [correction1, correction2] = betas.map(|b| 1.0 - libm::pow(b, t as f64));
        [lr / correction1, correction2.sqrt(), betas[0], 1.0 - betas[0]].map(|factor| factor as f32)
    };
    match rule {
        Optimizer::Sgd(c) => vec![lr as f32, momentum.unwrap_or(c.momentum) as f32],
        Optimizer::RmsProp(c) => vec![lr as f32, momentum.unwrap_or(c.momentum) as f32],
        Optimizer::Adadelta(_) => vec![lr as f32],
        Optimizer::Adam(c) => adam(c.betas).to_vec(),
        Optimizer::AdamW(c) => [&adam(c.betas)[..], &[(1.0 - lr * c.weight_decay) as f32]].concat(),
    }
}

/// An optimizer with its state.
pub(super) struct Rule {
    rule: Optimizer,
    /// One list for each name of `state_names`, each with the values of every parameter.
    state: Vec<Vec<Vec<f32>>>,
}

impl Rule {
    /// An optimizer before its first step: all state is zero, as in PyTorch.
    pub(super) fn new(rule: &Optimizer, parameters: &[Vec<f32>]) -> Self {
        let zeros = || parameters.iter().map(|p| vec![0.0; p.len()]).collect();
        Self { rule: rule.clone(), state: state_names(rule).iter().map(|_| zeros()).collect() }
    }

    /// The state by name: the values of every parameter.
    pub(super) fn state(&self) -> impl Iterator<Item = (&'static str, &Vec<Vec<f32>>)> {
        state_names(&self.rule).iter().copied().zip(&self.state)
    }

    /// The same as `state`, mutable.
    pub(super) fn state_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Vec<Vec<f32>>)> {
        state_names(&self.rule).iter().copied().zip(&mut self.state)
    }

    /// Updates the parameters from their gradients, with the step's [`factors`]. `first` means the first step of the
    /// training.
    pub(super) fn step(&mut self, parameters: &mut [Vec<f32>], gradients: &[Vec<f32>], factors: &[f32], first: bool) {
        for (i, (parameter, gradient)) in parameters.iter_mut().zip(gradients).enumerate() {
            self.update(i, parameter, gradient, factors, first);
        }
    }

    /// Updates parameter `i` in one pass over its values.
    fn update(&mut self, i: usize, p: &mut [f32], g: &[f32], factors: &[f32], first: bool) {
        let mut state = self.state.iter_mut().map(|list| &mut list[i][..]);
        let mut next = || state.next().unwrap_or_default();
        let adam = |beta2: f64, eps: f64, weight_decay: f64, decay_factor: f32| rules::Adam {
            decay_factor,
            weight_decay: weight_decay as f32,
            betas: [factors[2], beta2 as f32],
            one_minus_betas: [factors[3], (1.0 - beta2) as f32],
            eps: eps as f32,
            step_size: factors[0],
            correction2_sqrt: factors[1],
        };
        match &self.rule {
            Optimizer::Sgd(c) => rules::Sgd {
                lr: factors[0],
                momentum: factors[1],
                gradient_share: (1.0 - c.dampening) as f32,
                weight_decay: c.weight_decay as f32,
                nesterov: c.nesterov,
                first,
            }
            .step(p, g, next()),
            Optimizer::Adam(c) => adam(c.betas[1], c.eps, c.weight_decay, 1.0).step(p, g, next(), next()),
            Optimizer::AdamW(c) => adam(c.betas[1], c.eps, 0.0, factors[4]).step(p, g, next(), next()),
            Optimizer::Adadelta(c) => rules::Adadelta {
                lr: factors[0],
                rho: c.rho as f32,
                one_minus_rho: (1.0 - c.rho) as f32,
                eps: c.eps as f32,
                weight_decay: c.weight_decay as f32,
            }
            .step(p, g, next(), next()),
            Optimizer::RmsProp(c) => {
                let square = next();
                let buffer: &mut [f32] = if c.momentum == 0.0 { &mut [] } else { next() };
                rules::RmsProp {
                    lr: factors[0],
                    momentum: factors[1],
                    alpha: c.alpha as f32,
                    one_minus_alpha: (1.0 - c.alpha) as f32,
                    eps: c.eps as f32,
                    weight_decay: c.weight_decay as f32,
                }
                .step(p, g, square, buffer, next());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arithmetic::testing::{OptimizerCase, optimizer_cases};

    /// Parameters with others before and after them, which have a zero gradient and must not change.
    fn among_others(p: Vec<f32>) -> [Vec<f32>; 3] {
        [vec![0.0; 3], p, vec![0.0; 4]]
    }

    #[test]
    fn five_steps_agree_with_pytorch() {
        for OptimizerCase { optimizer, before, steps } in optimizer_cases() {
            let mut parameters = among_others(before);
            let mut rule = Rule::new(&optimizer, &parameters);
            for (t, step) in (1..).zip(steps) {
                let gradients = among_others(step.gradient(&parameters[1]));
                rule.step(&mut parameters, &gradients, &factors(&optimizer, optimizer.lr(), None, t), t == 1);
                step.assert_near(&optimizer, &parameters[1]);
                assert_eq!((&parameters[0], &parameters[2]), (&vec![0.0; 3], &vec![0.0; 4]));
            }
        }
    }

    #[test]
    fn adam_adds_eps_to_the_corrected_root() {
        // The fixture's eps are too small to have an effect. PyTorch 2.11 computed these values with an eps of 1.
        for key in ["adam", "adamw"] {
            let optimizer: Optimizer =
                serde_json::from_value(json!({key: {"lr": 0.1, "eps": 1.0, "weight_decay": 0.0}})).unwrap();
            let mut parameters = [vec![1.0]];
            let mut rule = Rule::new(&optimizer, &parameters);
            for (t, gradient, expected) in [(1, 0.5f32, 0.966_666_64f32), (2, -2.0, 0.999_855)] {
                rule.step(&mut parameters, &[vec![gradient]], &factors(&optimizer, 0.1, None, t), t == 1);
                let got = parameters[0][0];
                assert!((got - expected).abs() <= 1e-5 * expected, "{key}: {got}, PyTorch gives {expected}");
            }
        }
    }

    #[test]
    fn a_variance_that_rounding_makes_negative_counts_as_zero() {
        // The square of the gradient underflows in its average, but not in that of the gradient.
        let optimizer: Optimizer = serde_json::from_value(json!({"rmsprop": {"centered": true}})).unwrap();
        let mut parameters = [vec![1.0]];
        let mut rule = Rule::new(&optimizer, &parameters);
        for t in 1..1000 {
            rule.step(&mut parameters, &[vec![3e-23]], &factors(&optimizer, 0.01, None, t), t == 1);
        }
        assert!(parameters[0][0] == 1.0, "{}", parameters[0][0]);
        rule.step(&mut parameters, &[vec![f32::NAN]], &factors(&optimizer, 0.01, None, 1000), false);
        assert!(parameters[0][0].is_nan());
    }

    #[test]
    fn a_schedule_sets_sgds_momentum_and_adams_first_beta() {
        // Two steps with gradients 0.5 and -2, a rate of 0.1 and a momentum of 0.95, then 0.85, by torch.optim's
        // formulas.
        for (key, first, second) in [("sgd", 0.95, 1.107_5), ("adam", 0.9, 0.968_893_239)] {
            let optimizer: Optimizer = serde_json::from_value(json!({key: {"lr": 0.1}})).unwrap();
            let optimizer = match optimizer {
                Optimizer::Sgd(sgd) => Optimizer::Sgd(crate::study::Sgd { momentum: 0.5, ..sgd }),
                other => other,
            };
            let mut parameters = [vec![1.0f32]];
            let mut rule = Rule::new(&optimizer, &parameters);
            for (t, gradient, momentum, expected) in [(1, 0.5f32, 0.95, first), (2, -2.0, 0.85, second)] {
                rule.step(&mut parameters, &[vec![gradient]], &factors(&optimizer, 0.1, Some(momentum), t), t == 1);
                let got = f64::from(parameters[0][0]);
                assert!((got - expected).abs() <= 1e-6, "{key} step {t}: {got}, expected {expected}");
            }
        }
    }
}
