//! Evaluates a study's expressions and sentences.
//!
//! They are written in Jinja's syntax; minijinja parses them and provides most filters. minijinja's own `<` accepts any
//! two values, even text and a missing value, so a careless condition could decide a conclusion by accident. Here the
//! operators are typed:
//!
//! - An expression that uses a value that was not measured has no value.
//! - Both sides of `and` and `or` are evaluated, so a missing value on one side counts whatever the other side is.
//! - `+`, `-`, `*`, `/`, `//`, `%`, `**`, `<`, `<=`, `>` and `>=` take numbers.
//! - `==`, `!=` and `in` take values of one kind. Two lists are equal if their items are.
//! - `and`, `or`, `not` and conditions take true or false.
//! - An expression whose result is not a finite number, such as a division by zero, has no value.

mod evaluator;
mod functions;
mod names;
mod operators;
mod paths;
mod sentence;

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, machinery};

pub(super) use functions::environment;

use evaluator::Evaluator;

/// The most steps that an expression or sentence may take, so that a study cannot keep a grader's machine busy. The
/// longest real sentence needs a few hundred.
const MAX_STEPS: u64 = 100_000;

/// The longest text that an expression or sentence may produce, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Why an expression or sentence has no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// Values that were not measured, as the study writes them, each with what to do about it.
    NotMeasured(BTreeMap<String, String>),
    /// A result that is not a value, such as a division by zero.
    NoValue(String),
    /// A mistake in the study, such as a comparison of text with a number.
    Fault(String),
}

impl Stop {
    fn not_measured(name: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotMeasured(BTreeMap::from([(name.into(), hint.into())]))
    }

    fn fault(message: impl Into<String>) -> Self {
        Self::Fault(message.into())
    }

    /// The reason that two operands have no value. A mistake hides missing values; the missing values of both operands
    /// are listed together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotMeasured(mut names), Self::NotMeasured(more)) => {
                names.extend(more);
                Self::NotMeasured(names)
            }
            (fault @ Self::Fault(_), _) | (_, fault @ Self::Fault(_)) => fault,
            (missing @ Self::NotMeasured(_), _) | (_, missing) => missing,
        }
    }

    /// The reason as part of a message.
    pub(super) fn message(&self) -> String {
        match self {
            Self::NotMeasured(names) => {
                let part = |(name, hint): (&String, &String)| {
                    let hint = if hint.is_empty() { String::new() } else { format!(": {hint}") };
                    format!("`{name}` was not measured{hint}")
                };
                names.iter().map(part).collect::<Vec<_>>().join("; ")
            }
            Self::NoValue(message) | Self::Fault(message) => message.clone(),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        match error.kind() {
            ErrorKind::UndefinedError => Self::not_measured(message, ""),
            ErrorKind::OutOfFuel => Self::fault(format!("takes more than {MAX_STEPS} steps")),
            _ => Self::fault(message),
        }
    }
}

/// Both values, or why there are none.
fn both<A, B>(a: Result<A, Stop>, b: Result<B, Stop>) -> Result<(A, B), Stop> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(stop), _) | (_, Err(stop)) => Err(stop),
    }
}

/// How an expression is evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// With measured values.
    Decide,
    /// With stand-ins before training, to find mistakes: branches that are not taken are evaluated as well.
    Check,
}

/// Evaluates an expression.
pub(super) fn evaluate(env: &Environment<'static>, text: &str, values: &Value, mode: Mode) -> Result<Value, Stop> {
    let expression = machinery::parse_expr(text)?;
    let mut evaluator = Evaluator::new(env, text, values, mode);
    let value = evaluator.value(&expression)?;
    operators::complete(&value, text)?;
    Ok(value)
}

/// Evaluates an expression that must be true or false.
pub(super) fn holds(env: &Environment<'static>, text: &str, values: &Value, mode: Mode) -> Result<bool, Stop> {
    let value = evaluate(env, text, values, mode)?;
    operators::truth(&value, text)
}

/// Renders a sentence. Tests such as `is defined` may be used there, to mention a value only if it was measured.
pub(super) fn render(env: &Environment<'static>, text: &str, values: &Value, mode: Mode) -> Result<String, Stop> {
    let template = machinery::parse(text, "sentence", SyntaxConfig::default())?;
    let mut evaluator = Evaluator::new(env, text, values, mode);
    evaluator.in_sentence = true;
    sentence::render(&mut evaluator, &template)
}

#[cfg(test)]
mod tests;
