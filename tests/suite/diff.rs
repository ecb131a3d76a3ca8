//! `diff`: what differs between two bundles, and what may explain it.

use serde_json::Value;

use super::bundles::{build, copy, edit, error, reseal, run, text, tiny};

/// The JSON of a diff of tiny's bundle with another.
fn diff(other: &std::path::Path) -> Value {
    let (out, code) = run(&["diff", "--json", text(tiny()), text(other)]);
    assert_eq!(code, 1);
    serde_json::from_str(&out).expect("one document")
}

fn keys(changes: &Value) -> Vec<&str> {
    changes.as_array().unwrap().iter().map(|c| c["what"].as_str().unwrap()).collect()
}

#[test]
fn a_bundle_and_its_zip_are_the_same() {
    let (_keep, bundle) = copy(tiny(), "tiny");
    for options in [[].as_slice(), &["--lean"]] {
        run(&[&["publish", text(&bundle)], options].concat());
        let (out, code) = run(&["diff", text(tiny()), text(&bundle.with_file_name("tiny.zip"))]);
        assert!(code == 0 && out.contains("every file has the same bytes"), "{out}");
    }
    let (_, code) = error(&["diff", text(tiny()), "/no/such/bundle"]);
    assert_eq!(code, 2);
}

#[test]
fn another_learning_rate_parts_in_the_first_epoch() {
    let (_keep, other) = build("tiny", &[("lr: 0.1,", "lr: 0.05,")]);
    let found = diff(&other);
    assert_eq!(keys(&found["inputs"]), ["study.yaml"]);
    assert_eq!(keys(&found["study"]), ["runs.small.optimizer.sgd.lr", "runs.small-bn.optimizer.sgd.lr"]);
    assert_eq!(keys(&found["exact"]), keys(&found["study"]));
    let small = &found["measured"][0];
    assert_eq!(small["run"], "small");
    assert_eq!(found["measured"].as_array().unwrap().len(), 2, "the third run has a rate of its own");
    let parts = &small["seeds"][0]["parts"];
    assert_eq!((&parts["epoch"], &parts["quantity"]), (&1.into(), &"learning rate".into()));
    let accuracy = &small["accuracy"];
    let points = (accuracy["b"].as_f64().unwrap() - accuracy["a"].as_f64().unwrap()) * 100.0;
    assert!((accuracy["difference"].as_f64().unwrap() - points).abs() < 1e-9);
    let explanation = &found["explanation"];
    assert_eq!((&explanation["studies_differ"], &explanation["unexplained"]), (&true.into(), &false.into()));

    let (out, _) = run(&["diff", text(tiny()), text(&other)]);
    for expected in [
        "small, seed 1: first difference in epoch 1, learning rate: 0.1 -> 0.05",
        "The studies differ in models, plans, seeds",
        "The environment class is the same: it explains no difference.",
        "  predictions/small-bn.idx1-ubyte\n",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
}

#[test]
fn another_seed_is_another_training() {
    let (_keep, other) = build("tiny", &[("seeds: [1, 2]", "seeds: [1, 3]")]);
    let found = diff(&other);
    assert!(keys(&found["exact"]).is_empty());
    assert_eq!(keys(&found["study"]), ["runs.small.seeds[1]"]);
    let seeds = found["measured"][0]["seeds"].as_array().unwrap();
    assert_eq!(seeds.len(), 1, "seed 1 is in both and the same");
    assert_eq!((&seeds[0]["a"], &seeds[0]["b"], &seeds[0]["parts"]["epoch"]), (&2.into(), &3.into(), &0.into()));
    assert_eq!(found["explanation"]["studies_differ"], true);
}

#[test]
fn only_a_differing_environment_explains_what_the_study_does_not() {
    // A measured value that somebody improved, with sums that agree again.
    let (_keep, forged) = copy(tiny(), "forged");
    edit(&forged, "results.json", "\"test_loss\": 0.", "\"test_loss\": 0.0");
    reseal(&forged);
    let found = diff(&forged);
    assert_eq!(found["explanation"]["unexplained"], true);
    let parts = &found["measured"][0]["seeds"][0]["parts"];
    assert_eq!(parts["quantity"], "test loss");

    edit(&forged, "results.json", "\"threads\": 4", "\"threads\": 3");
    let found = diff(&forged);
    assert_eq!(found["explanation"]["unexplained"], false);
    assert_eq!(found["explanation"]["environments_differ"], true);
    assert_eq!(found["b"]["problems"][0], "results.json was changed", "a damaged side is named");
    let (out, _) = run(&["diff", text(tiny()), text(&forged)]);
    assert!(out.contains("The environment classes differ (A: ") && out.contains("DAMAGED"), "{out}");
}
