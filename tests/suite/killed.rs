//! Builds that strace kills at a system call: either the old bundle or the new one is in its place, and the next build
//! leaves no other file. `make kills` tries every call.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// The calls that change a file system or lock something.
const CALLS: &str = "mkdir,mkdirat,openat,write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,flock,ftruncate";

/// Besides the calls around the exchange, tries every N-th call. MNIST_REPORT_KILL_STEP sets another N.
const STEP: usize = 60;

/// How two folders are exchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Exchange {
    /// In one step.
    OneStep,
    /// By three renames, as on a file system that cannot exchange folders.
    Renames,
}

/// A study that is already trained, and the content of the place before the build.
struct Desk {
    home: tempfile::TempDir,
    old: Option<Files>,
    new: Files,
}

impl Desk {
    fn new(with_old: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let desk = Self { home, old: None, new: Files::new() };
        let write = |text: &str| fs::write(desk.path("s.yaml"), text).unwrap();
        write(&MINI.replace("Mini study", "Old study"));
        run(&mut desk.build(Self::program())).exits(0);
        let old = identity(&desk.path("s"));
        write(MINI);
        run(&mut desk.build(Self::program())).exits(0);
        let new = identity(&desk.path("s"));
        assert!(old != new);
        Self { old: with_old.then_some(old), new, ..desk }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn program() -> Command {
        Command::new(program(["build"]).get_program())
    }

    fn build(&self, mut command: Command) -> Command {
        command.args(["build", "--device", "cpu", "--quiet"]).arg(self.path("s.yaml"));
        let mut command = in_known_environment(command, [""; 0]);
        command.env("MNIST_REPORT_CACHE", self.path("cache"));
        command
    }

    /// The build under strace, with more options for it.
    fn traced(&self, exchange: Exchange, options: &[String]) -> Command {
        let mut strace = Command::new("strace");
        strace.arg("-o").arg(self.path("trace")).args(["-e", &format!("trace={CALLS}")]);
        if exchange == Exchange::Renames {
            strace.args(["-e", "inject=renameat2:error=EINVAL"]);
        }
        strace.args(options).arg(program(["build"]).get_program());
        self.build(strace)
    }

    /// Puts the old bundle into the place, or nothing.
    fn reset(&self) {
        let _ = fs::remove_dir_all(self.path("s"));
        for (name, bytes) in self.old.iter().flatten() {
            let path = self.path("s").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// The names of the calls of a build that is not killed.
    fn calls(&self, exchange: Exchange) -> Vec<String> {
        self.reset();
        run(&mut self.traced(exchange, &[])).exits(0);
        let trace = fs::read_to_string(self.path("trace")).unwrap();
        let calls = trace.lines().filter_map(|line| line.split_once('(')).map(|(call, _)| call.to_owned());
        calls.filter(|call| CALLS.split(',').any(|name| name == call)).collect()
    }

    /// Kills a build at a call, and builds again. `nth` counts the calls of this name.
    fn kill(&self, exchange: Exchange, call: &str, nth: usize) {
        self.reset();
        let inject = |what: &str| vec!["-e".to_owned(), format!("inject={call}:{what}when={nth}")];
        // renameat2 has its error already.
        let error = if exchange == Exchange::Renames && call == "renameat2" { "error=EINVAL:" } else { "" };
        let status = self.traced(exchange, &inject(&format!("{error}signal=KILL:"))).output().unwrap().status;
        let what = format!("{exchange:?}, {call} {nth}, old bundle: {}", self.old.is_some());
        assert!(!status.success(), "{what}: was not killed");
        let place = self.path("s");
        let found = place.exists().then(|| identity(&place));
        // Between two renames the place is empty; the next build first moves the old bundle back.
        let is_aside = exchange == Exchange::Renames && found.is_none() && self.has_aside();
        assert!(
            found == self.old || found.as_ref() == Some(&self.new) || is_aside,
            "{what}: {:?}",
            names(self.home.path())
        );
        run(&mut self.build(Self::program())).exits(0);
        assert!(identity(&place) == self.new, "{what}");
        assert_eq!(names(self.home.path()), ["cache", "s", "s.yaml", "trace"], "{what}");
    }

    /// Whether the old bundle was put aside.
    fn has_aside(&self) -> bool {
        let is_old = |name: &String| identity(&self.path(name).join("s")) == self.old.clone().unwrap_or_default();
        names(self.home.path()).iter().filter(|name| name.starts_with(".old-")).any(is_old)
    }
}

/// The files that the Report ID covers. A run log must be complete.
fn identity(folder: &Path) -> Files {
    let mut files = read_folder(folder);
    if let Some(log) = files.remove("run-log.json") {
        serde_json::from_slice::<serde_json::Value>(&log).expect("a whole run log");
    }
    files
}

/// Each call of a build with its number among the calls of its name. The first ones are those of the loader and of
/// reading data, before anything is written.
fn numbered(calls: &[String]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    let mut numbered = Vec::new();
    for call in calls {
        let count = counts.entry(call).or_default();
        *count += 1;
        numbered.push((call.clone(), *count));
    }
    numbered
}

#[test]
fn a_build_killed_at_a_system_call_leaves_the_old_bundle_or_the_new_one() {
    let step: usize = std::env::var("MNIST_REPORT_KILL_STEP").map_or(STEP, |step| step.parse().unwrap());
    if Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success()) {
        let mut kills = 0;
        for with_old in [true, false] {
            let desk = Desk::new(with_old);
            for exchange in [Exchange::OneStep, Exchange::Renames] {
                let calls = numbered(&desk.calls(exchange));
                let renames: Vec<usize> = (0..calls.len()).filter(|i| calls[*i].0.starts_with("rename")).collect();
                assert!(!renames.is_empty(), "{calls:?}");
                // Around the exchange, and some others.
                let is_near = |i: usize| renames.iter().any(|rename| i.abs_diff(*rename) <= 1);
                for (i, (call, nth)) in calls.iter().enumerate() {
                    if (with_old && is_near(i)) || i % step == step - 1 {
                        desk.kill(exchange, call, *nth);
                        kills += 1;
                    }
                }
            }
        }
        eprintln!("{kills} kills");
        assert!(kills >= 12, "{kills}");
    } else {
        eprintln!("SKIPPED: strace is not installed or may not trace, so no build is killed at its system calls");
    }
}
