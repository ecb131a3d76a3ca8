//! `diff` reports what differs between two bundles, and what may explain it.

use serde_json::Value;

use crate::support::*;

/// The JSON of a diff of the shared bundle with another.
fn diff(other: &Bundle) -> Value {
    let done = on_paths("diff", &["--json"], &[&shared().0.path, &other.path]).exits(1);
    serde_json::from_str(&done.out).expect("one document")
}

fn keys(changes: &Value) -> Vec<&str> {
    changes.as_array().unwrap().iter().map(|c| c["what"].as_str().unwrap()).collect()
}

#[test]
fn a_bundle_and_its_zip_are_the_same() {
    let (tiny, bundle) = (&shared().0, copy());
    for options in [[].as_slice(), &["--lean"]] {
        bundle.run("publish", options);
        let out = on_paths("diff", &[], &[&tiny.path, &bundle.zip()]).exits(0).out;
        assert!(out.contains("every file has the same bytes"), "{out}");
    }
    tiny.run("diff", &["/no/such/bundle"]).refused(&[]);
}

#[test]
fn another_learning_rate_diverges_in_the_first_epoch() {
    let other = built_with(&[("lr: 0.1,", "lr: 0.05,")]);
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

    let out = shared().0.run("diff", &[other.name()]).out;
    for expected in [
        "small, seed 1: first difference in epoch 1, learning rate: 0.1 -> 0.05",
        "The studies differ in models, plans, data, seeds",
        "The environment is the same: it explains no difference.",
        "  losses/small-bn.f32\n",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
}

/// Equal inputs give equal files.
#[test]
fn an_edited_page_is_said_to_be_edited() {
    let edited = copy();
    edited.write("report.md", edited.text("report.md").replace("Tiny study", "Better study"));
    edited.redo_sums();
    let done = on_paths("diff", &[], &[&shared().0.path, &edited.path]).exits(1);
    assert!(done.out.contains("at least one of these bundles was changed after it was built"), "{}", done.out);
    assert!(!done.out.contains("only texts or files made from them"), "{}", done.out);
    let explanation = &diff(&edited)["explanation"];
    assert_eq!((&explanation["measured_differ"], &explanation["unexplained"]), (&false.into(), &true.into()));

    // Another title changes the pages, and other kernels are measurements.
    let titled = built_with(&[("title: Tiny study", "title: My study")]);
    let out = on_paths("diff", &[], &[&shared().0.path, &titled.path]).exits(1).out;
    assert!(out.contains("The measured values are the same: only texts or files made from them differ."), "{out}");
    titled.change_json("results.json", |results| results["filters"]["small"]["largest"] = 9.5.into());
    titled.redo_sums();
    let out = on_paths("diff", &[], &[&shared().0.path, &titled.path]).exits(1).out;
    assert!(
        out.contains("The values of all runs are the same, but other measurements are not: results.json."),
        "{out}"
    );
}

#[test]
fn another_seed_is_another_training() {
    let other = built_with(&[("seeds: [1, 2]", "seeds: [1, 3]")]);
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
    // A forged measured value, with SHA256SUMS redone.
    let forged = copy();
    forged.replace_all("results.json", "\"test_loss\": 0.", "\"test_loss\": 0.0");
    forged.redo_sums();
    let found = diff(&forged);
    assert_eq!(found["explanation"]["unexplained"], true);
    let parts = &found["measured"][0]["seeds"][0]["parts"];
    assert_eq!(parts["quantity"], "test loss");

    forged.replace_all("results.json", "\"arithmetic\": 3", "\"arithmetic\": 2");
    let found = diff(&forged);
    assert_eq!(found["explanation"]["unexplained"], false);
    assert_eq!(found["explanation"]["environments_differ"], true);
    let problem = found["b"]["problems"][0].as_str().unwrap();
    assert!(problem.starts_with("results.json was changed: its SHA-256 is "), "a damaged side is named: {problem}");
    let out = shared().0.run("diff", &[forged.name()]).out;
    assert!(out.contains("The environments differ (A: ") && out.contains("DAMAGED"), "{out}");
}
