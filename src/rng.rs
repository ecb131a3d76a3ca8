//! Random numbers. Each purpose (initial weights, order of images, dropout masks, ...) has its own random stream, so
//! any draw can be repeated without the draws before it. The device's generator is never used, so a CPU and a GPU get
//! the same numbers, and a single training step can be replayed.
//!
//! A stream is ChaCha8 whose key is the SHA-256 of `mnist-report stream 1`, the seed, the purpose and its counters.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// What a stream is used for. Epochs and steps count from 1.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Purpose<'a> {
    /// Initial values of a tensor.
    Init { tensor: &'a str },
    /// Choice of the training images.
    Subset,
    /// Choice of the validation images, which are held out from training.
    HoldOut,
    /// Order of the training images in an epoch.
    Order { epoch: usize },
    /// Shifts and rotations of the training images in an epoch.
    Augment { epoch: usize },
    /// Dropout mask of a layer at a step.
    Dropout { layer: &'a str, epoch: usize, step: usize },
}

/// A stream of random numbers, the same on every machine.
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of a run's seed for one purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let label = match purpose {
            Purpose::Init { tensor } => format!("init {tensor}"),
            Purpose::Subset => "subset".to_owned(),
            Purpose::HoldOut => "hold out".to_owned(),
            Purpose::Order { epoch } => format!("order {epoch}"),
            Purpose::Augment { epoch } => format!("augment {epoch}"),
            Purpose::Dropout { layer, epoch, step } => format!("dropout {layer} {epoch} {step}"),
        };
        Self::keyed(format!("mnist-report stream 1\nseed {seed}\n{label}\n").as_bytes())
    }

    /// The stream of an arbitrary key.
    pub fn keyed(key: &[u8]) -> Self {
        Self(ChaCha8Rng::from_seed(Sha256::digest(key).into()))
    }

    /// The stream's ChaCha8 key.
    pub fn key(&self) -> [u8; 32] {
        self.0.get_seed()
    }

    /// An integer below `n`, without bias (Lemire 2019, "Fast random integer generation in an interval").
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "cannot draw from an empty range");
        let mut product = u64::from(self.0.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.0.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// Shuffles in place (Fisher-Yates). Do not use a library's shuffle: its next version may draw differently, and
    /// results would change silently.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }

    /// `n` values, uniform in [-bound, bound). Each is made of 24 random bits, computed in f64 and rounded once to f32.
    pub fn uniform(&mut self, n: usize, bound: f64) -> Vec<f32> {
        (0..n)
            .map(|_| {
                let unit = f64::from(self.0.next_u32() >> 8) / f64::from(1u32 << 24);
                (bound * (2.0 * unit - 1.0)) as f32
            })
            .collect()
    }

    /// A dropout mask of `n` values: 0 with probability `p`, otherwise 1 / (1 - p).
    pub fn dropout_mask(&self, n: usize, p: f64) -> Vec<f32> {
        let mut mask = vec![0.0; n];
        self.dropout_mask_from(0, p, &mut mask);
        mask
    }

    /// Draws the part of the same mask that begins at value `first`, so that several threads can draw parts of a mask.
    /// Nothing may have been drawn from this stream before.
    pub fn dropout_mask_from(&self, first: usize, p: f64, mask: &mut [f32]) {
        let rule = DropoutRule::new(p);
        let mut rng = self.0.clone();
        rng.set_word_pos(first as u128);
        let mut bytes = [0u8; 4096];
        for values in mask.chunks_mut(bytes.len() / 4) {
            let bytes = &mut bytes[..4 * values.len()];
            rng.fill_bytes(bytes);
            for (value, word) in values.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = if rule.keeps(word) { rule.keep } else { 0.0 };
            }
        }
    }

    /// The same mask as bits, where 1 means keep. A byte holds eight values, the first in its lowest bit.
    pub fn dropout_bits(&mut self, n: usize, p: f64) -> Vec<u8> {
        let rule = DropoutRule::new(p);
        let byte =
            |words: &[u8]| (0..).zip(words.chunks_exact(4)).map(|(i, word)| u8::from(rule.keeps(word)) << i).sum();
        self.bytes(4 * n).chunks(32).map(byte).collect()
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; n];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// How four random bytes of a stream decide whether dropout keeps a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutRule {
    /// A value is dropped if the bytes, as a little-endian number, are less than this.
    pub drop_below: u32,
    /// The mask where values are kept, 1 / (1 - p).
    pub keep: f32,
}

impl DropoutRule {
    /// The rule for values that are dropped with probability `p`.
    pub fn new(p: f64) -> Self {
        Self { drop_below: (p * 4_294_967_296.0) as u32, keep: (1.0 / (1.0 - p)) as f32 }
    }

    fn keeps(self, word: &[u8]) -> bool {
        u32::from_le_bytes([word[0], word[1], word[2], word[3]]) >= self.drop_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_do_not_change() {
        // If these values change, every Report ID changes.
        let mut s = Stream::new(1, Purpose::Order { epoch: 1 });
        let mut items: Vec<u32> = (0..10).collect();
        s.shuffle(&mut items);
        let first = Stream::new(1, Purpose::Init { tensor: "conv1.weight" }).uniform(2, 1.0);
        let shift = Stream::new(1, Purpose::Augment { epoch: 2 }).uniform(1, 1.0);
        assert_eq!(items, [0, 6, 8, 4, 1, 5, 7, 2, 3, 9]);
        assert_eq!(shift, [0.440_394_4]);
        assert_eq!(first, [0.051_941_037, 0.259_520_3]);
    }

    #[test]
    fn purposes_and_seeds_have_different_streams() {
        let draw = |seed, purpose| Stream::new(seed, purpose).uniform(4, 1.0);
        let base = draw(1, Purpose::Dropout { layer: "d", epoch: 1, step: 2 });
        assert_eq!(base, draw(1, Purpose::Dropout { layer: "d", epoch: 1, step: 2 }));
        assert_ne!(base, draw(2, Purpose::Dropout { layer: "d", epoch: 1, step: 2 }));
        assert_ne!(base, draw(1, Purpose::Dropout { layer: "d", epoch: 2, step: 1 }));
        assert_ne!(base, draw(1, Purpose::Subset));
    }

    #[test]
    fn masks_drop_the_given_share_and_keep_the_mean() {
        let mask = Stream::keyed(b"mask").dropout_mask(200_000, 0.25);
        let dropped = mask.iter().filter(|v| **v == 0.0).count() as f64 / 200_000.0;
        assert!((dropped - 0.25).abs() < 0.005, "{dropped}");
        assert!(mask.iter().all(|v| *v == 0.0 || *v == (4.0f64 / 3.0) as f32));
        for first in [0, 1, 1023, 77_777] {
            let mut part = vec![9.0; 3000];
            Stream::keyed(b"mask").dropout_mask_from(first, 0.25, &mut part);
            assert_eq!(part, mask[first..first + 3000]);
        }
        let bits = Stream::keyed(b"mask").dropout_bits(199_999, 0.25);
        let unpacked = (0..199_999).map(|i| if bits[i / 8] >> (i % 8) & 1 == 1 { (4.0f64 / 3.0) as f32 } else { 0.0 });
        assert!(unpacked.eq(mask[..199_999].iter().copied()), "bits and values differ");
        assert!(Stream::keyed(b"none").dropout_mask(1000, 0.0).iter().all(|v| *v == 1.0));
    }

    #[test]
    fn uniform_covers_its_range_and_below_has_no_bias() {
        let values = Stream::keyed(b"u").uniform(100_000, 0.5);
        let (lo, hi) = values.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(lo >= -0.5 && hi < 0.5 && lo < -0.4999 && hi > 0.4999, "{lo} {hi}");
        let mut s = Stream::keyed(b"b");
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[s.below(6) as usize] += 1);
        assert!(counts.iter().all(|c| (9_600..10_400).contains(c)), "{counts:?}");
    }
}
