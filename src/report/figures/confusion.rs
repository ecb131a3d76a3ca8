//! A confusion matrix as a heat map: counts in every cell, the diagonal muted so that errors stand out.

use anyhow::Result;
use minijinja::context;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{Figure, GRID, INK, MUTED, ORANGE, PAPER, SIZE, WIDTH, draw, failed, font, text};
use crate::dataset::CLASSES;
use crate::report::Language;
use crate::results::SeedResult;

const CELL: i32 = 42;
const TOP: i32 = 46;
const HEIGHT: u32 = (TOP + CELL * CLASSES as i32 + 58) as u32;

/// The figure of one run's confusion matrix.
pub fn confusion(name: String, title: &str, seed: &SeedResult, lang: &Language) -> Result<Figure> {
    let errors = |(row, column): (usize, usize)| if row == column { 0 } else { seed.confusion[row][column] };
    let cells = (0..CLASSES).flat_map(|row| (0..CLASSES).map(move |column| (row, column)));
    let (row, column) = cells.clone().fold((0, 1), |best, cell| if errors(cell) > errors(best) { cell } else { best });
    let most = errors((row, column)).max(1);
    let caption = lang.say("figures.confusion.caption", context! { title })?;
    let description = match errors((row, column)) {
        0 => lang.word("figures.confusion.none")?,
        n => lang.say("figures.confusion.description", context! { n, digit => row, taken => column })?,
    };
    let [predicted, actual, key] =
        [lang.word("figures.predicted_digit")?, lang.word("figures.true_digit")?, lang.word("figures.confusion.key")?];
    draw(name, caption, description, HEIGHT, |root| {
        let left = (WIDTH as i32 - CELL * CLASSES as i32) / 2;
        let style = font(SIZE, INK);
        let middle = left + CELL * CLASSES as i32 / 2;
        text(root, &predicted, (middle, 14), &style, HPos::Center, VPos::Center)?;
        text(root, &actual, (left - 34, TOP + CELL * CLASSES as i32 / 2), &style, HPos::Right, VPos::Center)?;
        for i in 0..CLASSES {
            let along = i as i32 * CELL + CELL / 2;
            text(root, &i.to_string(), (left + along, TOP - 12), &style, HPos::Center, VPos::Center)?;
            text(root, &i.to_string(), (left - 14, TOP + along), &style, HPos::Center, VPos::Center)?;
        }
        for (row, column) in cells {
            let n = seed.confusion[row][column];
            let corner = (left + column as i32 * CELL, TOP + row as i32 * CELL);
            let area = [(corner.0 + 1, corner.1 + 1), (corner.0 + CELL - 1, corner.1 + CELL - 1)];
            let share = n as f64 / most as f64;
            let (fill, ink) = match (row == column, n) {
                (true, _) => (GRID.to_rgba(), MUTED),
                (false, 0) => (PAPER.to_rgba(), MUTED),
                // The square root lifts single errors above the paper.
                (false, _) => (ORANGE.mix(0.1 + 0.65 * share.sqrt()), INK),
            };
            root.draw(&Rectangle::new(area, fill.filled())).map_err(failed)?;
            if n > 0 {
                let centre = (corner.0 + CELL / 2, corner.1 + CELL / 2);
                text(root, &n.to_string(), centre, &font(SIZE, ink), HPos::Center, VPos::Center)?;
            }
        }
        let frame = [(left, TOP), (left + CELL * CLASSES as i32, TOP + CELL * CLASSES as i32)];
        root.draw(&Rectangle::new(frame, GRID.stroke_width(1))).map_err(failed)?;
        let under = TOP + CELL * CLASSES as i32 + 24;
        text(root, &key, (middle, under), &font(SIZE - 1.0, MUTED), HPos::Center, VPos::Center)
    })
}
