//! Where the epochs and losses of a panel are on its canvas, and the lines behind the curves.

use super::super::prelude::*;
use super::super::scale::Scale;
use super::course::Loss;

/// Room for the labels of losses.
pub(super) const LEFT: i32 = 48;

/// Where epochs and losses are on a panel's canvas.
pub(super) struct Plot {
    pub epochs: Scale,
    pub losses: Scale,
}

impl Plot {
    pub(super) fn at(&self, (epoch, loss): (f64, f64)) -> (i32, i32) {
        (self.epochs.at(epoch), self.losses.at(loss))
    }

    pub(super) fn line(&self, points: &[(f64, f64)]) -> Vec<(i32, i32)> {
        points.iter().map(|point| self.at(*point)).collect()
    }

    /// The pixels of losses after each epoch.
    pub(super) fn marks(&self, losses: &[Loss]) -> Vec<(i32, i32)> {
        losses.iter().enumerate().map(|(i, loss)| self.at(((i + 1) as f64, loss.mean))).collect()
    }

    /// A line across at each of at most so many ticks.
    pub(super) fn grid(&self, area: &Canvas, lang: &Language, most: usize) -> Result<()> {
        for tick in self.losses.ticks(most) {
            let y = self.losses.at(tick);
            line(area, &[(LEFT, y), (self.epochs.to, y)], GRID)?;
            text(area, &tick_label(tick, lang), (LEFT - 7, y), &label(MUTED), HPos::Right, VPos::Center)?;
        }
        Ok(())
    }
}

/// A loss or a learning rate at its tick.
pub(super) fn tick_label(value: f64, lang: &Language) -> String {
    match value {
        v if v < 1e-12 => "0".into(),
        v if !(1e-4..1e5).contains(&v) => lang.numbers.rough(v),
        v if v >= 1e3 => lang.numbers.count(v.round() as u64),
        v => {
            let fixed = lang.numbers.fixed(v, 4);
            fixed.trim_end_matches('0').trim_end_matches(['.', ',']).to_owned()
        }
    }
}
