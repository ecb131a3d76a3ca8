//! `runs: {only: [...]}`: a study that keeps some runs of the study that it extends.

use std::fs;
use std::path::Path;

use crate::support::*;

/// Three runs of two networks, and everything that can name them.
const BASE: &str = "\
title: Base
description: |
  About all.

  The third has {{ runs['c-3'].accuracy|percent(1) }}.
free: [author, models.big.layers, runs.b.epochs]
models:
  small: {layers: [flatten, {linear: {out_features: 10}}]}
  big: {layers: [flatten, {linear: {out_features: 12}}, relu, {linear: {out_features: 10}}]}
defaults: {model: small, train: {images: {first: 200}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs:
  a: {}
  b: {epochs: 2}
  c-3: {model: big}
comparisons:
  b-a: {run: b, against: a}
  c-a: {run: c-3, against: a}
sections:
  - {title: First, runs: [a, b], comparisons: [b-a, c-a], answers: [learns-a, best-of-a-b-c-3, better-b-a], show: [gain]}
  - {title: Third, runs: [c-3], text: Only the third.}
claims:
  - {id: of-a, group: g, quote: q, printed: '0.5', measured: runs.a.accuracy, compare: {absolute: 1}}
  - {id: of-c, group: g, quote: q, printed: '0.5', measured: 'runs[\"c-3\"].accuracy', compare: {absolute: 1}}
  - {id: of-ca, group: g, quote: q, printed: '0.5', measured: \"comparisons['c-a'].difference\", compare: {absolute: 1}}
conclusions:
  - learns: a
  - best_of: [a, b, c-3]
  - better: b-a
  - {overfits: c-3}
  - {id: own, question: q, supported_if: \"runs.a.accuracy > runs['c-3'].accuracy\", refuted_if: 'false', supported: s, refuted: r, undecided: u}
";

/// Writes the base and a study that extends it, and builds the second.
fn built_from(base: &str, child: &str, home: &Path) -> (Bundle, String) {
    fs::write(home.join("base.yaml"), base).unwrap();
    let (yaml, out) = (home.join("child.yaml"), home.join("out"));
    fs::write(&yaml, child).unwrap();
    let done = run(build(&yaml, &out).env("MNIST_REPORT_CACHE", home.join("cache")));
    let err = done.err.clone();
    done.exits(0);
    (Bundle::at(out), err)
}

#[test]
fn what_names_only_other_runs_is_left_out_and_told() {
    let home = tempfile::tempdir().unwrap();
    let child = "extends: base.yaml\ntitle: Child\nruns:\n  only: [a, b]\n  b: {epochs: 3}\n";
    let (bundle, err) = built_from(BASE, child, home.path());
    let results = bundle.json("results.json");
    let keys = |part: &str| results[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (keys("runs"), keys("comparisons"), keys("models")),
        (vec!["a".into(), "b".into()], vec!["b-a".into()], vec!["small".into()])
    );
    assert_eq!(results["runs"]["b"]["plan"]["epochs"], 3);
    let report = bundle.text("report.md");
    assert!(report.contains("About all.") && !report.contains("c-3") && !report.contains("Only the third"), "{report}");
    let study = bundle.text("study.yaml");
    for gone in ["c-3", "c-a", "big", "of-c", "only:", "Third", "overfits", "own"] {
        assert!(!study.contains(gone), "{gone}: {study}");
    }
    for kept in ["of-a", "best_of", "best-of-a-b", "better-b-a", "learns-a", "gain", "runs.b.epochs"] {
        assert!(study.contains(kept), "{kept}: {study}");
    }
    let note = err.lines().find(|line| line.contains("left out")).unwrap_or_else(|| panic!("{err}"));
    assert_eq!(err.matches("left out").count(), 1, "{err}");
    for part in [
        "child.yaml:4: runs.only: left out run c-3 (",
        "base.yaml:14)",
        "; comparison c-a (",
        "base.yaml:17)",
        "; claims of-c (",
        "base.yaml:23), of-ca (",
        "; conclusions overfits-c-3 (",
        "base.yaml:29), own (",
        "; section “Third” (",
        "; model big (",
        "; paragraph of `description` (",
    ] {
        assert!(note.contains(part), "{part}: {note}");
    }
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
}

#[test]
fn runs_of_a_grid_are_kept_with_the_values_that_they_have() {
    let base = "\
title: Grid
models:
  one: {layers: [flatten, {linear: {out_features: 10}}]}
  two: {layers: [flatten, {linear: {out_features: 16}}, relu, {linear: {out_features: 10}}]}
defaults: {train: {images: {first: 200}}, epochs: 1, batch_size: 50}
grid: {model: [one, two], optimizer: [{sgd: {lr: 0.1}}, adam, adadelta], seeds: [1]}
runs: {one-adadelta: null, more: {model: two, optimizer: adam, seeds: [2]}}
";
    let home = tempfile::tempdir().unwrap();
    let runs = |only: &str| {
        let (bundle, _) = built_from(base, &format!("extends: base.yaml\nruns: {{only: [{only}]}}\n"), home.path());
        let results = bundle.json("results.json");
        let keys = |part: &str| results[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        bundle.run("verify", &["--upto", "exact"]).exits(0);
        let report = bundle.text("report.md");
        fs::remove_dir_all(&bundle.path).unwrap();
        (keys("runs"), keys("models"), report)
    };
    let (names, models, report) = runs("one-adam, one-sgd");
    assert_eq!((names.as_str(), models.as_str()), ("one-sgd one-adam", "one"));
    // With one model left, there is no matrix of models and optimizers.
    assert!(report.contains("p, Holm") && !report.contains("| sgd | adam |"), "{report}");
    let (names, models, report) = runs("one-sgd, two-adadelta");
    assert_eq!((names.as_str(), models.as_str()), ("one-sgd two-adadelta", "one two"));
    assert!(report.contains("| sgd | adadelta |"), "{report}");
    // None of the grid's: no ranking and no matrix.
    let (names, models, report) = runs("more");
    assert_eq!((names.as_str(), models.as_str()), ("more", "two"));
    assert!(!report.contains("p, Holm"), "{report}");
}

#[test]
fn a_wrong_list_is_one_error() {
    let home = tempfile::tempdir().unwrap();
    let refused = |study: &str, parts: &[&str]| {
        fs::write(home.path().join("base.yaml"), BASE).unwrap();
        let yaml = home.path().join("child.yaml");
        fs::write(&yaml, study).unwrap();
        run(program(["summary"]).arg(&yaml)).refused(parts);
    };
    let child = |runs: &str| format!("extends: base.yaml\nruns:\n{runs}\n");
    refused(&child("  only: [a, c3]"), &["child.yaml:3: runs.only: unknown run `c3`; did you mean `c-3`?"]);
    refused(&child("  only: []"), &["child.yaml:3: runs.only: lists no run"]);
    refused(&child("  only: [a, a]"), &["child.yaml:3: runs.only: `a` is listed twice"]);
    let no_name = "lists the runs to keep of a study that this one extends";
    refused(&child("  only: {epochs: 2}"), &["child.yaml:3: runs.only: ", no_name, "no run can have this name"]);
    refused(&BASE.replace("  a: {}", "  only: {}"), &["runs.only: ", no_name]);
    refused(
        &BASE.replace("  a: {}", "  a: {}\n  only: [a]"),
        &["runs.only: ", "it extends none: remove the other runs"],
    );
}
