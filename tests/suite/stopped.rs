//! Builds that are stopped: they leave no files, and the next build continues where they stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mnist_report::rng::Stream;

use crate::support::*;

/// Two runs of two seeds and one that stops early, which take some seconds each.
const STUDY: &str = "\
title: Stopped
models:
  m: {layers: [conv2d: {out_channels: 8, kernel_size: 5, stride: 2}, batch_norm2d, relu, dropout: {p: 0.2}, flatten, linear: {out_features: 10}]}
defaults:
  model: m
  train: {images: {random: 3000}, hold_out: 100}
  epochs: 10
  batch_size: 100
  evaluate_train: true
  evidence: {candidates: 12, keep: 3}
  seeds: [1, 2]
runs:
  adam: {optimizer: {adam: {lr: 0.002}}, schedule: one_cycle}
  sgd: {optimizer: {sgd: {lr: 0.05, momentum: 0.9, nesterov: true}}}
  stops: {optimizer: {adadelta: {lr: 1.0}}, epochs: 40, stop_below_train_loss: 0.12, seeds: [3]}
";

struct Desk {
    home: tempfile::TempDir,
    bundle: Bundle,
}

impl Desk {
    fn new(study: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("s.yaml"), study).unwrap();
        fs::create_dir(home.path().join("tmp")).unwrap();
        let bundle = Bundle::at(home.path().join("s"));
        Self { home, bundle }
    }

    fn command(&self) -> Command {
        // A shell may have started the tests with signals ignored, as nohup does, and a child inherits that.
        let arguments =
            ["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_mnist-report"), "build", "--device", "cpu"];
        let mut command = in_known_environment(Command::new("env"), arguments);
        command.arg(self.home.path().join("s.yaml")).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("MNIST_REPORT_CACHE", self.home.path().join("cache")).env("TMPDIR", self.home.path().join("tmp"));
        command
    }

    fn start(&self) -> Child {
        self.command().spawn().unwrap()
    }

    /// The files of unfinished trainings in the run cache whose name `is_one` accepts.
    fn unfinished(&self, is_one: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let files = read_folder_or_nothing(&self.home.path().join("cache"));
        files.into_iter().filter(|path| path.to_string_lossy().contains(".unfinished/") && is_one(name(path))).collect()
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// The paths below a folder that a process is changing.
fn read_folder_or_nothing(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder).into_iter().flatten().map(walkdir::DirEntry::into_path).collect()
}

/// Waits until a condition holds. The build must not end before that.
fn wait(child: &mut Child, what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(child.try_wait().unwrap().is_none(), "the build ended before {what}");
        assert!(start.elapsed() < Duration::from_secs(300), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A study that trains long, with many evidence candidates, so that the first one comes soon.
fn long() -> Desk {
    Desk::new(&STUDY.replace("epochs: 10", "epochs: 500").replace("candidates: 12", "candidates: 256"))
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

impl Desk {
    /// Starts a build, and waits until it trains.
    fn training(&self, mut command: Command) -> Child {
        let mut child = command.spawn().unwrap();
        wait(&mut child, "a state of a candidate is stored", || {
            !self.unfinished(|n| n.starts_with("state")).is_empty()
        });
        child
    }

    /// The names beside the bundle, and the number of folders that reserve a place.
    fn beside(&self) -> (Vec<String>, usize) {
        let (reserved, others): (Vec<_>, Vec<_>) =
            names(self.home.path()).into_iter().partition(|name| name.starts_with(".partial-"));
        (others, reserved.len())
    }

    fn forget(&self) {
        self.unfinished(|_| true).iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

#[test]
fn a_stopped_build_leaves_no_temporary_file_whatever_stopped_it() {
    let desk = long();
    for (signal, code) in [("TERM", Some(143)), ("INT", Some(130)), ("HUP", Some(129)), ("KILL", None)] {
        let mut command = desk.command();
        command.arg("--quiet").stderr(Stdio::piped());
        let child = desk.training(command);
        assert!(names(&desk.home.path().join("tmp")).is_empty(), "while it trains");
        assert_eq!(
            desk.beside(),
            (vec!["cache".into(), "s.yaml".into(), "tmp".into()], 1),
            "of the last build, nothing"
        );
        let sent = Instant::now();
        send(signal, &child);
        let done = child.wait_with_output().unwrap();
        assert!(
            sent.elapsed() < Duration::from_secs(if code.is_some() { 2 } else { 60 }),
            "{signal}: {:?}",
            sent.elapsed()
        );
        assert_eq!(done.status.code(), code, "{signal}");
        let told = code.map_or(String::new(), |_| format!("error: stopped by SIG{signal}\n"));
        assert_eq!(String::from_utf8_lossy(&done.stderr), told);
        assert!(names(&desk.home.path().join("tmp")).is_empty(), "{signal}");
        let reserved = usize::from(code.is_none());
        assert_eq!(desk.beside(), (vec!["cache".into(), "s.yaml".into(), "tmp".into()], reserved), "{signal}");
        desk.forget();
    }
}

#[test]
fn a_signal_that_is_ignored_does_not_stop_a_build() {
    let desk = long();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(program(["build"]).get_program());
    shell.args(["build", "--device", "cpu", "--quiet"]).arg(desk.home.path().join("s.yaml"));
    shell.env("MNIST_REPORT_CACHE", desk.home.path().join("cache")).env("TMPDIR", desk.home.path().join("tmp"));
    let mut child = desk.training(shell);
    send("HUP", &child);
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "SIGHUP was ignored");
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn of_two_builds_into_one_folder_one_is_refused_and_told_who_builds() {
    let desk = long();
    let mut child = desk.training(desk.command());
    let refused = |out: &Path| {
        let mut other = desk.command();
        other.arg("--out").arg(out).stdout(Stdio::piped()).stderr(Stdio::piped());
        let pid = format!("process {} on ", child.id());
        run(&mut other).refused(&["s is being written by another process", &pid, "wait until it ends", "--out"]);
    };
    refused(&desk.bundle.path);
    std::os::unix::fs::symlink(desk.home.path(), desk.home.path().join("tmp/link")).unwrap();
    refused(&desk.home.path().join("tmp/link/s"));
    fs::remove_file(desk.home.path().join("tmp/link")).unwrap();
    // Another folder beside it is free.
    let mut other = program(["build", "--device", "cpu", "--quiet"]);
    fs::write(desk.home.path().join("mini.yaml"), MINI).unwrap();
    run(other.arg(desk.home.path().join("mini.yaml")).env("MNIST_REPORT_CACHE", desk.home.path().join("cache")))
        .exits(0);
    assert_eq!(desk.beside().1, 1, "the reservation of the other build");
    send("KILL", &child);
    child.wait().unwrap();
    desk.forget();
    // After it is killed, it holds no reservation.
    let mut again = desk.training(desk.command());
    send("INT", &again);
    assert_eq!(again.wait().unwrap().code(), Some(130));
}

#[test]
fn many_builds_at_once_leave_one_whole_bundle() {
    let desk = Desk::new(MINI);
    for round in 0..3 {
        let mut children: Vec<Child> = (0..5).map(|_| desk.start()).collect();
        let codes: Vec<Option<i32>> = children.iter_mut().map(|child| child.wait().unwrap().code()).collect();
        assert!(codes.contains(&Some(0)), "{codes:?}");
        assert!(codes.iter().all(|code| [Some(0), Some(2)].contains(code)), "{codes:?}");
        desk.bundle.run("verify", &["--upto", "render"]).exits(0);
        assert_eq!(names(desk.home.path()), ["cache", "s", "s.yaml", "tmp"], "{round}");
    }
}

#[test]
fn what_a_killed_build_of_the_same_number_left_does_not_block() {
    let desk = Desk::new(MINI);
    let [partial, old, notes] =
        [(".partial-", 1), (".old-", 2), (".old-", 3)].map(|(prefix, number)| temporary_name(prefix, number));
    for name in [".partial-1", ".old-1", ".partial-abc123", &partial, &notes] {
        fs::create_dir(desk.home.path().join(name)).unwrap();
    }
    // These belong to the user: one is not a bundle, and the other only looks like a temporary folder.
    fs::write(desk.home.path().join(&notes).join("notes.txt"), "mine").unwrap();
    fs::write(desk.home.path().join(".partial-abc123/report.md"), "mine").unwrap();
    fs::write(desk.home.path().join(&partial).join("report.md"), "half").unwrap();
    assert!(desk.command().status().unwrap().success());
    let left = [&notes, ".old-1", ".partial-1", ".partial-abc123", "cache", "s", "s.yaml", "tmp"];
    assert_eq!(names(desk.home.path()), left);
    // A bundle that was put aside is moved back if its place is empty.
    let (aside, place) = (desk.home.path().join(&old), &desk.bundle.path);
    fs::create_dir(&aside).unwrap();
    fs::rename(place, aside.join("s")).unwrap();
    fs::write(desk.home.path().join("s.yaml"), MINI.replace("optimizer", "optimiser")).unwrap();
    assert!(!desk.command().status().unwrap().success(), "refused for the study");
    assert!(!place.exists(), "nothing was done yet");
    fs::write(desk.home.path().join("other.yaml"), MINI).unwrap();
    let mut other = program(["build", "--device", "cpu", "--quiet"]);
    run(other.arg(desk.home.path().join("other.yaml")).env("MNIST_REPORT_CACHE", desk.home.path().join("cache")))
        .exits(0);
    desk.bundle.run("verify", &["--upto", "files"]).exits(0);
    assert!(!aside.exists());
}

#[test]
fn a_killed_build_goes_on_after_the_last_checkpoint() {
    // One training is enough.
    let others = STUDY.find("  sgd:").unwrap();
    let study = STUDY[..others].replace("seeds: [1, 2]", "seeds: [1]").replace("epochs: 10", "epochs: 40");
    let desk = Desk::new(&study);
    let mut child = desk.start();
    wait(&mut child, "a checkpoint is stored", || !desk.unfinished(|n| n == "checkpoint").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!desk.bundle.path.exists());
    let done = run(desk.command().stdout(Stdio::piped()).stderr(Stdio::piped())).exits(0);
    let resumed: Vec<&str> = done.err.lines().filter(|line| line.contains("going on after epoch")).collect();
    assert!(matches!(resumed[..], [line] if line.starts_with("adam: ") && line.contains(" of 40")), "{}", done.err);
    let log = desk.bundle.json("run-log.json");
    let (after, timed) = (&log["runs"][0]["resumed_after"], log["runs"][0]["epoch_seconds"].as_array().unwrap().len());
    assert!(after.as_u64().is_some_and(|after| after > 0 && after as usize + timed == 40), "{log}");
    assert!(desk.unfinished(|_| true).is_empty(), "a finished training leaves no checkpoint");
    let undisturbed = desk.bundle.identity();
    // --fresh trains everything from its start.
    let fresh = run(desk.command().arg("--fresh").stdout(Stdio::piped()).stderr(Stdio::piped())).exits(0);
    assert!(!fresh.err.contains("going on") && fresh.report_id() == done.report_id(), "{}", fresh.err);
    assert!(desk.bundle.identity() == undisturbed);
}

/// How many times the build is killed; MNIST_REPORT_KILLS sets another number.
const KILLS: u32 = 4;

#[test]
fn a_build_killed_again_and_again_gives_the_same_report() {
    let kills = std::env::var("MNIST_REPORT_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let whole = Desk::new(STUDY);
    assert!(whole.command().status().unwrap().success());
    let desk = Desk::new(STUDY);
    let mut draw = Stream::keyed(b"kills");
    let mut killed = 0;
    while killed < kills {
        let mut child = desk.start();
        std::thread::sleep(Duration::from_millis(u64::from(200 + draw.below(4500))));
        if child.try_wait().unwrap().is_some() {
            // The build finished before it was killed: start over.
            assert!(desk.bundle.identity() == whole.bundle.identity());
            fs::remove_dir_all(&desk.bundle.path).unwrap();
            fs::remove_dir_all(desk.home.path().join("cache")).unwrap();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(desk.command().status().unwrap().success());
    for (name, bytes) in whole.bundle.identity() {
        assert!(desk.bundle.bytes(&name) == bytes, "{name} differs");
    }
    assert_eq!(desk.bundle.report_id(), whole.bundle.report_id());
    assert_eq!(names(desk.home.path()), ["cache", "s", "s.yaml", "tmp"]);
    assert!(desk.unfinished(|_| true).is_empty() && names(&desk.home.path().join("tmp")).is_empty());
}
