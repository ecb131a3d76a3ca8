//! Checks of a data set that a study defines.

use std::collections::HashMap;

use super::Place;
use crate::dataset::{DataSet, MAX_CLASSES, MOST_IMAGES};
use crate::study::{Source, StudyError};
use crate::text::letters::seems_to_be;
use crate::text::look_alike::looks_like;

/// Characters of a class's name. Figures cut longer ones off.
const LONGEST_NAME: usize = 30;
/// Characters of a data set's title, which sentences name.
const LONGEST_TITLE: usize = 60;
/// Words beside MNIST that name no other data set: a title of these alone would still say that the data are MNIST. `MNIST-C` and
/// `Rotated MNIST` are other data sets.
#[rustfmt::skip]
const BESIDE_NAME: [&str; 38] = [
    "a", "the", "of", "from", "original", "real", "true", "genuine", "official", "full", "complete", "whole", "standard", "classic",
    "plain", "published", "usual", "data", "dataset", "set", "database", "digit", "digits", "handwritten", "images", "copy", "дані",
    "набір", "даних", "цифри", "цифр", "рукописні", "рукописних", "справжній", "оригінальний", "повний", "база", "копія",
];

pub(super) fn check(source: &Source) -> Result<(), StudyError> {
    let Some(data) = source.study.pinned() else { return Ok(()) };
    let place = Place::new(source, "data");
    place.within("train_images", data.train_images, 2, MOST_IMAGES)?;
    place.within("test_images", data.test_images, 2, MOST_IMAGES)?;
    let hashes = place.at("sha256");
    for (key, hash) in data.sha256.by_key() {
        if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return hashes.at(key).refuse(
                "is not a SHA-256, which has 64 digits from 0 to f; `mnist-report data --dir FOLDER --pin` prints it",
            );
        }
    }
    if data.set().is_mnist() {
        return hashes.refuse("these are MNIST's files: write `data: FOLDER`, or leave `data` out");
    }
    check_title(&place, &data.title)?;
    check_classes(&place, &data.classes)
}

/// A report about other data must not look like one about MNIST.
fn check_title(place: &Place, title: &str) -> Result<(), StudyError> {
    let plain = looks_like(title);
    if plain.is_empty() {
        return place.at("title").refuse("is empty: write what the data set is called");
    }
    if title.chars().count() > LONGEST_TITLE || title.contains('\n') {
        return place.at("title").refuse(format!("must be one line of at most {LONGEST_TITLE} characters"));
    }
    let mnist = DataSet::mnist().title;
    if seems_to_be(title, &mnist, &BESIDE_NAME) {
        let message =
            format!("`{title}`: by their hashes, these files are not {mnist}; give the data set another title");
        return place.at("title").refuse(message);
    }
    Ok(())
}

fn check_classes(place: &Place, classes: &[String]) -> Result<(), StudyError> {
    if !(2..=MAX_CLASSES).contains(&classes.len()) {
        let message = format!("has {} names; 2 to {MAX_CLASSES} classes are supported", classes.len());
        return place.at("classes").refuse(message);
    }
    let mut seen = HashMap::new();
    for (i, name) in classes.iter().enumerate() {
        let at = place.at(&format!("classes[{i}]"));
        let plain = looks_like(name);
        if plain.is_empty() {
            return at.refuse("is empty: write the name of the class");
        }
        if name.chars().count() > LONGEST_NAME || name.contains('\n') {
            return at.refuse(format!("must be one line of at most {LONGEST_NAME} characters"));
        }
        if let Some(other) = seen.insert(plain, name) {
            return at.refuse(format!("`{name}` looks like another class, `{other}`; give it another name"));
        }
    }
    Ok(())
}
