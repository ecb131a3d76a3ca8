//! Tests of the verdicts on claims.

use super::*;

const ENGLISH: Wording = Wording { study: Lang::En, report: Lang::En };

fn claim(printed: &str, how: &str) -> Claim {
    claim_in(Lang::En, printed, how)
}

fn claim_in(lang: Lang, printed: &str, how: &str) -> Claim {
    let claim = Claim {
        id: "c".into(),
        group: "g".into(),
        quote: "q".into(),
        printed: printed.into(),
        measured: "x".into(),
        compare: serde_yaml::from_str(how).unwrap(),
        why: None,
    };
    check(&claim, lang).unwrap();
    claim
}

fn outcome(printed: &str, how: &str, measured: impl Into<Value>) -> (Verdict, String) {
    let (claim, measured) = (claim(printed, how), measured.into());
    check_kind(&claim, &measured, Lang::En).unwrap();
    compare(&claim, Some(&measured), ENGLISH)
}

#[test]
fn each_way_to_compare() {
    use Verdict::*;
    assert_eq!(outcome("640", "exact", 640), (Matches, "640".into()));
    assert_eq!(outcome("640", "exact", 641), (Differs, "641".into()));
    let shape = vec![128, 64, 26, 26];
    assert_eq!(outcome("[128, 64, 28, 28]", "exact", shape.clone()), (Differs, "[128, 64, 26, 26]".into()));
    assert_eq!(outcome("[128, 64, 26, 26]", "exact", shape).0, Matches);
    assert_eq!(outcome("1.29", "printed", 1.2896), (Matches, "1.2896".into()));
    assert_eq!(outcome("1.29", "printed", 1.296), (Differs, "1.2960".into()));
    assert_eq!(outcome("2", "{absolute: 0.5}", 1.46), (Differs, "1.46".into()));
    assert_eq!(outcome("2", "{absolute: 0.6}", 1.46), (Matches, "1.46".into()));
    assert_eq!(outcome("0.09", "{relative: 0.1}", 0.0985), (Matches, "0.0985".into()));
    let list = vec![0.99081, 0.9];
    assert_eq!(outcome("[0.9908, 0.9000]", "printed", list), (Matches, "[0.990810, 0.900000]".into()));
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
    assert_eq!(outcome("97", "{absolute: 1}", 97.6), (Verdict::Matches, "97.60".into()));
    assert_eq!(outcome("99", "{absolute: 1}", 97.59), (Verdict::Differs, "97.59".into()));
    assert_eq!(outcome("97", "{absolute: 1}", 98.04), (Verdict::Differs, "98.04".into()));
    assert_eq!(outcome("0.13", "printed", 0.125), (Verdict::Matches, "0.1250".into()));
    assert_eq!(outcome("97 %", "{absolute: 1}", 0.9759), (Verdict::Matches, "97.59 %".into()));
    assert_eq!(outcome("97 %", "{absolute: 1}", 0.9841), (Verdict::Differs, "98.41 %".into()));
    // A value that was rounded is not shown as the printed one.
    assert_eq!(outcome("1", "printed", 0.5618), (Verdict::Matches, "0.56".into()));
    assert_eq!(outcome("1", "printed", 0.9996), (Verdict::Matches, "0.9996".into()));
    assert_eq!(outcome("1", "printed", 1.0), (Verdict::Matches, "1".into()));
    assert_eq!(outcome("0", "printed", 0.4382), (Verdict::Matches, "0.44".into()));
    assert_eq!(outcome("7.85 KMac", "printed", 7850), (Verdict::Matches, "7850".into()));
    assert_eq!(printed_with_tolerance(&claim("97 %", "{absolute: 1}"), ENGLISH), "97 % ± 1 points");
    assert_eq!(printed_with_tolerance(&claim("97", "{absolute: 1}"), ENGLISH), "97 ± 1");
    assert_eq!(printed_with_tolerance(&claim("0.09", "{relative: 0.05}"), ENGLISH), "0.09 ± 5 % of it");
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
    let two = compare(&claim("[1, 2, 3]", "printed"), Some(&Value::from(vec![1, 2])), ENGLISH);
    assert_eq!(two, (Verdict::Differs, "[1, 2]".into()));
}

/// Stand-ins before training may have another kind than the measured value.
#[test]
fn a_measured_value_of_another_kind_differs_and_is_shown() {
    let differs = |printed: &str, how: &str, measured: Value| {
        let (verdict, shown) = compare(&claim(printed, how), Some(&measured), ENGLISH);
        assert_eq!(verdict, Verdict::Differs, "{printed}");
        shown
    };
    assert_eq!(differs("A", "exact", Value::from(9703)), "9703");
    assert_eq!(differs("5", "exact", Value::from(5e21)), "5000000000000000000000");
    assert_eq!(differs("5", "exact", Value::from("five")), "five");
    assert_eq!(differs("5", "printed", Value::from(true)), "true");
    assert_eq!(differs("[5]", "printed", Value::from(Vec::<f64>::new())), "[]");
}

#[test]
fn a_value_that_was_not_measured_has_a_verdict_of_its_own() {
    assert_eq!(compare(&claim("1", "exact"), None, ENGLISH), (Verdict::NotMeasured, String::new()));
}

#[test]
fn values_are_shown_in_the_language_of_the_report() {
    let [en, uk] = [Lang::En, Lang::Uk];
    for (study, report, printed, measured, shown) in [
        (en, uk, "0.95", Value::from(0.95), ["0,95", "0,9500"]),
        (uk, uk, "0.95", Value::from(0.95), ["0,95", "0,9500"]),
        (uk, en, "0,95", Value::from(0.95), ["0.95", "0.9500"]),
        (en, uk, "-97.5 %", Value::from(-0.975), ["-97,5 %", "-97,500 %"]),
        (en, uk, "7,850", Value::from(7850), ["7,850", "7850"]),
        (en, uk, "conv1: 0.5", Value::from(0.5), ["conv1: 0.5", "0,500"]),
        (en, en, "0.95", Value::from(0.95), ["0.95", "0.9500"]),
    ] {
        let (claim, langs) = (claim_in(study, printed, "printed"), Wording { study, report });
        let (verdict, text) = compare(&claim, Some(&measured), langs);
        assert_eq!(verdict, Verdict::Matches, "{printed}");
        assert_eq!([printed_with_tolerance(&claim, langs), text], shown.map(str::to_owned), "{printed}");
    }
    let (claim, langs) = (claim_in(en, "true", "exact"), Wording { study: en, report: uk });
    assert_eq!(compare(&claim, Some(&Value::from(false)), langs), (Verdict::Differs, "ні".into()));
    assert_eq!(printed_with_tolerance(&claim, langs), "так");
    let claim = claim_in(en, "0.95", "{absolute: 0.01}");
    assert_eq!(printed_with_tolerance(&claim, langs), "0,95 ± 0,01");
}
