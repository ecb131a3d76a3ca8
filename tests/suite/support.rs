//! What the modules share: the program, run in a known environment; a built bundle; copies of it to change.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use mnist_report::digest::sha256_hex;
use serde_json::Value;
use tempfile::TempDir;

/// A study that trains in no time: one layer, one step. Where what is tested is not the training.
pub const MINI: &str = "\
title: Mini study
compute: {threads: 1}
models: {only: {layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {train: {images: {first: 50}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs: {single: {model: only}}
";

/// `MINI` with the same words in every place of a study whose words a report tells: 14 places.
pub fn worded(words: &str) -> String {
    // JSON's strings are YAML's.
    let quoted = |words: &str| serde_json::to_string(words).unwrap();
    let w = quoted(words);
    // A conclusion's sentence is a template.
    let raw = quoted(&format!("{{% raw %}}{words}{{% endraw %}}"));
    let mini = MINI.replace("title: Mini study\n", "").replace("{only: {", &format!("{{only: {{title: {w}, "));
    let mini = mini.replace("{model: only}", &format!("{{model: only, title: {w}}}"));
    format!(
        "title: {w}\ndescription: {w}\nauthor: {w}\n{mini}\
         sections: [{{title: {w}, text: {w}, runs: [single], show: [curves, predictions, per_class, confusion, misread, ladder], \
         points: [{{title: {w}, parameters: 9, accuracy: 0.5}}]}}]\n\
         claims: [{{id: a, group: {w}, quote: {w}, printed: {w}, measured: runs.single.accuracy, compare: exact, why: {w}}}]\n\
         conclusions:\n- {{id: c, question: {w}, supported_if: 'true', refuted_if: 'false', \
         supported: {raw}, refuted: 'no', undecided: 'no'}}\n"
    )
}

/// Files by path below a folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The study that most tests use.
pub fn tiny() -> PathBuf {
    root().join("tests/fixtures/tiny.yaml")
}

/// Its text.
pub fn tiny_text() -> String {
    fs::read_to_string(tiny()).unwrap()
}

/// The program with some arguments, free of what this process's environment may hold.
pub fn program<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    in_known_environment(Command::new(env!("CARGO_BIN_EXE_mnist-report")), arguments)
}

/// As `program`, of another binary.
pub fn in_known_environment<S: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = S>) -> Command {
    command.args(arguments).stdin(Stdio::null());
    for name in ["SOURCE_DATE_EPOCH", "OMP_THREAD_LIMIT", "OMP_DYNAMIC"] {
        command.env_remove(name);
    }
    // A backtrace is for those who ask, and a user who asked must still get a plain error.
    command.env("RUST_BACKTRACE", "1");
    // Threads that spin while they wait slow each other down where tests share the processors. No bit depends on it.
    command.env("OMP_WAIT_POLICY", "PASSIVE");
    command
}

/// What a run of the program left.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        let done =
            Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        for word in ["panicked", "backtrace", "Backtrace"] {
            assert!(!done.err.contains(word), "{}", done.err);
        }
        assert!(!(done.out.clone() + &done.err).contains('\u{1b}'), "no colours where nobody watches: {}", done.err);
        done
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Done {
    Done::from(command.output().unwrap_or_else(|e| panic!("{command:?}: {e}")))
}

impl Done {
    /// The run ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The run was refused as the contract says: exit code 2, one line, which has each of these parts.
    #[track_caller]
    pub fn refused(self, parts: &[&str]) -> Self {
        let done = self.exits(2);
        assert_eq!(done.out, "", "nothing on standard output");
        assert!(done.err.starts_with("error: "), "{}", done.err);
        assert_eq!(done.err.find('\n'), Some(done.err.len() - 1), "one line: {:?}", done.err);
        assert!(!done.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", done.err);
        for part in parts {
            assert!(done.err.contains(part), "`{part}` is not in: {}", done.err);
        }
        done
    }

    /// The Report ID, in the last line.
    #[track_caller]
    pub fn report_id(&self) -> String {
        let last = self.out.strip_suffix('\n').and_then(|out| out.lines().last()).unwrap_or_default();
        let id = last.strip_prefix("Report ID ").unwrap_or_else(|| panic!("no Report ID last: {}", self.out));
        assert!(id.len() == 64 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{id}");
        id.to_owned()
    }
}

/// `build` on the CPU.
pub fn build(study: &Path, out: &Path) -> Command {
    let mut command = program(["build", "--device", "cpu", "--quiet", "--out"]);
    command.arg(out).arg(study);
    command
}

/// A bundle's folder, to read and to change.
pub struct Bundle {
    pub path: PathBuf,
    /// Where the folder lies; gone with the value. The shared bundle's is no one's.
    _home: Option<TempDir>,
}

impl Bundle {
    pub fn at(path: PathBuf) -> Self {
        Self { path, _home: None }
    }

    /// `mnist-report COMMAND bundle ARGUMENTS`.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Done {
        run(program([command]).arg(&self.path).args(arguments))
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

    /// Replaces text, which must be there.
    pub fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// Changes a JSON file's value, keeping the form in which the program writes it.
    pub fn change_json(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.json(name);
        change(&mut value);
        self.write(name, serde_json::to_string_pretty(&value).unwrap() + "\n");
    }

    /// SHA256SUMS anew, as a forger would.
    pub fn redo_sums(&self) {
        let mut files = read_folder(&self.path);
        files.retain(|path, _| path != "SHA256SUMS" && path != "run-log.json");
        let sums: String = files.iter().map(|(path, bytes)| format!("{}  {path}\n", sha256_hex(bytes))).collect();
        self.write("SHA256SUMS", sums);
    }

    /// Every file that the Report ID stands for, and SHA256SUMS.
    pub fn identity(&self) -> Files {
        let mut files = read_folder(&self.path);
        assert!(files.remove("run-log.json").is_some());
        files
    }

    pub fn report_id(&self) -> String {
        sha256_hex(&self.bytes("SHA256SUMS"))
    }

    /// Which runs the last build kept and which it trained: `name true` where kept.
    pub fn kept(&self) -> Vec<(String, bool)> {
        let log = self.json("run-log.json");
        let runs = log["runs"].as_array().unwrap().iter();
        runs.map(|r| (r["run"].as_str().unwrap().to_owned(), r["kept"].as_bool().unwrap())).collect()
    }
}

/// The bundle of `tiny`, built once for all tests. Nothing may change it.
pub fn shared() -> &'static (Bundle, Done) {
    static SHARED: OnceLock<(Bundle, Done)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let home = lasting_folder();
        let path = home.join("tiny");
        // Not quiet: what a build says is looked at too.
        let done = run(program(["build", "--device", "cpu", "--fresh", "--out"]).arg(&path).arg(tiny()));
        (Bundle::at(path), done.exits(0))
    })
}

/// A folder that lasts as long as this process and a little longer: statics are never dropped, so a later process
/// removes what the ones before it left.
fn lasting_folder() -> PathBuf {
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

/// A copy of the shared bundle, with its kept runs beside it.
pub fn copy() -> Bundle {
    let home = tempfile::tempdir().unwrap();
    let from = &shared().0.path;
    copy_folder(from, &home.path().join("bundle"));
    copy_folder(&from.with_file_name(".tiny.runs"), &home.path().join(".bundle.runs"));
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
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(read_folder(&entry.path()).into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

/// The names in a folder, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whether this machine has an NVIDIA GPU.
pub fn has_gpu() -> bool {
    ["/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version"].iter().any(|p| Path::new(p).exists())
}
