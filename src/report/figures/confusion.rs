//! A confusion matrix: counts and the shares of their rows in every cell, only the errors coloured.

use super::prelude::*;
use crate::dataset::MAX_CLASSES;
use crate::report::document::FigureTable;
use crate::results::SeedResult;

/// The least room for the number of a row.
const LEFT: i32 = 26;
const TOP: i32 = 38;

/// The counts of one network with the shares of their rows, from 0 to 1.
struct Matrix<'a>(&'a [Vec<usize>]);

impl Matrix<'_> {
    fn share(&self, (row, column): (usize, usize)) -> f64 {
        self.0[row][column] as f64 / self.0[row].iter().sum::<usize>().max(1) as f64
    }

    fn classes(&self) -> usize {
        self.0.len()
    }

    /// The cells off the diagonal.
    fn errors(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let classes = self.classes();
        (0..classes)
            .flat_map(move |row| (0..classes).map(move |column| (row, column)))
            .filter(|(row, column)| row != column)
    }

    /// The most frequent error; `None` where there is none.
    fn worst(&self) -> Option<(usize, usize)> {
        let count = |(row, column): (usize, usize)| self.0[row][column];
        self.errors()
            .filter(|cell| count(*cell) > 0)
            .reduce(|best, cell| if count(cell) > count(best) { cell } else { best })
    }

    fn table(&self, lang: &Language) -> Result<FigureTable> {
        let cell = |row: usize, column: usize| {
            let share = lang.numbers.percent(self.share((row, column)), 1);
            format!("{} ({share})", lang.numbers.count(self.0[row][column] as u64))
        };
        let classes = self.classes();
        let digits = (0..classes).map(|class| lang.class(class));
        let rows = (0..classes)
            .map(|row| std::iter::once(lang.class(row)).chain((0..classes).map(|column| cell(row, column))).collect());
        let columns = std::iter::once(lang.word("figures.confusion.corner")?).chain(digits).collect();
        Ok(FigureTable { columns, rows: rows.collect() })
    }
}

/// The largest share of a row that is an error, from 0 to 1.
pub(crate) fn largest_error_share(seed: &SeedResult) -> f64 {
    let matrix = Matrix(&seed.confusion);
    matrix.errors().map(|cell| matrix.share(cell)).fold(0.0, f64::max)
}

/// The figure of one run's confusion matrix. `most` is the share with the darkest colour; figures that are compared have
/// the same.
pub(crate) fn confusion(name: &str, title: &str, seed: &SeedResult, most: f64, lang: &Language) -> Result<Drawing> {
    on_both_sheets(Width::Half, |sheet| drawn(name, title, (seed, most), sheet, lang))
}

fn drawn(name: &str, title: &str, (seed, most): (&SeedResult, f64), sheet: Sheet, lang: &Language) -> Result<Drawing> {
    let matrix = Matrix(&seed.confusion);
    let caption = lang.say("figures.confusion.caption", context! { title })?;
    let description = match matrix.worst() {
        None => lang.word("figures.confusion.none")?,
        Some((digit, predicted)) => {
            let n = seed.confusion[digit][predicted];
            let [digit, predicted] = [digit, predicted].map(|class| lang.class(class));
            lang.say("figures.confusion.description", context! { n, digit, predicted })?
        }
    };
    let classes = matrix.classes();
    let width = sheet.pixels();
    let side = (width - LEFT) / MAX_CLASSES as i32;
    let left = width - side * MAX_CLASSES as i32;
    let (right, base) = (left + side * classes as i32, TOP + side * classes as i32);
    let names = in_rows(&lang.numbered_classes(), width);
    let height = (base + 28 + names.len() as i32 * LINE) as u32;
    let drawing = draw(Titles { name: name.to_owned(), caption, description }, sheet, height, |root| {
        let middle = i32::midpoint(left, right);
        let truth = format!("{} ↓", lang.word("figures.true_digit")?);
        let predicted = format!("{} →", lang.word("figures.predicted_digit")?);
        // Over the middle of the columns, unless the other word is in the way.
        let start = (middle - width_of(&predicted, LABEL) / 2).max(width_of(&truth, LABEL) + 12);
        text(root, &predicted, (start, 8), &label(MUTED), HPos::Left, VPos::Center)?;
        text(root, &truth, (0, 8), &label(MUTED), HPos::Left, VPos::Center)?;
        for i in 0..classes {
            centred(root, &i.to_string(), (left + i as i32 * side + side / 2, TOP - 11), &label(INK))?;
            centred(root, &i.to_string(), (left / 2, TOP + i as i32 * side + side / 2), &label(INK))?;
        }
        for row in 0..classes {
            for column in 0..classes {
                let place = (left + column as i32 * side, TOP + row as i32 * side);
                cell(root, &matrix, (row, column), most, (place, side), lang)?;
            }
        }
        root.draw(&Rectangle::new([(left, TOP), (right - 1, base)], GRID.stroke_width(1)))?;
        centred(root, &lang.word("figures.confusion.key")?, (width / 2, base + 16), &label(MUTED))?;
        lines(root, &names, (width / 2, base + 16 + LINE), &label(MUTED), HPos::Center)
    })?;
    Ok(drawing.with_table(matrix.table(lang)?))
}

/// A cell with its count and the share of its row; `most` is the share with the darkest colour. It is drawn as a square of
/// some side from its left upper corner.
fn cell(
    root: &Canvas,
    matrix: &Matrix,
    (row, column): (usize, usize),
    most: f64,
    ((left, top), side): ((i32, i32), i32),
    lang: &Language,
) -> Result<()> {
    let n = matrix.0[row][column];
    if n == 0 {
        return Ok(());
    }
    let share = matrix.share((row, column));
    if row != column {
        // The square root makes single errors visible.
        let fill = ORANGE.mix(0.12 + 0.55 * (share / most).sqrt());
        root.draw(&Rectangle::new([(left + 1, top + 1), (left + side - 1, top + side - 1)], fill.filled()))?;
    }
    let middle = left + side / 2;
    centred(root, &n.to_string(), (middle, top + 10), &label(INK))?;
    let muted = if row == column { MUTED } else { INK };
    centred(root, &lang.numbers.points(share, 1), (middle, top + 24), &label(muted))
}
