//! Random expressions.

use minijinja::Value;
use minijinja::value::Serde;
use proptest::prelude::*;
use serde_json::json;

use super::check;
use crate::claims::expression::{Interpreter, Mode, Stop, evaluate};
use crate::text::Lang;

/// An expression as a tree.
#[derive(Clone, Debug)]
enum Tree {
    Number(f64),
    Text(&'static str),
    Bool(bool),
    /// A name of `values`.
    Name(&'static str),
    Negative(Box<Tree>),
    Not(Box<Tree>),
    Both(&'static str, Box<Tree>, Box<Tree>),
    Choice(Box<Tree>, Box<Tree>, Box<Tree>),
    Chain(Box<Tree>, Box<Tree>, Box<Tree>),
    List(Vec<Tree>),
    Printed(Box<Tree>),
}

/// The value of a tree, or why it has none. A mistake hides missing values, which hide a division by zero.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Number(f64),
    Text(String),
    Bool(bool),
    List(Vec<Outcome>),
    NoValue,
    NotMeasured,
    Fault,
}

impl Outcome {
    fn failure(&self) -> Option<u8> {
        match self {
            Self::Fault => Some(0),
            Self::NotMeasured => Some(1),
            Self::NoValue => Some(2),
            _ => None,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            _ => 3,
        }
    }

    /// Whether two values may be tested for equality: they and all their items are of the same kinds.
    fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.iter().zip(b).all(|(a, b)| a.comparable(b)),
            _ => self.kind() == other.kind(),
        }
    }

    /// The value as an operand: a list that mixes numbers, texts and truth values is a mistake.
    fn complete(self) -> Self {
        match &self {
            Self::List(items) => {
                let inner: Vec<Self> = items.iter().map(|i| i.clone().complete()).collect();
                let scalars: Vec<u8> = items.iter().map(Self::kind).filter(|kind| *kind < 3).collect();
                let fault = inner.contains(&Self::Fault) || scalars.iter().any(|kind| *kind != scalars[0]);
                if fault { Self::Fault } else { self }
            }
            _ => self,
        }
    }
}

/// The first failure of several outcomes, by importance.
fn worst(outcomes: &[&Outcome]) -> Option<Outcome> {
    outcomes.iter().filter(|o| o.failure().is_some()).min_by_key(|o| o.failure()).map(|o| (*o).clone())
}

fn number(x: f64) -> Outcome {
    if x.is_finite() { Outcome::Number(x) } else { Outcome::NoValue }
}

fn binary(op: &str, a: Outcome, b: Outcome) -> Outcome {
    use Outcome::*;
    if let "and" | "or" = op {
        let truth = |o: Outcome| if matches!(o, Bool(_)) || o.failure().is_some() { o } else { Fault };
        let (a, b) = (truth(a), truth(b));
        return match (&a, &b) {
            (Bool(x), Bool(y)) => Bool(if op == "and" { *x && *y } else { *x || *y }),
            _ => worst(&[&a, &b]).unwrap(),
        };
    }
    let (a, b) = (a.complete(), b.complete());
    if let Some(failure) = worst(&[&a, &b]) {
        return failure;
    }
    match (op, &a, &b) {
        ("==" | "!=", a, b) if a.comparable(b) => Bool((a == b) == (op == "==")),
        ("<", Number(x), Number(y)) => Bool(x < y),
        ("<=", Number(x), Number(y)) => Bool(x <= y),
        (">", Number(x), Number(y)) => Bool(x > y),
        (">=", Number(x), Number(y)) => Bool(x >= y),
        ("+", Number(x), Number(y)) => number(x + y),
        ("-", Number(x), Number(y)) => number(x - y),
        ("*", Number(x), Number(y)) => number(x * y),
        ("/", Number(x), Number(y)) => number(x / y),
        ("in", item, List(items)) if items.iter().all(|i| i.comparable(item)) => Bool(items.contains(item)),
        ("in", Text(part), Text(text)) => Bool(text.contains(part.as_str())),
        _ => Fault,
    }
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::Number(x) => format!("{x:?}"),
            Self::Text(text) => format!("\"{text}\""),
            Self::Bool(value) => value.to_string(),
            Self::Name(name) => format!("values.{name}"),
            Self::Negative(a) => format!("(-({}))", a.text()),
            Self::Not(a) => format!("(not ({}))", a.text()),
            Self::Both(op, a, b) => format!("({} {op} {})", a.text(), b.text()),
            Self::Choice(c, a, b) => format!("({} if {} else {})", a.text(), c.text(), b.text()),
            Self::Chain(a, b, c) => format!("(({}) < ({}) <= ({}))", a.text(), b.text(), c.text()),
            Self::List(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(", ")),
            Self::Printed(a) => format!("(({})|fixed(2))", a.text()),
        }
    }

    fn outcome(&self) -> Outcome {
        use Outcome::*;
        match self {
            Self::Number(x) => Number(*x),
            Self::Text(text) => Text((*text).to_owned()),
            Self::Bool(value) => Bool(*value),
            Self::Name("half") => Number(0.5),
            Self::Name("three") => Number(3.0),
            Self::Name("comma") => Text("0,5".to_owned()),
            Self::Name("pair") => List(vec![Number(1.0), Number(2.0)]),
            Self::Name(_) => NotMeasured,
            Self::Negative(a) => match a.outcome() {
                Number(x) => Number(-x),
                failure if failure.failure().is_some() => failure,
                _ => Fault,
            },
            Self::Not(a) => match a.outcome() {
                Bool(x) => Bool(!x),
                failure if failure.failure().is_some() => failure,
                _ => Fault,
            },
            Self::Both(op, a, b) => binary(op, a.outcome(), b.outcome()),
            Self::Choice(c, a, b) => match c.outcome() {
                Bool(true) => a.outcome(),
                Bool(false) => b.outcome(),
                failure if failure.failure().is_some() => failure,
                _ => Fault,
            },
            Self::Chain(a, b, c) => {
                let values = [a, b, c].map(|tree| tree.outcome().complete());
                match (&values, worst(&values.each_ref())) {
                    (_, Some(failure)) => failure,
                    ([Number(a), Number(b), Number(c)], None) => Bool(a < b && b <= c),
                    _ => Fault,
                }
            }
            Self::List(items) => {
                let values: Vec<Outcome> = items.iter().map(Self::outcome).collect();
                worst(&values.iter().collect::<Vec<_>>()).unwrap_or(List(values))
            }
            Self::Printed(a) => match a.outcome().complete() {
                Number(x) => Text(format!("{x:.2}").replace('-', "\u{2212}").replace("\u{2212}0.00", "0.00")),
                failure if failure.failure().is_some() => failure,
                _ => Fault,
            },
        }
    }
}

const OPERATORS: [&str; 13] = ["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "and", "or", "in"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const CALCULATIONS: [&str; 4] = ["+", "-", "*", "/"];

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => (-8i32..8).prop_map(|n| Tree::Number(f64::from(n).abs() / 2.0)),
        1 => prop_oneof![Just("0.5"), Just("0,5"), Just("b")].prop_map(Tree::Text),
        1 => any::<bool>().prop_map(Tree::Bool),
        3 => prop_oneof![Just("half"), Just("three"), Just("comma"), Just("pair"), Just("null"), Just("absent")]
            .prop_map(Tree::Name),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        let three =
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| (Box::new(a), Box::new(b), Box::new(c)));
        prop_oneof![
            8 => (proptest::sample::select(OPERATORS.to_vec()), two).prop_map(|(op, (a, b))| Tree::Both(op, a, b)),
            1 => inner.clone().prop_map(|a| Tree::Negative(Box::new(a))),
            1 => inner.clone().prop_map(|a| Tree::Not(Box::new(a))),
            1 => three.clone().prop_map(|(a, b, c)| Tree::Choice(a, b, c)),
            1 => three.prop_map(|(a, b, c)| Tree::Chain(a, b, c)),
            1 => proptest::collection::vec(inner.clone(), 1..3).prop_map(Tree::List),
            1 => inner.prop_map(|a| Tree::Printed(Box::new(a))),
        ]
    })
}

/// Trees of numbers and of conditions on them, most of which have a value.
fn typed_trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        12 => (0i32..8).prop_map(|n| Tree::Number(f64::from(n) / 2.0)),
        6 => prop_oneof![Just("half"), Just("three")].prop_map(Tree::Name),
        1 => prop_oneof![Just("null"), Just("absent"), Just("comma")].prop_map(Tree::Name),
    ];
    let numbers = leaf.prop_recursive(3, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        prop_oneof![
            4 => (proptest::sample::select(CALCULATIONS.to_vec()), two).prop_map(|(op, (a, b))| Tree::Both(op, a, b)),
            1 => inner.prop_map(|a| Tree::Negative(Box::new(a))),
        ]
    });
    let n = numbers.clone().prop_map(Box::new);
    let comparison = prop_oneof![
        4 => (proptest::sample::select(COMPARISONS.to_vec()), n.clone(), n.clone())
            .prop_map(|(op, a, b)| Tree::Both(op, a, b)),
        1 => (n.clone(), n.clone(), n).prop_map(|(a, b, c)| Tree::Chain(a, b, c)),
    ];
    let conditions = comparison.prop_recursive(2, 6, 2, |inner| {
        let two = (inner.clone(), inner.clone()).prop_map(|(a, b)| (Box::new(a), Box::new(b)));
        prop_oneof![
            4 => (proptest::sample::select(vec!["and", "or"]), two).prop_map(|(op, (a, b))| Tree::Both(op, a, b)),
            1 => inner.prop_map(|a| Tree::Not(Box::new(a))),
        ]
    });
    prop_oneof![1 => numbers, 2 => conditions]
}

/// Converts a value that the program computed.
fn read(value: &serde_json::Value) -> Outcome {
    match value {
        serde_json::Value::Number(n) => Outcome::Number(n.as_f64().unwrap()),
        serde_json::Value::String(text) => Outcome::Text(text.clone()),
        serde_json::Value::Bool(value) => Outcome::Bool(*value),
        serde_json::Value::Array(items) => Outcome::List(items.iter().map(read).collect()),
        other => panic!("{other}"),
    }
}

#[test]
fn expressions_agree_with_a_second_implementation() {
    let values = json!({"values": {"half": 0.5, "three": 3, "comma": "0,5", "pair": [1, 2], "null": null}});
    let values = Value::from(Serde(values));
    let kinds = std::cell::RefCell::new(std::collections::BTreeMap::<String, u32>::new());
    check(&prop_oneof![1 => trees(), 1 => typed_trees()], |tree| {
        let text = tree.text();
        // All expressions of one interpreter share a budget of steps.
        let interpreter = Interpreter::new(Lang::En, Mode::Decide);
        let found = match evaluate(&interpreter, &text, &values, Mode::Decide) {
            Ok(value) => read(&serde_json::to_value(&value).unwrap()),
            Err(Stop::Fault(_)) => Outcome::Fault,
            Err(Stop::NotMeasured(names)) => {
                prop_assert!(names.keys().all(|n| n == "values.null" || n == "values.absent"), "{text}: {names:?}");
                Outcome::NotMeasured
            }
            Err(Stop::NoValue(_)) => Outcome::NoValue,
        };
        let kind = format!("{found:?}").split('(').next().unwrap_or_default().to_owned();
        *kinds.borrow_mut().entry(kind).or_default() += 1;
        prop_assert_eq!(&found, &tree.outcome().complete(), "{}", text);
        Ok(())
    });
    let kinds = kinds.into_inner();
    for kind in ["Number", "Text", "Bool", "List", "Fault", "NotMeasured", "NoValue"] {
        assert!(kinds.get(kind).is_some_and(|n| *n > 1000), "too few of {kind}: {kinds:?}");
    }
}
