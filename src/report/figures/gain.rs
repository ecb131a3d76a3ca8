//! The difference of two runs' accuracies by epoch, with its interval: a panel for each comparison, on a common scale.

use super::axes::{Axis, error_bar, ticks};
use super::prelude::*;
use crate::results::NoInterval;
use crate::results::statistics::{Difference, Interval};

const PANEL_HEIGHT: u32 = 260;
const TOP: i32 = 40;
const BOTTOM: i32 = 48;
const LEFT: i32 = 62;
const RIGHT: i32 = 16;

/// What one panel shows: a comparison's title, its epochs as `results::by_epoch` gives them, and its margin.
pub(crate) struct Gain<'a> {
    pub title: &'a str,
    pub epochs: Vec<(usize, f64, Option<Difference>)>,
    pub margin: Option<f64>,
    /// The seeds of the run that has fewer.
    pub seeds: usize,
    /// Why no epoch has an interval.
    pub no_interval: Option<NoInterval>,
}

impl Gain<'_> {
    fn ends(&self) -> impl Iterator<Item = f64> {
        self.epochs.iter().flat_map(|(_, mean, d)| {
            let Interval { lower, upper } = d.map_or(Interval { lower: *mean, upper: *mean }, |d| d.interval);
            [lower, upper]
        })
    }
}

/// The figure of some comparisons.
pub(crate) fn gain(name: String, gains: &[Gain], lang: &Language) -> Result<Drawing> {
    let titles = gains.iter().map(|g| g.title.to_owned()).collect::<Vec<_>>();
    let banded = gains.iter().any(|g| g.epochs.iter().any(|e| e.2.is_some()));
    let key = match gains.iter().map(|g| g.seeds).max() {
        _ if banded => "figures.gain.caption_band",
        Some(2..) => "figures.gain.caption_means",
        _ => "figures.gain.caption",
    };
    let caption = lang.say(key, context! { titles })?;
    let without = without_interval(gains.iter().filter_map(|g| Some((g.title, g.no_interval?))), lang)?;
    let described = gains.iter().map(|g| describe(g, lang)).chain(without.into_iter().map(Ok));
    let description = described.collect::<Result<Vec<_>>>()?.join(" ");
    let margins = gains.iter().filter_map(|g| Some(-g.margin?));
    let ends = gains.iter().flat_map(Gain::ends).chain(margins).chain([0.0]);
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
    let room = ((high - low) * 0.08).max(0.0005);
    let (rows, columns) = grid(gains.len(), 3);
    draw(Titles { name, caption, description }, PANEL_HEIGHT * rows as u32, |root| {
        for (area, gain) in root.split_evenly((rows, columns)).iter().zip(gains) {
            let (width, height) = area.dim_in_pixel();
            let (right, base) = (width as i32 - RIGHT, height as i32 - BOTTOM);
            let axis = Axis { low: low - room, high: high + room, left: LEFT, right, top: TOP, base };
            centred(area, gain.title, (width as i32 / 2, 14), &font(SIZE, INK))?;
            panel(area, gain, &axis, lang)?;
        }
        Ok(())
    })
}

fn describe(gain: &Gain, lang: &Language) -> Result<String> {
    let at = |(epoch, mean, d): &(usize, f64, Option<Difference>)| {
        let form = |x: f64| lang.numbers.points(x, 2);
        let points = form(*mean);
        match d {
            Some(Difference { interval, .. }) => {
                let (lower, upper) = (form(interval.lower), form(interval.upper));
                lang.say("figures.gain.at_interval", context! { points, epoch, lower, upper })
            }
            None => lang.say("figures.gain.at", context! { points, epoch }),
        }
    };
    let title = gain.title;
    match &gain.epochs[..] {
        [] => lang.say("figures.gain.none", context! { title }),
        [only] => lang.say("figures.gain.one", context! { title, first => at(only)? }),
        [first, .., last] => {
            lang.say("figures.gain.several", context! { title, first => at(first)?, last => at(last)? })
        }
    }
}

fn panel(area: &Canvas, gain: &Gain, axis: &Axis, lang: &Language) -> Result<()> {
    let label = font(SIZE - 1.0, MUTED);
    text(area, &lang.word("figures.points")?, (LEFT - 6, TOP - 16), &label, HPos::Right, VPos::Center)?;
    axis.grid(area, &ticks(axis.low, axis.high, 0.0005, 7.0), |tick| {
        lang.numbers.points(tick, 1 + usize::from((tick * 1000.0).fract().abs() > 1e-6))
    })?;
    if let Some(margin) = gain.margin {
        let y = axis.y(-margin);
        area.draw(&DashedPathElement::new([(LEFT, y), (axis.right, y)], 5, 4, ORANGE.stroke_width(1)))?;
        let margin = lang.word("figures.margin")?;
        text(area, &margin, (axis.right, y - 2), &font(SIZE - 2.0, ORANGE), HPos::Right, VPos::Bottom)?;
    }
    let slots = gain.epochs.len();
    let means: Vec<(i32, i32)> =
        gain.epochs.iter().enumerate().map(|(i, e)| (axis.slot(i, slots), axis.y(e.1))).collect();
    line(area, &means, BLUE.stroke_width(2))?;
    for (i, ((epoch, _, difference), at)) in gain.epochs.iter().zip(means).enumerate() {
        if let Some(Difference { interval, .. }) = difference {
            error_bar(area, at.0, (axis.y(interval.upper), axis.y(interval.lower)), BLUE)?;
        }
        area.draw(&Circle::new(at, 4, BLUE.filled()))?;
        // At most eight labels.
        if i % slots.div_ceil(8) == 0 {
            centred(area, &epoch.to_string(), (at.0, axis.base + 14), &label)?;
        }
    }
    centred(area, &lang.word("figures.epoch")?, (axis.middle(), axis.base + 34), &font(SIZE, INK))
}
