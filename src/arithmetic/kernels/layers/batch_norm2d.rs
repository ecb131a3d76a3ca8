//! Batch normalisation (Ioffe and Szegedy 2015), as `torch.nn.BatchNorm2d` and `torch.nn.BatchNorm1d`. Sums over an image are f32, sums over the
//! images f64.

use super::{Backward, Forward, Layer, Shape};
use crate::simd::vectorised;
use crate::threads::for_each_job;

/// Maximum number of terms in a chain of additions. The chain is then added to a sum of chains: short chains keep
/// rounding errors small.
pub(super) const CHAIN: usize = 24;

/// Statistics of each channel over a batch.
#[derive(Clone, Debug, Default)]
struct Moments {
    mean: Vec<f32>,
    /// 1 / sqrt(variance + eps), with the biased variance.
    inverse: Vec<f32>,
    /// The unbiased variance, for the running variance.
    variance: Vec<f32>,
}

/// `torch.nn.BatchNorm2d` of `[images, height, width, channels]`; with height and width 1, `torch.nn.BatchNorm1d` of
/// `[images, channels]`. Parameters are `weight` and `bias`, buffers
/// `running_mean` and `running_var`, each `[channels]`.
///
/// A sum over an image's pixels is f32: chains of `CHAIN` pixels in row-major order, each from 0, then the chains in
/// order, from 0. A sum over images is f64, in order, from 0; the value computed from it is narrowed to f32 once.
#[derive(Clone, Debug)]
pub struct BatchNorm2d {
    shape: Shape,
    eps: f64,
    momentum: f64,
    relu: bool,
    /// The moments of the last training batch.
    moments: Moments,
    /// Working memory: two values per image and channel.
    per_image: Vec<f32>,
}

impl BatchNorm2d {
    /// A layer for images of this shape. `eps` is added to variances, `momentum` is the weight of a batch in the
    /// running statistics. With `relu`, the layer includes the ReLU that follows it.
    pub fn new(shape: Shape, eps: f64, momentum: f64, relu: bool) -> Self {
        Self { shape, eps, momentum, relu, moments: Moments::default(), per_image: Vec::new() }
    }

    /// y = fma(x - mean, inverse * weight, bias), then ReLU if `relu`.
    fn normalise(&self, pass: Forward, moments: &Moments) {
        let Forward { x, parameters, y, .. } = pass;
        let [weight, bias] = parameters else { panic!("batch normalisation has two parameters") };
        let scale = scale(weight, moments);
        let jobs = x.chunks_exact(self.shape.len()).zip(y.chunks_exact_mut(self.shape.len()));
        for_each_job(jobs, |(x, y)| normalise(x, &moments.mean, &scale, bias, self.relu, y));
    }

    /// Computes the moments of a batch.
    fn compute_moments(&mut self, x: &[f32]) {
        let (c, len) = (self.shape.channels, self.shape.len());
        // For each image: the mean of each channel, then the sum of squared deviations from that mean.
        self.per_image.resize(x.len() / len * 2 * c, 0.0);
        let jobs = x.chunks_exact(len).zip(self.per_image.chunks_exact_mut(2 * c));
        let images = jobs.len();
        for_each_job(jobs, |(x, sums)| image_moments(x, c, sums));
        let pixels = self.shape.pixels() as f64;
        let all = pixels * images as f64;
        let mut moments = Moments { mean: vec![0.0; c], inverse: vec![0.0; c], variance: vec![0.0; c] };
        for channel in 0..c {
            let of = |i: usize| [channel, c + channel].map(|at| f64::from(self.per_image[2 * c * i + at]));
            let mean = (0..images).fold(0.0, |sum, i| sum + of(i)[0]) / images as f64;
            // Combines the images' sums of squares (Chan, Golub and LeVeque 1983).
            let squares = (0..images).fold(0.0, |sum, i| {
                let [image_mean, within] = of(i);
                sum + within + pixels * (image_mean - mean) * (image_mean - mean)
            });
            moments.mean[channel] = mean as f32;
            moments.inverse[channel] = (1.0 / (squares / all + self.eps).sqrt()) as f32;
            moments.variance[channel] = (squares / if all > 1.0 { all - 1.0 } else { 1.0 }) as f32;
        }
        self.moments = moments;
    }
}

impl Layer for BatchNorm2d {
    fn evaluate(&self, pass: Forward) {
        let [mean, variance] = pass.buffers else { panic!("batch normalisation has two buffers") };
        let inverse = variance.iter().map(|v| (1.0 / (f64::from(*v) + self.eps).sqrt()) as f32).collect();
        self.normalise(pass, &Moments { mean: mean.clone(), inverse, variance: Vec::new() });
    }

    fn train(&mut self, pass: Forward) {
        self.compute_moments(pass.x);
        self.normalise(pass, &self.moments);
    }

    /// running = (1 - momentum) running + momentum batch, in f64, narrowed to f32 once.
    fn update_buffers(&self, buffers: &mut [Vec<f32>]) {
        for (buffer, batch) in buffers.iter_mut().zip([&self.moments.mean, &self.moments.variance]) {
            for (running, batch) in buffer.iter_mut().zip(batch) {
                *running = ((1.0 - self.momentum) * f64::from(*running) + self.momentum * f64::from(*batch)) as f32;
            }
        }
    }

    /// dx = scale * fma(-(x - mean), slope, gradient - mean(gradient)), where scale = inverse * weight and slope =
    /// mean(gradient * (x - mean)) * inverse². With `relu`, the gradient is 0 where y <= 0; y is computed again,
    /// because that is faster than reading it from memory.
    fn backward(&mut self, pass: Backward) {
        let (c, len, relu) = (self.shape.channels, self.shape.len(), self.relu);
        let Backward { x, output_gradient, parameters, input_gradient: dx, parameter_gradients, .. } = pass;
        let [weight_gradient, bias_gradient] = parameter_gradients else {
            panic!("batch normalisation has two parameters")
        };
        self.per_image.resize(x.len() / len * 2 * c, 0.0);
        let (per_image, moments) = (&mut self.per_image, &self.moments);
        let scale = scale(&parameters[0], moments);
        let affine = [&moments.mean, &scale, &parameters[1]].map(|values| &values[..]);
        let jobs = x.chunks_exact(len).zip(output_gradient.chunks_exact(len)).zip(per_image.chunks_exact_mut(2 * c));
        let images = jobs.len();
        for_each_job(jobs, |((x, g), sums)| image_sums(x, g, affine, relu, sums));
        let all = (x.len() / c) as f64;
        let (mut mean, mut slope) = (vec![0.0; c], vec![0.0; c]);
        for channel in 0..c {
            let sum = |at: usize| (0..images).fold(0.0, |sum, i| sum + f64::from(per_image[2 * c * i + at + channel]));
            let (plain, product, inverse) = (sum(0), sum(c), f64::from(moments.inverse[channel]));
            mean[channel] = (plain / all) as f32;
            slope[channel] = (product * inverse * inverse / all) as f32;
            bias_gradient[channel] = plain as f32;
            weight_gradient[channel] = (product * inverse) as f32;
        }
        let Some(dx) = dx else { return };
        let jobs = x.chunks_exact(len).zip(output_gradient.chunks_exact(len)).zip(dx.chunks_exact_mut(len));
        for_each_job(jobs, |((x, g), dx)| input_gradient(x, g, affine, [&mean, &slope], relu, dx));
    }
}

/// The factor of each channel's deviation from the mean.
fn scale(weight: &[f32], moments: &Moments) -> Vec<f32> {
    weight.iter().zip(&moments.inverse).map(|(w, i)| w * i).collect()
}

/// A value before ReLU, from its deviation from the mean.
#[inline(always)]
fn scaled(deviation: f32, scale: f32, bias: f32) -> f32 {
    deviation.mul_add(scale, bias)
}

vectorised! {
    /// Writes the mean of each channel, then the sum of squared deviations from it.
    fn image_moments(x: &[f32], c: usize, sums: &mut [f32]) {
        sums.fill(0.0);
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
                let value = scaled(pixel[i] - mean[i], scale[i], bias[i]);
                y[i] = if relu && value <= 0.0 { 0.0 } else { value };
            }
        }
    }
}

vectorised! {
    /// Writes the sum of the gradient of each channel, then the sum of its products with x - mean. `affine` holds the
    /// mean, the scale and the bias of each channel.
    fn image_sums(x: &[f32], gradient: &[f32], affine: [&[f32]; 3], relu: bool, out: &mut [f32]) {
        let c = affine[0].len();
        let [mean, scale, bias] = affine.map(|values| &values[..c]);
        out.fill(0.0);
        let (plain, product) = out.split_at_mut(c);
        let mut chains = vec![0.0; 2 * c];
        for (x, gradient) in x.chunks(CHAIN * c).zip(gradient.chunks(CHAIN * c)) {
            chains.fill(0.0);
            let (sums, products) = chains.split_at_mut(c);
            let (sums, products) = (&mut sums[..c], &mut products[..c]);
            for (x, g) in x.chunks_exact(c).zip(gradient.chunks_exact(c)) {
                for i in 0..c {
                    let deviation = x[i] - mean[i];
                    let g = if relu && scaled(deviation, scale[i], bias[i]) <= 0.0 { 0.0 } else { g[i] };
                    sums[i] += g;
                    products[i] = g.mul_add(deviation, products[i]);
                }
            }
            plain.iter_mut().zip(sums).for_each(|(sum, x)| *sum += *x);
            product.iter_mut().zip(products).for_each(|(sum, x)| *sum += *x);
        }
    }
}

vectorised! {
    /// Writes the gradient of the input. `affine` is as in `image_sums`; `terms` holds the mean gradient and the slope
    /// of each channel.
    fn input_gradient(
        x: &[f32],
        gradient: &[f32],
        affine: [&[f32]; 3],
        terms: [&[f32]; 2],
        relu: bool,
        dx: &mut [f32],
    ) {
        let c = affine[0].len();
        let ([mean, scale, bias], [average, slope]) = (affine.map(|v| &v[..c]), terms.map(|v| &v[..c]));
        for ((x, g), dx) in x.chunks_exact(c).zip(gradient.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
            for i in 0..c {
                let deviation = x[i] - mean[i];
                let g = if relu && scaled(deviation, scale[i], bias[i]) <= 0.0 { 0.0 } else { g[i] };
                dx[i] = scale[i] * (-deviation).mul_add(slope[i], g - average[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, differences, dot, drawn, near, same_bits, wide};

    /// Batch normalisation in training by its definition.
    fn normalised(x: &[f64], c: usize, [weight, bias]: [&[f64]; 2], eps: f64, relu: bool) -> Vec<f64> {
        let pixels = x.len() / c;
        let mut y = vec![0.0; x.len()];
        for channel in 0..c {
            let of = |p: usize| x[p * c + channel];
            let mean = (0..pixels).map(of).sum::<f64>() / pixels as f64;
            let variance = (0..pixels).map(|p| (of(p) - mean).powi(2)).sum::<f64>() / pixels as f64;
            for p in 0..pixels {
                let value = (of(p) - mean) / (variance + eps).sqrt() * weight[channel] + bias[channel];
                y[p * c + channel] = if relu { value.max(0.0) } else { value };
            }
        }
        y
    }

    #[test]
    fn training_agrees_with_the_definition_and_its_gradients() {
        for (i, (images, side, channels, relu)) in [
            (4, 3, 16, false),
            (9, 2, 5, true),
            (1, 4, 33, true),
            (3, 1, 3, false),
            (40, 1, 37, true),
            (40, 5, 2, true),
        ]
        .into_iter()
        .enumerate()
        {
            let shape = Shape { height: side, width: side, channels };
            // The mean is far from zero, so that a numerically unstable variance would lose digits.
            let x: Vec<f32> = drawn(images * shape.len(), &format!("n{i}")).iter().map(|v| v + 5.0).collect();
            let parameters = [drawn(channels, &format!("nw{i}")), drawn(channels, &format!("nb{i}"))];
            let buffers = [vec![0.0; channels], vec![1.0; channels]];
            let gradient = drawn(x.len(), &format!("ng{i}"));
            let got = same_bits(|| {
                computed(&mut BatchNorm2d::new(shape, 1e-5, 0.1, relu), &x, [&parameters, &buffers], &gradient)
            });
            let plain = |x: &[f64], w: &[f64], b: &[f64]| normalised(x, channels, [w, b], 1e-5, relu);
            let (x, weight, bias) = (wide(&x), wide(&parameters[0]), wide(&parameters[1]));
            near("y", &got.y, &plain(&x, &weight, &bias), 1e-5);
            near("dx", &got.dx, &differences(&x, |x| dot(&plain(x, &weight, &bias), &gradient)), 1e-4);
            let [dw, db] = &got.parameters[..] else { panic!() };
            near("dw", dw, &differences(&weight, |w| dot(&plain(&x, w, &bias), &gradient)), 1e-4);
            near("db", db, &differences(&bias, |b| dot(&plain(&x, &weight, b), &gradient)), 1e-4);
        }
    }

    #[test]
    fn buffers_follow_the_batch_and_evaluation_uses_them() {
        let shape = Shape { height: 3, width: 2, channels: 2 };
        let x: Vec<f32> = drawn(3 * shape.len(), "running").iter().map(|v| v + 5.0).collect();
        let parameters = [vec![2.0, 0.5], vec![0.25, -0.5]];
        let mut buffers = [vec![1.0, -1.0], vec![4.0, 0.25]];
        let mut norm = BatchNorm2d::new(shape, 1e-3, 0.25, true);
        let mut y = vec![f32::NAN; x.len()];
        norm.train(Forward { x: &x, skip: &[], parameters: &parameters, buffers: &buffers, y: &mut y });
        norm.update_buffers(&mut buffers);
        let start = [[1.0, 4.0], [-1.0, 0.25]];
        for channel in 0..2 {
            let values: Vec<f64> = wide(&x).into_iter().skip(channel).step_by(2).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            // The variance for the running statistics is unbiased.
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0);
            let [running_mean, running_var] = start[channel];
            let expected = [0.75 * running_mean + 0.25 * mean, 0.75 * running_var + 0.25 * variance];
            near("running", &[buffers[0][channel], buffers[1][channel]], &expected, 1e-6);
        }
        norm.evaluate(Forward { x: &x, skip: &[], parameters: &parameters, buffers: &buffers, y: &mut y });
        let value = |(i, x): (usize, f64)| {
            let [mean, variance] = [0, 1].map(|b: usize| f64::from(buffers[b][i % 2]));
            let [weight, bias] = [0, 1].map(|p: usize| f64::from(parameters[p][i % 2]));
            ((x - mean) / (variance + 1e-3).sqrt() * weight + bias).max(0.0)
        };
        near("y", &y, &wide(&x).into_iter().enumerate().map(value).collect::<Vec<_>>(), 1e-6);
    }
}
