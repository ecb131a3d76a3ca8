//! `verify` on several bundles, as a grader runs it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::*;

/// `verify` with some options on some paths, as a grader starts it.
fn verify(arguments: &[&str], paths: &[&Path]) -> Done {
    on_paths("verify", arguments, paths)
}

#[test]
fn a_copied_run_is_reported_and_an_error_does_not_stop_the_batch() {
    let copied = built_with(&[("title: Tiny study", "title: \"My\\tstudy\""), ("A. Student", "B. Other")]);
    let broken = copy();
    broken.write("report.md", "better");
    let lean = broken.path.with_file_name("lean.zip");
    let (tiny, _) = shared();
    tiny.run("publish", &["--lean", "--out", lean.to_str().unwrap()]).exits(0);
    let missing = Path::new("/no/such/bundle");
    let paths = [&*tiny.path, missing, &copied.path, &broken.path];

    let done = verify(&["--upto", "metrics"], &paths);
    let out = &done.out;
    assert_eq!(done.code, 1, "a difference is worse than what could not be checked: {out}");
    let line = |start: &str| out.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start}: {out}"));
    assert!(line(&format!("{}: ", missing.display())).contains("cannot be checked: cannot read"), "{out}");
    assert!(line(&format!("{}: ", broken.name())).contains("`files` FAILED: report.md was changed"), "{out}");
    let row = line(&format!("{}  ", copied.name()));
    assert!(row.contains("My study") && row.contains("5 passed") && row.contains("arithmetic 3"), "{row}");
    let same = line("The same measured values under different Report IDs: ");
    assert!(same.contains(tiny.name()) && same.contains(copied.name()), "{out}");

    let done = verify(&["--json", "--upto", "metrics"], &paths).exits(1);
    let records: Value = serde_json::from_str(&done.out).expect("one document");
    let codes: Vec<_> = records.as_array().unwrap().iter().map(|r| r["exit_code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [0, 2, 0, 1]);
    assert!(records[1]["error"].as_str().unwrap().contains("/no/such/bundle"));
    assert_eq!(records[2]["same_measured_as"][0], tiny.name());
    assert_eq!(records[0]["same_measured_as"][0], copied.name());
    assert_ne!(records[0]["report_id"], records[2]["report_id"]);
    assert_eq!(records[0]["measured_digest"], records[2]["measured_digest"]);
    assert_eq!(records[3]["same_report_id_as"][0], tiny.name(), "its SHA256SUMS is the other's");

    let out = verify(&[], &[&tiny.path, &lean]).out;
    assert!(out.contains(&format!("\n{}: 5 passed, 2 not checked: weights, replay\n", lean.display())), "{out}");

    verify(&["--upto", "files"], &[&tiny.path, missing]).exits(2);
}

#[test]
fn a_copied_run_with_changed_losses_is_reported() {
    let (tiny, changed) = (&shared().0, copy());
    let results = changed.text("results.json");
    let loss = results.lines().find(|line| line.contains("\"train_loss\"")).unwrap();
    changed.replace("results.json", loss, "\"train_loss\": 2.5,");
    changed.run("render", &[]);
    let out = verify(&["--upto", "files"], &[&tiny.path, &changed.path]).out;
    let told = format!("The same predictions under different measured values: {}, {}", tiny.name(), changed.name());
    assert!(out.contains(&told) && !out.contains("The same measured"), "{out}");
}

#[test]
fn a_file_name_cannot_add_a_line_to_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let evil = folder.path().join("a.zip: 7 passed\n\u{1b}[8mb.zip");
    fs::write(&evil, "no zip").unwrap();
    let out = verify(&[], &[&evil, &evil]).exits(2).out;
    assert!(!out.contains('\u{1b}') && !out.lines().any(|line| line.ends_with("7 passed")), "{out}");
}

#[test]
fn one_path_gives_one_object() {
    let done = shared().0.run("verify", &["--json", "--upto", "files"]).exits(0);
    let record: Value = serde_json::from_str(&done.out).expect("one document");
    assert_eq!(record["steps"][0]["status"], "passed");
    assert_eq!(record["title"], "Tiny study");
    assert_eq!(record["environment"]["arithmetic"], 3);
    verify(&["--json"], &[Path::new("/no/such/bundle")]).refused(&[]);
}
