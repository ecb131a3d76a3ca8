//! Names invisible characters and unusual spaces for error messages.

/// Code points from first to last, with their name in Unicode.
const UNSEEN: &[(char, char, &str)] = &[
    ('\u{a0}', '\u{a0}', "no-break space"),
    ('\u{ad}', '\u{ad}', "soft hyphen"),
    ('\u{34f}', '\u{34f}', "combining grapheme joiner"),
    ('\u{61c}', '\u{61c}', "arabic letter mark"),
    ('\u{115f}', '\u{1160}', "hangul filler"),
    ('\u{1680}', '\u{1680}', "ogham space mark"),
    ('\u{17b4}', '\u{17b5}', "khmer inherent vowel"),
    ('\u{180b}', '\u{180f}', "mongolian vowel separator"),
    ('\u{2000}', '\u{200a}', "wide or narrow space"),
    ('\u{200b}', '\u{200b}', "zero width space"),
    ('\u{200c}', '\u{200c}', "zero width non-joiner"),
    ('\u{200d}', '\u{200d}', "zero width joiner"),
    ('\u{200e}', '\u{200e}', "left-to-right mark"),
    ('\u{200f}', '\u{200f}', "right-to-left mark"),
    ('\u{2028}', '\u{2028}', "line separator"),
    ('\u{2029}', '\u{2029}', "paragraph separator"),
    ('\u{202a}', '\u{202a}', "left-to-right embedding"),
    ('\u{202b}', '\u{202b}', "right-to-left embedding"),
    ('\u{202c}', '\u{202c}', "pop directional formatting"),
    ('\u{202d}', '\u{202d}', "left-to-right override"),
    ('\u{202e}', '\u{202e}', "right-to-left override"),
    ('\u{202f}', '\u{202f}', "narrow no-break space"),
    ('\u{205f}', '\u{205f}', "medium mathematical space"),
    ('\u{2060}', '\u{2060}', "word joiner"),
    ('\u{2061}', '\u{2065}', "invisible operator"),
    ('\u{2066}', '\u{2069}', "directional isolate"),
    ('\u{206a}', '\u{206f}', "deprecated format character"),
    ('\u{2800}', '\u{2800}', "braille pattern blank"),
    ('\u{3000}', '\u{3000}', "ideographic space"),
    ('\u{3164}', '\u{3164}', "hangul filler"),
    ('\u{fe00}', '\u{fe0f}', "variation selector"),
    ('\u{feff}', '\u{feff}', "zero width no-break space, also called byte order mark"),
    ('\u{ffa0}', '\u{ffa0}', "halfwidth hangul filler"),
    ('\u{fff0}', '\u{fff8}', "not a character"),
    ('\u{fff9}', '\u{fffb}', "interlinear annotation"),
    ('\u{fffe}', '\u{ffff}', "not a character"),
    ('\u{1bca0}', '\u{1bca3}', "shorthand format character"),
    ('\u{1d173}', '\u{1d17a}', "musical format character"),
    ('\u{e0000}', '\u{e007f}', "tag character"),
    ('\u{e0080}', '\u{e00ff}', "not a character"),
    ('\u{e0100}', '\u{e01ef}', "variation selector"),
    ('\u{e01f0}', '\u{e0fff}', "not a character"),
];

/// Names an invisible character or an unusual space, such as `U+200B zero width space`. `None` for all other
/// characters, including plain spaces, tabs and line breaks.
pub(crate) fn unseen(c: char) -> Option<String> {
    let named = UNSEEN.iter().find(|(first, last, _)| (*first..=*last).contains(&c)).map(|(_, _, name)| *name);
    let is_control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let name = named.or(is_control.then_some("control character"))?;
    Some(format!("U+{:04X} {name}", c as u32))
}

/// Whether a character shows nothing and takes no visible space, so that two texts that differ in it look the same. Spaces of all
/// widths are not: they are seen as a space.
pub(crate) fn is_invisible(c: char) -> bool {
    !c.is_whitespace() && unseen(c).is_some()
}

/// What is wrong with a text that has an invisible character or an unusual space, and what to do.
pub(crate) fn complaint(text: &str) -> Option<String> {
    let (c, named) = text.chars().find_map(|c| Some((c, unseen(c)?)))?;
    Some(match c {
        _ if c.is_whitespace() => format!("holds {named}, which is not the plain space: type a space in its place"),
        _ => format!("holds the invisible character {named}: remove it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_named_and_others_are_not() {
        for (c, expected) in [
            ('\u{200b}', "U+200B zero width space"),
            ('\u{ad}', "U+00AD soft hyphen"),
            ('\u{2009}', "U+2009 wide or narrow space"),
            ('\u{1b}', "U+001B control character"),
            ('\u{e0041}', "U+E0041 tag character"),
        ] {
            assert_eq!(unseen(c).as_deref(), Some(expected));
        }
        assert_eq!("a Їжак\t\n—№“”".chars().find_map(unseen), None);
    }

    #[test]
    fn a_strange_space_is_replaced_and_the_rest_removed() {
        assert_eq!(complaint("plain"), None);
        assert!(complaint("a\u{a0}b").unwrap().ends_with("type a space in its place"));
        assert!(complaint("a\u{2060}b").unwrap().ends_with("U+2060 word joiner: remove it"));
    }
}
