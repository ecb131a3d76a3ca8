//! Galleries: the test images that networks get wrong, or read differently.
//!
//! Owns the captions; which images, is `results::digits`'s choice.

use anyhow::Result;

use super::figures::{Figure, Tile, gallery};
use crate::numbers::{count, percent};
use crate::results::{ComparisonResult, Results, SeedResult};

/// The images that a network gets wrong with the highest confidence; none where it gets none wrong.
pub fn misread_gallery(name: String, title: &str, seed: &SeedResult, results: &Results) -> Result<Option<Figure>> {
    let tiles: Vec<Tile> = seed
        .misread
        .iter()
        .filter_map(|m| {
            Some(Tile {
                png: results.digits.get(&m.image.to_string())?,
                first: format!("{}, read as {}", m.label, m.predicted),
                second: percent(m.confidence, 1),
            })
        })
        .collect();
    if tiles.is_empty() {
        return Ok(None);
    }
    let wrong = count((seed.images() - seed.correct()) as u64);
    let caption = format!(
        "{title}: of the {wrong} test images that it gets wrong, the {} of which it is surest, with its confidence",
        tiles.len()
    );
    let description = seed.misread.iter().map(|m| format!("A {} read as {}.", m.label, m.predicted));
    let description = description.collect::<Vec<_>>().join(" ");
    gallery(name, caption, description, &tiles).map(Some)
}

/// The first test images that two networks read differently; none where there are none.
pub fn disagreement_gallery(
    name: String,
    titles: &[String; 2],
    comparison: &ComparisonResult,
    results: &Results,
) -> Result<Option<Figure>> {
    let Some(pair) = comparison.pairs.first() else { return Ok(None) };
    let tiles: Vec<Tile> = pair
        .disagreements
        .iter()
        .filter_map(|d| {
            Some(Tile {
                png: results.digits.get(&d.image.to_string())?,
                first: format!("a {}", d.label),
                second: format!("{} | {}", d.predicted[0], d.predicted[1]),
            })
        })
        .collect();
    if tiles.is_empty() {
        return Ok(None);
    }
    let [one, other] = titles;
    let caption = format!(
        "The first {} test images that the two networks read differently: as {one} | {other} read them",
        tiles.len()
    );
    let described = pair.disagreements.iter().map(|d| {
        let [a, b] = d.predicted;
        format!("A {} read as {a} and as {b}.", d.label)
    });
    gallery(name, caption, described.collect::<Vec<_>>().join(" "), &tiles).map(Some)
}
