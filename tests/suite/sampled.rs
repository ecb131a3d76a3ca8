//! Proofs that the weights come from the stated training: trainings that `replay` repeats completely, samples, or
//! cannot check, and the runs that a grader draws for `rerun`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use mnist_report::results::{Results, read_losses, write_losses};
use serde_json::{Value, json};

use crate::support::*;

/// `long` and `bare` may train so many epochs that their segments are stored as those of expensive trainings, but they stop early.
/// `AS_IF_LONG` keeps `replay` from doing them again.
const STUDY: &str = "\
title: Sampled
models: {m: {layers: [flatten, {linear: {out_features: 32}}, relu, {linear: {out_features: 10}}]}}
defaults:
  model: m
  train: {images: {random: 600}, order: as_stored}
  batch_size: 50
  optimizer: {sgd: {lr: 0.1, momentum: 0.5}}
  seeds: [1]
runs:
  long: {epochs: 9000, stop_below_train_loss: 0.4}
  cheap: {epochs: 2}
  bare: {epochs: 9000, stop_below_train_loss: 0.6, evidence: {last: false}}
";

/// `replay` does these runs not again, as if they had trained all their epochs.
const AS_IF_LONG: [&str; 2] = ["--as-if-long=long", "--as-if-long=bare"];

fn verify(bundle: &Bundle, arguments: &[&str]) -> Done {
    bundle.run("verify", &[&AS_IF_LONG, arguments].concat())
}

/// The study without `bare`, which `replay` cannot check.
fn without_bare() -> String {
    let at = STUDY.find("  bare:").unwrap();
    STUDY[..at].to_owned()
}

fn shared_bundle(study: &str) -> Bundle {
    let home = tempfile::tempdir().unwrap().keep();
    let (yaml, bundle) = (home.join("s.yaml"), Bundle::at(home.join("s")));
    std::fs::write(&yaml, study).unwrap();
    run(&mut build(&yaml, &bundle.path)).exits(0);
    bundle
}

/// The bundles of the whole study and of the study without `bare`. No test may change them.
fn bundles() -> &'static [Bundle; 2] {
    static BUNDLES: OnceLock<[Bundle; 2]> = OnceLock::new();
    BUNDLES.get_or_init(|| [shared_bundle(STUDY), shared_bundle(&without_bare())])
}

/// A copy of the bundle without `bare`.
fn honest() -> (tempfile::TempDir, Bundle) {
    let home = tempfile::tempdir().unwrap();
    let bundle = Bundle::at(home.path().join("bundle"));
    copy_folder(&bundles()[1].path, &bundle.path);
    (home, bundle)
}

fn json_of(done: &Done) -> Value {
    serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {}{}", done.out, done.err))
}

/// What a rung proved about each training.
fn trainings(verification: &Value, rung: &str) -> BTreeMap<String, String> {
    let steps = verification["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["rung"] == rung).unwrap();
    let trainings = step["trainings"].as_object().cloned().unwrap_or_default();
    trainings.into_iter().map(|(name, proof)| (name, proof.as_str().unwrap().to_owned())).collect()
}

fn proofs(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, proof)| ((*name).to_owned(), (*proof).to_owned())).collect()
}

#[test]
fn a_training_that_nothing_ties_to_its_weights_is_not_checked_by_name() {
    let bundle = &bundles()[0];
    let done = verify(bundle, &["--json"]).exits(2);
    let value = json_of(&done);
    assert_eq!(
        trainings(&value, "replay"),
        proofs(&[("bare", "not_checked"), ("cheap", "whole"), ("long", "sampled")])
    );
    let replay = &value["steps"][6];
    assert_eq!(replay["status"], "not_checked");
    let first = replay["details"][0].as_str().unwrap();
    assert!(first.starts_with("not checked: no stored segment ends in their weights") && first.ends_with(": bare"));
    let [proven, open] = ["proven", "not_proven"].map(|key| value[key].as_str().unwrap().to_owned());
    assert!(proven.contains("the weights of cheap (1 of 3) came from the stated training"), "{proven}");
    assert!(open.contains("that the weights of long (1 of 3) came from the stated training (sampled"), "{open}");
    assert!(open.contains("that the weights of bare (1 of 3) came from the stated training"), "{open}");
    assert!(open.contains("`verify --upto rerun` takes about "), "{open}");
}

#[test]
fn a_sampled_training_passes_and_the_last_line_says_what_that_leaves_open() {
    let done = verify(&bundles()[1], &[]).exits(0);
    let last = done.out.lines().next_back().unwrap();
    assert!(last.starts_with("Proven: ") && last.contains("Not proven: that the weights of long"), "{last}");
    assert!(done.out.contains("sampled, so that only `rerun` proves the rest: long (20 of "), "{}", done.out);
    let rerun = verify(&bundles()[1], &["--upto", "rerun"]).exits(0);
    let last = rerun.out.lines().next_back().unwrap();
    assert!(last.contains("; the weights came from the stated training, which was done again"), "{last}");
    let texts = "that its own texts are true, and that its seeds were not selected among many.";
    assert!(last.ends_with(&format!("Not proven: who made the report and when, {texts}")), "{last}");
    let files = verify(&bundles()[1], &["--upto", "files"]).exits(0);
    let last = files.out.lines().next_back().unwrap();
    assert!(
        last.contains("Not proven: that counts, ")
            && last.contains("; that the predictions come from the weights; that the weights came from"),
        "{last}"
    );
}

/// A plan of many epochs makes no training expensive that stopped after a few: a forger would get sampling for the asking.
#[test]
fn a_training_that_stopped_early_is_done_again_however_long_its_plan_is() {
    let done = bundles()[0].run("verify", &["--json"]).exits(0);
    let all = proofs(&[("bare", "whole"), ("cheap", "whole"), ("long", "whole")]);
    assert_eq!(trainings(&json_of(&done), "replay"), all);
    let (_home, bundle) = honest();
    bundle.change_json("results.json", |results| {
        let right = &mut results["runs"]["long"]["seeds"][0]["epochs"][1]["test"]["correct"];
        *right = json!(right.as_u64().unwrap() + 100);
    });
    bundle.run("render", &[]).exits(0);
    verify(&bundle, &[]).exits(0);
    let done = bundle.run("verify", &[]).exits(1);
    assert!(done.out.contains("replay    FAILED       long: epoch 2: test images right "), "{}", done.out);
}

#[test]
fn runs_that_the_verifier_names_are_trained_again_and_only_those() {
    let bundle = &bundles()[0];
    let done = verify(bundle, &["--upto", "rerun", "--runs", "bare", "--json"]).exits(0);
    assert!(done.err.starts_with("rerun: trains 1 of 3 runs (bare) again, about "), "{}", done.err);
    assert_eq!(done.err.lines().count(), 1);
    let value = json_of(&done);
    assert_eq!(trainings(&value, "rerun"), proofs(&[("bare", "whole")]));
    let details = value["steps"][7]["details"][0].as_str().unwrap();
    assert!(details.starts_with("1 of 3 runs trained again: bare ("), "{details}");
    let open = value["not_proven"].as_str().unwrap();
    assert!(open.contains("long") && !open.contains("cheap") && !open.contains("bare"), "{open}");
    // `replay` does not do less than without `--runs`.
    assert_eq!(value["steps"][6]["status"], "passed");
    assert_eq!(trainings(&value, "replay")["cheap"], "whole");
}

#[test]
fn runs_are_drawn_by_the_verifier() {
    let bundle = &bundles()[1];
    let drawn = || {
        let done = verify(bundle, &["--upto", "rerun", "--runs", "random:1", "--json"]).exits(0);
        let trained: Vec<String> = trainings(&json_of(&done), "rerun").into_keys().collect();
        assert_eq!(trained.len(), 1);
        trained[0].clone()
    };
    // The same run 30 times in a row has a probability of 2e-9.
    let mut others = (0..30).map(|_| drawn());
    let first = others.next().unwrap();
    assert!(others.any(|other| other != first));
    let both = verify(bundle, &["--upto", "rerun", "--runs", "random:7"]).exits(0);
    assert!(both.out.contains("2 of 2 runs trained again: long, cheap"), "{}", both.out);
}

/// A spot check is not taken for a check of every run.
#[test]
fn a_spot_check_of_a_class_is_shown_as_one() {
    let home = tempfile::tempdir().unwrap();
    let [csv, page] = ["course.csv", "course.html"].map(|name| home.path().join(name));
    let path = bundles()[1].path.as_path();
    let files = ["--csv", csv.to_str().unwrap(), "--html", page.to_str().unwrap()];
    let arguments = [&["--upto", "rerun", "--runs", "random:1"], files.as_slice()].concat();
    let done = on_paths("verify", &arguments, &[path, path]).exits(0);
    let rows = |text: &str| text.matches("passed, 1 of 2").count();
    assert_eq!(rows(&done.out), 2, "{}", done.out);
    assert_eq!(fs::read_to_string(&csv).unwrap().matches(",passed,\"passed, 1 of 2\",").count(), 2);
    assert_eq!(rows(&page_text(&fs::read_to_string(&page).unwrap())), 2);
    let one = json_of(&verify(&bundles()[1], &["--upto", "rerun", "--runs", "cheap", "--json"]).exits(0));
    assert_eq!(one["steps"][7]["drawn"], json!({"runs": 1, "of": 2}));
    assert_eq!(one["steps"][6]["drawn"], Value::Null);
    let all = json_of(&verify(&bundles()[1], &["--upto", "rerun", "--runs", "random:2", "--json"]).exits(0));
    assert_eq!(all["steps"][7]["drawn"], Value::Null);
}

#[test]
fn a_class_is_checked_by_a_run_of_each() {
    let paths = [bundles()[0].path.as_path(), bundles()[1].path.as_path()];
    let done = on_paths("verify", &["--upto", "rerun", "--runs", "cheap"], &paths).exits(0);
    assert_eq!(done.err.matches(": rerun: trains 1 of ").count(), 2, "{}", done.err);
    // The second bundle has no such run: it is refused before its first rung.
    let done = on_paths("verify", &["--upto", "rerun", "--runs", "bare"], &paths).exits(2);
    let refused = format!(
        "{}: cannot be checked: --runs: unknown run `bare`; this study has long, cheap\n",
        bundles()[1].path.display()
    );
    assert!(done.out.contains(&refused), "{}", done.out);
    assert_eq!(done.err.matches(": rerun: trains 1 of 3 runs (bare) ").count(), 1, "{}", done.err);
    assert_eq!(done.err.lines().count(), 1, "{}", done.err);
}

#[test]
fn a_draw_that_makes_no_sense_is_refused() {
    let bundle = &bundles()[1];
    verify(bundle, &["--runs", "long"]).refused(&["--runs chooses what `rerun` trains again; add --upto rerun"]);
    verify(bundle, &["--upto", "replay", "--runs", "long"]).refused(&["add --upto rerun"]);
    let unknown = verify(bundle, &["--upto", "rerun", "--runs", "lomg"]);
    unknown.refused(&["--runs: unknown run `lomg`; did you mean `long`"]);
    for draw in ["random:0", "random:x", "a,,b"] {
        let done = verify(bundle, &["--upto", "rerun", "--runs", draw]).exits(2);
        assert!(done.err.starts_with("error: invalid value"), "{}", done.err);
    }
}

fn losses(bundle: &Bundle, run: &str) -> Vec<f32> {
    read_losses(&bundle.bytes(&format!("losses/{run}.f32"))).unwrap()
}

/// Writes the losses of `long`, the means of its epochs and its curve, renders the report and verifies it.
fn with_losses(bundle: &Bundle, losses: &[f32], upto: &str, code: i32) -> Done {
    bundle.write("losses/long.f32", write_losses(losses));
    bundle.change_json("results.json", |results| {
        let epochs = results["runs"]["long"]["seeds"][0]["epochs"].as_array_mut().unwrap();
        for (epoch, batches) in epochs.iter_mut().zip(losses.chunks(12)) {
            let weighted = batches.iter().fold(0.0, |sum, loss| sum + f64::from(*loss) * 50.0);
            epoch["train_loss"] = json!(weighted / 600.0);
        }
    });
    let mut results = Results::from_json(&bundle.text("results.json")).unwrap();
    let read = |run: &str, _: u64| read_losses(&fs::read(bundle.path.join(format!("losses/{run}.f32"))).unwrap());
    results.add_loss_curves(read).unwrap();
    bundle.write("results.json", results.to_json());
    bundle.run("render", &[]).exits(0);
    verify(bundle, &["--upto", upto]).exits(code)
}

#[test]
fn the_losses_of_replayed_steps_are_compared_bit_for_bit() {
    let (_home, bundle) = honest();
    let stated = losses(&bundle, "long");
    let steps = stated.len();
    with_losses(&bundle, &stated, "replay", 0);
    // The first and the last ten steps are replayed.
    for step in [1, 10, steps - 9, steps] {
        let mut changed = stated.clone();
        changed[step - 1] = f32::from_bits(changed[step - 1].to_bits() + 1);
        let done = with_losses(&bundle, &changed, "replay", 1);
        let line = done.out.lines().find(|line| line.starts_with("replay")).unwrap();
        assert!(line.contains("FAILED") && line.contains(&format!("the loss of step {step} is ")), "{line}");
    }
    // The other steps are not replayed; only `rerun` finds a change there.
    let mut changed = stated.clone();
    changed[11] *= 0.9;
    with_losses(&bundle, &changed, "replay", 0);
    let done = with_losses(&bundle, &changed, "rerun", 1);
    assert!(done.out.contains("rerun     FAILED       long: epoch 1: training loss "), "{}", done.out);
}

#[test]
fn a_loss_that_its_epoch_does_not_fit_fails_with_file_epoch_and_both_values() {
    let (_home, bundle) = honest();
    let epochs = bundle.json("results.json")["runs"]["long"]["seeds"][0]["epochs"].clone();
    let mut changed = losses(&bundle, "long");
    changed[12] = 5.0;
    bundle.write("losses/long.f32", write_losses(&changed));
    bundle.run("render", &[]).exits(0);
    let done = verify(&bundle, &["--upto", "exact"]).exits(1);
    let line = done.out.lines().find(|line| line.starts_with("exact")).unwrap();
    assert!(line.contains("losses/long.f32: epoch 2: the mean of its batches is "), "{line}");
    assert!(line.contains(&format!("results.json has a training loss of {}", epochs[1]["train_loss"])), "{line}");
}

#[test]
fn the_losses_of_every_batch_are_in_lean_zips_too() {
    let (_home, bundle) = honest();
    bundle.run("publish", &["--lean"]).exits(0);
    on_paths("verify", &["--upto", "metrics"], &[&bundle.zip()]).exits(0);
    let done = on_paths("verify", &["--json", "--upto", "rerun", "--runs", "cheap"], &[&bundle.zip()]).exits(2);
    assert_eq!(trainings(&json_of(&done), "rerun"), proofs(&[("cheap", "whole")]));
}

/// A last segment with its original hashes does not fit at an earlier step, although order, schedule and masks are the
/// same in every epoch.
#[test]
fn the_end_of_a_longer_training_does_not_fit_into_a_shorter_one() {
    let (_home, short) = honest();
    let long = shared_bundle(&without_bare().replace("loss: 0.4", "loss: 0.2"));
    let of = |bundle: &Bundle| bundle.json("results.json")["runs"]["long"]["seeds"][0].clone();
    let (a, b) = (of(&short), of(&long));
    let last = |seed: &Value| seed["chain"].as_array().unwrap().last().unwrap().clone();
    assert_ne!(last(&a)["step"], last(&b)["step"]);
    for file in ["weights/long.safetensors", "predictions/long.idx1-ubyte"] {
        short.write(file, long.bytes(file));
    }
    let rename =
        |name: &str| name.replace(&format!("step{}/", last(&b)["step"]), &format!("step{}/", last(&a)["step"]));
    let tensors = mnist_report::tensors::from_safetensors(&long.bytes("evidence/long.safetensors")).unwrap();
    let tensors: Vec<_> =
        tensors.into_iter().map(|t| mnist_report::tensors::NamedTensor { name: rename(&t.name), ..t }).collect();
    short.write("evidence/long.safetensors", mnist_report::tensors::to_safetensors(&tensors));
    short.change_json("results.json", |results| {
        results["digits"] = long.json("results.json")["digits"].clone();
        let seed = &mut results["runs"]["long"]["seeds"][0];
        for key in ["weights_sha256", "confusion", "misread", "test_loss", "notes_loss"] {
            seed[key] = b[key].clone();
        }
        seed["epochs"].as_array_mut().unwrap().last_mut().unwrap()["test"] =
            b["epochs"].as_array().unwrap().last().unwrap()["test"].clone();
        let end = seed["chain"].as_array_mut().unwrap().last_mut().unwrap();
        (end["start_sha256"], end["end_sha256"]) = (last(&b)["start_sha256"].clone(), last(&b)["end_sha256"].clone());
    });
    short.run("render", &[]).exits(0);
    let done = verify(&short, &[]).exits(1);
    let line = done.out.lines().find(|line| line.starts_with("replay")).unwrap();
    let told = ["its start in the chain has the SHA-256 ", ", the stored state gives "];
    assert!(told.iter().all(|part| line.contains(part)), "{}", done.out);
}

/// With all trained again, nothing that a lean zip states of the files that it leaves out is open.
#[test]
fn rerun_compares_what_a_lean_zip_shows_of_the_files_that_it_leaves_out() {
    let lean = || {
        let bundle = copy();
        for folder in ["weights", "evidence"] {
            std::fs::remove_dir_all(bundle.path.join(folder)).unwrap();
        }
        bundle
    };
    let rerun = |bundle: &Bundle| verify(bundle, &["--upto", "rerun"]);
    let honest = lean();
    rerun(&honest).exits(0);
    let told = "not checked: the weights of first convolutions in figures, because weights/ was left out";
    assert!(verify(&honest, &["--upto", "metrics"]).exits(0).out.contains(told));

    // Kernels that no network has.
    let kernels = lean();
    kernels.change_json("results.json", |results| {
        let filters = &mut results["filters"]["small"];
        let weights = filters["weights"].as_str().unwrap();
        // Another letter of base64 in the first byte.
        let first = if weights.starts_with('A') { 'B' } else { 'A' };
        filters["weights"] = format!("{first}{}", &weights[1..]).into();
    });
    kernels.run("render", &[]).exits(0);
    verify(&kernels, &["--upto", "metrics"]).exits(0);
    let out = rerun(&kernels).exits(1).out;
    assert!(out.contains("small.seed1: results.json: filters.small.weights: "), "{out}");

    // A figure less than the study shows.
    let less = lean();
    less.change_json("results.json", |results| drop(results["filters"].as_object_mut().unwrap().shift_remove("small")));
    less.run("render", &[]).exits(0);
    let out = verify(&less, &["--upto", "metrics"]).exits(1).out;
    assert!(out.contains("what the study shows has small, results.json: filters does not"), "{out}");

    // Hashes and sizes of files that were never there.
    let sums = lean();
    let listed = sums.text("SHA256SUMS");
    let other = |line: &str| {
        if line.contains(" evidence/") { format!("{}{}\n", "ab".repeat(32), &line[64..]) } else { format!("{line}\n") }
    };
    sums.write("SHA256SUMS", listed.lines().map(other).collect::<String>());
    sums.run("render", &[]).exits(0);
    let out = rerun(&sums).exits(1).out;
    assert!(out.contains(".safetensors has the SHA-256 abababababab, its training gives "), "{out}");
    let sizes = lean();
    sizes.change_json("ro-crate-metadata.json", |metadata| {
        let entities = metadata["@graph"].as_array_mut().unwrap();
        let evidence = |entity: &&mut Value| entity["@id"].as_str().unwrap().starts_with("evidence/");
        entities.iter_mut().filter(evidence).for_each(|entity| entity["contentSize"] = "7".into());
    });
    sizes.run("render", &[]).exits(0);
    let out = rerun(&sizes).exits(1).out;
    assert!(out.contains(".safetensors is listed with 7 bytes, its training gives "), "{out}");
}
