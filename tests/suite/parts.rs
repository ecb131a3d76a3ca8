//! A build in parts: `build --only` stores trainings in a run cache that several processes share, and `build` assembles
//! the report.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::*;

/// A folder with the study `tiny`, and an empty run cache.
struct Desk {
    home: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::copy(tiny(), home.path().join("tiny.yaml")).unwrap();
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn cache(&self) -> PathBuf {
        self.path("a cache")
    }

    /// `build ARGUMENTS tiny.yaml` with the shared cache.
    fn build(&self, arguments: &[&str]) -> Command {
        let mut command = program(["build", "--device", "cpu", "--quiet", "--cache"]);
        command.arg(self.cache()).args(arguments).arg(self.path("tiny.yaml"));
        command
    }

    fn assembled(&self) -> (String, Bundle) {
        let out = self.path("assembled");
        let done = run(&mut self.build(&["--out", out.to_str().unwrap()])).exits(0);
        (done.report_id(), Bundle::at(out))
    }
}

fn unfinished(cache: &Path) -> Vec<String> {
    names(cache).into_iter().filter(|name| name.ends_with(".unfinished") || name.starts_with(".new")).collect()
}

#[test]
fn trainings_done_by_several_processes_give_the_same_report_id() {
    let desk = Desk::new();
    let list = run(program(["summary", "--trainings"]).arg(tiny())).exits(0).out;
    let mut processes: Vec<_> = list
        .lines()
        .map(|name| (name, desk.build(&["--only", name]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()))
        .collect();
    for (name, process) in &mut processes {
        assert!(process.wait().unwrap().success(), "{name}");
    }
    assert_eq!(unfinished(&desk.cache()), Vec::<String>::new());
    assert!(!desk.path("tiny").exists(), "no bundle is written");
    let (id, bundle) = desk.assembled();
    assert_eq!(id, shared().1.report_id());
    assert!(bundle.kept().iter().all(|(_, kept)| *kept), "{:?}", bundle.kept());
}

#[test]
fn trainings_at_once_give_the_same_report_id() {
    let desk = Desk::new();
    let done = run(&mut desk.build(&["--jobs", "3", "--only", "small", "--only", "stops"])).exits(0);
    let first: Vec<&str> = done.out.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(first[..2], ["small.seed1", "small.seed2"], "in the study's order: {}", done.out);
    assert_eq!(unfinished(&desk.cache()), Vec::<String>::new());
    let out = desk.path("at-once");
    let at_once = desk.build(&["--jobs", "2", "--fresh", "--out", out.to_str().unwrap()]);
    assert_eq!(run(&mut { at_once }).exits(0).report_id(), shared().1.report_id());
    assert!(Bundle::at(out).kept().iter().all(|(_, kept)| !kept));
    let (id, bundle) = desk.assembled();
    assert_eq!(id, shared().1.report_id());
    assert!(bundle.kept().iter().all(|(_, kept)| *kept), "{:?}", bundle.kept());
    let none = run(&mut desk.build(&["--jobs", "0"])).exits(2);
    assert!(none.err.contains("'0' for '--jobs <N>'"), "{}", none.err);
}

#[test]
fn processes_that_do_the_same_training_do_not_disturb_each_other() {
    let desk = Desk::new();
    let start = || desk.build(&["--only", "small"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut processes: Vec<_> = (0..4).map(|_| start()).collect();
    assert!(processes.iter_mut().all(|process| process.wait().unwrap().success()));
    let (id, bundle) = desk.assembled();
    assert_eq!(id, shared().1.report_id());
    let kept: Vec<String> = bundle.kept().into_iter().filter(|(_, kept)| *kept).map(|(name, _)| name).collect();
    assert_eq!(kept, ["small.seed1", "small.seed2"]);
}

#[test]
fn a_run_stands_for_its_seeds_and_what_was_done_is_said() {
    let desk = Desk::new();
    let done = run(&mut desk.build(&["--only", "small.seed2", "--only", "stops"])).exits(0);
    assert_eq!(done.out, "small.seed2: stored in the run cache\nstops: stored in the run cache\n");
    assert_eq!(done.err, "", "notes on the study are for the process that makes the report");
    let done = run(&mut desk.build(&["--only", "small", "--only", "stops.seed1"])).exits(0);
    let expected =
        "small.seed1: stored in the run cache\nsmall.seed2: was in the run cache\nstops: was in the run cache\n";
    assert_eq!(done.out, expected);
    let done = run(&mut desk.build(&["--fresh", "--only", "stops"])).exits(0);
    assert_eq!(done.out, "stops: stored in the run cache\n");
    let mut part = program(["build", "--device", "cpu", "--only", "stops", "--cache"]);
    let part = run(part.arg(desk.cache()).arg(desk.path("tiny.yaml"))).exits(0);
    for done in [part, run(&mut desk.build(&[])).exits(0)] {
        assert_eq!(done.err.matches("`runs.large.accuracy` has no value").count(), 1, "{}", done.err);
    }
}

#[test]
fn a_run_that_diverges_is_stored_and_exits_with_1() {
    let desk = Desk::new();
    std::fs::write(desk.path("tiny.yaml"), MINI.replace("lr: 0.1", "lr: 1e38").replace("epochs: 1", "epochs: 9"))
        .unwrap();
    let done = run(&mut desk.build(&["--only", "single"])).exits(1);
    assert_eq!(done.out, "single: diverged; stored in the run cache\n");
    let done = run(&mut desk.build(&["--only", "single"])).exits(1);
    assert_eq!(done.out, "single: diverged; was in the run cache\n");
}

#[test]
fn what_cannot_be_done_is_refused_before_training() {
    let desk = Desk::new();
    run(&mut desk.build(&["--only", "smal"])).refused(&["--only", "unknown training `smal`", "small.seed1"]);
    run(&mut desk.build(&["--only", "small.seed3"])).refused(&["unknown training `small.seed3`"]);
    assert_eq!(run(&mut desk.build(&["--only", "small", "--out", "x"])).exits(2).out, "");
    std::fs::write(desk.path("file"), "").unwrap();
    let mut command = program(["build", "--device", "cpu", "--quiet", "--only", "small", "--cache"]);
    run(command.arg(desk.path("file")).arg(tiny())).refused(&["cannot write the run cache", "--cache"]);
}
