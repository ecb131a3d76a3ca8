//! Forgeries: a bundle is changed and its sums are updated, so that only a higher rung can find the change.
//!
//! `forgeries` has the table. Rungs that compute are checked by the program itself, the cheaper ones in this process,
//! because starting the program takes longer.

pub mod forgeries;

use forgeries::FORGERIES;
#[cfg(feature = "tch")]
use mnist_report::build::{Job, Listener, Request, Timing};
use mnist_report::compute::DeviceChoice;
#[cfg(feature = "tch")]
use mnist_report::compute::{self, Device};
use mnist_report::demo::Honest;
#[cfg(feature = "tch")]
use mnist_report::results::{EpochResult, SeedEnd};
#[cfg(feature = "tch")]
use mnist_report::training::TrainingObserver;
use mnist_report::verify::{Rung, verify};
use serde_json::{Value, json, to_value};

use crate::support::*;

/// Exit code and result, in the form of `--json`.
fn verified(bundle: &Bundle, upto: Rung) -> (i32, Value) {
    if upto < Rung::Weights {
        let verification = verify(&bundle.path, Some(upto), DeviceChoice::Cpu).unwrap();
        return (verification.exit_code().status().into(), to_value(&verification).unwrap());
    }
    let done = bundle.run("verify", &["--json", "--upto", upto.name()]);
    (done.code, serde_json::from_str(&done.out).unwrap())
}

/// Tries the forgeries whose first rung to fail is one of these.
fn try_those_found_by(rungs: &[Rung]) {
    let mut wrong = Vec::new();
    let mut tried = 0;
    let honest = Honest::open(&shared().0.path, DeviceChoice::Cpu, None).unwrap();
    for forgery in FORGERIES.iter().filter(|f| rungs.contains(&f.fails[0])) {
        let mut draft = honest.draft();
        (forgery.change)(&mut draft);
        draft.redo(forgery.redo).unwrap_or_else(|e| panic!("{}: {e}", forgery.what));
        let home = tempfile::tempdir().unwrap();
        let bundle = Bundle::at(home.path().join("bundle"));
        draft.save(&bundle.path).unwrap();
        assert_ne!(bundle.report_id(), shared().0.report_id(), "{}: nothing was changed", forgery.what);
        let (code, value) = verified(&bundle, *forgery.fails.last().unwrap());
        let mut right = code == 1;
        let mut met = false;
        for step in value["steps"].as_array().unwrap() {
            let must_fail = forgery.fails.iter().any(|rung| step["rung"] == rung.name());
            met |= must_fail;
            // Above the first rung that must fail, others may fail too.
            right &= if must_fail { step["status"] == "failed" } else { met || step["status"] == "passed" };
        }
        if !right {
            wrong.push(format!("{}: {:?} must fail, but (exit code {code}): {value:#}", forgery.what, forgery.fails));
        }
        tried += 1;
    }
    assert!(tried > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn found_by_inputs() {
    try_those_found_by(&[Rung::Inputs]);
}

#[test]
fn found_by_exact() {
    try_those_found_by(&[Rung::Exact]);
}

#[test]
fn found_by_render() {
    try_those_found_by(&[Rung::Render]);
}

#[test]
fn found_by_metrics() {
    try_those_found_by(&[Rung::Metrics]);
}

#[test]
fn found_by_rungs_that_compute() {
    try_those_found_by(&[Rung::Weights, Rung::Replay, Rung::Rerun]);
}

#[test]
fn a_bundle_of_another_program_is_not_checked_by_rendering() {
    let bundle = copy();
    bundle.change_json("manifest.json", |m| m["program"]["source_sha256"] = json!("0".repeat(64)));
    bundle.redo_sums();
    let (code, value) = verified(&bundle, Rung::Metrics);
    let statuses: Vec<&Value> = value["steps"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert_eq!(statuses[..5], ["passed", "passed", "passed", "not_checked", "passed"]);
    assert_eq!(code, 2, "a rung that was not checked has not passed");
    // The first of few differences is shown, for a reader to judge.
    bundle.replace("report.html", "Tiny study", "Fine study");
    bundle.redo_sums();
    let out = bundle.run("verify", &["--upto", "render"]).exits(2).out;
    assert!(out.contains("; report.html says Fine, this program gives Tiny (line "), "{out}");
}

#[test]
fn words_in_a_bundle_cannot_look_like_lines_of_the_result() {
    let bundle = copy();
    // The name of another program, as the manifest gives it, is printed.
    bundle.change_json("manifest.json", |m| {
        m["program"]["source_sha256"] = json!("0".repeat(64));
        m["program"]["version"] = json!("9\nexact     passed       all\nrender    passed       all\u{1b}[8m");
    });
    bundle.redo_sums();
    let done = bundle.run("verify", &["--upto", "render"]).exits(2);
    for rung in ["exact", "render"] {
        assert_eq!(done.out.lines().filter(|line| line.starts_with(rung)).count(), 1, "{}", done.out);
    }
    assert!(!done.out.lines().any(|line| line.starts_with("render    passed")), "{}", done.out);
}

#[test]
fn dates_must_be_valid() {
    let bundle = built(MINI);
    for (date, code) in
        [("2026-01-31", 0), ("2026", 0), ("2026-01", 1), ("2026-02-31", 1), ("2026-01-31. Verified by Prof. X", 1)]
    {
        bundle.change_json("manifest.json", |m| m["date"] = json!(date));
        bundle.run("render", &[]);
        bundle.change_json("manifest.json", |m| m["date"] = json!(date));
        bundle.redo_sums();
        assert_eq!(verified(&bundle, Rung::Inputs).0, code, "{date}");
    }
}

/// What a forger adds is not read, but the rest is, and still shows whose bundle was copied.
#[test]
fn what_is_too_large_or_too_deep_hides_no_likeness() {
    let (large, deep) = (copy(), copy());
    std::fs::File::create(large.path.join("study.yaml")).unwrap().set_len((4 << 20) + 1).unwrap();
    std::fs::File::create(large.path.join("weights/x.safetensors")).unwrap().set_len(3 << 30).unwrap();
    std::fs::create_dir_all(deep.path.join("a/b/c/d/e/f")).unwrap();
    let honest = &shared().0;
    let paths = [&*honest.path, &*large.path, &*deep.path];
    let done = on_paths("verify", &["--json", "--upto", "metrics"], &paths).exits(1);
    let records: Value = serde_json::from_str(&done.out).unwrap();
    for record in &records.as_array().unwrap()[1..] {
        assert_eq!(record["steps"][0]["status"], "failed", "{record}");
        assert_eq!(record["same_stated_report_id_as"][0], honest.name(), "{record}");
    }
}

#[test]
fn missing_evidence_fails_replay() {
    let bundle = copy();
    std::fs::remove_dir_all(bundle.path.join("evidence")).unwrap();
    bundle.redo_sums();
    bundle.run("render", &[]).exits(0);
    let done = bundle.run("verify", &[]).exits(1);
    assert!(done.out.lines().any(|line| line.starts_with("replay    FAILED")), "{}", done.out);
}

/// Tolerances are for libtorch on a GPU: whoever claims another arithmetic is not checked, and gets no room for other results.
#[test]
fn results_of_another_arithmetic_are_not_held_to_tolerances() {
    let bundle = copy();
    bundle.change_json("results.json", |results| results["environment"]["arithmetic"] = json!(99));
    bundle.change_json("manifest.json", |manifest| manifest["environment"]["arithmetic"] = json!(99));
    bundle.redo_sums();
    let done = bundle.run("verify", &["--upto", "rerun"]);
    assert!(!done.out.contains("held to tolerances"), "{}", done.out);
    for rung in ["weights", "replay", "rerun"] {
        let line = done.out.lines().find(|line| line.starts_with(rung)).unwrap_or_default();
        assert!(line.contains("not checked"), "{rung}: {}", done.out);
    }
}

/// A bundle of another environment is checked with tolerances. libtorch on the CPU plays the part of a GPU.
#[cfg(feature = "tch")]
#[test]
fn a_bundle_of_another_environment_is_checked_within_the_tolerances() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    std::fs::write(&study, MINI).unwrap();
    let out = home.path().join("mini");
    let request = Request {
        study: &study,
        out: Some(&out),
        device: DeviceChoice::Cpu,
        data: None,
        languages: None,
        fresh: true,
        cache: None,
        only: &[],
        jobs: 1,
    };
    compute::provide_libtorch(&crate::engine::LIBTORCH);
    Job::prepare_on(&request, |_, _| Device::libtorch_on_cpu()).unwrap().run(&mut Silent).unwrap();
    let bundle = Bundle::at(out);
    let honest = bundle.json("results.json")["runs"]["single"]["seeds"][0]["epochs"][0]["train_loss"].as_f64().unwrap();
    let told = |times: f64, code: i32, line: &str| {
        bundle.change_json("results.json", |results| {
            results["runs"]["single"]["seeds"][0]["epochs"][0]["train_loss"] = json!(honest * times);
        });
        bundle.run("render", &[]).exits(0);
        let done = bundle.run("verify", &["--upto", "rerun"]).exits(code);
        assert!(done.out.contains(line), "{}", done.out);
    };
    told(1.0, 0, "another environment: held to tolerances, largest differences: accuracy 0.00 points, loss");
    // The batches' losses give the epoch's loss without rounding, so no tolerance hides a false one.
    told(0.999, 1, "losses/single.f32: epoch 1: the mean of its batches is");
}

#[cfg(feature = "tch")]
struct Silent;

#[cfg(feature = "tch")]
impl TrainingObserver for Silent {
    fn step(&mut self, _: usize, _: usize, _: usize) {}
    fn epoch(&mut self, _: &EpochResult) {}
}

#[cfg(feature = "tch")]
impl Listener for Silent {
    fn seed_started(&mut self, _: &str, _: u64) {}
    fn seed_finished(&mut self, _: &Timing, _: &SeedEnd) {}
    fn note(&mut self, _: &str) {}
}
