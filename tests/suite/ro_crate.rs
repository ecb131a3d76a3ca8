//! ro-crate-metadata.json: what it says is so, and the validator takes it.

use std::fs;
use std::path::Path;
use std::process::Command;

use mnist_report::digest::sha256_hex;
use serde_json::Value;

use super::bundles::{build, copy, edit, files, reseal, run, text, tiny};

fn graph(bundle: &Path) -> Vec<Value> {
    let metadata: Value = serde_json::from_slice(&fs::read(bundle.join("ro-crate-metadata.json")).unwrap()).unwrap();
    metadata["@graph"].as_array().unwrap().clone()
}

fn entity<'a>(graph: &'a [Value], id: &str) -> &'a Value {
    graph.iter().find(|e| e["@id"] == id).unwrap_or_else(|| panic!("{id} is described"))
}

fn ids(references: &Value) -> Vec<String> {
    references.as_array().unwrap().iter().map(|r| r["@id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_file_is_listed_as_it_is() {
    let graph = graph(tiny());
    let mut expected = files(tiny());
    for volatile in ["run-log.json", "ro-crate-metadata.json"] {
        expected.remove(volatile).expect("it is there");
    }
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
fn without_date_and_licence_it_says_so() {
    let (_keep, undated) = build("undated", &[("date: 2024-05-06\n", "")]);
    let undated_graph = graph(&undated);
    let root = entity(&undated_graph, "./");
    assert_eq!(root["datePublished"], "1980-01-01");
    assert!(root["description"].as_str().unwrap().contains("carries no date"));
    assert_eq!(entity(&undated_graph, "#license")["name"], "No licence stated");
    let (_keep_too, licensed) = build(
        "licensed",
        &[("date: 2024-05-06", "date: 2024-05-06\nlicense: https://creativecommons.org/licenses/by/4.0/")],
    );
    let graph = graph(&licensed);
    assert_eq!(entity(&graph, "./")["license"]["@id"], "https://creativecommons.org/licenses/by/4.0/");
    validate(&[&undated, &licensed]);
}

#[test]
fn a_forged_crate_fails_to_render() {
    let (_keep, bundle) = copy(tiny(), "forged");
    edit(&bundle, "ro-crate-metadata.json", "A. Student", "A. Forger");
    reseal(&bundle);
    let (out, code) = run(&["verify", "--upto", "render", text(&bundle)]);
    assert!(code == 1 && out.contains("render    FAILED       ro-crate-metadata.json is not what"), "{out}");
}

#[test]
fn the_validator_takes_it() {
    validate(&[tiny()]);
}

/// Runs scripts/validate-crate.sh where it has installed the validator before; a test installs nothing.
fn validate(bundles: &[&Path]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("target/validate-crate/stamp").exists() {
        eprintln!("skipped: the RO-Crate validator is not installed; scripts/validate-crate.sh BUNDLE installs it");
        return;
    }
    let output = Command::new(root.join("scripts/validate-crate.sh")).args(bundles).output().expect("bash starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
