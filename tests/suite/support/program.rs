//! Runs the program in a known environment, and captures its output.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::bundle::lasting_folder;

/// The program with some arguments, independent of the environment of the test process.
pub fn program<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    in_known_environment(Command::new(env!("CARGO_BIN_EXE_mnist-report")), arguments)
}

/// Like `program`, for another binary.
pub fn in_known_environment<S: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = S>) -> Command {
    command.args(arguments).stdin(Stdio::null());
    for name in ["SOURCE_DATE_EPOCH", "OMP_THREAD_LIMIT", "OMP_DYNAMIC"] {
        command.env_remove(name);
    }
    // Errors must be plain even for users who enabled backtraces.
    command.env("RUST_BACKTRACE", "1");
    // Starting libtorch takes longer than most tests; only tests/suite/witness.rs uses it.
    command.env("MNIST_REPORT_WITNESS", "no");
    // Tests share the CPU's cores, and threads that spin while they wait slow each other down. Does not change the
    // bits.
    command.env("OMP_WAIT_POLICY", "PASSIVE");
    // Do not use the run cache of the user who runs the tests.
    command.env("MNIST_REPORT_CACHE", lasting_folder().join("runs"));
    command
}

/// The run cache of a test's bundle: a hidden folder beside it, so that tests do not share runs.
pub fn runs_beside(bundle: &Path) -> PathBuf {
    let name = bundle.file_name().unwrap_or_default().to_string_lossy().into_owned();
    bundle.with_file_name(format!(".{name}.runs"))
}

/// `mnist-report build` on the CPU.
pub fn build(study: &Path, out: &Path) -> Command {
    let mut command = program(["build", "--device", "cpu", "--quiet", "--out"]);
    command.arg(out).arg(study);
    if out.is_absolute() {
        command.env("MNIST_REPORT_CACHE", runs_beside(out));
    }
    command
}

/// `mnist-report COMMAND ARGUMENTS PATHS`.
pub fn on_paths(command: &str, arguments: &[&str], paths: &[&Path]) -> Done {
    run(program([command]).args(arguments).args(paths))
}

/// Exit code and output of a finished run.
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
        assert!(!(done.out.clone() + &done.err).contains('\u{1b}'), "colours without a terminal: {}", done.err);
        done
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Done {
    Done::from(command.output().unwrap_or_else(|e| panic!("{command:?}: {e}")))
}

impl Done {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Asserts that the run could not do its work: exit code 2 and one line of error that has each of these parts.
    #[track_caller]
    pub fn refused(self, parts: &[&str]) -> Self {
        self.fails(2, parts)
    }

    /// Asserts an exit code, an empty standard output, and one line of error that has each of these parts.
    #[track_caller]
    pub fn fails(self, code: i32, parts: &[&str]) -> Self {
        let done = self.exits(code);
        assert_eq!(done.out, "", "nothing on standard output");
        assert!(done.err.starts_with("error: "), "{}", done.err);
        assert_eq!(done.err.find('\n'), Some(done.err.len() - 1), "one line: {:?}", done.err);
        assert!(!done.err.chars().any(|c| c.is_control() && c != '\n'), "{:?}", done.err);
        for part in parts {
            assert!(done.err.contains(part), "`{part}` is not in: {}", done.err);
        }
        done
    }

    /// The Report ID, which must be on the last line of standard output, apart from the closing sentence of `verify`.
    #[track_caller]
    pub fn report_id(&self) -> String {
        let mut lines = self.out.strip_suffix('\n').unwrap_or_default().lines();
        let last = lines.rfind(|line| !line.starts_with("Proven: ")).unwrap_or_default();
        let id = last.strip_prefix("Report ID ").unwrap_or_else(|| panic!("no Report ID last: {}", self.out));
        assert!(id.len() == 64 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{id}");
        id.to_owned()
    }
}
