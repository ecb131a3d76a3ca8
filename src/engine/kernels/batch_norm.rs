//! Batch normalisation in training (Ioffe and Szegedy 2015), as PyTorch's `batch_norm`. Sums over an image are f32, sums over
//! the images f64.

use super::{Gradients, Shape, for_each_job, vectorised};

/// Statistics of each channel over a batch.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub mean: Vec<f32>,
    /// 1 / sqrt(variance + eps), with the biased variance.
    pub inverse: Vec<f32>,
    /// The unbiased variance, for the running variance.
    pub variance: Vec<f32>,
}

/// Batch normalisation of `[images, h, w, c]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchNorm {
    pub shape: Shape,
    pub eps: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
}

impl BatchNorm {
    /// Computes the moments of a batch `x`.
    pub(crate) fn moments(self, x: &[f32]) -> Moments {
        let c = self.shape.channels;
        // For each image: the mean of each channel, then the sum of squared deviations from that mean.
        let mut per_image = vec![0.0; x.len() / self.shape.len() * 2 * c];
        let jobs = x.chunks_exact(self.shape.len()).zip(per_image.chunks_exact_mut(2 * c));
        let images = jobs.len();
        for_each_job(jobs, |(x, sums)| image_moments(x, c, sums));
        let pixels = self.shape.pixels() as f64;
        let all = pixels * images as f64;
        let mut moments = Moments { mean: vec![0.0; c], inverse: vec![0.0; c], variance: vec![0.0; c] };
        for channel in 0..c {
            let of = |i: usize| [channel, c + channel].map(|at| f64::from(per_image[2 * c * i + at]));
            let mean = (0..images).fold(0.0, |sum, i| sum + of(i)[0]) / images as f64;
            // Combines the images' sums of squares (Chan, Golub and LeVeque 1983).
            let squares = (0..images).fold(0.0, |sum, i| {
                let [image_mean, within] = of(i);
                sum + within + pixels * (image_mean - mean) * (image_mean - mean)
            });
            moments.mean[channel] = mean as f32;
            moments.inverse[channel] = (1.0 / (squares / all + self.eps).sqrt()) as f32;
            moments.variance[channel] = (squares / (all - 1.0).max(1.0)) as f32;
        }
        moments
    }

    /// Computes `y = (x - mean) * inverse * weight + bias`, followed by ReLU if `relu`.
    pub(crate) fn forward(self, x: &[f32], moments: &Moments, weight: &[f32], bias: &[f32], y: &mut [f32]) {
        let scale: Vec<f32> = weight.iter().zip(&moments.inverse).map(|(w, i)| w * i).collect();
        let jobs = x.chunks_exact(self.shape.len()).zip(y.chunks_exact_mut(self.shape.len()));
        for_each_job(jobs, |(x, y)| normalise(x, &moments.mean, &scale, bias, self.relu, y));
    }

    /// Computes `gradients` from `output_gradient`, the gradient of `y`.
    pub(crate) fn backward(
        self,
        [x, y, output_gradient]: [&[f32]; 3],
        moments: &Moments,
        weight: &[f32],
        gradients: Gradients,
    ) {
        let (c, len) = (self.shape.channels, self.shape.len());
        let mut per_image = vec![0.0; x.len() / len * 2 * c];
        let jobs = x.chunks_exact(len).zip(y.chunks_exact(len)).zip(output_gradient.chunks_exact(len));
        let jobs = jobs.zip(per_image.chunks_exact_mut(2 * c));
        let images = jobs.len();
        for_each_job(jobs, |(((x, y), g), sums)| image_sums(x, y, g, &moments.mean, self.relu, sums));
        let all = (x.len() / c) as f64;
        // dx = scale * (gradient - mean - (x - mean of x) * slope).
        let (mut mean, mut slope, mut scale) = (vec![0.0; c], vec![0.0; c], vec![0.0; c]);
        for channel in 0..c {
            let sum = |at: usize| (0..images).fold(0.0, |sum, i| sum + f64::from(per_image[2 * c * i + at + channel]));
            let (plain, product, inverse) = (sum(0), sum(c), f64::from(moments.inverse[channel]));
            mean[channel] = (plain / all) as f32;
            slope[channel] = (product * inverse * inverse / all) as f32;
            scale[channel] = weight[channel] * moments.inverse[channel];
            gradients.bias[channel] = plain as f32;
            gradients.weight[channel] = (product * inverse) as f32;
        }
        let Some(dx) = gradients.x else { return };
        let terms = [&moments.mean[..], &mean, &slope, &scale];
        let jobs = x.chunks_exact(len).zip(y.chunks_exact(len)).zip(output_gradient.chunks_exact(len));
        let jobs = jobs.zip(dx.chunks_exact_mut(len));
        for_each_job(jobs, |(((x, y), g), dx)| input_gradient(x, y, g, terms, self.relu, dx));
    }
}

/// Pixels that are added to one partial sum before it is added to an image's sum. Short chains of additions keep rounding
/// errors small.
const CHAIN: usize = 24;

vectorised! {
    /// Writes the mean of each channel, then the sum of squared deviations from it.
    fn image_moments(x: &[f32], c: usize, sums: &mut [f32]) {
        let (mean, squares) = sums.split_at_mut(c);
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
    /// Writes the sum of the gradient of each channel, then the sum of its products with x - mean.
    fn image_sums(x: &[f32], y: &[f32], gradient: &[f32], mean: &[f32], relu: bool, out: &mut [f32]) {
        let c = mean.len();
        let (plain, product) = out.split_at_mut(c);
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
    /// `terms` are the mean of `x`, the mean gradient, the slope and the scale of each channel.
    fn input_gradient(x: &[f32], y: &[f32], gradient: &[f32], terms: [&[f32]; 4], relu: bool, dx: &mut [f32]) {
        let c = terms[0].len();
        let [mean, average, slope, scale] = terms.map(|t| &t[..c]);
        let rows = x.chunks_exact(c).zip(y.chunks_exact(c)).zip(gradient.chunks_exact(c)).zip(dx.chunks_exact_mut(c));
        for (((x, y), g), dx) in rows {
            for i in 0..c {
                let g = if relu && y[i] <= 0.0 { 0.0 } else { g[i] };
                dx[i] = scale[i] * (-(x[i] - mean[i])).mul_add(slope[i], g - average[i]);
            }
        }
    }
}
