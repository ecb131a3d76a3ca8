//! Accuracy of each digit, the runs side by side as points joined by a line.

use super::axes::{Axis, ticks};
use super::prelude::*;
use crate::dataset::CLASSES;
use crate::results::SeedResult;

const HEIGHT: u32 = 320;
const LEFT: i32 = 70;
const RIGHT: i32 = 20;
const TOP: i32 = 44;
const BOTTOM: i32 = 52;

/// The figure of some runs' accuracies by class: (title, first seed).
pub(crate) fn per_class(name: String, runs: &[(&str, &SeedResult)], lang: &Language) -> Result<Drawing> {
    let titles = runs.iter().map(|(title, _)| (*title).to_owned()).collect::<Vec<_>>();
    let caption = lang.say("figures.per_class.caption", context! { titles })?;
    let describe = |(title, seed): &(&str, &SeedResult)| {
        let all = seed.per_class();
        let lowest = all.iter().copied().fold(1.0, f64::min);
        let digits: Vec<usize> = (0..CLASSES).filter(|c| all[*c] <= lowest).collect();
        let share = lang.numbers.percent(lowest, 2);
        lang.say("figures.per_class.description", context! { title => *title, digits, share })
    };
    let description = runs.iter().map(describe).collect::<Result<Vec<_>>>()?.join(" ");
    let lowest = runs.iter().flat_map(|(_, s)| s.per_class()).fold(1.0, f64::min);
    // The axis starts at a whole percent below the lowest point, and spans at least two percent.
    let low = ((lowest * 100.0 - 0.3).floor() / 100.0).clamp(0.0, 0.98);
    let (right, base) = (WIDTH as i32 - RIGHT, HEIGHT as i32 - BOTTOM);
    let axis = Axis { low, high: 1.0, left: LEFT, right, top: TOP, base };
    draw(Titles { name, caption, description }, HEIGHT, |root| {
        axis.grid(root, &ticks(low, 1.0, 0.001, 8.0), |tick| {
            lang.numbers.percent(tick, usize::from((tick * 1000.0).round() as i64 % 10 != 0))
        })?;
        for class in 0..CLASSES {
            let x = axis.slot(class, CLASSES);
            let points: Vec<i32> = runs.iter().map(|(_, s)| axis.y(s.per_class()[class])).collect();
            if let (Some(top), Some(bottom)) = (points.iter().min(), points.iter().max()) {
                line(root, &[(x, *bottom), (x, *top)], GRID.stroke_width(5))?;
            }
            points.iter().enumerate().try_for_each(|(i, y)| mark(root, i, (x, *y)))?;
            centred(root, &class.to_string(), (x, base + 16), &font(SIZE, INK))?;
        }
        centred(root, &lang.word("figures.digit")?, (axis.middle(), base + 36), &font(SIZE, INK))?;
        let mut left = LEFT;
        for (i, (title, _)) in runs.iter().enumerate() {
            mark(root, i, (left + 6, 18))?;
            text(root, title, (left + 18, 18), &font(SIZE, SERIES[i % SERIES.len()]), HPos::Left, VPos::Center)?;
            left += 40 + (title.chars().count() as f64 * SIZE * 0.56) as i32;
        }
        Ok(())
    })
}

/// Each run has its colour and its shape, so that grey print tells them apart.
fn mark(root: &Canvas, i: usize, at: (i32, i32)) -> Result<()> {
    let color = SERIES[i % SERIES.len()];
    match i % 3 {
        0 => root.draw(&Circle::new(at, 5, color.stroke_width(2)))?,
        1 => root.draw(&Circle::new(at, 5, color.filled()))?,
        _ => root.draw(&TriangleMarker::new(at, 6, color.filled()))?,
    }
    Ok(())
}
