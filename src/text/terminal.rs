//! Other people's words: studies, bundles, file names.
//!
//! Owns which characters of them no reader would see, and how they come to stand on a terminal.

/// Whether a character shows nothing and may change how others show: control characters (but for what parts lines and
/// words), those that turn the direction of writing, and what XML has no place for.
pub fn is_hidden(c: char) -> bool {
    let parts = matches!(c, '\n' | '\r' | '\t');
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !parts) || turns || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Text as one line for a terminal: no word can start a line of its own, colour the screen or hide another.
pub fn one_line(text: &str) -> String {
    let parts = |c: char| is_hidden(c) || c.is_control() || c.is_whitespace();
    text.split(parts).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A path on a terminal: as it is, but for what would not show as itself.
pub fn path(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) || c.is_control() { '\u{fffd}' } else { c }).collect()
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
    fn nothing_hidden_reaches_the_terminal() {
        assert_eq!(one_line("a\n\u{1b}[8mb \t c\u{202e}d"), "a [8mb c d");
        assert_eq!(path("a b\n\u{1b}[8m\u{2066}.zip"), "a b\u{fffd}\u{fffd}[8m\u{fffd}.zip");
        assert_eq!(path("звіт  Їжак.zip"), "звіт  Їжак.zip");
    }
}
