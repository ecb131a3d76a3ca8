//! The minijinja environments of a study's expressions and sentences: their filters, and what they do with a value that was
//! not measured.

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::text::{Lang, numbers};

/// Steps that an expression or sentence may take, so that no study keeps a grader's machine busy. The longest real sentence
/// needs a few hundred.
const FUEL: u64 = 100_000;

/// What is printed in place of a number that was not measured.
fn absent(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "(not measured)",
        Lang::Uk => "(не виміряно)",
    }
}

/// The environment of sentences, which print that a value was not measured.
pub(super) fn of_sentences(lang: Lang) -> Environment<'static> {
    let mut env = of_expressions(lang);
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env
}

/// The environment of expressions. They fail on a value that was not measured; otherwise `undefined < 0.2` would give true or
/// false without a warning. Filters write numbers as the study's language does.
pub(super) fn of_expressions(lang: Lang) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    let form = numbers::Form::of(lang);
    env.add_filter("fixed", move |x: Value, decimals: usize| number_text(&x, lang, |x| form.fixed(x, decimals)));
    env.add_filter("percent", move |x: Value, decimals: usize| number_text(&x, lang, |x| form.percent(x, decimals)));
    env.add_filter("points", move |x: Value, decimals: usize| number_text(&x, lang, |x| form.points(x, decimals)));
    env.add_filter("count", move |x: Value| number_text(&x, lang, |x| form.count(x as u64)));
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
    env
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

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn number_text(x: &Value, lang: Lang, form: impl Fn(f64) -> String) -> String {
    f64::try_from(x.clone()).map_or_else(|_| absent(lang).to_owned(), form)
}

fn number_list(list: &Value) -> Result<Vec<f64>, Error> {
    if list.is_undefined() {
        return Err(invalid("not measured"));
    }
    list.try_iter()?.map(|v| f64::try_from(v).map_err(|_| invalid("a list of numbers is needed"))).collect()
}

fn matrix(m: &Value) -> Result<Vec<Vec<f64>>, Error> {
    if m.is_undefined() {
        return Err(invalid("not measured"));
    }
    m.try_iter()?.map(|row| number_list(&row)).collect()
}

/// Rounds a number, or each number of a list.
fn round_to(x: &Value, decimals: usize) -> Result<Value, Error> {
    let round = |x: f64| numbers::fixed(x, decimals).parse::<f64>().expect("a printed number reads back");
    match f64::try_from(x.clone()) {
        Ok(x) => Ok(Value::from(round(x))),
        Err(_) => Ok(Value::from(number_list(x)?.into_iter().map(round).collect::<Vec<f64>>())),
    }
}
