//! Says where two files differ, with both values, so that a grader sees at once what was changed.

use std::collections::BTreeSet;

use crate::changes::changes;
use crate::digest::{sha256_hex, short};
use crate::text::terminal::cut;

/// Characters of a value, and of what is kept before the place where two values differ.
const WIDEST: usize = 60;
const BEFORE: usize = 20;

/// Where two texts first differ: the words there, each with its unit, and the line. Files that are not text are told by their hashes.
pub(super) fn text_difference(file: &str, stated: &[u8], given_by: &str, given: &[u8]) -> String {
    let (Ok(a), Ok(b)) = (std::str::from_utf8(stated), std::str::from_utf8(given)) else {
        let [a, b] = [stated, given].map(sha256_hex);
        return format!("{file} has the SHA-256 {}, {given_by} {} {}", short(&a), gives(given_by), short(&b));
    };
    let same: usize = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum();
    // Where a word ends in both, the next one differs.
    let ends = [a, b].iter().all(|text| text[same..].chars().next().is_none_or(ends_word));
    let start = if ends { same } else { word_start(&a[..same]) };
    let [x, y] = [a, b].map(|text| shown(text[start..].trim_start_matches(ends_word), same - start));
    let line = a[..same].matches('\n').count() + 1;
    format!("{file} says {x}, {given_by} {} {y} (line {line})", gives(given_by))
}

fn gives(subject: &str) -> &'static str {
    if subject.contains(" and ") || subject.ends_with('s') { "give" } else { "gives" }
}

/// The start of the word that a text ends in.
fn word_start(text: &str) -> usize {
    text.rfind(ends_word).map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8))
}

/// Between the words of a page, of Markdown and of JSON. A space that may not end a line is inside a number, or before its unit.
fn ends_word(c: char) -> bool {
    (c.is_whitespace() && c != '\u{a0}') || "<>\"|;".contains(c)
}

/// The word that a text starts with, with a unit after it. `same` bytes of it are equal in both texts: of a long word, the end of
/// these is shown.
fn shown(text: &str, same: usize) -> String {
    let end = text.find(ends_word).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let unit = rest.strip_prefix(' ').filter(|rest| rest.starts_with('%')).map_or("", |_| " %");
    let skipped = word.char_indices().filter(|(at, _)| *at <= same).count().saturating_sub(BEFORE);
    let word = word.replace('\u{a0}', " ");
    let word: String = word.chars().skip(if word.chars().count() > WIDEST { skipped } else { 0 }).collect();
    match word.trim_end_matches(',') {
        "" => "nothing there".to_owned(),
        word => format!("{}{unit}", cut(word, WIDEST)),
    }
}

/// The first name that only one of two lists has: `manifest.json lists x, the bundle does not have it`.
pub(super) fn list_difference<'a>(
    lists: [&str; 2],
    stated: impl IntoIterator<Item = &'a String>,
    found: impl IntoIterator<Item = &'a String>,
) -> Option<String> {
    let [stated, found]: [BTreeSet<&String>; 2] = [stated.into_iter().collect(), found.into_iter().collect()];
    let name = stated.symmetric_difference(&found).next()?;
    let [has, has_not] = if stated.contains(name) { lists } else { [lists[1], lists[0]] };
    Some(format!("{has} has {name}, {has_not} does not"))
}

/// A value of JSON on a line.
pub(super) fn brief(value: &serde_json::Value) -> String {
    cut(&value.to_string(), WIDEST)
}

/// What differs first between two values as JSON, with both: `confusion[3][3]: 95, the predictions give 94`.
pub(super) fn json_difference<T: serde::Serialize>(
    what: &str,
    stated: &T,
    given_by: &str,
    given: &T,
) -> Option<String> {
    let change = changes(what, stated, given).into_iter().next()?;
    Some(format!("{}: {}, {given_by} {} {}", change.what, brief(&change.a), gives(given_by), brief(&change.b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_words_are_shown_with_their_unit_and_line() {
        let of = |a: &str, b: &str| text_difference("a.html", a.as_bytes(), "results.json", b.as_bytes());
        assert_eq!(
            of("<p>x\n<td>98.59\u{a0}%</td>", "<p>x\n<td>97.59\u{a0}%</td>"),
            "a.html says 98.59 %, results.json gives 97.59 % (line 2)"
        );
        assert_eq!(
            of("<b>7\u{a0}851</b>", "<b>7\u{a0}850</b>"),
            "a.html says 7 851, results.json gives 7 850 (line 1)"
        );
        assert_eq!(of("1,555 | b", "1,554 | b"), "a.html says 1,555, results.json gives 1,554 (line 1)");
        assert_eq!(of("a b", "a b c"), "a.html says nothing there, results.json gives c (line 1)");
        assert_eq!(of("a", "ї"), "a.html says a, results.json gives ї (line 1)");
        assert_eq!(of("{\"n\": 12,", "{\"n\": 123,"), "a.html says 12, results.json gives 123 (line 1)");
        let long = |end: &str| format!("{}{end}", "x".repeat(1000));
        let told = of(&long("1"), &long("2"));
        assert!(told.contains("x1, results.json gives xxx") && told.len() < 150, "{told}");
        let told = text_difference("w", &[0xff, 1], "the training", &[0xff, 2]);
        assert!(told.starts_with("w has the SHA-256 ") && told.contains(", the training gives "), "{told}");
    }

    #[test]
    fn the_first_name_of_one_list_alone_is_told() {
        let [a, b, c] = ["a", "b", "c"].map(str::to_owned);
        let lists = ["the manifest", "the bundle"];
        assert_eq!(list_difference(lists, [&a, &b], [&b, &a]), None);
        assert_eq!(list_difference(lists, [&a, &b], [&a]).unwrap(), "the manifest has b, the bundle does not");
        assert_eq!(list_difference(lists, [&a], [&a, &c]).unwrap(), "the bundle has c, the manifest does not");
    }
}
