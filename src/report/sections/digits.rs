//! Results by class, in MNIST by digit: accuracies, confusion matrices, and pictures of single test images.

use super::prelude::*;
use super::shown_run::{ShownRun, first_seed_title};
use crate::report::figures::{Drawing, GalleryImage, gallery};
use crate::results::GALLERY;

/// A run's confusion matrix, in colours that can be compared with those of the section's other runs.
pub(super) fn confusion(b: &Builder, name: &str, run: &ShownRun, all: &[ShownRun]) -> Result<Drawing> {
    let most = all.iter().map(|run| figures::largest_error_share(run.first_seed())).fold(0.0, f64::max);
    figures::confusion(name, &run.first_seed_title, run.first_seed(), most, b.lang)
}

/// The kernels of a run's first convolution; none where its network does not start with one.
pub(super) fn filters(b: &Builder, name: &str, run: &ShownRun) -> Result<Option<Drawing>> {
    let Some(filters) = b.results.filters.get(run.name) else { return Ok(None) };
    figures::filters(name, &run.first_seed_title, filters, b.lang)
}

/// The images that a network misclassifies with the highest confidence; none where there are none.
pub(super) fn misclassified(b: &Builder, name: &str, run: &ShownRun) -> Result<Option<Drawing>> {
    let (lang, seed, title) = (b.lang, run.first_seed(), run.first_seed_title.as_str());
    let (mut tiles, mut descriptions) = (Vec::new(), Vec::new());
    for m in &seed.misclassified {
        let [digit, predicted] = [m.label, m.predicted].map(|class| lang.class(class.into()));
        let (digit, predicted) = (digit.as_str(), predicted.as_str());
        let values = context! { digit, predicted };
        descriptions.push(lang.say("figures.misclassified.description", values)?);
        if let Some(png) = b.results.digits.get(&m.image.to_string()) {
            let truth = lang.say("figures.misclassified.digit", context! { digit })?;
            let predicted = lang.say("figures.misclassified.predicted", context! { predicted })?;
            // Rounded, a confidence below 1 must not read as certainty.
            let [confidence, full, below] = [m.confidence, 1.0, 0.999].map(|x| lang.numbers.percent(x, 1));
            let confidence = if confidence == full && m.confidence < 1.0 { format!("> {below}") } else { confidence };
            tiles.push(GalleryImage { png, lines: vec![truth, predicted, confidence] });
        }
    }
    if tiles.is_empty() {
        return Ok(None);
    }
    let wrong = seed.images() - seed.correct();
    let caption = lang.say("figures.misclassified.caption", context! { title, wrong, shown => tiles.len() })?;
    gallery(name, &caption, &descriptions.join(" "), &tiles).map(Some)
}

/// The first test images that two networks classify differently; none where there are none.
pub(super) fn disagreements(b: &Builder, name: &str, comparison: &str) -> Result<Option<Drawing>> {
    let lang = b.lang;
    let Some(compared) = b.results.comparisons.get(comparison) else { return Ok(None) };
    let [Some(run), Some(against)] = [&compared.run, &compared.against].map(|run| b.results.runs.get(run)) else {
        return Ok(None);
    };
    let (mut tiles, mut descriptions) = (Vec::new(), Vec::new());
    for d in compared.pairs.first().map_or(&[][..], |pair| &pair.disagreements) {
        let names = [d.label, d.predicted[0], d.predicted[1]].map(|class| lang.class(class.into()));
        let [digit, one, other] = names.each_ref().map(String::as_str);
        descriptions.push(lang.say("figures.disagreements.description", context! { digit, one, other })?);
        if let Some(png) = b.results.digits.get(&d.image.to_string()) {
            let truth = lang.say("figures.disagreements.tile", context! { digit })?;
            // Names of classes have no room beside each other.
            let predicted = match b.study.pinned() {
                Some(_) => vec![truth, one.to_owned(), other.to_owned()],
                None => vec![truth, format!("{one} | {other}")],
            };
            tiles.push(GalleryImage { png, lines: predicted });
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
    gallery(name, &caption, &descriptions.join(" "), &tiles).map(Some)
}
