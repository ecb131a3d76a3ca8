//! Makes untrusted text (of studies, bundles, file names) safe to print on a terminal.

use std::fmt::Write as _;

use super::unseen::is_invisible;

/// Whether a character is invisible and can change how other characters appear: control characters other than tab and line
/// breaks, characters that change the writing direction, a byte order mark, and characters that XML does not allow.
pub fn is_hidden(c: char) -> bool {
    let is_separator = matches!(c, '\n' | '\r' | '\t');
    let changes_direction =
        matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !is_separator) || changes_direction || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Converts text to one line: replaces each run of white space and line breaks by one space, and each invisible character by its
/// number, such as `<U+200B>`. So the text cannot start a new line, change colours, hide other text, or look like another text.
pub fn one_line(text: &str) -> String {
    let separates = |c: char| c.is_whitespace();
    let words = text.split(separates).filter(|word| !word.is_empty());
    words.map(with_numbers).collect::<Vec<_>>().join(" ")
}

/// A text in which each invisible character is its number.
fn with_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) || is_invisible(c) {
            let _ = write!(shown, "<U+{:04X}>", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Converts a path for a terminal: replaces control and invisible characters by U+FFFD and keeps spaces.
pub fn path(text: &str) -> String {
    let is_unseen = |c: char| is_hidden(c) || c.is_control() || is_invisible(c);
    text.chars().map(|c| if is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

/// A path as a word of a shell command: in quotes if it has characters that a shell would not leave alone.
pub fn shell_word(text: &str) -> String {
    let text = path(text);
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text;
    }
    let quoted = format!("'{}'", text.replace('\'', r"'\''"));
    if text.starts_with('-') { format!("./{quoted}") } else { quoted }
}

/// The first `width` characters of a text, followed by `…` if there are more.
pub fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\n\u{1b}[8mb \t c\u{202e}d"), "a <U+001B>[8mb c<U+202E>d");
        assert_eq!(path("a b\n\u{1b}[8m\u{2066}.zip"), "a b\u{fffd}\u{fffd}[8m\u{fffd}.zip");
        assert_eq!(path("звіт  Їжак.zip"), "звіт  Їжак.zip");
    }

    /// Two authors must not look like one.
    #[test]
    fn invisible_characters_are_shown_by_their_numbers() {
        for c in
            ['\u{200b}', '\u{ad}', '\u{200d}', '\u{200e}', '\u{2060}', '\u{2064}', '\u{2066}', '\u{feff}', '\u{e0041}']
        {
            assert_eq!(one_line(&format!("Їжак{c} A.")), format!("Їжак<U+{:04X}> A.", u32::from(c)));
            assert_eq!(path(&format!("a{c}.zip")), "a\u{fffd}.zip");
        }
        for c in [
            '\u{115f}',
            '\u{17b4}',
            '\u{2065}',
            '\u{2800}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{1d173}',
            '\u{e0fff}',
            '\u{7f}',
            '\u{9b}',
        ] {
            assert!(one_line(&format!("a{c}b")).contains("<U+"), "{c:?}");
        }
        assert_eq!(one_line("a\u{a0}b\u{2003}c\u{2028}d"), "a b c d", "spaces are seen as a space");
        assert_eq!(one_line("Їжак Є. — “№ 1”, é"), "Їжак Є. — “№ 1”, é");
    }
}
