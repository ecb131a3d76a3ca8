//! Studies that are refused: quickly, with an error of one line that names file and line, and without leaving files.
//! The golden files tests/golden/messages/study-*.txt contain every message.
//!
//! Longer than 400 lines because it is tables: a row for each setting that is refused, with its message.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mnist_report::claims::check_expressions;
use mnist_report::study::{Plan, Source};

use crate::support::*;

/// Builds a study that must be refused, and checks that nothing was written.
#[track_caller]
fn refused(study: &Path, parts: &[&str]) -> Done {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    // Try again if a busy machine was slow once.
    let fast = (0..3).find_map(|_| {
        let start = Instant::now();
        let done = run(&mut build(study, &out)).refused(parts);
        (start.elapsed() < Duration::from_secs(2)).then_some(done)
    });
    assert_eq!(names(home.path()).len(), 0, "nothing was trained or written");
    fast.expect("a study is refused within two seconds")
}

/// The variable is set in a shell and forgotten, and the message about a missing file would not name it.
#[test]
fn a_folder_of_the_data_that_the_variable_names_must_exist() {
    let home = tempfile::tempdir().unwrap();
    let (study, out) = (home.path().join("mini.yaml"), home.path().join("out"));
    fs::write(&study, MINI).unwrap();
    let told = "/no/such (MNIST_REPORT_DATA): no such folder; unset it: the program contains MNIST";
    run(build(&study, &out).env("MNIST_REPORT_DATA", "/no/such")).refused(&[told]);
    run(build(&study, &out).args(["--data", "/no/folder"])).refused(&["/no/folder (--data): no such folder"]);
    assert_eq!(names(home.path()), ["mini.yaml"], "nothing was trained or written");
    // A study with a mistake gets its own message.
    fs::write(&study, "title: T\nmodel: m\n").unwrap();
    let done = run(build(&study, &out).env("MNIST_REPORT_DATA", "/no/such")).refused(&["mini.yaml:"]);
    assert!(!done.err.contains("/no/such"), "{}", done.err);
    // The variable is not used for a study that names its folder.
    fs::write(&study, format!("data: {}\n{MINI}", root().join("data/mnist").display())).unwrap();
    run(build(&study, &out).env("MNIST_REPORT_DATA", "/no/such")).exits(0);
}

/// `tiny` with one passage replaced, refused at a line, with these words.
#[track_caller]
fn refused_with(from: &str, to: &str, line: usize, parts: &[&str]) -> Done {
    let home = tempfile::tempdir().unwrap();
    let text = tiny_text();
    assert!(text.contains(from), "{from}");
    let study = home.path().join("study.yaml");
    fs::write(&study, text.replacen(from, to, 1)).unwrap();
    refused(&study, &[&[&*format!("{}:{line}: ", study.display())], parts].concat())
}

/// A passage of `tiny`, what replaces it, and words that the message must have.
type Case<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Asserts that each change is refused at the line of the passage, and compares all messages with a golden file.
#[track_caller]
fn refuse_each(golden: &str, cases: &[Case]) {
    let mut messages = Messages::default();
    for (from, to, parts) in cases {
        messages.add(&format!("{from} -> {to}"), &refused_with(from, to, line_of(from), parts));
    }
    messages.golden(golden);
}

#[track_caller]
fn line_of(text: &str) -> usize {
    let at = tiny_text().find(text).unwrap_or_else(|| panic!("{text}"));
    tiny_text()[..at].matches('\n').count() + 1
}

#[test]
fn a_batch_beyond_the_machines_memory() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    let text = "title: Large\n\
         models: {m: {layers: [conv2d: {out_channels: 64, kernel_size: 3}, flatten, linear: {out_features: 10}]}}\n\
         runs: {r: {model: m, batch_size: 6000, epochs: 1, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}}\n";
    fs::write(&study, text).unwrap();
    // The output of the first layer alone takes 1 GB.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mnist-report"), "build"]);
    limited.args(["--device", "cpu"]);
    limited.arg(&study).arg("--out").arg(home.path().join("out"));
    run(&mut limited).refused(&["6000 images", "`m`", "cannot get 1.0 GB of memory", "a smaller batch_size"]);
    assert_eq!(names(home.path()), ["study.yaml"]);
}

#[test]
fn keys_and_names_that_do_not_exist() {
    refuse_each(
        "study-names",
        &[
            ("author: A. Student", "writer: A. Student", &["writer", "unknown key"]),
            ("epochs: 2", "epoch: 2", &["epoch", "unknown key"]),
            ("stride: 2}", "strides: 2}", &["strides", "unknown key"]),
            ("- max_pool2d", "- max_pool3d", &["max_pool3d", "max_pool2d"]),
            ("model: small-bn", "model: small_bn", &["small_bn", "small-bn"]),
            ("runs: [stops]", "runs: [stop]", &["stop", "stops"]),
            ("per_class, confusion,", "per_class, matrix,", &["matrix", "confusion"]),
            ("tables: [settings, results]", "tables: [settings, result]", &["result", "results"]),
            ("against: stops,", "against: stop,", &["stop", "stops"]),
            ("against: stops,", "against: small,", &["`small` has 2 seeds", "several"]),
            ("order: by_class", "order: sorted", &["sorted", "by_class"]),
            ("{adam: {lr: 0.003}}", "{adagrad: {lr: 0.003}}", &["adagrad", "adam"]),
            ("compare: printed", "compare: roughly", &["roughly", "printed"]),
        ],
    );
}

#[test]
fn values_that_do_not_fit() {
    refuse_each(
        "study-values",
        &[
            ("kernel_size: 5,", "kernel_size: 29,", &["kernel_size 29", "28 x 28"]),
            ("max_pool2d: {kernel_size: 2}", "max_pool2d: {kernel_size: 13}", &["kernel_size 13", "12 x 12"]),
            ("dropout: {p: 0.1}", "dropout: {p: 1.5}", &["dropout", "1.5"]),
            ("linear: {out_features: 10}", "linear: {out_features: 9}", &["linear", "[9]"]),
            ("seeds: [1, 2]", "seeds: [2, 2]", &["seeds", "2 is repeated"]),
            ("seeds: [1]", "seeds: []", &["seeds", "at least one"]),
            ("seeds: [1]", "seeds: [-1]", &["seeds", "-1"]),
            ("batch_size: 64", "batch_size: 0", &["batch_size", "0"]),
            ("epochs: 2", "epochs: 1.5", &["epochs", "1.5"]),
            ("epochs: 2", "epochs: 1000000", &["epochs", "1000000"]),
            ("{random: 400}", "{random: 60001}", &["60001", "60000"]),
            ("{per_class: 20}", "{per_class: 5422}", &["5422", "5421"]),
            ("lr: 0.1,", "lr: 0,", &["lr", "above 0"]),
            ("lr: 0.1,", "lr: .nan,", &["lr", "NaN"]),
            ("momentum: 0.9", "momentum: 2", &["momentum", "2"]),
            ("date: 2024-05-06", "date: 2023-02-29", &["date", "2023-02-29"]),
            ("small-bn: {title: With,", "../up: {title: With,", &["../up", "name"]),
        ],
    );
}

#[test]
fn expressions_and_sentences_that_cannot_be_read() {
    refuse_each(
        "study-expressions",
        &[
            (
                "measured: runs.small.accuracy > values.chance",
                "measured: runs.small.accuracy >",
                &["claims[2].measured", "expression"],
            ),
            (
                "measured: runs.large.accuracy",
                "measured: \"runs.large.\\n  accuracy |\\n\\n\"",
                &["claims[3].measured", "expression"],
            ),
            (
                "measured: runs.large.accuracy",
                "measured: runs.large.accuracy|no_such_filter",
                &["claims[3].measured", "no_such_filter"],
            ),
            ("printed: \"0.5\"", "printed: half", &["claims[3].printed", "half"]),
            (
                "supported_if: runs.small.accuracy > 2 * values.chance",
                "supported_if: \"((\"",
                &["conclusions[0].supported_if", "(("],
            ),
            (
                "supported: Yes, it gets {{ runs.small.accuracy|percent(2) }} right.",
                "supported: \"{{ runs.small\"",
                &["conclusions[0].supported", "sentence"],
            ),
            (
                "refuted: No, {{ runs.small.accuracy|percent(2) }} is chance.",
                "refuted: \"{% if true %}\\nNo\"",
                &["conclusions[0].refuted", "sentence"],
            ),
        ],
    );
}

/// Settings of a run of `tiny`, each refused.
const SETTINGS: &[&str] = &[
    "train: {images: {first: 0}}",
    "train: {hold_out: 60000}",
    "train: {images: {per_class: 20}, hold_out: 10}",
    "evidence: {candidates: 0}",
    "evidence: {candidates: 2, keep: 3}",
    "optimizer: {adam: {betas: [0.9, 1]}}",
    "optimizer: {adam: {eps: 0}}",
    "optimizer: {adadelta: {rho: 2}}",
    "optimizer: {rmsprop: {alpha: 1.1}}",
    "optimizer: {sgd: {lr: 0.1, nesterov: true}}",
    "optimizer: {sgd: {lr: 0.1, weight_decay: -1}}",
    "schedule: {step: {step_size: 0}}",
    "schedule: {step: {step_size: 1, gamma: 0}}",
    "schedule: {cosine: {min_lr: -1}}",
    "schedule: reduce_on_plateau",
    "train: {images: {first: 64}, hold_out: 100}, schedule: {reduce_on_plateau: {factor: 1}}",
    "schedule: {warmup: {steps: 1000000}}",
    "schedule: {warmup: {steps: 1, start_factor: 0}}",
    "schedule: {warmup: {steps: 1, then: one_cycle}}",
    "schedule: {warmup: {steps: 1, then: {cosine: {min_lr: -1}}}}",
    "schedule: {one_cycle: {pct_start: 2}}",
    "schedule: {one_cycle: {div_factor: 0}}",
    "stop_below_train_loss: 0",
    "label_smoothing: 1",
    "clip_grad_norm: 0",
    "clip_grad_norm: 1, clip_grad_value: 1",
    "label_smoothing: 0.1, stop_below_train_loss: 0.5",
    "augment: {shift: 9}",
    "augment: {rotate: -1}",
    "augment: {degrees: 10}",
    "augment: 2",
    "early_stopping: {patience: 1}",
    "train: {images: {first: 64}, hold_out: 100}, early_stopping: {patience: 0}",
];

/// First layers of a model of `tiny`, each refused.
const LAYERS: &[&str] = &[
    "- conv2d: {out_channels: 0, kernel_size: 3}",
    "- conv2d: {out_channels: 4000000, kernel_size: 3}",
    "- conv2d: {out_channels: 4, kernel_size: 3, groups: 3}",
    "- conv2d: {out_channels: 4, kernel_size: 3, name: 1st}",
    "- conv2d: {out_channels: 4}",
    "- conv2d: {out_channels: 4, kernel_size: [3, 29]}",
    "- conv2d: {out_channels: 4, kernel_size: 5, dilation: [1, 7]}",
    "- conv2d: {out_channels: 4, kernel_size: 3, dilation: 0}",
    "- conv2d: {out_channels: 4, kernel_size: 3, stride: [1, 2], padding: same}",
    "- conv2d: {out_channels: 4, kernel_size: 1, padding: [0, 20000]}",
    "- max_pool2d: {kernel_size: [2, 3]}",
    "- batch_norm2d: {eps: 0}",
    "- batch_norm2d: {momentum: 2}",
    "- flatten\n      - batch_norm1d: {momentum: 2}",
    "- flatten\n      - batch_norm2d",
    "- batch_norm1d",
    "- leaky_relu: {negative_slope: .inf}",
    "- avg_pool2d: {kernel_size: 2, padding: 2}",
    "- relu: {name: a}\n      - gelu: {name: a}",
    "- linear: {out_features: 10}",
    "- residual: {layers: []}",
    "- residual",
    "- residual: [relu]",
    "- residual: {layers: [{conv2d: {out_channels: 4, kernel_size: 3}}]}",
    "- residual: {layers: [relu, {linear: {out_features: 4}}]}",
    "- residual: {layers: [relu, {residual: {layers: [relu]}}]}",
    "- residual: {layers: [{relu: {name: a}}, {gelu: {name: a}}]}",
    "- residual: {layers: [{conv2d: {out_channels: 1, kernel_size: 3, padding: sam}}]}",
    "- residual: {layers: [relu], projection: true}",
    "- {relu: {}, gelu: {}}",
    "- 3",
];

/// Keys at the top of `tiny`, each refused.
const TOP_LEVEL: &[&str] = &[
    "input: {mean: .nan}",
    "input: {std: 0}",
    "input: {shape: [3, 28, 28]}",
    "compute: {threads: 4}",
    "compute: {class: fast}",
    "license: \"a\\u202eb\"",
];

/// Other passages of `tiny` and what replaces them, each refused.
const PASSAGES: &[(&str, &str)] = &[
    ("date: 2024-05-06", "date: today"),
    ("author: A. Student", "author: [[A, B]]"),
    ("run: small-bn, against: stops", "run: stops, against: stops"),
    ("margin: 0.01", "margin: 2"),
    ("early: {run: stops", "-early: {run: stops"),
    ("runs: [small, small-bn]", "runs: [small, small]"),
    ("comparisons: [norm, early]", "comparisons: [norm, late]"),
    ("show: [curves, curves_together, predictions, ladder]", "show: [curves, gain, ladder]"),
    ("show: [curves, curves_together, predictions, ladder]", "show: [curves]"),
    ("accuracy: 0.9}", "accuracy: 90}"),
    ("parameters: 1000", "parameters: 0"),
    ("id: conv-shape", "id: conv-count"),
    ("- id: learns", "- id: missing"),
    ("compare: printed}", "compare: {absolute: -1}}"),
    ("compare: printed}", "compare: {about: 1}}"),
    ("measured: models.small.layers.conv1.output_shape", "measured: ''"),
    ("seeds: [1, 2]", "seeds: 1"),
];

/// Whole studies except for the title, each refused.
const STUDIES: &[&str] = &[
    "models: {}\nruns: {}\n",
    "models: {m: {layers: [flatten, {linear: {out_features: 10}}]}}\nruns: {}\n",
    "models: {m: {layers: [{conv2d: {out_channels: 2, kernel_size: 28}}, batch_norm2d, flatten, {linear: {out_features: 10}}]}}\n\
    runs: {r: {model: m, train: {images: {first: 65}}, batch_size: 64, epochs: 1, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}}\n",
];

/// The messages about studies that no other test provokes. Uses the library, because starting the program for each
/// takes long.
#[test]
fn every_other_message_about_a_study() {
    let (seeds, layer) = ("seeds: [1, 2]}", "- conv2d: {out_channels: 4, kernel_size: 5, stride: 2}");
    let top = "description: Two small networks on a few hundred images.";
    let settings = SETTINGS.iter().map(|to| (seeds, format!("seeds: [1, 2], {to}}}")));
    let layers = LAYERS.iter().map(|to| (layer, (*to).to_owned()));
    let top_level = TOP_LEVEL.iter().map(|to| (top, (*to).to_owned()));
    let passages = PASSAGES.iter().map(|(from, to)| (*from, (*to).to_owned()));
    let changed = settings.chain(layers).chain(top_level).chain(passages).map(|(from, to)| {
        assert!(tiny_text().contains(from), "{from}");
        (format!("{from} -> {to}"), tiny_text().replacen(from, &to, 1))
    });
    let whole = STUDIES.iter().map(|text| ((*text).to_owned(), format!("title: T\n{text}")));
    let mut messages = Messages::default();
    for (what, text) in changed.chain(whole) {
        let source = Source::from_text(Path::new("study.yaml"), &text).map_err(|e| e.to_string());
        let resolved = source.and_then(|source| {
            let plan = Plan::resolve(&source).map_err(|e| e.to_string())?;
            check_expressions(&source, &plan).map_err(|e| e.to_string())
        });
        let message = resolved.expect_err(&what);
        assert!(message.starts_with("study.yaml:"), "{what}: {message}");
        messages.add_error(&what, &message);
    }
    messages.golden("study-others");
}

#[test]
fn text_that_is_not_yaml() {
    let mut messages = Messages::default();
    for (from, to, parts) in [
        ("title: Tiny study", "title: [Tiny study", ["YAML", "`[` of this line is not closed"]),
        ("title: Tiny study", "title: \"Tiny study", ["YAML", "a text opened with \" is not closed"]),
        ("author: A. Student", "title: A second one", ["the key `title`", "twice"]),
        ("  small-bn:\n    title: Small with", "  small:\n    title: Small with", ["the key `small`", "twice"]),
        ("author: A. Student", "\tauthor: A. Student", ["YAML", "use spaces"]),
        ("author: A. Student", "author: *nobody", ["YAML", "must be in quotes"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        let study = home.path().join("study.yaml");
        fs::write(&study, tiny_text().replacen(from, to, 1)).unwrap();
        let place = format!("{}:{}: ", study.display(), line_of(from));
        messages.add(&format!("{from} -> {to}"), &refused(&study, &[&parts[..], &[place.as_str()]].concat()));
        // `summary` refuses it too.
        run(program(["summary"]).arg(&study)).refused(&parts);
    }
    messages.golden("study-yaml");
}

#[test]
fn files_that_are_not_a_study() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut messages = Messages::default();
    let mut refused =
        |study: &Path, parts: &[&str]| messages.add(&format!("build {}", study.display()), &refused(study, parts));
    refused(&home.path().join("missing.yaml"), &["missing.yaml", "No such file"]);
    refused(home.path(), &["is not a file"]);
    refused(&file("binary.yaml", &[0, 159, 146, 150, 255, 254, 10, 0]), &["binary.yaml"]);
    refused(&root().join("data/mnist/train-labels-idx1-ubyte.gz"), &["train-labels-idx1-ubyte.gz"]);
    refused(&file("nul.yaml", b"title: \0\n"), &["nul.yaml"]);
    refused(&file("empty.yaml", b""), &["empty.yaml"]);
    refused(&file("list.yaml", b"- 1\n- 2\n"), &["list.yaml"]);
    refused(&file("two.yaml", b"title: a\n---\ntitle: b\n"), &["two.yaml"]);
    refused(&file("bare.yaml", b"title: Only a title\n"), &["bare.yaml", "missing key"]);
    refused(&file("large.yaml", &vec![b'#'; 5 << 20]), &["large.yaml", "MiB"]);
    refused(Path::new("/dev/zero"), &["/dev/zero"]);
    let lines = file("lines.yaml", b"\"a\\nb\": 1\ntitle: T\nmodels: {}\nruns: {}\n");
    refused(&lines, &["lines.yaml:1: ", "unknown key"]);
    let colours = file("colours.yaml", b"\"a\\nb\\e[31m\": 1\ntitle: T\nmodels: {}\nruns: {}\n");
    refused(&colours, &["colours.yaml:1: ", "holds the invisible character U+001B"]);
    messages.golden("study-files");
}

#[test]
fn extends_a_missing_file_or_itself() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let mut messages = Messages::default();
    let mut refused =
        |study: &Path, parts: &[&str]| messages.add(&format!("build {}", study.display()), &refused(study, parts));
    refused(&file("self.yaml", "extends: self.yaml\n"), &["self.yaml:1: extends", "cycle"]);
    file("a.yaml", "title: A\nextends: b.yaml\n");
    refused(&file("b.yaml", "extends: a.yaml\n"), &["extends", "cycle"]);
    refused(&file("gone.yaml", "extends: nowhere.yaml\n"), &["nowhere.yaml"]);
    refused(&file("number.yaml", "title: T\nextends: 3\n"), &["number.yaml:2: extends"]);
    // An error names the file that contains the mistake, even if another file extends that one.
    file("base.yaml", &tiny_text().replace("epochs: 2", "epochs: 0"));
    refused(
        &file("over.yaml", "extends: base.yaml\ntitle: Over\n"),
        &[&*format!("base.yaml:{}: ", line_of("epochs: 2")), "epochs"],
    );
    messages.golden("study-extends");
}

#[test]
fn aliases_and_nesting_that_would_fill_memory() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("bomb.yaml");
    let mut bomb = String::from("a0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0]\n");
    for i in 1..12 {
        let below = vec![format!("*a{}", i - 1); 9].join(", ");
        writeln!(bomb, "a{i}: &a{i} [{below}]").unwrap();
    }
    for text in [
        bomb.clone(),
        format!("values:\n{}", bomb.lines().map(|l| format!("  {l}\n")).collect::<String>()) + &tiny_text(),
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        format!("values: {}{}\n{}", "[".repeat(5_000), "]".repeat(5_000), tiny_text()),
        "- ".repeat(100_000),
        "a: &a [*a]\n".to_owned(),
        "title: &t {again: *t}\n".to_owned(),
    ] {
        fs::write(&study, text).unwrap();
        refused(&study, &["bomb.yaml"]);
    }
}

#[test]
fn small_aliases_are_read() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("aliases.yaml");
    let text =
        MINI.replace("layers: [flatten", "layers: &all [flatten").replace("10}}]}}", "10}}]}, twin: {layers: *all}}");
    fs::write(&study, text).unwrap();
    let summary = run(program(["summary", "--json"]).arg(&study)).exits(0).out;
    let facts: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(
        (&facts["models"]["only"]["parameters"], &facts["models"]["twin"]["parameters"]),
        (&7850.into(), &7850.into())
    );
}

/// With more curves than colours, a panel would have curves of the same colour.
#[test]
fn at_most_six_runs_share_a_panel_of_curves() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    let written = |count: usize| {
        let names: Vec<String> = (1..=count).map(|i| format!("r{i}")).collect();
        let runs = names.iter().map(|name| format!("{name}: {{model: only}}")).collect::<Vec<_>>().join(", ");
        let section = format!("sections: [{{title: S, runs: [{}], show: [curves_together]}}]\n", names.join(", "));
        fs::write(&study, MINI.replace("single: {model: only}", &runs) + &section).unwrap();
    };
    written(6);
    run(program(["summary"]).arg(&study)).exits(0);
    written(7);
    refused(
        &study,
        &[
            "study.yaml:5: sections[0].show[0]: more than 6 runs in one panel of curves; use `curves`, or split the section",
        ],
    );
}
