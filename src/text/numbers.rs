//! How numbers are printed in tables, figures, sentences, claims and on the terminal.
//!
//! The functions print English numbers with a hyphen as minus sign; `NumberFormat` prints in the language of a report, with
//! U+2212.

use crate::text::Lang;

/// How a language writes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    decimal: &'static str,
    thousands: &'static str,
}

impl NumberFormat {
    /// The number format of a language. Ukrainian follows DSTU 3008:2015 and custom: a decimal comma, a no-break space
    /// between thousands.
    pub const fn of(lang: Lang) -> Self {
        match lang {
            Lang::En => Self { decimal: ".", thousands: "," },
            Lang::Uk => Self { decimal: ",", thousands: "\u{a0}" },
        }
    }

    /// [`fixed`] in this format.
    pub fn fixed(self, x: f64, decimals: usize) -> String {
        self.localised(&fixed(x, decimals))
    }

    /// [`percent`] in this format.
    pub fn percent(self, x: f64, decimals: usize) -> String {
        self.localised(&percent(x, decimals))
    }

    /// [`points`] in this format.
    pub fn points(self, x: f64, decimals: usize) -> String {
        self.localised(&points(x, decimals))
    }

    /// [`setting`] in this format.
    pub fn setting(self, x: f64) -> String {
        self.localised(&setting(x))
    }

    /// [`loss`] in this format.
    pub fn loss(self, x: f64) -> String {
        self.localised(&loss(x))
    }

    /// [`rough`] in this format.
    pub fn rough(self, x: f64) -> String {
        if (1e3..1e6).contains(&x) { self.count(x.round() as u64) } else { self.localised(&rough(x)) }
    }

    /// [`few_decimals`] in this format.
    pub fn few_decimals(self, x: f64) -> String {
        self.localised(&few_decimals(x))
    }

    /// Replaces the decimal point by the language's sign, and hyphens by minus signs, because a line may break after a hyphen.
    fn localised(self, text: &str) -> String {
        text.replace('.', self.decimal).replace('-', "\u{2212}")
    }

    /// [`count`] in this format.
    pub fn count(self, n: u64) -> String {
        count(n).replace(',', self.thousands)
    }

    /// [`count`] of a whole number with a sign.
    pub fn signed_count(self, n: i64) -> String {
        let sign = if n < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}", self.count(n.unsigned_abs()))
    }
}

/// 2^53: above this, a 64-bit floating-point number cannot represent every whole number.
pub const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The most decimals that are printed. A study may ask for more, but no value needs them.
const MOST_DECIMALS: usize = 100;

/// A fixed number of decimals: `0.0473`.
pub fn fixed(x: f64, decimals: usize) -> String {
    let decimals = decimals.min(MOST_DECIMALS);
    let text = format!("{x:.decimals$}");
    // "0.00", not "-0.00".
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| b == b'0' || b == b'.') => rest.to_owned(),
        _ => text,
    }
}

/// A loss: `0.0473`, or `4.7300e12` if it would have many digits.
pub fn loss(x: f64) -> String {
    if x.abs() < 1e6 { fixed(x, 4) } else { format!("{x:.4e}") }
}

/// A number of which nobody said how many decimals it has: at most four, `0.9872`, `12.5`, or `3.4500e-5`.
pub fn few_decimals(x: f64) -> String {
    match x.abs() {
        size if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{x:.4e}"),
        _ => fixed(x, 4).trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// A number to about two digits, for sentences: `0.25`, `12`, `10000`, `1e9`.
pub fn rough(x: f64) -> String {
    match x.abs() {
        size if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{x:.1e}").replace(".0e", "e"),
        size if size >= 10.0 => fixed(x, 0),
        size => {
            let text = fixed(x, if size < 0.1 { 4 } else { 2 });
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// A share as a percentage: 0.9703 becomes `97.03 %`.
pub fn percent(x: f64, decimals: usize) -> String {
    format!("{} %", points(x, decimals))
}

/// A share or a difference of shares in percentage points, without a unit: 0.0123 becomes `1.23`.
pub fn points(x: f64, decimals: usize) -> String {
    fixed(x * 100.0, decimals)
}

/// A count with thousands separated: 1200074 becomes `1,200,074`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 model`, `2 models`.
pub fn plural(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// The form of a verb for a count: `1 network gives`, `2 networks give`.
pub fn agreeing<'a>(n: usize, one: &'a str, several: &'a str) -> &'a str {
    if n == 1 { one } else { several }
}

/// The sizes of a shape: `64 × 26 × 26`.
pub fn dimensions(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}

/// A shape as PyTorch prints it: `[128, 64, 26, 26]`.
pub fn shape(dims: &[usize]) -> String {
    format!("{dims:?}")
}

/// The shortest text that reads back as the same number: `0.01`, `3`.
pub fn plain(x: f64) -> String {
    format!("{x}")
}

/// The shortest text that reads back as the same number, with an exponent if it would have many zeros: `0.01`, `1e-8`.
pub fn setting(x: f64) -> String {
    if x == 0.0 || (1e-4..1e6).contains(&x.abs()) { plain(x) } else { format!("{x:e}") }
}

/// A number of bytes for people, in decimal units, like disk tools: `12 MB`, `3.4 GB`.
pub fn bytes(n: u64) -> String {
    let of = |unit: f64, decimals: usize| fixed(n as f64 / unit, decimals);
    match n {
        0..1_000_000_000 => format!("{} MB", of(1e6, 0)),
        1_000_000_000..1_000_000_000_000 => format!("{} GB", of(1e9, 1)),
        _ => format!("{} TB", of(1e12, 1)),
    }
}

/// A span of time for people: `40 s`, `6 min`, `1 h 20 min`.
pub fn duration(seconds: f64) -> String {
    match seconds.max(0.0).round() as u64 {
        s if s < 90 => format!("{s} s"),
        s if s < 90 * 60 => format!("{} min", (s + 30) / 60),
        s => format!("{} h {} min", (s + 30) / 3600, (s + 30) % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(fixed(-0.0004, 3), "0.000");
        assert_eq!(fixed(-0.0006, 3), "-0.001");
        assert_eq!(percent(0.97034, 2), "97.03 %");
        assert_eq!(fixed(0.5, 1_000_000).len(), 102);
        assert_eq!(points(-0.0123, 1), "-1.2");
        assert_eq!([0.0, 2.345_67, 1_498.647_31, 2.5e12].map(loss), ["0.0000", "2.3457", "1498.6473", "2.5000e12"]);
        assert_eq!(
            [0.0, 0.005, 0.25, -4.2, 12.3, 2e9, -1e-30].map(rough),
            ["0", "0.005", "0.25", "-4.2", "12", "2e9", "-1e-30"]
        );
        assert_eq!((count(0), count(999), count(1_200_074)), ("0".into(), "999".into(), "1,200,074".into()));
        assert_eq!(shape(&[128, 64]), "[128, 64]");
        assert_eq!(
            (duration(89.4), duration(330.0), duration(7200.0)),
            ("89 s".into(), "6 min".into(), "2 h 0 min".into())
        );
        for n in [0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 101, 111] {
            let expected = if n == 1 { "1 run ends".to_owned() } else { format!("{n} runs end") };
            assert_eq!(format!("{} {}", plural(n, "run"), agreeing(n, "ends", "end")), expected);
        }
        let settings = [0.0, 0.0001, 0.00025, 1e-5, 1.5e-8, 999_999.0, 1e6, -2.5].map(setting);
        assert_eq!(settings, ["0", "0.0001", "0.00025", "1e-5", "1.5e-8", "999999", "1e6", "-2.5"]);
        assert_eq!(NumberFormat::of(Lang::Uk).setting(1.5e-8), "1,5e\u{2212}8");
        assert_eq!(
            [999_999, 12_400_000, 3_440_000_000, 20_000_000_000_000].map(bytes),
            ["1 MB", "12 MB", "3.4 GB", "20.0 TB"]
        );
        assert_eq!(NumberFormat::of(Lang::En).points(-0.0123, 1), "\u{2212}1.2");
        let uk = NumberFormat::of(Lang::Uk);
        assert_eq!([10_000.0, 1e33].map(|x| uk.rough(x)), ["10\u{a0}000", "1e33"]);
        assert_eq!((uk.count(1_200_074), uk.percent(0.97034, 2)), ("1\u{a0}200\u{a0}074".into(), "97,03 %".into()));
    }
}
