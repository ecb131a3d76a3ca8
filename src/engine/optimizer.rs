//! Optimizers with the update rules and state of `torch.optim`. The state can be read and set, so that training can continue
//! from any saved state. Numbers that change from step to step, such as the learning rate, are passed as a tensor, because a
//! recorded step can read only tensors.

use tch::{Kind, Tensor};

use super::flat::Flat;
use super::kernels;
use super::pass::{as_mut_slice, as_slice};
use crate::study::Optimizer;

/// How many values an optimizer stores for each parameter.
pub fn state_values(rule: &Optimizer) -> usize {
    UpdateRule::state_names(rule).len()
}

/// An optimizer with its state. On a GPU, each operator costs the time to launch it, so there each operator updates all
/// parameters at once.
pub(super) struct UpdateRule {
    rule: Optimizer,
    /// One list for each name of `state_names`, each with one tensor per parameter.
    state: Vec<Flat>,
}

impl UpdateRule {
    /// An optimizer before its first step: all state is zero, as in PyTorch.
    pub(super) fn new(rule: &Optimizer, parameters: &Flat) -> Self {
        let state = Self::state_names(rule).iter().map(|_| parameters.zeros_like()).collect();
        Self { rule: rule.clone(), state }
    }

    /// The names of the state tensors in PyTorch's `state_dict`.
    pub(super) fn state_names(rule: &Optimizer) -> &'static [&'static str] {
        match rule {
            Optimizer::Sgd(c) if c.momentum == 0.0 => &[],
            Optimizer::Sgd(_) => &["momentum_buffer"],
            Optimizer::Adam(_) | Optimizer::AdamW(_) => &["exp_avg", "exp_avg_sq"],
            Optimizer::Adadelta(_) => &["square_avg", "acc_delta"],
        }
    }

    /// The state tensors by name: one list per name, one tensor per parameter.
    pub(super) fn state(&self) -> impl Iterator<Item = (&'static str, &[Tensor])> {
        Self::state_names(&self.rule).iter().copied().zip(self.state.iter().map(|list| &list.parts[..]))
    }

    /// The same as `state`, mutable.
    pub(super) fn state_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut [Tensor])> {
        Self::state_names(&self.rule).iter().copied().zip(self.state.iter_mut().map(|list| &mut list.parts[..]))
    }

    /// All state tensors that a step changes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Tensor> {
        self.state.iter().map(|list| &list.all)
    }

    /// The numbers that change from step to step, for `step`'s `factors`, given the learning rate and the step's number `t`,
    /// counted from 1. Their count depends on the rule alone.
    pub(super) fn factors(rule: &Optimizer, lr: f64, t: u64) -> Vec<f32> {
        // Kingma and Ba 2015, algorithm 1: the step size, and the square root of the second moment's bias correction.
        let adam = |betas: [f64; 2]| {
            let [correction1, correction2] = betas.map(|b| 1.0 - libm::pow(b, t as f64));
            [(lr / correction1) as f32, correction2.sqrt() as f32]
        };
        match rule {
            Optimizer::Sgd(_) | Optimizer::Adadelta(_) => vec![lr as f32],
            Optimizer::Adam(c) => adam(c.betas).to_vec(),
            Optimizer::AdamW(c) => [&adam(c.betas)[..], &[(1.0 - lr * c.weight_decay) as f32]].concat(),
        }
    }

    /// Updates the parameters from their gradients. `first` means the first step of the training.
    pub(super) fn step(&mut self, parameters: &mut Flat, gradients: &[Tensor], factors: &Tensor, first: bool) {
        // A guard switches gradients on again even if an operator panics here, because training may continue after that.
        let _guard = tch::no_grad_guard();
        if parameters.all.device() == tch::Device::Cpu && kernels::vectors().is_some() {
            self.step_with_kernels(parameters, gradients, factors, first);
        } else {
            self.step_with_libtorch(parameters, gradients, factors, first);
        }
    }

    fn step_with_kernels(&mut self, parameters: &mut Flat, gradients: &[Tensor], factors: &Tensor, first: bool) {
        for (i, (parameter, gradient)) in parameters.parts.iter_mut().zip(gradients).enumerate() {
            self.update_with_kernel(i, parameter, gradient, as_slice(factors), first);
        }
    }

    /// Updates parameter `i` in one pass over its values.
    fn update_with_kernel(&mut self, i: usize, p: &mut Tensor, g: &Tensor, factors: &[f32], first: bool) {
        let (g, p) = (g.contiguous(), as_mut_slice(p));
        let g = as_slice(&g);
        let rule = self.rule.clone();
        let mut state = self.state.iter_mut().map(|list| as_mut_slice(&mut list.parts[i]));
        let mut next = || state.next().unwrap_or_default();
        let adam = |betas: [f64; 2], eps: f64, weight_decay: f64, decay_factor: f32| kernels::Adam {
            decay_factor,
            weight_decay: weight_decay as f32,
            betas: betas.map(|b| b as f32),
            one_minus_betas: betas.map(|b| (1.0 - b) as f32),
            eps: eps as f32,
            step_size: factors[0],
            correction2_sqrt: factors[1],
        };
        match rule {
            Optimizer::Sgd(c) => kernels::Sgd {
                lr: factors[0],
                momentum: c.momentum as f32,
                gradient_share: (1.0 - c.dampening) as f32,
                weight_decay: c.weight_decay as f32,
                nesterov: c.nesterov,
                first,
            }
            .step(p, g, next()),
            Optimizer::Adam(c) => adam(c.betas, c.eps, c.weight_decay, 1.0).step(p, g, next(), next()),
            Optimizer::AdamW(c) => adam(c.betas, c.eps, 0.0, factors[2]).step(p, g, next(), next()),
            Optimizer::Adadelta(c) => kernels::Adadelta {
                lr: factors[0],
                rho: c.rho as f32,
                one_minus_rho: (1.0 - c.rho) as f32,
                eps: c.eps as f32,
                weight_decay: c.weight_decay as f32,
            }
            .step(p, g, next(), next()),
        }
    }

    /// Updates all parameters at once with libtorch's operators.
    fn step_with_libtorch(&mut self, parameters: &mut Flat, gradients: &[Tensor], factors: &Tensor, first: bool) {
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
                        let _ = buffer.g_mul_scalar_(c.momentum).g_add_(&(&g * (1.0 - c.dampening)));
                    }
                    if c.nesterov { g + &*buffer * c.momentum } else { buffer.shallow_clone() }
                };
                let _ = p.g_sub_(&(update * factor(0)));
            }
            Optimizer::Adam(c) => {
                let g = decayed(g, p, c.weight_decay);
                self.adam(p, &g, factor, c.betas, c.eps);
            }
            Optimizer::AdamW(c) => {
                let _ = p.g_mul_(&factor(2));
                self.adam(p, &g, factor, c.betas, c.eps);
            }
            Optimizer::Adadelta(c) => {
                let g = decayed(g, p, c.weight_decay);
                let [square_avg, acc_delta] = self.pair();
                let _ = square_avg.g_mul_scalar_(c.rho).g_add_(&(&g * &g * (1.0 - c.rho)));
                let delta = square_root(&(&*acc_delta + c.eps)) / square_root(&(&*square_avg + c.eps)) * g;
                let _ = acc_delta.g_mul_scalar_(c.rho).g_add_(&(&delta * &delta * (1.0 - c.rho)));
                let _ = p.g_sub_(&(delta * factor(0)));
            }
        }
    }

    /// Kingma and Ba 2015, algorithm 1.
    fn adam(&mut self, p: &mut Tensor, g: &Tensor, factor: impl Fn(i64) -> Tensor, betas: [f64; 2], eps: f64) {
        let [b1, b2] = betas;
        let [exp_avg, exp_avg_sq] = self.pair();
        let _ = exp_avg.g_mul_scalar_(b1).g_add_(&(g * (1.0 - b1)));
        let _ = exp_avg_sq.g_mul_scalar_(b2).g_add_(&(g * g * (1.0 - b2)));
        let denominator = square_root(exp_avg_sq) / factor(1) + eps;
        let _ = p.g_sub_(&(&*exp_avg * factor(0) / denominator));
    }

    fn pair(&mut self) -> [&mut Tensor; 2] {
        let [a, b] = &mut self.state[..] else { unreachable!("Adam and Adadelta have two state lists") };
        [&mut a.all, &mut b.all]
    }
}

/// The correctly rounded square root. On a CPU libtorch calls MKL's vector library, which ignores the settings that fix the
/// instruction set: with AVX-512, its f32 roots are sometimes off by one unit in the last place. So compute in f64. An error
/// of that size in f64 cannot change the rounded f32, because the root of an f32 is at least four f64 units away from the
/// midpoint of two f32 numbers.
fn square_root(x: &Tensor) -> Tensor {
    x.to_kind(Kind::Double).sqrt().to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::engine::failure::caught;
    use crate::engine::network::to_vec;
    use crate::engine::{DeviceChoice, Engine};
    use crate::rng::Stream;
    use crate::study::Compute;

    #[derive(Deserialize)]
    struct Optimizers {
        p_before: Vec<f32>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        optimizer: String,
        config: Map<String, Value>,
        p_after_step: Vec<Vec<f32>>,
    }

    /// The fixtures' numbers in [-1, 1), made by a counter hash (tests/fixtures/pytorch/README.md).
    fn hashed(n: u64, tag: u64) -> Vec<f32> {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let value = |i: u64| {
            let mut z = tag.wrapping_add(1).wrapping_mul(GOLDEN).wrapping_add(i);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (2.0 * ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24) - 1.0) as f32
        };
        (0..n).map(value).collect()
    }

    /// The fixture's parameters, with other parameters before and after them in the same memory.
    fn parameters(p: &[f32]) -> Flat {
        let mut flat = Flat::zeros(&[vec![3], vec![p.len() as i64], vec![2, 2]], tch::Device::Cpu);
        flat.parts[1].copy_(&Tensor::from_slice(p));
        flat
    }

    type Implementation = fn(&mut UpdateRule, &mut Flat, &[Tensor], &Tensor, bool);
    const IMPLEMENTATIONS: [Implementation; 2] = [UpdateRule::step_with_kernels, UpdateRule::step_with_libtorch];

    /// Executes step `t` with the given gradient. The other parameters have a zero gradient and must not change.
    fn step(
        implementation: usize,
        rule: &mut UpdateRule,
        parameters: &mut Flat,
        gradient: &Tensor,
        t: u64,
    ) -> Vec<f32> {
        let gradients = [parameters.parts[0].zeros_like(), gradient.shallow_clone(), parameters.parts[2].zeros_like()];
        let factors = Tensor::from_slice(&UpdateRule::factors(&rule.rule, rule.rule.lr(), t));
        IMPLEMENTATIONS[implementation](rule, parameters, &gradients, &factors, t == 1);
        for other in [0, 2] {
            assert!(to_vec(&parameters.parts[other]).iter().all(|v| *v == 0.0));
        }
        to_vec(&parameters.parts[1])
    }

    /// Call this before any other use of libtorch: the first use fixes its kernels for the whole process.
    fn start() {
        Engine::start(DeviceChoice::Cpu, &Compute::default()).unwrap();
    }

    #[test]
    fn five_steps_agree_with_pytorch() {
        start();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/optimizers.json");
        let fixture: Optimizers = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(fixture.p_before, hashed(40, 11));
        let mut compared = 0;
        for case in &fixture.cases {
            let mut config = case.config.clone();
            assert_ne!(config.remove("amsgrad"), Some(json!(true)));
            let optimizer: Optimizer = serde_json::from_value(json!({&case.optimizer: config})).unwrap();
            for implementation in 0..IMPLEMENTATIONS.len() {
                let mut parameters = parameters(&fixture.p_before);
                let mut rule = UpdateRule::new(&optimizer, &parameters);
                for (t, expected) in (1..).zip(&case.p_after_step) {
                    let noise = Tensor::from_slice(&hashed(40, 20 + t));
                    let gradient = &parameters.parts[1] * (0.5 + t as f64 / 10.0) + noise;
                    let after = step(implementation, &mut rule, &mut parameters, &gradient, t);
                    for (i, (got, expected)) in after.into_iter().zip(expected).enumerate() {
                        let relative = f64::from((got - expected).abs() / expected.abs());
                        assert!(relative <= 1e-5, "{optimizer:?} step {t}, p[{i}]: {got}, PyTorch gives {expected}");
                        compared += 1;
                    }
                }
            }
        }
        assert_eq!((fixture.cases.len(), compared), (12, 12 * 2 * 5 * 40));
    }

    #[test]
    fn adam_adds_eps_to_the_corrected_root() {
        // The fixture's eps are too small to have an effect. PyTorch 2.11 computed these values with an eps of 1.
        start();
        for key in ["adam", "adamw"] {
            let optimizer: Optimizer =
                serde_json::from_value(json!({key: {"lr": 0.1, "eps": 1.0, "weight_decay": 0.0}})).unwrap();
            for implementation in 0..IMPLEMENTATIONS.len() {
                let mut parameters = parameters(&[1.0]);
                let mut rule = UpdateRule::new(&optimizer, &parameters);
                for (t, gradient, expected) in [(1, 0.5f32, 0.966_666_64f32), (2, -2.0, 0.999_855)] {
                    let gradient = Tensor::from_slice(&[gradient]);
                    let got = step(implementation, &mut rule, &mut parameters, &gradient, t)[0];
                    assert!((got - expected).abs() <= 1e-5 * expected, "{key}: {got}, PyTorch gives {expected}");
                }
            }
        }
    }

    #[test]
    fn gradients_stay_enabled_after_a_step_that_fails() {
        start();
        let optimizer: Optimizer = serde_json::from_value(json!({"sgd": {"lr": 0.1}})).unwrap();
        let mut parameters = parameters(&[1.0]);
        let gradients: Vec<Tensor> = parameters.parts.iter().map(Tensor::zeros_like).collect();
        let mut rule = UpdateRule::new(&optimizer, &parameters);
        let not_a_float = Tensor::from_slice(&[1i64]);
        let failed = caught(|| rule.step(&mut parameters, &gradients, &not_a_float, true));
        assert!(failed.is_err());
        let leaf = Tensor::from_slice(&[1f32]).set_requires_grad(true);
        assert!((&leaf * 2.0).requires_grad());
    }

    #[test]
    fn square_roots_are_rounded_correctly() {
        start();
        let given: Vec<f32> = Stream::keyed(b"roots").uniform(100_000, 0.01).iter().map(|v| v * v).collect();
        let roots = to_vec(&square_root(&Tensor::from_slice(&given)));
        assert!(given.iter().zip(&roots).all(|(value, root)| value.sqrt().to_bits() == root.to_bits()));
    }
}
