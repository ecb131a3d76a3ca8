//! Tests of expressions and sentences over a small set of values.
//!
//! Longer than 400 lines because all of them use these values.

use std::time::{Duration, Instant};

use minijinja::Value;
use serde_json::json;

use super::*;
use crate::text::Lang;

fn values() -> Value {
    Value::from(minijinja::value::Serde(json!({
        "runs": {
            "r": {
                "accuracy": 0.9, "correct": 9000, "loss": 0.2, "sd": null, "epochs": [{"loss": 0.5}, {"loss": null}],
                "per_class": [0.9, 0.8], "confusion": [[9, 1], [0, 10]], "last": {"train_eval_accuracy": null},
            },
            "slim-bn": {"accuracy": 0.95},
        },
        "values": {"limit": "0,05", "number": "0.05", "word": "abc", "mixed": [1, "2"], "names": ["b", "a"], "on": true},
    })))
}

fn english() -> Interpreter {
    Interpreter::new(Lang::En, Mode::Decide)
}

fn found(text: &str) -> Result<Value, Stop> {
    evaluate(&english(), text, &values(), Mode::Decide)
}

fn sentence(text: &str) -> Result<String, Stop> {
    render(&english(), text, &values(), Mode::Decide)
}

#[track_caller]
fn is_fault(text: &str, part: &str) {
    match found(text) {
        Err(Stop::Fault(message)) => assert!(message.contains(part), "{text}: {message}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn values_are_calculated_and_compared() {
    for (text, expected) in [
        ("runs.r.accuracy > 0.5", json!(true)),
        ("runs[\"slim-bn\"].accuracy - runs.r.accuracy < 0.2", json!(true)),
        ("0 < runs.r.accuracy < 1", json!(true)),
        ("1 < 2 < 2", json!(false)),
        ("runs.r.correct == 9000.0", json!(true)),
        ("runs.r.correct // 7", json!(1285)),
        ("runs.r.correct / 4", json!(2250.0)),
        ("2 ** 3 - 7 % 4", json!(5)),
        ("-runs.r.correct", json!(-9000)),
        ("not (1 > 2) and true", json!(true)),
        ("values.word == \"abc\"", json!(true)),
        ("values.names == [\"b\", \"a\"]", json!(true)),
        ("\"a\" in values.names", json!(true)),
        ("3 not in [1, 2]", json!(true)),
        ("runs.r.per_class|max", json!(0.9)),
        ("runs.r.confusion|diagonal|sum", json!(19)),
        ("runs.r.confusion|recall|map(\"round_to\", 2)|list == [0.9, 1.0]", json!(true)),
        ("runs.r.per_class|select(\"gt\", 0.85)|list|length", json!(1)),
        ("runs.r.per_class[-1]", json!(0.8)),
        ("[1, 2, 3][1:]", json!([2, 3])),
        ("range(3)|list", json!([0, 1, 2])),
        ("1 if values.on else 2", json!(1)),
        ("values.word ~ 1", json!("abc1")),
        ("runs.r.accuracy is number", json!(true)),
        ("runs.r.confusion|row_sums == [10, 10]", json!(true)),
        ("[1]|zip([2])|list == [[1, 2]]", json!(true)),
        ("(1, 2) == [1, 2]", json!(true)),
        ("[2] in [[1], [2]]", json!(true)),
        ("{\"a\": 3}[\"a\"]", json!(3)),
        ("[{\"k\": 1}, {\"k\": 2}]|groupby(\"k\")|length", json!(2)),
    ] {
        let value = found(text).unwrap_or_else(|stop| panic!("{text}: {stop:?}"));
        let value = serde_json::to_value(&value).unwrap();
        let same = value == expected || value.as_f64().is_some_and(|v| expected.as_f64() == Some(v));
        assert!(same, "{text}: {value}");
    }
}

#[test]
fn an_expression_with_a_missing_value_has_none_and_names_it() {
    for (text, names) in [
        ("runs.r.last.train_eval_accuracy < 0.99", vec!["runs.r.last.train_eval_accuracy"]),
        ("not (runs.r.sd >= 0.99)", vec!["runs.r.sd"]),
        ("runs.r.sd", vec!["runs.r.sd"]),
        ("runs.r.sd == runs.r.sd", vec!["runs.r.sd"]),
        ("runs.r.sd != 3", vec!["runs.r.sd"]),
        ("runs.r.accuracy > 0 or runs.r.sd > 0", vec!["runs.r.sd"]),
        ("runs.r.sd > 0 or runs.r.accuracy > 0", vec!["runs.r.sd"]),
        ("runs.r.accuracy > 1 and runs.r.sd > 0", vec!["runs.r.sd"]),
        ("runs.r.sd + runs.q.loss > 0", vec!["runs.q", "runs.r.sd"]),
        ("runs.r.sd in [1, 2]", vec!["runs.r.sd"]),
        ("1 in [runs.r.sd, 1]", vec!["runs.r.sd"]),
        ("runs.r.sd is defined", vec!["runs.r.sd"]),
        ("runs.r.sd is not defined", vec!["runs.r.sd"]),
        ("runs.r.sd is none", vec!["runs.r.sd"]),
        ("runs.r.sd is not number", vec!["runs.r.sd"]),
        ("1 if runs.r.sd else 2", vec!["runs.r.sd"]),
        ("runs.r.epochs[2].loss > 0", vec!["runs.r.epochs[2]"]),
        ("runs.r.epochs[1].loss > 0", vec!["runs.r.epochs[1].loss"]),
        ("runs.r.sd|abs > 0", vec!["runs.r.sd"]),
        ("runs.r.sd|fixed(2) == \"0.10\"", vec!["runs.r.sd"]),
        ("runs.r.epochs|map(attribute=\"loss\")|sum > 0", vec!["runs.r.epochs[1].loss"]),
        ("(runs.r.epochs|sort(attribute=\"loss\"))[0].loss < 1", vec!["runs.r.epochs[1].loss"]),
        ("accuracy > 0", vec!["accuracy"]),
        ("runs.r|attr(\"sd\") is defined", vec!["runs.r|attr"]),
        ("runs.r.sd is lt(0.01)", vec!["runs.r.sd"]),
    ] {
        match found(text) {
            Err(Stop::NotMeasured(found)) => assert_eq!(found.into_keys().collect::<Vec<_>>(), names, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_missing_name_gets_advice() {
    for (text, hint) in [
        ("runs.r.acuracy", "did you mean `accuracy`?"),
        ("run.r.accuracy", "did you mean `runs`?"),
        ("runs.r.last.train_eval_accuracy", "evaluate_train: true"),
        ("runs.r.sd", "several seeds"),
        ("runs.zebra.accuracy", "choose from r, slim-bn"),
    ] {
        let message = found(text).unwrap_err().message();
        assert!(message.contains(hint), "{text}: {message}");
    }
}

#[test]
fn a_missing_argument_is_named() {
    for (text, expected) in [
        ("runs.r.accuracy|percent", "filter `percent`: missing argument; write percent(2): the number of decimals"),
        ("runs.r.accuracy|fixed", "filter `fixed`: missing argument; write fixed(2): the number of decimals"),
        (
            "runs.r.accuracy|points(1, 2)",
            "filter `points`: too many arguments; write points(2): the number of decimals",
        ),
        ("runs.r.per_class|round_to", "; write round_to(2): the number of decimals"),
        ("runs.r.epochs|groupby", "; write groupby(\"seed\"): the name of a value"),
        ("runs.r.per_class|map", "; write map(attribute=\"test_loss\"): the value of each item, or"),
        ("runs.r.per_class|map(\"percent\")|list", "or map(\"percent\", 2): a filter and its arguments"),
        ("runs.r.per_class|select(\"gt\")|list", "; write select(\"gt\", 0.5): a test, and what it compares with"),
        ("runs.r.epochs|selectattr", "write a test, such as selectattr(\"accuracy\", \"gt\", 0)"),
        ("values.word|replace(\"a\")", "; write replace(\"a\", \"b\"): the text to replace, and what replaces it"),
        ("runs.r.per_class|batch", "; write batch(3): the number of items in each list"),
        ("range()", "function `range`: missing argument; write range(10): the number of items"),
        ("runs.r.accuracy is gt", "test `gt`: missing argument; write `is gt 0.5`"),
        ("runs.r.correct is divisibleby", "; write `is divisibleby 2`"),
    ] {
        is_fault(text, expected);
    }
}

#[test]
fn a_letter_that_looks_latin_is_named() {
    let letter = "unexpected character; the `\u{441}` that you typed is U+0441, not a Latin letter";
    is_fault("runs.r.ac\u{441}uracy", letter);
    let Err(Stop::Fault(message)) = sentence("\u{422}ак {{ runs.r.ac\u{441}uracy }}") else { panic!() };
    assert_eq!(message, letter);
}

#[test]
fn kinds_do_not_mix() {
    for (text, part) in [
        ("runs.r.accuracy > values.limit", "compares a number with text (`0,05`); write decimals with a point"),
        ("runs.r.accuracy > values.number", "write numbers without quotes"),
        ("values.limit < runs.r.accuracy", "compares text"),
        ("runs.r.accuracy == values.word", "compares a number with text"),
        ("runs.r.accuracy != \"0.9\"", "write numbers without quotes"),
        ("runs.r.accuracy|percent(2) > 90", "compares text"),
        ("runs.r.accuracy|percent(2) > \"90.00 %\"", "only numbers have an order"),
        ("runs.r.accuracy|fixed(2) + 1 > 1", "calculates with text"),
        ("values.on > 0", "compares true or false with a number"),
        ("values.on == 1", "compares true or false with a number"),
        ("true > false", "only numbers have an order"),
        ("runs.r.per_class > 0.5", "compares a list with a number"),
        ("runs.r.per_class > [0.5]", "only numbers have an order"),
        ("runs.r.per_class == [\"a\"]", "compares a number with text"),
        ("runs.r == 1", "compares a group of values with a number"),
        ("values.mixed|sum > 0", "lists a number and text (`2`)"),
        ("values.mixed == [1, 2]", "lists a number and text"),
        ("values.names|max == \"b\"", "must be a number"),
        ("\"1\" in [1, 2]", "compares text (`1`) with a number"),
        ("values.word + \"d\" == \"abcd\"", "`~` joins texts"),
        ("values.word * 2 == \"abcabc\"", "calculates with text"),
        ("runs.r.per_class|select(\"gt\", values.limit)|list|length > 0", "compares a number with text"),
        ("runs.r.accuracy is gt(values.limit)", "compares a number with text"),
        ("runs.r.sd|default(0) > 1", "`default` is not available"),
        ("runs.r.accuracy and true", "must be true or false, but is a number"),
        ("runs.r.accuracy > 0.5 or 1", "must be true or false"),
        ("not runs.r.accuracy", "must be true or false"),
        ("1 if runs.r.correct else 0", "must be true or false"),
        ("none == none", "`none` is not a value"),
        ("runs.r.accuracy > none", "`none` is not a value"),
        ("runs.r.per_class.first", "is a list"),
        ("runs.r.accuracy.value", "has no members"),
        ("runs.r.accuracy|procent(2)", "did you mean `percent`?"),
        ("runs.r.per_class|select|min > 0", "write a test, such as select(\"gt\", 0)"),
        ("runs.r.per_class|reject|list", "write a test, such as reject(\"gt\", 0)"),
        ("runs.r.epochs|selectattr('test_loss')|list", "selectattr(\"test_loss\", \"gt\", 0)"),
        ("'\\u202e' == 'a'", "U+202E right-to-left override"),
        ("runs.r.items()", "methods cannot be called"),
        ("runs.r == runs.r", "compares groups"),
        ("\"null\" in (runs.r|tojson)", "`tojson` is not available"),
        ("[0.095|points(1), 0.102|points(1)]|sort|last == \"9.5\"", "by their characters"),
        ("runs.r.epochs|sort(attribute=\"loss,loss\")|length > 1", "is one name: write no comma in it"),
        ("runs.r.epochs|selectattr(\"epoch,epoch\", \">\", 1)|length > 1", "is one name: write no comma in it"),
        ("runs.r.accuracy is odd", "not a whole number"),
        ("debug()", "unknown function `debug`"),
        ("runs.r.accuracy >", "unexpected"),
        ("runs.r.accuracy > 0,05", "write decimals with a point, 0.5"),
        (
            "range(100000)|map(\"round_to\", 1)|list|length + range(100000)|map(\"round_to\", 1)|list|length > 0",
            "steps",
        ),
    ] {
        is_fault(text, part);
    }
    let not_bool = holds(&english(), "runs.r.accuracy", &values(), Mode::Decide);
    assert!(matches!(not_bool, Err(Stop::Fault(_))), "{not_bool:?}");
}

#[test]
fn a_sentence_prints_a_number_without_a_filter_with_at_most_four_decimals() {
    let printed = |lang, text| render(&Interpreter::new(lang, Mode::Decide), text, &values(), Mode::Decide).unwrap();
    let text = "{{ runs.r.correct }} {{ runs.r.correct / 7 }} {{ 1 / 2 }} {{ -1 / 3 }} {{ 1 / 30000 }} {{ runs.r.correct / 2 }}";
    assert_eq!(printed(Lang::En, text), "9000 1285.7143 0.5 \u{2212}0.3333 3.3333e\u{2212}5 4500");
    assert_eq!(printed(Lang::Uk, "{{ runs.r.correct / 7 }}"), "1285,7143");
    let comma = sentence("At least 0,5: {{ runs.r.accuracy - 0,5 }}.");
    assert!(matches!(&comma, Err(Stop::Fault(m)) if m.contains("write decimals with a point")), "{comma:?}");
    let other = sentence("At least 0,5: {{ runs.r.accuracy - }}.");
    assert!(matches!(&other, Err(Stop::Fault(m)) if !m.contains("decimals")), "{other:?}");
}

#[test]
fn an_expression_without_a_finite_result_has_no_value() {
    for text in [
        "1 / 0 > 0",
        "[]|first is defined",
        "runs.r.per_class|select(\"gt\", 2)|list|max > 0",
        "[]|maximum",
        "0 / 0 == 0",
        "1 // 0",
        "1 % 0",
        "10.0 ** 400 > 1",
        "not (0 / 0 > 1)",
        "[[0, 0], [0, 1]]|recall|sum",
    ] {
        assert!(matches!(found(text), Err(Stop::NoValue(_))), "{text}: {:?}", found(text));
    }
}

#[test]
fn sentences_print_measured_values_only() {
    assert_eq!(sentence("{{ runs.r.accuracy|percent(1) }} of {{ runs.r.correct|count }}").unwrap(), "90.0 % of 9,000");
    assert_eq!(sentence("{{ (0 - 684)|count }}").unwrap(), "\u{2212}684");
    assert_eq!(sentence("{{ (2 ** 53)|count }}").unwrap(), "9,007,199,254,740,992");
    assert_eq!(
        sentence("{% if runs.r.sd is defined %}{{ runs.r.sd }}{% else %}one seed{% endif %}").unwrap(),
        "one seed"
    );
    assert_eq!(sentence("{% if runs.r.sd is number %}{{ runs.r.sd }}{% endif %}.").unwrap(), ".");
    let guarded = "{% if runs.r.sd is defined and runs.r.sd > 1 %}a{% else %}b{% endif %}";
    assert_eq!(sentence(guarded).unwrap(), "b");
    assert_eq!(sentence("{% if runs.r.sd is not defined or runs.r.sd > 1 %}a{% endif %}").unwrap(), "a");
    assert_eq!(sentence("{% if runs.r|attr(\"sd\") is defined %}measured{% endif %}").unwrap(), "");
    assert_eq!(
        sentence("{% if runs.r.per_class|select(\"gt\", 2)|first is defined %}a{% else %}b{% endif %}").unwrap(),
        "b"
    );
    for text in [
        "Yes, {{ runs.r.sd }}.",
        "Yes, {{ runs.r.sd|fixed(2) }}.",
        "{{ runs.r.epochs|map(attribute=\"loss\")|join(\", \") }}",
        "{% if runs.r.sd > 1 %}a{% else %}b{% endif %}",
        "{{ [1, runs.r.sd] }}",
        "{% if runs.r.sd is lt(0.01) %}a{% else %}b{% endif %}",
        "{% if runs.r.sd is not gt(0.01) %}a{% else %}b{% endif %}",
    ] {
        assert!(matches!(sentence(text), Err(Stop::NotMeasured(_))), "{text}: {:?}", sentence(text));
    }
    for text in [
        "{{ runs.r }}",
        "{{ runs.r.epochs }}",
        "{% if runs.r.accuracy %}a{% endif %}",
        "{{ values.word|count }}",
        "{{ 1e300|count }}",
        "{% if runs.r.accuracy > values.limit %}a{% endif %}",
        "{% if x %}",
    ] {
        assert!(matches!(sentence(text), Err(Stop::Fault(_))), "{text}: {:?}", sentence(text).map(|t| t.len()));
    }
}

#[test]
fn a_check_looks_into_branches_that_are_not_taken() {
    let check = |text: &str| render(&english(), text, &values(), Mode::Check);
    assert!(check("{% if runs.r.accuracy > 2 %}{{ runs.r.accuracy > values.limit }}{% endif %}").is_err());
    assert!(check("{% if runs.r.accuracy > 2 %}{{ runs.r.sd }}{% endif %}").is_ok());
    for text in ["{% if runs.r.acuracy is defined %}a{% endif %}", "{% if undefined_thing is defined %}a{% endif %}"] {
        let found = check(text);
        assert!(matches!(&found, Err(Stop::Fault(message)) if message.contains("there is no")), "{text}: {found:?}");
    }
    assert!(check("{% if runs.zebra is defined %}a{% endif %}").is_ok());
    // Stand-ins may give an empty selection where measured values do not.
    let empty = "{% if runs.r.per_class|select(\"gt\", 2)|list|length > 0 %}\
                 {{ runs.r.per_class|select(\"gt\", 2)|list|maximum }}{% endif %}";
    assert!(check(empty).is_ok(), "{:?}", check(empty));
    let first = check("{{ runs.r.per_class|select(\"gt\", 2)|first|percent(1) }}");
    assert!(matches!(first, Err(Stop::NoValue(_))), "{first:?}");
    assert!(evaluate(&english(), "1 if values.on else 1 > values.limit", &values(), Mode::Check).is_err());
    assert!(evaluate(&english(), "1 / (runs.r.loss - 0.2) > 3", &values(), Mode::Check).is_ok());
}

#[test]
fn a_sentence_has_no_statement_but_if() {
    for text in [
        "{% set a = 1 %}",
        "{% set a %}b{% endset %}",
        "{% for i in [1] %}{% endfor %}",
        "{% with a = 1 %}{% endwith %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'a' %}",
        "{% import 'a' as b %}",
        "{% from 'a' import b %}",
        "{% extends 'a' %}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}a{% endfilter %}",
        "{% autoescape true %}a{% endautoescape %}",
        "{% do range(3) %}",
        "{% macro m() %}{% endmacro %}{% call m() %}{% endcall %}",
    ] {
        match sentence(text) {
            Err(Stop::Fault(_)) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
    let raw = sentence("{% raw %}{{ {% set %}{% endraw %}{# a comment #}");
    assert_eq!(raw.unwrap(), "{{ {% set %}");
}

/// Each would take minutes or gigabytes without a bound.
#[test]
fn no_expression_takes_long_or_much_memory() {
    let started = Instant::now();
    let big = "range(99000)|list";
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let doubled = (0..11).fold("\"xxxxxxxxxx\"".to_owned(), |text, _| format!("({text} ~ {text})"));
    let longer = (0..30).fold("\"aaaaaaaaaa\"".to_owned(), |text, _| format!("{text}|replace(\"a\", \"aaaaaaaaaa\")"));
    for text in [
        format!("{big} == {big}"),
        format!("1 if {big} in [{big}] else 0"),
        format!("{big}|select(\"in\", {big})|list|length"),
        format!("{big}|reject(\"in\", {big})|list|length"),
        format!("{big}|map(\"join\", \"{}\")|list", "x".repeat(900)),
        format!("[{big}, {big}, {big}]|map(\"list\")|list"),
        format!("range(3000)|list|map(\"replace\", \"\", \"{}\")|list", "x".repeat(3000)),
        format!("[{}]|length", vec![big; 100].join(", ")),
        format!("[{}]|length", vec!["range(99000)[1:]"; 200].join(", ")),
        format!("{big}|join(\"{}\")", "x".repeat(3500)),
        longer,
        "\"x\"|indent(4000000000, true)".to_owned(),
        "\"%2000000000d\"|format(1)".to_owned(),
        "[1]|batch(4000000000, 0)|list".to_owned(),
        "[1]|slice(4000000000)|list|length".to_owned(),
        "range(100001)".to_owned(),
        format!("{doubled} == 1"),
    ] {
        let found = found(&text);
        assert!(!matches!(found, Ok(_) | Err(Stop::NotMeasured(_))), "{}: {found:?}", &text[..text.len().min(80)]);
    }
    for text in
        [format!("{nested} == {nested}"), "2 ** 2 ** 2 ** 2 ** 2 ** 2".to_owned(), "1|fixed(4000000000)".to_owned()]
    {
        drop(found(&text));
    }
    let sentence = sentence(&format!("{{{{ {big} }}}}{{{{ {big} }}}}"));
    assert!(matches!(sentence, Err(Stop::Fault(_))), "{sentence:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn all_expressions_of_a_study_share_a_budget() {
    let interpreter = english();
    let spent = (0..500).find_map(|_| evaluate(&interpreter, "range(10000)|length", &values(), Mode::Decide).err());
    assert!(
        matches!(&spent, Some(Stop::Fault(message)) if message.starts_with("all expressions together take")),
        "{spent:?}"
    );
    let interpreter = english();
    let long = format!("{{{{ \"{}\" }}}}", "x".repeat(3900));
    let spent = (0..500).find_map(|_| render(&interpreter, &long, &values(), Mode::Decide).err());
    assert!(
        matches!(&spent, Some(Stop::Fault(message)) if message.starts_with("all sentences together print")),
        "{spent:?}"
    );
}

/// Also of parts that are never evaluated.
#[test]
fn parsing_takes_steps() {
    let interpreter = english();
    let long = format!("1 if true else (runs.q is divisibleby({}))", vec!["1"; 1900].join("+"));
    let started = Instant::now();
    let spent = (0..5000).find_map(|_| evaluate(&interpreter, &long, &values(), Mode::Decide).err());
    assert!(
        matches!(&spent, Some(Stop::Fault(message)) if message.starts_with("all expressions together take")),
        "{spent:?}"
    );
    let long = format!("{{{{ {long} }}}}");
    assert!(render(&interpreter, &long, &values(), Mode::Decide).is_err());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A thousand claims must not each read a long list because none of them is counted in the end.
#[test]
fn the_steps_of_refused_expressions_count_for_all_together() {
    let list: Vec<serde_json::Value> = (0..99_000).map(|i| json!(i)).chain([json!("x")]).collect();
    let names: serde_json::Map<String, serde_json::Value> =
        (0..99_000).map(|i| (format!("k{i:09}"), json!(1))).collect();
    let values = Value::from(minijinja::value::Serde(json!({"values": {"l": list, "g": names}})));
    for text in
        ["values.l == 1", "values.l|sum + 'x'", "values.l", "values.g.k00000000x", "values.g|dictsort|length > 'a'"]
    {
        let interpreter = Interpreter::new(Lang::En, Mode::Decide);
        for _ in 0..60 {
            assert!(evaluate(&interpreter, text, &values, Mode::Decide).is_err(), "{text}");
        }
        let Err(Stop::Fault(why)) = evaluate(&interpreter, "1 + 1", &values, Mode::Decide) else { panic!("{text}") };
        assert!(why.starts_with("all expressions together take more than"), "{text}: {why}");
    }
}

/// Operators that each copy the text of what follows them must count it.
#[test]
fn long_chains_of_operators_and_filters_take_steps() {
    let interpreter = Interpreter::new(Lang::En, Mode::Decide);
    let chains = [
        format!("{}1", "- ".repeat(1900)),
        format!("{}(1 > 2)", "not ".repeat(900)),
        format!("1{}", "|abs".repeat(900)),
    ];
    for text in chains {
        let Err(Stop::Fault(why)) = evaluate(&interpreter, &text, &values(), Mode::Decide) else { panic!("{text}") };
        assert!(why.contains("steps"), "{why}");
    }
    assert!(evaluate(&interpreter, "- - -1|abs|abs", &values(), Mode::Decide).is_ok());
}
