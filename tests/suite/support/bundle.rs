//! The bundle that all tests share, and copies that tests can change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mnist_report::digest::sha256_hex;
use serde_json::Value;
use tempfile::TempDir;

use super::{Done, build, program, run, runs_beside, tiny, tiny_with};

/// Files by their path below a folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A bundle's folder, to read and to change.
pub struct Bundle {
    pub path: PathBuf,
    /// The folder that contains it, removed when the value is dropped. `None` if something else owns the folder.
    _home: Option<TempDir>,
}

impl Bundle {
    pub fn at(path: PathBuf) -> Self {
        Self { path, _home: None }
    }

    /// `mnist-report COMMAND BUNDLE ARGUMENTS`.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Done {
        run(program([command]).arg(&self.path).args(arguments))
    }

    /// The path as text, as the program prints it.
    pub fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Where `publish` writes the zip by default.
    pub fn zip(&self) -> PathBuf {
        self.path.with_extension("zip")
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.path.join(name);
        fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path.join(name), bytes).unwrap();
    }

    /// Replaces the first occurrence of a text, which must exist.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        self.replace_up_to(1, name, from, to);
    }

    /// Replaces every occurrence of a text, which must exist.
    pub fn replace_all(&self, name: &str, from: &str, to: &str) {
        self.replace_up_to(usize::MAX, name, from, to);
    }

    fn replace_up_to(&self, count: usize, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{name} does not contain `{from}`");
        self.write(name, text.replacen(from, to, count));
    }

    /// Changes a JSON file's value, and writes it in the program's format.
    pub fn change_json(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.json(name);
        change(&mut value);
        self.write(name, serde_json::to_string_pretty(&value).unwrap() + "\n");
    }

    /// Puts a study into the bundle, with right hashes in the manifest and in SHA256SUMS.
    pub fn replace_study(&self, study: &str) {
        self.write("study.yaml", study);
        self.change_json("manifest.json", |manifest| {
            manifest["inputs"][0]["sha256"] = sha256_hex(study.as_bytes()).into();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let line = |input: &Value| format!("{}  {}\n", text(&input["sha256"]), text(&input["name"]));
            let all: String = manifest["inputs"].as_array().unwrap().iter().map(line).collect();
            manifest["digests"]["inputs"] = sha256_hex(all.as_bytes()).into();
        });
        self.redo_sums();
    }

    /// Writes SHA256SUMS again, as a forger would.
    pub fn redo_sums(&self) {
        let mut files = read_folder(&self.path);
        files.retain(|path, _| path != "SHA256SUMS" && path != "run-log.json");
        let sums: String = files.iter().map(|(path, bytes)| format!("{}  {path}\n", sha256_hex(bytes))).collect();
        self.write("SHA256SUMS", sums);
    }

    /// Every file that the Report ID covers, and SHA256SUMS.
    pub fn identity(&self) -> Files {
        let mut files = read_folder(&self.path);
        assert!(files.remove("run-log.json").is_some());
        files
    }

    pub fn report_id(&self) -> String {
        sha256_hex(&self.bytes("SHA256SUMS"))
    }

    /// The name of each run of the last build, and whether it came from the run cache.
    pub fn kept(&self) -> Vec<(String, bool)> {
        let log = self.json("run-log.json");
        let runs = log["runs"].as_array().unwrap().iter();
        runs.map(|r| (r["run"].as_str().unwrap().to_owned(), r["kept"].as_bool().unwrap())).collect()
    }
}

/// The bundle of `tiny` and the output of building it. Built once for the whole binary; no test may change it.
pub fn shared() -> &'static (Bundle, Done) {
    static SHARED: OnceLock<(Bundle, Done)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let home = lasting_folder();
        let path = home.join("tiny");
        // Without --quiet, because tests check the messages, too.
        let mut build = program(["build", "--device", "cpu", "--fresh", "--out"]);
        let done = run(build.arg(&path).arg(tiny()).env("MNIST_REPORT_CACHE", runs_beside(&path)));
        (Bundle::at(path), done.exits(0))
    })
}

/// A folder for the shared bundle. Rust does not drop statics, so a later process removes the folders of earlier ones.
pub fn lasting_folder() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in fs::read_dir(all).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix("suite-").is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = all.join(format!("suite-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A copy of the shared bundle, with its run cache.
pub fn copy() -> Bundle {
    let bundle = beside_the_shared_runs();
    copy_folder(&shared().0.path, &bundle.path);
    bundle
}

/// The bundle of `tiny` with some passages of the study replaced. Runs that the changes do not affect come from the
/// shared bundle's run cache.
pub fn built_with(changes: &[(&str, &str)]) -> Bundle {
    built(&tiny_with(changes))
}

/// The bundle of a study, built like that of `built_with`.
pub fn built(yaml: &str) -> Bundle {
    let bundle = beside_the_shared_runs();
    let study = bundle.path.with_file_name("bundle.yaml");
    fs::write(&study, yaml).unwrap();
    run(&mut build(&study, &bundle.path)).exits(0);
    bundle
}

/// A place for a bundle, with a copy of the shared bundle's run cache.
fn beside_the_shared_runs() -> Bundle {
    let home = tempfile::tempdir().unwrap();
    copy_folder(&shared().0.path.with_file_name(".tiny.runs"), &home.path().join(".bundle.runs"));
    Bundle { path: home.path().join("bundle"), _home: Some(home) }
}

pub fn copy_folder(from: &Path, to: &Path) {
    for (path, bytes) in read_folder(from) {
        let to = to.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
}

/// Every file below a folder.
pub fn read_folder(folder: &Path) -> Files {
    let mut files = Files::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        if !entry.file_type().is_dir() {
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The name of a temporary folder as the program makes it: a number of 16 hex digits, and a checksum.
pub fn temporary_name(prefix: &str, number: u64) -> String {
    let name = format!("{prefix}{number:016x}");
    let checksum = sha256_hex(format!("temporary folder of mnist-report: {name}").as_bytes());
    format!("{name}{}", &checksum[..8])
}
