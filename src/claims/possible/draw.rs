//! Random numbers of other results, by the part of the results that they are for.

use crate::rng::Stream;

/// Random numbers for a part of one of the results.
pub(super) struct Draw {
    number: usize,
    random: Stream,
}

impl Draw {
    /// Equal parts of the results have equal keys.
    pub(super) fn new(number: usize, key: &str) -> Self {
        Self { number, random: Stream::keyed(format!("possible results {number} {key}").as_bytes()) }
    }

    /// Random numbers of the same results for another part.
    pub(super) fn of(&self, key: &str) -> Self {
        Self::new(self.number, key)
    }

    pub(super) fn keeps_study(&self) -> bool {
        self.number % 3 < 2
    }

    /// Numbered alike whether the study is kept or not.
    pub(super) fn pattern(&self) -> usize {
        if self.keeps_study() { self.number / 3 * 2 + self.number % 3 } else { self.number / 3 }
    }

    /// A number from `least` to `most`.
    pub(super) fn count(&mut self, least: usize, most: usize) -> usize {
        let range = u32::try_from(most.saturating_sub(least)).unwrap_or(u32::MAX).min(u32::MAX - 1);
        least + self.random.below(range + 1) as usize
    }

    /// From 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        f64::from(self.random.below(1 << 24)) / f64::from(1 << 24)
    }

    /// Between `10^least` and `10^most`.
    pub(super) fn magnitude(&mut self, least: f64, most: f64) -> f64 {
        libm::pow(10.0, least + (most - least) * self.share())
    }
}
