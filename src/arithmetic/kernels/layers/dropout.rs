//! Dropout (Srivastava et al. 2014), as `torch.nn.Dropout`.

use super::elementwise::BLOCK;
use super::flatten::to_channels_last;
use super::{Backward, Forward, Layer, Shape};
use crate::simd::vectorised;
use crate::threads::for_each_job;

/// `torch.nn.Dropout` of activations `[images, height, width, channels]` or `[images, features]`: y = x mask in
/// training and y = x in evaluation. The mask holds 0 or 1 / (1 - p). The gradient of x is the gradient of y times the
/// mask.
#[derive(Clone, Debug)]
pub struct Dropout {
    shape: Shape,
    /// The mask, in the order of the activations in memory. Ignored unless `has_mask`; kept so that the next mask
    /// reuses its memory.
    mask: Vec<f32>,
    has_mask: bool,
}

impl Dropout {
    /// A layer for activations of this shape. It drops nothing until it has a mask.
    pub fn new(shape: Shape) -> Self {
        Self { shape, mask: Vec::new(), has_mask: false }
    }
}

impl Layer for Dropout {
    fn evaluate(&self, pass: Forward) {
        pass.y.copy_from_slice(pass.x);
    }

    /// # Panics
    /// The mask's length differs from the input's.
    fn train(&mut self, pass: Forward) {
        if self.has_mask {
            multiply(pass.x, &self.mask, pass.y);
        } else {
            pass.y.copy_from_slice(pass.x);
        }
    }

    fn set_mask(&mut self, mask: Option<&[f32]>) {
        self.has_mask = mask.is_some();
        if let Some(mask) = mask {
            self.mask.resize(mask.len(), 0.0);
            to_channels_last(self.shape, mask, &mut self.mask);
        }
    }

    fn backward(&mut self, pass: Backward) {
        let Some(dx) = pass.input_gradient else { return };
        if self.has_mask {
            multiply(pass.output_gradient, &self.mask, dx);
        } else {
            dx.copy_from_slice(pass.output_gradient);
        }
    }
}

fn multiply(values: &[f32], mask: &[f32], out: &mut [f32]) {
    assert_eq!(values.len(), mask.len(), "values and dropout mask");
    let jobs = values.chunks(BLOCK).zip(mask.chunks(BLOCK)).zip(out.chunks_mut(BLOCK));
    for_each_job(jobs, |((values, mask), out)| multiply_block(values, mask, out));
}

vectorised! {
    fn multiply_block(values: &[f32], mask: &[f32], out: &mut [f32]) {
        for ((value, mask), out) in values.iter().zip(mask).zip(out) {
            *out = *value * *mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, drawn, same_bits};

    #[test]
    fn the_mask_has_the_order_of_pytorch() {
        for (images, height, width, channels) in [(1, 1, 1, 40), (3, 5, 4, 1), (9, 3, 5, 17), (40, 6, 6, 32)] {
            let shape = Shape { height, width, channels };
            let n = images * shape.len();
            let (x, gradient) = (drawn(n, "dropped"), drawn(n, "dropped gradient"));
            let mask: Vec<f32> = drawn(n, "mask").iter().map(|v| if *v < 0.0 { 0.0 } else { 1.25 }).collect();
            let got = same_bits(|| {
                let mut dropout = Dropout::new(shape);
                dropout.set_mask(Some(&mask));
                computed(&mut dropout, &x, [&[], &[]], &gradient)
            });
            for i in 0..n {
                let (image, pixel, channel) = (i / shape.len(), i / channels % shape.pixels(), i % channels);
                let value = mask[image * shape.len() + channel * shape.pixels() + pixel];
                assert_eq!([got.y[i], got.dx[i]], [x[i] * value, gradient[i] * value]);
            }
            assert_eq!(got.evaluated, x);
        }
    }

    #[test]
    fn without_a_mask_every_value_is_kept() {
        let mut dropout = Dropout::new(Shape { height: 2, width: 2, channels: 2 });
        dropout.set_mask(Some(&[0.0; 8]));
        dropout.set_mask(None);
        let (x, gradient) = (drawn(16, "kept"), drawn(16, "kept gradient"));
        let got = computed(&mut dropout, &x, [&[], &[]], &gradient);
        assert_eq!([got.evaluated, got.y, got.dx], [x.clone(), x, gradient]);
    }
}
