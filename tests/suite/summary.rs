//! `summary` prints parameters, shapes and sizes, without data or training.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::*;

fn coursework(arguments: &[&str]) -> Value {
    let study = root().join("reports/coursework.yaml");
    let done = run(program(["summary", "--json"]).args(arguments).arg(study)).exits(0);
    assert_eq!(done.err, "");
    serde_json::from_str::<Value>(&done.out).unwrap()["models"].take()
}

#[test]
fn the_trainings_are_the_seeds_of_all_runs() {
    let done = run(program(["summary", "--json"]).arg(tiny())).exits(0);
    let facts: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(facts["trainings"], json!(["small.seed1", "small.seed2", "small-bn", "stops"]));
    let lines = run(program(["summary", "--trainings"]).arg(tiny())).exits(0).out;
    assert_eq!(lines, "small.seed1\nsmall.seed2\nsmall-bn\nstops\n");
}

fn layer<'a>(model: &'a Value, name: &str) -> &'a Value {
    model["layers"].as_array().unwrap().iter().find(|l| l["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn counts_shapes_and_sizes_of_the_coursework() {
    let facts = coursework(&[]);
    for (name, parameters, total) in
        [("baseline", 1_200_074, None), ("slim", 338_058, Some(2.20)), ("slim-bn", 338_442, Some(3.10))]
    {
        let model = &facts[name];
        assert_eq!(model["parameters"], parameters, "{name}");
        if let Some(total) = total {
            let found = model["sizes"]["torchsummary"]["total"].as_f64().unwrap();
            assert_eq!(format!("{found:.2}"), format!("{total:.2}"), "{name}");
            let found = model["sizes"]["torchsummary"]["params"].as_f64().unwrap();
            assert_eq!(format!("{found:.2}"), "1.29", "{name}");
        }
        let sum: u64 = model["layers"].as_array().unwrap().iter().map(|l| l["parameters"].as_u64().unwrap()).sum();
        assert_eq!(sum, parameters);
    }
    let slim = &facts["slim-bn"];
    assert_eq!(layer(slim, "conv1")["output_shape"], json!([128, 64, 26, 26]));
    let counts =
        ["conv1", "bn1", "conv2", "bn2", "fc1", "fc2"].map(|name| layer(slim, name)["parameters"].as_u64().unwrap());
    assert_eq!(counts, [640, 128, 73_856, 256, 262_272, 1_290]);
    assert_eq!(["bn1", "bn2"].map(|name| layer(slim, name)["buffers"].as_u64().unwrap()), [128, 256]);
}

#[test]
fn the_text_is_the_same_in_every_folder() {
    let home = tempfile::tempdir().unwrap();
    let study = root().join("reports/coursework.yaml");
    let elsewhere = run(program(["summary"]).arg(study).current_dir(home.path())).exits(0);
    let here = run(program(["summary"]).current_dir(root())).exits(0);
    assert_eq!(elsewhere.out, here.out);
    // This program finds the study of its repository; `build` would take minutes for it.
    let without_a_name = run(program(["summary"]).current_dir(home.path())).exits(0);
    assert_eq!(without_a_name.out, here.out);
    let advice = "then run `mnist-report build my-study.yaml`";
    run(program(["build"]).current_dir(home.path())).refused(&["no study is named", advice]);
    for number in [
        "1,200,074",
        "338,058",
        "338,442",
        "total 2.20",
        "total 3.10",
        "[128, 64, 26, 26]",
        "(3·3·64 + 1)·128",
        "73,856",
    ] {
        assert!(here.out.contains(number), "{number}");
    }
    assert_eq!(names(home.path()).len(), 0);
}

#[test]
fn one_model_alone() {
    let only = coursework(&["--model", "slim"]);
    assert_eq!(only.as_object().unwrap().keys().collect::<Vec<_>>(), ["slim"]);
    assert_eq!(only["slim"], coursework(&[])["slim"]);
    run(&mut program(["summary", "--model", "huge"])).refused(&["huge", "slim-bn"]);
    run(&mut program(["summary", "--json", "--model", ""])).refused(&["slim-bn"]);
}

#[test]
fn it_takes_less_than_a_second_and_no_data() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("nowhere.yaml");
    fs::write(&study, format!("data: /nonexistent\n{}", tiny_text())).unwrap();
    // Try again if a busy machine was slow once.
    let fast = (0..4).any(|_| {
        let start = Instant::now();
        run(program(["summary"]).arg(&study)).exits(0);
        start.elapsed() < Duration::from_secs(1)
    });
    assert!(fast);
}

#[test]
fn the_last_line_counts_runs_and_trainings() {
    let last = |study: &std::path::Path| {
        let out = run(program(["summary"]).arg(study)).exits(0).out;
        out.lines().last().unwrap().to_owned()
    };
    assert_eq!(last(&tiny()), "3 runs, 4 trainings: small, small-bn, stops");
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    let runs: Vec<String> = (1..=14).map(|i| format!("r{i}: {{model: only}}")).collect();
    fs::write(&study, MINI.replace("single: {model: only}", &runs.join(", "))).unwrap();
    let names: Vec<String> = (1..=12).map(|i| format!("r{i}")).collect();
    assert_eq!(last(&study), format!("14 runs, 14 trainings: {} and 2 more", names.join(", ")));
}

#[test]
fn a_size_below_a_hundredth_has_digits() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    fs::write(&study, MINI).unwrap();
    let out = run(program(["summary"]).arg(&study)).exits(0).out;
    assert_eq!(out.matches("forward and backward 0.0001, ").count(), 2, "{out}");
    let report = built(MINI).text("report.md");
    assert!(report.contains(" torchsummary | 0.0030 | 0.0001 |"), "{report}");
}

/// As `build` does.
#[test]
fn a_missing_image_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    fs::write(&study, format!("{MINI}description: \"![A board](board.png)\"\n")).unwrap();
    for arguments in [&["summary"][..], &["summary", "--json"]] {
        run(program(arguments).arg(&study)).refused(&["study.yaml:", "description: image `board.png` cannot be read"]);
    }
}
