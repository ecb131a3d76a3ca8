//! Checks of a data set that a study defines.

use std::collections::{BTreeSet, HashMap};

use super::Place;
use crate::dataset::{MAX_CLASSES, MOST_IMAGES};
use crate::study::{Source, StudyError};
use crate::text::letters::seems_to_be;
use crate::text::look_alike::looks_like;

/// Characters of a class's name. Figures cut longer ones off.
const LONGEST_NAME: usize = 30;
/// Characters of a data set's title, which sentences name.
const LONGEST_TITLE: usize = 60;
/// What MNIST is called.
const MNIST: [&str; 3] = ["MNIST", "МНІСТ", "MODIFIED NIST"];
/// Words that name another data set, or a change. A title with MNIST in it must have one of them, which may be joined
/// with MNIST. Letters alone are not among them: `MNIST 60 K`.
#[rustfmt::skip]
const OTHER: [&str; 46] = [
    "Fashion", "Kuzushiji", "KMNIST", "EMNIST", "QMNIST", "MNIST-C", "extended", "like", "own", "part", "half",
    "subset", "rotated", "shifted", "scaled", "noisy", "noise", "blurred", "inverted", "colored", "coloured",
    "permuted", "corrupted", "власний", "власні", "частина", "половина", "підмножина", "подібний", "подібні",
    "повернутий", "повернуті", "зсунутий", "зсунуті", "збільшений", "зменшений", "зашумлений", "зашумлені", "шум",
    "шумом", "розмитий", "розмиті", "інвертований", "інвертовані", "перемішаний", "пошкоджений",
];
/// Further words that such a title may have. Numbers are possible, too.
#[rustfmt::skip]
const BETWEEN: [&str; 24] = [
    "a", "the", "of", "by", "with", "and", "digits", "handwritten", "images", "degree", "degrees", "pixel", "pixels",
    "percent", "на", "з", "із", "і", "та", "цифри", "зображення", "градусів", "пікселі", "пікселів",
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
    if claims_mnist(title) {
        let message = format!(
            "`{title}`: by their hashes, these files are not MNIST; leave MNIST out of the title, or put beside it \
             only numbers and words that name another data set or a change: {}",
            OTHER.join(", ")
        );
        return place.at("title").refuse(message);
    }
    Ok(())
}

/// Whether a title has MNIST in it, and nothing that names another data set.
fn claims_mnist(title: &str) -> bool {
    MNIST.iter().any(|name| has_name(title, name)) && !is_other_than_mnist(title)
}

/// Whether a title has a name, which is in capital letters, in any characters that look alike: as words, such as
/// `M N I S T`, or within a word, such as `KMNIST`. Within a word, `МНІСТ` does not count: `ємність`.
fn has_name(title: &str, name: &str) -> bool {
    let name = name.replace(' ', "");
    let letters: BTreeSet<String> = name.chars().map(String::from).collect();
    // A sign is a letter (`MNI$T`) or ends a word (`MNIST!`). Small Cyrillic letters look like capital ones.
    let without_signs = title.replace(|c: char| c.is_ascii_punctuation() || c == '¦', " ");
    [title.to_owned(), without_signs, title.to_uppercase()].iter().any(|text| {
        let text: String = looks_like(text).chars().map(|c| letter_like(c, &letters)).collect();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let is_within = name.is_ascii() && words.iter().any(|word| word.contains(&name));
        is_within || (0..words.len()).any(|first| (first..words.len()).any(|last| words[first..=last].concat() == name))
    })
}

/// The one of these letters that a character looks like, otherwise the character. Nothing for a mark on the character
/// before it.
fn letter_like(c: char, letters: &BTreeSet<String>) -> String {
    let text = c.to_string();
    match letters.iter().find(|letter| seems_to_be(&text, letter)) {
        Some(letter) => letter.clone(),
        None if ('\u{300}'..='\u{36f}').contains(&c) => String::new(),
        None => text,
    }
}

/// Whether a title with MNIST in it has only words that are possible beside it, one of which names another data set.
fn is_other_than_mnist(title: &str) -> bool {
    let plain = |text: &str| looks_like(&text.to_lowercase());
    let title = plain(title);
    let is_one_of = |words: &[&str], word: &str| words.iter().any(|other| plain(other) == word);
    let is_other = |word: &str| {
        let joined = word.replace('-', "");
        let beside = joined.strip_prefix("mnist").or(joined.strip_suffix("mnist")).unwrap_or(&joined);
        [word, &joined, beside].iter().any(|word| is_one_of(&OTHER, word))
    };
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let is_possible = |word: &&str| *word == "mnist" || is_number(word) || is_one_of(&BETWEEN, word) || is_other(word);
    let words = || title.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.is_empty());
    words().all(|word| is_possible(&word)) && words().any(is_other)
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

#[cfg(test)]
mod tests {
    use super::claims_mnist;

    #[test]
    fn titles_with_mnist_in_them_name_another_data_set() {
        for title in [
            "Fashion-MNIST",
            "Fashion MNIST!",
            "KMNIST",
            "K-MNIST",
            "the EMNIST digits",
            "QMNIST",
            "MNIST-C",
            "Kuzushiji-MNIST",
            "MNIST, rotated by 10 degrees",
            "Rotated MNIST (90-180)",
            "MNIST-like, own handwritten digits",
            "Part of MNIST",
            "Частина MNIST",
            "MNIST, повернутий на 10 градусів",
            "Повернутий і зашумлений MNIST",
            // Without MNIST in them.
            "Column is the class",
            "Ємність",
            "Їжаки",
            "MINST",
        ] {
            assert!(!claims_mnist(title), "{title}");
        }
        for title in [
            "MNIST",
            "MN!ST",
            "m-n-i-s-t",
            "M N I S T",
            "MNI\u{332}ST",
            "мNIЅT",
            "ꓟꓠꓲꓢꓔ",
            "🇲🇳🇮🇸🇹",
            "MNIST (цифри)",
            "MNIST, original files",
            "MNIST (verified)",
            "MNIST, 60 K images",
            "MNIST 60000",
            "MNIST with all its images",
            "MNIST (PyTorch)",
            "MNIST without a rotated part",
            "LeCun MNIST",
            "theMNIST",
            "MNIST¹",
            "MNIST-60K",
            "МНІСТ",
            "мніст у повному обсязі",
            "Modified NIST",
            "Fashion-MNIST and the original MNIST",
            "Fashion-MN1ST",
        ] {
            assert!(claims_mnist(title), "{title}");
        }
    }
}
