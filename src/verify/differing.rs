//! Says where two files differ, with both values, so that a grader sees at once what was changed.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::changes::changes;
use crate::digest::{sha256_hex, short};
use crate::text::numbers::plural;
use crate::text::terminal::cut;

/// Differences of a text that are told, and that are looked for.
const MOST_LINES: usize = 5;
const MOST_PAIRS: usize = 1000;
/// Characters of a value, and of what is kept before the place where two values differ.
const WIDEST: usize = 60;
const BEFORE: usize = 20;

/// Where two texts first differ: the words there, each with its unit, and the line. In a page, words that a reader sees come
/// before those in its tags. Files that are not text are told by their hashes.
pub(super) fn text_difference(file: &str, stated: &[u8], given_by: &str, given: &[u8]) -> String {
    let (Ok(a), Ok(b)) = (std::str::from_utf8(stated), std::str::from_utf8(given)) else {
        let [a, b] = [stated, given].map(sha256_hex);
        return format!("{file} has the SHA-256 {}, {given_by} {} {}", short(&a), gives(given_by), short(&b));
    };
    let ends: fn(char) -> bool = if file.ends_with(".json") { ends_word_of_json } else { ends_word };
    let visible = if file.ends_with(".html") { first_word([a, b], visible_words) } else { None };
    let line = |at: usize| a[..at].matches('\n').count() + 1;
    let Some([x, y]) = visible.or_else(|| first_word([a, b], |text| words(text, ends))) else {
        let without_spaces = [a, b].map(|text| text.chars().filter(|c| !c.is_whitespace()));
        let [x, y] = without_spaces;
        let what = if x.eq(y) { "spaces or line ends" } else { "marks between words" };
        return format!("{file}: only {what} differ, first in line {}", line(same_bytes(a, b)));
    };
    format!("{file} says {} (line {})", both_words([&a[x..], &b[y..]], given_by, ends), line(x))
}

/// Where two texts differ: the words that a reader sees, each pair once with its lines, words before numbers, five pairs in all, and how
/// many more lines differ. Only of texts with as many lines: otherwise all that follows a new line would differ, and the first
/// difference is told as by [`text_difference`].
pub(super) fn text_differences(file: &str, stated: &[u8], given_by: &str, given: &[u8]) -> Vec<String> {
    let first = text_difference(file, stated, given_by, given);
    let (Ok(a), Ok(b)) = (std::str::from_utf8(stated), std::str::from_utf8(given)) else { return vec![first] };
    if a.lines().count() != b.lines().count() {
        return vec![first];
    }
    let differing: Vec<_> = a.lines().zip(b.lines()).enumerate().filter(|(_, (x, y))| x != y).collect();
    let mut told: IndexMap<String, Vec<usize>> = IndexMap::new();
    for (i, (x, y)) in &differing {
        for [at, other] in differing_words([x, y], file.ends_with(".html")) {
            let words = both_words([&x[at..], &y[other..]], given_by, ends_word);
            let lines = told.entry(words).or_default();
            if lines.last() != Some(&(i + 1)) {
                lines.push(i + 1);
            }
        }
        if told.len() > MOST_PAIRS {
            break;
        }
    }
    // A verdict among many numbers is what a grader must not miss.
    told.sort_by_cached_key(|words, _| words.contains(|c: char| c.is_ascii_digit()));
    let shown = || told.iter().take(MOST_LINES);
    let mut all: Vec<String> =
        shown().map(|(words, lines)| format!("{file} says {words} ({})", in_lines(lines))).collect();
    if all.is_empty() {
        all.push(first);
        return with_more(file, all, differing.len() - 1);
    }
    let covered: BTreeSet<usize> = shown().flat_map(|(_, lines)| lines).copied().collect();
    with_more(file, all, differing.len() - covered.len())
}

/// The places in two lines of each word that differs if they have as many words, otherwise of the first one. Of a page, only words
/// outside its tags.
fn differing_words([x, y]: [&str; 2], is_page: bool) -> Vec<[usize; 2]> {
    let words_of = |line| -> Vec<(usize, &str)> {
        if is_page { visible_words(line).collect() } else { words(line, ends_word).collect() }
    };
    let (a, b) = (words_of(x), words_of(y));
    let mut pairs = a.iter().zip(&b).filter(|((_, a), (_, b))| a != b).map(|((at, _), (other, _))| [*at, *other]);
    if a.len() == b.len() {
        return pairs.collect();
    }
    let end = |words: &[(usize, &str)], line: &str| words.get(a.len().min(b.len())).map_or(line.len(), |(at, _)| *at);
    vec![pairs.next().unwrap_or_else(|| [end(&a, x), end(&b, y)])]
}

/// `line 3`, or `lines 3, 5, 7 and 2 more`.
fn in_lines(lines: &[usize]) -> String {
    const MOST: usize = 3;
    let named = lines.iter().take(MOST).map(usize::to_string).collect::<Vec<_>>().join(", ");
    match lines.len().saturating_sub(MOST) {
        0 if lines.len() == 1 => format!("line {named}"),
        0 => format!("lines {named}"),
        more => format!("lines {named} and {more} more"),
    }
}

/// Adds how many more lines of a file differ.
fn with_more(file: &str, mut told: Vec<String>, more: usize) -> Vec<String> {
    if more > 0 {
        told.push(format!("{file}: {} in other lines", plural(more, "more difference")));
    }
    told
}

/// `98.59 %, results.json gives 97.59 %`: the words with which two texts start.
fn both_words(texts: [&str; 2], given_by: &str, ends: fn(char) -> bool) -> String {
    let same = same_bytes(texts[0], texts[1]);
    let [told, other] = texts.map(|text| shown(text, ends, same));
    format!("{told}, {given_by} {} {other}", gives(given_by))
}

/// Bytes with which both texts start.
fn same_bytes(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

fn gives(subject: &str) -> &'static str {
    if subject.contains(" and ") || subject.ends_with('s') { "give" } else { "gives" }
}

/// Between the words of a page and of Markdown. A space that may not end a line is inside a number, or before its unit.
fn ends_word(c: char) -> bool {
    (c.is_whitespace() && c != '\u{a0}') || "<>\"|;".contains(c)
}

/// Between the words and numbers of JSON, with whatever spaces it was written.
fn ends_word_of_json(c: char) -> bool {
    ends_word(c) || ":,[]{}".contains(c)
}

/// Where the first word that differs starts in both texts; the end of a text that has no more words.
fn first_word<'a, W: Iterator<Item = (usize, &'a str)>>(
    texts: [&'a str; 2],
    words: impl Fn(&'a str) -> W,
) -> Option<[usize; 2]> {
    let [mut a, mut b] = texts.map(words);
    loop {
        match (a.next(), b.next()) {
            (None, None) => return None,
            (Some((_, x)), Some((_, y))) if x == y => {}
            (x, y) => return Some([x.map_or(texts[0].len(), |x| x.0), y.map_or(texts[1].len(), |y| y.0)]),
        }
    }
}

/// The words of a text, each with its place.
fn words(text: &str, ends: fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split(ends).filter(|word| !word.is_empty()).map(move |word| (place(word), word))
}

/// The words of a page outside its tags.
fn visible_words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_in_tag = false;
    words_and_brackets(text).filter(move |(_, word)| {
        match *word {
            "<" => is_in_tag = true,
            ">" => is_in_tag = false,
            _ => return !is_in_tag,
        }
        false
    })
}

/// The words of a text, and each `<` and `>` between them.
fn words_and_brackets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let ends = text.match_indices(ends_word).map(|(at, end)| (at, end.len())).chain([(text.len(), 0)]);
    ends.scan(0_usize, move |start, (at, len)| {
        let word = (*start, &text[*start..at]);
        *start = at + len;
        Some([word, (at, &text[at..at + len])])
    })
    .flatten()
    .filter(|(_, word)| ["<", ">"].contains(word) || !word.chars().all(ends_word))
}

/// How much a reader learns from a difference: 2 is most. Hashes only show that something differs, and how results.json is written
/// matters less than what it says.
pub(super) fn weight(difference: &str) -> u8 {
    let is_hash = |word: &str| {
        word.len() >= 12
            && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && word.bytes().any(|byte| byte.is_ascii_lowercase())
    };
    let mut words = difference.split(|c: char| !c.is_alphanumeric());
    match () {
        () if words.any(is_hash) || ["SHA-256", "digest is"].iter().any(|sign| difference.contains(sign)) => 0,
        () if difference.contains(NOT_AS_WRITTEN) => 1,
        () => 2,
    }
}

/// What is said of a results.json with other spaces, numbers or escapes than the program writes.
pub(super) const NOT_AS_WRITTEN: &str = "is not in the form that mnist-report writes (another program has written it)";

/// The word that a text starts with, with a unit after it. `same` bytes of it are equal in both texts: of a long word, the end of
/// these is shown.
fn shown(text: &str, ends: fn(char) -> bool, same: usize) -> String {
    let end = text.find(ends).unwrap_or(text.len());
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

    /// A grader asks how much was changed.
    #[test]
    fn the_lines_that_differ_are_told_and_the_rest_is_counted() {
        let of = |a: &str, b: &str| text_differences("a.html", a.as_bytes(), "results.json", b.as_bytes());
        let page = |numbers: &[u32], x: u32| {
            let rows: String = numbers.iter().map(|n| format!("<td>{n}\u{a0}%</td>\n")).collect();
            format!("<table>\n{rows}</table><svg>\n<path d=\"M{x}\"/>\n</svg>\n")
        };
        assert_eq!(
            of(&page(&[1, 20, 3, 40], 5), &page(&[1, 2, 3, 4], 6)),
            [
                "a.html says 20 %, results.json gives 2 % (line 3)",
                "a.html says 40 %, results.json gives 4 % (line 5)",
                "a.html: 1 more difference in other lines"
            ]
        );
        let many = of(&page(&[10, 20, 30, 40, 50, 60, 70], 5), &page(&[1, 2, 3, 4, 5, 6, 7], 5));
        assert_eq!((many.len(), many[5].as_str()), (6, "a.html: 2 more differences in other lines"));
        // Equal changes are told once, and a changed verdict before numbers.
        let verdicts = |numbers: [u32; 3], verdict: &str| page(&numbers, 5) + &format!("<p>{verdict} <b>x</b></p>\n");
        assert_eq!(
            of(&verdicts([9, 9, 9], "supported"), &verdicts([6, 6, 6], "undecided")),
            [
                "a.html says supported, results.json gives undecided (line 8)",
                "a.html says 9 %, results.json gives 6 % (lines 2, 3, 4)",
            ]
        );
        // Every word of a line with as many words.
        assert_eq!(
            of("<p>9 of 10: yes</p>\n<i>same</i>", "<p>6 of 10: no</p>\n<i>same</i>"),
            ["a.html says yes, results.json gives no (line 1)", "a.html says 9, results.json gives 6 (line 1)"]
        );
        let longer = of(&page(&[1, 2, 3], 5), &page(&[1, 2], 5));
        assert_eq!(longer.len(), 1, "{longer:?}");
        assert_eq!(text_differences("w", &[0xff], "x", &[0xfe]).len(), 1);
    }

    #[test]
    fn other_spaces_and_tags_are_not_said_to_be_other_words() {
        let of = |file: &str, a: &str, b: &str| text_difference(file, a.as_bytes(), "results.json", b.as_bytes());
        let only = "only spaces or line ends differ, first in line";
        assert_eq!(of("r.json", "{\r\n \"n\": 1}", "{\n \"n\": 1}"), format!("r.json: {only} 1"));
        assert_eq!(of("r.json", "{\n \"n\": 1}\n", "{\n \"n\": 1}"), format!("r.json: {only} 2"));
        assert_eq!(of("r.json", "[1]", "{1}"), "r.json: only marks between words differ, first in line 1");
        assert_eq!(
            of("r.json", "{\n \"n\": [1, 12]}", "{\"n\":[1,13]}"),
            "r.json says 12, results.json gives 13 (line 2)"
        );
        let page = |rest: &str| format!("<section>\n<p id=\"a\">one two</p>\n{rest}</section>");
        let more = page("<ul class=\"c\"><li>three</li></ul>");
        assert_eq!(of("r.html", &page(""), &more), "r.html says nothing there, results.json gives three (line 3)");
        assert_eq!(of("r.html", &more, &page("")), "r.html says three, results.json gives nothing there (line 3)");
        let tag = more.replace("ul", "ol");
        assert_eq!(of("r.html", &tag, &more), "r.html says ol, results.json gives ul (line 3)");
        assert_eq!(
            of("r.html", &more.replace("class=\"c\"", ""), &more),
            "r.html says li, results.json gives class= (line 3)"
        );
    }

    #[test]
    fn hashes_say_least() {
        for (difference, expected) in [
            ("manifest.json: the measured digest is 47cc4fe0b4d8, results.json and the study give b7f322c76eda", 0),
            ("report.md says `47cc4fe0b4d80b9ec02d, results.json gives `b7f322c76edade041316 (line 179)", 0),
            ("a has the SHA-256 1, b 2", 0),
            (
                "results.json is not in the form that mnist-report writes (another program has written it): results.json says x, mnist-report gives y",
                1,
            ),
            ("epoch 1 has 2606 of 10000 correct and loss 2.455803209317697, the result 2106", 2),
            ("lr is 0.123456789012345", 2),
        ] {
            assert_eq!(weight(difference), expected, "{difference}");
        }
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
