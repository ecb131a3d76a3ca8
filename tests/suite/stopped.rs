//! Builds that are stopped: they leave nothing behind, and the next build goes on where they stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mnist_report::rng::Stream;

use crate::support::*;

/// Two runs of two seeds and one that stops early, each of them some seconds long.
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
        let mut command = program(["build", "--device", "cpu"]);
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

#[test]
fn a_stopped_build_leaves_no_temporary_file_whatever_stopped_it() {
    // Many candidates, so that the first one comes soon.
    let desk = Desk::new(&STUDY.replace("epochs: 10", "epochs: 500").replace("candidates: 12", "candidates: 256"));
    for signal in ["TERM", "INT", "HUP", "KILL"] {
        let mut child = desk.start();
        wait(&mut child, "a state of a candidate is stored", || {
            !desk.unfinished(|n| n.starts_with("state")).is_empty()
        });
        assert!(names(&desk.home.path().join("tmp")).is_empty(), "while it trains");
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(sent.success() && !child.wait().unwrap().success(), "{signal}");
        assert!(names(&desk.home.path().join("tmp")).is_empty(), "{signal}");
        assert_eq!(names(desk.home.path()), ["cache", "s.yaml", "tmp"], "{signal}");
        desk.unfinished(|_| true).iter().for_each(|path| drop(fs::remove_file(path)));
    }
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
