//! The operators. Each accepts only certain kinds of values.

use std::fmt;

use minijinja::machinery::ast::{BinOpKind, CompareOpKind};
use minijinja::value::ValueKind;
use minijinja::{Environment, Value, context};

use super::{MAX_TEXT, Stop};

/// The kinds of values that operators distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperandKind {
    Missing,
    Bool,
    Number,
    Text,
    List,
    Map,
}

impl OperandKind {
    pub(super) fn of(value: &Value) -> Self {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None | ValueKind::Invalid => Self::Missing,
            ValueKind::Bool => Self::Bool,
            ValueKind::Number => Self::Number,
            ValueKind::String | ValueKind::Bytes => Self::Text,
            ValueKind::Seq | ValueKind::Iterable => Self::List,
            _ => Self::Map,
        }
    }

    fn is_scalar(self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::Text)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map => "a group of values",
        }
    }
}

/// A value with its kind, for messages: `"0,05"` is text.
fn described(value: &Value) -> String {
    match OperandKind::of(value) {
        OperandKind::Text => format!("text (`{}`)", value.to_string().chars().take(40).collect::<String>()),
        kind => kind.name().to_owned(),
    }
}

/// Advice on a text that was probably meant as a number.
fn number_hint(value: &Value) -> &'static str {
    let Some(text) = value.as_str().map(str::trim) else { return "" };
    let number = |text: &str| text.parse::<f64>().is_ok();
    if number(text) {
        "; write numbers without quotes"
    } else if text.matches(',').count() == 1 && number(&text.replace(',', ".")) {
        "; write decimals with a point and without quotes, as 0.05"
    } else if text.contains(|c: char| c.is_ascii_digit()) {
        "; compare numbers before a filter such as `percent` or `fixed` turns them into text"
    } else {
        ""
    }
}

/// Checks that a value, and each item if it is a list, was measured and is finite, and that a list does not mix
/// numbers, texts and truth values. `name` is the value's expression. Takes the steps of the check from those that are left.
pub(super) fn complete(value: &Value, name: &str, left: &mut u64) -> Result<(), Stop> {
    complete_within(value, Name { text: name, of: None }, left)
}

/// The expression of a value, or its place in the list that is `of`: written out only for a message, because a list may have a
/// hundred thousand items.
#[derive(Clone, Copy)]
struct Name<'a> {
    text: &'a str,
    of: Option<(&'a Name<'a>, usize)>,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.of {
            Some((list, i)) => write!(f, "{list}[{i}]"),
            None => f.write_str(self.text),
        }
    }
}

/// Takes steps from those that are left.
fn spend(left: &mut u64, steps: u64) -> Result<(), Stop> {
    *left = left.checked_sub(steps).ok_or_else(Stop::too_long)?;
    Ok(())
}

fn complete_within(value: &Value, name: Name, left: &mut u64) -> Result<(), Stop> {
    spend(left, text_steps(value))?;
    match OperandKind::of(value) {
        // minijinja's filters pass on their errors as invalid values.
        OperandKind::Missing if value.kind() == ValueKind::Invalid => Err(Stop::NoValue(format!("`{name}`: {value}"))),
        OperandKind::Missing => Err(Stop::not_measured(name.to_string(), "")),
        OperandKind::Number if !is_finite(value) => Err(Stop::NoValue(format!("`{name}` is not a finite number"))),
        OperandKind::List => {
            let mut first: Option<Value> = None;
            for (i, item) in value.try_iter()?.enumerate() {
                spend(left, 1)?;
                complete_within(&item, Name { text: name.text, of: Some((&name, i)) }, left)?;
                if !OperandKind::of(&item).is_scalar() {
                    continue;
                }
                match &first {
                    Some(first) if OperandKind::of(first) != OperandKind::of(&item) => {
                        let (one, other) = (described(first), described(&item));
                        return Err(Stop::fault(format!("`{name}` lists {one} and {other}{}", number_hint(&item))));
                    }
                    Some(_) => {}
                    None => first = Some(item),
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The steps that reading or making a text takes; 0 for other values.
pub(super) fn text_steps(value: &Value) -> u64 {
    if OperandKind::of(value) == OperandKind::Text { value.len().unwrap_or(0) as u64 / 64 } else { 0 }
}

/// The items of a list; 0 for other values.
pub(super) fn items(value: &Value) -> u64 {
    if OperandKind::of(value) == OperandKind::List { value.len().unwrap_or(0) as u64 } else { 0 }
}

/// The items of a list or the names of a group; 0 for other values.
pub(super) fn members(value: &Value) -> u64 {
    if matches!(OperandKind::of(value), OperandKind::List | OperandKind::Map) {
        value.len().unwrap_or(0) as u64
    } else {
        0
    }
}

/// A number that is not a whole one by its type.
pub(super) fn fraction(value: &Value) -> Option<f64> {
    let is_fraction = OperandKind::of(value) == OperandKind::Number && !value.is_integer();
    f64::try_from(value.clone()).ok().filter(|_| is_fraction)
}

/// Whether a list has groups of values in it, at any depth.
pub(super) fn has_groups(value: &Value) -> bool {
    match OperandKind::of(value) {
        OperandKind::Map => true,
        OperandKind::List => value.try_iter().is_ok_and(|mut items| items.any(|item| has_groups(&item))),
        _ => false,
    }
}

fn is_finite(value: &Value) -> bool {
    value.is_integer() || f64::try_from(value.clone()).is_ok_and(f64::is_finite)
}

/// The value as true or false; `text` is its expression.
pub(super) fn truth(value: &Value, text: &str) -> Result<bool, Stop> {
    match OperandKind::of(value) {
        OperandKind::Bool => Ok(value.is_true()),
        _ => Err(Stop::fault(format!("`{text}` must be true or false, but is {}", described(value)))),
    }
}

/// Checks that a value is a number; `text` is its expression.
pub(super) fn number(value: &Value, text: &str) -> Result<(), Stop> {
    match OperandKind::of(value) {
        OperandKind::Number => Ok(()),
        _ => Err(Stop::fault(format!("`{text}` must be a number, but is {}{}", described(value), number_hint(value)))),
    }
}

/// Compares two values of one kind. `text` is the comparison as the study writes it.
pub(super) fn compare(op: CompareOpKind, a: &Value, b: &Value, text: &str) -> Result<bool, Stop> {
    let differ = |a: &Value, b: &Value| {
        let hint = if OperandKind::of(a) == OperandKind::Text { number_hint(a) } else { number_hint(b) };
        Err(Stop::fault(format!("`{text}` compares {} with {}{hint}", described(a), described(b))))
    };
    match op {
        CompareOpKind::Eq | CompareOpKind::Ne => match first_difference_of_kinds(a, b)? {
            Some((a, b)) => differ(&a, &b),
            None if has_groups(a) || has_groups(b) => {
                Err(Stop::fault(format!("`{text}` compares groups of values; compare single values")))
            }
            None => Ok(equal(a, b)? == matches!(op, CompareOpKind::Eq)),
        },
        CompareOpKind::In | CompareOpKind::NotIn => {
            let found = contains(b, a, text)?;
            Ok(found == matches!(op, CompareOpKind::In))
        }
        _ if OperandKind::of(a) != OperandKind::of(b) => differ(a, b),
        _ if OperandKind::of(a) != OperandKind::Number => {
            let what = described(a);
            Err(Stop::fault(format!("`{text}` orders {what}; only numbers have an order{}", number_hint(a))))
        }
        CompareOpKind::Lt => Ok(a < b),
        CompareOpKind::Lte => Ok(a <= b),
        CompareOpKind::Gt => Ok(a > b),
        CompareOpKind::Gte => Ok(a >= b),
    }
}

/// The first two values at the same place whose kinds differ.
fn first_difference_of_kinds(a: &Value, b: &Value) -> Result<Option<(Value, Value)>, Stop> {
    if OperandKind::of(a) != OperandKind::of(b) {
        return Ok(Some((a.clone(), b.clone())));
    }
    if OperandKind::of(a) == OperandKind::List {
        for (a, b) in a.try_iter()?.zip(b.try_iter()?) {
            if let Some(different) = first_difference_of_kinds(&a, &b)? {
                return Ok(Some(different));
            }
        }
    }
    Ok(None)
}

/// Equality of values of the same kinds. Lists are equal if their items are; minijinja's own equality distinguishes
/// lists, tuples and iterators.
fn equal(a: &Value, b: &Value) -> Result<bool, Stop> {
    if OperandKind::of(a) != OperandKind::List {
        return Ok(a == b);
    }
    let (a, b): (Vec<Value>, Vec<Value>) = (a.try_iter()?.collect(), b.try_iter()?.collect());
    if a.len() != b.len() {
        return Ok(false);
    }
    a.iter().zip(&b).try_fold(true, |all, (a, b)| Ok(equal(a, b)? && all))
}

fn contains(container: &Value, item: &Value, text: &str) -> Result<bool, Stop> {
    match OperandKind::of(container) {
        OperandKind::List => {
            let mut found = false;
            for other in container.try_iter()? {
                found |= compare(CompareOpKind::Eq, item, &other, text)?;
            }
            Ok(found)
        }
        OperandKind::Text if OperandKind::of(item) == OperandKind::Text => {
            Ok(container.as_str().unwrap_or_default().contains(item.as_str().unwrap_or_default()))
        }
        _ => Err(Stop::fault(format!("`{text}` looks for {} in {}", described(item), described(container)))),
    }
}

/// The comparison that a binary operator stands for; `None` for other operators.
pub(super) fn as_comparison(op: BinOpKind) -> Option<CompareOpKind> {
    Some(match op {
        BinOpKind::Eq => CompareOpKind::Eq,
        BinOpKind::Ne => CompareOpKind::Ne,
        BinOpKind::Lt => CompareOpKind::Lt,
        BinOpKind::Lte => CompareOpKind::Lte,
        BinOpKind::Gt => CompareOpKind::Gt,
        BinOpKind::Gte => CompareOpKind::Gte,
        BinOpKind::In => CompareOpKind::In,
        _ => return None,
    })
}

/// Calculates with two numbers. minijinja does the arithmetic: whole numbers stay whole, except in `/`.
pub(super) fn arithmetic(env: &Environment, op: BinOpKind, a: &Value, b: &Value, text: &str) -> Result<Value, Stop> {
    for value in [a, b] {
        if OperandKind::of(value) != OperandKind::Number {
            let join = if matches!(op, BinOpKind::Add) && OperandKind::of(value) == OperandKind::Text {
                "; `~` joins texts"
            } else {
                ""
            };
            let hint = number_hint(value);
            return Err(Stop::fault(format!("`{text}` calculates with {}{join}{hint}", described(value))));
        }
    }
    let expression = match op {
        BinOpKind::Add => "a + b",
        BinOpKind::Sub => "a - b",
        BinOpKind::Mul => "a * b",
        BinOpKind::Div => "a / b",
        BinOpKind::FloorDiv => "a // b",
        BinOpKind::Rem => "a % b",
        _ => "a ** b",
    };
    let value = apply(env, expression, context! { a, b }).ok().filter(is_finite);
    value.ok_or_else(|| Stop::NoValue(format!("`{text}` is not a finite number")))
}

/// Joins two values into one text, as `~` does.
pub(super) fn joined(a: &Value, b: &Value, text: &str) -> Result<Value, Stop> {
    for value in [a, b] {
        if !matches!(OperandKind::of(value), OperandKind::Text | OperandKind::Number | OperandKind::Bool) {
            return Err(Stop::fault(format!(
                "`{text}` joins {}; only text and numbers can be joined",
                described(value)
            )));
        }
    }
    let joined = format!("{a}{b}");
    if joined.len() > MAX_TEXT {
        return Err(Stop::fault(format!("`{text}` makes a text of more than {MAX_TEXT} bytes")));
    }
    Ok(Value::from(joined))
}

/// Evaluates a fixed expression with minijinja's own operators.
pub(super) fn apply(env: &Environment, expression: &str, values: Value) -> Result<Value, Stop> {
    Ok(env.compile_expression(expression)?.eval(values)?)
}
