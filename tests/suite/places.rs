//! Where `build` writes. It checks before training whether it can.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

/// A folder with a study, and a run cache that does not exist yet.
struct Desk {
    home: tempfile::TempDir,
    study: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let study = home.path().join("mini.yaml");
        fs::write(&study, MINI).unwrap();
        Self { home, study }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn build(&self, out: &Path) -> Command {
        let mut command = program(["build", "--device", "cpu", "--quiet", "--out"]);
        command.arg(out).arg(&self.study).env("MNIST_REPORT_CACHE", self.path("cache"));
        command
    }

    /// The place is refused before training: the folder has the same names as before, and there is no run cache.
    #[track_caller]
    fn refuses(&self, out: &Path, parts: &[&str]) {
        let before = names(self.home.path());
        run(&mut self.build(out)).refused(parts);
        assert_eq!(names(self.home.path()), before, "nothing is left, nothing was trained");
    }
}

#[test]
fn a_bundle_is_not_written_into_another_bundle() {
    let desk = Desk::new();
    let bundle = desk.path("mini");
    run(&mut desk.build(&bundle)).exits(0);
    let before = names(&bundle);
    for out in ["study", "new/deep"] {
        run(&mut desk.build(&bundle.join(out))).refused(&["is inside the bundle", "--out"]);
    }
    let inner = bundle.join("study.yaml");
    let build = |arguments: &[&str]| {
        let mut command = program(["build", "--device", "cpu", "--quiet"]);
        command.arg(&inner).args(arguments).env("MNIST_REPORT_CACHE", desk.path("cache"));
        run(&mut command)
    };
    build(&[]).refused(&["is inside the bundle", "copy the study out of the bundle"]);
    assert_eq!(names(&bundle), before);
    build(&["--out", desk.path("other").to_str().unwrap()]).exits(0);
}

/// `verify` would refuse it after hours of training.
#[test]
fn a_bundle_with_too_many_files_is_refused_before_training() {
    let desk = Desk::new();
    let seeds = |n: usize| format!("seeds: {:?}", (0..n).collect::<Vec<_>>());
    let write = |n: usize| fs::write(&desk.study, MINI.replace("seeds: [1]", &seeds(n))).unwrap();
    write(3332);
    desk.refuses(&desk.path("out"), &["too large for a bundle", "10000 files in all"]);
}

/// A mount that is unmounted when the value is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Mounts at a folder. `None`, with a message, if this user may not mount.
fn mounted(arguments: &[&str], at: &Path) -> Option<Mounted> {
    let done = Command::new("mount").args(arguments).arg(at).output();
    if done.as_ref().is_ok_and(|done| done.status.success()) {
        return Some(Mounted(at.to_owned()));
    }
    eprintln!("SKIPPED: this user cannot mount, so mount points are not tested: {done:?}");
    None
}

fn make_read_only(mount: &Path) -> bool {
    Command::new("mount").args(["-o", "remount,ro,bind"]).arg(mount).status().unwrap().success()
}

#[test]
fn a_mount_point_gets_the_bundle_inside() {
    let desk = Desk::new();
    for folder in ["disk", "out"] {
        fs::create_dir(desk.path(folder)).unwrap();
    }
    let expected = run(&mut desk.build(&desk.path("plain"))).exits(0).report_id();
    let Some(_mounted) = mounted(&["--bind", desk.path("disk").to_str().unwrap()], &desk.path("out")) else { return };
    let out = Bundle::at(desk.path("out"));
    let again = |arguments: &[&str]| run(desk.build(&out.path).args(arguments)).exits(0).report_id();
    assert_eq!(again(&[]), expected);
    assert!(out.identity() == Bundle::at(desk.path("plain")).identity());
    assert_eq!(names(&desk.path("disk")), names(&desk.path("plain")), "nothing else is left");
    // Over a bundle, with figures and runs that the new one does not have.
    fs::write(&desk.study, MINI.replace("single", "other")).unwrap();
    let other = again(&["--lang", "uk"]);
    assert_ne!(other, expected);
    assert_eq!(out.run("verify", &["--upto", "render"]).exits(0).report_id(), other);
    assert_eq!(names(&out.path.join("weights")), ["other.safetensors"]);
    // A folder left there by a killed build does not prevent the build, and is removed.
    fs::create_dir(out.path.join(temporary_name(".partial-", 1))).unwrap();
    fs::remove_file(out.path.join("SHA256SUMS")).unwrap();
    assert_eq!(again(&["--lang", "uk"]), other);
    out.run("render", &["--lang", "en"]).exits(0);
    out.run("verify", &["--upto", "render"]).exits(0);
    // The user's file is not lost.
    out.write("remarks.txt", "mine");
    desk.refuses(&out.path, &["remarks.txt", "does not belong"]);
    assert_eq!(out.text("remarks.txt"), "mine");
}

#[test]
fn a_volume_in_a_folder_that_cannot_be_written_gets_the_bundle_inside() {
    let desk = Desk::new();
    for folder in ["disk", "fixed", "fixed/out"] {
        fs::create_dir(desk.path(folder)).unwrap();
    }
    let fixed = desk.path("fixed");
    let Some(_fixed) = mounted(&["--bind", fixed.to_str().unwrap()], &fixed) else { return };
    let Some(_volume) = mounted(&["--bind", desk.path("disk").to_str().unwrap()], &desk.path("fixed/out")) else {
        return;
    };
    assert!(make_read_only(&fixed));
    let id = run(&mut desk.build(&desk.path("fixed/out"))).exits(0).report_id();
    assert_eq!(Bundle::at(desk.path("fixed/out")).run("verify", &["--upto", "files"]).exits(0).report_id(), id);
    // Nothing can be written beside the volume.
    fs::remove_dir_all(desk.path("cache")).unwrap();
    desk.refuses(&desk.path("fixed/other"), &["fixed", "Read-only", "--out"]);
    desk.refuses(&desk.path("fixed/deep/er"), &["fixed", "Read-only", "--out"]);
}

#[test]
fn a_study_in_a_folder_that_cannot_be_written_is_refused_without_out() {
    let desk = Desk::new();
    fs::create_dir(desk.path("fixed")).unwrap();
    fs::write(desk.path("fixed/mini.yaml"), MINI).unwrap();
    let fixed = desk.path("fixed");
    let Some(_fixed) = mounted(&["--bind", fixed.to_str().unwrap()], &fixed) else { return };
    assert!(make_read_only(&fixed));
    let mut command = program(["build", "--device", "cpu", "--quiet"]);
    command.arg(desk.path("fixed/mini.yaml")).env("MNIST_REPORT_CACHE", desk.path("cache"));
    run(&mut command).refused(&["fixed", "Read-only", "--out"]);
    assert!(!desk.path("cache").exists(), "nothing was trained");
    let out = desk.path("out");
    run(command.arg("--out").arg(&out)).exits(0);
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_training() {
    let desk = Desk::new();
    fs::write(desk.path("notes.txt"), "mine").unwrap();
    symlink("nowhere", desk.path("dangling")).unwrap();
    // Nobody can create files there, not even root.
    desk.refuses(Path::new("/proc/bundle"), &["/proc", "--out"]);
    desk.refuses(Path::new("/proc/here/and/there"), &["/proc", "--out"]);
    desk.refuses(&desk.path("notes.txt/bundle"), &["notes.txt is not a folder", "--out"]);
    desk.refuses(&desk.path("notes.txt/a/b"), &["notes.txt is not a folder", "--out"]);
    desk.refuses(&desk.path("dangling"), &["dangling is not a folder", "--out"]);
    desk.refuses(&desk.path(&"n".repeat(256)), &["name too long", "--out"]);
    desk.refuses(&desk.path(&format!("new/{}/x", "ї".repeat(128))), &["name too long", "--out"]);
    assert_eq!(fs::read_to_string(desk.path("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_link_to_a_folder_stays_and_the_bundle_is_in_that_folder() {
    let desk = Desk::new();
    fs::create_dir(desk.path("real")).unwrap();
    symlink("real", desk.path("link")).unwrap();
    for _ in 0..2 {
        let id = run(&mut desk.build(&desk.path("link"))).exits(0).report_id();
        assert!(fs::symlink_metadata(desk.path("link")).unwrap().is_symlink());
        assert_eq!(Bundle::at(desk.path("real")).report_id(), id);
    }
    assert_eq!(names(desk.home.path()), ["cache", "link", "mini.yaml", "real"]);
}

#[test]
fn a_disk_that_is_too_small_is_refused_before_training() {
    let desk = Desk::new();
    fs::write(&desk.study, MINI).unwrap();
    fs::create_dir(desk.path("small")).unwrap();
    let Some(_small) = mounted(&["-t", "tmpfs", "-o", "size=1m", "none"], &desk.path("small")) else { return };
    let place = desk.path("small/out");
    let done =
        run(&mut desk.build(&place)).refused(&["small needs about 4 MB free for the bundle, but has 1 MB", "--out"]);
    assert_eq!(done.out, "");
    let cache = desk.path("small/cache");
    run(desk.build(&desk.path("out")).env("MNIST_REPORT_CACHE", &cache)).exits(0);
    let too_much = MINI
        .replace("out_features: 10}}", "out_features: 300}}, {linear: {out_features: 10}}")
        .replace("epochs: 1,", "epochs: 2, evidence: {keep: 1},")
        .replace("batch_size: 50", "batch_size: 1");
    fs::write(&desk.study, too_much).unwrap();
    run(desk.build(&desk.path("out")).env("MNIST_REPORT_CACHE", &cache)).refused(&[
        "small",
        "for the run cache",
        "but has 1 MB",
        "MNIST_REPORT_CACHE",
    ]);
}

#[test]
fn a_batch_that_no_memory_holds_is_refused_before_training() {
    let desk = Desk::new();
    // 16 million values for each image, 60,000 images at once.
    let conv =
        "{layers: [{conv2d: {out_channels: 20000, kernel_size: 1}}, global_avg_pool, {linear: {out_features: 10}}]}";
    let layers = "{layers: [flatten, {linear: {out_features: 10}}]}";
    let text =
        MINI.replace(layers, conv).replace("first: 50", "first: 60000").replace("batch_size: 50", "batch_size: 60000");
    assert!(text.contains(conv) && text.contains("batch_size: 60000"));
    fs::write(&desk.study, text).unwrap();
    desk.refuses(&desk.path("out"), &["mini.yaml:3: defaults.batch_size: 60000: needs at least 11.3 TB of memory"]);
}

#[test]
fn a_bundle_that_nobody_could_open_is_refused_before_training() {
    let desk = Desk::new();
    let large = |features: usize| {
        MINI.replace("out_features: 10}}", &format!("out_features: {features}}}}}, {{linear: {{out_features: 10}}}}"))
    };
    let refused = |text: &str, parts: &[&str]| {
        fs::write(&desk.study, text).unwrap();
        desk.refuses(&desk.path("out"), parts);
    };
    refused(&large(100_000), &["mini.yaml", "runs.single", "weights/single.safetensors", "256 MiB", "smaller model"]);
    let stored = "epochs: 1, evidence: {keep: 16}";
    refused(
        &large(5_000).replace("epochs: 1", stored).replace("batch_size: 50", "batch_size: 1"),
        &["runs.single", "evidence/single.safetensors", "evidence.keep"],
    );
    let seeds = (1..=100).map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ");
    refused(
        &large(4_000).replace("seeds: [1]", &format!("seeds: [{seeds}]")),
        &["runs.single", "1024 MiB", "fewer seeds"],
    );
}

#[test]
fn a_report_that_nobody_could_open_is_not_written() {
    let desk = Desk::new();
    let section = |i: usize| {
        format!(
            "- {{title: Section {i}, text: x, runs: [single], show: [curves, predictions, per_class, confusion, misread]}}\n"
        )
    };
    fs::write(&desk.study, format!("{MINI}sections:\n{}", (0..1200).map(section).collect::<String>())).unwrap();
    let done = run(&mut desk.build(&desk.path("out")));
    done.refused(&["mini.yaml", "sections: 1200 sections: at most 200 are supported"]);
    assert_eq!(names(desk.home.path()), ["mini.yaml"], "nothing was trained");
}
