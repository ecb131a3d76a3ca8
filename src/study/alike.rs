//! What two studies train, whatever they call it: for the question whether one was copied from the other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::run_spec::RunSpec;
use super::schedule::Schedule;
use super::spec::Study;
use crate::digest::sha256_hex;

/// Keys of a run, a model or a layer that decide nothing that is trained: names, texts, seeds, and what is recorded or measured.
const NAMES: [&str; 6] = ["title", "name", "seeds", "evidence", "evaluate_train", "evaluate_every"];

impl Study {
    /// The SHA-256 of what the study trains, except for seeds and names: two studies have the same one if the runs of one are
    /// those of the other, in any order, with other seeds, titles, texts, and names of runs, models and layers.
    pub fn digest_without_names(&self) -> String {
        let digest = |value: &Value| sha256_hex(value.to_string().as_bytes());
        // Each model once, with whether it has a layer of dropout: a thousand runs may have one that is large.
        let of_model = |model| {
            let layers = unnamed(json!(model));
            (digest(&layers), has_key("dropout", &layers))
        };
        let models: BTreeMap<&String, (String, bool)> =
            self.models.iter().map(|(name, model)| (name, of_model(model))).collect();
        let mut runs: Vec<String> = self
            .runs
            .values()
            .map(|run| {
                let mut value = without_effect(unnamed(json!(run)), run);
                let (model, has_dropout) = models.get(&run.model).cloned().unwrap_or_default();
                value["model"] = json!(model);
                value["dropout"] = json!(run.dropout && has_dropout);
                digest(&value)
            })
            .collect();
        runs.sort();
        let images = self.pinned().map(|data| &data.sha256);
        digest(&json!([self.input, self.compute, images, runs]))
    }
}

/// The settings of a run without those that change nothing in it.
fn without_effect(mut settings: Value, run: &RunSpec) -> Value {
    if run.augment.is_some_and(|augment| augment.is_identity()) {
        settings["augment"] = Value::Null;
    }
    let is_constant = matches!(&run.schedule, Schedule::Step(step) if step.step_size >= run.epochs);
    if is_constant {
        settings["schedule"] = json!(Schedule::default());
    }
    settings
}

/// Whether a value has a key, at any depth.
fn has_key(wanted: &str, value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, inner)| key == wanted || has_key(wanted, inner)),
        Value::Array(items) => items.iter().any(|inner| has_key(wanted, inner)),
        _ => false,
    }
}

/// A value without names, at any depth.
fn unnamed(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|key, _| !NAMES.contains(&key.as_str()));
            map.values_mut().for_each(|inner| *inner = unnamed(inner.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = unnamed(item.take())),
        _ => {}
    }
    value
}

/// Whether a key decides what is trained, by its path: part of a model, of a run or the grid, of the input or of the computation, and
/// no name.
pub fn is_trained(key: &str) -> bool {
    let parts: Vec<&str> = key.split(['.', '[']).collect();
    let is_name = |part: &&str| *part != "seeds" && NAMES.contains(part);
    if parts[0] == "grid" {
        return !parts.iter().any(is_name);
    }
    ["models", "runs", "input", "compute"].contains(&parts[0]) && !parts.iter().skip(2).any(is_name)
}

/// Whether a key is the list of seeds of a run or the grid, or one of them.
pub fn is_seed(key: &str) -> bool {
    let mut parts = key.split(['.', '[']);
    match parts.next() {
        Some("runs") => parts.nth(1) == Some("seeds"),
        Some("grid") => parts.next() == Some("seeds"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::study::Source;

    const STUDY: &str = "
title: Lab
models:
  slim: {layers: [flatten, {linear: {out_features: 10}}]}
  wide: {title: Wide, layers: [flatten, {linear: {out_features: 20}}, relu, {linear: {out_features: 10, name: last}}]}
defaults: {epochs: 1, batch_size: 64, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs:
  one: {model: slim}
  two: {model: wide}
";

    fn digest(changes: &[(&str, &str)]) -> String {
        let changed = changes.iter().fold(STUDY.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        Source::from_text(Path::new("s.yaml"), &changed).unwrap().study.digest_without_names()
    }

    #[test]
    fn seeds_names_order_and_texts_do_not_count_and_all_else_does() {
        let same = digest(&[]);
        for changes in [
            &[("title: Lab", "title: Mine\nauthor: B\ndescription: Own words")][..],
            &[("seeds: [1]", "seeds: [2, 3]")],
            &[("slim", "thin"), ("one:", "first:"), ("Wide", "Broad"), ("name: last", "name: output")],
            &[("  one: {model: slim}\n", ""), ("{model: wide}\n", "{model: wide}\n  one: {model: slim}\n")],
            &[("epochs: 1", "epochs: 1, evidence: {keep: 1}, dropout: true")],
            &[("epochs: 1", "epochs: 1, dropout: false, augment: {shift: 0, rotate: 0}, evaluate_train: true")],
            &[("epochs: 1", "epochs: 1, evaluate_every: 7, schedule: {step: {step_size: 5, gamma: 0.5}}")],
        ] {
            assert_eq!(digest(changes), same, "{changes:?}");
        }
        for changes in [
            &[("epochs: 1", "epochs: 2")][..],
            &[("epochs: 1", "epochs: 1, augment: {shift: 1}")],
            &[("20", "21")],
            &[("{model: slim}", "{model: wide}")],
            &[("title: Lab", "title: Lab\ninput: {mean: 0.1}")],
            &[("  one: {model: slim}\n", "")],
        ] {
            assert_ne!(digest(changes), same, "{changes:?}");
        }
    }

    #[test]
    fn keys_that_decide_what_is_trained_are_told_from_names() {
        for key in
            ["models.a.layers", "models.a.layers[0].linear.out_features", "runs.r.seeds[0]", "input.mean", "runs.r"]
        {
            assert!(is_trained(key), "{key}");
        }
        for key in ["title", "models.a.title", "models.a.layers[0].linear.name", "runs.r.evidence.keep", "claims[0].id"]
        {
            assert!(!is_trained(key), "{key}");
        }
        // A model may be named `title`.
        assert!(is_trained("models.title.layers"));
        assert!(is_seed("runs.r.seeds[1]") && is_seed("runs.r.seeds") && !is_seed("runs.seeds.epochs"));
    }
}
