//! `verify` on several bundles: a grader's batch.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::bundles::{build, copy, error, run, text, tiny};

#[test]
fn a_copied_run_is_pointed_out_and_nothing_stops_the_batch() {
    let (_a, copied) = build("mine", &[("title: Tiny study", "title: \"My\\tstudy\""), ("A. Student", "B. Other")]);
    let (_b, broken) = copy(tiny(), "broken");
    fs::write(broken.join("report.md"), "better").unwrap();
    let lean = broken.with_file_name("lean.zip");
    assert_eq!(run(&["publish", "--lean", text(tiny()), "--out", text(&lean)]).1, 0);
    let missing = Path::new("/no/such/bundle");
    let paths = [text(tiny()), text(missing), text(&copied), text(&broken)];

    let (out, code) = run(&[["verify", "--upto", "metrics"].as_slice(), &paths].concat());
    assert_eq!(code, 1, "a difference is worse than what could not be checked: {out}");
    let line = |start: &str| out.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start}: {out}"));
    assert!(line(&format!("{}: ", missing.display())).contains("cannot be checked: cannot read"), "{out}");
    assert!(line(&format!("{}: ", broken.display())).contains("`files` FAILED: report.md was changed"), "{out}");
    let row = line(&format!("{}  ", copied.display()));
    assert!(row.contains("My study") && row.contains("5 passed") && row.contains("portable, 4 threads"), "{row}");
    let same = line("The same measured values under different Report IDs: ");
    assert!(same.contains(text(tiny())) && same.contains(text(&copied)), "{out}");

    let (out, code) = run(&[["verify", "--json", "--upto", "metrics"].as_slice(), &paths].concat());
    assert_eq!(code, 1);
    let records: Value = serde_json::from_str(&out).expect("one document");
    let codes: Vec<_> = records.as_array().unwrap().iter().map(|r| r["exit_code"].as_u64().unwrap()).collect();
    assert_eq!(codes, [0, 2, 0, 1]);
    assert!(records[1]["error"].as_str().unwrap().contains("/no/such/bundle"));
    assert_eq!(records[2]["same_measured_as"][0], text(tiny()));
    assert_eq!(records[0]["same_measured_as"][0], text(&copied));
    assert_ne!(records[0]["report_id"], records[2]["report_id"]);
    assert_eq!(records[0]["measured_digest"], records[2]["measured_digest"]);
    assert_eq!(records[3]["same_report_id_as"][0], text(tiny()), "its SHA256SUMS is the other's");

    let (out, _) = run(&["verify", text(tiny()), text(&lean)]);
    assert!(out.contains(&format!("\n{}: 5 passed, 2 not checked: weights, replay\n", text(&lean))), "{out}");

    let (out, code) = run(&["verify", "--upto", "files", text(tiny()), text(missing)]);
    assert_eq!(code, 2, "{out}");
}

#[test]
fn a_run_whose_losses_were_changed_is_pointed_out_too() {
    let (_a, changed) = copy(tiny(), "changed");
    let results = fs::read_to_string(changed.join("results.json")).unwrap();
    let loss = results.lines().find(|line| line.contains("\"train_loss\"")).unwrap();
    fs::write(changed.join("results.json"), results.replacen(loss, "\"train_loss\": 2.5,", 1)).unwrap();
    run(&["render", text(&changed)]);
    let (out, _) = run(&["verify", "--upto", "files", text(tiny()), text(&changed)]);
    let told = format!("The same predictions under different measured values: {}, {}", text(tiny()), text(&changed));
    assert!(out.contains(&told) && !out.contains("The same measured"), "{out}");
}

#[test]
fn a_files_name_is_no_line_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let evil = folder.path().join("a.zip: 7 passed\n\u{1b}[8mb.zip");
    fs::write(&evil, "no zip").unwrap();
    let (out, code) = run(&["verify", text(&evil), text(&evil)]);
    assert_eq!(code, 2, "{out}");
    assert!(!out.contains('\u{1b}') && !out.lines().any(|line| line.ends_with("7 passed")), "{out}");
}

#[test]
fn one_path_gives_one_object() {
    let (out, code) = run(&["verify", "--json", "--upto", "files", text(tiny())]);
    assert_eq!(code, 0);
    let record: Value = serde_json::from_str(&out).expect("one document");
    assert_eq!(record["steps"][0]["status"], "passed");
    assert_eq!(record["title"], "Tiny study");
    assert_eq!(record["environment"]["class"], "portable");
    let (_, code) = error(&["verify", "--json", "/no/such/bundle"]);
    assert_eq!(code, 2);
}
