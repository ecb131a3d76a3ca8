//! Accuracy of each digit, the runs side by side as points joined by a line.

use anyhow::Result;
use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Figure, GRID, INK, MUTED, SERIES, SIZE, WIDTH, draw, failed, font, text};
use crate::dataset::CLASSES;
use crate::report::Language;
use crate::results::SeedResult;

const HEIGHT: u32 = 320;
const LEFT: i32 = 70;
const RIGHT: i32 = 20;
const TOP: i32 = 44;
const BOTTOM: i32 = 52;

/// The figure of some runs' accuracies by class: (title, first seed).
pub fn per_class(name: String, runs: &[(&str, &SeedResult)], lang: &Language) -> Result<Figure> {
    let lowest = runs.iter().flat_map(|(_, s)| s.per_class()).fold(1.0, f64::min);
    // The axis starts at a whole percent below the lowest point, but leaves at least two percent of span.
    let low = ((lowest * 100.0 - 0.3).floor() / 100.0).clamp(0.0, 0.98);
    let titles: Vec<&str> = runs.iter().map(|(title, _)| *title).collect();
    let caption = lang.say("figures.per_class.caption", context! { titles => titles.join("; ") })?;
    let description = runs
        .iter()
        .map(|(title, s)| {
            let all = s.per_class();
            let worst = (0..CLASSES).fold(0, |w, c| if all[c] < all[w] { c } else { w });
            let share = lang.numbers.percent(all[worst], 2);
            lang.say("figures.per_class.description", context! { title => *title, digit => worst, share })
        })
        .collect::<Result<Vec<_>>>()?
        .join(" ");
    let digit = lang.word("figures.digit")?;
    draw(name, caption, description, HEIGHT, |root| {
        let (right, base) = (WIDTH as i32 - RIGHT, HEIGHT as i32 - BOTTOM);
        let y = |share: f64| base - ((share - low) / (1.0 - low) * f64::from(base - TOP)).round() as i32;
        let x = |class: usize| LEFT + (right - LEFT) * (2 * class as i32 + 1) / (2 * CLASSES as i32);
        for tick in ticks(low) {
            let line = vec![(LEFT, y(tick)), (right, y(tick))];
            root.draw(&PathElement::new(line, GRID)).map_err(failed)?;
            let label = lang.numbers.percent(tick, usize::from((tick * 1000.0).round() as i64 % 10 != 0));
            text(root, &label, (LEFT - 8, y(tick)), &font(SIZE - 1.0, MUTED), HPos::Right, VPos::Center)?;
        }
        for class in 0..CLASSES {
            let shares: Vec<f64> = runs.iter().map(|(_, s)| s.per_class()[class]).collect();
            let (min, max) = shares.iter().fold((1f64, 0f64), |(l, h), s| (l.min(*s), h.max(*s)));
            let span = vec![(x(class), y(min)), (x(class), y(max))];
            root.draw(&PathElement::new(span, GRID.stroke_width(5))).map_err(failed)?;
            for (i, share) in shares.iter().enumerate() {
                mark(root, i, (x(class), y(*share)))?;
            }
            text(root, &class.to_string(), (x(class), base + 16), &font(SIZE, INK), HPos::Center, VPos::Center)?;
        }
        text(root, &digit, ((LEFT + right) / 2, base + 36), &font(SIZE, INK), HPos::Center, VPos::Center)?;
        let mut at = LEFT;
        for (i, title) in titles.iter().enumerate() {
            mark(root, i, (at + 6, 18))?;
            text(root, title, (at + 18, 18), &font(SIZE, SERIES[i % SERIES.len()]), HPos::Left, VPos::Center)?;
            at += 40 + (title.chars().count() as f64 * SIZE * 0.56) as i32;
        }
        Ok(())
    })
}

/// Each run has its colour and its shape, so that grey print tells them apart.
fn mark(root: &super::Canvas, i: usize, at: (i32, i32)) -> Result<()> {
    let color = SERIES[i % SERIES.len()];
    match i % 3 {
        0 => root.draw(&Circle::new(at, 5, color.stroke_width(2))).map_err(failed),
        1 => root.draw(&Circle::new(at, 5, color.filled())).map_err(failed),
        _ => root.draw(&TriangleMarker::new(at, 6, color.filled())).map_err(failed),
    }
}

/// Five to eight round values from `low` to 1.
fn ticks(low: f64) -> Vec<f64> {
    let steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
    let step = steps.into_iter().find(|s| (1.0 - low) / s <= 8.0).unwrap_or(0.5);
    let count = ((1.0 - low) / step + 1e-9).floor() as usize;
    (0..=count).map(|i| 1.0 - i as f64 * step).collect()
}
