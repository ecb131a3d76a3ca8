//! Bundles for tests: built once, then copied and spoiled.
//!
//! Owns how the program is run, and how a bundle is forged so that its sums agree again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use mnist_report::bundle::Sums;
use tempfile::TempDir;

/// The program, started in the repository.
pub fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mnist-report"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .expect("the program starts")
}

/// What the program printed, and its exit code; standard error goes into the test's output.
pub fn run(args: &[&str]) -> (String, i32) {
    let output = program(args);
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).expect("text"), output.status.code().expect("no signal"))
}

/// One line of error and the exit code.
pub fn error(args: &[&str]) -> (String, i32) {
    let output = program(args);
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{args:?}: {text}");
    (text, output.status.code().expect("no signal"))
}

/// The bundle of tests/fixtures/tiny.yaml.
pub fn tiny() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    &BUILT.get_or_init(|| build_in(TempDir::new().expect("a folder for tests"), "tiny", &[])).1
}

/// Builds tiny.yaml with some texts replaced; the bundle lies as `name` in a folder of its own. Runs that the changes
/// do not touch are kept from tiny's build.
pub fn build(name: &str, changes: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder for tests");
    let kept = folder.path().join(format!(".{name}.runs"));
    fs::create_dir(&kept).unwrap();
    for (file, bytes) in files(&tiny().with_file_name(".tiny.runs")) {
        fs::write(kept.join(file), bytes).unwrap();
    }
    build_in(folder, name, changes)
}

fn build_in(folder: TempDir, name: &str, changes: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny.yaml");
    let mut yaml = fs::read_to_string(fixture).expect("the fixture");
    for (from, to) in changes {
        assert!(yaml.contains(from), "{from}");
        yaml = yaml.replace(from, to);
    }
    let study = folder.path().join(format!("{name}.yaml"));
    fs::write(&study, yaml).unwrap();
    let (_, code) = run(&["build", text(&study), "--device", "cpu", "--quiet"]);
    assert_eq!(code, 0, "{name} builds");
    let bundle = folder.path().join(name);
    (folder, bundle)
}

/// A path as the program is given it.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// A copy of a bundle, as `name` in a folder of its own.
pub fn copy(bundle: &Path, name: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder for tests");
    let to = folder.path().join(name);
    for (path, bytes) in files(bundle) {
        let target = to.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
    (folder, to)
}

/// Every file below a folder.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = text(path.strip_prefix(folder).unwrap()).to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Writes SHA256SUMS anew: a forger who knows the format.
pub fn reseal(bundle: &Path) {
    let mut covered = files(bundle);
    covered.retain(|path, _| path != "SHA256SUMS" && path != "run-log.json");
    fs::write(bundle.join("SHA256SUMS"), Sums::of(&covered).to_string()).unwrap();
}

/// Replaces a text in a bundle's file.
pub fn edit(bundle: &Path, file: &str, from: &str, to: &str) {
    let path = bundle.join(file);
    let before = fs::read_to_string(&path).unwrap();
    assert!(before.contains(from), "{file} has {from}");
    fs::write(path, before.replace(from, to)).unwrap();
}
