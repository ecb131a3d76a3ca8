//! Finds texts that look alike.

use super::unseen::unseen;

/// Cyrillic and Greek letters beside the Latin letter that looks like them.
#[rustfmt::skip]
const LETTERS: [(char, char); 51] = [
    ('а', 'a'), ('е', 'e'), ('о', 'o'), ('р', 'p'), ('с', 'c'), ('у', 'y'), ('х', 'x'), ('і', 'i'), ('ј', 'j'), ('ѕ', 's'),
    ('һ', 'h'), ('ԁ', 'd'), ('ԛ', 'q'), ('ԝ', 'w'), ('А', 'A'), ('В', 'B'), ('Е', 'E'), ('К', 'K'), ('М', 'M'), ('Н', 'H'),
    ('О', 'O'), ('Р', 'P'), ('С', 'C'), ('Т', 'T'), ('У', 'Y'), ('Х', 'X'), ('І', 'I'), ('Ј', 'J'), ('Ѕ', 'S'), ('Ї', 'Ï'),
    ('ї', 'ï'), ('Α', 'A'), ('Β', 'B'), ('Ε', 'E'), ('Ζ', 'Z'), ('Η', 'H'), ('Ι', 'I'), ('Κ', 'K'), ('Μ', 'M'), ('Ν', 'N'),
    ('Ο', 'O'), ('Ρ', 'P'), ('Τ', 'T'), ('Υ', 'Y'), ('Χ', 'X'), ('ο', 'o'), ('ν', 'v'), ('\u{2010}', '-'), ('\u{2011}', '-'),
    ('\u{2212}', '-'), ('\u{2013}', '-'),
];

/// Letters with a mark, beside the letter and the mark that they are composed of: the letters of Ukrainian, and those of
/// Latin-1.
#[rustfmt::skip]
const COMPOSED: [(&str, char); 30] = [
    ("i\u{308}", 'ї'), ("І\u{308}", 'Ї'), ("и\u{306}", 'й'), ("И\u{306}", 'Й'), ("e\u{301}", 'é'), ("e\u{300}", 'è'),
    ("e\u{302}", 'ê'), ("e\u{308}", 'ë'), ("a\u{301}", 'á'), ("a\u{300}", 'à'), ("a\u{302}", 'â'), ("a\u{308}", 'ä'),
    ("a\u{303}", 'ã'), ("a\u{30a}", 'å'), ("o\u{301}", 'ó'), ("o\u{300}", 'ò'), ("o\u{302}", 'ô'), ("o\u{308}", 'ö'),
    ("o\u{303}", 'õ'), ("u\u{301}", 'ú'), ("u\u{300}", 'ù'), ("u\u{302}", 'û'), ("u\u{308}", 'ü'), ("i\u{301}", 'í'),
    ("i\u{300}", 'ì'), ("i\u{302}", 'î'), ("n\u{303}", 'ñ'), ("c\u{327}", 'ç'), ("O\u{308}", 'Ö'), ("U\u{308}", 'Ü'),
];

/// What a text looks like: spaces collapsed, invisible characters removed, letters of other alphabets as Latin ones. Two texts
/// with the same result cannot be told apart in print.
pub(crate) fn looks_like(text: &str) -> String {
    let visible: String = text.chars().filter(|c| c.is_whitespace() || unseen(*c).is_none()).collect();
    let latin: String =
        visible.chars().map(|c| LETTERS.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to)).collect();
    let has_marks = latin.contains(|c| ('\u{300}'..='\u{36f}').contains(&c));
    let compositions = if has_marks { &COMPOSED[..] } else { &[] };
    let composed = compositions.iter().fold(latin, |text, (parts, whole)| {
        let whole = LETTERS.iter().find(|(from, _)| from == whole).map_or(*whole, |(_, to)| *to);
        text.replace(parts, whole.encode_utf8(&mut [0; 4]))
    });
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::looks_like;

    #[test]
    fn texts_that_look_alike_have_the_same_form() {
        for (one, other) in [
            ("Adam  0.01", "Adam 0.01"),
            (" Adam", "Adam"),
            ("Adam\u{a0}0.01", "Adam 0.01"),
            ("Ad\u{200b}am", "Adam"),
            ("\u{410}d\u{430}m", "Adam"),
            ("e\u{301}", "\u{e9}"),
            ("\u{456}\u{308}", "\u{457}"),
            ("slim\u{2011}bn", "slim-bn"),
        ] {
            assert_eq!(looks_like(one), looks_like(other), "{one}");
        }
        assert_eq!(looks_like(" \u{200b}\u{feff} "), "");
        for (one, other) in [("Adam", "adam"), ("Adam 0.1", "Adam 0.01"), ("їжак", "іжак")] {
            assert_ne!(looks_like(one), looks_like(other), "{one}");
        }
    }
}
