//! `verify --assignment`: a bundle's study must be the assignment, except for the keys that the assignment leaves free.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::*;

/// The study of the shared bundle as an assignment with free keys.
fn assignment(home: &Path, free: &str, changes: &[(&str, &str)]) -> PathBuf {
    let file = home.join("lab.yaml");
    fs::write(&file, format!("free: {free}\n{}", tiny_with(changes))).unwrap();
    file
}

fn verify(assignment: &Path, arguments: &[&str], bundles: &[&Path]) -> Done {
    let assignment = ["--upto", "metrics", "--assignment", assignment.to_str().unwrap()];
    on_paths("verify", &[&assignment, arguments].concat(), bundles)
}

#[test]
fn a_bundle_of_the_assignment_passes_and_names_what_the_student_changed() {
    let home = tempfile::tempdir().unwrap();
    let lab = assignment(home.path(), "[author, title, 'models.*.title']", &[]);
    let own = built_with(&[("title: Tiny study", "title: My study"), ("A. Student", "B. Other")]);
    let out = verify(&lab, &[], &[&own.path]).exits(0).out;
    let line = format!("assignment passed      the study is that of {}\n", lab.display());
    assert!(out.contains(&line), "{out}");
    assert!(out.contains("changed, as the assignment allows: title, author\n"), "{out}");
    let done = verify(&lab, &[], &[&shared().0.path, &own.path]).exits(0);
    assert_eq!(done.out.matches("; assignment passed\n").count(), 2, "{}", done.out);
    assert_eq!(done.err, "");
}

#[test]
fn a_bundle_of_another_study_fails_though_every_rung_passes() {
    let home = tempfile::tempdir().unwrap();
    let changes = [("epochs: 6", "epochs: 7"), ("lr: 0.1,", "lr: 0.2,")];
    let lab = assignment(home.path(), "[author, title]", &changes);
    let tiny = &shared().0;
    let out = verify(&lab, &[], &[&tiny.path]).exits(1).out;
    assert_eq!(out.matches("FAILED").count(), 0, "{out}");
    assert!(out.contains("assignment ANOTHER STUDY not the study of"), "{out}");
    assert!(out.contains("keys differ that must be equal"), "{out}");
    assert!(out.contains(&format!("; this is not the study of {}. Not proven: ", lab.display())), "{out}");
    assert!(out.contains("runs.small-bn.epochs: 6 handed in, the assignment has 7\n"), "{out}");
    assert!(out.contains("runs.small.optimizer.sgd.lr: 0.1 handed in, the assignment has 0.2\n"), "{out}");

    let done = verify(&lab, &[], &[&tiny.path, &tiny.path]).exits(1);
    let line = done.out.lines().next().unwrap();
    assert!(line.contains(": ANOTHER STUDY: ") && line.contains("more keys) (5 passed)"), "{line}");

    let json = verify(&lab, &["--json"], &[&tiny.path]).exits(1).out;
    let result: Value = serde_json::from_str(&json).unwrap();
    let assignment = &result["assignment"];
    assert_eq!(assignment["status"], "failed");
    assert_eq!(assignment["file"], lab.to_str().unwrap());
    let keys: Vec<&str> =
        assignment["forbidden"].as_array().unwrap().iter().map(|d| d["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"runs.small-bn.epochs"), "{keys:?}");
    assert_eq!(assignment["forbidden_count"], keys.len());
    assert_eq!(assignment["free_count"], 0);
    // The same keys, as free keys.
    let lab = self::assignment(home.path(), "['runs.*.epochs', 'runs.*.optimizer']", &changes);
    let out = verify(&lab, &[], &[&tiny.path]).exits(0).out;
    assert!(out.contains("changed, as the assignment allows: runs.small.optimizer.sgd.lr"), "{out}");
}

/// The assignment of docs/verification.md, handed in with a network of one's own.
#[test]
fn the_assignment_of_the_guide_can_be_handed_out() {
    let guide = fs::read_to_string(root().join("docs/verification.md")).unwrap();
    let yaml = guide.split("```yaml\n# lab.yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let home = tempfile::tempdir().unwrap();
    let lab = home.path().join("lab.yaml");
    fs::write(&lab, yaml).unwrap();
    let mut own = yaml.to_owned();
    for (from, to) in [
        ("Your name", "A. Student"),
        ("Your group", "CS-31"),
        ("[flatten, {linear: {out_features: 32}}, relu,", "[flatten, {linear: {out_features: 16}}, relu, dropout,"),
        ("Write your thoughts here.", "It has a hidden layer."),
    ] {
        assert!(own.contains(from), "{from}");
        own = own.replace(from, to);
    }
    let own = built(&own);
    let out = verify(&lab, &[], &[&own.path]).exits(0).out;
    let free = "changed, as the assignment allows: author, group, models.own.layers, conclusions[0].why\n";
    assert!(out.contains(free), "{out}");
    let done = verify(&lab, &["--json"], &[&own.path]).exits(0);
    let record: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(record["assignment"]["unchanged"], json!([]));
    let free = record["assignment"]["free"].as_array().unwrap();
    let layers = free.iter().find(|difference| difference["key"] == "models.own.layers").unwrap();
    let linear = |n: usize| json!({"linear": {"out_features": n}});
    let written = json!(["flatten", linear(16), "relu", "dropout", linear(10)]);
    assert_eq!(layers["handed_in"], written);

    // Of the free texts, one was left as it is.
    let silent = built(&yaml.replace("Your name", "B. Student").replace("Your group", "CS-31"));
    let page = home.path().join("course.html");
    let done = verify(&lab, &["--json", "--html", page.to_str().unwrap()], &[&silent.path]).exits(0);
    let record: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(record["assignment"]["unchanged"], json!(["conclusions[0].why"]));
    let text = page_text(&fs::read_to_string(&page).unwrap());
    assert!(text.contains("Free, but not changed\nconclusions[0].why"), "{text}");
}

/// Two students who changed the free list of a grid in different ways have the assignment's other runs in common, as everybody has.
#[test]
fn runs_of_the_assignment_that_two_students_left_as_they_are_do_not_make_them_alike() {
    let home = tempfile::tempdir().unwrap();
    let yaml = "title: Grid\nauthor: Your name\nfree: [author, grid.optimizer]\n\
                models:\n  given: {layers: [flatten, {linear: {out_features: 10}}]}\n  \
                own: {layers: [flatten, {linear: {out_features: 8}}, relu, {linear: {out_features: 10}}]}\n\
                defaults: {train: {images: {first: 200}}, epochs: 1, batch_size: 50}\n\
                grid: {model: [given, own], optimizer: [{sgd: {lr: 0.05}}, adam], seeds: [1, 2]}\n";
    let lab = home.path().join("lab.yaml");
    fs::write(&lab, yaml).unwrap();
    let own = |name: &str, optimizers: &str| built(&yaml.replace("Your name", name).replace(", adam]", optimizers));
    let (cara, fay) = (own("Cara", ", rmsprop]"), own("Fay", ", adamw]"));
    let done = verify(&lab, &[], &[&cara.path, &fay.path]).exits(0);
    assert!(!done.out.contains("The same"), "{}", done.out);
    // The same optimizer is something that both changed.
    let gus = own("Gus", ", rmsprop, {adam: {lr: 0.002}}]");
    let out = verify(&lab, &[], &[&cara.path, &gus.path]).exits(0).out;
    assert!(out.contains("the weights of given-rmsprop.seed1 are those of given-rmsprop.seed1"), "{out}");
    assert!(!out.contains("given-sgd.seed1"), "{out}");
}

/// A grid with which the assignment's other settings make no runs gives nothing to compare runs with, so it is not the assignment,
/// whatever is free, and the rest is compared.
#[test]
fn a_grid_that_the_assignment_cannot_expand_is_another_study() {
    let home = tempfile::tempdir().unwrap();
    let yaml = "title: Grid\nauthor: Your name\nfree: [author, grid, 'runs.*']\n\
                models:\n  given: {layers: [flatten, {linear: {out_features: 10}}]}\n\
                defaults: {train: {images: {first: 200}}, batch_size: 50, seeds: [1]}\n\
                grid: {model: [given], optimizer: [{sgd: {lr: 0.05}}, adam], epochs: 1}\n";
    let lab = home.path().join("lab.yaml");
    fs::write(&lab, yaml).unwrap();
    let honest = built(&yaml.replace("Your name", "Ann").replace(", adam]", ", rmsprop]"));
    verify(&lab, &[], &[&honest.path]).exits(0);
    let other = yaml.replace("Your name", "Bob").replace("title: Grid", "title: My own");
    let other = other.replace("batch_size: 50,", "batch_size: 50, model: given, epochs: 1,");
    let other = built(
        &other.replace("model: [given], ", "").replace(", epochs: 1}\n", "}\n").replace("first: 200", "first: 100"),
    );
    let out = verify(&lab, &[], &[&other.path]).exits(1).out;
    assert!(out.contains("\n                       grid: "), "{out}");
    assert!(out.contains("title: \"My own\" handed in, the assignment has \"Grid\""), "{out}");
}

/// Texts in a language that the assignment does not have are compared with nothing, and that is said.
#[test]
fn texts_in_another_language_are_said_not_to_be_compared() {
    let home = tempfile::tempdir().unwrap();
    let yaml = "title: Two languages\nlang: en\nauthor: Your name\nfree: [author, lang]\n\
                models:\n  given: {layers: [flatten, {linear: {out_features: 10}}]}\n\
                runs: {given: {model: given, train: {images: {first: 200}}, batch_size: 50, epochs: 1, optimizer: adam, seeds: [1]}}\n";
    let lab = home.path().join("lab.yaml");
    fs::write(&lab, yaml).unwrap();
    let two = yaml
        .replace("lang: en", "lang: [en, uk]")
        .replace("title: Two languages", "title: {en: Two languages, uk: Інша}");
    let page = home.path().join("course.html");
    let out = verify(&lab, &["--html", page.to_str().unwrap()], &[&built(&two).path]).exits(0).out;
    assert!(out.contains("texts in uk were not compared, because the assignment has none: read them"), "{out}");
    let text = page_text(&fs::read_to_string(&page).unwrap());
    assert!(text.contains("Not compared\nTexts in uk, because the assignment has none: read them."), "{text}");
}

/// Layers are shown as a student writes them, not as JSON with every default.
#[test]
fn another_network_is_shown_as_a_study_writes_it() {
    let home = tempfile::tempdir().unwrap();
    let lab = assignment(home.path(), "[title]", &[("      - max_pool2d: {kernel_size: 2}\n", "")]);
    let out = verify(&lab, &[], &[&shared().0.path]).exits(1).out;
    let told = "models.small.layers: [{conv2d: {out_channels: 4, kernel_size: 5, stride: 2}}, relu, {max_pool2d:";
    assert!(out.contains(told) && !out.contains("\\\""), "{out}");
}

#[test]
fn a_student_cannot_free_keys() {
    let home = tempfile::tempdir().unwrap();
    let lab = assignment(home.path(), "[title]", &[]);
    let own = built_with(&[("title: Tiny study", "free: [models, runs]\ntitle: My study"), ("A. Student", "B. Other")]);
    let out = verify(&lab, &[], &[&own.path]).exits(1).out;
    assert!(out.contains("1 key differs that must be equal\n"), "{out}");
    assert!(out.contains("author: \"B. Other\" handed in, the assignment has \"A. Student\"\n"), "{out}");
}

#[test]
fn a_damaged_bundle_is_not_compared() {
    let home = tempfile::tempdir().unwrap();
    let lab = assignment(home.path(), "[title]", &[]);
    let bundle = copy();
    bundle.write("report.md", "better");
    let out = verify(&lab, &[], &[&bundle.path]).exits(1).out;
    assert!(out.contains("assignment not checked `files` failed\n"), "{out}");
}

#[test]
fn an_assignment_is_compared_up_to_any_rung() {
    let home = tempfile::tempdir().unwrap();
    let lab = assignment(home.path(), "[title]", &[("seeds: [1, 2]", "seeds: [3, 2]")]);
    let arguments = ["--upto", "files", "--assignment", lab.to_str().unwrap()];
    let out = on_paths("verify", &arguments, &[&shared().0.path]).exits(1).out;
    assert!(out.contains("runs.small.seeds[0]: 1 handed in, the assignment has 3\n"), "{out}");
}

#[test]
fn free_keys_change_nothing_that_is_trained() {
    let free = built_with(&[("title: Tiny study", "free: ['runs.*.seeds']\ntitle: Tiny study")]);
    assert!(free.kept().iter().all(|(_, kept)| *kept), "{:?}", free.kept());
    assert_eq!(free.text("results.json"), shared().0.text("results.json"));
    assert_eq!(free.text("report.md").len(), shared().0.text("report.md").len(), "only hashes differ");
}

#[test]
fn mistakes_in_an_assignment_are_one_line() {
    let home = tempfile::tempdir().unwrap();
    let bundle: &Path = &shared().0.path;
    let lab = assignment(home.path(), "[autor]", &[]);
    verify(&lab, &[], &[bundle]).refused(&["lab.yaml:1: free[0]: `autor` matches no key", "did you mean `author`?"]);
    verify(&home.path().join("none.yaml"), &[], &[bundle]).refused(&["none.yaml", "cannot be read"]);
    let lab = assignment(home.path(), "[]", &[]);
    let done = verify(&lab, &[], &[bundle]).exits(0);
    assert!(done.err.contains("lab.yaml has no `free`, so every key must be equal"), "{}", done.err);
}

/// A copy with a second `relu` and its seeds in another order: what was measured is the same, and the reader is told in what the
/// studies differ.
#[test]
fn changes_without_effect_on_what_was_measured_are_named() {
    let home = tempfile::tempdir().unwrap();
    let yaml = "title: Lab\nauthor: Your name\nfree: [author, models.own.layers, 'runs.*.seeds']\n\
                models:\n  own: {layers: [flatten, {linear: {out_features: 10}}]}\n\
                defaults: {train: {images: {first: 200}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1, 2]}\nruns: {own: {model: own}}\n";
    let lab = home.path().join("lab.yaml");
    fs::write(&lab, yaml).unwrap();
    let own = |name: &str, layers: &str, seeds: &str| {
        let layers = format!("[flatten, {{linear: {{out_features: 8}}}}, {layers}, {{linear: {{out_features: 10}}}}]");
        let yaml = yaml.replace("Your name", name).replace("[flatten, {linear: {out_features: 10}}]", &layers);
        built(&yaml.replace("[1, 2]", seeds))
    };
    let (anna, borys) = (own("Anna", "relu", "[1, 2]"), own("Borys", "relu, relu", "[2, 1]"));
    let page = home.path().join("course.html");
    let done = verify(&lab, &["--html", page.to_str().unwrap()], &[&anna.path, &borys.path]).exits(0);
    let told = "their studies differ in models.own.layers, runs.own.seeds: that has no effect on these values, or one of them was copied; \
                `verify --upto rerun` shows which\n";
    assert!(done.out.contains("The same measured values") && done.out.contains(told), "{}", done.out);
    let text = page_text(&fs::read_to_string(&page).unwrap());
    assert!(text.contains("Their studies differ in models.own.layers, runs.own.seeds: that has no effect"), "{text}");
    // Once all is trained again, it is known.
    let done = on_paths("verify", &["--assignment", lab.to_str().unwrap()], &[&anna.path, &borys.path]).exits(0);
    let told = "their studies differ in models.own.layers, runs.own.seeds, which has no effect on these values: all was trained again\n";
    assert!(done.out.contains(told), "{}", done.out);
    // A copy that states another optimizer is found, and nothing is said to have no effect.
    let lab_of_all = home.path().join("all.yaml");
    fs::write(&lab_of_all, yaml.replace("'runs.*.seeds'", "'runs.*'")).unwrap();
    let momentum = "runs: {own: {model: own, optimizer: {sgd: {lr: 0.1, momentum: 0.9}}}}";
    let copied = Bundle::at(home.path().join("copied"));
    copy_folder(&anna.path, &copied.path);
    let study = copied.text("study.yaml");
    copied.replace_study(&study.replace("Anna", "Carl").replace("runs: {own: {model: own}}", momentum));
    copied.change_json("results.json", |r| r["runs"]["own"]["plan"]["optimizer"]["sgd"]["momentum"] = 0.9.into());
    copied.run("render", &[]).exits(0);
    let done =
        on_paths("verify", &["--assignment", lab_of_all.to_str().unwrap()], &[&anna.path, &copied.path]).exits(1);
    assert!(done.out.contains("shows which\n") && !done.out.contains("all was trained again"), "{}", done.out);
    let done = on_paths("diff", &[], &[&anna.path, &borys.path]).exits(1);
    for line in [
        "  models.own.layers[3]: only in B: relu\n",
        "  runs.own.seeds: [1, 2] -> [2, 1]\n",
        "The measured values are the same, though the studies differ in ",
    ] {
        assert!(done.out.contains(line), "{line}: {}", done.out);
    }
    assert!(!done.out.contains("Measured values that differ"), "{}", done.out);
}
