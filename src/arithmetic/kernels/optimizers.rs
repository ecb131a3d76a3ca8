//! The update rules, each in one pass over a tensor. The arithmetic is f32; each operation rounds once.

use crate::simd::vectorised;
use crate::threads::for_each_job;

/// Number of values that one job updates.
const BLOCK: usize = 1 << 15;

/// `torch.optim.SGD`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the arguments of torch.optim.SGD")]
pub struct Sgd {
    pub lr: f32,
    pub momentum: f32,
    /// 1 - dampening: the share of the gradient that is added to the momentum buffer.
    pub gradient_share: f32,
    pub weight_decay: f32,
    pub nesterov: bool,
    /// Whether this is the first step, which sets the momentum buffer to the gradient.
    pub first: bool,
}

/// `torch.optim.Adam` and `AdamW`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the arguments of torch.optim.Adam")]
pub struct Adam {
    /// Factor of the weights before the update: 1 - lr * weight_decay in AdamW, 1 in Adam.
    pub decay_factor: f32,
    pub weight_decay: f32,
    pub betas: [f32; 2],
    /// 1 - betas, computed in f64 and rounded once.
    pub one_minus_betas: [f32; 2],
    pub eps: f32,
    /// The learning rate divided by the first moment's bias correction.
    pub step_size: f32,
    /// The square root of the second moment's bias correction.
    pub correction2_sqrt: f32,
}

/// `torch.optim.Adadelta`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the arguments of torch.optim.Adadelta")]
pub struct Adadelta {
    pub lr: f32,
    pub rho: f32,
    /// 1 - rho, computed in f64 and rounded once.
    pub one_minus_rho: f32,
    pub eps: f32,
    pub weight_decay: f32,
}

/// `torch.optim.RMSprop`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the arguments of torch.optim.RMSprop")]
pub struct RmsProp {
    pub lr: f32,
    pub momentum: f32,
    pub alpha: f32,
    /// 1 - alpha, computed in f64 and rounded once.
    pub one_minus_alpha: f32,
    pub eps: f32,
    pub weight_decay: f32,
}

impl Sgd {
    /// Updates parameters `p` with gradient `g`. `buffer` is the momentum buffer; it is empty if there is no momentum.
    pub fn step(self, p: &mut [f32], g: &[f32], buffer: &mut [f32]) {
        if buffer.is_empty() {
            let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK));
            return for_each_job(jobs, |(p, g)| sgd(self, p, g));
        }
        let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(buffer.chunks_mut(BLOCK));
        for_each_job(jobs, |((p, g), buffer)| sgd_momentum(self, p, g, buffer));
    }
}

impl Adam {
    /// Updates parameters `p` with gradient `g`, and the moving averages of the gradient and of its square.
    pub fn step(self, p: &mut [f32], g: &[f32], average: &mut [f32], square: &mut [f32]) {
        let jobs =
            p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(average.chunks_mut(BLOCK)).zip(square.chunks_mut(BLOCK));
        for_each_job(jobs, |(((p, g), average), square)| adam(self, p, g, average, square));
    }
}

impl Adadelta {
    /// Updates parameters `p` with gradient `g`, and the moving averages of the squared gradient and of the squared
    /// update.
    pub fn step(self, p: &mut [f32], g: &[f32], square: &mut [f32], delta: &mut [f32]) {
        let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(square.chunks_mut(BLOCK)).zip(delta.chunks_mut(BLOCK));
        for_each_job(jobs, |(((p, g), square), delta)| adadelta(self, p, g, square, delta));
    }
}

impl RmsProp {
    /// Updates parameters `p` with gradient `g`, and the moving average of its square. `buffer` is the momentum buffer, and
    /// `average` the moving average of the gradient, if the optimizer is centered; each is empty if there is none.
    pub fn step(self, p: &mut [f32], g: &[f32], square: &mut [f32], buffer: &mut [f32], average: &mut [f32]) {
        let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(square.chunks_mut(BLOCK));
        match (buffer.is_empty(), average.is_empty()) {
            (true, true) => for_each_job(jobs, |((p, g), square)| rmsprop(self, p, g, square)),
            (false, true) => {
                let jobs = jobs.zip(buffer.chunks_mut(BLOCK));
                for_each_job(jobs, |(((p, g), square), buffer)| rmsprop_momentum(self, p, g, square, buffer));
            }
            (true, false) => {
                let jobs = jobs.zip(average.chunks_mut(BLOCK));
                for_each_job(jobs, |(((p, g), square), average)| rmsprop_centered(self, p, g, square, average));
            }
            (false, false) => {
                let jobs = jobs.zip(buffer.chunks_mut(BLOCK)).zip(average.chunks_mut(BLOCK));
                for_each_job(jobs, |((((p, g), square), buffer), average)| {
                    rmsprop_centered_momentum(self, p, g, square, [buffer, average]);
                });
            }
        }
    }

    /// The gradient with weight decay, divided by the root of the average of its square.
    #[inline(always)]
    fn update(self, p: f32, g: f32, square: &mut f32) -> f32 {
        let g = self.weight_decay.mul_add(p, g);
        *square = self.one_minus_alpha.mul_add(g * g, self.alpha * *square);
        g / (square.sqrt() + self.eps)
    }

    /// The gradient with weight decay, divided by its standard deviation. A variance below zero can only be a rounding error,
    /// and counts as 0; NaN stays NaN.
    #[inline(always)]
    fn centered_update(self, p: f32, g: f32, square: &mut f32, average: &mut f32) -> f32 {
        let g = self.weight_decay.mul_add(p, g);
        *square = self.one_minus_alpha.mul_add(g * g, self.alpha * *square);
        *average = self.one_minus_alpha.mul_add(g, self.alpha * *average);
        let variance = (-*average).mul_add(*average, *square);
        let variance = if variance < 0.0 { 0.0 } else { variance };
        g / (variance.sqrt() + self.eps)
    }
}

vectorised! {
    fn sgd(c: Sgd, p: &mut [f32], g: &[f32]) {
        for (p, g) in p.iter_mut().zip(g) {
            let g = c.weight_decay.mul_add(*p, *g);
            *p = (-c.lr).mul_add(g, *p);
        }
    }
}

vectorised! {
    fn sgd_momentum(c: Sgd, p: &mut [f32], g: &[f32], buffer: &mut [f32]) {
        for ((p, g), buffer) in p.iter_mut().zip(g).zip(buffer) {
            let g = c.weight_decay.mul_add(*p, *g);
            *buffer = if c.first { g } else { c.gradient_share.mul_add(g, c.momentum * *buffer) };
            let update = if c.nesterov { c.momentum.mul_add(*buffer, g) } else { *buffer };
            *p = (-c.lr).mul_add(update, *p);
        }
    }
}

vectorised! {
    fn adam(c: Adam, p: &mut [f32], g: &[f32], average: &mut [f32], square: &mut [f32]) {
        for (((p, g), average), square) in p.iter_mut().zip(g).zip(average).zip(square) {
            let weight = *p * c.decay_factor;
            let g = c.weight_decay.mul_add(weight, *g);
            *average = c.one_minus_betas[0].mul_add(g, c.betas[0] * *average);
            *square = c.one_minus_betas[1].mul_add(g * g, c.betas[1] * *square);
            // IEEE 754 requires correctly rounded roots and quotients, so every CPU gives the same bits.
            let root = square.sqrt() / c.correction2_sqrt + c.eps;
            *p = (-c.step_size).mul_add(*average / root, weight);
        }
    }
}

vectorised! {
    fn adadelta(c: Adadelta, p: &mut [f32], g: &[f32], square: &mut [f32], delta: &mut [f32]) {
        for (((p, g), square), delta) in p.iter_mut().zip(g).zip(square).zip(delta) {
            let g = c.weight_decay.mul_add(*p, *g);
            *square = c.one_minus_rho.mul_add(g * g, c.rho * *square);
            let step = (*delta + c.eps).sqrt() / (*square + c.eps).sqrt() * g;
            *delta = c.one_minus_rho.mul_add(step * step, c.rho * *delta);
            *p = (-c.lr).mul_add(step, *p);
        }
    }
}

vectorised! {
    fn rmsprop(c: RmsProp, p: &mut [f32], g: &[f32], square: &mut [f32]) {
        for ((p, g), square) in p.iter_mut().zip(g).zip(square) {
            *p = (-c.lr).mul_add(c.update(*p, *g, square), *p);
        }
    }
}

vectorised! {
    fn rmsprop_momentum(c: RmsProp, p: &mut [f32], g: &[f32], square: &mut [f32], buffer: &mut [f32]) {
        for (((p, g), square), buffer) in p.iter_mut().zip(g).zip(square).zip(buffer) {
            *buffer = c.momentum.mul_add(*buffer, c.update(*p, *g, square));
            *p = (-c.lr).mul_add(*buffer, *p);
        }
    }
}

vectorised! {
    fn rmsprop_centered(c: RmsProp, p: &mut [f32], g: &[f32], square: &mut [f32], average: &mut [f32]) {
        for (((p, g), square), average) in p.iter_mut().zip(g).zip(square).zip(average) {
            *p = (-c.lr).mul_add(c.centered_update(*p, *g, square, average), *p);
        }
    }
}

vectorised! {
    fn rmsprop_centered_momentum(
        c: RmsProp,
        p: &mut [f32],
        g: &[f32],
        square: &mut [f32],
        lists: [&mut [f32]; 2],
    ) {
        let [buffer, average] = lists;
        for ((((p, g), square), buffer), average) in p.iter_mut().zip(g).zip(square).zip(buffer).zip(average) {
            *buffer = c.momentum.mul_add(*buffer, c.centered_update(*p, *g, square, average));
            *p = (-c.lr).mul_add(*buffer, *p);
        }
    }
}
