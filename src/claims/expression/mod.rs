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

mod cost;
mod evaluator;
mod functions;
mod names;
mod operators;
mod paths;
mod sentence;

use std::cell::Cell;
use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, machinery};

use evaluator::Evaluator;

use crate::text::Lang;
use crate::text::closest::looks_latin;
use crate::text::numbers::NumberFormat;

/// The most steps that an expression or sentence may take, so that a study cannot keep a grader's machine busy. The
/// longest real sentence needs a few hundred.
const MAX_STEPS: u64 = 100_000;

/// The most steps of all expressions and sentences of a study together, each time that it is judged.
const MAX_TOTAL_STEPS: u64 = 4_000_000;

/// Bytes of an expression that are parsed in a step. Parts that are never evaluated take only these steps.
const EXPRESSION_OF_STEP: usize = 2;

/// The same of a sentence, most of which is text.
const SENTENCE_OF_STEP: usize = 16;

/// The longest text that an expression or sentence may produce, in bytes.
const MAX_TEXT: usize = 1 << 16;

/// The most bytes that all sentences of a study may print together.
const MAX_TOTAL_TEXT: usize = 1 << 20;

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

    fn too_long() -> Self {
        Self::fault(format!("takes more than {MAX_STEPS} steps"))
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
            ErrorKind::OutOfFuel => Self::too_long(),
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

/// What the expressions of a study may use, and how much all of them together have used.
pub(super) struct Interpreter {
    env: Environment<'static>,
    /// How a sentence prints a number that has no filter.
    format: NumberFormat,
    steps: Cell<u64>,
    printed: Cell<usize>,
}

impl Interpreter {
    /// For a study's expressions in one of its languages.
    pub(super) fn new(lang: Lang, mode: Mode) -> Self {
        let format = NumberFormat::of(lang);
        Self { env: functions::environment(lang, mode), format, steps: Cell::new(0), printed: Cell::new(0) }
    }

    fn left(&self) -> u64 {
        MAX_TOTAL_STEPS.saturating_sub(self.steps.get())
    }

    fn spend(&self, steps: u64) -> Result<(), Stop> {
        self.steps.set(self.steps.get().saturating_add(steps));
        if self.steps.get() > MAX_TOTAL_STEPS {
            return Err(Stop::fault(format!("all expressions together take more than {MAX_TOTAL_STEPS} steps")));
        }
        Ok(())
    }

    fn print(&self, bytes: usize) -> Result<(), Stop> {
        self.printed.set(self.printed.get() + bytes);
        if self.printed.get() > MAX_TOTAL_TEXT {
            return Err(Stop::fault(format!("all sentences together print more than {MAX_TOTAL_TEXT} bytes")));
        }
        Ok(())
    }
}

/// Evaluates an expression.
pub(super) fn evaluate(interpreter: &Interpreter, text: &str, values: &Value, mode: Mode) -> Result<Value, Stop> {
    interpreter.spend(steps_to_parse(text, EXPRESSION_OF_STEP))?;
    let expression = machinery::parse_expr(text).map_err(|e| mistyped(e, text))?;
    let mut evaluator = Evaluator::new(interpreter, text, values, mode);
    let value = evaluator.value(&expression)?;
    evaluator.check_complete(&value, text)?;
    Ok(value)
}

/// Evaluates an expression that must be true or false.
pub(super) fn holds(interpreter: &Interpreter, text: &str, values: &Value, mode: Mode) -> Result<bool, Stop> {
    let value = evaluate(interpreter, text, values, mode)?;
    operators::truth(&value, text)
}

/// Renders a sentence. Tests such as `is defined` may be used there, to mention a value only if it was measured.
pub(super) fn render(interpreter: &Interpreter, text: &str, values: &Value, mode: Mode) -> Result<String, Stop> {
    interpreter.spend(steps_to_parse(text, SENTENCE_OF_STEP))?;
    let template = machinery::parse(text, "sentence", SyntaxConfig::default()).map_err(|e| mistyped(e, text))?;
    let mut evaluator = Evaluator::new(interpreter, text, values, mode);
    evaluator.in_sentence = true;
    let printed = sentence::render(&mut evaluator, &template)?;
    interpreter.print(printed.len())?;
    Ok(printed)
}

/// A thousand claims may share one long text, and each is parsed again for every set of values.
fn steps_to_parse(text: &str, of_step: usize) -> u64 {
    1 + (text.len() / of_step) as u64
}

/// Why an expression or sentence is not one, with what is probably wrong.
fn mistyped(error: Error, text: &str) -> Stop {
    let has_comma = |part: &str| {
        let comma = |at: usize| {
            let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            digit(part[..at].chars().next_back()) && digit(part[at + 1..].chars().next())
        };
        part.match_indices(',').any(|(at, _)| comma(at))
    };
    let in_braces = |part: &str| part.split_once(['}']).is_some_and(|(inside, _)| has_comma(inside));
    let decimal_comma = if is_sentence(text) { text.split('{').skip(1).any(in_braces) } else { has_comma(text) };
    match Stop::from(error) {
        Stop::Fault(message) if decimal_comma => Stop::fault(format!("{message}; write decimals with a point, 0.5")),
        Stop::Fault(message) if message.starts_with("unexpected character") => {
            Stop::fault(format!("{message}{}", letters_that_look_latin(text).unwrap_or_default()))
        }
        stop => stop,
    }
}

/// `; the ... that you typed ...`, if a name in an expression, or in the braces of a sentence, has letters that only look Latin.
pub(super) fn letters_that_look_latin(text: &str) -> Option<String> {
    let parts = text.split("{{").skip(usize::from(is_sentence(text))).filter_map(|part| part.split("}}").next());
    let mut words = parts.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.find_map(looks_latin)
}

fn is_sentence(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

#[cfg(test)]
mod tests;
