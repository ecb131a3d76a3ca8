//! `verify` with an honest bundle, with damaged ones, and with other files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use mnist_report::compute::DeviceChoice;
use mnist_report::verify::{Rung, verify};
use serde_json::{Value, json};

use crate::support::*;

/// The rungs that do not compute with libtorch.
const CHECKED: [&str; 5] = ["files", "inputs", "exact", "render", "metrics"];

/// Each rung's status.
fn statuses(json: &str) -> BTreeMap<String, String> {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    value["steps"].as_array().unwrap().iter().map(|s| (text(&s["rung"]), text(&s["status"]))).collect()
}

#[test]
fn an_honest_bundle_passes_every_rung() {
    let (bundle, _) = shared();
    let done = bundle.run("verify", &["--upto", "rerun", "--json"]).exits(0);
    assert_eq!(done.err, "");
    let statuses = statuses(&done.out);
    assert!(statuses.len() >= 8 && statuses.values().all(|status| status == "passed"), "{statuses:?}");
    let value: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(value["report_id"], json!(bundle.report_id()));
    assert!(value["steps"].as_array().unwrap().iter().all(|step| !step["details"].as_array().unwrap().is_empty()));
}

#[test]
fn by_default_it_goes_up_to_replay_and_prints_the_report_id_last() {
    let (bundle, _) = shared();
    let done = bundle.run("verify", &[]).exits(0);
    assert_eq!(done.report_id(), bundle.report_id());
    let line =
        |rung: &str| done.out.lines().find(|line| line.starts_with(rung)).unwrap_or_else(|| panic!("{}", done.out));
    for rung in CHECKED.iter().chain(&["weights", "replay"]) {
        assert!(line(rung).contains("passed"), "{}", line(rung));
    }
    assert!(line("rerun").contains("not checked"));
    assert!(!done.out.contains("FAILED"));
}

#[test]
fn upto_checks_no_further() {
    let (bundle, _) = shared();
    for (i, upto) in CHECKED.iter().enumerate() {
        let statuses = statuses(&bundle.run("verify", &["--json", "--upto", upto]).exits(0).out);
        for (j, rung) in CHECKED.iter().enumerate() {
            assert_eq!(statuses[*rung], if j <= i { "passed" } else { "not_checked" }, "{rung} with --upto {upto}");
        }
        assert_eq!(statuses["rerun"], "not_checked");
    }
    // --upto exact does not find a fault of `render`.
    let bundle = copy();
    bundle.replace("report.html", "Tiny study", "Tidy study");
    bundle.redo_sums();
    bundle.run("verify", &["--upto", "exact"]).exits(0);
    bundle.run("verify", &["--upto", "render"]).exits(1);
}

#[test]
fn the_run_log_may_state_anything_but_only_in_its_form() {
    let bundle = copy();
    bundle.change_json("run-log.json", |log| log["host"] = "another".into());
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
    bundle.write("run-log.json", "anything");
    let done = bundle.run("verify", &["--upto", "metrics"]).exits(1);
    assert!(done.out.starts_with("files     FAILED       run-log.json is not a run log"), "{}", done.out);
    fs::remove_file(bundle.path.join("run-log.json")).unwrap();
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
}

/// A changed program can build what this one refuses.
#[test]
fn a_study_whose_expressions_build_refuses_fails_exact() {
    let bundle = copy();
    let study = bundle.text("study.yaml");
    let condition = "supported_if: runs.small.accuracy > 2 * values.chance";
    assert!(study.contains(condition));
    for (forged, why) in [
        ("supported_if: 'true'", "holds whatever is measured"),
        ("supported_if: runs.smal.accuracy > 0", "unknown run `smal`"),
    ] {
        bundle.replace_study(&study.replace(condition, forged));
        let done = bundle.run("verify", &["--upto", "exact"]).exits(1);
        assert!(done.out.contains("`build` refuses this study: ") && done.out.contains(why), "{}", done.out);
    }
    bundle.replace_study(&study);
    bundle.run("verify", &["--upto", "metrics"]).exits(0);
}

#[test]
fn a_link_to_a_bundle_is_followed() {
    let bundle = copy();
    let link = bundle.path.with_file_name("link");
    symlink(&bundle.path, &link).unwrap();
    run(program(["verify", "--upto", "files"]).arg(&link)).exits(0);
}

#[test]
fn other_files_and_folders_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let tried = |path: &std::path::Path| run(program(["verify"]).arg(path));
    tried(home.path()).refused(&["is not a bundle"]);
    tried(&home.path().join("none")).refused(&["none", "No such file"]);
    fs::write(home.path().join("notes.txt"), "x").unwrap();
    tried(home.path()).refused(&["is not a bundle"]);
    tried(&home.path().join("notes.txt")).refused(&["notes.txt"]);
    tried(&tiny()).refused(&["tiny.yaml"]);
    tried(std::path::Path::new("/dev/null")).refused(&["/dev/null"]);
    tried(std::path::Path::new("")).exits(2);
    let done = run(program(["verify", "--json"]).arg(home.path())).exits(2);
    assert!(done.err.contains("is not a bundle") && done.out.contains("\"error\": "), "{}", done.out);
}

/// The rung `files`, checked in this process: starting the program for hundreds of changes takes minutes.
fn files_hold(bundle: &Bundle) -> (u8, Vec<String>) {
    let verification = verify(&bundle.path, Some(Rung::Files), DeviceChoice::Cpu).unwrap();
    (verification.exit_code().status(), verification.steps[0].details.clone())
}

#[test]
fn any_changed_byte_is_found() {
    let bundle = copy();
    for (name, bytes) in bundle.identity() {
        let last = bytes.len() - 1;
        for at in (0..16).map(|i| i * last / 15) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            bundle.write(&name, &changed);
            let (code, details) = files_hold(&bundle);
            assert_eq!(code, 1, "{name}, byte {at}");
            if name != "SHA256SUMS" {
                let told = format!("{name} was changed: its SHA-256 is ");
                assert!(details.len() == 1 && details[0].starts_with(&told), "byte {at}: {details:?}");
            }
        }
        for other in [&bytes[..last], &[&bytes[..], b"\n"].concat(), b""] {
            bundle.write(&name, other);
            assert_eq!(files_hold(&bundle).0, 1, "{name}, {} bytes", other.len());
        }
        bundle.write(&name, &bytes);
    }
    assert_eq!(files_hold(&bundle).0, 0);
    // Check once with the program itself.
    bundle.replace("report.md", "Tiny", "Tidy");
    let done = bundle.run("verify", &[]).exits(1);
    assert!(done.out.starts_with("files     FAILED       report.md was changed: its SHA-256 is "), "{}", done.out);
}

#[test]
fn added_missing_and_linked_files_are_found() {
    type Spoil = fn(&Bundle);
    let cases: [(&str, &str, Spoil); 13] = [
        ("extra file", "extra.txt", |b| b.write("extra.txt", "x")),
        ("hidden file", ".hidden", |b| b.write(".hidden", "x")),
        ("extra in a folder", "figures/more.svg", |b| b.write("figures/more.svg", "x")),
        ("name with a newline", "is not in SHA256SUMS", |b| b.write("a\nfiles     passed", "x")),
        ("missing file", "report.md", |b| fs::remove_file(b.path.join("report.md")).unwrap()),
        ("missing weights", "weights/stops.safetensors", |b| {
            fs::remove_file(b.path.join("weights/stops.safetensors")).unwrap();
        }),
        ("missing sums", "SHA256SUMS is missing", |b| fs::remove_file(b.path.join("SHA256SUMS")).unwrap()),
        ("link to the same bytes", "report.md", |b| {
            let away = b.path.with_file_name("away");
            fs::rename(b.path.join("report.md"), &away).unwrap();
            symlink(away, b.path.join("report.md")).unwrap();
        }),
        ("linked folder", "figures", |b| {
            let away = b.path.with_file_name("figures");
            fs::rename(b.path.join("figures"), &away).unwrap();
            symlink(away, b.path.join("figures")).unwrap();
        }),
        ("link to nowhere", "nowhere", |b| symlink("/nonexistent", b.path.join("nowhere")).unwrap()),
        ("empty folder", "empty", |b| fs::create_dir(b.path.join("empty")).unwrap()),
        ("folder in place of a file", "report.md", |b| {
            fs::remove_file(b.path.join("report.md")).unwrap();
            fs::create_dir(b.path.join("report.md")).unwrap();
        }),
        ("a pipe, which must not be waited for", "pipe", |b| {
            assert!(Command::new("mkfifo").arg(b.path.join("pipe")).status().unwrap().success());
        }),
    ];
    for (what, told, spoil) in cases {
        let bundle = copy();
        spoil(&bundle);
        let done = bundle.run("verify", &["--upto", "metrics"]).exits(1);
        let first = done.out.lines().next().unwrap();
        assert!(first.starts_with("files     FAILED"), "{what}: {}", done.out);
        assert!(done.out.contains(told), "{what}: {}", done.out);
        assert_eq!(done.out.matches("passed").count(), usize::from(what.contains("newline")), "{what}: {}", done.out);
        assert!(!done.out.lines().any(|line| line.starts_with("files     passed")), "{what}: {}", done.out);
    }
}

#[test]
fn sums_in_any_other_form_are_refused() {
    let bundle = copy();
    let sums = bundle.text("SHA256SUMS");
    let lines: Vec<&str> = sums.lines().collect();
    let reversed = lines.iter().rev().map(|line| format!("{line}\n")).collect::<String>();
    let more = |line: &str| format!("{sums}{}  {line}\n", "0".repeat(64));
    for (what, other) in [
        ("binary mode", sums.replace("  ", " *")),
        ("one space", sums.replace("  ", " ")),
        ("capitals", sums.replace(|c: char| ('a'..='f').contains(&c), "A")),
        ("carriage returns", sums.replace('\n', "\r\n")),
        ("another order", reversed),
        ("a line twice", format!("{}\n{sums}", lines[0])),
        ("a comment", format!("# {sums}")),
        ("an empty line", format!("{sums}\n")),
        ("no last newline", sums.trim_end().to_owned()),
        ("a byte-order mark", format!("\u{feff}{sums}")),
        ("a dot before the path", sums.replace("  manifest.json", "  ./manifest.json")),
        ("a path out of the folder", more("../../etc/passwd")),
        ("an absolute path", more("/etc/passwd")),
        ("the sums themselves", more("SHA256SUMS")),
        ("the run log", more("run-log.json")),
        ("nothing", String::new()),
    ] {
        bundle.write("SHA256SUMS", other);
        assert_eq!(files_hold(&bundle).0, 1, "{what}");
    }
    bundle.write("SHA256SUMS", [b"\xff\xfe".as_slice(), sums.as_bytes()].concat());
    bundle.run("verify", &["--upto", "files"]).exits(1);
}

/// A grader's machine may have little memory; libtorch alone would take more.
#[test]
fn the_rungs_up_to_metrics_fit_into_400_mb_of_address_space() {
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 400000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_mnist-report")]);
    limited.args(["verify", "--upto", "metrics"]).arg(&shared().0.path);
    run(&mut limited).exits(0);
}

#[test]
fn without_mnist_the_rungs_that_need_it_are_not_checked() {
    let bundle = copy();
    let home = tempfile::tempdir().unwrap();
    // The program contains MNIST, but if there is a data folder beside it, uses that.
    fs::create_dir_all(home.path().join("data/mnist")).unwrap();
    let binary = home.path().join("mnist-report");
    fs::copy(env!("CARGO_BIN_EXE_mnist-report"), &binary).unwrap();
    let elsewhere = |arguments: &[&str]| {
        let mut command = in_known_environment(Command::new(&binary), arguments);
        command.current_dir(home.path()).env("LD_LIBRARY_PATH", root().join("libtorch/torch/lib"));
        run(&mut command)
    };
    let path = bundle.path.to_str().unwrap();
    let done = elsewhere(&["verify", path, "--json"]).exits(2);
    let statuses = statuses(&done.out);
    for rung in ["files", "inputs", "render"] {
        assert_eq!(statuses[rung], "passed", "{rung}");
    }
    // `exact` needs the labels to choose images by class.
    for rung in ["exact", "metrics", "weights", "replay"] {
        assert_eq!(statuses[rung], "not_checked", "{rung}");
    }
    elsewhere(&["verify", path, "--upto", "inputs"]).exits(0);
    elsewhere(&["data"]).exits(2);
    let study = tiny();
    elsewhere(&["build", "--device", "cpu", "--quiet", "--out", "b", study.to_str().unwrap()]).refused(&["MNIST"]);
    elsewhere(&["summary"]).refused(&["reports/coursework.yaml"]);
}

#[test]
fn cuda_without_a_gpu_leaves_rungs_unchecked() {
    if has_gpu() {
        return;
    }
    let done = shared().0.run("verify", &["--device", "cuda", "--json"]).exits(2);
    let statuses = statuses(&done.out);
    assert!(CHECKED.iter().all(|rung| statuses[*rung] == "passed"), "{statuses:?}");
    assert_eq!((&*statuses["weights"], &*statuses["replay"]), ("not_checked", "not_checked"));
}

/// As git does on Windows, and FTP in text mode.
#[test]
fn converted_line_ends_are_named_as_such() {
    let bundle = copy();
    let convert = |file: &str| bundle.write(file, bundle.text(file).replace('\n', "\r\n"));
    convert("report.md");
    let told = "report.md was changed: a program converted its line ends to those of Windows";
    let done = bundle.run("verify", &["--upto", "files"]).exits(1);
    assert!(done.out.contains(told) && !done.out.contains("SHA-256 is"), "{}", done.out);
    convert("SHA256SUMS");
    let done = bundle.run("verify", &["--upto", "files"]).exits(1);
    assert!(done.out.contains("SHA256SUMS: a program converted its line ends"), "{}", done.out);
    let other = copy();
    other.write("report.md", other.text("report.md").replace('\n', "\r\n").replacen('a', "b", 1));
    let done = other.run("verify", &["--upto", "files"]).exits(1);
    assert!(done.out.contains("report.md was changed: its SHA-256 is "), "{}", done.out);
}
