//! The published zip has the same bytes each time and can be verified without unpacking, lean or complete. Forged zips
//! are refused. It is longer than 400 lines because every way to pack a bundle is tested on one copy of it.

use mnist_report::digest::sha256_hex;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::*;

/// Publishes the shared bundle with some options. Returns the zip.
fn published(options: &[&str]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("tiny.zip");
    shared().0.run("publish", &[&["--out", zip.to_str().unwrap()], options].concat()).exits(0);
    (folder, zip)
}

fn verify(path: &Path, arguments: &[&str]) -> Done {
    on_paths("verify", arguments, &[path])
}

/// The lines of `verify` for the rungs that were checked.
fn checked(out: &str) -> Vec<&str> {
    out.lines().filter(|line| !line.contains("not checked ")).collect()
}

#[test]
fn the_same_bundle_gives_the_same_zip() {
    let (_keep, a) = published(&[]);
    // Another place, time, mode and run log, which are not part of the bundle.
    let other = copy();
    other.change_json("run-log.json", |log| log["host"] = "another".into());
    for name in read_folder(&other.path).keys() {
        let path = other.path.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400)).unwrap();
    }
    let done = other.run("publish", &[]).exits(0);
    let (b, out) = (other.zip(), &done.out);
    assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
    assert!(out.starts_with(&format!("{}: ", b.display())), "{out}");
    // Of a small zip, no further line says what --lean would save.
    assert!(out.contains(" bytes; --lean leaves out weights/ and evidence/\nThe line for the form:\n"), "{out}");
    let (bytes, id) = (fs::read(&b).unwrap(), done.report_id());
    let size = out.split([':', ' ']).find(|word| word.replace(',', "") == bytes.len().to_string()).unwrap();
    let (sum, version) = (sha256_hex(&bytes), env!("CARGO_PKG_VERSION"));
    let zip = format!("zip of {size} bytes, SHA-256 {sum}; mnist-report {version}");
    let line = format!("\nThe line for the form:\nTiny study: Report ID {id}; {zip}\n");
    assert!(out.contains(&line), "{out}");
    let again = fs::read(&b).unwrap();
    let only = other.run("publish", &["--line"]).exits(0).out;
    assert_eq!(only, format!("Tiny study: Report ID {id}; {zip}\n"));
    assert_eq!(again, fs::read(&b).unwrap(), "published over itself");
}

#[test]
fn a_zip_verifies_as_its_folder_does() {
    let (_keep, zip) = published(&[]);
    let folder = verify(&shared().0.path, &[]);
    let zipped = verify(&zip, &[]);
    assert_eq!((zipped.out, zipped.code), (folder.out, folder.code));
}

#[test]
fn unzipping_gives_the_bundle_back() {
    let (keep, zip) = published(&[]);
    let out = keep.path().join("out");
    let unzip =
        "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2])";
    let python = Command::new("python3").args(["-c", unzip]).args([&zip, &out]).status();
    assert!(python.expect("python3 starts").success());
    let (mut found, expected) = (read_folder(&out), shared().0.identity());
    assert_eq!(found.remove("index.html"), expected.get("report.html").cloned());
    assert!(found == expected, "{:?}", found.keys());
    let sums = Command::new("sha256sum").args(["-c", "--quiet", "--strict", "SHA256SUMS"]).current_dir(&out).status();
    assert!(sums.expect("sha256sum starts").success());
    // index.html is part of the zip.
    verify(&out, &["--upto", "files"]).exits(0);
    fs::write(out.join("index.html"), "another report").unwrap();
    let done = verify(&out, &["--upto", "files"]).exits(1);
    assert!(done.out.contains("index.html is not a copy of report.html"), "{}", done.out);
    // The page that was changed comes first, with both values.
    fs::copy(out.join("report.html"), out.join("index.html")).unwrap();
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    fs::write(out.join("report.html"), page.replace("Tiny", "Huge")).unwrap();
    let done = verify(&out, &["--upto", "files"]).exits(1).out;
    assert!(done.starts_with("files     FAILED       report.html was changed: "), "{done}");
    assert!(done.lines().next().unwrap().contains("report.html says Huge, results.json gives Tiny"), "{done}");
    assert!(done.contains("index.html is not a copy of report.html"), "{done}");
    assert!(done.contains("\nReport ID, as stated (files were changed): "), "{done}");
}

#[test]
fn a_lean_zip_names_what_it_leaves_out() {
    let (keep, zip) = published(&["--lean"]);
    let whole = verify(&shared().0.path, &["--upto", "metrics"]);
    let lean = verify(&zip, &["--upto", "metrics"]).exits(0);
    assert_eq!(lean.report_id(), whole.report_id());
    let (lean, whole) = (lean.out, whole.out);
    assert!(lean.contains("files left out, not checked: weights/, evidence/"), "{lean}");
    // The weights of the kernels in figures are the only thing that the cheap rungs compare with what is left out.
    let kernels = "                       not checked: the weights of first convolutions in figures, because weights/ was left out";
    assert!(checked(&lean).contains(&kernels), "{lean}");
    assert_eq!(
        checked(&lean).iter().skip(2).filter(|line| **line != kernels).collect::<Vec<_>>(),
        checked(&whole).iter().skip(1).collect::<Vec<_>>(),
        "the other rungs pass as they do on the whole bundle"
    );
    // A rung that was not checked never counts as passed.
    let out = verify(&zip, &[]).exits(2).out;
    for rung in ["weights", "replay"] {
        let expected = format!("{rung:<9} not checked  left out: this bundle was published without weights/");
        assert!(out.contains(&expected), "{out}");
    }
    // A folder that it is unpacked to is as good, but no single file may be missing.
    let folder = copy();
    for part in ["weights", "evidence"] {
        fs::remove_dir_all(folder.path.join(part)).unwrap();
    }
    assert_eq!(checked(&folder.run("verify", &["--upto", "metrics"]).exits(0).out), checked(&lean));
    folder.run("verify", &[]).exits(2);
    folder.run("render", &[]).exits(0);
    assert_eq!(folder.run("verify", &["--upto", "metrics"]).exits(0).report_id(), shared().0.report_id());
    let folder = copy();
    fs::remove_file(folder.path.join("weights/small-bn.safetensors")).unwrap();
    let out = folder.run("verify", &[]).exits(1).out;
    assert!(out.contains("weights/small-bn.safetensors is missing"), "{out}");
    // A lean zip leaves out whole folders, and no other file.
    for lost in ["weights/small-bn.safetensors", "predictions/small-bn.idx1-ubyte", "figures/parameters.svg"] {
        let zip = keep.path().join("lost.zip");
        write(&zip, &pack(|path| path != lost, &[]));
        refused_by_files(&zip, &format!("{lost} is missing"));
    }
}

#[test]
fn the_sums_of_left_out_weights_must_be_those_of_the_results() {
    let bundle = copy();
    bundle.write("weights/small-bn.safetensors", "other weights");
    bundle.redo_sums();
    bundle.run("publish", &["--lean"]).exits(0);
    let out = verify(&bundle.zip(), &["--upto", "metrics"]).exits(1).out;
    let told = ["weights/small-bn.safetensors has the SHA-256 ", ", results.json has "];
    assert!(told.iter().all(|part| out.contains(part)), "{out}");
}

#[test]
fn a_damaged_bundle_is_not_published() {
    let bundle = copy();
    bundle.write("report.md", "better");
    bundle.run("publish", &[]).fails(1, &["report.md was changed"]);
    assert!(!bundle.zip().exists());
}

#[test]
fn a_bundle_that_contradicts_its_study_is_not_published() {
    let bundle = copy();
    bundle.change_json("results.json", |results| {
        results["runs"]["small-bn"]["seeds"][0]["epochs"][0]["lr"] = 0.75.into();
    });
    bundle.redo_sums();
    bundle
        .run("publish", &[])
        .fails(1, &["cannot be published: `exact` failed: ", "learning rate 0.75", "build it again"]);
    assert!(!bundle.zip().exists());
    let bundle = copy();
    bundle.replace("study.yaml", "title: Tiny study", "title: Another study");
    bundle.redo_sums();
    bundle.run("publish", &[]).fails(1, &["`inputs` failed"]);
    assert!(!bundle.zip().exists());
}

#[test]
fn publish_warns_where_the_report_cannot_be_compared_with_its_results() {
    let bundle = copy();
    bundle.change_json("manifest.json", |manifest| manifest["program"]["source_sha256"] = "0".repeat(64).into());
    bundle.redo_sums();
    let done = bundle.run("publish", &[]).exits(0);
    let note = "note: `render` not checked, as whoever verifies the zip will see: needs the program that built it";
    assert!(done.err.starts_with(note) && done.err.lines().count() == 1, "{}", done.err);
    let bundle = copy();
    bundle.replace("report.md", "Tiny study", "Fine study");
    bundle.redo_sums();
    let done = bundle.run("publish", &[]).exits(0);
    assert!(done.err.starts_with("note: `render` FAILED, as whoever verifies the zip will see: "), "{}", done.err);
    assert_eq!(copy().run("publish", &[]).exits(0).err, "");
}

#[test]
fn the_zip_replaces_nothing_but_its_own_zip() {
    let bundle = copy();
    let to = |path: &Path| bundle.run("publish", &["--out", path.to_str().unwrap()]);
    let mut messages = Messages::default();
    messages.add(
        "publish BUNDLE --out BUNDLE/tiny.zip",
        &to(&bundle.path.join("tiny.zip")).refused(&["inside the bundle"]),
    );
    let other = bundle.path.with_file_name("notes.txt");
    fs::write(&other, "mine").unwrap();
    messages.add("publish BUNDLE --out notes.txt", &to(&other).refused(&["is not a zip file that `publish` wrote"]));
    assert_eq!(fs::read(&other).unwrap(), b"mine");
    // Zips made by other programs, even of this bundle, and a changed zip.
    let zip = bundle.path.with_file_name("photos.zip");
    let (_keep, own) = published(&["--lean"]);
    let mut changed = fs::read(&own).unwrap();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for bytes in
        [pack(|_| false, &[("a.jpg", b"x", stored())]), pack(|_| true, &[]), changed, b"PK".to_vec(), Vec::new()]
    {
        write(&zip, &bytes);
        to(&zip).refused(&["photos.zip", "is not a zip file that `publish` wrote"]);
        assert!(fs::read(&zip).unwrap() == bytes);
    }
    std::os::unix::fs::symlink(&own, bundle.path.with_file_name("link.zip")).unwrap();
    to(&bundle.path.with_file_name("link.zip")).refused(&["link.zip"]);
    fs::create_dir(bundle.path.with_file_name("folder.zip")).unwrap();
    to(&bundle.path.with_file_name("folder.zip")).refused(&["is a folder; --out names the zip"]);
    to(Path::new("/dev/null")).refused(&["is not a zip file that `publish` wrote"]);
    // Zips that `publish` wrote, even of another bundle or a lean one, are replaced.
    fs::copy(&own, &zip).unwrap();
    assert_eq!(to(&zip).exits(0).err, "note: replaced the lean zip there\n");
    assert_eq!(to(&zip).exits(0).err, "");
    let lean = || bundle.run("publish", &["--lean", "--out", zip.to_str().unwrap()]).exits(0).err;
    assert_eq!(lean(), "note: replaced the zip there, which had weights/ and evidence/\n");
    assert_eq!(lean(), "");
    assert!(names(zip.parent().unwrap()).iter().all(|name| !name.starts_with(".partial-")));
    let done = on_paths("publish", &[], &[&other]).refused(&["not a bundle's folder"]);
    messages.add("publish notes.txt", &done);
    messages.golden("publish");
}

type Entry<'a> = (&'a str, &'a [u8], SimpleFileOptions);

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

/// A zip of the shared bundle made by another program: those of its files that `keep` accepts, then others.
fn pack(keep: impl Fn(&str) -> bool, more: &[Entry]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in read_folder(&shared().0.path).into_iter().filter(|(path, _)| keep(path)) {
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

/// Overwrites every occurrence of some bytes with others of the same length.
fn patch(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

/// Asserts that `verify` opens a zip, and the rung `files` fails for this reason.
fn refused_by_files(zip: &Path, reason: &str) -> Done {
    let done = verify(zip, &[]).exits(1);
    let out = &done.out;
    assert!(out.starts_with("files     FAILED") && out.contains(reason), "{reason}: {out}");
    assert!(!out.contains("passed"), "{out}");
    done
}

/// Asserts that `verify` does not open a zip, for this reason.
fn cannot_be_opened(zip: &Path, reason: &str) -> Done {
    verify(zip, &[]).refused(&[reason])
}

#[test]
fn a_folder_packed_by_hand_is_read() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("hand.zip");
    write(&zip, &pack(|_| true, &[]));
    let verified = |path: &Path| {
        let done = verify(path, &["--upto", "metrics"]);
        (done.out, done.code)
    };
    let (tiny, _) = shared();
    assert_eq!(verified(&zip), verified(&tiny.path));
    let program = "import sys, os, zipfile
z = zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED)
for folder, folders, names in os.walk(sys.argv[1]):
    for name in folders + names:
        path = os.path.join(folder, name)
        z.write(path, os.path.relpath(path, os.path.dirname(sys.argv[1])))
z.close()";
    let python = Command::new("python3").args(["-c", program]).args([&tiny.path, &zip]).status();
    assert!(python.expect("python3 starts").success());
    assert_eq!(verified(&zip), verified(&tiny.path), "under one top folder, with entries for folders");
}

#[test]
fn entries_that_do_not_belong_in_a_bundle_fail() {
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
    let mut messages = Messages::default();
    for (entry, reason) in entries {
        write(&zip, &pack(|_| true, &[entry]));
        messages.add(&format!("a zip with the entry {}", entry.0), &refused_by_files(&zip, reason));
    }
    let mut writer = ZipWriter::new_append(Cursor::new(pack(|path| path != "report.md", &[]))).unwrap();
    writer.add_symlink("report.md", "/etc/passwd", stored()).unwrap();
    write(&zip, &writer.finish().unwrap().into_inner());
    messages.add("a link", &refused_by_files(&zip, "\"report.md\" is a link or special file"));
    let mut writer = ZipWriter::new_append(Cursor::new(pack(|_| true, &[]))).unwrap();
    writer.add_directory("empty/", stored()).unwrap();
    write(&zip, &writer.finish().unwrap().into_inner());
    messages.add("an empty folder", &refused_by_files(&zip, "empty: an empty folder"));
    messages.golden("zip-entries");
    assert!(!folder.path().join("evil").exists() && !Path::new("/evil").exists());
}

#[test]
fn a_zip_that_contradicts_itself_fails() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("forged.zip");
    let mut messages = Messages::default();
    // Two entries of one name: which one counts depends on the program that reads it.
    let mut twice = pack(|_| true, &[("repord.md", b"better", stored())]);
    patch(&mut twice, b"repord.md", b"report.md");
    write(&zip, &twice);
    messages.add("two entries of one name", &refused_by_files(&zip, "duplicate"));
    // The central directory and an entry disagree on a name.
    let mut renamed = pack(|_| true, &[]);
    let at = renamed.windows(9).position(|w| w == b"report.md").unwrap();
    renamed[at..at + 9].copy_from_slice(b"repord.md");
    write(&zip, &renamed);
    messages.add("an entry renamed in its own header", &refused_by_files(&zip, "contradicts itself"));
    let (_keep, whole) = published(&[]);
    let whole = fs::read(whole).unwrap();
    let mut damaged = whole.clone();
    patch(&mut damaged, b"title: Tiny study", b"title: Tidy study");
    write(&zip, &damaged);
    messages.add("a changed byte", &refused_by_files(&zip, "study.yaml: damaged"));
    write(&zip, &[whole.as_slice(), b"more"].concat());
    messages.add("bytes after the end", &refused_by_files(&zip, "4 bytes after the zip's end"));
    let mut encrypted = whole.clone();
    let list = encrypted.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    encrypted[list + 8] |= 1;
    encrypted[6] |= 1;
    write(&zip, &encrypted);
    messages.add("an encrypted entry", &refused_by_files(&zip, "\"README.txt\" is encrypted"));
    messages.golden("zip-contradictions");
}

#[test]
fn bombs_are_not_unpacked() {
    let folder = TempDir::new().unwrap();
    let zip = folder.path().join("bomb.zip");
    let mut messages = Messages::default();
    write(&zip, &pack(|_| true, &[("bomb.svg", &vec![0; 8 << 20], deflated())]));
    messages.add("8 MiB of zeros", &refused_by_files(&zip, "bomb.svg\" claims to unpack from"));
    let names: Vec<String> = (0..10_001).map(|i| format!("n{i}")).collect();
    let entries: Vec<Entry> = names.iter().map(|name| (name.as_str(), b"".as_slice(), stored())).collect();
    write(&zip, &pack(|_| false, &entries));
    messages.add("10,001 entries", &cannot_be_opened(&zip, "lists 10001 entries; a bundle has at most 10000"));
    // The central directory claims 1 GiB for a few bytes.
    let mut claims = pack(|_| true, &[("last.svg", b"x", stored())]);
    let list = claims.windows(8).rposition(|w| w == b"last.svg").unwrap() - 46;
    claims[list + 24..list + 28].copy_from_slice(&(1u32 << 30).to_le_bytes());
    write(&zip, &claims);
    messages.add("1 GiB claimed", &refused_by_files(&zip, "is too large for a bundle"));
    messages.golden("zip-bombs");
}

#[test]
fn a_file_that_is_not_a_zip_gives_one_line_of_error() {
    let (keep, whole) = published(&[]);
    let bytes = fs::read(&whole).unwrap();
    let zip = keep.path().join("other.zip");
    for cut in [10, bytes.len() / 2, bytes.len() - 30, bytes.len() - 1] {
        write(&zip, &bytes[..cut]);
        cannot_be_opened(&zip, "is not a zip file, or was cut off");
    }
    let mut messages = Messages::default();
    write(&zip, b"a text file, renamed");
    messages.add("a text file named other.zip", &cannot_be_opened(&zip, "is not a zip file, or was cut off"));
    write(&zip, &[b"#!/bin/sh\n".as_slice(), &bytes].concat());
    refused_by_files(&zip, "the zip contradicts itself: its end record says that its list of entries is elsewhere");
    write(&zip, &pack(|_| false, &[("notes.txt", b"x", stored())]));
    messages.add("a zip without a bundle", &cannot_be_opened(&zip, "is not a bundle"));
    let reason = "neither a folder nor a zip file";
    messages.add("verify /dev/null", &cannot_be_opened(Path::new("/dev/null"), reason));
    messages.golden("zip-other-files");
}
