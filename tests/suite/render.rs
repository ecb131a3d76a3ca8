//! `render` makes report, figures and sums again from results.json, without training.

use std::fs;

use mnist_report::results::SCHEMA;
use serde_json::json;

use crate::support::*;

/// Changes results.json so that `small` classifies no image correctly.
fn worsen(bundle: &Bundle) {
    bundle.change_json("results.json", |results| {
        for seed in results["runs"]["small"]["seeds"].as_array_mut().unwrap() {
            let confusion = seed["confusion"].as_array_mut().unwrap();
            for (digit, row) in confusion.iter_mut().enumerate() {
                let all: u64 = row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
                *row = json!((0..10).map(|c| if c == (digit + 1) % 10 { all } else { 0 }).collect::<Vec<_>>());
            }
        }
    });
}

#[test]
fn an_unchanged_bundle_stays_the_same() {
    let bundle = copy();
    let log = bundle.bytes("run-log.json");
    assert_eq!(bundle.run("render", &[]).exits(0).report_id(), shared().0.report_id());
    assert!(bundle.identity() == shared().0.identity());
    assert_eq!(bundle.bytes("run-log.json"), log);
    assert_eq!(names(bundle.path.parent().unwrap()), [".bundle.runs", "bundle"]);
}

#[test]
fn a_changed_number_changes_the_sentences_that_use_it() {
    let bundle = copy();
    let sentence = |bundle: &Bundle| {
        let report = bundle.text("report.md");
        (report.contains("Yes, it gets"), report.contains("No, 0.00 % is chance."))
    };
    assert_eq!(sentence(&bundle), (true, false));
    worsen(&bundle);
    let done = bundle.run("render", &[]).exits(0);
    assert_eq!(sentence(&bundle), (false, true));
    assert!(!bundle.text("report.html").contains("Yes, it gets"));
    let claim = |bundle: &Bundle| {
        bundle.text("report.md").lines().find(|l| l.contains("better than chance")).unwrap().to_owned()
    };
    assert_ne!(claim(&bundle), claim(&shared().0), "the claim on it has another verdict");
    for figure in ["section1-per-class", "section1-confusion-small"] {
        let name = format!("figures/{figure}.svg");
        assert_ne!(bundle.bytes(&name), shared().0.bytes(&name), "{figure}");
    }
    assert_eq!(bundle.bytes("weights/stops.safetensors"), shared().0.bytes("weights/stops.safetensors"));
    assert_eq!(done.report_id(), bundle.report_id());
    assert_eq!(bundle.run("verify", &["--upto", "files"]).exits(0).report_id(), bundle.report_id());
}

#[test]
fn missing_files_are_written_again() {
    let bundle = copy();
    for name in ["report.md", "report.html", "manifest.json"] {
        fs::remove_file(bundle.path.join(name)).unwrap();
    }
    bundle.run("render", &[]).exits(0);
    assert!(bundle.identity() == shared().0.identity());
}

#[test]
fn files_changed_by_hand_are_not_overwritten() {
    let bundle = copy();
    for name in ["report.md", "figures/parameters.svg", "index.html"] {
        bundle.write(name, "mine");
        bundle.run("render", &[]).refused(&[name, "was changed", "would be lost", "move it elsewhere"]);
        run(&mut build(&tiny(), &bundle.path)).refused(&[name, "would be lost"]);
        assert_eq!(bundle.text(name), "mine");
        fs::remove_file(bundle.path.join(name)).unwrap();
    }
    bundle.run("render", &[]).exits(0);
    assert!(bundle.identity() == shared().0.identity());
    // A changed study.yaml is an input of `render`, which keeps it; `build` would overwrite it.
    let changed = bundle.text("study.yaml").replacen("Tiny study", "My study", 1);
    bundle.write("study.yaml", &changed);
    run(&mut build(&tiny(), &bundle.path)).refused(&["study.yaml", "would be lost"]);
    bundle.run("render", &[]).exits(0);
    assert!(bundle.text("report.md").contains("My study"));
    assert_eq!(bundle.text("study.yaml"), changed);
}

#[test]
fn results_of_another_arithmetic_are_refused() {
    let bundle = copy();
    bundle.change_json("results.json", |r| r["environment"]["arithmetic"] = serde_json::json!(1));
    bundle.run("render", &[]).refused(&["arithmetic 1", "build the study again"]);
}

#[test]
fn other_files_in_the_folder_are_not_removed() {
    let bundle = copy();
    for stranger in ["remarks.txt", "figures/drawn-by-hand.svg", "photos/board.jpg"] {
        let path = bundle.path.join(stranger);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine").unwrap();
        bundle.run("render", &[]).refused(&[stranger, "would be lost", "move it elsewhere"]);
        run(&mut build(&tiny(), &bundle.path)).refused(&[stranger, "would be lost"]);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        fs::remove_file(&path).unwrap();
    }
    // index.html, the copy of the report that static hosts serve, belongs to the bundle.
    bundle.write("index.html", bundle.bytes("report.html"));
    bundle.run("render", &[]).exits(0);
}

/// The sums of a hand-in may list a link, so that it is taken for a file of the bundle.
#[test]
fn nothing_is_written_through_a_link() {
    let (bundle, elsewhere) = (copy(), tempfile::tempdir().unwrap());
    let figures = bundle.path.join("figures");
    copy_folder(&figures, elsewhere.path());
    fs::remove_dir_all(&figures).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &figures).unwrap();
    let overview = elsewhere.path().join("overview.svg");
    fs::write(&overview, "mine").unwrap();
    let sums = bundle.text("SHA256SUMS");
    let own: String =
        sums.lines().filter(|line| !line.contains("  figures/")).map(|line| format!("{line}\n")).collect();
    fs::write(bundle.path.join("SHA256SUMS"), format!("{own}{}  figures\n", "0".repeat(64))).unwrap();
    bundle.run("render", &[]).refused(&["figures", "is a link"]);
    run(&mut build(&tiny(), &bundle.path)).refused(&["figures", "is a link"]);
    assert_eq!(fs::read_to_string(&overview).unwrap(), "mine");
}

#[test]
fn a_folder_of_templates_replaces_built_in_ones() {
    let bundle = copy();
    let templates = bundle.path.with_file_name("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("page.md.j2"), "{{ title }}: {{ sections|length }} sections\n").unwrap();
    let argument = ["--templates", templates.to_str().unwrap()];
    bundle.run("render", &argument).exits(0);
    assert_eq!(bundle.text("report.md"), "Tiny study: 9 sections\n");
    bundle.run("verify", &["--upto", "files"]).exits(0);
    // A verifier does not have these templates, so the bundle is not verified as a whole.
    let done = bundle.run("verify", &["--upto", "render"]).exits(2);
    assert!(done.out.contains("render    not checked"), "{}", done.out);
    bundle.run("render", &[]).exits(0);
    assert!(bundle.identity() == shared().0.identity());

    for broken in
        ["{{ title", "{% for m in models %}", "{{ no.such.value }}", "{% include 'nowhere' %}", "{{ title|nofilter }}"]
    {
        fs::write(templates.join("page.md.j2"), broken).unwrap();
        bundle.run("render", &argument).refused(&["page.md.j2"]);
        assert!(bundle.identity() == shared().0.identity(), "{broken}");
    }
    let none = templates.join("none");
    bundle.run("render", &["--templates", none.to_str().unwrap()]).refused(&["templates/none", "not a folder"]);
    // A file that no page uses would be ignored silently.
    fs::rename(templates.join("page.md.j2"), templates.join("report.md.j2")).unwrap();
    bundle.run("render", &argument).refused(&["report.md.j2", "page.md.j2, blocks.md.j2"]);
}

#[test]
fn what_templates_receive_can_be_printed() {
    let bundle = copy();
    let done = bundle.run("render", &["--dump-context"]).exits(0);
    assert!(bundle.identity() == shared().0.identity(), "nothing is rendered");
    let context: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(context["title"], "Tiny study");
    // docs/templates.md must list exactly these values.
    let docs = fs::read_to_string(root().join("docs/templates.md")).unwrap();
    let listed: Vec<&str> = docs.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next()).collect();
    let keys: Vec<&String> = context.as_object().unwrap().keys().collect();
    assert_eq!(listed, keys);
    // A template prints the same values.
    let templates = bundle.path.with_file_name("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("page.md.j2"), "{{ lead[1]['items'][0].value }}").unwrap();
    bundle.run("render", &["--templates", templates.to_str().unwrap()]).exits(0);
    let accuracy = context["lead"][1]["items"][0]["value"].as_str().unwrap();
    assert!(accuracy.ends_with(" %"), "{accuracy}");
    assert_eq!(bundle.text("report.md"), accuracy);
}

#[test]
fn a_bundle_that_cannot_be_rendered_is_left_as_it_is() {
    type Spoil = fn(&Bundle);
    let cases: [(&str, Spoil); 8] = [
        ("results.json", |b| b.write("results.json", "{")),
        ("results.json", |b| fs::remove_file(b.path.join("results.json")).unwrap()),
        ("study.yaml", |b| fs::remove_file(b.path.join("study.yaml")).unwrap()),
        ("study.yaml", |b| b.write("study.yaml", "title: [")),
        ("results.json", |b| b.change_json("results.json", |r| r["schema"] = json!(SCHEMA + 1))),
        ("results.json", |b| b.change_json("results.json", |r| r["runs"]["small"]["seeds"] = json!([]))),
        ("results.json", |b| b.change_json("results.json", |r| r["extra"] = json!(1))),
        ("results.json", |b| b.change_json("results.json", |r| r["digits"]["7"] = json!("\"/><script>"))),
    ];
    for (file, spoil) in cases {
        let bundle = copy();
        spoil(&bundle);
        let before = read_folder(&bundle.path);
        bundle.run("render", &[]).refused(&[file]);
        assert!(read_folder(&bundle.path) == before);
    }
    let home = tempfile::tempdir().unwrap();
    run(program(["render"]).arg(home.path())).refused(&["is not a bundle"]);
    run(program(["render"]).arg(home.path().join("none"))).refused(&["none"]);
}

#[test]
fn absurd_results_are_drawn_or_refused_without_a_panic() {
    type Change = fn(&mut serde_json::Value);
    let changes: [Change; 16] = [
        |r| {
            for epoch in r["runs"]["stops"]["seeds"][0]["epochs"].as_array_mut().unwrap() {
                epoch["test"]["loss"] = json!(0.0);
            }
        },
        |r| r["runs"]["small"]["seeds"][0]["epochs"][0]["test"]["loss"] = json!(0.0),
        |r| r["runs"]["small"]["seeds"][0]["epochs"][0]["test"]["loss"] = json!(1e308),
        |r| r["runs"]["small"]["seeds"][0]["epochs"][0]["train_loss"] = json!(-3.0),
        |r| r["runs"]["small"]["seeds"][0]["epochs"][0]["epoch"] = json!(1_000_000),
        |r| r["runs"]["small"]["seeds"][0]["confusion"][0][0] = json!(u64::MAX),
        |r| r["models"]["small"]["parameters"] = json!(0),
        |r| r["models"]["small"]["layers"] = json!([]),
        |r| r["comparisons"]["norm"]["pairs"][0]["only_run"] = json!(u64::MAX),
        |r| r["comparisons"]["norm"]["pairs"] = json!([]),
        |r| r["comparisons"]["norm"]["run"] = json!("none"),
        |r| r["runs"]["small"]["seeds"][0]["misread"][0]["image"] = json!(u64::MAX),
        |r| r["digits"] = json!({}),
        // Counts whose sums or squares overflow, or take too long to draw.
        |r| {
            r["comparisons"]["norm"]["pairs"][0] = {
                let mut pair = r["comparisons"]["norm"]["pairs"][0].clone();
                pair["only_run"] = json!(1_000_000_000u64);
                pair["only_against"] = json!(1_000_000_000u64);
                pair
            }
        },
        |r| {
            for n in r["runs"]["small"]["seeds"][0]["confusion"][3].as_array_mut().unwrap() {
                *n = json!(u64::MAX / 2);
            }
        },
        |r| r["runs"]["small"]["seeds"][0]["confusion"] = json!(vec![vec![u64::MAX; 10]; 10]),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let bundle = copy();
        bundle.change_json("results.json", change);
        let done = bundle.run("render", &[]);
        assert!(done.code == 0 || done.code == 2, "change {i}: {} {}", done.code, done.err);
    }
}
