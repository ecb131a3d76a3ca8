//! The difference of two runs' accuracy by epoch, with its interval: a panel a comparison, on a common scale.

use anyhow::Result;
use minijinja::context;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Canvas, Figure, GRID, INK, MUTED, ORANGE, SIZE, draw, failed, font, rows_of_three, text};
use crate::report::Language;
use crate::results::statistics::Difference;

const PANEL_HEIGHT: u32 = 260;
const TOP: i32 = 40;
const BOTTOM: i32 = 48;
const LEFT: i32 = 62;
const RIGHT: i32 = 16;

/// What one panel shows: a comparison's title, its epochs as `results::by_epoch` gives them, and its margin.
pub struct Gain<'a> {
    pub title: &'a str,
    pub epochs: Vec<(usize, f64, Option<Difference>)>,
    pub margin: Option<f64>,
}

impl Gain<'_> {
    fn ends(&self) -> impl Iterator<Item = f64> {
        self.epochs.iter().flat_map(|(_, mean, d)| {
            let (lower, upper) = d.map_or((*mean, *mean), |d| (d.interval.lower, d.interval.upper));
            [lower, upper]
        })
    }
}

/// The figure of some comparisons.
pub fn gain(name: String, gains: &[Gain], lang: &Language) -> Result<Figure> {
    let titles: Vec<&str> = gains.iter().map(|g| g.title).collect();
    let banded = gains.iter().any(|g| g.epochs.iter().any(|e| e.2.is_some()));
    let key = if banded { "figures.gain.caption_band" } else { "figures.gain.caption" };
    let caption = lang.say(key, context! { titles => titles.join("; ") })?;
    let description = gains.iter().map(|g| describe(g, lang)).collect::<Result<Vec<_>>>()?.join(" ");
    let margins = gains.iter().filter_map(|g| Some(-g.margin?));
    let ends = gains.iter().flat_map(Gain::ends).chain(margins).chain([0.0]);
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
    let room = ((high - low) * 0.08).max(0.0005);
    let scale = (low - room, high + room);
    let (rows, columns) = rows_of_three(gains.len());
    draw(name, caption, description, PANEL_HEIGHT * rows as u32, |root| {
        root.split_evenly((rows, columns)).iter().zip(gains).try_for_each(|(area, gain)| panel(area, gain, scale, lang))
    })
}

fn describe(gain: &Gain, lang: &Language) -> Result<String> {
    let at = |(epoch, mean, d): &(usize, f64, Option<Difference>)| {
        let form = |x: f64| lang.numbers.points(x, 2);
        let points = form(*mean);
        match d {
            Some(d) => {
                let (lower, upper) = (form(d.interval.lower), form(d.interval.upper));
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

fn panel(area: &Canvas, gain: &Gain, (low, high): (f64, f64), lang: &Language) -> Result<()> {
    let (width, height) = area.dim_in_pixel();
    let (right, base) = (width as i32 - RIGHT, height as i32 - BOTTOM);
    text(area, gain.title, (width as i32 / 2, 14), &font(SIZE, INK), HPos::Center, VPos::Center)?;
    text(
        area,
        &lang.word("figures.points")?,
        (LEFT - 6, TOP - 16),
        &font(SIZE - 1.0, MUTED),
        HPos::Right,
        VPos::Center,
    )?;
    let y = |d: f64| base - ((d - low) / (high - low) * f64::from(base - TOP)).round() as i32;
    let slots = gain.epochs.len().max(1) as i32;
    let x = |i: usize| LEFT + (right - LEFT) * (2 * i as i32 + 1) / (2 * slots);
    for tick in ticks(low, high) {
        let color = if tick == 0.0 { MUTED } else { GRID };
        area.draw(&PathElement::new(vec![(LEFT, y(tick)), (right, y(tick))], color)).map_err(failed)?;
        let label = lang.numbers.points(tick, 1 + usize::from((tick * 1000.0).fract().abs() > 1e-6));
        text(area, &label, (LEFT - 6, y(tick)), &font(SIZE - 1.0, MUTED), HPos::Right, VPos::Center)?;
    }
    if let Some(margin) = gain.margin {
        let at = y(-margin);
        let line = DashedPathElement::new([(LEFT, at), (right, at)], 5, 4, ORANGE.stroke_width(1));
        area.draw(&line).map_err(failed)?;
        text(
            area,
            &lang.word("figures.margin")?,
            (right, at - 2),
            &font(SIZE - 2.0, ORANGE),
            HPos::Right,
            VPos::Bottom,
        )?;
    }
    let means: Vec<(i32, i32)> = gain.epochs.iter().enumerate().map(|(i, e)| (x(i), y(e.1))).collect();
    area.draw(&PathElement::new(means.clone(), BLUE.stroke_width(2))).map_err(failed)?;
    let labelled = gain.epochs.len().div_ceil(8);
    for (i, ((epoch, _, difference), at)) in gain.epochs.iter().zip(means).enumerate() {
        if let Some(Difference { interval, .. }) = difference {
            let (top, bottom) = (y(interval.upper), y(interval.lower));
            for part in [
                [(at.0, top), (at.0, bottom)],
                [(at.0 - 4, top), (at.0 + 4, top)],
                [(at.0 - 4, bottom), (at.0 + 4, bottom)],
            ] {
                area.draw(&PathElement::new(part.to_vec(), BLUE)).map_err(failed)?;
            }
        }
        area.draw(&Circle::new(at, 4, BLUE.filled())).map_err(failed)?;
        if i % labelled == 0 {
            text(area, &epoch.to_string(), (at.0, base + 14), &font(SIZE - 1.0, MUTED), HPos::Center, VPos::Center)?;
        }
    }
    let middle = (LEFT + right) / 2;
    text(area, &lang.word("figures.epoch")?, (middle, base + 34), &font(SIZE, INK), HPos::Center, VPos::Center)
}

/// At most seven round values between the ends, 0 among them if it lies there.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
    let step = steps.into_iter().find(|s| (high - low) / s <= 7.0).unwrap_or(0.5);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}
