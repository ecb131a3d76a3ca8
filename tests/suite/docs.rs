//! Compares docs/study.md with the code: it must list every key with its default and range.

use std::collections::BTreeMap;
use std::path::Path;

use mnist_report::model::LayerKind;
use mnist_report::study::{Optimizer, Plan, Schedule, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::support::*;

fn guide() -> String {
    std::fs::read_to_string(root().join("docs/study.md")).unwrap()
}

/// The rows of the first table after a heading, without its head: their cells.
pub fn table(heading: &str) -> Vec<Vec<String>> {
    let guide = guide();
    let start = guide.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    let lines = guide[start + 1..].lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The texts in backticks in a cell.
pub fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The settings in a cell such as "`lr`; `momentum` 0, `betas` [0.9, 0.999]": each key with its default, `None` if it
/// is required.
fn settings(cell: &str) -> BTreeMap<String, Option<String>> {
    let parts = cell.split('`').collect::<Vec<_>>();
    let keys = parts.iter().skip(1).step_by(2);
    let defaults =
        parts.iter().skip(2).step_by(2).map(|text| text.trim().trim_end_matches([',', ';']).trim().to_owned());
    keys.map(|key| (*key).to_owned()).zip(defaults.map(|text| (!text.is_empty()).then_some(text))).collect()
}

/// The settings of a configuration in the code: each key with its default, `None` if it is required.
fn in_code<T: DeserializeOwned + Serialize>(word: &str) -> BTreeMap<String, Option<Value>> {
    let mut required = Map::new();
    loop {
        let message = match serde_json::from_value::<T>(json!({word: &required})) {
            Ok(read) => {
                let written = serde_json::to_value(&read).unwrap();
                let all = written[word].as_object().unwrap().clone();
                let default = |key: &String, value: Value| (!required.contains_key(key)).then_some(value);
                return all.into_iter().map(|(key, value)| (key.clone(), default(&key, value))).collect();
            }
            Err(e) => e.to_string(),
        };
        let key = message.split('`').nth(1).unwrap_or_else(|| panic!("{word}: {message}"));
        assert!(
            required.insert(key.to_owned(), if key == "layers" { json!([]) } else { 2.into() }).is_none(),
            "{word}: {message}"
        );
    }
}

/// Keys that are written only if they have another value than the default, which is given here.
const UNWRITTEN: [(&str, &str, usize); 1] = [("conv2d", "dilation", 1)];

/// Asserts that a table lists every word with every key and its default. `unlisted` is a key that the guide explains
/// outside the table.
fn is_complete<T: DeserializeOwned + Serialize>(heading: &str, all: &[&str], unlisted: &str) {
    let mut listed = Vec::new();
    for row in table(heading) {
        let stated = settings(&row[1]);
        for word in words(row[0].split(" (").next().unwrap()) {
            listed.push(word.to_owned());
            let mut expected = in_code::<T>(word);
            expected.remove(unlisted);
            let unwritten = UNWRITTEN.iter().filter(|(of, ..)| *of == word);
            expected.extend(unwritten.map(|(_, key, default)| ((*key).to_owned(), Some((*default).into()))));
            assert_eq!(stated.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{word}");
            for (key, default) in expected {
                let text = stated[&key].as_deref();
                match default {
                    None => assert_eq!(text, None, "{word}.{key} is required"),
                    Some(Value::Null) => assert_eq!(text, Some("equal to the kernel size"), "{word}.{key}"),
                    Some(value) => same(&value, text.unwrap_or_default(), &format!("{word}.{key}")),
                }
            }
        }
    }
    assert_eq!(listed, all, "the table after `{heading}`");
}

/// Asserts that a value in the guide is the value in the code.
#[track_caller]
fn same(value: &Value, text: &str, what: &str) {
    let fraction = |(a, b): (&str, &str)| Some(json!(a.parse::<f64>().ok()? / b.parse::<f64>().ok()?));
    let stated = serde_json::from_str(text).ok().or_else(|| text.split_once('/').and_then(fraction));
    let stated: Value = stated.unwrap_or_else(|| text.into());
    let equal = match (value.as_f64(), stated.as_f64()) {
        (Some(a), Some(b)) => a == b,
        // A choice without settings.
        _ if *value == json!({text: {}}) => true,
        _ => *value == stated,
    };
    assert!(equal, "{what}: the guide says {text}, the code {value}");
}

#[test]
fn every_layer_optimizer_and_schedule_is_in_the_guide_with_its_defaults() {
    let sorted = |heading: &str, words: &[&str]| {
        // The guide may list words in another order than the code.
        let listed: Vec<String> = table(heading)
            .iter()
            .flat_map(|row| {
                self::words(row[0].split(" (").next().unwrap()).iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()
            })
            .collect();
        let mut order: Vec<&str> = words.to_vec();
        order.sort_by_key(|word| listed.iter().position(|l| l == word));
        order.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    for (heading, words, check) in [
        ("## Models", LayerKind::WORDS, is_complete::<LayerKind> as fn(&str, &[&str], &str)),
        ("### Optimizers", Optimizer::WORDS, is_complete::<Optimizer>),
        ("### Schedules", Schedule::WORDS, is_complete::<Schedule>),
    ] {
        let order = sorted(heading, words);
        check(heading, &order.iter().map(String::as_str).collect::<Vec<_>>(), "name");
    }
}

/// A study with only the required keys, as the code reads it.
fn minimal() -> Value {
    let yaml = "title: T\nmodels: {m: {layers: [flatten, linear: {out_features: 10}]}}\n\
                runs: {r: {model: m, epochs: 1, batch_size: 1, optimizer: adam, seeds: [1]}}\n\
                comparisons: {c: {run: r, against: r}}\nsections: [{title: S, runs: [r]}]\n";
    serde_json::to_value(&Source::from_text(Path::new("s.yaml"), yaml).unwrap().study).unwrap()
}

/// The defaults that a table states, by key. A row may have several keys, each with its default.
fn defaults(heading: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for row in table(heading) {
        let keys = words(&row[0]);
        let default = row.last().unwrap().trim_end_matches(" |").replace('`', "");
        for key in &keys {
            all.insert((*key).to_owned(), default.clone());
        }
    }
    all
}

#[test]
fn every_key_of_a_study_is_in_the_guide() {
    let study = minimal();
    let mut top: Vec<String> =
        study.as_object().unwrap().keys().cloned().chain(["extends".into(), "defaults".into()]).collect();
    top.sort();
    assert_eq!(defaults("## Top level").into_keys().collect::<Vec<_>>(), top);
    let run = study["runs"]["r"].as_object().unwrap();
    let train = run["train"].as_object().unwrap().keys().map(|key| format!("train.{key}"));
    let mut keys: Vec<String> = run.keys().filter(|key| *key != "train").cloned().chain(train).collect();
    keys.sort();
    assert_eq!(defaults("## Runs").into_keys().collect::<Vec<_>>(), keys);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(defaults("### compute").into_keys().collect::<std::collections::BTreeSet<_>>(), keys(&study["compute"]));
    assert_eq!(defaults("### Evidence").into_keys().collect::<std::collections::BTreeSet<_>>(), keys(&run["evidence"]));
    let guide = guide();
    for (what, value) in
        [("comparison", &study["comparisons"]["c"]), ("section", &study["sections"][0]), ("input", &study["input"])]
    {
        for key in keys(value) {
            assert!(guide.contains(&format!("{key}:")) || guide.contains(&format!("`{key}`")), "{what}.{key}");
        }
    }
}

#[test]
fn the_defaults_of_a_study_are_those_of_the_guide() {
    let study = minimal();
    let run = &study["runs"]["r"];
    let top = defaults("## Top level");
    assert_eq!(top["lang"], study["lang"].as_str().unwrap());
    let input = &study["input"];
    let [mean, std, shape] = ["mean", "std", "shape"].map(|key| input[key].clone());
    same(&json!([mean, std, shape]), &format!("[{}]", top["input"]), "input");
    for (key, text) in defaults("### compute") {
        same(&study["compute"][&key], &text, &key);
    }
    for (key, text) in defaults("### Evidence") {
        same(&run["evidence"][&key], &text, &key);
    }
    for (key, text) in defaults("## Runs") {
        let value = key.split('.').fold(run, |value, key| &value[key]);
        match &*text {
            "required" | "the run's name" => {}
            "none" => assert!(value.is_null(), "{key}"),
            // A choice without settings is written as a word.
            _ if value.is_object() && key != "evidence" => {
                assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), [&text], "{key}");
            }
            _ if key == "evidence" => {
                assert_eq!(text, format!("{}, {}, {}", value["candidates"], value["keep"], value["last"]));
            }
            _ => same(value, &text, &key),
        }
    }
    for (key, text) in &top {
        let value = &study[key];
        let empty = value.is_null() || *value == json!({}) || *value == json!([]) || *value == json!("");
        // Except keys that the test's study sets, and keys whose default is given in a sentence.
        if text == "none" && !["comparisons", "extends", "defaults"].contains(&key.as_str()) {
            assert!(empty, "{key}: the guide says none, the code {value}");
        }
    }
    let required = |heading: &str| -> Vec<String> {
        defaults(heading)
            .into_iter()
            .filter(|(_, text)| text.starts_with("required") || text.contains("is required"))
            .map(|(key, _)| key)
            .collect()
    };
    assert_eq!(required("## Runs"), ["batch_size", "epochs", "model", "optimizer", "seeds"]);
    assert_eq!(
        required("## Top level"),
        ["description", "models", "runs", "title"],
        "title and description share a cell"
    );
}

/// Settings of a run at the end of a range in the guide, settings just beyond it, and the key that the error must name.
const RANGES: &[(&str, &str, &str)] = &[
    ("epochs: 10000", "epochs: 10001", "epochs"),
    ("epochs: 1", "epochs: 0", "epochs"),
    ("batch_size: 60000", "batch_size: 60001", "batch_size"),
    ("train: {images: {first: 60000}}", "train: {images: {first: 60001}}", "train.images"),
    ("train: {images: {per_class: 5421}}", "train: {images: {per_class: 5422}}", "train.images"),
    ("train: {images: {random: 100}, hold_out: 10}", "train: {images: {per_class: 10}, hold_out: 10}", "hold_out"),
    ("evaluate_every: 8", "evaluate_every: 7", "evaluate_every"),
    ("evidence: {candidates: 256, keep: 256}", "evidence: {candidates: 257}", "candidates"),
    ("evidence: {candidates: 3, keep: 3}", "evidence: {candidates: 3, keep: 4}", "keep"),
    ("optimizer: {sgd: {lr: 0.1, momentum: 1}}", "optimizer: {sgd: {lr: 0.1, momentum: 1.1}}", "momentum"),
    ("optimizer: {sgd: {lr: 0.1, dampening: 0}}", "optimizer: {sgd: {lr: 0.1, dampening: -0.1}}", "dampening"),
    ("optimizer: {sgd: {lr: 1e-9}}", "optimizer: {sgd: {lr: 0}}", "lr"),
    (
        "optimizer: {sgd: {lr: 0.1, momentum: 0.5, nesterov: true}}",
        "optimizer: {sgd: {lr: 0.1, nesterov: true}}",
        "nesterov",
    ),
    ("optimizer: {adam: {betas: [0, 0.9999]}}", "optimizer: {adam: {betas: [0, 1]}}", "betas[1]"),
    ("optimizer: {adam: {weight_decay: 0}}", "optimizer: {adam: {weight_decay: -1}}", "weight_decay"),
    ("optimizer: {adam: {eps: 1e-30}}", "optimizer: {adam: {eps: 0}}", "eps"),
    ("optimizer: {adadelta: {rho: 1}}", "optimizer: {adadelta: {rho: 2}}", "rho"),
    ("optimizer: {rmsprop: {alpha: 1}}", "optimizer: {rmsprop: {alpha: 2}}", "alpha"),
    ("optimizer: {rmsprop: {momentum: 1}}", "optimizer: {rmsprop: {momentum: -0.1}}", "momentum"),
    ("schedule: {step: {step_size: 1}}", "schedule: {step: {step_size: 0}}", "step_size"),
    ("schedule: {step: {step_size: 1, gamma: 2}}", "schedule: {step: {step_size: 1, gamma: 0}}", "gamma"),
    ("schedule: {cosine: {min_lr: 0}}", "schedule: {cosine: {min_lr: -1}}", "min_lr"),
    (
        "schedule: {reduce_on_plateau: {factor: 0.99, threshold: 1}}, train: {hold_out: 10}",
        "schedule: {reduce_on_plateau: {factor: 1}}, train: {hold_out: 10}",
        "factor",
    ),
    (
        "schedule: {reduce_on_plateau: {threshold: 0, min_lr: 0}}, train: {hold_out: 10}",
        "schedule: {reduce_on_plateau: {threshold: 1.1}}, train: {hold_out: 10}",
        "threshold",
    ),
    (
        "schedule: {reduce_on_plateau: {patience: 0}}, train: {hold_out: 10}",
        "schedule: {reduce_on_plateau: {min_lr: -1}}, train: {hold_out: 10}",
        "min_lr",
    ),
    ("schedule: {warmup: {steps: 7499}}", "schedule: {warmup: {steps: 7500}}", "steps"),
    ("schedule: {warmup: {steps: 1}}", "schedule: {warmup: {steps: 0}}", "steps"),
    (
        "schedule: {warmup: {steps: 1, start_factor: 1}}",
        "schedule: {warmup: {steps: 1, start_factor: 1.1}}",
        "start_factor",
    ),
    ("schedule: {one_cycle: {pct_start: 1}}", "schedule: {one_cycle: {pct_start: 1.1}}", "pct_start"),
    ("schedule: {one_cycle: {div_factor: 1}}", "schedule: {one_cycle: {div_factor: 0}}", "div_factor"),
    (
        "optimizer: {adam: {}}, schedule: {one_cycle: {base_momentum: 0}}",
        "optimizer: {adam: {}}, schedule: {one_cycle: {base_momentum: 1}}",
        "base_momentum",
    ),
    (
        "optimizer: {adam: {}}, schedule: {one_cycle: {max_momentum: 0.99}}",
        "optimizer: {adam: {}}, schedule: {one_cycle: {max_momentum: -0.1}}",
        "max_momentum",
    ),
    ("stop_below_train_loss: 1e-9", "stop_below_train_loss: 0", "stop_below_train_loss"),
    ("clip_grad_norm: 1e-9", "clip_grad_norm: 0", "clip_grad_norm"),
    ("clip_grad_value: 1e-9", "clip_grad_value: -1", "clip_grad_value"),
    ("clip_grad_value: 1", "clip_grad_norm: 1, clip_grad_value: 1", "clip_grad_value"),
    ("augment: {shift: 8}", "augment: {shift: 8.1}", "shift"),
    ("augment: {shift: 0}", "augment: {shift: -0.1}", "shift"),
    ("augment: {rotate: 45}", "augment: {rotate: 45.1}", "rotate"),
    ("augment: {rotate: 0}", "augment: {rotate: -0.1}", "rotate"),
    ("label_smoothing: 0.99", "label_smoothing: 1", "label_smoothing"),
    ("label_smoothing: 0", "label_smoothing: -0.1", "label_smoothing"),
];

/// A small study whose run has `settings` in place of the usual ones.
fn with_run(settings: &str) -> String {
    let own = ["epochs: 1", "batch_size: 8", "optimizer: adam", "seeds: [1]"];
    let key = settings.split(':').next().unwrap();
    let rest = own.iter().filter(|setting| setting.split(':').next() != Some(key));
    let rest: String = rest.map(|setting| format!("{setting}, ")).collect();
    let models = "title: T\nmodels: {m: {layers: [flatten, linear: {out_features: 10}]}}\n";
    format!("{models}runs: {{r: {{model: m, {rest}{settings}}}}}\n")
}

/// The error that the checks report for a study; empty if there is none.
fn fault(yaml: &str) -> String {
    let checked = Source::from_text(Path::new("s.yaml"), yaml).and_then(|source| Plan::resolve(&source));
    checked.err().map_or_else(String::new, |error| error.to_string())
}

/// Asserts that one study is accepted, and that another is refused with an error at a key.
#[track_caller]
fn is_the_end(accepted: &str, refused: &str, key: &str) {
    assert_eq!(fault(accepted), "");
    assert!(fault(refused).contains(&format!("{key}: ")), "{key}: {}", fault(refused));
}

#[test]
fn the_ranges_of_the_guide_are_those_of_the_checks() {
    for (accepted, refused, key) in RANGES {
        is_the_end(&with_run(accepted), &with_run(refused), key);
    }
    let mini = MINI;
    for (accepted, refused, key) in [
        ("input: {shape: [1, 28, 28], std: 0.1}", "input: {shape: [1, 32, 32]}", "input.shape"),
        ("input: {mean: -1}", "input: {std: 0}", "input.std"),
    ] {
        is_the_end(&format!("{accepted}\n{mini}"), &format!("{refused}\n{mini}"), key);
    }
    let compared = |seeds: &str| {
        let other = format!("runs: {{single: {{model: only}}, other: {{model: only, seeds: {seeds}}}}}");
        let two = mini.replace("runs: {single: {model: only}}", &other);
        format!("comparisons: {{c: {{run: single, against: other}}}}\n{two}")
    };
    is_the_end(&compared("[2]"), &compared("[1, 2]"), "comparisons.c.against");
}
