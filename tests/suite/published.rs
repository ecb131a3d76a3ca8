//! The reports in reports/published are what this version of the program makes of their results.

use std::fs;
use std::path::PathBuf;

use mnist_report::study::Source;

use crate::support::*;

fn published() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("reports/published")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).collect()
}

/// If this fails after a change of the page, run `make published`.
#[test]
fn each_is_verified_and_renders_to_the_same_bytes() {
    let all = published();
    assert!(all.len() >= 2, "{all:?}");
    for path in all {
        let done = Bundle::at(path.clone()).run("verify", &["--upto", "metrics"]).exits(0);
        for rung in ["files", "inputs", "exact", "render", "metrics"] {
            assert!(
                done.out.lines().any(|line| line.starts_with(&format!("{rung:<9} passed"))),
                "{path:?}: {}",
                done.out
            );
        }
    }
}

/// They are for reading in the repository, so weights and evidence are left out.
#[test]
fn each_is_lean_and_its_study_is_that_of_the_repository() {
    for path in published() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let study = Source::load(&root().join("reports").join(format!("{name}.yaml"))).unwrap();
        assert!(fs::read_to_string(path.join("study.yaml")).unwrap() == study.yaml, "{name}: publish it again");
        assert!(!path.join("weights").exists() && !path.join("evidence").exists(), "{name}");
        for (file, bytes) in read_folder(&path) {
            assert!(bytes.len() < 1_000_000, "{name}/{file}: {} bytes", bytes.len());
        }
    }
}

#[test]
fn the_study_in_the_readme_is_complete() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let yaml = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("my-study.yaml");
    fs::write(&study, yaml).unwrap();
    let done = run(program(["summary"]).arg(&study)).exits(0);
    assert!(done.out.contains("1 run, 1 training: slim-bn\n"), "{}", done.out);
}

#[test]
fn the_readme_shows_the_report_id_of_the_coursework() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let id = Bundle::at(root().join("reports/published/coursework")).report_id();
    assert!(readme.contains(&format!("\n`{id}`\n")), "publish it again");
    assert!(readme.lines().count() < 150, "{} lines", readme.lines().count());
}
