//! Reads numbers as programs and people print them: `7,850`, `−0.5`, `1e-3`, `97.03 %`, `[128, 64, 26, 26]`.
//!
//! A text that can be read in two ways is refused, because a wrong reading could make a differing claim match.

mod beside;
mod reader;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use words::MINUS;

use reader::{Reader, Separators};

use super::Lang;

/// The numbers of a printed text.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// The numbers in order, at least one.
    pub numbers: Vec<PrintedNumber>,
    /// Whether they are in square brackets.
    pub is_list: bool,
}

/// A number with the precision to which it was printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrintedNumber {
    /// The value. A percentage is a share: 97 % is 0.97.
    pub value: f64,
    /// The last printed digit is worth 10 to the power of minus this: 2 for `0.50`, 4 for `97.03 %`, -2 for `12e2`.
    pub decimals: i32,
    /// Whether a percent sign follows.
    pub is_percent: bool,
}

/// Reads all numbers of a text in the notation of a language.
///
/// # Errors
/// What cannot be read, and what to write instead.
pub fn read(text: &str, lang: Lang) -> Result<Printed, String> {
    let chars: Vec<char> = text.trim().chars().collect();
    let bracketed = chars.contains(&'[');
    let list = bracketed.then(|| Separators::of(&chars));
    let mut reader = Reader { chars: &chars, at: 0, lang, list };
    let mut numbers = Vec::new();
    while let Some(number) = reader.next_number()? {
        numbers.push(number);
    }
    let Some(first) = numbers.first() else { return Err("holds no number".to_owned()) };
    if numbers.iter().any(|n| n.is_percent != first.is_percent) {
        return Err("mixes percentages and other numbers".to_owned());
    }
    Ok(Printed { numbers, is_list: bracketed })
}
