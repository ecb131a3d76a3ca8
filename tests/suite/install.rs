//! The program outside its repository: a copied binary and an installation need no other file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mnist_report::witness::HOW_TO_GET;

use crate::support::*;

/// A copy of the program at a path with spaces and letters that are not ASCII, outside the repository.
fn copied(home: &Path) -> PathBuf {
    let folder = home.join("Мої програми/bin");
    fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("mnist-report");
    fs::copy(env!("CARGO_BIN_EXE_mnist-report"), &copy).unwrap();
    copy
}

/// A copied program, run in its own folder.
fn at(copy: &Path, home: &Path, arguments: &[&str]) -> Command {
    let mut command = in_known_environment(Command::new(copy), arguments);
    command.env_remove("MNIST_REPORT_DATA").env("HOME", home).current_dir(home);
    command
}

#[test]
fn a_copied_binary_builds_and_verifies_without_any_other_file() {
    let home = tempfile::tempdir().unwrap();
    let copy = copied(home.path());
    let run = |arguments: &[&str]| run(&mut at(&copy, home.path(), arguments));
    let data = run(&["data"]).exits(0).out;
    assert_eq!(data.lines().filter(|line| line.ends_with("canonical  inside the program")).count(), 4, "{data}");
    fs::write(home.path().join("my study.yaml"), MINI).unwrap();
    let built = run(&["build", "--quiet", "--device", "cpu", "my study.yaml"]).exits(0).report_id();
    assert_eq!(run(&["verify", "--upto", "rerun", "my study"]).exits(0).report_id(), built);
    run(&["new", "own.yaml", "--from", "minimal"]).exits(0);
    run(&["summary", "own.yaml"]).exits(0);
}

#[test]
fn the_shipped_studies_are_inside_the_program() {
    let home = tempfile::tempdir().unwrap();
    let copy = copied(home.path());
    let run = |arguments: &[&str]| run(&mut at(&copy, home.path(), arguments));
    let done = run(&["studies", "my studies"]).exits(0);
    assert!(done.out.contains("mnist-report build 'my studies/quick.yaml'"), "{}", done.out);
    let written = names(&home.path().join("my studies"));
    let mut shipped: Vec<String> =
        names(&root().join("reports")).into_iter().filter(|name| name.ends_with(".yaml")).collect();
    shipped.extend(["examples", "study.schema.json"].map(str::to_owned));
    shipped.sort();
    assert_eq!(written, shipped);
    let mut examples = names(&root().join("examples"));
    examples.retain(|name| name.ends_with(".yaml"));
    assert_eq!(names(&home.path().join("my studies/examples")), examples);
    let examples = examples.iter().map(|name| format!("examples/{name}"));
    for study in shipped.into_iter().filter(|name| name.ends_with(".yaml")).chain(examples) {
        assert!(done.out.contains(study.trim_start_matches("examples/")), "{study}: {}", done.out);
        let file = home.path().join("my studies").join(&study);
        run(&["summary", file.to_str().unwrap()]).exits(0);
        let text = fs::read_to_string(&file).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        assert!(file.with_file_name(schema).is_file(), "{study}: {schema}");
    }
    // A second time, nothing changes. A file that the user changed is not replaced.
    let again = run(&["studies", "my studies"]).exits(0).out;
    assert!(again.contains("left as they are"), "{again}");
    fs::write(home.path().join("my studies/quick.yaml"), MINI).unwrap();
    run(&["studies", "my studies"]).refused(&["quick.yaml", "is left as it is"]);
    assert_eq!(fs::read_to_string(home.path().join("my studies/quick.yaml")).unwrap(), MINI);
}

/// A folder that the user names, or that exists, is never replaced by the files inside the program.
#[test]
fn a_data_folder_that_is_there_is_used_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let copy = copied(home.path());
    let data = home.path().join("data/mnist");
    fs::create_dir_all(&data).unwrap();
    assert!(run(&mut at(&copy, home.path(), &["data"])).exits(2).out.contains("missing"));
    fs::write(data.join("t10k-labels-idx1-ubyte"), "x").unwrap();
    assert!(run(&mut at(&copy, home.path(), &["data"])).exits(1).out.contains("NOT MNIST"));
    let named = run(at(&copy, home.path(), &["data"]).env("MNIST_REPORT_DATA", "/nowhere")).exits(2).out;
    assert!(named.contains("/nowhere"), "{named}");
}

#[test]
fn another_user_can_run_a_copied_binary() {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|done| done.stdout == b"0\n");
    if !is_root || Command::new("setpriv").arg("--version").output().is_err() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = copied(home.path());
    let own = home.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("mini.yaml"), MINI).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command =
        in_known_environment(Command::new("setpriv"), ["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(&copy).args(["build", "--quiet", "--device", "cpu", "mini.yaml"]).current_dir(&own);
    let id = run(command.env_remove("MNIST_REPORT_CACHE").env("HOME", "/nonexistent")).exits(0).report_id();
    assert_eq!(run(&mut at(&copy, home.path(), &["verify", "own/mini"])).exits(0).report_id(), id);
}

#[test]
fn an_installation_keeps_shared_files_beside_bin() {
    let home = tempfile::tempdir().unwrap();
    let copy = copied(home.path());
    let shared = copy.ancestors().nth(2).unwrap().join("share/mnist-report/reports");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("coursework.yaml"), MINI).unwrap();
    assert!(run(&mut at(&copy, home.path(), &["summary"])).exits(0).out.contains("only"));
}

/// Runs scripts/install.sh or scripts/uninstall.sh with the program of these tests.
fn script(name: &str, prefix: &Path) -> Command {
    let mut script = Command::new(root().join("scripts").join(name));
    script.env("PREFIX", prefix).env("PROGRAM", env!("CARGO_BIN_EXE_mnist-report")).env_remove("DESTDIR");
    script
}

/// Installs the program of these tests.
fn installed(prefix: &Path) {
    let done = run(&mut script("install.sh", prefix)).exits(0);
    assert!(done.out.starts_with(&format!("{}/bin/mnist-report\n", prefix.display())), "{}", done.out);
    // How the completions become active.
    let share = prefix.join("share").display().to_string();
    for line in [
        format!("~/.bashrc: source \"{share}/bash-completion/completions/mnist-report\"\n"),
        format!("before compinit: fpath=(\"{share}/zsh/site-functions\" $fpath)\n"),
    ] {
        assert!(done.out.contains(&line), "{line}{}", done.out);
    }
}

/// The files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn an_uninstallation_leaves_only_files_of_the_user() {
    let home = tempfile::tempdir().unwrap();
    let prefix = home.path().join("a prefix");
    let own = ["bin/mnist-report-of-mine", "share/mnist-report/data/mnist/mine", "share/man/man1/mnist.1"];
    let own = own.map(|name| prefix.join(name));
    for file in &own {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "mine").unwrap();
    }
    installed(&prefix);
    assert!(files_below(&prefix).len() > 40);
    // A second time, nothing is left to remove.
    for _ in 0..2 {
        run(&mut script("uninstall.sh", &prefix)).exits(0);
        let mut left = files_below(&prefix);
        left.sort();
        let mut expected = own.to_vec();
        expected.sort();
        assert_eq!(left, expected);
    }
}

#[test]
fn a_package_is_installed_without_notes_about_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let done = run(script("install.sh", Path::new("/usr")).env("DESTDIR", home.path())).exits(0);
    assert_eq!(done.out, format!("{}/usr/bin/mnist-report\n", home.path().display()));
}

#[test]
fn an_installed_check_py_finds_the_labels() {
    let home = tempfile::tempdir().unwrap();
    let prefix = home.path().join("a prefix");
    let old = prefix.join("share/mnist-report/labels");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("t10k-labels-idx1-ubyte.gz"), "x").unwrap();
    installed(&prefix);
    assert!(!old.exists(), "the labels of an earlier version stay");
    let bundle = &shared().0;
    let mut check = Command::new(prefix.join("bin/mnist-report-check"));
    let done = run(check.arg(&bundle.path).current_dir(home.path()).env_remove("MNIST_REPORT_DATA")).exits(0);
    let metrics = done.out.lines().find(|line| line.trim_start().starts_with("metrics"));
    assert!(metrics.is_some_and(|line| line.contains("passed")), "{}", done.out);
    // A second time, over an installation.
    installed(&prefix);
    assert_eq!(names(&prefix.join("bin")), ["mnist-report", "mnist-report-check"]);
    assert!(prefix.join("share/man/man1/mnist-report-build.1").is_file());
    assert!(prefix.join("share/mnist-report/reports/quick.yaml").is_file());
    assert!(prefix.join("share/mnist-report/reports/examples/first-network.yaml").is_file());
}

/// Starting the program that has libtorch takes ten times as long as everything else that `--version` prints.
#[test]
fn the_version_does_not_start_libtorch() {
    let home = tempfile::tempdir().unwrap();
    let copy = copied(home.path());
    let beside = copy.with_file_name("mnist-report-libtorch");
    fs::write(&beside, "#!/bin/sh\ntouch \"$(dirname \"$0\")/started\"\necho 'libtorch 2.0'\n").unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    let version = run(&mut at(&copy, home.path(), &["--version"])).exits(0).out;
    assert!(version.contains("libtorch    installed"), "{version}");
    assert!(!copy.with_file_name("started").exists(), "it was started");
    let doctor = run(&mut at(&copy, home.path(), &["doctor"])).exits(0).out;
    assert!(doctor.contains("libtorch   good     2.0\n"), "{doctor}");
    assert!(copy.with_file_name("started").exists(), "doctor asks it");
}

#[test]
fn the_version_names_what_results_depend_on() {
    for option in ["--version", "-V"] {
        let done = run(&mut program([option])).exits(0);
        let words: Vec<&str> = done.out.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(words, ["mnist-report", "source", "arithmetic", "libtorch", "devices"], "{}", done.out);
        let bundle = &shared().0;
        let manifest = bundle.json("manifest.json");
        assert!(done.out.contains(manifest["program"]["source_sha256"].as_str().unwrap()), "{}", done.out);
        assert!(done.out.contains(&format!("arithmetic  {}\n", manifest["environment"]["arithmetic"])), "{}", done.out);
        assert!(done.out.contains("devices     cpu ("), "{}", done.out);
    }
}

#[test]
fn doctor_says_what_is_missing_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let copy = copied(home.path());
    let done = run(&mut at(&copy, home.path(), &["doctor"])).exits(0);
    assert!(done.out.contains("data       good     MNIST, inside the program"), "{}", done.out);
    let libtorch = "the witness, which evaluates networks with PyTorch's operators, and the fallback on a GPU";
    let absent = format!("libtorch   absent   not installed\n{:<19} -> {libtorch}: {HOW_TO_GET}\n", "");
    assert!(done.out.contains(&absent), "{}", done.out);
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("libtorch is {libtorch}. ")), "the same words");
    let done = run(at(&copy, home.path(), &["doctor", "--json"]).env("MNIST_REPORT_DATA", "/nowhere")).exits(2);
    let findings: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let data = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "data").unwrap();
    assert_eq!(data["state"], "missing");
    assert!(data["advice"].as_str().unwrap().contains("MNIST_REPORT_DATA"), "{data}");
}

#[test]
fn every_command_has_a_manual_page() {
    let home = tempfile::tempdir().unwrap();
    let pages = home.path().join("man1");
    let done = run(program(["man"]).arg(&pages)).exits(0);
    assert!(done.out.ends_with(&format!(" pages written to {}\n", pages.display())), "{}", done.out);
    let help = run(&mut program(["--help"])).exits(0).out;
    let listed =
        help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> =
        listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|word| !word.is_empty()).collect();
    assert!(commands.contains(&"verify"), "{help}");
    let mut expected: Vec<String> = commands.iter().map(|command| format!("mnist-report-{command}.1")).collect();
    expected.push("mnist-report.1".to_owned());
    expected.sort();
    assert_eq!(names(&pages), expected);
    let page = fs::read_to_string(pages.join("mnist-report-build.1")).unwrap();
    assert!(
        page.starts_with(".ie") && page.contains(".TH mnist-report-build 1") && page.contains("\\-\\-only"),
        "{page}"
    );
    let verify = fs::read_to_string(pages.join("mnist-report-verify.1")).unwrap();
    assert!(verify.contains(".SH \"EXIT STATUS\""), "{verify}");
    assert_eq!(run(&mut program(["man", "verify"])).exits(0).out, verify);
    assert_eq!(run(&mut program(["man"])).exits(0).out, fs::read_to_string(pages.join("mnist-report.1")).unwrap());
}
