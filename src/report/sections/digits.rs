//! Results by digit: accuracies, confusion matrices, and pictures of single test images.

use super::prelude::*;
use super::shown_run::{ShownRun, first_seed_title};
use crate::dataset::CLASSES;
use crate::report::figures::{Drawing, GalleryImage, gallery};
use crate::results::GALLERY;

/// Accuracy by digit, as figure and table.
pub(super) fn accuracy(b: &Builder, figure: FigureBlock, runs: &[ShownRun]) -> Result<Block> {
    let mut columns = Columns::<usize>::new().column("digit", Key, usize::to_string);
    for run in runs {
        let title = RichText::from(run.first_seed_title.as_str());
        columns = columns.column(title, Number, |digit| b.lang.numbers.fixed(run.first_seed().per_class()[*digit], 4));
    }
    let table = b.table(b.phrase("training.per_class")?, &columns, 0..CLASSES)?.styled("narrow");
    Ok(Block::Group { style: "pair wide", blocks: vec![Block::Figure(figure), Block::Table(table)] })
}

/// A run's confusion matrix, as figure and table.
pub(super) fn confusion(b: &Builder, name: String, run: &ShownRun) -> Result<Block> {
    let (title, seed) = (run.first_seed_title.as_str(), run.first_seed());
    let figure = b.figure(figures::confusion(name, title, seed, b.lang)?)?;
    let mut columns = Columns::<usize>::new().column("true", Text, usize::to_string);
    for predicted in 0..CLASSES {
        columns = columns.column(RichText::from(predicted.to_string()), Number, move |digit| {
            let n = seed.confusion[*digit][predicted];
            let style = match n {
                _ if predicted == *digit => InlineStyle::Strong,
                0 => InlineStyle::Muted,
                _ => InlineStyle::Plain,
            };
            RichText::styled(style, n.to_string())
        });
    }
    let caption = b.text("training.confusion", context! { title, figure => b.figure_link(&figure)? })?;
    let table = b.table(caption, &columns, 0..CLASSES)?.styled("matrix");
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
            // Rounded, a confidence below 1 must not read as certainty.
            let [confidence, full, below] = [m.confidence, 1.0, 0.999].map(|x| lang.numbers.percent(x, 1));
            let second = if confidence == full && m.confidence < 1.0 { format!("> {below}") } else { confidence };
            tiles.push(GalleryImage { png, first, second });
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
            tiles.push(GalleryImage { png, first, second: format!("{one} | {other}") });
        }
    }
    if tiles.is_empty() {
        return Ok(None);
    }
    let one = first_seed_title(b.run_title(&compared.run), run, lang)?;
    let other = first_seed_title(b.run_title(&compared.against), against, lang)?;
    let caption = lang.say(
        "figures.disagreements.caption",
        context! { shown => tiles.len(), all => tiles.len() < GALLERY, one, other },
    )?;
    gallery(name, caption, descriptions.join(" "), &tiles).map(Some)
}
