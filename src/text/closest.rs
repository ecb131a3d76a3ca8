//! Finds the known word that a mistyped one probably stands for.

use std::collections::BTreeSet;

use strsim::damerau_levenshtein;

use super::look_alike::looks_like;

/// A longer word is not a typo of any name.
const LONGEST: usize = 64;
/// One edit is allowed for this many characters of the longer word.
const CHARACTERS_PER_EDIT: usize = 3;
/// The most names that a message lists.
const MOST_LISTED: usize = 24;
/// The most known words that a typed one is compared with: a study from somebody else may have 200,000 keys, and a thousand
/// expressions with a typo.
const MOST_COMPARED: usize = 1000;

/// The known word closest to `name`, if it is close: equal except for case, `-`, `_`, spaces and a path in front (`nn.`), or
/// at most one edit (a character inserted, deleted, replaced, or swapped with its neighbour) for every three characters of
/// the longer word. So a word of one or two characters is never close to another one. Letters that look Latin count as Latin.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().count() > LONGEST {
        return None;
    }
    let last_part = name.rsplit('.').next().unwrap_or(name);
    let latin = looks_like(name);
    // Nearly always one.
    let typed = BTreeSet::from([simplified(name), simplified(last_part), simplified(&latin)]);
    let edits = |word: &str| {
        let word = simplified(word);
        let allowed = |typed: &String| typed.chars().count().max(word.chars().count()) / CHARACTERS_PER_EDIT;
        let close = typed.iter().filter(|typed| !typed.is_empty());
        close.map(|typed| (damerau_levenshtein(typed, &word), allowed(typed))).filter(|(n, most)| n <= most).min()
    };
    // The comparison takes memory for each pair of characters.
    let compared = known.into_iter().take(MOST_COMPARED).filter(|word| word.len() <= 4 * LONGEST);
    compared.filter_map(|word| Some((edits(word)?.0, word))).min_by_key(|(edits, _)| *edits).map(|(_, w)| w)
}

/// The message for an unknown name: the closest known one, if any is close, and all that are known.
pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let meant = Some(did_you_mean(name, known.iter().copied())).filter(|meant| !meant.is_empty());
    let meant = meant.or_else(|| looks_latin(name)).unwrap_or_default();
    let listed = known.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    let listed = match known.len() {
        0 => format!("no {what}"),
        n if n > MOST_LISTED => format!("{listed} and {} more", n - MOST_LISTED),
        _ => listed,
    };
    // A question mark already ends the sentence before.
    let end = if meant.ends_with('?') { "" } else { ";" };
    format!("unknown {what} `{name}`{meant}{end} this study has {listed}")
}

/// The words before a suggestion.
pub(crate) const DID_YOU_MEAN: &str = "did you mean";

/// `; did you mean WORD?` if a known word is close, otherwise nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let Some(word) = closest(name, known) else { return String::new() };
    let foreign = foreign_letters(name, word).map(|letters| format!(" ({letters})"));
    format!("; {DID_YOU_MEAN} `{word}`?{}", foreign.unwrap_or_default())
}

/// `; the ... that you typed ...` for a word that looks Latin and is not, to which no known word is close.
pub(crate) fn looks_latin(name: &str) -> Option<String> {
    let latin = looks_like(name);
    let looks_latin = name.chars().count() <= LONGEST && latin.is_ascii();
    looks_latin.then(|| foreign_letters(name, &latin)).flatten().map(|letters| format!("; {letters}"))
}

/// Which letters of a typed word are not Latin, without those that the known word has, too: a Cyrillic `о` looks like a Latin one.
fn foreign_letters(name: &str, word: &str) -> Option<String> {
    let mut letters: Vec<char> = Vec::new();
    for c in name.chars().filter(|c| c.is_alphabetic() && !c.is_ascii() && !word.contains(*c)) {
        if !letters.contains(&c) {
            letters.push(c);
        }
    }
    let code = |c: &char| format!("U+{:04X}", u32::from(*c));
    let (last, before) = letters.split_last()?;
    if before.is_empty() {
        return Some(format!("the `{last}` that you typed is {}, not a Latin letter", code(last)));
    }
    let typed: Vec<String> = before.iter().map(|c| format!("`{c}`")).collect();
    let codes: Vec<String> = before.iter().map(code).collect();
    let (typed, codes) = (typed.join(", "), codes.join(", "));
    Some(format!("the {typed} and `{last}` that you typed are {codes} and {}, not Latin letters", code(last)))
}

/// A word in lower case and without separators, because people write these in different ways.
fn simplified(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [&str; 6] = ["conv2d", "batch_norm2d", "relu", "leaky_relu", "max_pool2d", "linear"];

    #[test]
    fn typos_and_other_spellings_find_the_word() {
        for (typed, expected) in [
            ("ReLu", "relu"),
            ("rellu", "relu"),
            ("realu", "relu"),
            ("LeakyReLU", "leaky_relu"),
            ("nn.Conv2d", "conv2d"),
            ("torch.nn.BatchNorm2d", "batch_norm2d"),
            ("batchnorm", "batch_norm2d"),
            ("batch-norm2d", "batch_norm2d"),
            ("MaxPool2D", "max_pool2d"),
            ("linera", "linear"),
            ("lineer", "linear"),
        ] {
            assert_eq!(closest(typed, LAYERS), Some(expected), "{typed}");
        }
    }

    #[test]
    fn nonsense_finds_nothing() {
        let long = "relu".repeat(20);
        for typed in ["", ".", "x", "xy", "sigmoid", "banana", "transformer", "реле", long.as_str()] {
            assert_eq!(closest(typed, LAYERS), None, "{typed}");
        }
        assert_eq!(closest("n", ["m"]), None, "one letter is not a typo of another");
        assert_eq!(closest("relu", []), None);
    }

    #[test]
    fn the_work_for_a_hint_is_bounded() {
        let many: Vec<String> = (0..200_000).map(|i| format!("number-{i}")).collect();
        let asked = std::cell::Cell::new(0);
        let known = many.iter().map(|word| {
            asked.set(asked.get() + 1);
            word.as_str()
        });
        assert_eq!(closest("numbre-7", known), Some("number-7"));
        assert!(asked.get() <= MOST_COMPARED, "{}", asked.get());
        let long = "relu".repeat(1_000_000);
        assert_eq!(closest("relu", [long.as_str()]), None, "without a table of 64 x 4,000,000 numbers");
    }

    #[test]
    fn the_closest_of_several_is_chosen() {
        assert_eq!(closest("slim_bn", ["slim", "slim-bn", "slim-bn2"]), Some("slim-bn"));
        assert_eq!(closest("adamw", ["adam", "adamw"]), Some("adamw"));
    }

    #[test]
    fn letters_that_look_latin_are_named() {
        let message = did_you_mean("m\u{43e}del", ["model"]);
        assert_eq!(message, "; did you mean `model`? (the `\u{43e}` that you typed is U+043E, not a Latin letter)");
        for (typed, known, expected) in [
            (
                "\u{441}\u{456}ty",
                "city",
                "`city`? (the `\u{441}` and `\u{456}` that you typed are U+0441 and U+0456, not Latin letters)",
            ),
            ("s\u{435}\u{435}ds", "seeds", "`seeds`? (the `\u{435}` that you typed is U+0435, not a Latin letter)"),
            (
                "\u{435}\u{440}\u{43e}chs",
                "epochs",
                "`epochs`? (the `\u{435}`, `\u{440}` and `\u{43e}` that you typed are U+0435, U+0440 and U+043E, not \
                 Latin letters)",
            ),
        ] {
            assert_eq!(did_you_mean(typed, ["model", known]), format!("; did you mean {expected}"));
        }
        let names = ["seeds".to_owned()];
        assert_eq!(
            unknown("run", "\u{43e}x", names.iter()),
            "unknown run `\u{43e}x`; the `\u{43e}` that you typed is U+043E, not a Latin letter; this study has seeds"
        );
        assert_eq!(looks_latin("\u{43d}\u{430}\u{437}\u{432}\u{430}"), None, "a Ukrainian word");
        assert_eq!(looks_latin("model"), None);
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..30).map(|i| format!("run-number-{i}")).collect();
        let message = unknown("run", "zebra", names.iter());
        assert!(message.starts_with("unknown run `zebra`; this study has run-number-0, "), "{message}");
        assert!(message.ends_with("run-number-23 and 6 more"), "{message}");
        assert_eq!(unknown("run", "a", std::iter::empty()), "unknown run `a`; this study has no run");
    }
}
