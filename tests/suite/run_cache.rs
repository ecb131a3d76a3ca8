//! The run cache: what a later build takes from it, and what that build trains again.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::*;

fn kept(bundle: &Bundle) -> Vec<String> {
    bundle.kept().iter().map(|(run, kept)| format!("{run} {}", if *kept { "kept" } else { "trained" })).collect()
}

#[test]
fn a_second_build_trains_nothing_and_a_fresh_one_everything() {
    let bundle = copy();
    assert_eq!(kept(&bundle), ["small.seed1 trained", "small.seed2 trained", "small-bn trained", "stops trained"]);
    let done = run(&mut build(&tiny(), &bundle.path)).exits(0);
    assert_eq!(kept(&bundle), ["small.seed1 kept", "small.seed2 kept", "small-bn kept", "stops kept"]);
    assert_eq!(done.report_id(), shared().0.report_id());
    assert!(bundle.identity() == shared().0.identity());
}

#[test]
fn fresh_ignores_the_run_cache() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    let bundle = Bundle::at(home.path().join("mini"));
    for (arguments, expected) in [(&[][..], "trained"), (&[], "kept"), (&["--fresh"], "trained"), (&[], "kept")] {
        run(build(&study, &bundle.path).args(arguments)).exits(0);
        assert_eq!(kept(&bundle), [format!("single {expected}")], "{arguments:?}");
    }
}

#[test]
fn changed_texts_train_nothing() {
    let bundle = copy();
    let study = bundle.path.with_file_name("reworded.yaml");
    let words = [
        ("title: Tiny study", "title: Another title"),
        ("A. Student", "B. Student"),
        ("quote: better than chance", "quote: better than a coin"),
        ("Yes, it gets", "Indeed, it gets"),
        ("title: Small with batch normalisation", "title: Normalised"),
        ("{title: Without,", "{title: Plain,"),
        ("{chance: 0.1}", "{chance: 0.2}"),
    ];
    let text = words.iter().fold(tiny_text(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    fs::write(&study, text).unwrap();
    let done = run(&mut build(&study, &bundle.path)).exits(0);
    assert!(bundle.kept().iter().all(|(_, kept)| *kept), "{:?}", kept(&bundle));
    assert_ne!(done.report_id(), shared().0.report_id(), "it is another report");
    assert_eq!(bundle.bytes("results.json"), shared().0.bytes("results.json"), "with the same results");
    for name in ["report.md", "report.html"] {
        let text = bundle.text(name);
        assert!(text.contains("Another title") && text.contains("B. Student"), "{name}");
        assert!(!text.contains("Tiny study"), "{name}");
    }
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
}

#[test]
fn another_folder_language_or_study_file_trains_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    for study in ["mini.yaml", "renamed.yaml"] {
        fs::write(path(study), MINI).unwrap();
    }
    for (study, out, arguments, expected) in [
        ("mini.yaml", "mini", &[][..], "trained"),
        ("mini.yaml", "elsewhere", &[], "kept"),
        ("mini.yaml", "mini", &["--lang", "uk"], "kept"),
        ("renamed.yaml", "renamed", &[], "kept"),
    ] {
        // The user's cache, as the system names it.
        let mut command = build(&path(study), &path(out));
        command.args(arguments).env_remove("MNIST_REPORT_CACHE").env("XDG_CACHE_HOME", path("caches"));
        run(&mut command).exits(0);
        assert_eq!(kept(&Bundle::at(path(out))), [format!("single {expected}")], "{study} {out} {arguments:?}");
    }
    assert_eq!(names(&path("caches")), ["mnist-report"]);
}

#[test]
fn without_a_usable_cache_folder_runs_are_kept_beside_the_bundle() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    let bundle = Bundle::at(home.path().join("mini"));
    for expected in ["trained", "kept"] {
        run(build(&study, &bundle.path).env("MNIST_REPORT_CACHE", "/dev/null/runs")).exits(0);
        assert_eq!(kept(&bundle), [format!("single {expected}")]);
    }
    assert_eq!(names(home.path()), [".mini.runs", "mini", "mini.yaml"]);
}

#[test]
fn only_what_changed_is_trained() {
    let bundle = copy();
    let study = bundle.path.with_file_name("changed.yaml");
    fs::write(&study, tiny_text().replace("seeds: [1, 2]}", "seeds: [1]}")).unwrap();
    run(&mut build(&study, &bundle.path)).exits(0);
    assert_eq!(kept(&bundle), ["small kept", "small-bn kept", "stops kept"]);
    assert!(!bundle.path.join("weights/small.seed2.safetensors").exists());
    assert_eq!(bundle.bytes("weights/small.safetensors"), shared().0.bytes("weights/small.seed1.safetensors"));
    // The cache still holds what that build did not use.
    run(&mut build(&tiny(), &bundle.path)).exits(0);
    assert_eq!(kept(&bundle), ["small.seed1 kept", "small.seed2 kept", "small-bn kept", "stops kept"]);
    assert_eq!(bundle.report_id(), shared().0.report_id());
}

#[test]
fn everything_that_changes_training_is_part_of_the_key() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    let bundle = Bundle::at(home.path().join("mini"));
    let build_with = |from: &str, to: &str| {
        assert!(MINI.contains(from), "{from}");
        fs::write(&study, MINI.replace(from, to)).unwrap();
        run(&mut build(&study, &bundle.path)).exits(0);
        bundle.kept()[0].1
    };
    for (from, to) in [
        ("epochs: 1", "epochs: 2"),
        ("batch_size: 50", "batch_size: 25"),
        ("lr: 0.1", "lr: 0.2"),
        ("seeds: [1]", "seeds: [2]"),
        ("first: 50", "random: 50"),
        ("{images: {first: 50}}", "{images: {first: 50}, order: as_stored}"),
        ("{out_features: 10}}", "{out_features: 10, bias: false}}"),
        ("title: Mini study", "input: {mean: 0.1307, std: 0.3081}\ntitle: Mini study"),
    ] {
        assert!(!build_with(from, to), "`{to}` must be trained");
        assert!(build_with(from, to), "`{to}` need not be trained twice");
    }
}

#[test]
fn a_damaged_cached_run_is_trained_again() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, MINI).unwrap();
    let bundle = Bundle::at(home.path().join("mini"));
    let id = run(&mut build(&study, &bundle.path)).exits(0).report_id();
    let runs = home.path().join(".mini.runs");
    let files = names(&runs);
    assert!(files.len() >= 3, "{files:?}");
    for name in files {
        let whole = fs::read(runs.join(&name)).unwrap();
        let mut changed = whole.clone();
        // Change a digit of a text, or any byte of a file without digits.
        let at = changed.iter().rposition(|byte| (b'1'..b'8').contains(byte) || *byte < 8).unwrap_or(0);
        changed[at] ^= 1;
        for damaged in [&changed[..], &whole[..whole.len() / 2], b""] {
            fs::write(runs.join(&name), damaged).unwrap();
            assert_eq!(run(&mut build(&study, &bundle.path)).exits(0).report_id(), id, "{name}");
            assert_eq!(kept(&bundle), ["single trained"], "{name}");
        }
    }
}

#[test]
fn an_interrupted_build_continues() {
    let home = tempfile::tempdir().unwrap();
    let bundle = Bundle::at(home.path().join("tiny"));
    let mut command = program(["build", "--device", "cpu", "--out"]);
    command.env("MNIST_REPORT_CACHE", runs_beside(&bundle.path));
    command.arg(&bundle.path).arg(tiny()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("small.seed1: ")), "the first run was finished");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bundle.path.exists(), "no half bundle");
    let done = run(&mut build(&tiny(), &bundle.path)).exits(0);
    assert!(bundle.kept()[0].1, "the finished run was not trained again");
    assert_eq!(done.report_id(), shared().0.report_id());
    assert_eq!(names(home.path()), [".tiny.runs", "tiny"]);
}
