//! Results by digit: accuracies, confusion matrices, and pictures of single test images.

use minijinja::context;

use super::first_seed_title;
use super::training::ShownRun;
use crate::dataset::CLASSES;
use crate::report::builder::Builder;
use crate::report::document::{Block, ColumnKind, FigureBlock, TableColumn, TableRow};
use crate::report::error::Result;
use crate::report::figures::{self, Drawing, Tile, gallery};
use crate::report::inline::{InlineStyle, RichText};

/// Accuracy by digit, as figure and table.
pub(super) fn accuracy(b: &Builder, figure: FigureBlock, runs: &[ShownRun]) -> Result<Block> {
    let titles = runs.iter().map(|run| TableColumn::new(run.first_seed_title.as_str(), ColumnKind::Number));
    let columns = std::iter::once(TableColumn::new(b.heading("digit")?, ColumnKind::Key)).chain(titles).collect();
    let row = |class: usize| {
        let shares = runs.iter().map(|run| b.lang.numbers.fixed(run.first_seed().per_class()[class], 4).into());
        TableRow::from(std::iter::once(class.to_string().into()).chain(shares).collect::<Vec<_>>())
    };
    let rows: Vec<TableRow> = (0..CLASSES).map(row).collect();
    let table = b.numbered_table(b.phrase("training.per_class")?, columns, vec![rows.into()])?.styled("narrow");
    Ok(Block::Group { style: "pair wide", blocks: vec![Block::Figure(figure), Block::Table(table)] })
}

/// A run's confusion matrix, as figure and table.
pub(super) fn confusion(b: &Builder, name: String, run: &ShownRun) -> Result<Block> {
    let title = run.first_seed_title.as_str();
    let figure = b.figure(figures::confusion(name, title, run.first_seed(), b.lang)?)?;
    let digits = (0..CLASSES).map(|class| TableColumn::new(class.to_string(), ColumnKind::Number));
    let columns = std::iter::once(TableColumn::new(b.heading("true")?, ColumnKind::Text)).chain(digits).collect();
    let row = |(class, counts): (usize, &[usize; CLASSES])| {
        let style = |column, n| match n {
            _ if column == class => InlineStyle::Strong,
            0 => InlineStyle::Muted,
            _ => InlineStyle::Plain,
        };
        let cells = counts.iter().enumerate().map(|(c, n)| RichText::styled(style(c, *n), n.to_string()));
        TableRow::from(std::iter::once(class.to_string().into()).chain(cells).collect::<Vec<_>>())
    };
    let rows: Vec<TableRow> = run.first_seed().confusion.iter().enumerate().map(row).collect();
    let values = context! { title, figure => b.figure_link(&figure)? };
    let table = b.numbered_table(b.text("training.confusion", values)?, columns, vec![rows.into()])?.styled("matrix");
    Ok(Block::Group { style: "pair", blocks: vec![Block::Figure(figure), Block::Table(table)] })
}

/// The images that a network misclassifies with the highest confidence; none where there are none.
pub(super) fn misclassified(b: &Builder, name: String, run: &ShownRun) -> Result<Option<Drawing>> {
    let (lang, seed, title) = (b.lang, run.first_seed(), run.first_seed_title.as_str());
    let (mut tiles, mut descriptions) = (Vec::new(), Vec::new());
    for m in &seed.misclassified {
        let values = || context! { digit => m.label, predicted => m.predicted };
        descriptions.push(lang.say("figures.misclassified.description", values())?);
        if let Some(png) = b.results.digits.get(&m.image.to_string()) {
            let first = lang.say("figures.misclassified.tile", values())?;
            tiles.push(Tile { png, first, second: lang.numbers.percent(m.confidence, 1) });
        }
    }
    if tiles.is_empty() {
        return Ok(None);
    }
    let wrong = seed.images() - seed.correct();
    let caption = lang.say("figures.misclassified.caption", context! { title, wrong, shown => tiles.len() })?;
    gallery(name, caption, descriptions.join(" "), &tiles).map(Some)
}

/// The first test images that two networks classify differently; none where there are none.
pub(super) fn disagreements(b: &Builder, name: String, comparison: &str) -> Result<Option<Drawing>> {
    let lang = b.lang;
    let Some(compared) = b.results.comparisons.get(comparison) else { return Ok(None) };
    let [Some(run), Some(against)] = [&compared.run, &compared.against].map(|run| b.results.runs.get(run)) else {
        return Ok(None);
    };
    let (mut tiles, mut descriptions) = (Vec::new(), Vec::new());
    for d in compared.pairs.first().map_or(&[][..], |pair| &pair.disagreements) {
        let [one, other] = d.predicted;
        descriptions.push(lang.say("figures.disagreements.description", context! { digit => d.label, one, other })?);
        if let Some(png) = b.results.digits.get(&d.image.to_string()) {
            let first = lang.say("figures.disagreements.tile", context! { digit => d.label })?;
            tiles.push(Tile { png, first, second: format!("{one} | {other}") });
        }
    }
    if tiles.is_empty() {
        return Ok(None);
    }
    let one = first_seed_title(b.run_title(&compared.run), run, lang)?;
    let other = first_seed_title(b.run_title(&compared.against), against, lang)?;
    let caption = lang.say("figures.disagreements.caption", context! { shown => tiles.len(), one, other })?;
    gallery(name, caption, descriptions.join(" "), &tiles).map(Some)
}
