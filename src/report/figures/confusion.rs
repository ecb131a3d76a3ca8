//! A confusion matrix as a heat map: counts in every cell, the diagonal muted so that errors stand out.

use super::prelude::*;
use crate::dataset::CLASSES;
use crate::results::SeedResult;

const CELL: i32 = 42;
const EDGE: i32 = CELL * CLASSES as i32;
const LEFT: i32 = (WIDTH as i32 - EDGE) / 2;
const TOP: i32 = 46;
const HEIGHT: u32 = (TOP + EDGE + 58) as u32;

/// The figure of one run's confusion matrix.
pub(crate) fn confusion(name: String, title: &str, seed: &SeedResult, lang: &Language) -> Result<Drawing> {
    let errors = |(row, column): (usize, usize)| if row == column { 0 } else { seed.confusion[row][column] };
    let cells = (0..CLASSES).flat_map(|row| (0..CLASSES).map(move |column| (row, column)));
    let (row, column) = cells.clone().fold((0, 1), |best, cell| if errors(cell) > errors(best) { cell } else { best });
    let most = errors((row, column));
    let caption = lang.say("figures.confusion.caption", context! { title })?;
    let description = match most {
        0 => lang.word("figures.confusion.none")?,
        n => lang.say("figures.confusion.description", context! { n, digit => row, predicted => column })?,
    };
    draw(Titles { name, caption, description }, HEIGHT, |root| {
        let style = font(SIZE, INK);
        let middle = LEFT + EDGE / 2;
        centred(root, &lang.word("figures.predicted_digit")?, (middle, 14), &style)?;
        let actual = lang.word("figures.true_digit")?;
        text(root, &actual, (LEFT - 34, TOP + EDGE / 2), &style, HPos::Right, VPos::Center)?;
        for i in 0..CLASSES {
            let along = i as i32 * CELL + CELL / 2;
            centred(root, &i.to_string(), (LEFT + along, TOP - 12), &style)?;
            centred(root, &i.to_string(), (LEFT - 14, TOP + along), &style)?;
        }
        for (row, column) in cells {
            cell(root, (row, column), seed.confusion[row][column], most.max(1))?;
        }
        root.draw(&Rectangle::new([(LEFT, TOP), (LEFT + EDGE, TOP + EDGE)], GRID.stroke_width(1)))?;
        centred(root, &lang.word("figures.confusion.key")?, (middle, TOP + EDGE + 24), &font(SIZE - 1.0, MUTED))
    })
}

/// A cell with its count; `most` is the largest count off the diagonal.
fn cell(root: &Canvas, (row, column): (usize, usize), n: usize, most: usize) -> Result<()> {
    let (left, top) = (LEFT + column as i32 * CELL, TOP + row as i32 * CELL);
    let (fill, ink) = match n {
        _ if row == column => (GRID.to_rgba(), MUTED),
        0 => (PAPER.to_rgba(), MUTED),
        // The square root makes single errors visible.
        n => (ORANGE.mix(0.1 + 0.65 * (n as f64 / most as f64).sqrt()), INK),
    };
    root.draw(&Rectangle::new([(left + 1, top + 1), (left + CELL - 1, top + CELL - 1)], fill.filled()))?;
    if n > 0 {
        centred(root, &n.to_string(), (left + CELL / 2, top + CELL / 2), &font(SIZE, ink))?;
    }
    Ok(())
}
