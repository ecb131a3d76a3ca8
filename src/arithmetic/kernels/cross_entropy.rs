//! Mean cross-entropy of a batch and its gradient, as `torch.nn.functional.cross_entropy`.

use super::functions::{exp, log};
use super::simd::vectorised;

/// The targets of a loss with `label_smoothing` of `torch.nn.CrossEntropyLoss`, computed in f64 and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets {
    /// 1 - smoothing: the weight of the cross-entropy without smoothing.
    pub kept: f32,
    /// The target of the label's class: 1 - smoothing + smoothing / classes.
    pub label: f32,
    /// The target of every other class: smoothing / classes.
    pub other: f32,
}

impl Targets {
    /// Targets without smoothing.
    pub const PLAIN: Self = Self { kept: 1.0, label: 1.0, other: 0.0 };

    /// Targets with smoothing, which is from 0 to 1.
    pub fn smoothed(smoothing: f64, classes: usize) -> Self {
        let (kept, other) = (1.0 - smoothing, smoothing / classes as f64);
        Self { kept: kept as f32, label: (kept + other) as f32, other: other as f32 }
    }
}

/// Mean cross-entropy of `logits` `[images, classes]` and `labels` `[images]`. Writes the gradient with respect to the
/// logits, `[images, classes]`.
///
/// For each image, m is the largest logit (the first of equal ones) and s the sum of exp(x - m) in the order of
/// classes. The loss is log(s) - (x of the label - m), the gradient is (exp(x - m) / s - t) / images, where t is the target
/// of the class. The losses are added as f64 in the order of images, divided by their number and narrowed to f32 once.
///
/// With smoothing, the loss is log(s) - (kept * (x of the label - m) + other * the sum of x - m in the order of classes),
/// which equals PyTorch's (1 - smoothing) * cross-entropy + smoothing / classes * the sum of -log p.
///
/// If any logit is infinite or NaN, the loss is NaN. PyTorch's may be finite if a logit is minus infinity.
///
/// # Panics
/// The numbers of values do not agree, or a label is not a class.
pub fn cross_entropy(logits: &[f32], labels: &[u8], targets: Targets, gradient: &mut [f32]) -> f32 {
    let images = labels.len();
    assert!(images > 0 && logits.len().is_multiple_of(images) && gradient.len() == logits.len());
    let classes = logits.len() / images;
    assert!(labels.iter().all(|label| usize::from(*label) < classes), "a label is not a class");
    let mut losses = vec![0.0; images];
    // One thread is enough, because a batch has few logits.
    losses_and_gradients(logits, labels, targets, gradient, &mut losses);
    (losses.iter().fold(0.0, |sum, loss| sum + f64::from(*loss)) / images as f64) as f32
}

vectorised! {
    fn losses_and_gradients(logits: &[f32], labels: &[u8], targets: Targets, gradient: &mut [f32], losses: &mut [f32]) {
        let classes = logits.len() / labels.len();
        let images = labels.len() as f32;
        for (x, shifted) in logits.chunks_exact(classes).zip(gradient.chunks_exact_mut(classes)) {
            let largest = x.iter().fold(x[0], |largest, x| if *x > largest { *x } else { largest });
            shifted.iter_mut().zip(x).for_each(|(shifted, x)| *shifted = *x - largest);
        }
        let rows = logits.chunks_exact(classes).zip(gradient.chunks_exact(classes)).zip(labels).zip(&mut *losses);
        for (((x, shifted), label), loss) in rows {
            // Without this, exp(-infinity) = 0 would hide a logit of minus infinity.
            *loss = if x.iter().all(|x| x.is_finite()) { -shifted[usize::from(*label)] } else { f32::NAN };
            // Without smoothing, a sum that overflows must not become NaN.
            if targets.other != 0.0 {
                let sum = shifted[1..].iter().fold(shifted[0], |sum, x| sum + x);
                *loss = targets.other.mul_add(-sum, targets.kept * *loss);
            }
        }
        for value in gradient.iter_mut() {
            *value = exp(*value);
        }
        for ((gradient, label), loss) in gradient.chunks_exact_mut(classes).zip(labels).zip(losses) {
            let sum = gradient[1..].iter().fold(gradient[0], |sum, term| sum + term);
            *loss += log(sum);
            for (class, value) in gradient.iter_mut().enumerate() {
                let target = if class == usize::from(*label) { targets.label } else { targets.other };
                *value = (*value / sum - target) / images;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::drawn;
    use crate::simd::{InstructionSet, choosing, use_instruction_set, widest};

    /// Mean cross-entropy by its definition: the sum of -log p, weighted with the targets.
    fn defined(logits: &[f64], labels: &[u8], smoothing: f64) -> f64 {
        let classes = logits.len() / labels.len();
        let losses = logits.chunks_exact(classes).zip(labels).map(|(x, label)| {
            let largest = x.iter().fold(f64::MIN, |m, x| m.max(*x));
            let log_sum = x.iter().map(|x| libm::exp(x - largest)).sum::<f64>().ln();
            let mean = x.iter().map(|x| log_sum - (x - largest)).sum::<f64>() / classes as f64;
            (1.0 - smoothing) * (log_sum - (x[usize::from(*label)] - largest)) + smoothing * mean
        });
        losses.sum::<f64>() / labels.len() as f64
    }

    #[test]
    fn loss_and_gradient_agree_with_the_definition() {
        for (images, classes, size, smoothing) in [
            (1, 10, 1.0, 0.0),
            (3, 10, 30.0, 0.0),
            (9, 7, 0.01, 0.0),
            (40, 10, 5.0, 0.0),
            (2, 1, 1.0, 0.0),
            (1, 10, 1.0, 0.1),
            (3, 10, 30.0, 0.3),
            (9, 7, 0.01, 1.0),
        ] {
            let logits = drawn(images * classes, "logits").iter().map(|x| size * x).collect::<Vec<f32>>();
            let labels: Vec<u8> = (0..images).map(|i| (i * 7 % classes) as u8).collect();
            let mut gradient = vec![f32::NAN; logits.len()];
            let targets = Targets::smoothed(smoothing, classes);
            let loss = cross_entropy(&logits, &labels, targets, &mut gradient);
            let wide: Vec<f64> = logits.iter().map(|x| f64::from(*x)).collect();
            let expected = defined(&wide, &labels, smoothing);
            assert!((f64::from(loss) - expected).abs() <= 2e-7 * expected, "{loss} {expected}");
            for i in 0..logits.len() {
                let side = |step: f64| {
                    let mut moved = wide.clone();
                    moved[i] += step;
                    defined(&moved, &labels, smoothing)
                };
                let difference = (side(1e-5) - side(-1e-5)) / 2e-5;
                assert!((f64::from(gradient[i]) - difference).abs() < 1e-7 / images as f64 + 1e-9);
            }
        }
    }

    #[test]
    fn equal_logits_give_the_log_of_the_number_of_classes() {
        let mut gradient = [f32::NAN; 20];
        let loss = cross_entropy(&[3.5; 20], &[0, 9], Targets::PLAIN, &mut gradient);
        assert_eq!(loss, std::f32::consts::LN_10);
        assert_eq!([gradient[0], gradient[1], gradient[19]], [(0.1 - 1.0) / 2.0, 0.05, (0.1 - 1.0) / 2.0]);
    }

    #[test]
    fn a_logit_that_is_not_finite_gives_nan() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for (at, label) in [(0, 0), (0, 3), (9, 9), (4, 5)] {
                let mut logits = [0.25; 20];
                logits[at] = value;
                for targets in [Targets::PLAIN, Targets::smoothed(0.1, 10)] {
                    let loss = cross_entropy(&logits, &[label, 1], targets, &mut [0.0; 20]);
                    assert!(loss.is_nan(), "{value} at {at}, label {label}");
                }
            }
        }
        // The difference of finite logits may overflow.
        assert_eq!(cross_entropy(&[f32::MAX, -f32::MAX], &[1], Targets::PLAIN, &mut [0.0; 2]), f32::INFINITY);
        assert_eq!(cross_entropy(&[f32::MAX, -f32::MAX], &[0], Targets::PLAIN, &mut [0.0; 2]), 0.0);
    }

    #[test]
    fn no_smoothing_has_plain_targets() {
        assert_eq!(Targets::smoothed(0.0, 10), Targets::PLAIN);
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let _guard = choosing();
        let logits = drawn(37 * 10, "bits").iter().map(|x| 20.0 * x).collect::<Vec<f32>>();
        let labels: Vec<u8> = (0..37).map(|i| i % 10).collect();
        let computed = || {
            let mut all = vec![f32::NAN; logits.len()];
            let loss = cross_entropy(&logits, &labels, Targets::smoothed(0.1, 10), &mut all);
            all.push(loss);
            all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let expected = computed();
        for vectors in [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512] {
            if use_instruction_set(vectors) {
                assert_eq!(computed(), expected, "{vectors:?}");
            }
        }
        use_instruction_set(widest());
    }
}
