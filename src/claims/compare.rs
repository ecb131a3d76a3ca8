//! Compares a claim's printed value, which is text, with the measured one.

use minijinja::Value;
use serde_json::Value as Json;

use crate::study::{Claim, Compare};
use crate::text::printed::{self, Printed, PrintedNumber};
use crate::text::short_number;
use crate::text::{Lang, numbers, on_one_line};

/// The languages of a comparison: how a printed value is read, and how values are shown.
#[derive(Clone, Copy)]
pub(super) struct Wording {
    pub(super) study: Lang,
    pub(super) report: Lang,
}

/// Whether a claim agrees with the measured value. The report lists claims in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Verdict {
    Differs,
    NotMeasured,
    /// It would match whatever is measured.
    TestsNothing,
    Matches,
}

impl Verdict {
    /// Its word in conclusions.json.
    pub fn word(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::NotMeasured => "not measured",
            Self::TestsNothing => "tests nothing",
            Self::Matches => "matches",
        }
    }
}

/// The most decimals of a measured value that are shown to make its verdict visible.
const MAX_DECIMALS: usize = 17;

/// How many more decimals than printed a measured value is shown with.
const MORE_DECIMALS: usize = 2;
/// How many more, if fewer would show the printed value where another was measured.
const MOST_MORE_DECIMALS: usize = 4;

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

/// Whether a claim's tolerance is as large as the printed value, so that almost anything matches. A printed 0 has no size to
/// compare with.
pub(super) fn tolerates_anything(claim: &Claim, lang: Lang) -> bool {
    match &claim.compare {
        Compare::Relative(t) => *t >= 1.0,
        Compare::Absolute(t) => {
            let printed = printed::read(&claim.printed, lang);
            // The tolerance of a percentage is in points.
            let size = |number: &PrintedNumber| number.value.abs() * if number.is_percent { 100.0 } else { 1.0 };
            let largest = printed.iter().flat_map(|p| &p.numbers).map(size).fold(0.0, f64::max);
            *t >= if largest == 0.0 { 1.0 } else { largest }
        }
        Compare::Exact(_) | Compare::Printed(_) => false,
    }
}

/// The verdict on a claim, and the measured value as the report prints it. Before training, a stand-in may have had another
/// kind than what was measured; a value of another kind than the printed one differs from it.
pub(super) fn compare(claim: &Claim, measured: Option<&Value>, langs: Wording) -> (Verdict, String) {
    let not_measured = (Verdict::NotMeasured, String::new());
    let Some(measured) = measured.and_then(|v| serde_json::to_value(v).ok()) else { return not_measured };
    match expected(claim, &measured, langs.study) {
        Err(Mismatch::Count) => (Verdict::Differs, plain_list(&measured)),
        Err(Mismatch::Kind(_)) => (Verdict::Differs, of_another_kind(&measured)),
        Ok(Expected::Numbers(printed)) => compare_numbers(&claim.compare, &printed, &measured, langs.report),
        Ok(Expected::Bool(printed)) => (verdict(measured == printed), truth(measured == true, langs.report).to_owned()),
        Ok(Expected::Text) => {
            let text = measured.as_str().unwrap_or_default();
            (verdict(typed(text) == typed(&claim.printed)), text.to_owned())
        }
    }
}

/// A claim's printed value and its tolerance: `97 ± 1`.
pub(super) fn printed_with_tolerance(claim: &Claim, langs: Wording) -> String {
    let lang = langs.report;
    let format = numbers::NumberFormat::of(lang);
    let number = in_format(&claim.printed, langs);
    match &claim.compare {
        Compare::Absolute(t) => {
            let percent =
                printed::read(&claim.printed, langs.study).is_ok_and(|p| p.numbers.iter().all(|n| n.is_percent));
            let unit = match lang {
                _ if !percent => "",
                Lang::En => " points",
                Lang::Uk => " в. п.",
            };
            format!("{number} ± {}{unit}", format.setting(*t))
        }
        Compare::Relative(t) => {
            let of_it = match lang {
                Lang::En => "of it",
                Lang::Uk => "від нього",
            };
            format!("{number} ± {} % {of_it}", format.setting(percentage(*t)))
        }
        Compare::Exact(_) | Compare::Printed(_) => match claim.printed.trim().to_lowercase().as_str() {
            "true" => truth(true, lang).to_owned(),
            "false" => truth(false, lang).to_owned(),
            _ => number,
        },
    }
}

/// A printed value with the report's decimal sign, if it is one plain number; any other text stays as the study has it.
fn in_format(text: &str, langs: Wording) -> String {
    let digits = text.trim().trim_end_matches('%').trim_end().trim_start_matches(printed::MINUS);
    let is_decimal = |sign: char| {
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits.split_once(sign).is_some_and(|(whole, decimals)| are_digits(whole) && are_digits(decimals))
    };
    match (langs.study, langs.report) {
        (_, Lang::Uk) if is_decimal('.') => text.replace('.', ","),
        // In an English study, a comma separates thousands.
        (Lang::Uk, Lang::En) if is_decimal(',') => text.replace(',', "."),
        _ => text.to_owned(),
    }
}

/// A truth value in a language.
fn truth(value: bool, lang: Lang) -> &'static str {
    match (lang, value) {
        (Lang::En, true) => "true",
        (Lang::En, false) => "false",
        (Lang::Uk, true) => "так",
        (Lang::Uk, false) => "ні",
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
            word if word == truth(true, lang) => Ok(Expected::Bool(true)),
            word if word == truth(false, lang) => Ok(Expected::Bool(false)),
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
            let printed =
                printed::read(&claim.printed, lang).map_err(|message| Mismatch::Kind(refused(claim, &message)))?;
            let is_too_long = |x: f64| x.abs() >= numbers::MAX_WHOLE && x.fract() == 0.0;
            let printed_too_long = printed.numbers.iter().any(|n| is_too_long(n.value));
            if exact && printed_too_long && found.iter().any(|m| is_too_long(*m)) {
                return other_kind("the measured value has more digits than can be compared");
            }
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

/// A measured value of another kind than the printed one.
fn of_another_kind(measured: &Json) -> String {
    match measured {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.as_f64().map_or_else(|| number.to_string(), numbers::setting),
        Json::Array(_) => plain_list(measured),
        other => other.to_string(),
    }
}

/// Compares number by number.
fn compare_numbers(how: &Compare, printed: &Printed, measured: &Json, lang: Lang) -> (Verdict, String) {
    let mut found = Vec::new();
    flatten(measured, &mut found);
    let agree = |shown: &[f64]| printed.numbers.iter().zip(shown).all(|(p, m)| agrees(how, p, *m));
    let matches = agree(&found);
    let comma = lang == Lang::Uk;
    let shown = shown_values(how, printed, &found, matches, &agree);
    let notation = |text: String| if comma { text.replace('.', ",") } else { text };
    let shown: Vec<String> = shown.into_iter().map(notation).collect();
    let text =
        if measured.is_array() { format!("[{}]", shown.join(if comma { "; " } else { ", " })) } else { shown.concat() };
    (verdict(matches), text)
}

/// Measured numbers as the report prints them: with two decimals more than printed, so that 0.5618 is not shown as 1. Whole
/// numbers beside whole ones need none. If rounding would contradict the verdict, more decimals are printed.
fn shown_values(
    how: &Compare,
    printed: &Printed,
    found: &[f64],
    matches: bool,
    agree: &impl Fn(&[f64]) -> bool,
) -> Vec<String> {
    let percent = printed.numbers.iter().all(|n| n.is_percent);
    if let Compare::Exact(_) = how {
        return found
            .iter()
            .map(|m| if percent { format!("{} %", numbers::plain(percentage(*m))) } else { numbers::plain(*m) })
            .collect();
    }
    let least = printed.numbers.iter().map(|n| n.decimals).max().unwrap_or(0).max(0) as usize;
    let are_whole = !percent && least == 0 && found.iter().all(|m| m.fract() == 0.0);
    let more = if are_whole { 0 } else { MORE_DECIMALS };
    let print = |m: f64, decimals: usize| {
        if percent { numbers::percent(m, decimals.saturating_sub(2)) } else { numbers::fixed(m, decimals) }
    };
    let read = |text: &str| printed::read(text, Lang::En).map_or(f64::NAN, |read| read.numbers[0].value);
    let start = least + more;
    let end = start.max(MAX_DECIMALS);
    let shows_verdict = |decimals: &usize| {
        let rounded: Vec<f64> = found.iter().map(|m| read(&print(*m, *decimals))).collect();
        let is_printed = |((p, shown), m): ((&PrintedNumber, &f64), &f64)| p.value == *shown && p.value != *m;
        let hides = printed.numbers.iter().zip(&rounded).zip(found).any(is_printed);
        agree(&rounded) == matches && (!hides || *decimals >= least + MOST_MORE_DECIMALS)
    };
    let decimals = (start..end).find(shows_verdict).unwrap_or(end);
    found.iter().map(|m| print(*m, decimals)).collect()
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
mod tests;
