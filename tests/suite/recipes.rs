//! How a run is trained, beyond the usual: RMSprop, smoothed labels, clipped gradients, augmented images, warm-ups, and rates
//! that follow the validation loss.

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::*;

/// `plateau` counts as expensive, so that `replay` samples its first steps and its last epoch, but it stops early.
const STUDY: &str = "\
title: Recipes
models: {m: {layers: [flatten, linear: {out_features: 32}, relu, linear: {out_features: 10}]}}
defaults: {model: m, train: {images: {random: 300}, hold_out: 200}, batch_size: 60, epochs: 4, seeds: [1]}
runs:
  rmsprop: {optimizer: {rmsprop: {lr: 0.001, centered: true, momentum: 0.5}}}
  plain: {optimizer: {adam: {lr: 0.01}}, epochs: 8}
  smoothed: {optimizer: {adam: {lr: 0.01}}, epochs: 8, label_smoothing: 0.2}
  unclipped: {optimizer: {sgd: {lr: 0.05}}}
  clipped: {optimizer: {sgd: {lr: 0.05}}, clip_grad_norm: 0.01}
  limited: {optimizer: {sgd: {lr: 0.05}}, clip_grad_value: 0.0001}
  augmented: {optimizer: {adam: {lr: 0.01}}, epochs: 8, augment: {shift: 2, rotate: 10}, evaluate_train: true, evidence: {candidates: 4, keep: 2}}
  loose: {optimizer: {sgd: {lr: 0.05}}, clip_grad_norm: 1000}
  warmup: {optimizer: {sgd: {lr: 0.5}}, schedule: {warmup: {steps: 6, start_factor: 0.1, then: cosine}}}
  plateau:
    optimizer: {adam: {lr: 0.01}}
    schedule: {reduce_on_plateau: {factor: 0.5, patience: 0, threshold: 0.1}}
    epochs: 9000
    early_stopping: {patience: 3}
    seeds: [1, 2]
sections:
- {title: Curves, runs: [smoothed, clipped, limited, augmented, warmup, plateau], tables: [settings, results], show: [curves]}
";

fn shared() -> &'static Bundle {
    static BUNDLE: OnceLock<Bundle> = OnceLock::new();
    BUNDLE.get_or_init(|| built(STUDY))
}

fn seed(run: &str, index: usize) -> Value {
    shared().json("results.json")["runs"][run]["seeds"][index].clone()
}

fn numbers(seed: &Value, pointer: &str) -> Vec<f64> {
    seed["epochs"].as_array().unwrap().iter().map(|epoch| epoch.pointer(pointer).unwrap().as_f64().unwrap()).collect()
}

#[test]
fn every_rung_passes() {
    let done = shared().run("verify", &["--device", "cpu", "--upto", "rerun", "--as-if-long", "plateau"]).exits(0);
    assert!(done.out.contains("proves the rest: plateau.seed1 (15 of "), "{}", done.out);
}

#[test]
fn the_rate_falls_when_the_validation_loss_does_not() {
    let mut rates = Vec::new();
    for index in 0..2 {
        let seed = seed("plateau", index);
        let (losses, stated) = (numbers(&seed, "/held_out/loss"), numbers(&seed, "/lr"));
        let (mut rate, mut best) = (0.01, f64::INFINITY);
        for (loss, stated) in losses.iter().zip(&stated) {
            assert_eq!(*stated, rate, "{losses:?}");
            if *loss < 0.9 * best {
                best = *loss;
            } else if rate / 2.0 > 1e-8 {
                rate /= 2.0;
            }
        }
        assert!(rate < 0.01, "the loss of this study stops falling: {losses:?}");
        rates.push(stated);
    }
    let curve = shared().json("results.json")["loss_curves"]["plateau"].clone();
    let of_group = |i: usize| curve["learning_rates"][i].as_f64().unwrap();
    assert_eq!(of_group(0), 0.01);
    let groups = curve["learning_rates"].as_array().unwrap().len();
    // Five digits are kept.
    let last = rates.iter().map(|rates| rates[rates.len() - 1]).sum::<f64>() / 2.0;
    assert!((of_group(groups - 1) - last).abs() < 1e-4 * last, "{last} {curve}");
}

/// Without training: the rates follow from the validation losses of the bundle.
#[test]
fn a_rate_that_the_validation_losses_do_not_give_is_found() {
    let (_home, changed) = shared_copy();
    let mut results = changed.json("results.json");
    let rate = &mut results["runs"]["plateau"]["seeds"][0]["epochs"][1]["lr"];
    *rate = (rate.as_f64().unwrap() / 2.0).into();
    write_results(&changed, &results);
    let done = changed.run("verify", &["--device", "cpu", "--upto", "exact"]).exits(1);
    assert!(done.out.contains("plateau: seed 1: epoch 2: learning rate"), "{}", done.out);
}

#[test]
fn a_warm_up_ends_at_the_rate_and_its_curve_shows_it() {
    // Five steps an epoch; the cosine starts after step 6.
    let rates = numbers(&seed("warmup", 0), "/lr");
    let rises = |step: f64| 0.5 * (0.1 + 0.9 * step / 6.0);
    let falls = |epoch: f64| 0.25 * (1.0 + (std::f64::consts::PI * epoch / 2.8).cos());
    for (rate, expected) in rates.iter().zip([rises(4.0), falls(0.0), falls(1.0), falls(2.0)]) {
        assert!((rate - expected).abs() < 1e-12, "{rate}, expected {expected}");
    }
    let curve = shared().json("results.json")["loss_curves"]["warmup"]["learning_rates"].clone();
    assert_eq!((curve[0].as_f64(), curve[6].as_f64(), curve.as_array().unwrap().len()), (Some(0.05), Some(0.5), 20));
}

/// The training loss has smoothed labels, all other losses have not.
#[test]
fn smoothed_labels_change_the_training_loss_alone() {
    let [plain, smoothed] = ["plain", "smoothed"].map(|run| seed(run, 0));
    let [of_plain, of_smoothed] = [&plain, &smoothed].map(|seed| numbers(seed, "/train_loss"));
    // The entropy of the smoothed labels.
    let least = -(0.82 * f64::ln(0.82) + 9.0 * 0.02 * f64::ln(0.02));
    assert!(of_smoothed.iter().all(|loss| *loss > least) && of_plain[7] < least, "{of_plain:?} {of_smoothed:?}");
    let markdown = shared().text("report.md");
    for words in [
        "label smoothing 0.2 of the training loss",
        "In runs with label smoothing, it is the cross-entropy with the smoothed labels",
        "The training loss of “smoothed” has smoothed labels, every other loss is the plain one",
        "norm of the gradient at most 0.01",
        "each value of the gradient at most ±0.0001",
        "times 0.5 after an epoch in which the validation loss has not fallen, relative threshold 0.1",
        "rising over the first 6 steps from 0.1 of the rate, then cosine to 0",
        "RMSprop, learning rate 0.001, momentum 0.5, centered",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
}

#[test]
fn clipped_gradients_train_more_slowly_and_a_limit_that_is_never_reached_changes_nothing() {
    let losses = |run: &str| numbers(&seed(run, 0), "/train_loss");
    let [free, clipped, limited] = ["unclipped", "clipped", "limited"].map(losses);
    assert!(clipped[3] > 1.2 * free[3] && limited[3] > 1.2 * free[3], "{free:?} {clipped:?} {limited:?}");
    assert_eq!(seed("loose", 0)["weights_sha256"], seed("unclipped", 0)["weights_sha256"]);
}

/// The changed images are harder to learn, and the evaluated training images are not changed.
#[test]
fn augmented_images_change_the_training_loss_alone() {
    let [plain, augmented] = ["plain", "augmented"].map(|run| seed(run, 0));
    let [of_plain, of_augmented] = [&plain, &augmented].map(|seed| numbers(seed, "/train_loss"));
    let evaluated = numbers(&augmented, "/train_eval/loss");
    assert!(of_augmented[7] > 2.0 * of_plain[7] && evaluated[7] < of_augmented[7], "{of_plain:?} {of_augmented:?}");
    let plan = shared().json("results.json")["runs"]["augmented"]["plan"]["augment"].clone();
    assert_eq!(plan, serde_json::json!({"shift": 2.0, "rotate": 10.0}));
    let markdown = shared().text("report.md");
    for words in [
        "training images shifted by up to 2 px and rotated by up to 10° at random",
        "In runs with augmentation, it is the loss of the changed images",
        "The training loss of “augmented” is that of augmented images",
        "Runs with augmentation first rotate each training image about its centre, then shift it",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
}

/// Settings of runs that are not there leave the form of results.json as it was.
#[test]
fn absent_settings_are_not_in_the_results() {
    let plan = shared().json("results.json")["runs"]["plain"]["plan"].clone();
    for key in ["label_smoothing", "clip_grad_norm", "clip_grad_value", "augment"] {
        assert!(plan.get(key).is_none(), "{key}: {plan}");
    }
}

#[test]
fn a_conclusion_about_overfitting_needs_the_plain_training_loss() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("s.yaml");
    fs::write(&study, format!("{STUDY}conclusions: [{{overfits: smoothed}}]\n")).unwrap();
    let words = ["conclusions[0].overfits: `smoothed` smooths the labels", "set `evaluate_train: true` in the run"];
    run(&mut build(&study, &home.path().join("out"))).refused(&words);
    let changes_images = STUDY.replace(", evaluate_train: true", "");
    fs::write(&study, format!("{changes_images}conclusions: [{{overfits: augmented}}]\n")).unwrap();
    let words = ["conclusions[0].overfits: `augmented` augments the images", "set `evaluate_train: true` in the run"];
    run(&mut build(&study, &home.path().join("out"))).refused(&words);
}

/// A copy of the bundle that a test may change.
fn shared_copy() -> (tempfile::TempDir, Bundle) {
    let home = tempfile::tempdir().unwrap();
    let copy = Bundle::at(home.path().join("b"));
    copy_folder(&shared().path, &copy.path);
    (home, copy)
}

fn write_results(bundle: &Bundle, results: &Value) {
    fs::write(bundle.path.join("results.json"), serde_json::to_string_pretty(results).unwrap()).unwrap();
    bundle.redo_sums();
}
