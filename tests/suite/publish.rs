//! The published zip: the same bytes, verified as it is, lean or whole; forged ones are refused.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::bundles::{copy, error, files, run, text, tiny};

/// Publishes tiny's bundle with some options; gives the zip.
fn published(options: &[&str]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("tiny.zip");
    let (out, code) = run(&[&["publish", text(tiny()), "--out", text(&zip)], options].concat());
    assert_eq!(code, 0, "{out}");
    (folder, zip)
}

fn report_id(out: &str) -> &str {
    out.lines().last().and_then(|line| line.strip_prefix("Report ID ")).expect("the Report ID comes last")
}

/// The lines of `verify`, by rung; the rungs that were not checked are left out.
fn checked(out: &str) -> Vec<&str> {
    out.lines().filter(|line| !line.contains("not checked ")).collect()
}

#[test]
fn the_same_bundle_gives_the_same_zip() {
    let (_keep, a) = published(&[]);
    // Another place, name, time, mode and run log: nothing of these is the bundle's.
    let (_keep_too, other) = copy(tiny(), "elsewhere");
    fs::write(other.join("run-log.json"), "{}").unwrap();
    for name in files(&other).keys() {
        let path = other.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400)).unwrap();
    }
    let (out, code) = run(&["publish", text(&other)]);
    assert_eq!(code, 0);
    let b = other.with_file_name("elsewhere.zip");
    assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
    let id = report_id(&out);
    assert!(out.starts_with(&format!("{}: ", b.display())), "{out}");
    let line = format!("\nmnist-report {} Report ID {id} (Tiny study)\n", env!("CARGO_PKG_VERSION"));
    assert!(out.contains(&line), "{out}");
    let again = fs::read(&b).unwrap();
    run(&["publish", text(&other)]);
    assert_eq!(again, fs::read(&b).unwrap(), "published over itself");
}

#[test]
fn a_zip_verifies_as_its_folder_does() {
    let (_keep, zip) = published(&[]);
    let (folder, folder_code) = run(&["verify", text(tiny())]);
    let (zipped, zip_code) = run(&["verify", text(&zip)]);
    assert_eq!((zipped, zip_code), (folder, folder_code));
}

#[test]
fn unzipped_it_is_the_bundle_again() {
    let (keep, zip) = published(&[]);
    let out = keep.path().join("out");
    let unzip =
        "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2])";
    let python = Command::new("python3").args(["-c", unzip, text(&zip), text(&out)]).status();
    assert!(python.expect("python3 starts").success());
    let (mut found, mut expected) = (files(&out), files(tiny()));
    assert_eq!(found.remove("index.html"), expected.get("report.html").cloned());
    expected.remove("run-log.json");
    assert!(found == expected, "{:?}", found.keys());
    let sums = Command::new("sha256sum").args(["-c", "--quiet", "--strict", "SHA256SUMS"]).current_dir(&out).status();
    assert!(sums.expect("sha256sum starts").success());
    let (text_out, code) = run(&["verify", text(&out), "--upto", "files"]);
    assert_eq!(code, 0, "index.html belongs to it: {text_out}");
    fs::write(out.join("index.html"), "another report").unwrap();
    let (text_out, code) = run(&["verify", text(&out), "--upto", "files"]);
    assert!(code == 1 && text_out.contains("index.html is not a copy of report.html"), "{text_out}");
}

#[test]
fn a_lean_zip_says_what_it_leaves_out() {
    let (keep, zip) = published(&["--lean"]);
    let (whole, _) = run(&["verify", text(tiny()), "--upto", "metrics"]);
    let (lean, code) = run(&["verify", text(&zip), "--upto", "metrics"]);
    assert_eq!(code, 0, "{lean}");
    assert_eq!(report_id(&lean), report_id(&whole));
    assert!(lean.contains("files left out, not checked: weights/, evidence/"), "{lean}");
    assert_eq!(
        checked(&lean).iter().skip(2).collect::<Vec<_>>(),
        checked(&whole).iter().skip(1).collect::<Vec<_>>(),
        "the other rungs pass as they do on the whole bundle"
    );
    let (out, code) = run(&["verify", text(&zip)]);
    assert_eq!(code, 2, "a rung that was not checked never counts as passed: {out}");
    for rung in ["weights", "replay"] {
        let expected = format!("{rung:<9} not checked  left out: this zip was published without weights/");
        assert!(out.contains(&expected), "{out}");
    }
    // In a folder nothing may be missing.
    let (_keep_too, folder) = copy(tiny(), "tiny");
    fs::remove_dir_all(folder.join("weights")).unwrap();
    let (out, code) = run(&["verify", text(&folder)]);
    assert!(code == 1 && out.contains("weights/small-bn.safetensors is missing"), "{out}");
    // Of a folder that is left out, nothing may be there; and no other file may be absent.
    for lost in ["weights/small-bn.safetensors", "predictions/small-bn.idx1-ubyte", "figures/parameters.svg"] {
        let zip = keep.path().join("lost.zip");
        write(&zip, &pack(|path| path != lost, &[]));
        refused_by_files(&zip, &format!("{lost} is missing"));
    }
}

#[test]
fn weights_that_a_lean_zip_only_names_must_be_those_of_the_results() {
    let (_keep, bundle) = copy(tiny(), "tiny");
    let weights = bundle.join("weights/small-bn.safetensors");
    fs::write(weights, "other weights").unwrap();
    super::bundles::reseal(&bundle);
    let (_, code) = run(&["publish", text(&bundle), "--lean"]);
    assert_eq!(code, 0);
    let (out, code) = run(&["verify", text(&bundle.with_file_name("tiny.zip")), "--upto", "metrics"]);
    assert!(code == 1 && out.contains("weights/small-bn.safetensors is not the one of results.json"), "{out}");
}

#[test]
fn a_damaged_bundle_is_not_published() {
    let (_keep, bundle) = copy(tiny(), "tiny");
    fs::write(bundle.join("report.md"), "better").unwrap();
    let (out, code) = error(&["publish", text(&bundle)]);
    assert!(code == 1 && out.contains("report.md was changed"), "{out}");
    assert!(!bundle.with_file_name("tiny.zip").exists());
}

#[test]
fn the_zip_goes_only_where_it_harms_nothing() {
    let (_keep, bundle) = copy(tiny(), "tiny");
    let inside = bundle.join("tiny.zip");
    let (out, code) = error(&["publish", text(&bundle), "--out", text(&inside)]);
    assert!(code == 2 && out.contains("inside the bundle"), "{out}");
    let other = bundle.with_file_name("notes.txt");
    fs::write(&other, "mine").unwrap();
    let (out, code) = error(&["publish", text(&bundle), "--out", text(&other)]);
    assert!(code == 2 && out.contains("not a zip file"), "{out}");
    assert_eq!(fs::read(&other).unwrap(), b"mine");
    let (out, code) = error(&["publish", text(&other)]);
    assert!(code == 2 && out.contains("not a bundle's folder"), "{out}");
}

type Entry<'a> = (&'a str, &'a [u8], SimpleFileOptions);

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

/// A zip of tiny's bundle as somebody else makes it: its own files as far as `keep`, then others.
fn pack(keep: impl Fn(&str) -> bool, more: &[Entry]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files(tiny()).into_iter().filter(|(path, _)| keep(path)) {
        zip.start_file(path, deflated()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    for (path, bytes, options) in more {
        zip.start_file(*path, *options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn write(zip: &Path, bytes: &[u8]) {
    fs::write(zip, bytes).unwrap();
}

/// Overwrites every occurrence of some bytes with as many others.
fn patch(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

/// `verify` opens it, and rung `files` fails for the reason.
fn refused_by_files(zip: &Path, reason: &str) {
    let (out, code) = run(&["verify", text(zip)]);
    assert!(code == 1 && out.starts_with("files     FAILED") && out.contains(reason), "{reason}: {out}");
    assert!(!out.contains("passed"), "{out}");
}

/// `verify` does not open it, for the reason.
fn cannot_be_opened(zip: &Path, reason: &str) {
    let (out, code) = error(&["verify", text(zip)]);
    assert!(code == 2 && out.contains(reason), "{reason}: {out}");
}

#[test]
fn a_folder_packed_by_hand_is_read() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("hand.zip");
    write(&zip, &pack(|_| true, &[]));
    let verified = |path: &Path| run(&["verify", "--upto", "metrics", text(path)]);
    assert_eq!(verified(&zip), verified(tiny()));
    let program = "import sys, os, zipfile
z = zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED)
for folder, folders, names in os.walk(sys.argv[1]):
    for name in folders + names:
        path = os.path.join(folder, name)
        z.write(path, os.path.relpath(path, os.path.dirname(sys.argv[1])))
z.close()";
    let python = Command::new("python3").args(["-c", program, text(tiny()), text(&zip)]).status();
    assert!(python.expect("python3 starts").success());
    assert_eq!(verified(&zip), verified(tiny()), "under one top folder, with entries for folders");
}

#[test]
fn entries_that_do_not_belong_into_a_bundle_fail() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("forged.zip");
    let entries: [(Entry, &str); 8] = [
        (("/etc/passwd", b"x", stored()), "\"/etc/passwd\" is not a valid file name"),
        (("../evil", b"x", stored()), "\"../evil\" is not a valid file name"),
        (("figures/../../evil", b"x", stored()), "is not a valid file name"),
        (("figures\\evil.svg", b"x", stored()), "is not a valid file name"),
        (("C:evil", b"x", stored()), "is not a valid file name"),
        (("extra.txt", b"x", stored()), "extra.txt is not in SHA256SUMS"),
        (("Report.html", b"x", stored()), "report.html: another name differs only by case"),
        (("index.html", b"x", stored()), "index.html is not a copy of report.html"),
    ];
    for (entry, reason) in entries {
        write(&zip, &pack(|_| true, &[entry]));
        refused_by_files(&zip, reason);
    }
    let mut writer = ZipWriter::new_append(Cursor::new(pack(|path| path != "report.md", &[]))).unwrap();
    writer.add_symlink("report.md", "/etc/passwd", stored()).unwrap();
    write(&zip, &writer.finish().unwrap().into_inner());
    refused_by_files(&zip, "\"report.md\" is a link or special file");
    let mut writer = ZipWriter::new_append(Cursor::new(pack(|_| true, &[]))).unwrap();
    writer.add_directory("empty/", stored()).unwrap();
    write(&zip, &writer.finish().unwrap().into_inner());
    refused_by_files(&zip, "empty: an empty folder");
    assert!(!folder.path().join("evil").exists() && !Path::new("/evil").exists());
}

#[test]
fn a_zip_that_contradicts_itself_fails() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("forged.zip");
    // Two entries of one name: which one counts depends on the program that reads it.
    let mut twice = pack(|_| true, &[("repord.md", b"better", stored())]);
    patch(&mut twice, b"repord.md", b"report.md");
    write(&zip, &twice);
    refused_by_files(&zip, "duplicate");
    // A list that names other files than the entries themselves.
    let mut renamed = pack(|_| true, &[]);
    let at = renamed.windows(9).position(|w| w == b"report.md").unwrap();
    renamed[at..at + 9].copy_from_slice(b"repord.md");
    write(&zip, &renamed);
    refused_by_files(&zip, "contradicts itself");
    let (_keep, whole) = published(&[]);
    let whole = fs::read(whole).unwrap();
    let mut damaged = whole.clone();
    patch(&mut damaged, b"title: Tiny study", b"title: Tidy study");
    write(&zip, &damaged);
    refused_by_files(&zip, "study.yaml: damaged");
    write(&zip, &[whole.as_slice(), b"more"].concat());
    refused_by_files(&zip, "4 bytes after the zip's end");
    let mut encrypted = whole.clone();
    let list = encrypted.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    encrypted[list + 8] |= 1;
    encrypted[6] |= 1;
    write(&zip, &encrypted);
    refused_by_files(&zip, "\"SHA256SUMS\" is encrypted");
}

#[test]
fn bombs_are_not_unpacked() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("bomb.zip");
    write(&zip, &pack(|_| true, &[("bomb.svg", &vec![0; 8 << 20], deflated())]));
    cannot_be_opened(&zip, "bomb.svg\" claims to unpack from");
    let names: Vec<String> = (0..10_001).map(|i| format!("n{i}")).collect();
    let entries: Vec<Entry> = names.iter().map(|name| (name.as_str(), b"".as_slice(), stored())).collect();
    write(&zip, &pack(|_| false, &entries));
    cannot_be_opened(&zip, "lists 10001 entries; a bundle has at most 10000");
    // A size that is only claimed: the list says 1 GiB of a few bytes.
    let mut claims = pack(|_| true, &[("last.svg", b"x", stored())]);
    let list = claims.windows(8).rposition(|w| w == b"last.svg").unwrap() - 46;
    claims[list + 24..list + 28].copy_from_slice(&(1u32 << 30).to_le_bytes());
    write(&zip, &claims);
    cannot_be_opened(&zip, "is too large for a bundle");
}

#[test]
fn what_is_no_zip_is_said_in_one_line() {
    let (keep, whole) = published(&[]);
    let bytes = fs::read(&whole).unwrap();
    let zip = keep.path().join("other.zip");
    for cut in [0, 10, bytes.len() / 2, bytes.len() - 30, bytes.len() - 1] {
        write(&zip, &bytes[..cut]);
        cannot_be_opened(&zip, "is not a zip file, or was cut off");
    }
    write(&zip, b"a text file, renamed");
    cannot_be_opened(&zip, "is not a zip file, or was cut off");
    write(&zip, &[b"#!/bin/sh\n".as_slice(), &bytes].concat());
    cannot_be_opened(&zip, "is not a zip file, or was cut off");
    write(&zip, &pack(|_| false, &[("notes.txt", b"x", stored())]));
    cannot_be_opened(&zip, "is not a bundle");
    cannot_be_opened(Path::new("/dev/null"), "neither a folder nor a zip file");
}
