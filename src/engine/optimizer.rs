//! Optimizers with the update rules and state of `torch.optim`. The state can be read and set, so that training can
//! continue from any saved state. Numbers that change from step to step, such as the learning rate, are passed as a
//! tensor, because a recorded step reads only tensors.

use tch::{Kind, Tensor};

use super::flat::Flat;
use mnist_report::arithmetic::state_names;
use mnist_report::study::{Optimizer, RmsProp};

/// An optimizer with its state. On a GPU, each operator updates all parameters at once, because launching an operator
/// takes time.
pub(super) struct UpdateRule {
    rule: Optimizer,
    /// One list for each of `state_names`, each with one tensor per parameter.
    state: Vec<Flat>,
}

impl UpdateRule {
    /// An optimizer before its first step: all state is zero, as in PyTorch.
    pub(super) fn new(rule: &Optimizer, parameters: &Flat) -> Self {
        let state = state_names(rule).iter().map(|_| parameters.zeros_like()).collect();
        Self { rule: rule.clone(), state }
    }

    /// The state tensors by name: one list per name, one tensor per parameter.
    pub(super) fn state(&self) -> impl Iterator<Item = (&'static str, &[Tensor])> {
        state_names(&self.rule).iter().copied().zip(self.state.iter().map(|list| &list.parts[..]))
    }

    /// The same as `state`, mutable.
    pub(super) fn state_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut [Tensor])> {
        state_names(&self.rule).iter().copied().zip(self.state.iter_mut().map(|list| &mut list.parts[..]))
    }

    /// All state tensors that a step changes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Tensor> {
        self.state.iter().map(|list| &list.all)
    }

    /// Updates all parameters from their gradients, with the step's `arithmetic::factors`. `first` means the first step
    /// of the training.
    pub(super) fn step(&mut self, parameters: &mut Flat, gradients: &[Tensor], factors: &Tensor, first: bool) {
        // Use a guard, which enables gradients again even if an operator panics here, because training may continue
        // after that.
        let _guard = tch::no_grad_guard();
        let g = parameters.join(gradients);
        let p = &mut parameters.all;
        let factor = |i: i64| factors.get(i);
        let decayed = |g: Tensor, p: &Tensor, weight_decay: f64| match weight_decay {
            0.0 => g,
            decay => g + p * decay,
        };
        match self.rule.clone() {
            Optimizer::Sgd(c) => {
                let g = decayed(g, p, c.weight_decay);
                let update = if c.momentum == 0.0 {
                    g
                } else {
                    let buffer = &mut self.state[0].all;
                    if first {
                        buffer.copy_(&g);
                    } else {
                        let _ = buffer.g_mul_(&factor(1)).g_add_(&(&g * (1.0 - c.dampening)));
                    }
                    if c.nesterov { g + &*buffer * factor(1) } else { buffer.shallow_clone() }
                };
                let _ = p.g_sub_(&(update * factor(0)));
            }
            Optimizer::Adam(c) => {
                let g = decayed(g, p, c.weight_decay);
                self.adam(p, &g, factor, c.betas[1], c.eps);
            }
            Optimizer::AdamW(c) => {
                let _ = p.g_mul_(&factor(4));
                self.adam(p, &g, factor, c.betas[1], c.eps);
            }
            Optimizer::Adadelta(c) => {
                let g = decayed(g, p, c.weight_decay);
                let [square_avg, acc_delta] = self.pair();
                let _ = square_avg.g_mul_scalar_(c.rho).g_add_(&(&g * &g * (1.0 - c.rho)));
                let delta = square_root(&(&*acc_delta + c.eps)) / square_root(&(&*square_avg + c.eps)) * g;
                let _ = acc_delta.g_mul_scalar_(c.rho).g_add_(&(&delta * &delta * (1.0 - c.rho)));
                let _ = p.g_sub_(&(delta * factor(0)));
            }
            Optimizer::RmsProp(c) => {
                let g = decayed(g, p, c.weight_decay);
                self.rmsprop(p, g, factor, &c);
            }
        }
    }

    /// `torch.optim.RMSprop`.
    fn rmsprop(&mut self, p: &mut Tensor, g: Tensor, factor: impl Fn(i64) -> Tensor, c: &RmsProp) {
        let mut lists = self.state.iter_mut().map(|list| &mut list.all);
        let square_avg = lists.next().expect("RMSprop has an average of squares");
        let buffer = if c.momentum == 0.0 { None } else { lists.next() };
        let _ = square_avg.g_mul_scalar_(c.alpha).g_add_(&(&g * &g * (1.0 - c.alpha)));
        let variance = match lists.next() {
            Some(grad_avg) => {
                let _ = grad_avg.g_mul_scalar_(c.alpha).g_add_(&(&g * (1.0 - c.alpha)));
                // A variance below zero can only be a rounding error.
                (&*square_avg - &*grad_avg * &*grad_avg).clamp_min(0.0)
            }
            None => square_avg.shallow_clone(),
        };
        let mut update = g / (square_root(&variance) + c.eps);
        if let Some(buffer) = buffer {
            let _ = buffer.g_mul_(&factor(1)).g_add_(&update);
            update = buffer.shallow_clone();
        }
        let _ = p.g_sub_(&(update * factor(0)));
    }

    /// Kingma and Ba 2015, algorithm 1.
    fn adam(&mut self, p: &mut Tensor, g: &Tensor, factor: impl Fn(i64) -> Tensor, b2: f64, eps: f64) {
        let [exp_avg, exp_avg_sq] = self.pair();
        let _ = exp_avg.g_mul_(&factor(2)).g_add_(&(g * factor(3)));
        let _ = exp_avg_sq.g_mul_scalar_(b2).g_add_(&(g * g * (1.0 - b2)));
        let denominator = square_root(exp_avg_sq) / factor(1) + eps;
        let _ = p.g_sub_(&(&*exp_avg * factor(0) / denominator));
    }

    fn pair(&mut self) -> [&mut Tensor; 2] {
        let [a, b] = &mut self.state[..] else { unreachable!("Adam and Adadelta have two state lists") };
        [&mut a.all, &mut b.all]
    }
}

/// The correctly rounded square root. On a CPU libtorch calls MKL's vector library, which ignores the settings that fix
/// the instruction set: with AVX-512, its f32 roots are sometimes off by one unit in the last place. So compute in f64.
/// An error of that size in f64 cannot change the rounded f32, because the root of an f32 is at least four f64 units
/// away from the midpoint of two f32 numbers.
fn square_root(x: &Tensor) -> Tensor {
    x.to_kind(Kind::Double).sqrt().to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Engine;
    use super::super::network::to_vec;
    use super::super::testing::{OptimizerCase, optimizer_cases};
    use super::*;
    use mnist_report::arithmetic::factors;
    use mnist_report::failure::caught;
    use mnist_report::rng::Stream;

    /// A parameter with these values, with other parameters before and after it in the same memory.
    fn parameters(p: &[f32]) -> Flat {
        let mut flat = Flat::zeros(&[vec![3], vec![p.len() as i64], vec![2, 2]], tch::Device::Cpu);
        flat.parts[1].copy_(&Tensor::from_slice(p));
        flat
    }

    #[test]
    fn five_steps_agree_with_pytorch() {
        Engine::start(None, false).unwrap();
        for OptimizerCase { optimizer, before, steps } in optimizer_cases() {
            let mut parameters = parameters(&before);
            let mut rule = UpdateRule::new(&optimizer, &parameters);
            for (t, step) in (1..).zip(steps) {
                let gradient = Tensor::from_slice(&step.gradient(&to_vec(&parameters.parts[1])));
                let gradients = [parameters.parts[0].zeros_like(), gradient, parameters.parts[2].zeros_like()];
                let factors = Tensor::from_slice(&factors(&optimizer, optimizer.lr(), None, t));
                rule.step(&mut parameters, &gradients, &factors, t == 1);
                step.assert_near(&optimizer, &to_vec(&parameters.parts[1]));
                for other in [0, 2] {
                    assert!(to_vec(&parameters.parts[other]).iter().all(|v| *v == 0.0));
                }
            }
        }
    }

    #[test]
    fn gradients_stay_enabled_after_a_step_that_fails() {
        Engine::start(None, false).unwrap();
        let optimizer: Optimizer = serde_json::from_value(json!({"sgd": {"lr": 0.1}})).unwrap();
        let mut parameters = parameters(&[1.0]);
        let mut rule = UpdateRule::new(&optimizer, &parameters);
        let factors = Tensor::from_slice(&[0.1f32, 0.0]);
        let failed = caught(|| rule.step(&mut parameters, &[], &factors, true));
        assert!(failed.is_err());
        let leaf = Tensor::from_slice(&[1f32]).set_requires_grad(true);
        assert!((&leaf * 2.0).requires_grad());
    }

    #[test]
    fn square_roots_are_rounded_correctly() {
        Engine::start(None, false).unwrap();
        let given: Vec<f32> = Stream::keyed(b"roots").uniform(100_000, 0.01).iter().map(|v| v * v).collect();
        let roots = to_vec(&square_root(&Tensor::from_slice(&given)));
        assert!(given.iter().zip(&roots).all(|(value, root)| value.sqrt().to_bits() == root.to_bits()));
    }
}
