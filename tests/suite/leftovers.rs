//! Bundles from other machines: zipped below a folder, with files that an operating system left. Such files are
//! reported and ignored; any other extra file still fails.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::*;

/// Files and folders that operating systems leave, by path.
const LEFTOVERS: [&str; 10] = [
    ".DS_Store",
    "figures/.DS_Store",
    "Thumbs.db",
    "figures/desktop.ini",
    "._report.html",
    "weights/._small-bn.safetensors",
    ".directory",
    ".Spotlight-V100/VolumeConfiguration.plist",
    ".Trashes/501/report.html",
    "__MACOSX/._SHA256SUMS",
];

/// A zip of the shared bundle below `top`, with more entries.
fn zipped(top: &str, more: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let files = shared().0.identity();
    let own = files.iter().map(|(path, bytes)| (format!("{top}{path}"), bytes.as_slice()));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in own.chain(more.iter().map(|(path, bytes)| ((*path).to_owned(), *bytes))) {
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("quick (1).zip");
    fs::write(&path, zip.finish().unwrap().into_inner()).unwrap();
    (folder, path)
}

fn files_rung(path: &Path, code: i32) -> String {
    on_paths("verify", &["--upto", "files"], &[path]).exits(code).out
}

/// Adds a file to a bundle's folder.
fn add(folder: &Path, name: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "left").unwrap();
}

#[test]
fn a_zip_under_a_folder_with_leftovers_is_read() {
    let plain = files_rung(&shared().0.path, 0);
    for top in ["quick (1)/", "quick/", "Мій звіт/", "a/quick (2)/"] {
        let mac = format!("__MACOSX/{top}._report.html");
        let inside = format!("{top}figures/.DS_Store");
        let (_keep, zip) = zipped(top, &[(&mac, b"x"), (&inside, b"x"), (".DS_Store", b"x")]);
        let out = files_rung(&zip, 0);
        let named = format!("ignored, left by an operating system: {mac}, {inside}, .DS_Store\n");
        assert!(out.contains(&named), "{out}");
        let without: String =
            out.lines().filter(|line| !line.contains("ignored, left")).map(|l| l.to_owned() + "\n").collect();
        assert_eq!(without, plain);
        let done = on_paths("diff", &[], &[&shared().0.path, &zip]).exits(0);
        assert!(done.out.contains(&named) && done.out.contains("The same bundle"), "{}", done.out);
    }
}

#[test]
fn every_command_ignores_leftovers_in_a_folder() {
    let bundle = copy();
    for name in &LEFTOVERS {
        add(&bundle.path, name);
    }
    let id = bundle.report_id();
    let out = bundle.run("verify", &["--upto", "metrics"]).exits(0).out;
    assert!(out.contains("ignored, left by an operating system: .DS_Store, .Spotlight-V100/"), "{out}");
    assert!(out.contains(" and 5 more\n"), "{out}");
    assert!(on_paths("diff", &[], &[&bundle.path, &shared().0.path]).exits(0).out.contains("The same bundle"));
    let done = bundle.run("publish", &[]).exits(0);
    assert!(done.err.starts_with("note: ignored, left by an operating system: "), "{}", done.err);
    let (_keep, clean) = zipped("", &[("index.html", &shared().0.bytes("report.html"))]);
    assert_eq!(files_rung(&bundle.zip(), 0), files_rung(&clean, 0));
    assert_eq!(bundle.run("render", &[]).exits(0).report_id(), id);
    assert!(!bundle.path.join(".DS_Store").exists(), "rendering writes the bundle alone");
}

#[test]
fn an_unpacked_zip_with_a_folder_in_it_is_a_bundle() {
    let home = TempDir::new().unwrap();
    let inner = home.path().join("out/quick (1)");
    copy_folder(&shared().0.path, &inner);
    let out = home.path().join("out");
    add(&out, "__MACOSX/quick (1)/._report.html");
    assert!(files_rung(&out, 0).contains("ignored, left by an operating system: __MACOSX/"), "{}", files_rung(&out, 0));
    on_paths("render", &[], &[&out]).exits(0);
    assert!(inner.join("report.html").exists() && !out.join("report.html").exists());
    on_paths("publish", &[], &[&out]).exits(0);
    assert!(home.path().join("out.zip").exists());
    add(&out, "notes.txt");
    on_paths("verify", &[], &[&out]).refused(&["is not a bundle"]);
}

#[test]
fn other_extra_files_still_fail() {
    for name in ["figures/notes.txt", ".hidden", "desktop.ini/report.html", "Thumbs.db.exe", "._x/report.html"] {
        let bundle = copy();
        add(&bundle.path, name);
        let out = bundle.run("verify", &["--upto", "files"]).exits(1).out;
        assert!(out.contains(&format!("{name} is not in SHA256SUMS")), "{out}");
        bundle.run("publish", &[]).fails(1, &[name]);
        bundle.run("render", &[]).refused(&[name]);
        let (_keep, zip) = zipped("quick (1)/", &[(&format!("quick (1)/{name}"), b"x")]);
        assert!(files_rung(&zip, 1).contains(&format!("{name} is not in SHA256SUMS")));
    }
    // The same for a file beside the bundle's folder.
    let (_keep, zip) = zipped("quick (1)/", &[("notes.txt", b"x")]);
    on_paths("verify", &[], &[&zip]).refused(&["is not a bundle"]);
    let bundle = copy();
    fs::create_dir(bundle.path.join("more")).unwrap();
    add(&bundle.path, "more/.DS_Store");
    assert!(bundle.run("verify", &["--upto", "files"]).exits(1).out.contains("more: an empty folder"));
}

#[test]
fn a_leftover_cannot_stand_in_for_a_file_of_the_bundle() {
    let bundle = copy();
    for name in ["._report.html", "__MACOSX/report.md"] {
        add(&bundle.path, name);
        bundle.redo_sums();
        let out = bundle.run("verify", &["--upto", "files"]).exits(1).out;
        assert!(out.contains(&format!("{name} is missing")), "{out}");
    }
    let link = copy();
    std::os::unix::fs::symlink("/etc/passwd", link.path.join(".DS_Store")).unwrap();
    assert!(link.run("verify", &["--upto", "files"]).exits(1).out.contains(".DS_Store: a link or special file"));
}

#[test]
fn leftovers_count_for_the_limits() {
    let names: Vec<String> = (0..10_001).map(|i| format!("__MACOSX/._{i}")).collect();
    let more: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let (_keep, zip) = zipped("quick (1)/", &more);
    on_paths("verify", &[], &[&zip]).refused(&["a bundle has at most 10000"]);
    let (_keep, zip) = zipped("", &[("Thumbs.db", &vec![0; 8 << 20])]);
    assert!(files_rung(&zip, 1).contains("claims to unpack from"));
}
