//! Reads one number after another.

use super::PrintedNumber;
use super::words::{COMPARING, MINUS, MULTIPLE_STEMS, MULTIPLES, OPERATIONS, PERCENT_STEMS, QUALIFIERS, THIN};
use crate::text::Lang;
use crate::text::numbers::MAX_WHOLE;

/// How the items of a list are separated.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Separators {
    /// By semicolons, or by commas that are all followed by a space: a comma inside a number is a decimal comma.
    Distinct,
    /// By commas, some of which touch the next number.
    TightCommas,
}

impl Separators {
    pub(super) fn of(chars: &[char]) -> Self {
        let spaced = chars.windows(2).any(|pair| pair[0] == ',' && pair[1].is_whitespace());
        if spaced || chars.contains(&';') { Self::Distinct } else { Self::TightCommas }
    }
}

pub(super) struct Reader<'a> {
    pub(super) chars: &'a [char],
    pub(super) at: usize,
    pub(super) lang: Lang,
    /// How a list in brackets is separated; none outside of brackets.
    pub(super) list: Option<Separators>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn digit(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|c| c.is_ascii_digit())
    }

    fn before(&self) -> Option<char> {
        self.at.checked_sub(1).map(|i| self.chars[i])
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(&keep) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    /// The text around the current place, for messages.
    fn near(&self, start: usize) -> String {
        let end = (start..self.chars.len()).find(|i| self.chars[*i].is_whitespace() && *i > self.at);
        self.chars[start..end.unwrap_or(self.chars.len()).min(start + 40)].iter().collect()
    }

    /// Skips words and punctuation up to the next number.
    pub(super) fn next_number(&mut self) -> Result<Option<PrintedNumber>, String> {
        while let Some(c) = self.peek(0) {
            if c == '.' && self.digit(1) && self.before() == Some('.') {
                return Err(self.unreadable(self.at));
            }
            if c.is_ascii_digit() || (c == '.' && self.digit(1)) {
                return self.number(self.at, false).map(Some);
            } else if MINUS.contains(&c) || c == '+' || c == '\u{2014}' {
                if let Some(number) = self.signed()? {
                    return Ok(Some(number));
                }
            } else if c.is_alphabetic() || c == '_' {
                self.skip_word()?;
            } else if OPERATIONS.contains(&c) {
                return Err(format!("`{c}` must directly follow its number, or be left out"));
            } else if c.is_numeric() {
                return Err(format!("`{c}` cannot be read; write it with the digits 0 to 9"));
            } else if COMPARING.contains(&c) {
                return Err(format!(
                    "`{c}` is not part of a number; compare in `measured` and print `true` or `false`"
                ));
            } else {
                self.at += 1;
            }
        }
        Ok(None)
    }

    /// Skips a word, with the digits and dashes inside a name such as `conv1` and `slim-2`.
    fn skip_word(&mut self) -> Result<(), String> {
        let start = self.at;
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if matches!(self.peek(0), Some('.' | ',')) && self.digit(1) {
            return Err(self.unreadable(start));
        }
        let lower = word.to_lowercase();
        if QUALIFIERS.contains(&lower.as_str()) {
            return Err(format!("`{word}` changes what the number says; print the number alone"));
        }
        let per_cent = lower == "per" && self.chars[self.at..].starts_with(&[' ', 'c', 'e', 'n', 't']);
        if per_cent || PERCENT_STEMS.iter().any(|stem| lower.starts_with(stem)) {
            return Err(format!("write `%` after the number for `{word}`"));
        }
        self.check_word(start, &word, &lower)
    }

    /// A number with its sign, or none if the dash is punctuation between words.
    fn signed(&mut self) -> Result<Option<PrintedNumber>, String> {
        let start = self.at;
        let negative = self.peek(0) != Some('+');
        let before = self.before();
        self.at += 1;
        let touches = self.digit(0) || (self.peek(0) == Some('.') && self.digit(1));
        if !touches {
            // Between two words, a dash is punctuation.
            let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphabetic());
            let before = self.chars[..start].iter().rev().find(|c| !c.is_whitespace());
            let after = self.chars[self.at..].iter().find(|c| !c.is_whitespace());
            if word(before) && word(after) {
                return Ok(None);
            }
            return Err(format!("the sign in `{}` must touch its number", self.near(start)));
        }
        if before.is_some_and(|c| c.is_alphanumeric() || c == ')' || c == ']' || c == '%' || c == '.') {
            let near = self.near(start.saturating_sub(1));
            return Err(format!("`{near}` may be a range or a difference; print one number"));
        }
        if before.is_some_and(|c| MINUS.contains(&c) || c == '+') || self.chars[start] == '\u{2014}' {
            return Err(format!("the sign of `{}` cannot be read", self.near(start.saturating_sub(1))));
        }
        self.number(start, negative).map(Some)
    }

    /// A number without its sign; `start` is where it begins with its sign.
    fn number(&mut self, start: usize, negative: bool) -> Result<PrintedNumber, String> {
        let digits = self.digits(start)?;
        let mut decimals = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
        let exponent = self.exponent(start)?;
        let exponent = exponent.saturating_add(self.factor());
        decimals = decimals.saturating_sub(exponent);
        self.check_end(start)?;
        let is_percent = self.percent()?;
        let sign = if negative { "-" } else { "" };
        // The decimal exponent is part of the text, so that the value is rounded once.
        let shift = if is_percent { exponent.saturating_sub(2) } else { exponent };
        let value: f64 = format!("{sign}{digits}e{shift}").parse().map_err(|_| self.unreadable(start))?;
        if value.abs() >= MAX_WHOLE && !digits.contains('.') && exponent == 0 {
            return Err(format!("`{}` has more digits than can be compared", self.near(start)));
        }
        let nonzero = digits.bytes().any(|b| (b'1'..=b'9').contains(&b));
        if !value.is_finite() || (value == 0.0 && nonzero) {
            return Err(format!("`{}` is out of range", self.near(start)));
        }
        // `0e400` would be 0, give or take more than any number.
        let printed = if is_percent { value * 100.0 } else { value };
        if decimals < 0 && 0.5 * 10f64.powi(-decimals) > printed.abs() {
            return Err(format!("the last digit of `{}` is worth more than the number; write 0", self.near(start)));
        }
        let decimals = if is_percent { decimals + 2 } else { decimals };
        Ok(PrintedNumber { value, decimals, is_percent })
    }

    fn unreadable(&self, start: usize) -> String {
        format!("`{}` cannot be read as a number", self.near(start))
    }

    /// The digits with a decimal point and without separators: `1,200.5` gives `1200.5`.
    fn digits(&mut self, start: usize) -> Result<String, String> {
        let in_list = self.list.is_some();
        let comma_ends = in_list && (self.lang == Lang::En || self.list == Some(Separators::TightCommas));
        let mut blob = String::new();
        while let Some(c) = self.peek(0) {
            let joins = match c {
                '0'..='9' => true,
                '.' | '_' | '\'' | '\u{2019}' => self.digit(1),
                ',' => !comma_ends && self.digit(1),
                ' ' => self.lang == Lang::Uk && !in_list && self.is_group(1),
                c if THIN.contains(&c) => self.is_group(1),
                _ => false,
            };
            if !joins {
                break;
            }
            blob.push(if c == ' ' || THIN.contains(&c) { ' ' } else { c });
            self.at += 1;
        }
        if comma_ends && self.lang == Lang::Uk && self.peek(0) == Some(',') && self.digit(1) {
            let near = self.near(start);
            return Err(format!(
                "the commas in `{near}` may separate items or decimals; write a space after each item"
            ));
        }
        // `5.` and `1.e-03` are how NumPy prints 5.0 and 0.001.
        let ends = self.peek(1).is_none_or(|c| !c.is_alphanumeric() || c == 'e' || c == 'E');
        if self.peek(0) == Some('.') && !blob.contains('.') && ends {
            self.at += 1;
        }
        self.plain_digits(&blob)
    }

    /// Whether exactly three digits follow, `ahead` characters from here.
    fn is_group(&self, ahead: usize) -> bool {
        (0..3).all(|i| self.digit(ahead + i)) && !self.digit(ahead + 3)
    }

    fn plain_digits(&mut self, blob: &str) -> Result<String, String> {
        let refuse = |what: &str| Err(format!("`{blob}` {what}"));
        if blob.contains(['\'', '\u{2019}']) {
            return refuse("has apostrophes; write the number without them");
        }
        if blob.matches('.').count() > 1 {
            return refuse("has several decimal points");
        }
        let (whole, fraction) = blob.split_once('.').map_or((blob, None), |(w, f)| (w, Some(f)));
        let commas = whole.matches(',').count();
        let separators = [',', ' ', '_'].into_iter().filter(|c| whole.contains(*c)).count();
        if fraction.is_some_and(|f| !f.bytes().all(|b| b.is_ascii_digit())) {
            return refuse("has a separator after its decimal point");
        }
        if commas == 1 && fraction.is_none() && !whole.contains('_') && self.is_decimal_comma(whole)? {
            let (left, right) = whole.split_once(',').unwrap_or((whole, ""));
            if !right.bytes().all(|b| b.is_ascii_digit()) {
                return refuse("has a separator after its decimal comma");
            }
            return Ok(format!("{}.{right}", left.replace(' ', "")));
        }
        if blob.contains("__") {
            return refuse("has two underscores together");
        }
        if separators > 1 {
            return refuse("mixes separators");
        }
        let groups_fit = |separator: char| {
            let groups: Vec<&str> = whole.split(separator).collect();
            (1..=3).contains(&groups[0].len())
                && !groups[0].starts_with('0')
                && groups[1..].iter().all(|g| g.len() == 3)
        };
        if (commas > 0 && !groups_fit(',')) || (whole.contains(' ') && !groups_fit(' ')) {
            return refuse("has separators that do not separate thousands");
        }
        let whole = whole.replace([',', ' ', '_'], "");
        Ok(fraction.map_or(whole.clone(), |f| format!("{whole}.{f}")))
    }

    /// Whether the only comma of a number is a decimal comma; otherwise it separates thousands.
    fn is_decimal_comma(&self, whole: &str) -> Result<bool, String> {
        let (left, right) = whole.split_once(',').unwrap_or((whole, ""));
        let thousands = right.len() == 3 && (1..=3).contains(&left.len()) && !left.starts_with('0');
        match self.lang {
            Lang::En if thousands => Ok(false),
            Lang::En => Err(format!("`{whole}`: decimals are written with a point, as 0.01")),
            Lang::Uk if thousands => {
                Err(format!("`{whole}` may be {left}{right} or {left}.{right}; write it without a comma"))
            }
            Lang::Uk => Ok(true),
        }
    }

    /// A decimal exponent: `e-3`, `E+02`, `× 10^-3`, `·10⁻³`; 0 if there is none.
    fn exponent(&mut self, start: usize) -> Result<i32, String> {
        let signed = |ahead: usize| self.peek(ahead).is_some_and(|c| MINUS.contains(&c) || c == '+');
        if matches!(self.peek(0), Some('e' | 'E')) && (self.digit(1) || (signed(1) && self.digit(2))) {
            self.at += 1;
            return self.power(start);
        }
        let mut ahead = 0;
        let skip_spaces = |mut i: usize| {
            while self.peek(i).is_some_and(char::is_whitespace) {
                i += 1;
            }
            i
        };
        ahead = skip_spaces(ahead);
        if !self.peek(ahead).is_some_and(|c| ['×', '·', '⋅', '*', 'x', 'х'].contains(&c)) {
            return Ok(0);
        }
        ahead = skip_spaces(ahead + 1);
        if self.peek(ahead) != Some('1') || self.peek(ahead + 1) != Some('0') || self.digit(ahead + 2) {
            return Ok(0);
        }
        let after = ahead + 2;
        if signed(after) && self.digit(after + 1) {
            return Err(format!("`{}` may be a power of ten; write it as in 3e-4", self.near(start)));
        }
        let superscript = self.peek(after).is_some_and(|c| superscript_digit(c).is_some() || c == '⁻' || c == '⁺');
        let marker = match (self.peek(after), self.peek(after + 1)) {
            (Some('^'), _) => 1,
            (Some('*'), Some('*')) => 2,
            _ if superscript => 0,
            _ => return Ok(0),
        };
        self.at += after + marker;
        self.power(start)
    }

    /// The whole number of an exponent, in ordinary or superscript digits.
    fn power(&mut self, start: usize) -> Result<i32, String> {
        let sign = self.peek(0).filter(|c| MINUS.contains(c) || ['+', '⁻', '⁺'].contains(c));
        self.at += usize::from(sign.is_some());
        let negative = sign.is_some_and(|c| c != '+' && c != '⁺');
        let digits: String = if self.digit(0) {
            self.take_while(|c| c.is_ascii_digit())
        } else {
            self.take_while(|c| superscript_digit(c).is_some()).chars().filter_map(superscript_digit).collect()
        };
        let power: i32 = digits.parse().map_err(|_| self.unreadable(start))?;
        if power > 1000 {
            return Err(format!("`{}` is out of range", self.near(start)));
        }
        Ok(if negative { -power } else { power })
    }

    /// Refuses text after a number that would change its value: more digits, a power, a multiple such as `k`.
    fn check_end(&mut self, start: usize) -> Result<(), String> {
        let next = self.peek(0);
        if next.is_some_and(char::is_numeric) || (matches!(next, Some('.' | ',' | '\'' | '^')) && self.digit(1)) {
            let list_comma = next == Some(',') && self.list.is_some();
            if !list_comma {
                return Err(self.unreadable(start));
            }
        }
        if next == Some('^') || (next == Some('*') && self.peek(1) == Some('*') && self.digit(2)) {
            return Err(format!("`{}` is a power; print its value", self.near(start)));
        }
        if matches!(next, Some('!' | '+' | '_')) || (next == Some('/') && !self.digit(1)) {
            return Err(self.unreadable(start));
        }
        self.check_unit(start)
    }

    /// Refuses a word after a number that multiplies it, may be its exponent, or holds more digits.
    fn check_unit(&self, start: usize) -> Result<(), String> {
        let spaces = self.chars[self.at..].iter().take_while(|c| c.is_whitespace()).count();
        let after = &self.chars[self.at + spaces..];
        let word: String = after.iter().take_while(|c| c.is_alphabetic()).collect();
        let lower = word.to_lowercase();
        if MULTIPLES.contains(&word.as_str()) || MULTIPLE_STEMS.iter().any(|stem| lower.starts_with(stem)) {
            return Err(format!("`{word}` multiplies the number before it; write the number in full"));
        }
        let rest = &after[word.chars().count()..];
        let digit = |i: usize| rest.get(i).is_some_and(char::is_ascii_digit);
        let signed = rest.first().is_some_and(|c| MINUS.contains(c) || *c == '+');
        // The last two are Cyrillic.
        if ["e", "E", "d", "D", "е", "Е"].contains(&word.as_str()) && (digit(0) || (signed && digit(1))) {
            return Err(format!("`{}` may have an exponent; write it as in 3e-4", self.near(start)));
        }
        // `3x3` is two numbers; any other word that touches a number has no digits.
        let product = ["x", "х"].contains(&word.as_str()) && self.chars[start..self.at] != ['0'];
        if spaces == 0 && !word.is_empty() && digit(0) && !product {
            return Err(self.unreadable(start));
        }
        Ok(())
    }

    /// Reads a percent sign, with or without spaces before it.
    fn percent(&mut self) -> Result<bool, String> {
        let spaces = self.chars[self.at..].iter().take_while(|c| c.is_whitespace()).count();
        match self.peek(spaces) {
            Some('%' | '\u{ff05}' | '\u{66a}') => {
                self.at += spaces + 1;
                Ok(true)
            }
            Some(c @ ('‰' | '‱')) => Err(format!("`{c}` is not supported; print the share or its percentage")),
            _ => Ok(false),
        }
    }
}

fn superscript_digit(c: char) -> Option<char> {
    "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|s| s == c).and_then(|digit| char::from_digit(digit as u32, 10))
}
