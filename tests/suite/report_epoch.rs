//! Runs that report the epoch with the lowest validation loss, and evaluations within epochs.

use std::sync::OnceLock;

use serde_json::Value;

use crate::support::*;

/// A network that learns 200 images by heart, so that its best epoch is not its last one. An epoch is shorter than the first
/// segment of the evidence, and the last steps are kept.
const STUDY: &str = "\
title: Best
models: {m: {layers: [flatten, linear: {out_features: 64}, relu, linear: {out_features: 10}]}}
runs:
  r:
    model: m
    train: {images: {random: 200}, hold_out: 300}
    epochs: 12
    batch_size: 40
    optimizer: {adam: {lr: 0.01}}
    report_epoch: best_validation
    evaluate_every: 2
    evidence: {candidates: 4, keep: 2}
    seeds: [1, 2]
sections:
- {title: Curves, runs: [r], tables: [settings, results, epochs], show: [curves]}
conclusions:
- {id: low, question: Low?, supported_if: runs.r.reported.held_out_loss < runs.r.last.held_out_loss,
   refuted_if: runs.r.reported.held_out_loss >= runs.r.last.held_out_loss,
   supported: 'Reported: {{ runs.r.reported.epoch }} of {{ runs.r.last.epoch }}.', refuted: 'No.', undecided: 'Unknown.'}
";

fn shared() -> &'static Bundle {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    BUNDLE.get_or_init(|| built(STUDY))
}

fn seed(bundle: &Bundle, index: usize) -> Value {
    bundle.json("results.json")["runs"]["r"]["seeds"][index].clone()
}

/// The validation losses of a seed, and the number of its epoch with the lowest one.
fn best_epoch(seed: &Value) -> usize {
    let losses: Vec<f64> =
        seed["epochs"].as_array().unwrap().iter().map(|e| e["held_out"]["loss"].as_f64().unwrap()).collect();
    1 + (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap()
}

#[test]
fn the_network_of_the_epoch_with_the_lowest_validation_loss_is_reported() {
    for index in 0..2 {
        let seed = seed(shared(), index);
        let best = best_epoch(&seed);
        assert_eq!(seed["epochs"].as_array().unwrap().len(), 12, "the training goes on");
        assert!(best < 12, "the best epoch of this study is not its last one");
        assert_eq!(seed["reported_epoch"].as_u64(), Some(best as u64));
        assert_eq!(seed["test_loss"], seed["epochs"][best - 1]["test"]["loss"]);
        let last = seed["chain"].as_array().unwrap().last().unwrap().clone();
        let end = last["step"].as_u64().unwrap() + last["steps"].as_u64().unwrap();
        assert_eq!(end as usize, best * 5, "the evidence ends with the reported epoch");
    }
    shared().run("verify", &["--device", "cpu", "--upto", "rerun"]).exits(0);
}

/// The same training that ends with the best epoch gives the same network.
#[test]
fn its_weights_are_those_of_a_training_that_ends_there() {
    let seed = seed(shared(), 0);
    let short = STUDY
        .replace("epochs: 12", &format!("epochs: {}", best_epoch(&seed)))
        .replace("    report_epoch: best_validation\n", "")
        .replace("seeds: [1, 2]", "seeds: [1]");
    let short = built(&short);
    let last = self::seed(&short, 0);
    assert_eq!(last["weights_sha256"], seed["weights_sha256"]);
    assert_eq!(last["confusion"], seed["confusion"]);
    assert_eq!(last["chain"].as_array().unwrap().last(), seed["chain"].as_array().unwrap().last());
}

#[test]
fn the_report_names_the_reported_epoch_and_shows_all() {
    let markdown = shared().text("report.md");
    let seeds = [seed(shared(), 0), seed(shared(), 1)];
    let best = seeds.each_ref().map(best_epoch);
    let named = match best {
        [a, b] if a == b => format!("12; reported: epoch {a}, that with the lowest validation loss"),
        [a, b] => format!("12; reported: epochs {} to {}, those with the lowest validation loss", a.min(b), a.max(b)),
    };
    let conclusion = format!("Reported: {} of 12.", best[0]);
    let words = [&*named, "also evaluated every 2 steps", "filled in the reported epoch", "every 2 steps", &conclusion];
    for words in words {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    let rows = markdown.lines().filter(|line| line.starts_with("| 12 |")).count();
    assert_eq!(rows, 1, "the table of epochs has the last one: {markdown}");
}

#[test]
fn evaluations_within_epochs_are_at_the_steps_of_the_study() {
    let seed = seed(shared(), 0);
    let within = seed["within_epochs"].as_array().unwrap();
    let steps: Vec<u64> = within.iter().map(|s| s["step"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (1..60).filter(|step| step % 2 == 0 && step % 5 != 0).collect();
    assert_eq!(steps, expected);
    assert!(within.iter().all(|s| s["test"]["images"] == 10000 && s["held_out"]["images"] == 300), "{within:?}");
}

/// Evaluations change nothing of a training.
#[test]
fn a_training_without_evaluations_within_epochs_is_the_same() {
    let plain = built(&STUDY.replace("    evaluate_every: 2\n", ""));
    for index in 0..2 {
        let [with, without] = [shared(), &plain].map(|bundle| seed(bundle, index));
        assert_eq!((&with["epochs"], &with["weights_sha256"]), (&without["epochs"], &without["weights_sha256"]));
        assert!(without.get("within_epochs").is_none());
    }
}

/// A study or results that name another epoch, or other evaluations, are found without training.
#[test]
fn another_reported_epoch_is_found() {
    type Change = fn(&mut Value, usize);
    let best = best_epoch(&seed(shared(), 0));
    let other = if best == 1 { 2 } else { 1 };
    let changes: [(Change, &str); 4] = [
        (|seed, other| seed["reported_epoch"] = other.into(), "reported_epoch: the results are those of epoch"),
        (|seed, _| seed["reported_epoch"] = 13.into(), "reported_epoch 13: there is no such epoch"),
        (|seed, _| seed["within_epochs"][0]["step"] = 3.into(), "within_epochs"),
        (|seed, _| seed["within_epochs"][0]["held_out"]["images"] = 301.into(), "within_epochs: step 2"),
    ];
    for (change, words) in changes {
        let home = tempfile::tempdir().unwrap();
        let changed = Bundle::at(home.path().join("b"));
        copy_folder(&shared().path, &changed.path);
        let mut results = changed.json("results.json");
        change(&mut results["runs"]["r"]["seeds"][0], other);
        std::fs::write(changed.path.join("results.json"), serde_json::to_string_pretty(&results).unwrap()).unwrap();
        changed.redo_sums();
        let done = changed.run("verify", &["--device", "cpu", "--upto", "exact"]);
        assert!(done.code != 0 && done.out.contains(words), "{words}: {} {}", done.out, done.err);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (from, to, words) in [
        (", hold_out: 300", "", ["runs.r.report_epoch: watches the loss on a validation set", "hold_out"]),
        ("report_epoch: best_validation", "report_epoch: best", ["runs.r.report_epoch", "best_validation"]),
        (
            "report_epoch: best_validation",
            "restore_best_weights: true",
            ["runs.r.restore_best_weights", "did you mean `report_epoch`?"],
        ),
        ("evaluate_every: 2", "evaluate_every: 0", ["runs.r.evaluate_every: 0", "1 to 60"]),
        ("evaluate_every: 2", "evaluate_every: 61", ["runs.r.evaluate_every: 61", "1 to 60"]),
        ("epochs: 12", "epochs: 2000", ["runs.r.evaluate_every: 2: would evaluate 5000 times", "set 10 or more"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        let study = home.path().join("s.yaml");
        std::fs::write(&study, STUDY.replace(from, to)).unwrap();
        run(&mut build(&study, &home.path().join("out"))).refused(&words);
    }
}
