//! Compares a claim's printed value, which is text, with the measured one.

use minijinja::Value;
use serde_json::Value as Json;

use crate::study::{Claim, Compare};
use crate::text::printed::{self, Printed, PrintedNumber};
use crate::text::short_number;
use crate::text::{Lang, numbers, on_one_line};

/// Whether a claim agrees with the measured value. The report lists claims in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Verdict {
    Differs,
    NotMeasured,
    Matches,
}

/// The most decimals of a measured value that are shown to make its verdict visible.
const MAX_DECIMALS: usize = 17;

/// Why a printed value cannot be compared with a measured one.
enum Mismatch {
    /// The printed list and the measured one have different lengths.
    Count,
    /// A message for the author.
    Kind(String),
}

/// A claim's printed value, read as the measured value's kind.
enum Expected {
    Numbers(Printed),
    Bool(bool),
    Text,
}

/// Checks the parts of a claim that do not depend on the measured value. The error is the wrong key of the claim and a
/// message.
pub(super) fn check(claim: &Claim, lang: Lang) -> Result<(), (&'static str, String)> {
    if let Compare::Absolute(t) | Compare::Relative(t) = &claim.compare
        && !(t.is_finite() && *t >= 0.0)
    {
        return Err(("compare", format!("{}: must be a number, at least 0", short_number(&t.to_string()))));
    }
    match (&claim.compare, printed::read(&claim.printed, lang)) {
        (Compare::Exact(_), _) | (_, Ok(_)) => Ok(()),
        (_, Err(message)) => Err(("printed", refused(claim, &message))),
    }
}

fn refused(claim: &Claim, message: &str) -> String {
    format!("`{}`: {message}", claim.printed)
}

/// Checks that a claim's printed value has the measured value's kind: one number for a number, and for a list as many
/// numbers as it has items.
pub(super) fn check_kind(claim: &Claim, measured: &Value, lang: Lang) -> Result<(), String> {
    let measured = serde_json::to_value(measured).map_err(|e| e.to_string())?;
    match expected(claim, &measured, lang) {
        Ok(_) => Ok(()),
        Err(Mismatch::Kind(message)) => Err(message),
        // How many items a selection has depends on what is measured.
        Err(Mismatch::Count) if claim.measured.contains("select") || claim.measured.contains("reject") => Ok(()),
        Err(Mismatch::Count) => {
            let printed = printed::read(&claim.printed, lang).map_or(0, |printed| printed.numbers.len());
            let measured = measured.as_array().map_or(1, Vec::len);
            Err(refused(claim, &format!("holds {}, but the list has {measured}", numbers::plural(printed, "number"))))
        }
    }
}

/// The verdict on a claim, and the measured value as the report prints it.
pub(super) fn compare(claim: &Claim, measured: Option<&Value>, lang: Lang) -> (Verdict, String) {
    let not_measured = (Verdict::NotMeasured, String::new());
    let Some(measured) = measured.and_then(|v| serde_json::to_value(v).ok()) else { return not_measured };
    match expected(claim, &measured, lang) {
        Err(Mismatch::Count) => (Verdict::Differs, plain_list(&measured)),
        Err(Mismatch::Kind(_)) => not_measured,
        Ok(Expected::Numbers(printed)) => compare_numbers(&claim.compare, &printed, &measured),
        Ok(Expected::Bool(printed)) => (verdict(measured == printed), measured.to_string()),
        Ok(Expected::Text) => {
            let text = measured.as_str().unwrap_or_default();
            (verdict(typed(text) == typed(&claim.printed)), text.to_owned())
        }
    }
}

/// A claim's printed value and its tolerance: `97 ± 1`.
pub(super) fn printed_with_tolerance(claim: &Claim, lang: Lang) -> String {
    let form = numbers::Form::of(lang);
    match &claim.compare {
        Compare::Absolute(t) => {
            let percent = printed::read(&claim.printed, lang).is_ok_and(|p| p.numbers.iter().all(|n| n.is_percent));
            let unit = match lang {
                _ if !percent => "",
                Lang::En => " points",
                Lang::Uk => " в. п.",
            };
            format!("{} ± {}{unit}", claim.printed, form.setting(*t))
        }
        Compare::Relative(t) => {
            let of_it = match lang {
                Lang::En => "of it",
                Lang::Uk => "від нього",
            };
            format!("{} ± {} % {of_it}", claim.printed, form.setting(percentage(*t)))
        }
        Compare::Exact(_) | Compare::Printed(_) => claim.printed.clone(),
    }
}

fn verdict(matches: bool) -> Verdict {
    if matches { Verdict::Matches } else { Verdict::Differs }
}

/// Reads a claim's printed value as the kind of the measured one. The error is a message for the author.
fn expected(claim: &Claim, measured: &Json, lang: Lang) -> Result<Expected, Mismatch> {
    let other_kind = |message: &str| Err(Mismatch::Kind(refused(claim, message)));
    let exact = matches!(claim.compare, Compare::Exact(_));
    match measured {
        Json::Bool(_) if exact => match claim.printed.trim().to_lowercase().as_str() {
            "true" => Ok(Expected::Bool(true)),
            "false" => Ok(Expected::Bool(false)),
            _ => other_kind("the measured value is true or false; print `true` or `false`"),
        },
        Json::Bool(_) => other_kind("the measured value is true or false; use `compare: exact`"),
        Json::String(_) if exact => Ok(Expected::Text),
        Json::String(_) => other_kind(
            "the measured value is text; leave out filters such as `fixed` and `percent`, or use `compare: exact`",
        ),
        _ => {
            let mut found = Vec::new();
            if !flatten(measured, &mut found) {
                return other_kind("the measured value is not a number or a list of numbers");
            }
            if found.iter().any(|m| m.abs() >= numbers::MAX_WHOLE && m.fract() == 0.0 && exact) {
                return other_kind("the measured value has more digits than can be compared");
            }
            let printed =
                printed::read(&claim.printed, lang).map_err(|message| Mismatch::Kind(refused(claim, &message)))?;
            check_count(claim, &printed, measured.is_array(), found.len())?;
            Ok(Expected::Numbers(printed))
        }
    }
}

fn check_count(claim: &Claim, printed: &Printed, is_list: bool, measured: usize) -> Result<(), Mismatch> {
    let count = printed.numbers.len();
    if !is_list && (count > 1 || printed.is_list) {
        let what = if count > 1 { format!("holds {count} numbers") } else { "is a list".to_owned() };
        return Err(Mismatch::Kind(refused(claim, &format!("{what}, but one number is measured; print one"))));
    }
    if is_list && count != measured { Err(Mismatch::Count) } else { Ok(()) }
}

/// A text with the characters of a keyboard: hyphens for minus signs, ordinary spaces.
fn typed(text: &str) -> String {
    let text: String = text.chars().map(|c| if printed::MINUS.contains(&c) { '-' } else { c }).collect();
    on_one_line(&text)
}

/// Measured numbers that cannot be compared one by one, because the printed list has another length.
fn plain_list(measured: &Json) -> String {
    let mut found = Vec::new();
    flatten(measured, &mut found);
    format!("[{}]", found.into_iter().map(numbers::plain).collect::<Vec<_>>().join(", "))
}

/// Compares number by number.
fn compare_numbers(how: &Compare, printed: &Printed, measured: &Json) -> (Verdict, String) {
    let mut found = Vec::new();
    flatten(measured, &mut found);
    let agree = |shown: &[f64]| printed.numbers.iter().zip(shown).all(|(p, m)| agrees(how, p, *m));
    let matches = agree(&found);
    let shown = shown_values(how, printed, &found, matches, &agree);
    let text = if measured.is_array() { format!("[{}]", shown.join(", ")) } else { shown.concat() };
    (verdict(matches), text)
}

/// Measured numbers as the report prints them: with the printed decimals, or one more beside a tolerance. If rounding
/// would contradict the verdict, more decimals are printed.
fn shown_values(
    how: &Compare,
    printed: &Printed,
    found: &[f64],
    matches: bool,
    agree: &impl Fn(&[f64]) -> bool,
) -> Vec<String> {
    let percent = printed.numbers.iter().all(|n| n.is_percent);
    let notation = |text: String| if printed.decimal_comma { text.replace('.', ",") } else { text };
    if let Compare::Exact(_) = how {
        return found
            .iter()
            .map(|m| {
                notation(if percent { format!("{} %", numbers::plain(percentage(*m))) } else { numbers::plain(*m) })
            })
            .collect();
    }
    let least = printed.numbers.iter().map(|n| n.decimals).max().unwrap_or(0).max(0) as usize;
    let one_more = usize::from(matches!(how, Compare::Absolute(_) | Compare::Relative(_)));
    let print = |m: f64, decimals: usize| {
        if percent { numbers::percent(m, decimals.saturating_sub(2)) } else { numbers::fixed(m, decimals) }
    };
    let read = |text: &str| printed::read(text, Lang::En).map_or(f64::NAN, |read| read.numbers[0].value);
    let start = least + one_more;
    let end = start.max(MAX_DECIMALS);
    let shows_verdict = |decimals: &usize| {
        let rounded: Vec<f64> = found.iter().map(|m| read(&print(*m, *decimals))).collect();
        agree(&rounded) == matches
    };
    let decimals = (start..end).find(shows_verdict).unwrap_or(end);
    found.iter().map(|m| notation(print(*m, decimals))).collect()
}

/// A share as a percentage: 0.07 gives 7, where a multiplication gives 7.000000000000001.
fn percentage(share: f64) -> f64 {
    let text = format!("{share:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}", exponent + 2).parse().unwrap_or(share * 100.0)
}

/// Whether a measured number agrees with a printed one. Tolerances include their ends.
fn agrees(how: &Compare, printed: &PrintedNumber, measured: f64) -> bool {
    let p = printed.value;
    let tolerance = match how {
        Compare::Exact(_) => return p == measured,
        Compare::Printed(_) => 0.5 * 10f64.powi(-printed.decimals),
        // The tolerance has the printed unit: 97 % ± 1 is from 96 % to 98 %.
        Compare::Absolute(t) if printed.is_percent => t / 100.0,
        Compare::Absolute(t) => *t,
        Compare::Relative(t) => t * p.abs(),
    };
    // Decimal fractions are not exact in binary: 0.98 - 0.97 is a little more than 0.01. A few units in the last place of
    // the largest number cover that.
    let slack = 4.0 * f64::EPSILON * p.abs().max(measured.abs()).max(tolerance);
    (p - measured).abs() <= tolerance + slack
}

/// Collects the numbers of a value; false if it holds anything else.
fn flatten(value: &Json, numbers: &mut Vec<f64>) -> bool {
    match value {
        Json::Number(n) => {
            numbers.extend(n.as_f64());
            true
        }
        Json::Array(items) => items.iter().all(|item| flatten(item, numbers)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(printed: &str, how: &str) -> Claim {
        let claim = Claim {
            id: "c".into(),
            group: "g".into(),
            quote: "q".into(),
            printed: printed.into(),
            measured: "x".into(),
            compare: serde_yaml::from_str(how).unwrap(),
            why: None,
        };
        check(&claim, Lang::En).unwrap();
        claim
    }

    fn outcome(printed: &str, how: &str, measured: impl Into<Value>) -> (Verdict, String) {
        let (claim, measured) = (claim(printed, how), measured.into());
        check_kind(&claim, &measured, Lang::En).unwrap();
        compare(&claim, Some(&measured), Lang::En)
    }

    #[test]
    fn each_way_to_compare() {
        use Verdict::*;
        assert_eq!(outcome("640", "exact", 640), (Matches, "640".into()));
        assert_eq!(outcome("640", "exact", 641), (Differs, "641".into()));
        let shape = vec![128, 64, 26, 26];
        assert_eq!(outcome("[128, 64, 28, 28]", "exact", shape.clone()), (Differs, "[128, 64, 26, 26]".into()));
        assert_eq!(outcome("[128, 64, 26, 26]", "exact", shape).0, Matches);
        assert_eq!(outcome("1.29", "printed", 1.2896), (Matches, "1.29".into()));
        assert_eq!(outcome("1.29", "printed", 1.296), (Differs, "1.30".into()));
        assert_eq!(outcome("2", "{absolute: 0.5}", 1.46), (Differs, "1.46".into()));
        assert_eq!(outcome("2", "{absolute: 0.6}", 1.46), (Matches, "1.5".into()));
        assert_eq!(outcome("0.09", "{relative: 0.1}", 0.0985), (Matches, "0.099".into()));
        let list = vec![0.99081, 0.9];
        assert_eq!(outcome("[0.9908, 0.9000]", "printed", list), (Matches, "[0.9908, 0.9000]".into()));
        assert_eq!(outcome("true", "exact", false), (Differs, "false".into()));
        assert_eq!(outcome("True", "exact", true), (Matches, "true".into()));
    }

    #[test]
    fn notations_are_read_with_their_precision() {
        use Verdict::*;
        for (printed, how, measured, expected) in [
            ("1e-3", "printed", 0.3, Differs),
            ("1E-3", "printed", 0.3, Differs),
            ("1e-3", "printed", 0.0012, Matches),
            ("1.0e-3", "printed", 0.0012, Differs),
            ("\u{2212}0.5", "printed", 0.5, Differs),
            ("\u{2013}0.5", "printed", -0.5, Matches),
            ("-0.5", "printed", -0.5, Matches),
            ("7,850", "exact", 7850.0, Matches),
            ("97 %", "printed", 0.974, Matches),
            ("97 %", "printed", 97.0, Differs),
            ("12e2", "printed", 1234.0, Matches),
            ("12e2", "printed", 1251.0, Differs),
        ] {
            assert_eq!(outcome(printed, how, measured).0, expected, "{printed} {how} {measured}");
        }
    }

    #[test]
    fn tolerances_include_their_ends() {
        for (printed, how, measured) in [
            ("0.97", "{absolute: 0.01}", 0.98),
            ("0.98", "{absolute: 0.01}", 0.97),
            ("0.1", "{absolute: 0.2}", 0.3),
            ("0.3", "{relative: 0.1}", 0.33),
            ("1.15", "printed", 1.145),
            ("0.13", "printed", 0.125),
            ("0.12", "printed", 0.125),
        ] {
            assert_eq!(outcome(printed, how, measured).0, Verdict::Matches, "{printed} {how} {measured}");
        }
        assert_eq!(outcome("0.97", "{absolute: 0.01}", 0.980_000_1).0, Verdict::Differs);
    }

    #[test]
    fn what_is_shown_does_not_contradict_the_verdict() {
        assert_eq!(outcome("97", "{absolute: 1}", 97.6), (Verdict::Matches, "97.6".into()));
        assert_eq!(outcome("99", "{absolute: 1}", 97.59), (Verdict::Differs, "97.6".into()));
        assert_eq!(outcome("97", "{absolute: 1}", 98.04), (Verdict::Differs, "98.04".into()));
        assert_eq!(outcome("0.13", "printed", 0.125), (Verdict::Matches, "0.125".into()));
        assert_eq!(outcome("97 %", "{absolute: 1}", 0.9759), (Verdict::Matches, "97.6 %".into()));
        assert_eq!(outcome("97 %", "{absolute: 1}", 0.9841), (Verdict::Differs, "98.4 %".into()));
        assert_eq!(printed_with_tolerance(&claim("97 %", "{absolute: 1}"), Lang::En), "97 % ± 1 points");
        assert_eq!(printed_with_tolerance(&claim("97", "{absolute: 1}"), Lang::En), "97 ± 1");
        assert_eq!(printed_with_tolerance(&claim("0.09", "{relative: 0.05}"), Lang::En), "0.09 ± 5 % of it");
    }

    #[test]
    fn a_printed_value_of_another_kind_is_refused() {
        for (printed, how, measured) in [
            ("9703 of 10000", "exact", Value::from(9703)),
            ("[9703]", "exact", Value::from(9703)),
            ("[1, 2]", "exact", Value::from(vec![1, 2, 3])),
            ("9007199254740992", "exact", Value::from(9_007_199_254_740_993_u64)),
            ("half", "exact", Value::from(0.5)),
            ("1", "exact", Value::from(true)),
            ("0.98", "printed", Value::from("0.98")),
            ("1", "printed", Value::from(true)),
        ] {
            assert!(check_kind(&claim(printed, how), &measured, Lang::En).is_err(), "{printed} {how} {measured}");
        }
        for (printed, measured) in [("slim", "slim"), ("-1.23", "\u{2212}1.23"), ("7 850", "7\u{a0}850")] {
            assert_eq!(outcome(printed, "exact", measured).0, Verdict::Matches, "{printed}");
        }
        // The number of items of a list may depend on what is measured.
        let two = compare(&claim("[1, 2, 3]", "printed"), Some(&Value::from(vec![1, 2])), Lang::En);
        assert_eq!(two, (Verdict::Differs, "[1, 2]".into()));
    }

    #[test]
    fn a_value_that_was_not_measured_has_a_verdict_of_its_own() {
        assert_eq!(compare(&claim("1", "exact"), None, Lang::En), (Verdict::NotMeasured, String::new()));
    }
}
