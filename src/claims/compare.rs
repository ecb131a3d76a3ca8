//! Compares a claim's printed value, which is text, with the measured one.

use minijinja::Value;
use serde_json::Value as Json;

use crate::study::{Claim, Compare};
use crate::text::numbers;

/// Whether a claim agrees with the measured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "self-evident")]
pub enum Verdict {
    Differs,
    NotMeasured,
    Matches,
}

/// Checks that a claim's printed value can be compared as it asks. The error says what to change.
pub(super) fn check(claim: &Claim) -> Result<(), String> {
    if let Compare::Absolute(t) | Compare::Relative(t) = &claim.compare
        && !(t.is_finite() && *t >= 0.0)
    {
        return Err(format!("tolerance {t} must be at least 0"));
    }
    if !matches!(claim.compare, Compare::Exact(_)) && printed_numbers(&claim.printed).is_none() {
        return Err(format!("`{}` holds no number: use `compare: exact`", claim.printed));
    }
    Ok(())
}

/// The verdict on a claim, and the measured value as the report prints it.
pub(super) fn compare(claim: &Claim, measured: Option<&Value>) -> (Verdict, String) {
    let Some(measured) = measured.and_then(|v| serde_json::to_value(v).ok()) else {
        return (Verdict::NotMeasured, String::new());
    };
    match &claim.compare {
        Compare::Exact(_) => {
            let printed = serde_json::from_str(&claim.printed).unwrap_or_else(|_| Json::String(claim.printed.clone()));
            (verdict(same(&printed, &measured)), exact_text(&measured))
        }
        Compare::Printed(_) => numeric(claim, &measured, 0, |p, _, m| {
            let decimals = decimals(p);
            numbers::fixed(m, decimals) == numbers::fixed(p.parse().unwrap_or(f64::NAN), decimals)
        }),
        Compare::Absolute(t) => numeric(claim, &measured, decimals(&numbers::plain(*t)), |_, p, m| (p - m).abs() <= *t),
        Compare::Relative(t) => numeric(claim, &measured, 0, |_, p, m| (p - m).abs() <= t * p.abs()),
    }
}

fn verdict(matches: bool) -> Verdict {
    if matches { Verdict::Matches } else { Verdict::Differs }
}

/// Compares number by number. Measured numbers are printed with as many decimals as the claim's, and at least `least`.
fn numeric(claim: &Claim, measured: &Json, least: usize, fits: impl Fn(&str, f64, f64) -> bool) -> (Verdict, String) {
    let mut found = Vec::new();
    let (Some(printed), true) = (printed_numbers(&claim.printed), flatten(measured, &mut found)) else {
        return (Verdict::NotMeasured, String::new());
    };
    let value = |p: &str| p.parse().unwrap_or(f64::NAN);
    let matches = printed.len() == found.len() && printed.iter().zip(&found).all(|(p, m)| fits(p, value(p), *m));
    let decimals = printed.iter().map(|p| decimals(p)).max().unwrap_or(0).max(least);
    let texts: Vec<String> = found.iter().map(|m| numbers::fixed(*m, decimals)).collect();
    let text = if measured.is_array() { format!("[{}]", texts.join(", ")) } else { texts.concat() };
    (verdict(matches), text)
}

/// The numbers in a printed value, in order, as they were printed.
fn printed_numbers(printed: &str) -> Option<Vec<&str>> {
    let numbers: Vec<&str> = printed
        .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == 'e'))
        .filter(|word| word.parse::<f64>().is_ok_and(f64::is_finite))
        .collect();
    (!numbers.is_empty()).then_some(numbers)
}

fn decimals(printed: &str) -> usize {
    printed.split_once('.').map_or(0, |(_, fraction)| fraction.chars().take_while(char::is_ascii_digit).count())
}

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

/// Equality, in which 640 equals 640.0.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

fn exact_text(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(exact_text).collect::<Vec<_>>().join(", ")),
        Json::Number(n) => n.as_f64().map_or_else(|| n.to_string(), numbers::plain),
        Json::String(s) => s.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(printed: &str, how: &str, measured: impl Into<Value>) -> (Verdict, String) {
        let claim = Claim {
            id: "c".into(),
            group: "g".into(),
            quote: "q".into(),
            printed: printed.into(),
            measured: "x".into(),
            compare: serde_yaml::from_str(how).unwrap(),
            why: None,
        };
        check(&claim).unwrap();
        compare(&claim, Some(&measured.into()))
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
        assert_eq!(outcome("2", "{absolute: 0.5}", 1.46), (Differs, "1.5".into()));
        assert_eq!(outcome("2", "{absolute: 0.6}", 1.46).0, Matches);
        assert_eq!(outcome("0.09", "{relative: 0.1}", 0.0985), (Matches, "0.10".into()));
        let list = vec![0.99081, 0.9];
        assert_eq!(outcome("[0.9908, 0.9000]", "printed", list), (Matches, "[0.9908, 0.9000]".into()));
        assert_eq!(outcome("true", "exact", false), (Differs, "false".into()));
    }

    #[test]
    fn a_value_that_was_not_measured_has_a_verdict_of_its_own() {
        let claim: Claim =
            serde_yaml::from_str("{id: a, group: g, quote: q, printed: '1', measured: x, compare: exact}").unwrap();
        assert_eq!(compare(&claim, None), (Verdict::NotMeasured, String::new()));
    }
}
