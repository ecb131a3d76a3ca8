//! Mean cross-entropy of a batch and its gradient, as `torch.nn.functional.cross_entropy`.

use super::functions::{exp, log};
use super::simd::vectorised;

/// Mean cross-entropy of `logits` `[images, classes]` and `labels` `[images]`. Writes the gradient with respect to the
/// logits, `[images, classes]`.
///
/// For each image, m is the largest logit (the first of equal ones) and s the sum of exp(x - m) in the order of
/// classes. The loss is log(s) - (x of the label - m), the gradient is (exp(x - m) / s - t) / images, where t is 1 for
/// the class of the label and 0 for the others. The losses are added as f64 in the order of images, divided by their
/// number and narrowed to f32 once.
///
/// If any logit is infinite or NaN, the loss is NaN. PyTorch's may be finite if a logit is minus infinity.
///
/// # Panics
/// The numbers of values do not agree, or a label is not a class.
pub fn cross_entropy(logits: &[f32], labels: &[u8], gradient: &mut [f32]) -> f32 {
    let images = labels.len();
    assert!(images > 0 && logits.len().is_multiple_of(images) && gradient.len() == logits.len());
    let classes = logits.len() / images;
    assert!(labels.iter().all(|label| usize::from(*label) < classes), "a label is not a class");
    let mut losses = vec![0.0; images];
    // One thread is enough, because a batch has few logits.
    losses_and_gradients(logits, labels, gradient, &mut losses);
    (losses.iter().fold(0.0, |sum, loss| sum + f64::from(*loss)) / images as f64) as f32
}

vectorised! {
    fn losses_and_gradients(logits: &[f32], labels: &[u8], gradient: &mut [f32], losses: &mut [f32]) {
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
        }
        for value in gradient.iter_mut() {
            *value = exp(*value);
        }
        for ((gradient, label), loss) in gradient.chunks_exact_mut(classes).zip(labels).zip(losses) {
            let sum = gradient[1..].iter().fold(gradient[0], |sum, term| sum + term);
            *loss += log(sum);
            for (class, value) in gradient.iter_mut().enumerate() {
                let target = if class == usize::from(*label) { 1.0 } else { 0.0 };
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

    /// Mean cross-entropy by its definition.
    fn defined(logits: &[f64], labels: &[u8]) -> f64 {
        let rows = logits.chunks_exact(logits.len() / labels.len());
        let losses = rows.zip(labels).map(|(x, label)| {
            let largest = x.iter().fold(f64::MIN, |m, x| m.max(*x));
            x.iter().map(|x| libm::exp(x - largest)).sum::<f64>().ln() - (x[usize::from(*label)] - largest)
        });
        losses.sum::<f64>() / labels.len() as f64
    }

    #[test]
    fn loss_and_gradient_agree_with_the_definition() {
        for (images, classes, size) in [(1, 10, 1.0), (3, 10, 30.0), (9, 7, 0.01), (40, 10, 5.0), (2, 1, 1.0)] {
            let logits = drawn(images * classes, "logits").iter().map(|x| size * x).collect::<Vec<f32>>();
            let labels: Vec<u8> = (0..images).map(|i| (i * 7 % classes) as u8).collect();
            let mut gradient = vec![f32::NAN; logits.len()];
            let loss = cross_entropy(&logits, &labels, &mut gradient);
            let wide: Vec<f64> = logits.iter().map(|x| f64::from(*x)).collect();
            let expected = defined(&wide, &labels);
            assert!((f64::from(loss) - expected).abs() <= 2e-7 * expected, "{loss} {expected}");
            for i in 0..logits.len() {
                let side = |step: f64| {
                    let mut moved = wide.clone();
                    moved[i] += step;
                    defined(&moved, &labels)
                };
                let difference = (side(1e-5) - side(-1e-5)) / 2e-5;
                assert!((f64::from(gradient[i]) - difference).abs() < 1e-7 / images as f64 + 1e-9);
            }
        }
    }

    #[test]
    fn equal_logits_give_the_log_of_the_number_of_classes() {
        let mut gradient = [f32::NAN; 20];
        let loss = cross_entropy(&[3.5; 20], &[0, 9], &mut gradient);
        assert_eq!(loss, std::f32::consts::LN_10);
        assert_eq!([gradient[0], gradient[1], gradient[19]], [(0.1 - 1.0) / 2.0, 0.05, (0.1 - 1.0) / 2.0]);
    }

    #[test]
    fn a_logit_that_is_not_finite_gives_nan() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for (at, label) in [(0, 0), (0, 3), (9, 9), (4, 5)] {
                let mut logits = [0.25; 20];
                logits[at] = value;
                assert!(cross_entropy(&logits, &[label, 1], &mut [0.0; 20]).is_nan(), "{value} at {at}, label {label}");
            }
        }
        // The difference of finite logits may overflow.
        assert_eq!(cross_entropy(&[f32::MAX, -f32::MAX], &[1], &mut [0.0; 2]), f32::INFINITY);
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let _guard = choosing();
        let logits = drawn(37 * 10, "bits").iter().map(|x| 20.0 * x).collect::<Vec<f32>>();
        let labels: Vec<u8> = (0..37).map(|i| i % 10).collect();
        let computed = || {
            let mut all = vec![f32::NAN; logits.len()];
            let loss = cross_entropy(&logits, &labels, &mut all);
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
