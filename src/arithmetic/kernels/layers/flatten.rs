//! Flattening, as `torch.nn.Flatten`, and the conversions between channels last (this program) and channels first
//! (PyTorch).

use super::{Backward, Forward, Layer, Shape};
use crate::simd::{LANES, vectorised};
use crate::threads::for_each_job;

/// `torch.nn.Flatten`: `[images, height, width, channels]` in memory becomes `[images, features]`, and the features
/// have PyTorch's order `[channels, height, width]`. No value changes.
#[derive(Clone, Copy, Debug)]
pub struct Flatten {
    shape: Shape,
}

impl Flatten {
    /// A layer for images of this shape.
    pub fn new(shape: Shape) -> Self {
        Self { shape }
    }
}

impl Layer for Flatten {
    fn evaluate(&self, pass: Forward) {
        to_channels_first(self.shape, pass.x, pass.y);
    }

    fn backward(&mut self, pass: Backward) {
        if let Some(dx) = pass.input_gradient {
            to_channels_last(self.shape, pass.output_gradient, dx);
        }
    }
}

/// Copies `[images, height, width, channels]` to `[images, channels, height, width]`.
pub(super) fn to_channels_first(shape: Shape, from: &[f32], to: &mut [f32]) {
    transpose_images(from, to, [shape.pixels(), shape.channels]);
}

/// Copies `[images, channels, height, width]` to `[images, height, width, channels]`.
pub fn to_channels_last(shape: Shape, from: &[f32], to: &mut [f32]) {
    transpose_images(from, to, [shape.channels, shape.pixels()]);
}

fn transpose_images(from: &[f32], to: &mut [f32], [rows, columns]: [usize; 2]) {
    if rows == 1 || columns == 1 {
        to.copy_from_slice(from);
        return;
    }
    let len = rows * columns;
    for_each_job(from.chunks_exact(len).zip(to.chunks_exact_mut(len)), |(from, to)| {
        transpose(from, to, rows, columns);
    });
}

vectorised! {
    /// Copies a matrix `[rows, columns]` to `[columns, rows]`, in tiles that fit into the L1 cache.
    fn transpose(from: &[f32], to: &mut [f32], rows: usize, columns: usize) {
        for first_row in (0..rows).step_by(LANES) {
            for first_column in (0..columns).step_by(LANES) {
                if first_row + LANES <= rows && first_column + LANES <= columns {
                    let mut tile = [[0.0; LANES]; LANES];
                    for (i, row) in tile.iter_mut().enumerate() {
                        row.copy_from_slice(&from[(first_row + i) * columns + first_column..][..LANES]);
                    }
                    for column in 0..LANES {
                        let to = &mut to[(first_column + column) * rows + first_row..][..LANES];
                        for (to, row) in to.iter_mut().zip(&tile) {
                            *to = row[column];
                        }
                    }
                    continue;
                }
                for row in first_row..rows.min(first_row + LANES) {
                    for column in first_column..columns.min(first_column + LANES) {
                        to[column * rows + row] = from[row * columns + column];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, drawn, same_bits};

    #[test]
    fn features_have_the_order_of_pytorch() {
        for (images, height, width, channels) in
            [(1, 1, 1, 5), (3, 4, 3, 1), (9, 5, 7, 33), (40, 4, 8, 16), (2, 1, 1, 1)]
        {
            let shape = Shape { height, width, channels };
            let (x, gradient) = (drawn(images * shape.len(), "flat"), drawn(images * shape.len(), "flat gradient"));
            let got = same_bits(|| computed(&mut Flatten::new(shape), &x, [&[], &[]], &gradient));
            for image in 0..images {
                for (pixel, channel) in (0..shape.pixels()).flat_map(|p| (0..channels).map(move |c| (p, c))) {
                    let from = image * shape.len() + pixel * channels + channel;
                    let to = image * shape.len() + channel * shape.pixels() + pixel;
                    assert_eq!([got.y[to], got.dx[from]], [x[from], gradient[to]]);
                }
            }
            assert_eq!(got.evaluated, got.y);
        }
    }
}
