//! Accuracy against the number of parameters: how small a network can get.

use anyhow::Result;
use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{BLUE, Figure, GRID, INK, MUTED, ORANGE, SIZE, WIDTH, draw, failed, font, text};
use crate::report::Language;
use crate::results::statistics::Interval;

const HEIGHT: u32 = 420;
const LEFT: i32 = 70;
const RIGHT: i32 = 40;
const TOP: i32 = 40;
const BOTTOM: i32 = 56;

/// A network's place in the figure.
pub struct LadderPoint {
    pub title: String,
    pub parameters: u64,
    pub accuracy: f64,
    /// Of the accuracy; none of one seed, and none of what others printed.
    pub interval: Option<Interval>,
    /// Whether it was measured here, or is quoted.
    pub measured: bool,
}

/// The figure of some networks.
pub fn ladder(name: String, rungs: &[LadderPoint], lang: &Language) -> Result<Figure> {
    let printed = rungs.iter().any(|r| !r.measured);
    let caption = lang.word(match (rungs.iter().any(|r| r.interval.is_some()), printed) {
        (false, false) => "figures.ladder.caption",
        (false, true) => "figures.ladder.caption_printed",
        (true, false) => "figures.ladder.caption_band",
        (true, true) => "figures.ladder.caption_band_printed",
    })?;
    let description = rungs
        .iter()
        .map(|r| {
            let values = context! {
                title => r.title.as_str(),
                n => r.parameters,
                accuracy => lang.numbers.percent(r.accuracy, 2),
            };
            lang.say("figures.ladder.description", values)
        })
        .collect::<Result<Vec<_>>>()?
        .join(" ");
    let ends = |r: &LadderPoint| r.interval.map_or((r.accuracy, r.accuracy), |i| (i.lower, i.upper));
    let lowest = rungs.iter().map(|r| ends(r).0).fold(1.0, f64::min);
    let highest = rungs.iter().map(|r| ends(r).1).fold(0.0, f64::max).min(1.0);
    let room = ((highest - lowest) * 0.1).max(0.001);
    let (low, high) = ((lowest - room).max(0.0), (highest + room).min(1.0));
    // Whole decades would waste the width on two networks alike; a little room on both sides does.
    let log = |n: u64| libm::log10(n.max(1) as f64);
    let sizes = || rungs.iter().map(|r| log(r.parameters));
    let (small, large) = (sizes().fold(f64::MAX, f64::min) - 0.15, sizes().fold(0.0, f64::max) + 0.15);
    let (x_axis, y_axis) = (lang.word("figures.ladder.x")?, lang.word("figures.ladder.y")?);
    draw(name, caption, description, HEIGHT, |root| {
        let (right, base) = (WIDTH as i32 - RIGHT, HEIGHT as i32 - BOTTOM);
        let x = |n: u64| LEFT + ((log(n) - small) / (large - small) * f64::from(right - LEFT)).round() as i32;
        let y = |a: f64| base - ((a - low) / (high - low) * f64::from(base - TOP)).round() as i32;
        for tick in accuracy_ticks(low, high) {
            root.draw(&PathElement::new(vec![(LEFT, y(tick)), (right, y(tick))], GRID)).map_err(failed)?;
            let label = lang.numbers.percent(tick, 1);
            text(root, &label, (LEFT - 8, y(tick)), &font(SIZE - 1.0, MUTED), HPos::Right, VPos::Center)?;
        }
        for tick in size_ticks(small, large) {
            root.draw(&PathElement::new(vec![(x(tick), base), (x(tick), base + 5)], MUTED)).map_err(failed)?;
            let label = lang.numbers.count(tick);
            text(root, &label, (x(tick), base + 16), &font(SIZE - 1.0, MUTED), HPos::Center, VPos::Center)?;
        }
        root.draw(&PathElement::new(vec![(LEFT, base), (right, base)], MUTED)).map_err(failed)?;
        let middle = (LEFT + right) / 2;
        text(root, &x_axis, (middle, base + 38), &font(SIZE, INK), HPos::Center, VPos::Center)?;
        text(root, &y_axis, (LEFT - 50, 16), &font(SIZE, INK), HPos::Left, VPos::Center)?;
        let mut labels: Vec<(i32, i32)> = Vec::new();
        for rung in rungs {
            let at = (x(rung.parameters), y(rung.accuracy));
            let color = if rung.measured { BLUE } else { ORANGE };
            if let Some(Interval { lower, upper }) = rung.interval {
                let (top, bottom) = (y(upper.min(1.0)), y(lower));
                for part in [
                    [(at.0, top), (at.0, bottom)],
                    [(at.0 - 5, top), (at.0 + 5, top)],
                    [(at.0 - 5, bottom), (at.0 + 5, bottom)],
                ] {
                    root.draw(&PathElement::new(part.to_vec(), color)).map_err(failed)?;
                }
            }
            let style = if rung.measured { color.filled() } else { color.stroke_width(2) };
            root.draw(&Circle::new(at, 5, style)).map_err(failed)?;
            // To the left of points in the right half; above the point, or the nearest place below that is free of other
            // labels and other points' intervals.
            let (h, dx) = if at.0 > middle { (HPos::Right, -10) } else { (HPos::Left, 10) };
            let length = (rung.title.chars().count() as f64 * SIZE * 0.5) as i32;
            let span = if dx > 0 { (at.0 + dx, at.0 + dx + length) } else { (at.0 + dx - length, at.0 + dx) };
            let taken = |label: i32| {
                let by_label = labels.iter().any(|(lx, ly)| (lx - at.0).abs() < 230 && (ly - label).abs() < 14);
                let by_point = rungs.iter().filter(|r| r.parameters != rung.parameters).any(|r| {
                    let (lower, upper) = ends(r);
                    (span.0 - 5..=span.1 + 5).contains(&x(r.parameters))
                        && (y(upper) - 10..=y(lower) + 10).contains(&label)
                });
                by_label || by_point
            };
            let label = std::iter::once(at.1 - 9).chain((1..).map(|i| at.1 + 2 + 14 * i)).find(|l| !taken(*l));
            let label = label.unwrap_or(at.1 - 9);
            labels.push((at.0, label));
            text(root, &rung.title, (at.0 + dx, label), &font(SIZE - 1.0, color), h, VPos::Center)?;
        }
        Ok(())
    })
}

/// At most eight round values between the ends.
fn accuracy_ticks(low: f64, high: f64) -> Vec<f64> {
    let steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
    let step = steps.into_iter().find(|s| (high - low) / s <= 8.0).unwrap_or(0.5);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// 1, 2 and 5 times the powers of ten between the ends, given as logarithms.
fn size_ticks(small: f64, large: f64) -> Vec<u64> {
    let (least, most) = (libm::pow(10.0, small), libm::pow(10.0, large));
    (0..10u32)
        .flat_map(|decade| [1, 2, 5].map(|n| n * 10u64.pow(decade)))
        .filter(|n| (least..=most).contains(&(*n as f64)))
        .collect()
}
