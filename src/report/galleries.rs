//! Galleries: the test images that networks get wrong, or read differently.
//!
//! Owns the captions; which images, is `results::digits`'s choice.

use anyhow::Result;
use minijinja::context;

use super::figures::{Figure, Tile, gallery};
use super::language::Language;
use crate::results::{ComparisonResult, Results, SeedResult};

/// The images that a network gets wrong with the highest confidence; none where it gets none wrong.
pub fn misread_gallery(
    name: String,
    title: &str,
    seed: &SeedResult,
    results: &Results,
    lang: &Language,
) -> Result<Option<Figure>> {
    let tiles = seed
        .misread
        .iter()
        .filter_map(|m| {
            let png = results.digits.get(&m.image.to_string())?;
            let first = lang.say("figures.misread.tile", context! { digit => m.label, read => m.predicted });
            Some(first.map(|first| Tile { png, first, second: lang.numbers.percent(m.confidence, 1) }))
        })
        .collect::<Result<Vec<Tile>>>()?;
    if tiles.is_empty() {
        return Ok(None);
    }
    let wrong = seed.images() - seed.correct();
    let caption = lang.say("figures.misread.caption", context! { title, wrong, shown => tiles.len() })?;
    let described = seed
        .misread
        .iter()
        .map(|m| lang.say("figures.misread.description", context! { digit => m.label, read => m.predicted }));
    gallery(name, caption, described.collect::<Result<Vec<_>>>()?.join(" "), &tiles).map(Some)
}

/// The first test images that two networks read differently; none where there are none.
pub fn disagreement_gallery(
    name: String,
    titles: &[String; 2],
    comparison: &ComparisonResult,
    results: &Results,
    lang: &Language,
) -> Result<Option<Figure>> {
    let Some(pair) = comparison.pairs.first() else { return Ok(None) };
    let tiles = pair
        .disagreements
        .iter()
        .filter_map(|d| {
            let png = results.digits.get(&d.image.to_string())?;
            let first = lang.say("figures.disagreements.tile", context! { digit => d.label });
            Some(first.map(|first| Tile { png, first, second: format!("{} | {}", d.predicted[0], d.predicted[1]) }))
        })
        .collect::<Result<Vec<Tile>>>()?;
    if tiles.is_empty() {
        return Ok(None);
    }
    let [one, other] = titles;
    let caption = lang.say("figures.disagreements.caption", context! { shown => tiles.len(), one, other })?;
    let described = pair.disagreements.iter().map(|d| {
        let [one, other] = d.predicted;
        lang.say("figures.disagreements.description", context! { digit => d.label, one, other })
    });
    gallery(name, caption, described.collect::<Result<Vec<_>>>()?.join(" "), &tiles).map(Some)
}
