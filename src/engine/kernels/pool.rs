//! Max pooling over windows that do not overlap, as PyTorch's `max_pool2d` with `stride = kernel_size`. If several values of a
//! window are the largest, the first one counts.

use super::{Shape, for_each_job, vectorised};

/// Max pooling `[images, h, w, c] -> [images, h / side, w / side, c]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaxPool {
    pub input: Shape,
    /// Side of the window; at most 15, so that a byte can hold a position in the window.
    pub side: usize,
}

impl MaxPool {
    /// The shape of one image's output.
    pub(crate) fn output_shape(self) -> Shape {
        Shape { height: self.input.height / self.side, width: self.input.width / self.side, ..self.input }
    }

    /// Computes `y`. Returns the position of each maximum in its window, counted row by row.
    pub(crate) fn forward(self, x: &[f32], y: &mut [f32]) -> Vec<u8> {
        let mut positions = vec![0; y.len()];
        let out = self.output_shape().len();
        let jobs = x.chunks_exact(self.input.len()).zip(y.chunks_exact_mut(out)).zip(positions.chunks_exact_mut(out));
        for_each_job(jobs, |((x, y), positions)| find_maxima(self, x, y, positions));
        positions
    }

    /// Computes the gradient of `x` from `gradient`, the gradient of `y`, and the positions that `forward` returned.
    pub(crate) fn backward(self, positions: &[u8], gradient: &[f32], dx: &mut [f32]) {
        let out = self.output_shape().len();
        let jobs =
            positions.chunks_exact(out).zip(gradient.chunks_exact(out)).zip(dx.chunks_exact_mut(self.input.len()));
        for_each_job(jobs, |((positions, gradient), dx)| scatter_gradient(self, positions, gradient, dx));
    }
}

vectorised! {
    fn find_maxima(pool: MaxPool, x: &[f32], y: &mut [f32], positions: &mut [u8]) {
        let (c, side, out) = (pool.input.channels, pool.side, pool.output_shape());
        for (window, (y, positions)) in y.chunks_exact_mut(c).zip(positions.chunks_exact_mut(c)).enumerate() {
            let corner = ((window / out.width) * side * pool.input.width + (window % out.width) * side) * c;
            y.copy_from_slice(&x[corner..corner + c]);
            positions.fill(0);
            for position in 1..side * side {
                let from = corner + ((position / side) * pool.input.width + position % side) * c;
                for ((y, at), x) in y.iter_mut().zip(positions.iter_mut()).zip(&x[from..from + c]) {
                    // NaN is larger than any number, as in PyTorch.
                    let larger = *x > *y || x.is_nan();
                    *y = if larger { *x } else { *y };
                    *at = if larger { position as u8 } else { *at };
                }
            }
        }
    }
}

vectorised! {
    fn scatter_gradient(pool: MaxPool, positions: &[u8], gradient: &[f32], dx: &mut [f32]) {
        let (c, side, out) = (pool.input.channels, pool.side, pool.output_shape());
        if out.height * side != pool.input.height || out.width * side != pool.input.width {
            dx.fill(0.0); // some pixels are in no window
        }
        for (window, (positions, gradient)) in positions.chunks_exact(c).zip(gradient.chunks_exact(c)).enumerate() {
            let corner = ((window / out.width) * side * pool.input.width + (window % out.width) * side) * c;
            for position in 0..side * side {
                let to = corner + ((position / side) * pool.input.width + position % side) * c;
                for ((dx, at), g) in dx[to..to + c].iter_mut().zip(positions).zip(gradient) {
                    *dx = if *at == position as u8 { *g } else { 0.0 };
                }
            }
        }
    }
}
