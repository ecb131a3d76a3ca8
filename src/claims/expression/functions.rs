//! The filters and tests of expressions, and what each accepts.

use std::borrow::Cow;

use minijinja::machinery::ast::CompareOpKind;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::names::meant;
use super::operators::{self, OperandKind};
use super::{MAX_STEPS, Mode, Stop};
use crate::text::closest::{closest, did_you_mean};
use crate::text::{Lang, numbers};

/// Filters that replace a missing value, turn any value into true or false, or print whole groups with their missing
/// values.
const REFUSED_FILTERS: [&str; 9] = ["default", "d", "bool", "tojson", "string", "pprint", "urlencode", "escape", "e"];

/// The most names of a group that a message lists.
const MOST_LISTED: usize = 24;
/// The most names of a group that a mistyped one is compared with, the bytes of each, and the letters that are counted as steps.
pub(super) const MOST_COMPARED: usize = 1000;
const LONGEST: usize = 256;
pub(super) const LETTERS_COMPARED: usize = 64;

/// Filters and tests that are suggested for a mistyped name.
const FILTERS: [&str; 24] = [
    "fixed", "percent", "points", "count", "round_to", "diagonal", "row_sums", "recall", "maximum", "argmax", "abs",
    "first", "float", "int", "join", "last", "length", "list", "map", "max", "min", "round", "sort", "sum",
];
const TESTS: [&str; 5] = ["defined", "undefined", "number", "string", "none"];

/// The comparisons that can be written as tests, as in `select("gt", 0.5)`.
const COMPARISON_TESTS: [(&[&str], CompareOpKind); 7] = [
    (&["eq", "equalto", "=="], CompareOpKind::Eq),
    (&["ne", "!="], CompareOpKind::Ne),
    (&["lt", "lessthan", "<"], CompareOpKind::Lt),
    (&["le", "<="], CompareOpKind::Lte),
    (&["gt", "greaterthan", ">"], CompareOpKind::Gt),
    (&["ge", ">="], CompareOpKind::Gte),
    (&["in"], CompareOpKind::In),
];

/// minijinja with the filters that studies can use. Filters that print numbers follow the study's language and return
/// text.
pub(super) fn environment(lang: Lang, mode: Mode) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(MAX_STEPS));
    let format = numbers::NumberFormat::of(lang);
    env.add_filter("fixed", move |x: Value, decimals: usize| Ok::<_, Error>(format.fixed(finite(&x)?, decimals)));
    env.add_filter("percent", move |x: Value, decimals: usize| Ok::<_, Error>(format.percent(finite(&x)?, decimals)));
    env.add_filter("points", move |x: Value, decimals: usize| Ok::<_, Error>(format.points(finite(&x)?, decimals)));
    env.add_filter("count", move |x: Value| count(format, mode, &x));
    env.add_filter("round_to", |x: Value, decimals: usize| round_to(&x, decimals));
    env.add_filter("diagonal", |m: Value| diagonal(&matrix(&m)?));
    env.add_filter("row_sums", |m: Value| -> Result<Vec<f64>, Error> { Ok(row_sums(&matrix(&m)?)) });
    env.add_filter("recall", |m: Value| recall(&matrix(&m)?));
    env.add_filter("maximum", |list: Value| -> Result<f64, Error> {
        number_list(&list)?.into_iter().reduce(f64::max).ok_or_else(|| invalid("an empty list has no maximum"))
    });
    env.add_filter("argmax", |list: Value| -> Result<usize, Error> {
        let list = number_list(&list)?;
        let best = (0..list.len()).reduce(|best, i| if list[i] > list[best] { i } else { best });
        best.ok_or_else(|| invalid("an empty list has no maximum"))
    });
    for (names, op) in COMPARISON_TESTS {
        for name in names {
            env.add_test(*name, move |a: Value, b: Value| {
                operators::complete(&a, "an item", &mut { MAX_STEPS }).map_err(|stop| stopped(&stop))?;
                operators::compare(op, &a, &b, name).map_err(|stop| stopped(&stop))
            });
        }
    }
    env
}

/// Refuses unknown filters and `REFUSED_FILTERS`.
pub(super) fn check_filter(state: &mut State, name: &str) -> Result<(), Stop> {
    if REFUSED_FILTERS.contains(&name) {
        let reason = "it would hide that a value was not measured";
        return Err(Stop::fault(format!("the filter `{name}` is not available: {reason}")));
    }
    if state.perform_test("filter", &[Value::from(name)])? { Ok(()) } else { Err(unknown("filter", name, &FILTERS)) }
}

/// Refuses unknown tests.
pub(super) fn check_test(state: &mut State, name: &str) -> Result<(), Stop> {
    if state.perform_test("test", &[Value::from(name)])? { Ok(()) } else { Err(unknown("test", name, &TESTS)) }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Stop {
    Stop::fault(format!("unknown {what} `{name}`{}", did_you_mean(name, known.iter().copied())))
}

/// Checks the values that a filter compares, adds or replaces itself, without the operators' checks, such as the
/// attribute by which it sorts. `text` is the expression of its input. Takes steps from those that are left.
pub(super) fn check_input(
    filter: &str,
    text: &str,
    input: &Value,
    positional: &[Value],
    named: &[(String, Value)],
    left: &mut u64,
) -> Result<(), Stop> {
    if named.iter().any(|(name, _)| name == "default") {
        return Err(Stop::fault(format!(
            "`default` of the filter `{filter}` would replace values that were not measured"
        )));
    }
    check_selection(filter, text, input, positional)?;
    let by_name = named.iter().find(|(name, _)| name == "attribute").map(|(_, value)| value);
    let first = ["selectattr", "rejectattr", "groupby"].contains(&filter).then(|| positional.first()).flatten();
    if let Some(attribute) = by_name.or(first).and_then(Value::as_str) {
        // Minijinja would sort by several, of which only their names together were checked.
        if attribute.contains(',') {
            return Err(Stop::fault(format!("`attribute` of the filter `{filter}` is one name: write no comma in it")));
        }
        let value = |item: Value| attribute.split('.').try_fold(item, |item, part| item.get_attr(part));
        let values = input.try_iter()?.map(value).collect::<Result<Vec<Value>, _>>()?;
        for (i, value) in values.iter().enumerate() {
            operators::complete(value, &format!("{text}[{i}].{attribute}"), left)?;
        }
        return operators::complete(&Value::from(values), text, left);
    }
    if filter == "sort" && OperandKind::of(input) == OperandKind::List {
        let figures = |item: &Value| item.as_str().is_some_and(|text| text.contains(|c: char| c.is_ascii_digit()));
        if input.try_iter()?.any(|item| figures(&item)) {
            return Err(Stop::fault(
                "`sort` would order printed figures by their characters; sort numbers, then print them",
            ));
        }
    }
    if ["min", "max", "sum"].contains(&filter) && OperandKind::of(input) == OperandKind::List {
        for item in input.try_iter()? {
            operators::number(&item, &format!("each item of a list that `{filter}` takes"))?;
        }
    }
    Ok(())
}

/// Refuses a selection without a test, unless it is of truth values: it would drop every 0 as if it were false.
fn check_selection(filter: &str, text: &str, input: &Value, positional: &[Value]) -> Result<(), Stop> {
    let with_test = match filter {
        "select" | "reject" => !positional.is_empty(),
        "selectattr" | "rejectattr" => positional.len() > 1,
        _ => true,
    };
    if with_test {
        return Ok(());
    }
    let attribute = positional.first().and_then(Value::as_str);
    let value = |item: Value| match attribute {
        Some(path) => path.split('.').try_fold(item, |item, part| item.get_attr(part)),
        None => Ok(item),
    };
    for item in input.try_iter()? {
        if OperandKind::of(&value(item)?) != OperandKind::Bool {
            let attribute = attribute.or_else(|| filter.ends_with("attr").then_some("accuracy"));
            let name = attribute.map_or(String::new(), |attribute| format!("\"{attribute}\", "));
            return Err(Stop::fault(format!(
                "`{filter}` without a test takes truth values, and `{text}` lists others; write a test, such as {filter}({name}\"gt\", 0)"
            )));
        }
    }
    Ok(())
}

/// A failed filter or test, with its name, and how it is written if its arguments are wrong.
pub(super) fn call_error(what: &str, name: &str, stop: impl Into<Stop>) -> Stop {
    match stop.into() {
        Stop::Fault(message) => {
            let is_of_arguments = ["missing ", "too many arguments", "cannot convert ", "filter name is required"];
            let form = is_of_arguments.iter().any(|start| message.starts_with(start)).then(|| form(what, name));
            let form = form.flatten().map_or_else(String::new, |form| format!("; write {form}"));
            Stop::fault(format!("{what} `{name}`: {message}{form}"))
        }
        stop => stop,
    }
}

/// How a filter, test or function with a required argument is written.
fn form(what: &str, name: &str) -> Option<String> {
    let form = match (what, name) {
        ("filter", "fixed" | "percent" | "points" | "round_to") => format!("{name}(2): the number of decimals"),
        ("filter", "batch") => "batch(3): the number of items in each list".to_owned(),
        ("filter", "slice") => "slice(3): the number of lists".to_owned(),
        ("filter", "replace") => "replace(\"a\", \"b\"): the text to replace, and what replaces it".to_owned(),
        ("filter", "attr") => "attr(\"accuracy\"): the name of a value".to_owned(),
        ("filter", "groupby") => "groupby(\"seed\"): the name of a value".to_owned(),
        ("filter", "map") => {
            let of_value = "map(attribute=\"test_loss\"): the value of each item";
            format!("{of_value}, or map(\"percent\", 2): a filter and its arguments")
        }
        ("filter", "select" | "reject") => format!("{name}(\"gt\", 0.5): a test, and what it compares with"),
        ("filter", "selectattr" | "rejectattr") => {
            format!("{name}(\"accuracy\", \"gt\", 0.5): the name of a value, a test, and what it compares with")
        }
        ("function", "range") => "range(10): the number of items".to_owned(),
        ("test", "in") => "`is in [1, 2]`".to_owned(),
        ("test", "divisibleby") => "`is divisibleby 2`".to_owned(),
        ("test", "startingwith" | "endingwith") => format!("`is {name} \"a\"`"),
        ("test", "sameas") => "`is sameas 1`".to_owned(),
        ("test", _) => {
            let is_comparison = COMPARISON_TESTS.iter().any(|(names, _)| names.contains(&name));
            return is_comparison.then(|| format!("`is {name} 0.5`"));
        }
        _ => return None,
    };
    Some(form)
}

/// Whether a filter takes a list that has items.
pub(super) fn needs_items(filter: &str) -> bool {
    ["first", "last", "min", "max", "maximum", "argmax"].contains(&filter)
}

/// Whether a group has a member of that name, measured or not.
pub(super) fn has_member(group: &Value, name: &str) -> bool {
    group.try_iter().is_ok_and(|mut keys| keys.any(|key| key.as_str() == Some(name)))
}

/// What to do about a missing member of a group. The names in an `open` group are the study's own.
pub(super) fn hint(group: &Value, name: &str, open: bool) -> String {
    // Not all of them: a study from somebody else may have 200,000.
    let keys = group.try_iter().into_iter().flatten().map(|key| key.to_string());
    let keys: Vec<String> = keys.filter(|key| key.len() <= LONGEST).take(MOST_COMPARED).collect();
    if keys.iter().any(|key| key == name) {
        return match name {
            "train_eval_loss" | "train_eval_accuracy" => "set `evaluate_train: true`",
            "sd" => "this needs several seeds",
            "interval" => "this needs at least three seeds that differ",
            "lower" | "upper" => "this needs runs that differ, each with one seed or with at least three that differ",
            "held_out_accuracy" | "held_out_loss" => "this needs `hold_out`",
            "margin" => "the comparison has no `margin`",
            _ => "",
        }
        .to_owned();
    }
    let meant = if open {
        closest(name, keys.iter().map(String::as_str))
    } else {
        Some(name).filter(|name| name.len() <= LONGEST).and_then(|name| meant(name, &keys))
    };
    match meant {
        Some(key) => format!("did you mean `{key}`?"),
        None if keys.is_empty() => "there are none".to_owned(),
        None if keys.len() <= MOST_LISTED => format!("choose from {}", keys.join(", ")),
        None => String::new(),
    }
}

/// Converts a reason to an error of minijinja.
fn stopped(stop: &Stop) -> Error {
    let kind =
        if matches!(stop, Stop::NotMeasured(_)) { ErrorKind::UndefinedError } else { ErrorKind::InvalidOperation };
    Error::new(kind, stop.message())
}

/// A finite number, for a filter that prints it.
fn finite(x: &Value) -> Result<f64, Error> {
    if OperandKind::of(x) != OperandKind::Number {
        return Err(invalid(format!(
            "takes a number, not {}",
            if OperandKind::of(x) == OperandKind::Text { "text" } else { "this value" }
        )));
    }
    f64::try_from(x.clone()).ok().filter(|x| x.is_finite()).ok_or_else(|| invalid("takes a finite number"))
}

/// Prints a number, rounded to a whole one, with separated thousands.
fn count(format: numbers::NumberFormat, mode: Mode, x: &Value) -> Result<String, Error> {
    let number = finite(x)?;
    let whole = number.round_ties_even();
    // Measured values may be fractions, such as a mean over seeds; a share is a mistake.
    if mode == Mode::Check && (number - whole).abs() > 1e-6 && number.abs() < 1.0 {
        return Err(invalid(format!("{number} is not a count; print it with `fixed` or `percent`")));
    }
    if whole.abs() > numbers::MAX_WHOLE {
        return Err(invalid("the number is too large to be printed as a count"));
    }
    Ok(format.signed_count(whole as i64))
}

fn diagonal(m: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
    let value = |(i, row): (usize, &Vec<f64>)| row.get(i).copied().ok_or_else(|| invalid("not a square matrix"));
    m.iter().enumerate().map(value).collect()
}

fn row_sums(m: &[Vec<f64>]) -> Vec<f64> {
    m.iter().map(|row| row.iter().sum()).collect()
}

/// For each class, its value on the diagonal divided by the sum of its row.
fn recall(m: &[Vec<f64>]) -> Result<Vec<f64>, Error> {
    Ok(diagonal(m)?.into_iter().zip(row_sums(m)).map(|(value, sum)| value / sum).collect())
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn number_list(list: &Value) -> Result<Vec<f64>, Error> {
    list.try_iter()?.map(|v| finite(&v).map_err(|_| invalid("takes a list of numbers"))).collect()
}

fn matrix(m: &Value) -> Result<Vec<Vec<f64>>, Error> {
    m.try_iter()?.map(|row| number_list(&row)).collect()
}

/// Rounds a number, or each number of a list.
fn round_to(x: &Value, decimals: usize) -> Result<Value, Error> {
    let round = |x: f64| numbers::fixed(x, decimals).parse::<f64>().expect("a printed number reads back");
    match OperandKind::of(x) {
        OperandKind::Number => Ok(Value::from(round(finite(x)?))),
        _ => Ok(Value::from(number_list(x)?.into_iter().map(round).collect::<Vec<f64>>())),
    }
}
