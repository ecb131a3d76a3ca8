//! Optimizers on a GPU. One launch updates all parameters.

use super::gpu::{Address, Argument, Gpu, size};
use super::layers::value_grid;
use super::tensors::Tensors;
use crate::arithmetic::optimizers::state_names;
use crate::study::Optimizer;

/// An optimizer with its state on the GPU.
#[derive(Debug)]
pub(super) struct Rule {
    rule: Optimizer,
    /// One list for each name of `state_names`.
    state: Vec<Tensors>,
}

/// The optimizer's factors for all steps of an epoch, on the GPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    /// `[steps, count]`: a row for each step. It has the values that `optimizers::factors` gives, and at its end 1 in the
    /// training's first step, otherwise 0.
    pub values: Address,
    pub count: usize,
    /// The address of the step's number in the epoch, a u32 that counts from 0.
    pub step: Address,
}

impl Rule {
    /// An optimizer before its first step: all state is zero.
    pub(super) fn new(gpu: &dyn Gpu, rule: &Optimizer, parameters: &Tensors) -> Self {
        let state = state_names(rule).iter().map(|_| parameters.zeros_like(gpu)).collect();
        Self { rule: rule.clone(), state }
    }

    /// The state by name.
    pub(super) fn state(&self) -> impl Iterator<Item = (&'static str, &Tensors)> {
        state_names(&self.rule).iter().copied().zip(&self.state)
    }

    /// Updates the parameters from their gradients.
    pub(super) fn step(&self, gpu: &dyn Gpu, parameters: &Tensors, gradients: &Tensors, factors: Factors) {
        let (p, values) = parameters.all();
        let state = self.state_arguments();
        let of_step = [factors.values.into(), size(factors.count).into(), factors.step.into()];
        let (kernel, settings) = settings(&self.rule);
        let arguments = [p.into(), gradients.all().0.into()].into_iter().chain(state).chain(of_step).chain(settings);
        let arguments: Vec<Argument> = arguments.chain([(values as u64).into()]).collect();
        gpu.launch(kernel, value_grid(values), &arguments);
    }

    /// The addresses of the state, in the order of the kernel's arguments. RMSprop's kernel has three; one that the
    /// settings do not need is null.
    fn state_arguments(&self) -> Vec<Argument> {
        let all = || self.state().map(|(name, list)| (name, list.all().0));
        match &self.rule {
            Optimizer::RmsProp(_) => ["square_avg", "momentum_buffer", "grad_avg"]
                .map(|list| all().find(|(name, _)| *name == list).map_or(Address::NULL, |(_, address)| address).into())
                .to_vec(),
            _ => all().map(|(_, address)| address.into()).collect(),
        }
    }
}

/// The kernel of an optimizer, and the arguments that are the same in every step.
fn settings(rule: &Optimizer) -> (&'static str, Vec<Argument>) {
    let number = |value: f64| Argument::F32(value as f32);
    let adam = |decoupled: u32, beta2: f64, eps: f64, weight_decay: f64| {
        vec![decoupled.into(), number(beta2), number(1.0 - beta2), number(eps), number(weight_decay)]
    };
    match rule {
        Optimizer::Sgd(c) if state_names(rule).is_empty() => ("sgd", vec![number(c.weight_decay)]),
        Optimizer::Sgd(c) => {
            let nesterov = u32::from(c.nesterov).into();
            ("sgd_momentum", vec![number(1.0 - c.dampening), number(c.weight_decay), nesterov])
        }
        Optimizer::Adam(c) => ("adam", adam(0, c.betas[1], c.eps, c.weight_decay)),
        Optimizer::AdamW(c) => ("adam", adam(1, c.betas[1], c.eps, 0.0)),
        Optimizer::Adadelta(c) => ("adadelta", [c.rho, 1.0 - c.rho, c.eps, c.weight_decay].map(number).to_vec()),
        Optimizer::RmsProp(c) => ("rmsprop", [c.alpha, 1.0 - c.alpha, c.eps, c.weight_decay].map(number).to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arithmetic::cuda::layers::testing::assert_equal;
    use crate::arithmetic::cuda::testing::{Emulator, Order};
    use crate::arithmetic::optimizers::{self, factors};
    use crate::rng::Stream;

    #[test]
    fn bits_are_those_of_the_cpu() {
        for optimizer in [
            json!({"sgd": {"lr": 0.1, "weight_decay": 0.01}}),
            json!({"sgd": {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}}),
            json!({"sgd": {"lr": 0.1, "momentum": 0.9, "nesterov": true}}),
            json!({"adam": {"lr": 0.01, "weight_decay": 0.01}}),
            json!({"adam": {}}),
            json!({"adamw": {"lr": 0.01}}),
            json!({"adadelta": {"weight_decay": 0.01}}),
            json!({"rmsprop": {}}),
            json!({"rmsprop": {"lr": 0.1, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.01}}),
            json!({"rmsprop": {"momentum": 0.9}}),
            json!({"rmsprop": {"centered": true}}),
            json!({"rmsprop": {"centered": true, "momentum": 0.5, "weight_decay": 0.01}}),
        ] {
            let optimizer: Optimizer = serde_json::from_value(optimizer).unwrap();
            for order in Order::ALL {
                assert_same_steps(&optimizer, order);
            }
        }
    }

    fn assert_same_steps(optimizer: &Optimizer, order: Order) {
        let drawn = |key: u8| [1, 70, 2000].map(|n| Stream::keyed(&[key, n as u8]).uniform(n, 1.0)).to_vec();
        let mut expected = drawn(0);
        let gpu: &dyn Gpu = &Emulator::new(order);
        let (parameters, mut cpu) = (Tensors::of(gpu, &expected), optimizers::Rule::new(optimizer, &expected));
        let rule = Rule::new(gpu, optimizer, &parameters);
        let numbers: Vec<Vec<f32>> =
            (1..=3).map(|t| factors(optimizer, optimizer.lr(), (t > 1).then_some(0.8), t)).collect();
        let with_first = |(i, numbers): (usize, &Vec<f32>)| [&numbers[..], &[if i == 0 { 1.0 } else { 0.0 }]].concat();
        let uploaded: Vec<f32> = numbers.iter().enumerate().flat_map(with_first).collect();
        let (values, counter) = (gpu.values(uploaded.len()), gpu.allocate(4));
        gpu.write_values(values.address(), &uploaded);
        for step in 0..3u32 {
            gpu.write(counter.address(), &step.to_le_bytes());
            let gradients = drawn(1 + step as u8);
            let of_step = Factors { values: values.address(), count: uploaded.len() / 3, step: counter.address() };
            rule.step(gpu, &parameters, &Tensors::of(gpu, &gradients), of_step);
            cpu.step(&mut expected, &gradients, &numbers[step as usize], step == 0);
            for (i, expected) in expected.iter().enumerate() {
                assert_equal(&format!("{optimizer:?} step {step}"), &parameters.read(gpu, i), expected);
            }
            for ((name, list), (_, expected)) in rule.state().zip(cpu.state()) {
                for (i, expected) in expected.iter().enumerate() {
                    assert_equal(&format!("{optimizer:?} step {step}: {name}"), &list.read(gpu, i), expected);
                }
            }
        }
    }
}
