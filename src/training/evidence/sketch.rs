//! Sketches: about a thousand numbers from which the length of a difference of a million values can be estimated.
//!
//! This is a CountSketch (Charikar, Chen and Farach-Colton 2002): each coordinate is added, with a random sign, to one of
//! `BUCKETS` sums. It is linear, so the sketch of an error is the difference of two sketches. Its squared norm estimates
//! that of the vector: with 1,024 buckets within about 4 % (one standard deviation).

use crate::rng::Stream;

const BUCKETS: usize = 1024;

/// A sketch of how a segment of training changed the weights and running statistics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Displacement {
    /// Of the trainable values.
    pub parameters: Vec<f32>,
    /// Of the running statistics; empty for a network without buffers.
    pub buffers: Vec<f32>,
}

/// The sketch of `end - start`. A vector of at most `BUCKETS` values is its own sketch.
pub fn sketch(start: &[f32], end: &[f32]) -> Vec<f32> {
    let moved = start.iter().zip(end).map(|(a, b)| f64::from(*b) - f64::from(*a));
    // The sum of large values may be beyond float32, and an infinite sum could not be compared with itself.
    let narrowed = |x: f64| x.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
    if start.len() <= BUCKETS {
        return moved.map(narrowed).collect();
    }
    let mut sums = vec![0f64; BUCKETS];
    let mut stream = Stream::keyed(b"mnist-report sketch 1\n");
    for x in moved {
        let draw = stream.below(2 * BUCKETS as u32) as usize;
        sums[draw / 2] += if draw.is_multiple_of(2) { x } else { -x };
    }
    sums.into_iter().map(narrowed).collect()
}

/// The error of a displacement relative to the stated one: |found - stated| / |stated|. Infinite if the two cannot be
/// compared.
pub fn displacement_error(stated: &[f32], found: &[f32]) -> f64 {
    if stated.len() != found.len() {
        return f64::INFINITY;
    }
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut stated.iter().zip(found).map(|(a, b)| f64::from(*b) - f64::from(*a)));
    let length = norm(&mut stated.iter().map(|a| f64::from(*a)));
    match (error, length) {
        (0.0, _) => 0.0,
        (_, 0.0) => f64::INFINITY,
        _ => error / length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_estimates_relative_errors() {
        let n = 300_000;
        let start = Stream::keyed(b"start").uniform(n, 1.0);
        let moved = Stream::keyed(b"moved").uniform(n, 0.01);
        let noise = Stream::keyed(b"noise").uniform(n, 0.01);
        let end: Vec<f32> = start.iter().zip(&moved).map(|(a, b)| a + b).collect();
        let stated = sketch(&start, &end);
        assert_eq!(displacement_error(&stated, &sketch(&start, &end)), 0.0);
        for relative in [1e-3f32, 0.1, 1.0] {
            let off: Vec<f32> = end.iter().zip(&noise).map(|(a, b)| a + relative * b).collect();
            let error = displacement_error(&stated, &sketch(&start, &off));
            assert!((error / f64::from(relative) - 1.0).abs() < 0.2, "{relative}: {error}");
        }
        // Another displacement of the same length is off by about sqrt 2.
        let other: Vec<f32> = start.iter().zip(&noise).map(|(a, b)| a + b).collect();
        assert!((displacement_error(&stated, &sketch(&start, &other)) - 2f64.sqrt()).abs() < 0.2);
    }

    /// A training may reach any finite weight without diverging, and must still be equal to itself.
    #[test]
    fn the_largest_displacements_can_be_compared() {
        for n in [10, 300_000] {
            let (start, end) = (vec![f32::MIN; n], vec![f32::MAX; n]);
            let stated = sketch(&start, &end);
            assert!(stated.iter().all(|x| x.is_finite()));
            assert_eq!(displacement_error(&stated, &stated), 0.0);
            assert!(displacement_error(&stated, &sketch(&end, &start)) > 0.5);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_infinitely_off() {
        assert_eq!(displacement_error(&[1.0], &[1.0, 2.0]), f64::INFINITY);
        assert_eq!(displacement_error(&[0.0], &[1.0]), f64::INFINITY);
        assert_eq!(displacement_error(&[], &[]), 0.0);
    }
}
