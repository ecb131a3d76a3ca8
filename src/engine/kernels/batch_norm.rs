//! Batch normalisation over images and pixels (Ioffe and Szegedy 2015), as PyTorch's `batch_norm` in training.
//!
//! Owns means and variances over a batch: of each image in f32, of all images together in f64.

use super::{Shape, each, vectorised};

/// The mean of each channel over a batch, and the inverse of its standard deviation (biased, with `eps`).
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub mean: Vec<f32>,
    pub inverse: Vec<f32>,
    /// Unbiased, as the running variance takes it in.
    pub variance: Vec<f32>,
}

/// A normalisation of `[images, h, w, c]`, with a ReLU behind it where `relu`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNorm {
    pub shape: Shape,
    pub eps: f64,
    pub relu: bool,
}

impl BatchNorm {
    /// The batch's moments.
    pub(crate) fn moments(self, x: &[f32]) -> Moments {
        let c = self.shape.channels;
        // Of each image the means, then the sums of squared deviations from them.
        let mut own = vec![0.0; x.len() / self.shape.len() * 2 * c];
        let jobs = x.chunks_exact(self.shape.len()).zip(own.chunks_exact_mut(2 * c));
        let images = jobs.len();
        each(jobs, images, || (), |(x, own), ()| image_moments(x, c, own));
        let pixels = self.shape.pixels() as f64;
        let all = pixels * images as f64;
        let mut moments = Moments { mean: vec![0.0; c], inverse: vec![0.0; c], variance: vec![0.0; c] };
        for channel in 0..c {
            let of = |i: usize| (f64::from(own[2 * c * i + channel]), f64::from(own[2 * c * i + c + channel]));
            let mean = (0..images).fold(0.0, |sum, i| sum + of(i).0) / images as f64;
            // Chan, Golub and LeVeque 1983.
            let squares = (0..images).fold(0.0, |sum, i| {
                let (own, within) = of(i);
                sum + within + pixels * (own - mean) * (own - mean)
            });
            moments.mean[channel] = mean as f32;
            moments.inverse[channel] = (1.0 / (squares / all + self.eps).sqrt()) as f32;
            moments.variance[channel] = (squares / (all - 1.0).max(1.0)) as f32;
        }
        moments
    }

    /// `y = (x - mean) inverse weight + bias`.
    pub(crate) fn forward(self, x: &[f32], moments: &Moments, weight: &[f32], bias: &[f32], y: &mut [f32]) {
        let scale: Vec<f32> = weight.iter().zip(&moments.inverse).map(|(w, i)| w * i).collect();
        let jobs = x.chunks_exact(self.shape.len()).zip(y.chunks_exact_mut(self.shape.len()));
        let count = jobs.len();
        each(jobs, count, || (), |(x, y), ()| normalise(x, &moments.mean, &scale, bias, self.relu, y));
    }

    /// Gradients of a loss with respect to `x`, `weight` and `bias`, from the one with respect to `y`.
    #[allow(clippy::too_many_arguments)] // what the forward pass had, and a gradient for each
    pub(crate) fn backward(
        self,
        x: &[f32],
        y: &[f32],
        moments: &Moments,
        weight: &[f32],
        gradient: &[f32],
        dx: &mut [f32],
        dweight: &mut [f32],
        dbias: &mut [f32],
    ) {
        let (c, len) = (self.shape.channels, self.shape.len());
        let mut own = vec![0.0; x.len() / len * 2 * c];
        let jobs = x.chunks_exact(len).zip(y.chunks_exact(len)).zip(gradient.chunks_exact(len));
        let jobs = jobs.zip(own.chunks_exact_mut(2 * c));
        let images = jobs.len();
        each(jobs, images, || (), |(((x, y), g), own), ()| image_sums(x, y, g, &moments.mean, self.relu, own));
        let all = (x.len() / c) as f64;
        // The mean gradient, and what of the deviation it takes back.
        let (mut mean, mut slope, mut scale) = (vec![0.0; c], vec![0.0; c], vec![0.0; c]);
        for channel in 0..c {
            let sum = |at: usize| (0..images).fold(0.0, |sum, i| sum + f64::from(own[2 * c * i + at + channel]));
            let (plain, product, inverse) = (sum(0), sum(c), f64::from(moments.inverse[channel]));
            mean[channel] = (plain / all) as f32;
            slope[channel] = (product * inverse * inverse / all) as f32;
            scale[channel] = weight[channel] * moments.inverse[channel];
            dbias[channel] = plain as f32;
            dweight[channel] = (product * inverse) as f32;
        }
        let jobs = x.chunks_exact(len).zip(y.chunks_exact(len)).zip(gradient.chunks_exact(len));
        let jobs = jobs.zip(dx.chunks_exact_mut(len));
        each(
            jobs,
            images,
            || (),
            |(((x, y), g), dx), ()| {
                take_back(x, y, g, &moments.mean, [&mean, &slope, &scale], self.relu, dx);
            },
        );
    }
}

/// So many pixels are summed up on their own before they go into an image's sum: chains of additions stay short, and so do
/// their rounding errors.
const CHAIN: usize = 24;

vectorised! {
    fn image_moments(x: &[f32], c: usize, own: &mut [f32]) {
        let (mean, squares) = own.split_at_mut(c);
        let mut chain = vec![0.0; c];
        for pixels in x.chunks(CHAIN * c) {
            chain.fill(0.0);
            for pixel in pixels.chunks_exact(c) {
                for (sum, x) in chain.iter_mut().zip(pixel) {
                    *sum += x;
                }
            }
            mean.iter_mut().zip(&chain).for_each(|(sum, x)| *sum += x);
        }
        let pixels = (x.len() / c) as f32;
        for sum in mean.iter_mut() {
            *sum /= pixels;
        }
        for pixels in x.chunks(CHAIN * c) {
            chain.fill(0.0);
            for pixel in pixels.chunks_exact(c) {
                for ((sum, mean), x) in chain.iter_mut().zip(mean.iter()).zip(pixel) {
                    let deviation = x - mean;
                    *sum = deviation.mul_add(deviation, *sum);
                }
            }
            squares.iter_mut().zip(&chain).for_each(|(sum, x)| *sum += x);
        }
    }
}

vectorised! {
    fn normalise(x: &[f32], mean: &[f32], scale: &[f32], bias: &[f32], relu: bool, y: &mut [f32]) {
        let c = mean.len();
        let (mean, scale, bias) = (&mean[..c], &scale[..c], &bias[..c]);
        for (pixel, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            for i in 0..c {
                let value = (pixel[i] - mean[i]).mul_add(scale[i], bias[i]);
                y[i] = if relu && value <= 0.0 { 0.0 } else { value };
            }
        }
    }
}

vectorised! {
    fn image_sums(x: &[f32], y: &[f32], gradient: &[f32], mean: &[f32], relu: bool, own: &mut [f32]) {
        let c = mean.len();
        let (plain, product) = own.split_at_mut(c);
        let mut chains = vec![0.0; 2 * c];
        let blocks = x.chunks(CHAIN * c).zip(y.chunks(CHAIN * c)).zip(gradient.chunks(CHAIN * c));
        for ((x, y), gradient) in blocks {
            chains.fill(0.0);
            let (sums, products) = chains.split_at_mut(c);
            let (sums, products, mean) = (&mut sums[..c], &mut products[..c], &mean[..c]);
            for ((x, y), g) in x.chunks_exact(c).zip(y.chunks_exact(c)).zip(gradient.chunks_exact(c)) {
                for i in 0..c {
                    let g = if relu && y[i] <= 0.0 { 0.0 } else { g[i] };
                    sums[i] += g;
                    products[i] = g.mul_add(x[i] - mean[i], products[i]);
                }
            }
            plain.iter_mut().zip(sums).for_each(|(sum, x)| *sum += *x);
            product.iter_mut().zip(products).for_each(|(sum, x)| *sum += *x);
        }
    }
}

vectorised! {
    #[allow(clippy::too_many_arguments, reason = "a buffer for each value of the formula")]
    fn take_back(x: &[f32], y: &[f32], gradient: &[f32], mean: &[f32], terms: [&[f32]; 3], relu: bool, dx: &mut [f32]) {
        let c = mean.len();
        let (mean, [average, slope, scale]) = (&mean[..c], terms.map(|t| &t[..c]));
        let rows = x.chunks_exact(c).zip(y.chunks_exact(c)).zip(gradient.chunks_exact(c)).zip(dx.chunks_exact_mut(c));
        for (((x, y), g), dx) in rows {
            for i in 0..c {
                let g = if relu && y[i] <= 0.0 { 0.0 } else { g[i] };
                dx[i] = scale[i] * (-(x[i] - mean[i])).mul_add(slope[i], g - average[i]);
            }
        }
    }
}
