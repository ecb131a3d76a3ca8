//! Runs that stop by their validation loss.

use std::sync::OnceLock;

use serde_json::Value;

use crate::support::*;

/// A network that memorises 200 images, so that its validation loss soon rises.
const STUDY: &str = "\
title: Early
models: {m: {layers: [flatten, linear: {out_features: 64}, relu, linear: {out_features: 10}]}}
runs:
  r:
    model: m
    train: {images: {random: 200}, hold_out: 300}
    epochs: 60
    batch_size: 20
    optimizer: {adam: {lr: 0.01}}
    early_stopping: {patience: 3}
    seeds: [1]
sections:
- {title: Curves, runs: [r], tables: [settings, results, epochs], show: [curves]}
conclusions:
- {id: low, question: Low?, supported_if: runs.r.last.held_out_loss >= 0, refuted_if: runs.r.last.held_out_loss < 0,
   supported: 'Held out: {{ runs.r.last.held_out_accuracy|percent(1) }}.', refuted: 'No.', undecided: 'Unknown.'}
";

fn shared() -> &'static Bundle {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    BUNDLE.get_or_init(|| built(STUDY))
}

fn epochs(bundle: &Bundle) -> Vec<Value> {
    bundle.json("results.json")["runs"]["r"]["seeds"][0]["epochs"].as_array().unwrap().clone()
}

#[test]
fn a_run_ends_when_its_validation_loss_has_not_fallen_for_some_epochs() {
    let bundle = shared();
    let losses: Vec<f64> = epochs(bundle).iter().map(|epoch| epoch["held_out"]["loss"].as_f64().unwrap()).collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert!(losses.len() < 60 && losses.len() == best + 1 + 3, "{losses:?}");
    bundle.run("verify", &["--device", "cpu", "--upto", "rerun"]).exits(0);
}

/// A training that stopped early takes the time of its own epochs to do again, not that of the planned ones.
#[test]
fn the_time_to_train_again_is_that_of_the_epochs_that_a_training_has() {
    let bundle = built(&STUDY.replace("epochs: 60", "epochs: 10000").replace("out_features: 64", "out_features: 128"));
    let out = bundle.run("verify", &["--device", "cpu", "--as-if-long", "r"]).exits(0).out;
    let about = out.split("--upto rerun` takes about ").nth(1).unwrap_or_else(|| panic!("{out}"));
    let words: Vec<&str> = about.split([' ', '.']).collect();
    assert!(words[1] == "s" && words[0].parse::<u32>().is_ok_and(|seconds| seconds < 60), "{out}");
}

#[test]
fn the_report_says_when_it_stops_and_shows_the_validation_set() {
    let markdown = shared().text("report.md");
    let epochs = epochs(shared());
    for words in [
        "(at most 60, until the validation loss has not fallen for 3 epochs)",
        "Validation loss",
        "Validation accuracy",
        "triangles, the validation loss; others, the test loss",
        "Held out: ",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    let held_out = epochs[0]["held_out"]["correct"].as_f64().unwrap() / 3.0;
    let markdown = shared().text("report.md");
    assert!(
        markdown.lines().any(|line| line.starts_with("| 1 |") && line.contains(&format!("{held_out:.2} %"))),
        "{markdown}"
    );
    assert!(
        shared().text("figures/section1-curves.svg").contains("\nvalidation\n"),
        "the curve of the validation set has its name"
    );
}

/// A training that stopped too late or too soon is not that of the study.
#[test]
fn another_last_epoch_is_found() {
    for patience in [2, 4] {
        let home = tempfile::tempdir().unwrap();
        let changed = Bundle::at(home.path().join("b"));
        copy_folder(&shared().path, &changed.path);
        changed.replace("study.yaml", "patience: 3", &format!("patience: {patience}"));
        changed.replace("results.json", "\"patience\": 3", &format!("\"patience\": {patience}"));
        changed.redo_sums();
        let done = changed.run("verify", &["--device", "cpu", "--upto", "exact"]).exits(1);
        assert!(done.out.contains("training"), "{}", done.out);
    }
}

#[test]
fn early_stopping_needs_a_validation_set_and_patience() {
    for (from, to, words) in [
        (", hold_out: 300", "", ["runs.r.early_stopping: watches the loss on a validation set", "hold_out"]),
        ("patience: 3", "patience: 0", ["runs.r.early_stopping.patience: 0", "1 to 10000"]),
        ("early_stopping: {patience: 3}", "patience: 3", ["runs.r.patience", "did you mean `early_stopping`?"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        let study = home.path().join("s.yaml");
        std::fs::write(&study, STUDY.replace(from, to)).unwrap();
        run(&mut build(&study, &home.path().join("out"))).refused(&words);
    }
}
