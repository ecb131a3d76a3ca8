//! Layer normalisation (Ba, Kiros and Hinton 2016), as `torch.nn.LayerNorm` over the whole shape of an image.

use super::batch_norm2d::CHAIN;
use super::flatten::{to_channels_first, to_channels_last};
use super::{Backward, Forward, Layer, Shape};
use crate::simd::{LANES, Vector, lane, vectorised};
use crate::threads::for_each_job;

/// Mean and 1 / sqrt(variance + eps) of an image, with the biased variance.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    /// The mean, rounded, and its rounding error. Without the second part, every value of the image would have the same
    /// error, which would add up in the next layer.
    mean: [f32; 2],
    inverse: f32,
}

impl Moments {
    /// (x - mean) inverse.
    #[inline(always)]
    fn normalised(self, x: f32) -> f32 {
        self.deviation(x) * self.inverse
    }

    /// x - mean.
    #[inline(always)]
    fn deviation(self, x: f32) -> f32 {
        (x - self.mean[0]) - self.mean[1]
    }
}

/// Number of consecutive weights and biases whose gradients one job computes.
const POSITIONS: usize = 256;

/// `torch.nn.LayerNorm` of `[images, height, width, channels]` or `[images, features]`. Parameters are `weight` and
/// `bias`, each `[channels, height, width]` or `[features]`.
///
/// A sum over an image is computed as in `sums`. A sum over images is f32: chains of `CHAIN` images in order, each from
/// 0, then the chains in order, from 0.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    shape: Shape,
    eps: f64,
    /// The moments of each image of the last training step.
    moments: Vec<Moments>,
}

impl LayerNorm {
    /// A layer for activations of this shape. `eps` is added to variances.
    pub fn new(shape: Shape, eps: f64) -> Self {
        Self { shape, eps, moments: Vec::new() }
    }

    /// Writes each image's moments and y = ((x - mean) inverse) weight + bias, where the last product and sum are
    /// fused.
    fn forward(&self, pass: Forward, moments: &mut [Moments]) {
        let Forward { x, parameters, y, .. } = pass;
        let [weight, bias] = parameters else { panic!("layer normalisation has two parameters") };
        let [weight, bias] = [weight, bias].map(|values| self.in_memory_order(values));
        let len = self.shape.len();
        let jobs = x.chunks_exact(len).zip(y.chunks_exact_mut(len)).zip(moments);
        for_each_job(jobs, |((x, y), moments)| {
            image_moments(x, self.eps, moments);
            normalise(x, *moments, &weight, &bias, y);
        });
    }

    /// A parameter's values in the order of the activations in memory.
    fn in_memory_order(&self, values: &[f32]) -> Vec<f32> {
        let mut ordered = vec![0.0; values.len()];
        to_channels_last(self.shape, values, &mut ordered);
        ordered
    }
}

impl Layer for LayerNorm {
    fn evaluate(&self, pass: Forward) {
        let mut moments = vec![Moments::default(); pass.x.len() / self.shape.len()];
        self.forward(pass, &mut moments);
    }

    fn train(&mut self, pass: Forward) {
        let mut moments = std::mem::take(&mut self.moments);
        moments.resize(pass.x.len() / self.shape.len(), Moments::default());
        self.forward(pass, &mut moments);
        self.moments = moments;
    }

    fn backward(&mut self, pass: Backward) {
        let (len, x, gradient) = (self.shape.len(), pass.x, pass.output_gradient);
        let [weight_gradient, bias_gradient] = pass.parameter_gradients else {
            panic!("layer normalisation has two parameters")
        };
        let (mut dw, mut db) = (vec![0.0; len], vec![0.0; len]);
        let jobs = dw.chunks_mut(POSITIONS).zip(db.chunks_mut(POSITIONS)).enumerate();
        for_each_job(jobs, |(i, (dw, db))| {
            let first = i * POSITIONS;
            parameter_sums([x, gradient], first..first + dw.len(), &self.moments, dw, db);
        });
        to_channels_first(self.shape, &dw, weight_gradient);
        to_channels_first(self.shape, &db, bias_gradient);

        let Some(dx) = pass.input_gradient else { return };
        let weight = self.in_memory_order(&pass.parameters[0]);
        let jobs = x.chunks_exact(len).zip(gradient.chunks_exact(len)).zip(dx.chunks_exact_mut(len));
        for_each_job(jobs.zip(&self.moments), |(((x, g), dx), moments)| input_gradient(x, g, &weight, *moments, dx));
    }
}

/// Sums over an image. `add` receives up to 16 values of each input, one per lane, and adds their terms to the sums of
/// the lanes. Its last argument is the number of lanes in use.
///
/// Value i belongs to lane i % 16. Each lane adds its values in f32, in chains of `CHAIN` values, each from 0; the
/// chains are added in f64, in order, from 0. The lanes' sums are then added in f64, in order, from 0.
#[inline(always)]
fn sums<const INPUTS: usize, const SUMS: usize>(
    inputs: [&[f32]; INPUTS],
    add: impl Fn([Vector; INPUTS], &mut [Vector; SUMS], usize),
) -> [f64; SUMS] {
    let len = inputs[0].len();
    let mut totals = [[0.0f64; LANES]; SUMS];
    for start in (0..len).step_by(CHAIN * LANES) {
        let count = (len - start).min(CHAIN * LANES);
        let block = inputs.map(|input| &input[start..start + count]);
        let mut chains = [[0.0; LANES]; SUMS];
        for row in 0..count / LANES {
            add(block.map(|input| lane(&input[row * LANES..])), &mut chains, LANES);
        }
        let rest = count % LANES;
        if rest > 0 {
            let values = block.map(|input| {
                let mut values = [0.0; LANES];
                values[..rest].copy_from_slice(&input[count - rest..]);
                values
            });
            add(values, &mut chains, rest);
        }
        for (total, chain) in totals.iter_mut().zip(&chains) {
            for l in 0..LANES {
                total[l] += f64::from(chain[l]);
            }
        }
    }
    totals.map(|lanes| lanes.iter().fold(0.0, |sum, lane| sum + lane))
}

vectorised! {
    fn image_moments(x: &[f32], eps: f64, moments: &mut Moments) {
        let len = x.len() as f64;
        let [sum] = sums([x], |[x], [sum], lanes| {
            for l in 0..lanes {
                sum[l] += x[l];
            }
        });
        let mean = (sum / len) as f32;
        let rest = (sum / len - f64::from(mean)) as f32;
        moments.mean = [mean, rest];
        let around = *moments;
        let [squares] = sums([x], |[x], [sum], lanes| {
            for l in 0..lanes {
                let deviation = around.deviation(x[l]);
                sum[l] = deviation.mul_add(deviation, sum[l]);
            }
        });
        moments.inverse = (1.0 / (squares / len + eps).sqrt()) as f32;
    }
}

vectorised! {
    fn normalise(x: &[f32], moments: Moments, weight: &[f32], bias: &[f32], y: &mut [f32]) {
        for (((x, weight), bias), y) in x.iter().zip(weight).zip(bias).zip(y) {
            *y = moments.normalised(*x).mul_add(*weight, *bias);
        }
    }
}

vectorised! {
    /// Computes the gradients of the weights and biases at these positions, from `inputs`, which are `x` and the
    /// gradient of `y`, both `[images, len]`.
    fn parameter_sums(
        inputs: [&[f32]; 2],
        positions: std::ops::Range<usize>,
        moments: &[Moments],
        weight_gradient: &mut [f32],
        bias_gradient: &mut [f32],
    ) {
        let (images, len) = (moments.len(), inputs[0].len() / moments.len());
        for start in (0..images).step_by(CHAIN) {
            let (mut products, mut plain) = ([0.0f32; POSITIONS], [0.0f32; POSITIONS]);
            for image in (start..images).take(CHAIN) {
                let [x, g] = inputs.map(|values| &values[image * len..][positions.clone()]);
                for (((product, sum), x), g) in products.iter_mut().zip(&mut plain).zip(x).zip(g) {
                    *product = g.mul_add(moments[image].normalised(*x), *product);
                    *sum += g;
                }
            }
            weight_gradient.iter_mut().zip(&products).for_each(|(sum, x)| *sum += x);
            bias_gradient.iter_mut().zip(&plain).for_each(|(sum, x)| *sum += x);
        }
    }
}

vectorised! {
    /// With z = (x - mean) inverse and h = gradient weight: dx = inverse (h - mean of h - z (mean of h z)), where the
    /// product with z is fused with the subtraction before it.
    fn input_gradient(x: &[f32], gradient: &[f32], weight: &[f32], moments: Moments, dx: &mut [f32]) {
        let len = x.len() as f64;
        let totals = sums([x, gradient, weight], |[x, g, w], [plain, product], lanes| {
            for l in 0..lanes {
                let h = g[l] * w[l];
                plain[l] += h;
                product[l] = h.mul_add(moments.normalised(x[l]), product[l]);
            }
        });
        let [plain, product] = totals.map(|total| (total / len) as f32);
        for (((x, g), w), dx) in x.iter().zip(gradient).zip(weight).zip(dx) {
            let z = moments.normalised(*x);
            *dx = moments.inverse * (-z).mul_add(product, g * w - plain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{computed, differences, dot, drawn, near, same_bits, wide};

    /// Layer normalisation by its definition. `x` is `[images, height, width, channels]`.
    fn normalised(x: &[f64], shape: Shape, [weight, bias]: [&[f64]; 2], eps: f64) -> Vec<f64> {
        let image = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let value = |i: usize| {
                let at = i % shape.channels * shape.pixels() + i / shape.channels;
                (x[i] - mean) / (variance + eps).sqrt() * weight[at] + bias[at]
            };
            (0..x.len()).map(value).collect::<Vec<_>>()
        };
        x.chunks_exact(shape.len()).flat_map(image).collect()
    }

    #[test]
    fn values_agree_with_the_definition_and_its_gradients() {
        for (i, (images, height, width, channels)) in
            [(1, 1, 1, 40), (3, 5, 4, 7), (9, 2, 3, 16), (40, 1, 1, 10), (2, 1, 1, 1), (60, 3, 1, 2)]
                .into_iter()
                .enumerate()
        {
            let shape = Shape { height, width, channels };
            let x: Vec<f32> = drawn(images * shape.len(), &format!("ln{i}")).iter().map(|v| v + 3.0).collect();
            let parameters = [drawn(shape.len(), &format!("lnw{i}")), drawn(shape.len(), &format!("lnb{i}"))];
            let gradient = drawn(x.len(), &format!("lng{i}"));
            let got = same_bits(|| computed(&mut LayerNorm::new(shape, 1e-5), &x, [&parameters, &[]], &gradient));
            let plain = |x: &[f64], w: &[f64], b: &[f64]| normalised(x, shape, [w, b], 1e-5);
            let (x, weight, bias) = (wide(&x), wide(&parameters[0]), wide(&parameters[1]));
            near("y", &got.y, &plain(&x, &weight, &bias), 2e-6);
            near("dx", &got.dx, &differences(&x, |x| dot(&plain(x, &weight, &bias), &gradient)), 1e-4);
            let [dw, db] = &got.parameters[..] else { panic!() };
            near("dw", dw, &differences(&weight, |w| dot(&plain(&x, w, &bias), &gradient)), 1e-5);
            near("db", db, &differences(&bias, |b| dot(&plain(&x, &weight, b), &gradient)), 1e-5);
            assert_eq!(got.evaluated, got.y);
        }
    }

    #[test]
    fn values_of_large_images_agree_with_the_definition() {
        let shape = Shape { height: 26, width: 25, channels: 33 };
        let x: Vec<f32> = drawn(3 * shape.len(), "large").iter().map(|v| v * 0.1 + 7.0).collect();
        let parameters = [drawn(shape.len(), "large weight"), drawn(shape.len(), "large bias")];
        let gradient = drawn(x.len(), "large gradient");
        let got = same_bits(|| computed(&mut LayerNorm::new(shape, 1e-5), &x, [&parameters, &[]], &gradient));
        let (x, weight, bias) = (wide(&x), wide(&parameters[0]), wide(&parameters[1]));
        near("y", &got.y, &normalised(&x, shape, [&weight, &bias], 1e-5), 5e-6);
        let z = normalised(&x, shape, [&vec![1.0; shape.len()], &vec![0.0; shape.len()]], 1e-5);
        let (mut dw, mut db) = (vec![0.0; shape.len()], vec![0.0; shape.len()]);
        for i in 0..x.len() {
            let (at, g) = (i % shape.len(), f64::from(gradient[i]));
            let at = at % shape.channels * shape.pixels() + at / shape.channels;
            dw[at] += g * z[i];
            db[at] += g;
        }
        near("dw", &got.parameters[0], &dw, 5e-6);
        near("db", &got.parameters[1], &db, 2e-7);
    }

    #[test]
    fn a_constant_image_gives_the_bias() {
        let parameters = [vec![3.0; 4], vec![0.5, 1.0, 1.5, 2.0]];
        let shape = Shape { height: 2, width: 1, channels: 2 };
        let got = computed(&mut LayerNorm::new(shape, 1e-5), &[7.0; 4], [&parameters, &[]], &[1.0; 4]);
        // In memory, the channels of a pixel are consecutive.
        assert_eq!([got.y, got.dx], [[0.5, 1.5, 1.0, 2.0], [0.0; 4]]);
        assert_eq!(got.parameters, [[0.0; 4], [1.0; 4]]);
    }
}
