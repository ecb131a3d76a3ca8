//! ro-crate-metadata.json describes the bundle correctly, and the RO-Crate validator accepts it.

use std::process::Command;

use mnist_report::digest::sha256_hex;
use serde_json::Value;

use crate::support::*;

fn graph(bundle: &Bundle) -> Vec<Value> {
    bundle.json("ro-crate-metadata.json")["@graph"].as_array().unwrap().clone()
}

fn entity<'a>(graph: &'a [Value], id: &str) -> &'a Value {
    graph.iter().find(|e| e["@id"] == id).unwrap_or_else(|| panic!("{id} is described"))
}

fn ids(references: &Value) -> Vec<String> {
    references.as_array().unwrap().iter().map(|r| r["@id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_file_is_listed_as_it_is() {
    let (tiny, _) = shared();
    let graph = graph(tiny);
    let mut expected = tiny.identity();
    expected.remove("ro-crate-metadata.json").expect("it is there");
    let mut listed = ids(&entity(&graph, "./")["hasPart"]);
    listed.sort();
    assert_eq!(listed, expected.keys().cloned().collect::<Vec<_>>());
    for (path, bytes) in expected.iter().filter(|(path, _)| *path != "SHA256SUMS") {
        let file = entity(&graph, path);
        assert_eq!(file["@type"], "File");
        assert_eq!(file["sha256"], sha256_hex(bytes));
        assert_eq!(file["contentSize"], bytes.len().to_string());
    }
    for reference in ["object", "result"] {
        for id in ids(&entity(&graph, "#build")[reference]) {
            entity(&graph, &id);
        }
    }
    let mnist = entity(&graph, "#mnist/train-images-idx3-ubyte");
    assert_eq!(mnist["sha256"], "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db");
    assert_eq!(entity(&graph, "./")["datePublished"], "2024-05-06");
}

#[test]
fn a_missing_date_or_licence_is_stated() {
    let undated = built_with(&[("date: 2024-05-06\n", "")]);
    let undated_graph = graph(&undated);
    let root = entity(&undated_graph, "./");
    assert_eq!(root["datePublished"], "1980-01-01");
    assert!(root["description"].as_str().unwrap().contains("carries no date"));
    assert_eq!(entity(&undated_graph, "#license")["name"], "No licence stated");
    let licensed =
        built_with(&[("date: 2024-05-06", "date: 2024-05-06\nlicense: https://creativecommons.org/licenses/by/4.0/")]);
    let graph = graph(&licensed);
    assert_eq!(entity(&graph, "./")["license"]["@id"], "https://creativecommons.org/licenses/by/4.0/");
    let of_a_year = built_with(&[("date: 2024-05-06", "date: 2024")]);
    assert_eq!(entity(&self::graph(&of_a_year), "./")["datePublished"], "2024");
    assert!(of_a_year.text("report.md").contains("2024"));
    run(Command::new("python3")
        .arg(crate::support::root().join("scripts/check.py"))
        .args(["--upto", "inputs"])
        .arg(&of_a_year.path))
    .exits(0);
    validate(&[&undated, &licensed, &of_a_year]);
}

#[test]
fn each_author_is_a_person() {
    let bundle = built_with(&[("author: A. Student", "author: [Ada L., 7, B. C.]")]);
    let graph = graph(&bundle);
    for (root, role) in [("./", "author"), ("#build", "agent")] {
        let persons = ids(&entity(&graph, root)[role]);
        let persons: Vec<&Value> = persons.iter().map(|id| entity(&graph, id)).collect();
        let names: Vec<&str> = persons.iter().map(|person| person["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Ada L.", "7", "B. C."], "{role}");
        assert!(persons.iter().all(|person| person["@type"] == "Person" && person["affiliation"]["@id"].is_string()));
    }
    assert!(bundle.text("report.md").contains("Authors: Ada L., 7, B. C."), "{}", bundle.text("report.md"));
    validate(&[&bundle]);
}

#[test]
fn a_forged_crate_fails_to_render() {
    let bundle = copy();
    bundle.replace_all("ro-crate-metadata.json", "A. Student", "A. Forger");
    bundle.redo_sums();
    let out = bundle.run("verify", &["--upto", "render"]).exits(1).out;
    assert!(
        out.contains(
            "render    FAILED       ro-crate-metadata.json says Forger, results.json and the study give Student"
        ),
        "{out}"
    );
}

#[test]
fn the_validator_accepts_it() {
    validate(&[&shared().0]);
}

#[test]
fn settings_of_pip_do_not_prevent_the_validators_install() {
    if !Command::new("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: python3 has no pip");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    copy_folder(&root().join("scripts"), &home.path().join("scripts"));
    for settings in [
        &[("PIP_REQUIRE_VIRTUALENV", "1")][..],
        &[("PIP_USER", "1")],
        &[("PIP_PREFIX", "/nowhere")],
        &[("PIP_TARGET", "/nowhere")],
        &[("PIP_REQUIRE_VIRTUALENV", "true"), ("PIP_USER", "yes")],
    ] {
        // Without an index, pip fails when it looks for the first package.
        let mut command = Command::new("bash");
        command.arg(home.path().join("scripts/validate-crate.sh")).arg("--install").env("PIP_NO_INDEX", "1");
        let done = Done::from(command.envs(settings.iter().copied()).output().unwrap()).exits(2);
        assert!(done.err.contains("No matching distribution found"), "{settings:?}: {}", done.err);
    }
}

/// Runs scripts/validate-crate.sh if the validator is installed already: a test installs nothing.
fn validate(bundles: &[&Bundle]) {
    if !root().join("target/validate-crate/stamp").exists() {
        eprintln!("skipped: the RO-Crate validator is not installed; scripts/validate-crate.sh BUNDLE installs it");
        return;
    }
    let output = Command::new(root().join("scripts/validate-crate.sh"))
        .args(bundles.iter().map(|bundle| &bundle.path))
        .output()
        .expect("bash starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
