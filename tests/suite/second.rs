//! The second verifier, scripts/check.py, gives the same answers as the program: for honest bundles, for every forgery
//! of the tests, and (in zips.rs) for every zip.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use mnist_report::compute::DeviceChoice;
use mnist_report::demo::{FORGERIES, Honest};
use mnist_report::verify::{Rung, Status, verify};

use crate::support::*;
use crate::tamper::forgeries;

/// The rungs of both verifiers, by the program's names.
const SHARED: [Rung; 3] = [Rung::Files, Rung::Inputs, Rung::Metrics];

/// Forgeries that only the program finds on a shared rung, because check.py reads neither YAML nor images.
const BEYOND: [(&str, Rung); 5] = [
    ("its title", Rung::Inputs),
    ("another date everywhere", Rung::Inputs),
    ("a comparison left out", Rung::Metrics),
    ("the picture of another digit", Rung::Metrics),
    ("another first convolution in the figure", Rung::Metrics),
];

/// `check.py ARGUMENTS BUNDLE`.
pub fn check(arguments: &[&str], bundle: &Path) -> Done {
    let mut command = Command::new("python3");
    command.arg(root().join("scripts/check.py")).args(arguments).arg(bundle);
    run(command.env_remove("MNIST_REPORT_DATA").current_dir(root()))
}

/// The status of each rung that check.py reached.
fn statuses(done: &Done) -> BTreeMap<String, String> {
    let of_line = |line: &str| Some((line.get(..10)?.trim_end().to_owned(), line.get(10..21)?.trim_end().to_owned()));
    done.out.lines().filter(|line| !line.starts_with("Report ID")).filter_map(of_line).collect()
}

/// Compares the results of the program and of check.py for a bundle. Returns the differences.
fn differences(what: &str, bundle: &Path) -> Vec<String> {
    let verification = verify(bundle, Some(Rung::Metrics), DeviceChoice::Cpu).unwrap();
    let done = check(&[], bundle);
    let found = statuses(&done);
    let answer = |rung: Rung| found.get(rung.name()).map_or("not checked", String::as_str);
    let mut differences = Vec::new();
    for step in verification.steps.iter().filter(|step| SHARED.contains(&step.rung)) {
        let expected = if BEYOND.contains(&(what, step.rung)) { Status::Passed } else { step.status };
        if answer(step.rung) != expected.to_string() {
            differences.push(format!("{what}: {} {expected}, but:\n{}{}", step.rung.name(), done.out, done.err));
        }
        if step.status == Status::Failed {
            break; // after a failure, each continues differently
        }
    }
    differences
}

#[test]
fn it_needs_little_to_be_read_and_run() {
    let text = std::fs::read_to_string(root().join("scripts/check.py")).unwrap();
    let (lines, longest) = (text.lines().count(), text.lines().map(|line| line.chars().count()).max());
    assert!(lines <= 300 && longest <= Some(132), "{lines} lines, the longest of {longest:?} characters");
    let mut imported = text.lines().filter_map(|line| line.strip_prefix("import "));
    assert_eq!(imported.clone().count(), 1);
    for module in imported.next().unwrap().split(", ") {
        let done = run(Command::new("python3").args([
            "-c",
            "import sys; print(sys.argv[1] in sys.stdlib_module_names)",
            module,
        ]));
        assert_eq!(done.out, "True\n", "{module} is part of Python");
    }
}

#[test]
fn an_honest_bundle_passes_as_folder_zip_and_lean_zip() {
    let bundle = copy();
    for (name, arguments, code) in [("whole.zip", &[][..], 0), ("lean.zip", &["--lean"], 2)] {
        let zip = bundle.path.with_file_name(name);
        bundle.run("publish", &[arguments, &["--out", zip.to_str().unwrap()]].concat()).exits(0);
        assert_eq!(differences(name, &zip), Vec::<String>::new());
        let done = check(&[], &zip).exits(code);
        assert!(done.out.contains(&bundle.report_id()), "{}", done.out);
        check(&["--upto", "metrics"], &zip).exits(0);
    }
    let lean = copy();
    for part in ["weights", "evidence"] {
        std::fs::remove_dir_all(lean.path.join(part)).unwrap();
    }
    assert_eq!(differences("lean folder", &lean.path), Vec::<String>::new());
    check(&["--upto", "metrics"], &lean.path).exits(0);
    assert_eq!(differences("folder", &bundle.path), Vec::<String>::new());
    let done = check(&[], &bundle.path).exits(0);
    assert_eq!(done.out.lines().count(), 5, "{}", done.out);
}

#[test]
fn of_several_bundles_each_is_named_with_its_report_id() {
    let bundle = copy();
    let zip = bundle.path.with_file_name("one.zip");
    bundle.run("publish", &["--out", zip.to_str().unwrap()]).exits(0);
    let done = check(&[zip.to_str().unwrap()], &bundle.path).exits(0);
    for path in [&zip, &bundle.path] {
        let line = format!("Report ID {}: {}; 0 files left out", bundle.report_id(), path.display());
        assert!(done.out.contains(&line), "{line}\n{}", done.out);
    }
}

#[test]
fn bytes_behind_a_zip_are_named() {
    let bundle = copy();
    let zip = bundle.path.with_file_name("longer.zip");
    bundle.run("publish", &["--out", zip.to_str().unwrap()]).exits(0);
    let mut bytes = std::fs::read(&zip).unwrap();
    bytes.push(b'x');
    std::fs::write(&zip, bytes).unwrap();
    let done = check(&[], &zip).exits(1);
    assert!(done.out.contains("the zip contradicts itself: bytes outside any entry or after its end"), "{}", done.out);
}

#[test]
fn without_labels_the_metrics_are_not_checked_and_the_sizes_are() {
    let empty = tempfile::tempdir().unwrap();
    let done = check(&["--data", empty.path().to_str().unwrap()], &shared().0.path).exits(2);
    let found = statuses(&done);
    assert_eq!((found["metrics"].as_str(), found["sizes"].as_str()), ("not checked", "passed"), "{}", done.out);
}

#[test]
fn it_finds_what_the_program_finds_in_the_forgeries_of_the_tests() {
    let honest = Honest::open(&shared().0.path, DeviceChoice::Cpu, None).unwrap();
    let mut wrong = Vec::new();
    for forgery in forgeries::FORGERIES.iter().filter(|forgery| SHARED.contains(&forgery.fails[0])) {
        let home = tempfile::tempdir().unwrap();
        let mut draft = honest.draft();
        (forgery.change)(&mut draft);
        draft.redo(forgery.redo).unwrap();
        let path = home.path().join("bundle");
        draft.save(&path).unwrap();
        wrong.extend(differences(forgery.what, &path));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn it_finds_what_the_program_finds_in_the_forgeries_of_demo() {
    let folder = tempfile::tempdir().unwrap();
    let forger = Honest::open(&shared().0.path, DeviceChoice::Cpu, None).unwrap();
    let mut wrong = Vec::new();
    for forgery in FORGERIES.iter().filter(|forgery| forger.has_run_for(forgery)) {
        let dir = folder.path().join(forgery.name);
        forger.forge(forgery, &dir).unwrap();
        wrong.extend(differences(forgery.name, &dir));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_counts_of_parameters_fail_the_sizes() {
    let bundle = copy();
    for (change, back) in [("\"parameters\": 104", "\"parameters\": 105"), ("\"buffers\": 8", "\"buffers\": 9")] {
        bundle.replace("results.json", change, back);
        bundle.redo_sums();
        let done = check(&[], &bundle.path).exits(1);
        assert_eq!(statuses(&done)["sizes"], "FAILED", "{}", done.out);
        bundle.replace("results.json", back, change);
    }
    bundle.redo_sums();
    check(&[], &bundle.path).exits(0);
}

#[test]
fn wrong_headers_of_weights_fail_the_sizes() {
    let bundle = copy();
    let weights = "weights/small-bn.safetensors";
    let sound = bundle.bytes(weights);
    let changed = |from: &str, to: &str| {
        let at = sound.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&sound[..at], to.as_bytes(), &sound[at + from.len()..]].concat()
    };
    let forged = [
        changed("\"F32\"", "\"I32\""),
        changed("running_mean", "shifted_mean"),
        changed("\"data_offsets\":[0,", "\"data_offsets\":[4,"),
        [&sound[..], &[0; 4]].concat(),
        sound[..sound.len() - 4].to_vec(),
    ];
    for bytes in forged {
        bundle.write(weights, bytes);
        bundle.redo_sums();
        let done = check(&[], &bundle.path).exits(1);
        assert_eq!(statuses(&done)["sizes"], "FAILED", "{}", done.out);
    }
}

#[test]
fn a_wrong_size_in_either_convention_fails_the_sizes() {
    let bundle = copy();
    for convention in ["torchsummary", "torchinfo"] {
        let sound = bundle.bytes("results.json");
        bundle.change_json("results.json", |results| {
            results["models"]["small-bn"]["sizes"][convention]["params"] = 0.5.into();
        });
        bundle.redo_sums();
        let done = check(&[], &bundle.path).exits(1);
        assert_eq!(statuses(&done)["sizes"], "FAILED", "{}", done.out);
        bundle.write("results.json", sound);
    }
}

#[test]
fn what_is_no_bundle_is_one_line_of_error() {
    let empty = tempfile::tempdir().unwrap();
    for (path, reason) in
        [(empty.path(), "is not a bundle"), (&root().join("Cargo.toml"), "is not a zip"), (Path::new("none"), "none")]
    {
        let done = check(&[], path).exits(2);
        assert!(
            done.err.starts_with("error: ") && done.err.contains(reason) && done.err.lines().count() == 1,
            "{}",
            done.err
        );
    }
}

#[test]
fn names_of_a_bundle_cannot_look_like_lines_of_the_result() {
    let bundle = copy();
    bundle.write("x\nsizes     passed       all\u{1b}[8m", "x");
    let done = check(&[], &bundle.path).exits(1);
    assert_eq!(done.out.lines().filter(|line| line.starts_with("sizes")).count(), 0, "{}", done.out);
}
