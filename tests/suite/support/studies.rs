//! The studies that tests build.

use std::fs;
use std::path::PathBuf;

use super::root;

/// A study that trains in milliseconds: one layer, one step. For tests that are not about training.
pub const MINI: &str = "\
title: Mini study
models: {only: {layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {train: {images: {first: 50}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs: {single: {model: only}}
";

/// `MINI` with the same words in all 12 places of a study whose text a report prints without changes. (Texts in
/// Markdown are not among them.)
pub fn worded(words: &str) -> String {
    // A JSON string is a YAML string.
    let quoted = |words: &str| serde_json::to_string(words).unwrap();
    let w = quoted(words);
    // No two titles may look alike.
    let point = quoted(&format!("{words} elsewhere"));
    // A conclusion's sentence is a template.
    let raw = quoted(&format!("{{% raw %}}{words}{{% endraw %}}"));
    let mini = MINI.replace("title: Mini study\n", "").replace("{only: {", &format!("{{only: {{title: {w}, "));
    let mini = mini.replace("{model: only}", &format!("{{model: only, title: {w}}}"));
    format!(
        "title: {w}\nauthor: {w}\n{mini}\
         sections: [{{title: {w}, runs: [single], show: [curves, predictions, per_class, confusion, misread, ladder], \
         points: [{{title: {point}, parameters: 9, accuracy: 0.5}}]}}]\n\
         claims: [{{id: a, group: {w}, quote: {w}, printed: {w}, measured: \"'another text'\", compare: exact, why: {w}}}]\n\
         conclusions:\n- {{id: c, question: {w}, supported_if: 'runs.single.accuracy >= 0', refuted_if: 'false', \
         supported: {raw}, refuted: 'no', undecided: 'no'}}\n"
    )
}

/// The study that most tests use.
pub fn tiny() -> PathBuf {
    root().join("tests/fixtures/tiny.yaml")
}

/// The text of `tiny`.
pub fn tiny_text() -> String {
    fs::read_to_string(tiny()).unwrap()
}

/// The text of `tiny` with some passages replaced. Each passage must exist.
pub fn tiny_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(tiny_text(), |text, (from, to)| {
        assert!(text.contains(from), "tiny.yaml does not contain `{from}`");
        text.replace(from, to)
    })
}
