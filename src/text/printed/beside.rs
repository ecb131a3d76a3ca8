//! Words and factors beside a number.

use super::reader::Reader;
use super::words::{HARMLESS, HARMLESS_STEMS, MULT_ADDS, MULTIPLES, QUALIFIERS};

impl Reader<'_> {
    /// Refuses a word that may change the number beside it.
    pub(super) fn check_word(&self, start: usize, word: &str, lower: &str) -> Result<(), String> {
        let rest = &self.chars[self.at..];
        let digit = rest.iter().position(char::is_ascii_digit);
        let colon = rest.iter().position(|c| matches!(c, ':' | '='));
        let is_label = colon.is_some_and(|colon| digit.is_some_and(|digit| colon < digit));
        // `Mult-adds (M): 1.2`.
        let in_brackets = start > 0 && self.chars[start - 1] == '(';
        if in_brackets && MULTIPLES.contains(&word) {
            return Err(format!("`{word}` multiplies the number after it; write the number in full"));
        }
        // `conv1`, `slim-2`; but `x2` multiplies.
        let has_digit = word.chars().any(|c| c.is_ascii_digit());
        let multiplies = lower.trim_start_matches(['x', 'х']).bytes().all(|b| b.is_ascii_digit()) && has_digit;
        let is_name = has_digit && !multiplies && digit.is_some();
        let is_harmless =
            |part: &str| HARMLESS.contains(&part) || HARMLESS_STEMS.iter().any(|stem| part.starts_with(stem));
        let parts = || lower.split(['-', '_']).filter(|part| !part.is_empty());
        if parts().any(|part| QUALIFIERS.contains(&part)) || !(is_label || is_name || parts().all(is_harmless)) {
            return Err(format!("`{word}` may change what the number says; print the number alone"));
        }
        Ok(())
    }

    /// The decimal exponent of a factor after a number: `338.06k`, `1.2M`, and `7.85 KMac` as ptflops prints it.
    pub(super) fn factor(&mut self) -> i32 {
        let spaces = self.chars[self.at..].iter().take_while(|c| c.is_whitespace()).count();
        let is_of_word = |c: &&char| c.is_alphanumeric() || **c == '_';
        let word: String = self.chars[self.at + spaces..].iter().take_while(is_of_word).collect();
        let lower = word.to_lowercase();
        let factor = match word.as_str() {
            "k" | "K" if spaces == 0 => Some(3),
            "M" if spaces == 0 => Some(6),
            _ => MULT_ADDS.iter().find(|(name, _)| lower.trim_end_matches('s') == *name).map(|(_, power)| *power),
        };
        let Some(power) = factor else { return 0 };
        self.at += spaces + word.chars().count();
        power
    }
}
