//! The update rules, as `torch.optim` has them.
//!
//! Owns the moving averages; their tensors can be read and set, so that training is a function of state.

use tch::Tensor;

use crate::study::Optimizer;

/// An optimizer with its state: for each parameter, the tensors that its rule keeps.
pub struct UpdateRule {
    rule: Optimizer,
    /// Steps taken.
    pub steps: u64,
    /// One list a kept tensor (`momentum_buffer`, ...), each with one tensor a parameter.
    state: Vec<Vec<Tensor>>,
}

impl UpdateRule {
    /// A fresh optimizer: every kept tensor zero, as PyTorch's are.
    pub fn new(rule: &Optimizer, parameters: &[Tensor]) -> Self {
        let zeros = || parameters.iter().map(Tensor::zeros_like).collect::<Vec<_>>();
        let state = Self::state_names(rule).iter().map(|_| zeros()).collect();
        Self { rule: rule.clone(), steps: 0, state }
    }

    /// What PyTorch's `state_dict` calls the kept tensors.
    pub fn state_names(rule: &Optimizer) -> &'static [&'static str] {
        match rule {
            Optimizer::Sgd(c) if c.momentum == 0.0 => &[],
            Optimizer::Sgd(_) => &["momentum_buffer"],
            Optimizer::Adam(_) | Optimizer::AdamW(_) => &["exp_avg", "exp_avg_sq"],
            Optimizer::Adadelta(_) => &["square_avg", "acc_delta"],
        }
    }

    /// The kept tensors with their names, list by list.
    pub fn state(&self) -> impl Iterator<Item = (&'static str, &[Tensor])> {
        Self::state_names(&self.rule).iter().copied().zip(self.state.iter().map(Vec::as_slice))
    }

    /// As `state`, to be set.
    pub fn state_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut [Tensor])> {
        Self::state_names(&self.rule).iter().copied().zip(self.state.iter_mut().map(Vec::as_mut_slice))
    }

    /// One step from the gradients at hand; parameters without one stay.
    pub fn step(&mut self, parameters: &mut [Tensor], lr: f64) {
        self.steps += 1;
        tch::no_grad(|| {
            for (i, parameter) in parameters.iter_mut().enumerate() {
                let gradient = parameter.grad();
                if gradient.defined() {
                    self.update(i, parameter, gradient, lr);
                }
            }
        });
    }

    fn update(&mut self, i: usize, p: &mut Tensor, g: Tensor, lr: f64) {
        let first = self.steps == 1;
        let t = self.steps as f64;
        let decayed = |g: Tensor, p: &Tensor, weight_decay: f64| match weight_decay {
            0.0 => g,
            decay => g + &*p * decay,
        };
        match self.rule.clone() {
            Optimizer::Sgd(c) => {
                let g = decayed(g, p, c.weight_decay);
                let update = if c.momentum == 0.0 {
                    g
                } else {
                    let buffer = &mut self.state[0][i];
                    if first {
                        buffer.copy_(&g);
                    } else {
                        let _ = buffer.g_mul_scalar_(c.momentum).g_add_(&(&g * (1.0 - c.dampening)));
                    }
                    if c.nesterov { g + &*buffer * c.momentum } else { buffer.shallow_clone() }
                };
                let _ = p.g_sub_(&(update * lr));
            }
            Optimizer::Adam(c) => {
                let g = decayed(g, p, c.weight_decay);
                self.adam(i, p, &g, lr, c.betas, c.eps, t);
            }
            Optimizer::AdamW(c) => {
                let _ = p.g_mul_scalar_(1.0 - lr * c.weight_decay);
                self.adam(i, p, &g, lr, c.betas, c.eps, t);
            }
            Optimizer::Adadelta(c) => {
                let g = decayed(g, p, c.weight_decay);
                let [square_avg, acc_delta] = self.pair(i);
                let _ = square_avg.g_mul_scalar_(c.rho).g_add_(&(&g * &g * (1.0 - c.rho)));
                let delta = (&*acc_delta + c.eps).sqrt() / (&*square_avg + c.eps).sqrt() * g;
                let _ = acc_delta.g_mul_scalar_(c.rho).g_add_(&(&delta * &delta * (1.0 - c.rho)));
                let _ = p.g_sub_(&(delta * lr));
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // the formula's own symbols (Kingma and Ba 2015, algorithm 1)
    fn adam(&mut self, i: usize, p: &mut Tensor, g: &Tensor, lr: f64, betas: [f64; 2], eps: f64, t: f64) {
        let [b1, b2] = betas;
        let [exp_avg, exp_avg_sq] = self.pair(i);
        let _ = exp_avg.g_mul_scalar_(b1).g_add_(&(g * (1.0 - b1)));
        let _ = exp_avg_sq.g_mul_scalar_(b2).g_add_(&(g * g * (1.0 - b2)));
        let (correction1, correction2) = (1.0 - libm::pow(b1, t), 1.0 - libm::pow(b2, t));
        let denominator = exp_avg_sq.sqrt() / correction2.sqrt() + eps;
        let _ = p.g_sub_(&(&*exp_avg * (lr / correction1) / denominator));
    }

    fn pair(&mut self, i: usize) -> [&mut Tensor; 2] {
        let [a, b] = &mut self.state[..] else { unreachable!("both rules keep two lists") };
        [&mut a[i], &mut b[i]]
    }
}
