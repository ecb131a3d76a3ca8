//! Data sets other than MNIST: four IDX files of 28x28 images, made here from numbers, whose hashes the study has.
//!
//! Longer than 400 lines because all tests share data sets that are made here from numbers.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use mnist_report::compute::DeviceChoice;
use mnist_report::demo::Honest;
use serde_json::Value;
use tempfile::TempDir;

use crate::check_py::check;
use crate::support::*;

const CLASSES: usize = 4;
const NAMES: &str = "classes: {en: [Top stripe, High stripe, \"Low <stripe>\", Bottom], uk: [верхня смуга, висока смуга, низька смуга, дно]}";
const TITLE: &str = "title: {en: Stripes, uk: Смуги}";

/// An IDX file.
fn idx(sizes: &[usize], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(sizes.len()).unwrap()];
    for size in sizes {
        bytes.extend(u32::try_from(*size).unwrap().to_be_bytes());
    }
    bytes.extend(values);
    bytes
}

/// Images with a bright stripe, whose height gives the class, on noise. Every eleventh has the label of another class.
fn stripes(count: usize, mut state: u32) -> (Vec<u8>, Vec<u8>) {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for i in 0..count {
        // Not as many of each class.
        let class = if i % 7 == 6 { 0 } else { i % CLASSES };
        for row in 0..28 {
            for _ in 0..28 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 24) as u8 / 2;
                pixels.push(if row / 7 == class { 128 + noise } else { noise });
            }
        }
        let class = if i % 11 == 10 { (class + 1) % CLASSES } else { class };
        labels.push(u8::try_from(class).unwrap());
    }
    (pixels, labels)
}

/// Writes the four files into `folder`, those of the training set gzipped.
fn write_set(folder: &Path, [train, test]: [(Vec<u8>, Vec<u8>); 2]) {
    fs::create_dir_all(folder).unwrap();
    for (name, (pixels, labels)) in [("train", train), ("t10k", test)] {
        let files =
            [("images-idx3", idx(&[labels.len(), 28, 28], &pixels)), ("labels-idx1", idx(&[labels.len()], &labels))];
        for (part, bytes) in files {
            let path = folder.join(format!("{name}-{part}-ubyte"));
            if name == "train" {
                let mut gz = GzEncoder::new(fs::File::create(path.with_extension("gz")).unwrap(), Compression::fast());
                gz.write_all(&bytes).unwrap();
                gz.finish().unwrap();
            } else {
                fs::write(path, bytes).unwrap();
            }
        }
    }
}

/// The keys that `data --pin` prints for a folder.
fn pinned(folder: &Path) -> String {
    run(program(["data", "--pin", "--dir"]).arg(folder)).exits(0).out
}

/// A study of the data set in a folder: `tiny` with fewer images, and as many outputs as the set has classes.
fn study_of(keys: &str) -> String {
    let tiny = tiny_with(&[
        ("title: Tiny study\n", "title: Tiny study\nlang: [en, uk]\n"),
        ("out_features: 10", "out_features: 4"),
        ("{random: 400}", "{random: 200}"),
        ("hold_out: 100", "hold_out: 40"),
    ]);
    format!("{keys}\n{tiny}")
}

/// The printed keys with names for the set and its classes.
fn named(keys: &str) -> String {
    let line = |key: &str| keys.lines().find(|line| line.trim_start().starts_with(key)).unwrap().to_owned();
    keys.replace(&line("title: "), &format!("  {TITLE}")).replace(&line("classes: "), &format!("  {NAMES}"))
}

/// A folder with the data set `stripes`, `study.yaml`, and the bundle that was built of them.
struct Made {
    home: TempDir,
    built: Done,
}

impl Made {
    fn data(&self) -> PathBuf {
        self.home.path().join("stripes")
    }

    fn bundle(&self) -> Bundle {
        Bundle::at(self.home.path().join("study"))
    }

    fn study(&self) -> String {
        fs::read_to_string(self.home.path().join("study.yaml")).unwrap()
    }
}

/// Built once for all tests of this module; no test may change it.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        write_set(&home.path().join("stripes"), [stripes(330, 1), stripes(100, 2)]);
        let mut pin = program(["data", "--pin", "--dir", "stripes"]);
        let keys = run(pin.current_dir(home.path())).exits(0).out;
        fs::write(home.path().join("study.yaml"), study_of(&named(&keys))).unwrap();
        // From another folder: `dir` is relative to the study.
        let built = run(&mut build(&home.path().join("study.yaml"), &home.path().join("study"))).exits(0);
        Made { home, built }
    })
}

/// A copy of the bundle in a folder of its own.
fn copied() -> (TempDir, Bundle) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("bundle");
    copy_folder(&made().bundle().path, &path);
    (home, Bundle::at(path))
}

/// The status of a rung in the output of `verify`.
fn status<'a>(out: &'a str, rung: &str) -> &'a str {
    let line =
        out.lines().find(|line| line.starts_with(&format!("{rung} "))).unwrap_or_else(|| panic!("{rung}: {out}"));
    line[10..].split("  ").next().unwrap().trim()
}

const RUNGS: [&str; 7] = ["files", "inputs", "exact", "render", "metrics", "weights", "replay"];

#[test]
fn the_keys_of_a_folder_are_printed_with_hashes_and_counts() {
    let keys = pinned(&made().data());
    golden("data-pin.txt", &keys.replace(made().home.path().to_str().unwrap(), "HOME"));
    for line in
        ["  train_images: 330", "  test_images: 100", "  title: \"stripes\"", "  classes: [\"0\", \"1\", \"2\", \"3\"]"]
    {
        assert!(keys.contains(line), "{line}\n{keys}");
    }
    // MNIST needs no keys.
    let mnist = pinned(&root().join("data/mnist"));
    assert!(mnist.contains("MNIST's files") && !mnist.contains("sha256"), "{mnist}");
}

#[test]
fn folders_without_a_data_set_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("set");
    let pin = || run(program(["data", "--pin", "--dir"]).arg(&dir));
    pin().refused(&["train-images-idx3-ubyte is not in"]);
    let good = || [stripes(40, 1), stripes(20, 2)];
    let many = |class: u8| {
        let mut set = good();
        set[0].1[7] = class;
        set
    };
    for (set, why) in [
        (many(12), "has 13 classes, by the highest label; 2 to 10 are supported"),
        (many(5), "train-labels-idx1-ubyte: has no image of class 4"),
        ([stripes(40, 1), stripes(3, 2)], "t10k-labels-idx1-ubyte: has no image of class 3"),
    ] {
        write_set(&dir, set);
        pin().refused(&[why]);
    }
    write_set(&dir, good());
    fs::write(dir.join("t10k-labels-idx1-ubyte"), idx(&[3], &[0, 1, 2])).unwrap();
    pin().refused(&["has 3 labels for 20 images"]);
    fs::write(dir.join("t10k-images-idx3-ubyte"), idx(&[20, 14, 14], &[0; 20 * 196])).unwrap();
    pin().refused(&["holds values of the sizes [20, 14, 14]; at least 2 images of 28x28"]);
    fs::write(dir.join("t10k-images-idx3-ubyte"), "text").unwrap();
    pin().refused(&["t10k-images-idx3-ubyte", "is not an IDX file"]);
}

#[test]
fn a_report_names_the_data_set_and_its_classes_and_no_digit() {
    let bundle = made().bundle();
    for (page, names, absent) in [
        ("report.html", ["Stripes", "Top stripe", "Low &lt;stripe&gt;", "true class"], ["MNIST database", "digit"]),
        ("report.uk.html", ["Смуги", "верхня смуга", "дно", "справжній клас"], ["рукописн", "цифр"]),
        ("report.md", ["Stripes", "Top stripe", "Bottom", "classes of the data set"], ["published MNIST", "digit"]),
        ("README.txt", ["Stripes", "Смуги", "--data DATA", "study.yaml has their SHA-256"], ["MNIST", "digit"]),
        (
            "ro-crate-metadata.json",
            ["\"#data\"", "\"Stripes\"", "#data/t10k-labels-idx1-ubyte", "sha256"],
            ["yann.lecun", "#mnist"],
        ),
    ] {
        let text = bundle.text(page);
        let text = text.rsplit("</style>").next().unwrap();
        // The style of numbers, and the program's own name, have the words, too.
        let plain = text.to_lowercase().replace("2-digit", "").replace("mnist-report", "").replace("mnist_report", "");
        for name in names {
            assert!(text.contains(name), "{page} does not name `{name}`");
        }
        for word in absent {
            let at = plain.find(&word.to_lowercase());
            assert!(at.is_none(), "{page} has `{word}`: {:?}", at.and_then(|at| plain.get(at - 60..at + 60)));
        }
    }
    let results = bundle.json("results.json");
    assert_eq!(results["data"]["train_images"], 330);
    assert_eq!(results["data"]["test_classes"].as_array().unwrap().len(), CLASSES);
    assert_eq!(results["runs"]["small"]["seeds"][0]["confusion"].as_array().unwrap().len(), CLASSES);
    assert_eq!(made().built.out.lines().count(), 1, "{}", made().built.out);
}

#[test]
fn the_figures_of_another_data_set() {
    let bundle = made().bundle();
    for (figure, name) in [
        ("section1-confusion-small", "other-data-confusion.svg"),
        ("section1-per-class", "other-data-per-class.svg"),
        ("section2-predictions", "other-data-predictions.svg"),
    ] {
        golden(name, &bundle.text(&format!("figures/{figure}.svg")));
    }
    let gallery = bundle.text("figures/section1-misread-small.svg").replace('\u{a0}', " ");
    assert!(gallery.contains("\n→ Top stripe\n") && gallery.contains("\nLow &lt;stripe&gt;\n"), "{gallery}");
}

#[test]
fn a_grader_who_names_the_folder_can_check_every_rung() {
    let (_home, bundle) = copied();
    let data = made().data();
    let done = bundle.run("verify", &["--data", data.to_str().unwrap()]).exits(0);
    for rung in RUNGS {
        assert_eq!(status(&done.out, rung), "passed", "{}", done.out);
    }
    let inputs = done.out.lines().find(|line| line.starts_with("inputs ")).unwrap();
    assert!(inputs.contains("not MNIST, but the files that the study names as `Stripes`"), "{inputs}");
    let rerun = ["--data", data.to_str().unwrap(), "--upto", "rerun"];
    assert_eq!(status(&bundle.run("verify", &rerun).exits(0).out, "rerun"), "passed");
    // The variable does the same, and a zip holds all that is needed.
    bundle.run("publish", &[]).exits(0);
    let mut verify = program(["verify", "--upto", "metrics"]);
    run(verify.arg(bundle.zip()).env("MNIST_REPORT_DATA", &data)).exits(0);
    let done = check(&["--data", data.to_str().unwrap()], &bundle.zip()).exits(0);
    assert!(done.out.contains("the data are not MNIST but what the study lists"), "{}", done.out);
}

#[test]
fn without_the_folder_what_needs_the_data_is_not_checked() {
    // Where the study's own folder exists, too: the bundle's author does not choose which files are opened.
    let bundle = made().bundle();
    let done = run(program(["verify"]).arg(&bundle.path).current_dir(made().home.path())).exits(2);
    for rung in ["files", "inputs", "render"] {
        assert_eq!(status(&done.out, rung), "passed", "{}", done.out);
    }
    for rung in ["metrics", "weights", "replay"] {
        assert_eq!(status(&done.out, rung), "not checked", "{}", done.out);
    }
    let advice =
        "needs the data: the data set `Stripes` is needed: name the folder with its four files by --data FOLDER";
    assert!(done.out.contains(advice), "{}", done.out);
    let done = check(&[], &bundle.path).exits(2);
    assert!(done.out.contains("metrics   not checked  needs the labels of the test set"), "{}", done.out);
}

#[test]
fn files_that_are_not_the_data_set_are_named() {
    let home = tempfile::tempdir().unwrap();
    write_set(&home.path().join("stripes"), [stripes(330, 1), stripes(100, 3)]);
    let study = home.path().join("study.yaml");
    fs::write(&study, made().study()).unwrap();
    let out = home.path().join("out");
    let parts = ["the data set `Stripes` is needed", "is not Stripes's t10k-images-idx3-ubyte: SHA-256", "expected"];
    run(&mut build(&study, &out)).refused(&parts);
    // `--data` takes precedence over the study.
    run(build(&study, &out).arg("--data").arg(made().data())).exits(0);
    assert_eq!(Bundle::at(out).report_id(), made().bundle().report_id());
    let done = made().bundle().run("verify", &["--data", home.path().join("stripes").to_str().unwrap()]).exits(2);
    assert!(done.out.contains("is not Stripes's t10k-images-idx3-ubyte"), "{}", done.out);
}

/// Writes a study beside the data set and builds it; it must be refused with these words.
#[track_caller]
fn refused(changes: &[(&str, &str)], parts: &[&str]) {
    let study = made().study();
    let text = changes.iter().fold(study, |text, (from, to)| {
        assert!(text.contains(from), "the study does not contain `{from}`");
        text.replace(from, to)
    });
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("s.yaml");
    fs::write(&file, text).unwrap();
    let out = home.path().join("out");
    run(build(&file, &out).arg("--data").arg(made().data())).refused(parts);
    assert!(!out.exists());
}

#[test]
fn mistakes_in_the_keys_are_refused_before_training() {
    let mnist = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db";
    let study = made().study();
    let hash = |key: &str| {
        let line = study.lines().find(|line| line.trim_start().starts_with(&format!("{key}: "))).unwrap();
        line.trim().rsplit(' ').next().unwrap().to_owned()
    };
    let train = hash("train-images");
    refused(&[(TITLE, "title: mnist")], &["data.title: `mnist`: by their hashes, these files are not MNIST"]);
    let disguised = [
        "'MNIST '",
        "MN1ST",
        "M N I S T",
        "М\u{39d}ІЅТ",
        "ＭＮＩＳＴ",
        "𝐌𝐍𝐈𝐒𝐓",
        "MNIST.",
        "'The original MNIST'",
        "MNIST (цифри)",
        "MNIST (verified)",
        "'MNIST, original files'",
        "'MNIST: 60 K images'",
        "MNIST v1",
        "MNIST 60000",
        "LeCun MNIST",
        "'MNIST, unchanged, no part missing'",
        "MNIST¹",
        "МНІСТ",
        "мніст без змін",
        "Modified NIST",
        "Fashion-MNIST and the original MNIST",
    ];
    for title in disguised {
        refused(&[(TITLE, &format!("title: {title}"))], &["data.title", "by their hashes, these files are not MNIST"]);
    }
    refused(&[(TITLE, "title: \"MN\\u200BIST\"")], &["data.title"]);
    refused(&[(TITLE, "title: ' '")], &["data.title: is empty"]);
    refused(&[(&train, "12ab")], &["data.sha256.train-images: is not a SHA-256"]);
    refused(&[(&train, mnist)], &["is not Stripes's train-images-idx3-ubyte"]);
    refused(&[(NAMES, "classes: [only]")], &["data.classes: has 1 names; 2 to 10 classes are supported"]);
    refused(
        &[(NAMES, "classes: [a, b, \u{430}, c]"), ("lang: [en, uk]", "lang: en")],
        &["data.classes[2]: `\u{430}` looks like another class, `a`"],
    );
    refused(&[(NAMES, "classes: [a, b, {en: c}, d]")], &["data.classes[2]: has no text in `uk`"]);
    refused(
        &[("  test_images: 100\n", "")],
        &["data: missing key `test_images`; `mnist-report data --dir FOLDER --pin` prints"],
    );
    refused(&[("  test_images: 100\n", "  tests: 100\n")], &["data.tests: unknown key `tests`"]);
    refused(&[("  test_images: 100\n", "  test_images: 1\n")], &["data.test_images: 1: must be from 2 to 300000"]);
    refused(
        &[("  test_images: 100\n", "  test_images: 99\n")],
        &["t10k-images-idx3-ubyte: 77633 bytes, expected 77632"],
    );
    refused(&[("{random: 200}", "{random: 400}")], &["train.images: 400: must be from 1 to 330 images"]);
    refused(
        &[("per_class: 20", "per_class: 71")],
        &["runs.stops.train.images: 71: the class `Low <stripe>`", "has 70 training images"],
    );
}

#[test]
fn networks_have_as_many_outputs_as_there_are_classes() {
    let parts = ["models.small.layers[5]: linear: the last layer gives [10] values for each image; 4 are needed"];
    refused(&[("out_features: 4", "out_features: 10")], &parts);
}

#[test]
fn labels_that_are_no_class_are_refused_before_training() {
    let three = [(NAMES, "classes: [a, b, c]"), ("out_features: 4", "out_features: 3"), ("lang: [en, uk]", "lang: en")];
    refused(&three, &["train-labels-idx1-ubyte: the label of image 3 is 3, but there are 3 classes, 0 to 2"]);
    let five =
        [(NAMES, "classes: [a, b, c, d, e]"), ("out_features: 4", "out_features: 5"), ("lang: [en, uk]", "lang: en")];
    refused(&five, &["train-labels-idx1-ubyte: has no image of class 4; every one of the 5 classes needs some"]);
}

#[test]
fn extended_studies_and_assignments_take_the_same_data_set() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("base")).unwrap();
    let base = home.path().join("base/lab.yaml");
    fs::write(&base, format!("free: [author]\n{}", made().study().replace("dir: \"stripes\"", "dir: nowhere")))
        .unwrap();
    let own = home.path().join("own.yaml");
    fs::write(&own, "extends: base/lab.yaml\nauthor: B. Other\ndata: {dir: here}\n").unwrap();
    copy_folder(&made().data(), &home.path().join("here"));
    let bundle = Bundle::at(home.path().join("own"));
    run(&mut build(&own, &bundle.path)).exits(0);
    let data = made().data();
    let verify = |lab: &Path| {
        bundle.run(
            "verify",
            &["--upto", "metrics", "--data", data.to_str().unwrap(), "--assignment", lab.to_str().unwrap()],
        )
    };
    // Where the files are on a machine is not compared; which they are is.
    verify(&base).exits(0);
    let lab = fs::read_to_string(&base).unwrap();
    let hash = lab.split("t10k-labels: ").nth(1).unwrap()[..64].to_owned();
    let other = home.path().join("base/other.yaml");
    fs::write(&other, lab.replace(&hash, &hash.chars().rev().collect::<String>())).unwrap();
    assert!(verify(&other).exits(1).out.contains("data.sha256.t10k-labels"), "another data set");
    fs::write(&other, tiny_text() + "\nfree: [author]\n").unwrap();
    assert!(verify(&other).exits(1).out.contains("data"), "MNIST");
}

#[test]
fn a_forger_cannot_pass_one_data_set_off_as_another() {
    let honest = Honest::open(&made().bundle().path, DeviceChoice::Cpu, Some(&made().data())).unwrap();
    let data = made().data();
    let checked = |change: &dyn Fn(&mut mnist_report::demo::Draft), redo, rung: &str| {
        let home = tempfile::tempdir().unwrap();
        let mut draft = honest.draft();
        change(&mut draft);
        draft.redo(redo).unwrap();
        let path = home.path().join("bundle");
        draft.save(&path).unwrap();
        let bundle = Bundle::at(path);
        let done = bundle.run("verify", &["--upto", "metrics", "--data", data.to_str().unwrap()]).exits(1);
        assert_eq!(status(&done.out, rung), "FAILED", "{}", done.out);
        let done = check(&["--data", data.to_str().unwrap()], &bundle.path).exits(1);
        assert_eq!(status(&done.out, rung), "FAILED", "{}", done.out);
    };
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    let manifest: Value = made().bundle().json("manifest.json");
    let inputs = manifest["inputs"].as_array().unwrap();
    let hash = inputs.iter().find(|i| i["name"] == "t10k-images-idx3-ubyte").unwrap()["sha256"].as_str().unwrap();
    checked(
        &|draft| draft.replace("manifest.json", hash, &reversed(hash)).unwrap(),
        mnist_report::demo::Redo::Sums,
        "inputs",
    );
    checked(
        &|draft| {
            let swap = |results: &mut Value| {
                results["runs"]["small"]["seeds"][0]["confusion"][0].as_array_mut().unwrap().swap(0, 1);
            };
            draft.change_json("results.json", swap).unwrap();
        },
        mnist_report::demo::Redo::Report,
        "metrics",
    );
}

#[test]
fn doctor_says_that_the_variable_names_another_data_set() {
    let done = run(program(["doctor", "--json"]).env("MNIST_REPORT_DATA", made().data())).exits(0);
    let findings: Value = serde_json::from_str(&done.out).unwrap();
    let data = findings.as_array().unwrap().iter().find(|f| f["what"] == "data").unwrap();
    assert_eq!(data["state"], "absent", "{data}");
    assert!(data["found"].as_str().unwrap().starts_with("not MNIST, but another data set (stripes) in "), "{data}");
}

#[test]
fn check_py_finds_a_data_set_of_another_name() {
    // The keys in flow form, as people also write them.
    let study = made().study();
    let keys: Vec<&str> = study.lines().filter(|line| line.starts_with("    t") && line.contains('-')).collect();
    let flow = format!("  sha256: {{{}}}", keys.iter().map(|line| line.trim()).collect::<Vec<_>>().join(", "));
    let at = study.find("  sha256:").unwrap();
    let end = study.find(keys[3]).unwrap() + keys[3].len();
    let text = format!("{}{flow}{}", &study[..at], &study[end..]);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("s.yaml");
    fs::write(&file, text).unwrap();
    let bundle = Bundle::at(home.path().join("out"));
    run(build(&file, &bundle.path).arg("--data").arg(made().data())).exits(0);
    check(&["--data", made().data().to_str().unwrap()], &bundle.path).exits(0);
}
