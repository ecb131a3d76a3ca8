//! Tests of the values of comparisons, which are computed when they are used.

use std::path::Path;

use super::*;
use crate::claims::expression::{Interpreter, Mode, evaluate, render};
use crate::claims::stand_in;
use crate::results::{after_first_epoch, by_epoch};
use crate::study::{Plan, Source};
use crate::text::Lang;

/// Two runs, compared, whose accuracies change from seed to seed and from epoch to epoch.
fn results(seeds: &str, epochs: usize) -> (Source, Results) {
    let yaml = format!(
        "title: t\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
         defaults: {{model: m, epochs: {epochs}, batch_size: 50, optimizer: adam, seeds: {seeds}}}\n\
         runs: {{a: {{}}, b: {{epochs: 4}}}}\ncomparisons: {{c: {{run: a, against: b}}}}\n"
    );
    let source = Source::from_text_in(Path::new("study.yaml"), &yaml, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let mut results = stand_in::results(&source.study, &plan);
    for (r, run) in results.runs.values_mut().enumerate() {
        for (s, seed) in run.seeds.iter_mut().enumerate() {
            for (e, epoch) in seed.epochs.iter_mut().enumerate() {
                epoch.test.correct -= 100 * r + (7 * s + 3 * r * s + 11 * e * s) % 29;
            }
        }
    }
    (source, results)
}

fn epochs(values: &Value) -> Value {
    ["comparisons", "c", "epochs"].iter().fold(values.clone(), |value, key| value.get_attr(key).unwrap())
}

#[test]
fn differences_by_epoch_are_those_that_reports_show() {
    for (seeds, count) in [("[1]", 1), ("[1, 2]", 3), ("[1, 2, 3]", 3), ("[1, 2, 3, 4]", 6)] {
        let (source, results) = results(seeds, count);
        let (a, b) = (&results.runs["a"], &results.runs["b"]);
        let listed: Vec<Value> = epochs(&of(&source.study, &results)).try_iter().unwrap().collect();
        let expected = by_epoch(a, b).into_iter().map(|(epoch, difference, found)| {
            let interval = found.map(|d| d.interval);
            let (lower, upper) = (interval.map(|i| i.lower), interval.map(|i| i.upper));
            Value::from(Serde(GainContext { epoch, difference, lower, upper }))
        });
        assert_eq!(listed, expected.collect::<Vec<Value>>());
        assert_eq!(listed.len(), count.min(4));
        assert_eq!(by_epoch(a, b)[0].2.is_some(), seeds.len() > 6, "an interval needs three seeds");
        let first = by_epoch(a, b)[0].1;
        assert_eq!(after_first_epoch(a, b), (count > 1).then_some(first));
    }
}

#[test]
fn expressions_use_epochs_as_they_use_any_list() {
    let (source, results) = results("[1, 2, 3]", 4);
    let lazy = of(&source.study, &results);
    let listed = Value::from(Serde(serde_json::to_value(&lazy).unwrap()));
    for text in [
        "comparisons.c.epochs|length",
        "comparisons.c.epochs[0].lower",
        "comparisons.c.epochs[-1].difference",
        "comparisons.c.epochs[4].difference",
        "comparisons.c.epochs[1.5].difference",
        "comparisons.c.epochs.difference",
        "comparisons.c.epochs[1:3]",
        "comparisons.c.epochs|first",
        "(comparisons.c.epochs|last).upper",
        "comparisons.c.epochs|reverse|list",
        "comparisons.c.epochs|map(attribute=\"lower\")|max",
        "comparisons.c.epochs|map(attribute=\"difference\")|list",
        "(comparisons.c.epochs|sort(attribute=\"difference\"))[0].epoch",
        "comparisons.c.epochs == comparisons.c.epochs",
        "1 in comparisons.c.epochs|map(attribute=\"epoch\")",
    ] {
        let found = |values: &Value| {
            let interpreter = Interpreter::new(Lang::En, Mode::Decide);
            let value = evaluate(&interpreter, text, values, Mode::Decide).map(|value| value.to_string());
            let sentence = render(&interpreter, &format!("{{{{ {text} }}}}"), values, Mode::Decide);
            (value, sentence)
        };
        assert_eq!(found(&lazy), found(&listed), "{text}");
    }
}

#[test]
fn epochs_are_computed_when_they_are_used() {
    let (source, results) = results("[1, 2, 3]", 4);
    let all = of(&source.study, &results);
    let epochs = epochs(&all);
    let computed = || {
        let gains = epochs.downcast_object_ref::<Gains>().unwrap();
        gains.computed.iter().filter(|epoch| epoch.get().is_some()).count()
    };
    assert_eq!(computed(), 0);
    epochs.get_item_by_index(2).unwrap();
    assert_eq!((epochs.len(), computed()), (Some(4), 1));
}
