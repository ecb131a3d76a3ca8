//! The second verifier, scripts/check.py, gives the same answers as the program: for honest bundles, for every forgery
//! of the tests, and (in zips.rs) for every zip. No hostile bundle stops it, keeps it busy or fills the memory.
//!
//! Longer than 400 lines because each hostile bundle is made by a few lines here, and all tests share what runs check.py.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use mnist_report::compute::DeviceChoice;
use mnist_report::demo::{FORGERIES, Honest};
use mnist_report::verify::{Rung, Status, verify};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::*;
use crate::tamper::forgeries;

/// The rungs of both verifiers, by the program's names.
const SHARED: [Rung; 3] = [Rung::Files, Rung::Inputs, Rung::Metrics];

/// Forgeries that only the program finds on a shared rung, because check.py reads neither YAML nor images, and of weights only
/// the headers, in `sizes`.
const BEYOND: [(&str, Rung); 6] = [
    ("its title", Rung::Inputs),
    ("another date everywhere", Rung::Inputs),
    ("a comparison left out", Rung::Metrics),
    ("the picture of another digit", Rung::Metrics),
    ("another first convolution in the figure", Rung::Metrics),
    ("weights that are not safetensors", Rung::Metrics),
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
    assert_eq!(done.out.lines().count(), 6, "{}", done.out);
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
fn weights_that_are_not_safetensors_fail_the_sizes() {
    let bundle = copy();
    bundle.write("weights/small-bn.safetensors", "none");
    bundle.redo_sums();
    let done = check(&[], &bundle.path).exits(1);
    assert_eq!(statuses(&done)["sizes"], "FAILED", "{}", done.out);
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

/// The most seconds that check.py may take for a hostile bundle and an honest one, on a machine that is busy. It needs
/// less than one.
const MOST_SECONDS: u64 = 20;

/// Checks a hostile bundle and then an honest one, with 1 GB of memory. The run must be short, print no traceback and
/// reach the honest bundle. Returns the result if the exit code is right.
#[track_caller]
fn before_an_honest_one(hostile: &Path, code: i32) -> Done {
    let honest = &shared().0;
    let start = Instant::now();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 1000000; exec python3 scripts/check.py \"$@\"", "sh"])
        .arg(hostile)
        .arg(&honest.path);
    let done = run(command.env_remove("MNIST_REPORT_DATA").current_dir(root())).exits(code);
    let seconds = start.elapsed().as_secs();
    assert!(seconds < MOST_SECONDS, "{seconds} s");
    assert!(!done.err.contains("Traceback"), "{}", done.err);
    let line = format!("Report ID {}: {}; 0 files left out", honest.report_id(), honest.name());
    assert!(done.out.contains(&line), "{line}\n{}{}", done.out, done.err);
    done
}

/// A bundle whose `results.json` was changed, with new sums.
fn with_results(change: impl FnOnce(&mut Value)) -> Bundle {
    let bundle = copy();
    bundle.change_json("results.json", change);
    bundle.redo_sums();
    bundle
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn no_shape_of_a_tensor_stops_or_delays_the_run() {
    let long = format!("[{}]", vec!["7".repeat(4000); 1000].join(","));
    let power = format!("[1{}]", "0".repeat(330));
    let many = format!("[{}]", vec!["9"; 100_000].join(","));
    let types = ["[\"a\",10000000000]", "[[0],10000000000]", "[-1,-4]", "[2.0,2]", "[true]", "7"];
    for shape in [power.as_str(), long.as_str(), many.as_str()].into_iter().chain(types) {
        let bundle = copy();
        let weights = bundle.bytes("weights/small-bn.safetensors");
        let (size, rest) = weights.split_at(8);
        let (header, values) = rest.split_at(usize::try_from(u64::from_le_bytes(size.try_into().unwrap())).unwrap());
        let (before, after) = std::str::from_utf8(header).unwrap().split_once("\"shape\":").unwrap();
        let header = format!("{before}\"shape\":{shape}{}", &after[after.find(']').unwrap() + 1..]);
        let size = u64::try_from(header.len()).unwrap().to_le_bytes();
        bundle.write("weights/small-bn.safetensors", [&size[..], header.as_bytes(), values].concat());
        bundle.redo_sums();
        let done = before_an_honest_one(&bundle.path, 1);
        assert!(done.out.contains("sizes     FAILED"), "{shape:.50}: {}", done.out);
    }
}

#[test]
fn more_comparisons_or_networks_than_a_study_can_have_are_a_difference() {
    let comparisons = with_results(|results| {
        let early = results["comparisons"]["early"].clone();
        for i in 0..5000 {
            results["comparisons"][format!("c{i}")] = early.clone();
        }
    });
    let done = before_an_honest_one(&comparisons.path, 1);
    assert!(done.out.contains("metrics   FAILED") && done.out.contains("more than 64 comparisons"), "{}", done.out);

    let seeds = with_results(|results| {
        results["runs"]["small"]["seeds"] = vec![json!({"seed": 1}); 3000].into();
    });
    let name = with_results(|results| {
        let run = results["runs"]["small"].clone();
        results["runs"]["n".repeat(1 << 20)] = run;
    });
    for bundle in [seeds, name] {
        let done = before_an_honest_one(&bundle.path, 1);
        assert!(done.out.contains("more trained networks, or longer names"), "{}", done.out);
    }
}

#[test]
fn json_of_any_form_is_read_with_limits() {
    let deep = "[".repeat(1_000_000);
    let digits = format!("{{\"schema\": {}}}", "7".repeat(5_000_000));
    let fraction = format!("{{\"schema\": 0.{}}}", "7".repeat(5_000_000));
    for text in [deep, digits, fraction] {
        let bundle = copy();
        bundle.write("results.json", text);
        bundle.redo_sums();
        let done = before_an_honest_one(&bundle.path, 1);
        assert!(done.out.contains("inputs    FAILED"), "{}", done.out);
    }
    let many = copy();
    many.write("results.json", format!("[{}[]]", "[],".repeat(4_500_000)));
    many.redo_sums();
    let done = before_an_honest_one(&many.path, 2);
    assert!(done.out.contains("inputs    not checked  a JSON file has more than 4194304 values"), "{}", done.out);
}

#[test]
fn a_run_log_of_any_form_is_read_with_limits() {
    let digits = format!("{{\n  \"seconds\": {}\n}}\n", "7".repeat(3_000_000));
    let deep = format!("{}{}[]{}", "[".repeat(300), "[],".repeat(800_000), "]".repeat(300));
    for log in [digits, deep] {
        let bundle = copy();
        bundle.write("run-log.json", log);
        let done = before_an_honest_one(&bundle.path, 1);
        assert!(done.out.contains("files     FAILED"), "{}", done.out);
        assert_eq!(differences("a run log", &bundle.path), Vec::<String>::new());
    }
}

#[test]
fn a_run_log_has_only_the_keys_and_the_form_that_the_program_writes() {
    let bundle = copy();
    let good = bundle.text("run-log.json");
    let other = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let forged = [
        "{}\n".to_owned(),
        format!("{good} "),
        other("\"cpu\": \"", "\"note\": \""),
        other("\"host\": \"", &format!("\"host\": \"{}", "x".repeat(5000))),
        other("\"cpu_count\": ", "\"cpu_count\": 1."),
        other("\"seconds\": ", "\"seconds\": -1e400"),
        other("\"kept\": ", "\"kept\": \"\", \"kept\": "),
        other("  \"started\": \"", "  \"started\": [], \"x\": \""),
        other("  \"out\": ", "  \"out\": \"s\",\n  \"out\": "),
        other("      \"seed\": ", "      \"note\": \"n\",\n      \"seed\": "),
        other("      \"kept\": ", "      \"resumed_after\": 0,\n      \"kept\": "),
        other("  \"vectors\": ", "  \"nvrtc\": \"13.0\",\n  \"vectors\": "),
        other("\"host\": \"", &format!("\"host\": \"{}", "ö".repeat(2100))),
        other("  \"seconds\": ", "  \"seconds\": 1.50,\n  \"seconds\": "),
    ];
    for log in forged {
        bundle.write("run-log.json", &log);
        let done = check(&[], &bundle.path).exits(1);
        assert_eq!(statuses(&done)["files"], "FAILED", "{log}: {}", done.out);
        assert_eq!(differences("a run log", &bundle.path), Vec::<String>::new(), "{log}");
    }
    for log in [
        other("      \"seed\": 1", "      \"seed\": 18446744073709551615"),
        other("  \"cpu_count\": ", "  \"cpu_count\": 1"),
        other("\"host\": \"", &format!("\"host\": \"{}", "ö".repeat(1900))),
    ] {
        bundle.write("run-log.json", &log);
        check(&[], &bundle.path).exits(0);
        assert_eq!(differences("a run log", &bundle.path), Vec::<String>::new(), "{log}");
    }
    bundle.write("run-log.json", &good);
    check(&[], &bundle.path).exits(0);
}

#[test]
fn long_names_in_a_zip_are_refused_before_they_fill_the_memory() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let own = shared().0.identity().into_iter();
    let long = (0..8).map(|i| (format!("{i}/{}x", "a/".repeat(32_000)), Vec::new()));
    for (path, bytes) in own.chain(long) {
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.zip");
    std::fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    let done = before_an_honest_one(&path, 1);
    assert!(done.out.contains("files     FAILED"), "{}", done.out);
    assert_eq!(differences("long names", &path), Vec::<String>::new());
}

/// Names that one system unpacks and another does not, or that only a zip can have.
#[test]
fn names_that_no_file_system_takes_are_refused_by_both() {
    let own = shared().0.identity();
    let zipped = |top: &str, more: Option<&str>| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let names = own.iter().map(|(path, bytes)| (format!("{top}{path}"), bytes.as_slice()));
        for (name, bytes) in names.chain(more.map(|name| (name.to_owned(), &[][..]))) {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let x = |count: usize| "x".repeat(count);
    let folder = tempfile::tempdir().unwrap();
    for (what, code, zip) in [
        ("a leftover as long as allowed", 0, zipped("", Some(&format!("__MACOSX/{}", x(246))))),
        ("a folder above as long as allowed", 0, zipped(&format!("{}/", x(255)), None)),
        ("as deep as allowed", 0, zipped("", Some("__MACOSX/a/b/c/d"))),
        ("a leftover of a long name", 1, zipped("", Some(&format!("__MACOSX/{}", x(256))))),
        ("a leftover of a long path", 1, zipped("", Some(&format!("__MACOSX/{0}/{0}/{0}", x(90))))),
        ("a long folder above", 2, zipped(&format!("{}/", x(256)), None)),
        ("a long folder below a folder above", 2, zipped(&format!("a/{}/", x(256)), None)),
        ("letters of two bytes", 1, zipped("", Some(&format!("__MACOSX/{}", "ї".repeat(124))))),
        ("a long file", 1, zipped("", Some(&x(256)))),
        ("a long folder", 1, zipped("", Some(&format!("{}/", x(255))))),
        ("a deep file", 1, zipped("", Some("a/b/c/d/e/f"))),
        ("a deep folder", 1, zipped("", Some("a/b/c/d/e/"))),
        ("a deep leftover", 0, zipped("", Some("__MACOSX/a/b/c/d/e"))),
        ("a deep file below a folder", 1, zipped("t/", Some("t/a/b/c/d/e/f"))),
        ("a folder of a leftover in another case", 1, zipped("", Some("Report.html/._x"))),
        ("a folder of a leftover in another case, as a folder", 0, zipped("", Some("FIGURES/._x"))),
        ("a file above a folder of a leftover, below a folder", 1, zipped("t/", Some("T/REPORT.HTML/.DS_Store"))),
    ] {
        let path = folder.path().join("names.zip");
        std::fs::write(&path, zip).unwrap();
        let (program, second) =
            (on_paths("verify", &["--upto", "files"], &[&path]), check(&["--upto", "files"], &path));
        assert_eq!(
            (program.code, second.code),
            (code, code),
            "{what}: {}{}\n{}{}",
            program.out,
            program.err,
            second.out,
            second.err
        );
    }
}

/// Python and Info-ZIP unpack such files, so that they are zips which contradict themselves, not files that were cut off.
#[test]
fn bytes_around_a_zip_are_a_contradiction_to_both() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in shared().0.identity() {
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    let of_disks = [&zip[..zip.len() - 18], &[1, 0, 1, 0], &zip[zip.len() - 14..]].concat();
    let before = |start: &str| [start.as_bytes(), &zip].concat();
    let folder = tempfile::tempdir().unwrap();
    for (what, zip) in [
        ("a program", before("MZ")),
        ("a line", before("\n")),
        ("a page", before("<html>")),
        ("a PDF", before("%PDF-1.7")),
        ("a byte behind", [&zip[..], &[0]].concat()),
        ("another disk", of_disks),
    ] {
        let path = folder.path().join("around.zip");
        std::fs::write(&path, zip).unwrap();
        let program = on_paths("verify", &["--upto", "files"], &[&path]).exits(1);
        assert!(program.out.contains("files     FAILED       the zip contradicts itself: "), "{what}: {}", program.out);
        check(&["--upto", "files"], &path).exits(1);
    }
    let cut = folder.path().join("cut.zip");
    std::fs::write(&cut, &zip[..zip.len() - 30]).unwrap();
    on_paths("verify", &["--upto", "files"], &[&cut]).exits(2);
    check(&["--upto", "files"], &cut).exits(2);
}

/// Leftovers are not part of the bundle, whatever names a file system gave them; a zip of them would be another thing on another system.
#[test]
fn leftovers_in_a_folder_may_have_any_name() {
    let bundle = copy();
    for name in ["._a:b", "._a\\b", "._a\nfiles     passed", "._\u{1b}[31m"] {
        bundle.write(name, "");
        on_paths("verify", &["--upto", "files"], &[&bundle.path]).exits(0);
        let done = check(&["--upto", "files"], &bundle.path).exits(0);
        assert_eq!(done.out.lines().count(), 3, "{}", done.out);
    }
}

#[test]
fn only_plain_files_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (link, pipe) = (folder.path().join("link.zip"), folder.path().join("pipe.zip"));
    symlink("/dev/zero", &link).unwrap();
    make_pipe(&pipe);
    for path in [&link, &pipe] {
        let done = before_an_honest_one(path, 2);
        assert!(done.err.contains("is not a plain file") && done.err.lines().count() == 1, "{}", done.err);
    }
    let (linked, piped) = (copy(), copy());
    symlink("/dev/zero", linked.path.join("figures/x.svg")).unwrap();
    make_pipe(&piped.path.join("figures/x.svg"));
    for bundle in [linked, piped] {
        let done = before_an_honest_one(&bundle.path, 1);
        assert!(done.out.contains("files     FAILED"), "{}", done.out);
        assert_eq!(differences("a special file", &bundle.path), Vec::<String>::new());
    }
}

#[test]
fn only_plain_files_are_read_as_labels() {
    let folder = tempfile::tempdir().unwrap();
    symlink("/dev/zero", folder.path().join("t10k-labels-link")).unwrap();
    make_pipe(&folder.path().join("t10k-labels-pipe"));
    std::fs::create_dir(folder.path().join("t10k-labels-folder")).unwrap();
    let done = check(&["--data", folder.path().to_str().unwrap()], &shared().0.path).exits(2);
    assert_eq!(statuses(&done)["metrics"], "not checked", "{}{}", done.out, done.err);
}

#[test]
fn files_and_folders_have_the_limits_of_the_program() {
    let large = |name: &str, size: u64| {
        let bundle = copy();
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(bundle.path.join(name))
            .unwrap()
            .set_len(size)
            .unwrap();
        bundle
    };
    let deep = copy();
    std::fs::create_dir_all(deep.path.join("a/".repeat(600))).unwrap();
    // Leftovers in a folder are not read.
    let left = large(".DS_Store", 300 << 20);
    std::fs::create_dir_all(left.path.join("__MACOSX/").join("a/".repeat(600))).unwrap();
    for bundle in [
        large("predictions/x.idx1-ubyte", (2 << 20) + 1),
        large("weights/x.safetensors", 3 << 30),
        large("study.yaml", (4 << 20) + 1),
        deep,
    ] {
        let out = bundle.run("verify", &["--upto", "files"]).exits(1).out;
        let done = before_an_honest_one(&bundle.path, 1);
        for out in [&out, &done.out] {
            assert!(out.contains(" is too large for ") || out.contains(" is nested deeper than "), "{out}");
        }
        assert_eq!(differences("a large file or deep folder", &bundle.path), Vec::<String>::new());
    }
    assert_eq!(differences("large and deep leftovers", &left.path), Vec::<String>::new());
    check(&["--upto", "files"], &left.path).exits(0);
}

#[test]
fn leftovers_of_systems_have_ascii_names() {
    // In Unicode, the long s and the Kelvin sign differ from s and k only by case.
    for name in ["de\u{17f}ktop.ini", "des\u{212a}top.ini"] {
        let bundle = copy();
        bundle.write(name, "x");
        assert_eq!(differences(name, &bundle.path), Vec::<String>::new());
        check(&["--upto", "files"], &bundle.path).exits(1);
    }
}

/// A study's data are read where the program reads them: under `data`, not in comments and texts.
#[test]
fn other_data_in_a_comment_or_a_text_do_not_count() {
    let mnist = [
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ];
    let other = "a".repeat(64);
    let pins = |indent: &str| {
        let keys = ["sha256:", "  train-images: ", "  train-labels: ", "  t10k-images: ", "  t10k-labels: "];
        let hashes = ["", &other, mnist[0], mnist[1], mnist[2]];
        keys.iter().zip(hashes).map(|(key, hash)| format!("{indent}{key}{hash}\n")).collect::<String>()
    };
    for more in [
        pins("# "),
        format!("# data:\n{}", pins("#   ")),
        format!("description: |\n  data:\n{}", pins("    ")),
        format!("description: \"\n  data:\n{}  \"\n", pins("    ")),
    ] {
        let bundle = copy();
        bundle.change_json("manifest.json", |manifest| {
            let inputs = manifest["inputs"].as_array_mut().unwrap();
            let train = inputs.iter_mut().find(|input| input["name"] == "train-images-idx3-ubyte").unwrap();
            train["sha256"] = json!(other);
        });
        bundle.replace_study(&format!("{}{more}", bundle.text("study.yaml")));
        assert_eq!(differences("other data in a comment", &bundle.path), Vec::<String>::new(), "{more}");
        let done = check(&[], &bundle.path).exits(1);
        assert_eq!(statuses(&done)["inputs"], "FAILED", "{more}{}", done.out);
    }
}

/// A comment behind `data:` is not its value, whatever marks are in it.
#[test]
fn a_comment_after_the_key_data_does_not_hide_other_data() {
    for comment in ["# the teacher's set", "# that of the assignment, see #3", "# \"new\""] {
        let bundle = copy();
        let pins: String = ["train-images", "train-labels", "t10k-images", "t10k-labels"]
            .map(|name| format!("    {name}: {}\n", "a".repeat(64)))
            .concat();
        bundle.replace_study(&format!("{}data: {comment}\n  sha256:\n{pins}", bundle.text("study.yaml")));
        let done = check(&["--upto", "inputs"], &bundle.path);
        assert_ne!(statuses(&done)["inputs"], "passed", "{comment}: {}", done.out);
        assert!(!done.out.contains("the data are MNIST"), "{comment}: {}", done.out);
    }
}

/// Where only a reader of YAML can find the key `data`, nothing is claimed.
#[test]
fn data_that_may_be_hidden_are_not_checked() {
    for more in ["values: {v: \"\\x73ha256\"}\n", "values: &v {sha256: x}\nx: {<<: *v}\n", "? data\n: {sha256: x}\n"] {
        let bundle = copy();
        bundle.replace_study(&format!("{}{more}", bundle.text("study.yaml")));
        let done = check(&["--upto", "inputs"], &bundle.path).exits(2);
        assert!(done.out.contains("in a way that only mnist-report reads"), "{more}{}", done.out);
    }
}
