//! The optimizers' update rules on one tensor, in one pass over it.
//!
//! Owns the arithmetic (f32, each operation rounded once); the formulas are `torch.optim`'s, told in `optimizer`.

use super::{each, vectorised};

/// Values of a job.
const BLOCK: usize = 1 << 15;

/// `torch.optim.SGD`. `momentum` is none without a buffer; `first` where the buffer holds nothing yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sgd {
    pub lr: f32,
    pub momentum: f32,
    /// What of the gradient goes into the buffer.
    pub taken: f32,
    pub weight_decay: f32,
    pub nesterov: bool,
    pub first: bool,
}

/// `torch.optim.Adam` and `AdamW`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adam {
    /// What the weights are multiplied by first (AdamW).
    pub keep: f32,
    pub weight_decay: f32,
    pub betas: [f32; 2],
    /// One less them, rounded on their own.
    pub taken: [f32; 2],
    pub eps: f32,
    /// The learning rate over the first moment's correction, and the root of the second's.
    pub step: f32,
    pub root: f32,
}

/// `torch.optim.Adadelta`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adadelta {
    pub lr: f32,
    pub rho: f32,
    pub taken: f32,
    pub eps: f32,
    pub weight_decay: f32,
}

impl Sgd {
    /// Steps; `buffer` is empty without momentum.
    pub(crate) fn step(self, p: &mut [f32], g: &[f32], buffer: &mut [f32]) {
        if buffer.is_empty() {
            let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK));
            let count = jobs.len();
            return each(jobs, count, || (), |(p, g), ()| sgd(self, p, g));
        }
        let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(buffer.chunks_mut(BLOCK));
        let count = jobs.len();
        each(jobs, count, || (), |((p, g), buffer), ()| sgd_momentum(self, p, g, buffer));
    }
}

impl Adam {
    /// Steps, with the moving averages of the gradient and of its square.
    pub(crate) fn step(self, p: &mut [f32], g: &[f32], average: &mut [f32], square: &mut [f32]) {
        let jobs =
            p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(average.chunks_mut(BLOCK)).zip(square.chunks_mut(BLOCK));
        let count = jobs.len();
        each(jobs, count, || (), |(((p, g), average), square), ()| adam(self, p, g, average, square));
    }
}

impl Adadelta {
    /// Steps, with the moving averages of the gradient's and the step's square.
    pub(crate) fn step(self, p: &mut [f32], g: &[f32], square: &mut [f32], delta: &mut [f32]) {
        let jobs = p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(square.chunks_mut(BLOCK)).zip(delta.chunks_mut(BLOCK));
        let count = jobs.len();
        each(jobs, count, || (), |(((p, g), square), delta), ()| adadelta(self, p, g, square, delta));
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
            *buffer = if c.first { g } else { c.taken.mul_add(g, c.momentum * *buffer) };
            let update = if c.nesterov { c.momentum.mul_add(*buffer, g) } else { *buffer };
            *p = (-c.lr).mul_add(update, *p);
        }
    }
}

vectorised! {
    fn adam(c: Adam, p: &mut [f32], g: &[f32], average: &mut [f32], square: &mut [f32]) {
        for (((p, g), average), square) in p.iter_mut().zip(g).zip(average).zip(square) {
            let weight = *p * c.keep;
            let g = c.weight_decay.mul_add(weight, *g);
            *average = c.taken[0].mul_add(g, c.betas[0] * *average);
            *square = c.taken[1].mul_add(g * g, c.betas[1] * *square);
            // IEEE 754 has roots and quotients rounded correctly, so every CPU has the same.
            let root = square.sqrt() / c.root + c.eps;
            *p = (-c.step).mul_add(*average / root, weight);
        }
    }
}

vectorised! {
    fn adadelta(c: Adadelta, p: &mut [f32], g: &[f32], square: &mut [f32], delta: &mut [f32]) {
        for (((p, g), square), delta) in p.iter_mut().zip(g).zip(square).zip(delta) {
            let g = c.weight_decay.mul_add(*p, *g);
            *square = c.taken.mul_add(g * g, c.rho * *square);
            let step = (*delta + c.eps).sqrt() / (*square + c.eps).sqrt() * g;
            *delta = c.taken.mul_add(step * step, c.rho * *delta);
            *p = (-c.lr).mul_add(step, *p);
        }
    }
}
