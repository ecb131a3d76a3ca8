//! Compares the kernels with the operators' definitions, computed in f64, for shapes with every kind of remainder. Gradients
//! are compared with finite differences in f64 of a loss that is a fixed linear function of the outputs.

use super::*;
use crate::rng::Stream;

fn drawn(n: usize, key: &str) -> Vec<f32> {
    Stream::keyed(key.as_bytes()).uniform(n, 1.0)
}

/// The dot product, in f64.
fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Asserts that the values differ by at most `allowed` times the largest expected value.
#[track_caller]
fn near(what: &str, got: &[f32], expected: &[f64], allowed: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |m, x| m.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((f64::from(*got) - expected).abs() <= allowed * largest, "{what}[{i}]: {got}, expected {expected}");
    }
}

/// The gradient of `loss` by central differences. `loss` is linear or nearly linear in each value, so the step need not be
/// small.
fn differences(at: &[f64], mut loss: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let mut x = at.to_vec();
    (0..at.len())
        .map(|i| {
            let mut side = |step: f64| {
                x[i] = at[i] + step;
                loss(&x)
            };
            let difference = (side(1e-4) - side(-1e-4)) / 2e-4;
            x[i] = at[i];
            difference
        })
        .collect()
}

/// A convolution by its definition. `x` is `[n, h, w, c]`, `weight` `[k, c, side, side]`.
fn convolved(
    x: &[f64],
    input: Shape,
    weight: &[f64],
    bias: &[f64],
    out: Shape,
    [side, stride, padding]: [usize; 3],
) -> Vec<f64> {
    let mut all = Vec::new();
    for image in x.chunks_exact(input.len()) {
        for pixel in 0..out.pixels() {
            for k in 0..out.channels {
                let mut sum = bias[k];
                for tap in 0..side * side {
                    let y = (pixel / out.width * stride + tap / side).wrapping_sub(padding);
                    let x = (pixel % out.width * stride + tap % side).wrapping_sub(padding);
                    if y < input.height && x < input.width {
                        for c in 0..input.channels {
                            let weight = weight[(k * input.channels + c) * side * side + tap];
                            sum += image[(y * input.width + x) * input.channels + c] * weight;
                        }
                    }
                }
                all.push(sum);
            }
        }
    }
    all
}

#[test]
fn winograd_agrees_with_a_direct_convolution_and_its_gradients() {
    // Whole tiles and groups, remainders of tiles, channels and parts, and every padding.
    for (i, (images, height, width, channels, outputs, padding)) in
        [(2, 10, 6, 16, 16, 0), (9, 5, 7, 4, 10, 1), (1, 3, 3, 17, 3, 0), (3, 4, 9, 5, 33, 2)].into_iter().enumerate()
    {
        let conv = Winograd { input: Shape { height, width, channels }, output_channels: outputs, padding };
        let (input, out) = (conv.input, conv.output_shape());
        let x = drawn(images * input.len(), &format!("x{i}"));
        let weight = drawn(outputs * channels * 9, &format!("w{i}"));
        let bias = drawn(outputs, &format!("b{i}"));
        let plain = |x: &[f64], w: &[f64], b: &[f64]| convolved(x, input, w, b, out, [3, 1, padding]);
        let mut y = vec![f32::NAN; images * out.len()];
        conv.forward(&x, &weight, Some(&bias), &mut y);
        near("y", &y, &plain(&wide(&x), &wide(&weight), &wide(&bias)), 2e-6);
        conv.forward(&x, &weight, None, &mut y);
        near("y without bias", &y, &plain(&wide(&x), &wide(&weight), &vec![0.0; outputs]), 2e-6);

        let gradient = drawn(y.len(), &format!("g{i}"));
        let (mut dx, mut dw, mut db) = (vec![f32::NAN; x.len()], vec![f32::NAN; weight.len()], vec![f32::NAN; outputs]);
        conv.backward(&x, &weight, &gradient, Gradients { x: Some(&mut dx), weight: &mut dw, bias: &mut db });
        let (x, weight, bias) = (wide(&x), wide(&weight), wide(&bias));
        near(
            "dx",
            &dx[..60],
            &differences(&x[..60], |some| dot(&plain(&[some, &x[60..]].concat(), &weight, &bias), &gradient)),
            4e-6,
        );
        near(
            "dw",
            &dw[..60],
            &differences(&weight[..60], |some| dot(&plain(&x, &[some, &weight[60..]].concat(), &bias), &gradient)),
            4e-6,
        );
        near("db", &db, &differences(&bias, |b| dot(&plain(&x, &weight, b), &gradient)), 2e-6);
        // If the gradient of the input is not asked for, the other gradients have the same bits.
        let narrow = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let (mut dw2, mut db2) = (vec![0.0; dw.len()], vec![0.0; db.len()]);
        let to = Gradients { x: None, weight: &mut dw2, bias: &mut db2 };
        conv.backward(&narrow(&x), &narrow(&weight), &gradient, to);
        assert!(dw == dw2 && db == db2);
    }
}

#[test]
fn direct_agrees_with_the_definition_and_its_gradients() {
    for (i, (images, side, outputs, kernel, stride, padding)) in
        [(3, 9, 16, 3, 1, 0), (10, 8, 21, 5, 2, 2), (1, 6, 4, 1, 1, 0), (2, 7, 40, 2, 3, 1)].into_iter().enumerate()
    {
        let input = Shape { height: side, width: side + 1, channels: 1 };
        let conv = Direct { input, output_channels: outputs, kernel, stride, padding };
        let out = conv.output_shape();
        let (x, weight) =
            (drawn(images * input.len(), &format!("dx{i}")), drawn(outputs * kernel * kernel, &format!("dw{i}")));
        let bias = drawn(outputs, &format!("db{i}"));
        let plain = |w: &[f64], b: &[f64]| convolved(&wide(&x), input, w, b, out, [kernel, stride, padding]);
        let mut y = vec![f32::NAN; images * out.len()];
        conv.forward(&x, &weight, Some(&bias), &mut y);
        near("y", &y, &plain(&wide(&weight), &wide(&bias)), 1e-6);
        let gradient = drawn(y.len(), &format!("dg{i}"));
        let (mut dw, mut db) = (vec![f32::NAN; weight.len()], vec![f32::NAN; outputs]);
        conv.backward(&x, &gradient, &mut dw, &mut db);
        let (weight, bias) = (wide(&weight), wide(&bias));
        near("dw", &dw, &differences(&weight, |w| dot(&plain(w, &bias), &gradient)), 2e-6);
        near("db", &db, &differences(&bias, |b| dot(&plain(&weight, b), &gradient)), 2e-6);
    }
}

/// Batch normalisation in training by its definition.
fn normalised(x: &[f64], c: usize, weight: &[f64], bias: &[f64], eps: f64, relu: bool) -> Vec<f64> {
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
fn batch_norm_agrees_with_the_definition_and_its_gradients() {
    for (i, (images, side, channels, relu)) in
        [(4, 3, 16, false), (9, 2, 5, true), (1, 4, 33, true), (2, 1, 3, false)].into_iter().enumerate()
    {
        let shape = Shape { height: side, width: side, channels };
        let norm = BatchNorm { shape, eps: 1e-5, relu };
        // The mean is far from zero, so that a numerically unstable variance would lose digits.
        let x: Vec<f32> = drawn(images * shape.len(), &format!("n{i}")).iter().map(|v| v + 5.0).collect();
        let (weight, bias) = (drawn(channels, &format!("nw{i}")), drawn(channels, &format!("nb{i}")));
        let plain = |x: &[f64], w: &[f64], b: &[f64]| normalised(x, channels, w, b, 1e-5, relu);
        let moments = norm.moments(&x);
        let mut y = vec![f32::NAN; x.len()];
        norm.forward(&x, &moments, &weight, &bias, &mut y);
        near("y", &y, &plain(&wide(&x), &wide(&weight), &wide(&bias)), 1e-5);
        let gradient = drawn(x.len(), &format!("ng{i}"));
        let (mut dx, mut dw, mut db) = (vec![f32::NAN; x.len()], vec![f32::NAN; channels], vec![f32::NAN; channels]);
        let to = Gradients { x: Some(&mut dx), weight: &mut dw, bias: &mut db };
        norm.backward([&x, &y, &gradient], &moments, &weight, to);
        let (x, weight, bias) = (wide(&x), wide(&weight), wide(&bias));
        near("dx", &dx, &differences(&x, |x| dot(&plain(x, &weight, &bias), &gradient)), 1e-4);
        near("dw", &dw, &differences(&weight, |w| dot(&plain(&x, w, &bias), &gradient)), 1e-4);
        near("db", &db, &differences(&bias, |b| dot(&plain(&x, &weight, b), &gradient)), 1e-4);
        // The variance for the running statistics is unbiased.
        let pixels = x.len() / channels;
        let of: Vec<f64> = (0..pixels).map(|p| x[p * channels]).collect();
        let mean = of.iter().sum::<f64>() / pixels as f64;
        let variance = of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (pixels as f64 - 1.0);
        assert!((f64::from(moments.variance[0]) / variance - 1.0).abs() < 1e-5, "{} {variance}", moments.variance[0]);
    }
}

#[test]
fn pooling_selects_the_first_maximum_and_passes_the_gradient_to_it() {
    for (images, height, width, channels, side) in
        [(2, 6, 6, 16, 3), (3, 7, 5, 3, 2), (1, 12, 12, 20, 6), (1, 4, 4, 1, 4)]
    {
        let pool = MaxPool { input: Shape { height, width, channels }, side };
        let out = pool.output_shape();
        // Few different values, so that windows contain equal ones.
        let x: Vec<f32> = drawn(images * pool.input.len(), "pool").iter().map(|v| (v * 4.0).round()).collect();
        let mut y = vec![f32::NAN; images * out.len()];
        let places = pool.forward(&x, &mut y);
        let gradient = drawn(y.len(), "pool gradient");
        let mut dx = vec![f32::NAN; x.len()];
        pool.backward(&places, &gradient, &mut dx);
        let mut expected = vec![0.0; x.len()];
        for i in 0..y.len() {
            let (c, pixel, image) = (i % channels, i / channels % out.pixels(), i / out.len());
            let at = |place: usize| {
                let row = pixel / out.width * side + place / side;
                let column = pixel % out.width * side + place % side;
                image * pool.input.len() + (row * width + column) * channels + c
            };
            let largest = (0..side * side).fold(0, |best, place| if x[at(place)] > x[at(best)] { place } else { best });
            assert_eq!(y[i], x[at(largest)]);
            expected[at(largest)] = gradient[i];
        }
        assert_eq!(dx, expected);
    }
    // NaN is the largest value, as in PyTorch.
    let pool = MaxPool { input: Shape { height: 2, width: 2, channels: 1 }, side: 2 };
    let mut y = [0.0];
    assert_eq!(pool.forward(&[1.0, f32::NAN, 3.0, 2.0], &mut y), [1]);
    assert!(y[0].is_nan());
}

#[test]
fn linear_agrees_with_the_definition_and_its_gradients() {
    for (i, (images, inputs, outputs)) in
        [(3, 16, 10), (40, 272, 20), (19, 32, 1), (1, 400, 64)].into_iter().enumerate()
    {
        let linear = Linear { inputs, outputs };
        let (x, weight) = (drawn(images * inputs, &format!("lx{i}")), drawn(outputs * inputs, &format!("lw{i}")));
        let bias = drawn(outputs, &format!("lb{i}"));
        let plain = |x: &[f64], w: &[f64], b: &[f64]| -> Vec<f64> {
            let row = |x: &[f64]| -> Vec<f64> {
                let sum = |k: usize| (0..inputs).map(|j| x[j] * w[k * inputs + j]).sum::<f64>() + b[k];
                (0..outputs).map(sum).collect()
            };
            x.chunks_exact(inputs).flat_map(row).collect()
        };
        let mut y = vec![f32::NAN; images * outputs];
        linear.forward(&x, &weight, Some(&bias), &mut y);
        near("y", &y, &plain(&wide(&x), &wide(&weight), &wide(&bias)), 1e-6);
        let gradient = drawn(y.len(), &format!("lg{i}"));
        let (mut dx, mut dw, mut db) = (vec![f32::NAN; x.len()], vec![f32::NAN; weight.len()], vec![f32::NAN; outputs]);
        linear.backward(&x, &weight, &gradient, Gradients { x: Some(&mut dx), weight: &mut dw, bias: &mut db });
        let (x, weight, bias) = (wide(&x), wide(&weight), wide(&bias));
        let last = |v: &[f64]| v.len().saturating_sub(50);
        let (fx, fw) = (last(&x), last(&weight));
        near(
            "dx",
            &dx[fx..],
            &differences(&x[fx..], |some| dot(&plain(&[&x[..fx], some].concat(), &weight, &bias), &gradient)),
            2e-6,
        );
        near(
            "dw",
            &dw[fw..],
            &differences(&weight[fw..], |some| dot(&plain(&x, &[&weight[..fw], some].concat(), &bias), &gradient)),
            2e-6,
        );
        near("db", &db, &differences(&bias, |b| dot(&plain(&x, &weight, b), &gradient)), 2e-6);
    }
    assert!(!Linear { inputs: 20, outputs: 2 }.is_supported());
}

/// Published bundles depend on these bits, on every CPU. If they have to change, increment ARITHMETIC in
/// src/engine/device.rs.
#[test]
fn kernels_give_the_recorded_bits() {
    let mut bytes = Vec::new();
    let mut keep = |values: &[f32]| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    let drawn = |n: usize, key: &str| drawn(n, &format!("bits {key}"));

    let conv = Winograd { input: Shape { height: 13, width: 10, channels: 20 }, output_channels: 36, padding: 1 };
    let (x, weight, bias) = (drawn(11 * conv.input.len(), "x"), drawn(36 * 20 * 9, "weight"), drawn(36, "bias"));
    let gradient = drawn(11 * conv.output_shape().len(), "gradient");
    let mut y = vec![0.0; gradient.len()];
    let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; weight.len()], vec![0.0; 36]);
    conv.forward(&x, &weight, Some(&bias), &mut y);
    conv.backward(&x, &weight, &gradient, Gradients { x: Some(&mut dx), weight: &mut dw, bias: &mut db });
    for v in [&y, &dx, &dw, &db] {
        keep(v);
    }

    let norm = BatchNorm { shape: conv.output_shape(), eps: 1e-5, relu: true };
    let (scale, shift) = (drawn(36, "scale"), drawn(36, "shift"));
    let moments = norm.moments(&y);
    let (mut z, mut dy, mut ds) = (vec![0.0; y.len()], vec![0.0; y.len()], vec![0.0; 36]);
    norm.forward(&y, &moments, &scale, &shift, &mut z);
    let to = Gradients { x: Some(&mut dy), weight: &mut ds, bias: &mut db };
    norm.backward([&y, &z, &gradient], &moments, &scale, to);
    for v in [&moments.variance, &z, &dy, &ds, &db] {
        keep(v);
    }

    let direct = Direct {
        input: Shape { height: 14, width: 13, channels: 1 },
        output_channels: 24,
        kernel: 3,
        stride: 1,
        padding: 0,
    };
    let (x, weight, bias) = (drawn(11 * direct.input.len(), "dx"), drawn(24 * 9, "dweight"), drawn(24, "dbias"));
    let gradient = drawn(11 * direct.output_shape().len(), "dgradient");
    let (mut y, mut dw, mut db) = (vec![0.0; gradient.len()], vec![0.0; weight.len()], vec![0.0; 24]);
    direct.forward(&x, &weight, Some(&bias), &mut y);
    direct.backward(&x, &gradient, &mut dw, &mut db);
    for v in [&y, &dw, &db] {
        keep(v);
    }

    let linear = Linear { inputs: 336, outputs: 40 };
    let (x, weight, bias) = (drawn(70 * 336, "lx"), drawn(40 * 336, "lweight"), drawn(40, "lbias"));
    let gradient = drawn(70 * 40, "lgradient");
    let (mut y, mut dx) = (vec![0.0; gradient.len()], vec![0.0; x.len()]);
    let (mut dw, mut db) = (vec![0.0; weight.len()], vec![0.0; 40]);
    linear.forward(&x, &weight, Some(&bias), &mut y);
    linear.backward(&x, &weight, &gradient, Gradients { x: Some(&mut dx), weight: &mut dw, bias: &mut db });
    for v in [&y, &dx, &dw, &db] {
        keep(v);
    }

    let bits = crate::digest::sha256_hex(&bytes);
    assert_eq!(bits, "7c57b9c026f5927f443da8b7d4ac3f147e90b53a9bcba4f094221f2e8cb5bbb9");
}
