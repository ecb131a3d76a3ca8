//! README.txt in a bundle: its commands work as written, and changes to it are found.

use std::path::{Path, PathBuf};
use std::process::Command;

use mnist_report::text::Lang;

use crate::support::*;

/// The shared bundle's zip, unpacked by another program.
fn unpacked(home: &Path) -> PathBuf {
    let (zip, folder) = (home.join("tiny.zip"), home.join("unpacked"));
    shared().0.run("publish", &["--out", zip.to_str().unwrap()]).exits(0);
    let unzip = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    run(Command::new("python3").args(["-c", unzip]).args([&zip, &folder])).exits(0);
    folder
}

/// The commands of README.txt that start with a word.
fn commands(readme: &str, system: &str) -> Vec<String> {
    let of_system = readme.lines().filter_map(|line| line.trim_start().strip_prefix(system));
    of_system.map(|command| command.trim().to_owned()).collect()
}

fn in_shell(folder: &Path, command: &str) -> Done {
    run(Command::new("sh").args(["-c", command]).current_dir(folder))
}

#[test]
fn the_commands_for_linux_and_macos_print_the_report_id_and_check_every_file() {
    let home = tempfile::tempdir().unwrap();
    let folder = unpacked(home.path());
    let readme = std::fs::read_to_string(folder.join("README.txt")).unwrap();
    let id = shared().0.report_id();
    let systems = [("Linux", "sha256sum --version"), ("macOS", "shasum --version")];
    let mut tried = 0;
    for (system, exists) in systems {
        let commands = commands(&readme, system);
        let [prints_id, checks] = commands.as_slice() else { panic!("{system}: {commands:?}") };
        if !Command::new("sh").args(["-c", exists]).output().is_ok_and(|output| output.status.success()) {
            assert_ne!(system, "Linux", "sha256sum is on every Linux");
            continue;
        }
        tried += 1;
        assert_eq!(in_shell(&folder, prints_id).exits(0).out, format!("{id}  SHA256SUMS\n"));
        let done = in_shell(&folder, checks).exits(0);
        assert!(done.out.contains("README.txt: OK\n") && !done.out.contains("FAILED"), "{}", done.out);
    }
    assert!(tried > 0);
}

#[test]
fn the_commands_of_the_program_and_of_check_py_take_the_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = unpacked(home.path());
    let readme = std::fs::read_to_string(folder.join("README.txt")).unwrap();
    assert!(
        readme.contains("mnist-report verify FOLDER\n") && readme.contains("python3 check.py --data DATA FOLDER "),
        "{readme}"
    );
    on_paths("verify", &["--upto", "metrics"], &[&folder]).exits(0);
    assert!(crate::check_py::check(&[], &folder).exits(0).out.contains(&shared().0.report_id()));
    // With the file and the labels that `checker` writes, elsewhere.
    let labels = home.path().join("labels");
    let script = run(program(["checker", "--data"]).arg(&labels)).exits(0).out;
    let check_py = home.path().join("check.py");
    std::fs::write(&check_py, script).unwrap();
    let mut check = std::process::Command::new("python3");
    check.arg(&check_py).arg("--data").arg(&labels).arg(&folder).env_remove("MNIST_REPORT_DATA");
    run(&mut check).exits(0);
}

#[test]
fn it_names_the_report_and_its_author_and_has_every_language_of_the_report() {
    let english = shared().0.text("README.txt");
    assert!(english.starts_with("Tiny study\nA. Student\n\nThis is a report"), "{english}");
    assert_eq!(english.matches("certutil -hashfile").count(), 2);
    for source in
        ["   pip install mnist_report-*.whl\n", "`mnist-report checker --data DATA > check.py`", "scripts/check.py"]
    {
        assert!(english.contains(source), "where the programs are: {source}");
    }
    let bundle = copy();
    bundle.run("render", &["--lang", "uk,en"]).exits(0);
    let both = bundle.text("README.txt");
    let places = ["Це звіт програми", "Сам звіт — report.html.", "This is a report", "The report is report.en.html."];
    let found: Vec<usize> =
        places.iter().map(|part| both.find(part).unwrap_or_else(|| panic!("{part}: {both}"))).collect();
    assert!(found.is_sorted(), "the first language comes first: {both}");
    // The commands of each language are about its own page.
    let command = |page: &str| both.find(&format!("certutil -hashfile {page} SHA256\n")).expect("is there");
    assert!(command("report.html") < found[2] && found[2] < command("report.en.html"), "{both}");
    assert_eq!(both.matches("sha256sum -c SHA256SUMS").count(), Lang::ALL.len());
    bundle.run("verify", &["--upto", "render"]).exits(0);
    let longest = both.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(80), "{longest:?} characters fit into a terminal");
}

#[test]
fn a_title_cannot_add_a_line_of_instructions() {
    let bundle = built_with(&[("title: Tiny study", "title: \"Tiny\\n\\nLinux   curl example.org | sh\"")]);
    let first = bundle.text("README.txt").lines().next().unwrap().to_owned();
    assert_eq!(first, "Tiny Linux curl example.org | sh");
}

#[test]
fn a_changed_or_missing_readme_is_found() {
    let bundle = copy();
    bundle.replace("README.txt", "mnist-report verify FOLDER", "rm -r FOLDER");
    let out = bundle.run("verify", &["--upto", "render"]).exits(1).out;
    assert!(out.contains("README.txt was changed"), "{out}");
    assert!(crate::check_py::check(&[], &bundle.path).exits(1).out.contains("README.txt was changed"));
    bundle.redo_sums();
    let out = bundle.run("verify", &["--upto", "render"]).exits(1).out;
    assert!(out.lines().any(|line| line.starts_with("render    FAILED") && line.contains("README.txt")), "{out}");
    std::fs::remove_file(bundle.path.join("README.txt")).unwrap();
    bundle.redo_sums();
    let out = bundle.run("verify", &["--upto", "render"]).exits(1).out;
    assert!(out.contains("README.txt"), "{out}");
}
