//! Maximum pooling over windows that do not overlap, as PyTorch's `max_pool2d` with `stride = kernel_size`.
//!
//! Owns which value of a window is the largest: the first of equals.

use super::{Shape, each, vectorised};

/// A pooling `[images, h, w, c] -> [images, h / side, w / side, c]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaxPool {
    pub input: Shape,
    /// At most 15, so that a byte counts the values of a window.
    pub side: usize,
}

impl MaxPool {
    /// The output of one image.
    pub(crate) fn output(self) -> Shape {
        Shape { height: self.input.height / self.side, width: self.input.width / self.side, ..self.input }
    }

    /// `y`, and the place of each maximum in its window, row by row.
    pub(crate) fn forward(self, x: &[f32], y: &mut [f32]) -> Vec<u8> {
        let mut places = vec![0; y.len()];
        let out = self.output().len();
        let jobs = x.chunks_exact(self.input.len()).zip(y.chunks_exact_mut(out)).zip(places.chunks_exact_mut(out));
        let count = jobs.len();
        each(jobs, count, || (), |((x, y), places), ()| largest(self, x, y, places));
        places
    }

    /// The gradient with respect to `x` from the one with respect to `y`.
    pub(crate) fn backward(self, places: &[u8], gradient: &[f32], dx: &mut [f32]) {
        let out = self.output().len();
        let jobs = places.chunks_exact(out).zip(gradient.chunks_exact(out)).zip(dx.chunks_exact_mut(self.input.len()));
        let count = jobs.len();
        each(jobs, count, || (), |((places, gradient), dx), ()| spread(self, places, gradient, dx));
    }
}

vectorised! {
    fn largest(pool: MaxPool, x: &[f32], y: &mut [f32], places: &mut [u8]) {
        let (c, side, out) = (pool.input.channels, pool.side, pool.output());
        for (window, (y, places)) in y.chunks_exact_mut(c).zip(places.chunks_exact_mut(c)).enumerate() {
            let corner = ((window / out.width) * side * pool.input.width + (window % out.width) * side) * c;
            y.copy_from_slice(&x[corner..corner + c]);
            places.fill(0);
            for place in 1..side * side {
                let from = corner + ((place / side) * pool.input.width + place % side) * c;
                for ((y, at), x) in y.iter_mut().zip(places.iter_mut()).zip(&x[from..from + c]) {
                    // No number is larger than NaN, as in PyTorch.
                    let larger = *x > *y || x.is_nan();
                    *y = if larger { *x } else { *y };
                    *at = if larger { place as u8 } else { *at };
                }
            }
        }
    }
}

vectorised! {
    fn spread(pool: MaxPool, places: &[u8], gradient: &[f32], dx: &mut [f32]) {
        let (c, side, out) = (pool.input.channels, pool.side, pool.output());
        if out.height * side != pool.input.height || out.width * side != pool.input.width {
            dx.fill(0.0); // what lies in no window
        }
        for (window, (places, gradient)) in places.chunks_exact(c).zip(gradient.chunks_exact(c)).enumerate() {
            let corner = ((window / out.width) * side * pool.input.width + (window % out.width) * side) * c;
            for place in 0..side * side {
                let to = corner + ((place / side) * pool.input.width + place % side) * c;
                for ((dx, at), g) in dx[to..to + c].iter_mut().zip(places).zip(gradient) {
                    *dx = if *at == place as u8 { *g } else { 0.0 };
                }
            }
        }
    }
}
