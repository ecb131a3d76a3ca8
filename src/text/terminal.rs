//! Makes untrusted text (of studies, bundles, file names) safe to print on a terminal.

/// Whether a character is invisible and can change how other characters appear: control characters other than tab and line
/// breaks, characters that change the writing direction, a byte order mark, and characters that XML does not allow.
pub fn is_hidden(c: char) -> bool {
    let is_separator = matches!(c, '\n' | '\r' | '\t');
    let changes_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !is_separator) || changes_direction || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Converts text to one line: replaces each run of white space, line breaks and hidden characters by one space, so that the
/// text cannot start a new line, change colours or hide other text.
pub fn one_line(text: &str) -> String {
    let separates = |c: char| is_hidden(c) || c.is_control() || c.is_whitespace();
    text.split(separates).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Converts a path for a terminal: replaces control and hidden characters by U+FFFD and keeps spaces.
pub fn path(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) || c.is_control() { '\u{fffd}' } else { c }).collect()
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
        assert_eq!(one_line("a\n\u{1b}[8mb \t c\u{202e}d"), "a [8mb c d");
        assert_eq!(path("a b\n\u{1b}[8m\u{2066}.zip"), "a b\u{fffd}\u{fffd}[8m\u{fffd}.zip");
        assert_eq!(path("звіт  Їжак.zip"), "звіт  Їжак.zip");
    }
}
