//! The errors of every command, each provoked once and compared with tests/golden/messages. Those of studies are in
//! refusals.rs, those of zips in publish.rs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::*;

/// A folder with a study, a text file, and a folder that is not a bundle.
fn desk() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("mini.yaml"), MINI).unwrap();
    fs::write(home.path().join("study"), MINI).unwrap();
    fs::write(home.path().join("no-data.yaml"), format!("data: nowhere\n{MINI}")).unwrap();
    fs::write(home.path().join("diverges.yaml"), MINI.replace("lr: 0.1", "lr: 1.0e+38")).unwrap();
    fs::write(home.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir(home.path().join("folder")).unwrap();
    fs::write(home.path().join("folder/notes.txt"), "mine").unwrap();
    home
}

#[test]
fn arguments_that_name_the_wrong_thing() {
    let home = desk();
    let mut messages = Messages::default();
    for arguments in [
        "build none.yaml",
        "build folder",
        "build study",
        "build mini.yaml --out notes.txt",
        "build mini.yaml --out folder",
        "build no-data.yaml",
        "summary none.yaml",
        "summary mini.yaml --model huge",
        "render none",
        "render folder",
        "render notes.txt",
        "verify none",
        "verify folder",
        "verify notes.txt",
        "verify mini.yaml",
        "publish none",
        "publish folder",
        "diff none folder",
        "diff folder folder",
        "demo none.yaml",
    ] {
        let mut command = program(arguments.split(' '));
        if arguments.starts_with("build") {
            command.args(["--device", "cpu", "--quiet"]);
        }
        messages.add(arguments, &run(command.current_dir(home.path())).refused(&[]));
    }
    // The message names a file there, which is another one on each machine.
    let root = ["build", "mini.yaml", "--out", "/", "--device", "cpu", "--quiet"];
    run(program(root).current_dir(home.path())).refused(&["/ contains something that is not a bundle, such as "]);
    let done = run(program(["build", "mini.yaml"]).current_dir(home.path()).env("SOURCE_DATE_EPOCH", "yesterday"));
    messages.add("SOURCE_DATE_EPOCH=yesterday build mini.yaml", &done.refused(&["SOURCE_DATE_EPOCH"]));
    let build = ["build", "diverges.yaml", "--device", "cpu", "--quiet"];
    messages.add("build diverges.yaml", &run(program(build).current_dir(home.path())).exits(1));
    messages.golden("arguments");
}

#[test]
fn results_that_contradict_themselves() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 29] = [
        ("an older schema", |r| r["schema"] = json!(2)),
        ("a newer schema", |r| r["schema"] = json!(999)),
        ("no schema", |r| r["schema"] = json!("three")),
        ("another arithmetic", |r| r["environment"]["arithmetic"] = json!(1)),
        ("an unknown field", |r| r["extra"] = json!(1)),
        ("a count that is text", |r| r["runs"]["small"]["seeds"][0]["epochs"][0]["epoch"] = json!("one")),
        ("no seeds", |r| r["runs"]["small"]["seeds"] = json!([])),
        ("no epochs", |r| r["runs"]["small"]["seeds"][0]["epochs"] = json!([])),
        ("a negative loss", |r| r["runs"]["small"]["seeds"][0]["epochs"][0]["train_loss"] = json!(-3.0)),
        ("more correct than images", |r| {
            r["runs"]["small"]["seeds"][0]["epochs"][0]["test"]["correct"] = json!(10_001);
        }),
        ("a class without images", |r| r["runs"]["small"]["seeds"][0]["confusion"][0] = json!(vec![0; 10])),
        ("a confusion matrix of other images", |r| r["runs"]["small"]["seeds"][0]["confusion"][0][0] = json!(9999)),
        ("a comparison with no run", |r| r["comparisons"]["norm"]["run"] = json!("none")),
        ("a comparison of other images", |r| r["comparisons"]["norm"]["pairs"][0]["both"] = json!(1)),
        ("a run that has results and diverged", |r| {
            r["diverged"]["stops"] = json!({"plan": r["runs"]["stops"]["plan"], "seeds": []});
        }),
        ("no seed that diverged", |r| {
            let run = r["runs"].as_object_mut().unwrap().shift_remove("stops").unwrap();
            r["diverged"]["stops"] = json!({"plan": run["plan"], "seeds": [{"finished": run["seeds"][0]}]});
        }),
        ("a seed that diverged twice", |r| {
            let seed = diverge(r, 1, 2, "training_loss");
            r["diverged"]["stops"]["seeds"] = json!([seed, seed]);
        }),
        ("a step after the epoch's last", |r| drop(diverge(r, 1, 5, "training_loss"))),
        ("a step before the first", |r| drop(diverge(r, 1, 0, "training_loss"))),
        ("an epoch after the last", |r| drop(diverge(r, 31, 1, "training_loss"))),
        ("a test loss inside an epoch", |r| drop(diverge(r, 1, 2, "test_loss"))),
        ("a validation loss of a run without a validation set", |r| drop(diverge(r, 1, 4, "validation_loss"))),
        ("a run without its curve", |r| drop(r["loss_curves"].as_object_mut().unwrap().shift_remove("stops"))),
        ("a curve for another number of seeds", |r| {
            let curve = r["loss_curves"]["stops"]["losses"][0].clone();
            r["loss_curves"]["stops"]["losses"] = json!([curve, curve]);
        }),
        ("a curve of too many groups", |r| r["loss_curves"]["stops"]["losses"][0] = json!(vec![1.0; 301])),
        ("a learning rate for some of the groups", |r| r["loss_curves"]["stops"]["learning_rates"] = json!([0.1])),
        ("a curve of no steps", |r| r["loss_curves"]["stops"]["steps_per_group"] = json!(0)),
        ("a first convolution that is a script", |r| r["filters"]["small"]["weights"] = json!("\"/><script>")),
        ("a picture that is a script", |r| r["digits"]["7"] = json!("\"/><script>")),
    ];
    let bundle = copy();
    let honest = bundle.text("results.json");
    let mut messages = Messages::default();
    for (what, change) in changes {
        bundle.change_json("results.json", change);
        messages.add(what, &bundle.run("render", &[]).refused(&["results"]));
        bundle.write("results.json", &honest);
    }
    for (what, text) in [("half a file", &honest[..20]), ("an empty file", "")] {
        bundle.write("results.json", text);
        messages.add(what, &bundle.run("render", &[]).refused(&["results.json"]));
    }
    messages.golden("results");
}

/// States that `stops` diverged, and returns the entry of its seed.
fn diverge(results: &mut Value, epoch: usize, step: usize, value: &str) -> Value {
    let mut run = results["runs"].as_object_mut().unwrap().shift_remove("stops").unwrap();
    let seed = &run["seeds"][0];
    let entry = json!({"diverged": {
        "seed": seed["seed"],
        "subset_sha256": seed["subset_sha256"],
        "initial_weights_sha256": seed["initial_weights_sha256"],
        "not_finite": {"epoch": epoch, "step": step, "value": value},
    }});
    run["seeds"] = json!([entry]);
    results["diverged"]["stops"] = run;
    // Remove the comparisons with the run, because they are checked, too.
    results["comparisons"] = json!({});
    entry
}

#[test]
fn bundles_that_lost_a_file_or_gained_one() {
    let mut messages = Messages::default();
    let mut with = |what: &str, spoil: fn(&Path), command: &str, code: i32| {
        let bundle = copy();
        spoil(&bundle.path);
        messages.add(&format!("{command}, {what}"), &bundle.run(command, &[]).exits(code));
    };
    let without_results = |path: &Path| fs::remove_file(path.join("results.json")).unwrap();
    let changed_report = |path: &Path| fs::write(path.join("report.md"), "mine").unwrap();
    let own_file = |path: &Path| fs::write(path.join("remarks.txt"), "mine").unwrap();
    let no_sums = |path: &Path| fs::write(path.join("SHA256SUMS"), "sums\n").unwrap();
    let no_manifest = |path: &Path| fs::write(path.join("manifest.json"), "{}\n").unwrap();
    with("results.json is missing", without_results, "render", 2);
    with("report.md was changed", changed_report, "render", 2);
    with("remarks.txt was added", own_file, "render", 2);
    with("report.md was changed", changed_report, "publish", 1);
    with("remarks.txt was added", own_file, "publish", 1);
    with("results.json is missing", without_results, "verify", 1);
    with("report.md was changed", changed_report, "verify", 1);
    with("remarks.txt was added", own_file, "verify", 1);
    with("SHA256SUMS in another form", no_sums, "verify", 1);
    with("an empty manifest", no_manifest, "verify", 1);
    messages.golden("bundles");
}

#[test]
fn templates_with_mistakes() {
    let bundle = copy();
    let templates = bundle.path.with_file_name("templates");
    let render = || bundle.run("render", &["--templates", templates.to_str().unwrap()]).refused(&["template"]);
    let mut messages = Messages::default();
    messages.add("no such folder", &render());
    fs::create_dir(&templates).unwrap();
    for text in
        ["{{ title", "{% for m in models %}", "{{ no.such.value }}", "{% include 'nowhere' %}", "{{ title|nofilter }}"]
    {
        fs::write(templates.join("report.md.j2"), text).unwrap();
        messages.add(&format!("report.md.j2: {text}"), &render());
    }
    fs::remove_file(templates.join("report.md.j2")).unwrap();
    for text in ["title: [", "3", "summary: {heading: [Summary]}"] {
        fs::write(templates.join("en.yaml"), text).unwrap();
        messages.add(&format!("en.yaml: {text}"), &render());
    }
    messages.golden("templates");
}

#[test]
fn folders_without_mnist() {
    let home = desk();
    let files =
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    let mut messages = Messages::default();
    let data = |dir: &str| run(program(["data", "--dir", dir]).current_dir(home.path()));
    messages.add("data --dir none", &data("none").exits(2));
    messages.add("data --dir folder", &data("folder").exits(2));
    for (name, bytes) in files.iter().zip([&b"text"[..], &[0, 0, 8, 1, 0, 0, 0, 1, 7], &[], &[0x1f, 0x8b]]) {
        fs::write(home.path().join("folder").join(name), bytes).unwrap();
    }
    messages.add("data --dir folder, with other files", &data("folder").exits(1));
    messages.golden("data");
}
