//! Every accepted zip has the same content, whichever program unpacks it. Zips of common programs are read; those that
//! two programs could read differently are refused.
//!
//! Longer than 400 lines because the forgeries of a zip are one list.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::check_py;
use crate::support::*;
use crate::zip_writer::{
    DEFLATED, Entry, MS_DOS, STORED, Zip, as_by_7zip, as_by_explorer, as_by_powershell, crc, descriptor, u16s, u32s,
    zip,
};

/// The entries of a small bundle, below a folder, made by `make`.
fn entries(top: &str, make: impl Fn(&str, &[u8]) -> Entry) -> Vec<Entry> {
    mini().iter().map(|(path, bytes)| make(&format!("{top}{path}"), bytes)).collect()
}

fn stored() -> Vec<Entry> {
    entries("", |name, bytes| Entry::new(name, bytes, STORED))
}

/// The files of a small bundle, built once.
fn mini() -> &'static Files {
    static FILES: std::sync::OnceLock<Files> = std::sync::OnceLock::new();
    FILES.get_or_init(|| built(MINI).identity())
}

/// What `verify` prints about a zip, up to the rung `exact`. scripts/check.py must accept and refuse the same zips.
fn verified(zip: &[u8]) -> Done {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bundle.zip");
    fs::write(&path, zip).unwrap();
    let done = on_paths("verify", &["--upto", "exact"], &[&path]);
    let second = check_py::check(&["--upto", "inputs"], &path);
    assert_eq!(done.code == 0, second.code == 0, "{}{}check.py: {}{}", done.out, done.err, second.out, second.err);
    done
}

/// Asserts that `files` fails or that the zip is not opened, for this reason.
#[track_caller]
fn refused(what: &str, zip: &[u8], reason: &str) {
    let done = verified(zip);
    let told = done.out.clone() + &done.err;
    assert!([1, 2].contains(&done.code) && told.contains(reason), "{what}: {}: {told}", done.code);
    assert!(!done.out.contains("passed"), "{what}: {told}");
}

/// The extra fields that Info-ZIP writes: times, and owners.
fn info_zip(times: u8) -> Vec<u8> {
    let size = 1 + 4 * u16::from(times);
    let times: Vec<u8> = (0..times).flat_map(|_| [1, 2, 3, 4]).collect();
    let owners = [0x75, 0x78, 11, 0, 1, 4, 0xf5, 1, 0, 0, 4, 0x14, 0, 0, 0];
    [&u16s(&[0x5455, size]), [7].as_slice(), &times, &owners].concat()
}

#[test]
fn zips_as_usual_programs_write_them_are_read() {
    let ntfs = [u16s(&[0x0a, 32]), vec![0; 4], u16s(&[1, 24]), vec![9; 24]].concat();
    let old_mac = [u16s(&[0x5855, 12]), vec![7; 12]].concat();
    let deflated = |name: &str, bytes: &[u8]| Entry::new(name, bytes, DEFLATED);
    let streamed = |name: &str, bytes: &[u8]| Entry::streamed(name, bytes, DEFLATED);
    let info = |entry: Entry| entry.with_extra(&info_zip(2), &info_zip(1));
    // Folders first, and beside each file the Finder's metadata.
    let mut ditto = vec![info(Entry::new("mini/", b"", STORED))];
    ditto[0].attributes = 0o040_755 << 16;
    for (path, bytes) in mini() {
        ditto.push(streamed(&format!("mini/{path}"), bytes).with_extra(&info_zip(3), &info_zip(3)));
        let name = path.rsplit('/').next().unwrap();
        let beside = format!("__MACOSX/mini/{}._{name}", &path[..path.len() - name.len()]);
        ditto.push(streamed(&beside, b"\0\x05\x16\x07").with_extra(&info_zip(3), &info_zip(3)));
    }
    let mut info_streamed = entries("q/", streamed);
    // Info-ZIP writes the size before the content.
    for entry in &mut info_streamed {
        entry.local.size = entry.listed.size;
    }
    for (what, entries) in [
        ("stored", stored()),
        ("deflated", entries("", deflated)),
        ("streamed", entries("", streamed)),
        ("stored and streamed, as Python writes to a pipe", entries("", |n, b| Entry::streamed(n, b, STORED))),
        ("Info-ZIP", entries("q/", |name, bytes| info(deflated(name, bytes)))),
        ("Info-ZIP, streamed", info_streamed),
        ("7-Zip", entries("", |name, bytes| deflated(name, bytes).with_extra(b"", &ntfs))),
        ("an old Mac", entries("", |name, bytes| streamed(name, bytes).with_extra(&old_mac, &old_mac))),
        ("ditto", ditto),
        ("another order in the file", stored().into_iter().rev().collect()),
        ("Explorer", as_by_explorer("Мій звіт", mini())),
        ("7-Zip on Windows", as_by_7zip("mini", mini())),
        ("Windows PowerShell", as_by_powershell("mini", mini())),
        ("a folder with a name in an old encoding", {
            let mut all = stored();
            for entry in &mut all {
                let name = [b"\x90\xa0\xa1\xae\xe2\xa0 3/".as_slice(), &entry.local.name].concat();
                (entry.local.name, entry.listed.name) = (name.clone(), name);
            }
            all
        }),
        ("Windows PowerShell, of the files alone", without_top(as_by_powershell("", mini()))),
    ] {
        let done = verified(&zip(&entries).bytes);
        assert_eq!(done.code, 0, "{what}: {}{}", done.out, done.err);
    }
}

/// The entries without the separator before their names.
fn without_top(mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        entry.local.name.remove(0);
        entry.listed.name.remove(0);
    }
    entries
}

/// `\` separates folders only where no program could read two bundles.
#[test]
fn backslashes_are_read_as_slashes_only_if_all_entries_have_them() {
    let powershell = || as_by_powershell("mini", mini());
    let with = |name: &str| {
        let mut entries = powershell();
        entries.push(Entry { system: MS_DOS, attributes: 0, ..Entry::new(name, b"better", STORED) });
        entries
    };
    let advice = "zip it again with Explorer or `mnist-report publish`";
    let of_unix = || {
        let mut entries = powershell();
        entries[0].system = 3;
        entries
    };
    let no_top = || without_top(as_by_powershell("", mini()));
    let one_of_unix = || {
        let mut entries = no_top();
        entries[0].system = 3;
        entries
    };
    let local_name_with_slash = || {
        let mut entries = powershell();
        let name = &mut named(&mut entries, b"mini\\report.html").local.name;
        *name = b"mini/report.html".to_vec();
        entries
    };
    for (what, entries, reason) in [
        ("a file with a slash", with("mini/report.html"), advice),
        ("another file with a slash", with("other/x"), advice),
        ("an entry of Unix", of_unix(), advice),
        ("an entry of Unix, without a folder above", one_of_unix(), advice),
        ("a slash in its own header", local_name_with_slash(), "its own header names it"),
        ("two entries of one name", with("mini\\report.html"), "two entries have this name"),
        ("a folder that is also a file", with("mini\\report.html\\x"), "a folder above it is also a file"),
        ("a name that leads out", with("mini\\..\\..\\x"), "is not a valid file name"),
        ("a leftover that leads out", with("mini\\._x\\..\\..\\x"), "is not a valid file name"),
        ("an absolute name", with("\\mini\\x"), "is not a bundle"),
        ("another case", with("mini\\Report.html"), "another name differs only by case"),
        ("an empty folder", with("mini\\more\\"), "is a folder with content"),
        ("a file beside", with("mini\\more"), "more is not in SHA256SUMS"),
    ] {
        refused(what, &zip(&entries).bytes, reason);
    }
}

/// `git archive` writes the commit's hash, of SHA-1 or SHA-256.
#[test]
fn a_comment_that_is_a_commit_is_read() {
    for length in [40, 64] {
        let mut zip = zip(&stored());
        zip.with_comment(&b"0123456789abcdef".repeat(4)[..length]);
        let done = verified(&zip.bytes);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    }
}

/// A hand-in may be an archive of another kind.
#[test]
fn other_archives_are_named() {
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    for (start, name) in [
        (b"7z\xbc\xaf\x27\x1c".to_vec(), "7z"),
        (b"Rar!\x1a\x07\x01\x00".to_vec(), "RAR"),
        (b"\x1f\x8b\x08".to_vec(), "gzip"),
        (tar, "tar"),
    ] {
        refused(name, &[start, vec![0; 100]].concat(), &format!("is a {name} archive, not a zip: ask for a zip"));
    }
}

/// A hand-in may be no archive at all, or a zip that is none of a bundle.
#[test]
fn files_that_are_no_bundle_are_named_for_what_they_are() {
    let entry = |name: &str| Entry::new(name, b"x", STORED);
    let word = zip(&[entry("[Content_Types].xml"), entry("word/document.xml")]).bytes;
    for (bytes, reason) in [
        (Vec::new(), "is empty: have it sent again"),
        (b"%PDF-1.7\n".to_vec(), "is a PDF, not a bundle: ask for the zip"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>".to_vec(), "is a page alone, not a bundle: ask for the zip"),
        (word, "is not a bundle: it is a Word document: ask for the zip"),
        (zip(&[entry("report.zip")]).bytes, "is not a bundle: contains report.zip: unpack it first"),
    ] {
        refused(reason, &bytes, reason);
    }
}

#[test]
fn zips_by_programs_of_this_machine_are_read() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("Мій звіт");
    for (path, bytes) in mini() {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), bytes).unwrap();
    }
    let python = "
import os, sys, zipfile
class Pipe:
    def __init__(self, file): self.file = file
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
with open('../p.zip', 'wb') as file:
    with zipfile.ZipFile(Pipe(file), 'w', int(sys.argv[1])) as z:
        for folder, folders, names in os.walk('.'):
            for name in names:
                z.write(os.path.join(folder, name))
";
    let mut tried = Vec::new();
    for (program, command) in [
        ("zip", "zip -q -r ../p.zip ."),
        ("zip", "zip -q -0 -r ../p.zip ."),
        ("zip", "zip -q -fd -r ../p.zip ."),
        ("zip", "zip -q -r - . | cat > ../p.zip"),
        ("zip", "cd .. && zip -q -r p.zip 'Мій звіт'"),
        ("7z", "7z a -bso0 -bsp0 ../p.zip ."),
        ("7z", "7z a -bso0 -bsp0 -mx=0 ../p.zip ."),
        ("jar", "jar cfM ../p.zip *"),
        ("bsdtar", "bsdtar -a -cf ../p.zip *"),
        ("python3", "python3 -c \"$PYTHON\" 0"),
        ("python3", "python3 -c \"$PYTHON\" 8"),
        ("python3", "python3 -m zipfile -c ../p.zip *"),
        // A host of code packs a repository so.
        (
            "git",
            "git init -q .. && git -C .. add . && git -C .. commit -qm r && git -C .. archive -o p.zip --prefix=r/ HEAD:'Мій звіт'",
        ),
        ("git", "git -C .. archive -o p.zip HEAD 'Мій звіт'"),
    ] {
        let is_here = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
        if !is_here.unwrap().success() {
            continue;
        }
        let made = Command::new("sh")
            .args(["-ec", command])
            .envs([("PYTHON", python), ("GIT_AUTHOR_NAME", "A")])
            .envs([("GIT_AUTHOR_EMAIL", "a@b.c"), ("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@b.c")])
            .current_dir(&folder)
            .status();
        assert!(made.unwrap().success(), "{command}");
        let path = home.path().join("p.zip");
        let done = on_paths("verify", &["--upto", "exact"], &[&path]);
        assert_eq!(done.code, 0, "{command}: {}{}", done.out, done.err);
        check_py::check(&["--upto", "inputs"], &path).exits(0);
        fs::remove_file(&path).unwrap();
        tried.push(program);
    }
    assert!(tried.contains(&"python3"), "{tried:?}");
}

/// A way to make a zip ambiguous, and the expected message.
type Forgery = (&'static str, fn() -> Vec<u8>, &'static str);

/// A zip of a small bundle after a change of its entries.
fn changed(change: impl Fn(&mut Vec<Entry>)) -> Vec<u8> {
    let mut entries = stored();
    change(&mut entries);
    zip(&entries).bytes
}

/// The zip of a small bundle after a change of its bytes.
fn patched(change: impl Fn(&mut Zip)) -> Vec<u8> {
    let mut zip = zip(&stored());
    change(&mut zip);
    zip.bytes
}

/// Inserts bytes between the entries and the list, or at another place, with correct offsets.
fn inserted(at: impl Fn(&Zip) -> usize, more: &[u8]) -> Vec<u8> {
    let mut zip = zip(&stored());
    let (at, list) = (at(&zip), zip.listed[0]);
    zip.bytes.splice(at..at, more.iter().copied());
    let by = more.len();
    for (start, listed) in zip.starts.clone().iter().zip(zip.listed.clone()) {
        let moved = if *start >= at { start + by } else { *start };
        zip.set_u32(listed + by + 42, moved as u32);
    }
    let end = zip.end + by;
    zip.set_u32(end + 16, (list + by) as u32);
    zip.bytes
}

/// The extra field by which Info-ZIP states a name in UTF-8.
fn unicode_path(of: &[u8], name: &[u8]) -> Vec<u8> {
    [u16s(&[0x7075, 5 + name.len() as u16]), vec![1], u32s(&[crc(of)]), name.to_vec()].concat()
}

fn report(entries: &mut [Entry]) -> &mut Entry {
    named(entries, b"report.html")
}

fn named<'e>(entries: &'e mut [Entry], name: &[u8]) -> &'e mut Entry {
    entries.iter_mut().find(|entry| entry.listed.name == name).unwrap()
}

const FORGERIES: &[Forgery] = &[
    // The list.
    (
        "one entry more than counted",
        || {
            patched(|z| {
                let (end, count) = (z.end, z.listed.len() as u16 - 1);
                z.set_u16(end + 8, count);
                z.set_u16(end + 10, count);
            })
        },
        "its end record counts",
    ),
    (
        "one entry less than counted",
        || {
            patched(|z| {
                let (end, count) = (z.end, z.listed.len() as u16 + 1);
                z.set_u16(end + 8, count);
                z.set_u16(end + 10, count);
            })
        },
        "its end record counts",
    ),
    ("two counts", || patched(|z| z.set_u16(z.end + 8, 1)), "its end record says that it is one of several"),
    (
        "a list that ends early",
        || {
            patched(|z| {
                let (end, size) = (z.end, (z.end - z.listed[0]) as u32);
                z.set_u32(end + 12, size - 1);
                z.set_u32(end + 16, z.listed[0] as u32 + 1);
            })
        },
        "is not a zip file",
    ),
    (
        "a list that ends within an entry",
        || changed(|e| e.last_mut().unwrap().listed.name.truncate(3)),
        "its own header names it",
    ),
    (
        "a gap before the end record",
        || {
            patched(|z| {
                z.bytes.splice(z.end..z.end, *b"gap");
            })
        },
        "that its list of entries is elsewhere",
    ),
    ("a comment of an entry", || changed(|e| e[0].comment = b"x".to_vec()), "has a comment"),
    // The end.
    (
        "a comment",
        || {
            patched(|z| {
                z.set_u16(z.end + 20, 3);
                z.bytes.extend(*b"end");
            })
        },
        "3 bytes after the zip's end",
    ),
    ("a comment that is no hash", || patched(|z| z.with_comment(&[b'g'; 40])), "40 bytes after the zip's end"),
    ("a shorter comment", || patched(|z| z.with_comment(&[b'0'; 39])), "39 bytes after the zip's end"),
    (
        "a comment of a hash, stated as shorter",
        || {
            patched(|z| {
                z.with_comment(&[b'0'; 40]);
                z.set_u16(z.end + 20, 39);
            })
        },
        "40 bytes after the zip's end",
    ),
    ("bytes after the end", || patched(|z| z.bytes.extend(*b"end")), "3 bytes after the zip's end"),
    ("a byte after the end", || patched(|z| z.bytes.push(0)), "1 byte after the zip's end"),
    (
        "a second zip after it",
        || [zip(&stored()).bytes, zip(&stored()).bytes].concat(),
        "that its list of entries is elsewhere",
    ),
    (
        "an end record inside",
        || {
            changed(|e| {
                let end = [b"PK\x05\x06".to_vec(), u16s(&[0; 4]), u32s(&[0, 0]), u16s(&[0])].concat();
                let index = Entry::new("index.html", &end, STORED);
                e.push(index);
            })
        },
        "a second end record",
    ),
    ("a zip64 record", || inserted(|z| z.end, &[b"PK\x06\x07".as_slice(), &[0; 16]].concat()), "is not a zip file"),
    (
        "a zip64 locator in the list",
        || {
            changed(|e| {
                // The extra field of owners ends the list.
                let locator = [b"PK\x06\x07".as_slice(), &[0; 16]].concat();
                e.last_mut().unwrap().listed.extra = [u16s(&[0x7875, 20]), locator].concat();
            })
        },
        "a zip64 record",
    ),
    // Between.
    (
        "bytes before",
        || [b"#!/bin/sh\n".as_slice(), &zip(&stored()).bytes].concat(),
        "that its list of entries is elsewhere",
    ),
    ("bytes before, with right offsets", || inserted(|_| 0, b"#!/bin/sh\n"), "bytes outside any entry"),
    ("bytes between", || inserted(|z| z.starts[2], b"hidden"), "bytes outside any entry"),
    (
        "an entry between that is not listed",
        || {
            let other = zip(&[Entry::new("report.html", b"better", STORED)]);
            inserted(|z| z.starts[1], &other.bytes[..other.listed[0]])
        },
        "bytes outside any entry",
    ),
    ("bytes before the list", || inserted(|z| z.listed[0], b"hidden"), "bytes outside any entry"),
    (
        "two entries in one place",
        || {
            patched(|z| {
                let start = z.starts[1] as u32;
                z.set_u32(z.listed[2] + 42, start);
            })
        },
        "another entry overlaps",
    ),
    (
        "an entry in the list",
        || {
            patched(|z| {
                let last = *z.listed.last().unwrap();
                z.set_u32(last + 42, z.listed[0] as u32);
            })
        },
        "bytes outside any entry",
    ),
    ("an entry after the end", || patched(|z| z.set_u32(z.listed[0] + 42, u32::MAX)), "bytes outside any entry"),
    // The headers of an entry.
    ("another name", || changed(|e| report(e).local.name = b"repord.html".to_vec()), "its own header names it"),
    (
        "a name with a zero byte",
        || {
            changed(|e| {
                report(e).local.name = b"report.html\0x".to_vec();
                report(e).listed.name = b"report.html\0x".to_vec();
            })
        },
        "is not a valid file name",
    ),
    ("another size", || changed(|e| report(e).local.size -= 1), "another size or checksum"),
    ("another packed size", || changed(|e| report(e).local.packed -= 1), "another size or checksum"),
    ("another checksum", || changed(|e| report(e).local.crc ^= 1), "another size or checksum"),
    ("another method", || changed(|e| report(e).local.method = DEFLATED), "another method or other flags"),
    ("other flags", || changed(|e| report(e).local.flags = 1 << 11), "another method or other flags"),
    (
        "stored in two sizes",
        || {
            changed(|e| {
                report(e).listed.size -= 1;
                report(e).local.size -= 1;
            })
        },
        "its two sizes differ",
    ),
    (
        "a method that few know",
        || {
            changed(|e| {
                report(e).listed.method = 93;
                report(e).local.method = 93;
            })
        },
        "by a method that no bundle needs",
    ),
    (
        "flags that few know",
        || {
            changed(|e| {
                report(e).listed.flags = 1 << 13;
                report(e).local.flags = 1 << 13;
            })
        },
        "by a method that no bundle needs",
    ),
    (
        "another name in an extra field",
        || {
            changed(|e| {
                report(e).listed.extra = unicode_path(b"report.html", b"index2.html");
            })
        },
        "extra field 0x7075",
    ),
    (
        "another name in its own extra field",
        || {
            changed(|e| {
                report(e).local.extra = unicode_path(b"report.html", b"index2.html");
            })
        },
        "extra field 0x7075",
    ),
    (
        "sizes in an extra field",
        || changed(|e| report(e).listed.extra = [u16s(&[1, 16]), vec![0; 16]].concat()),
        "extra field 0x0001",
    ),
    (
        "a link in an extra field",
        || changed(|e| report(e).local.extra = [u16s(&[0x756e, 4]), vec![0; 4]].concat()),
        "extra field 0x756e",
    ),
    ("an extra field over its end", || changed(|e| report(e).local.extra = u16s(&[0x5455, 9])), "extra field 0x5455"),
    (
        "the same extra field twice",
        || changed(|e| report(e).local.extra = [info_zip(1), info_zip(1)].concat()),
        "extra field 0x5455",
    ),
    (
        "a long extra field",
        || changed(|e| report(e).local.extra = [u16s(&[0x5455, 40]), vec![0; 40]].concat()),
        "extra field 0x5455",
    ),
    ("an extra field that is none", || changed(|e| report(e).local.extra = b"abc".to_vec()), "extra field 0x0000"),
    ("another disk", || patched(|z| z.set_u16(z.listed[0] + 34, 1)), "is on another disk"),
    // The content.
    (
        "a descriptor without its flag",
        || {
            changed(|e| {
                let right = descriptor(&report(e).listed);
                report(e).descriptor = right;
            })
        },
        "bytes outside any entry",
    ),
    (
        "a descriptor of another file",
        || {
            changed(|e| {
                *report(e) = Entry::streamed("report.html", b"<p>", STORED);
                report(e).descriptor[4] ^= 1;
            })
        },
        "the descriptor after its content",
    ),
    (
        "a descriptor of zip64",
        || {
            changed(|e| {
                *report(e) = Entry::streamed("report.html", b"<p>", STORED);
                report(e).descriptor.extend([0; 8]);
            })
        },
        "bytes outside any entry",
    ),
    (
        "content that ends twice",
        || {
            // A program that reads the zip as a stream finds `a`, then another report.
            let (first, other) =
                (Entry::streamed("a", b"better", STORED), zip(&[Entry::new("report.html", b"x", STORED)]));
            let content = [b"better".to_vec(), first.descriptor, other.bytes[..other.listed[0]].to_vec()].concat();
            changed(|e| *report(e) = Entry::streamed("report.html", &content, STORED))
        },
        "looks like the end of an entry",
    ),
    (
        "bytes after packed content",
        || {
            changed(|e| {
                let mut entry = Entry::new("report.html", b"<p>", DEFLATED);
                entry.content.extend(*b"hidden");
                (entry.local.packed, entry.listed.packed) = (entry.local.packed + 6, entry.listed.packed + 6);
                *report(e) = entry;
            })
        },
        "bytes after its end",
    ),
    (
        "packed content that does not end",
        || {
            changed(|e| {
                let mut entry = Entry::new("report.html", b"<p>text</p>", DEFLATED);
                entry.content.pop();
                (entry.local.packed, entry.listed.packed) = (entry.local.packed - 1, entry.listed.packed - 1);
                *report(e) = entry;
            })
        },
        "report.html: damaged",
    ),
    // Names.
    (
        "two entries of one name",
        || changed(|e| e.push(Entry::new("report.html", b"better", STORED))),
        "two entries have this name",
    ),
    (
        "a file that is also a folder",
        || changed(|e| e.push(Entry::new("report.html/x", b"", STORED))),
        "is also a file",
    ),
    (
        "a folder that differs from a file by case",
        || changed(|e| e.push(Entry::new("Report.HTML/x", b"", STORED))),
        "a folder above it differs from a file only by case",
    ),
    (
        "a folder of a leftover that differs from a file by case",
        || changed(|e| e.insert(0, Entry::new("Report.html/._x", b"", STORED))),
        "Report.html/._x: a folder above it differs from a file only by case",
    ),
    (
        "a folder of a leftover, below a folder, that differs from a file by case",
        || {
            let mut entries = entries("x/", |name, bytes| Entry::new(name, bytes, STORED));
            entries.push(Entry::new("X/Report.HTML/.DS_Store", b"", STORED));
            zip(&entries).bytes
        },
        "X/Report.HTML/.DS_Store: a folder above it differs from a file only by case",
    ),
    (
        "a leftover that differs from a folder by case",
        || {
            let mut entries = entries("._x/", |name, bytes| Entry::new(name, bytes, STORED));
            entries.push(Entry::new("._X", b"", STORED));
            zip(&entries).bytes
        },
        "a folder above it differs from a file only by case",
    ),
    ("a file with the attribute of a folder", || changed(|e| report(e).attributes = 0x10), "is a link or special file"),
    ("a file that unzip skips", || changed(|e| report(e).attributes = 0x08), "is a link or special file"),
    ("a device of MS-DOS", || changed(|e| report(e).attributes = 0x40), "is a link or special file"),
    ("a link of Windows", || changed(|e| report(e).attributes = 0x420), "is a link or special file"),
    ("a folder of an Amiga", || changed(|e| report(e).attributes = 0o104_644 << 16), "is a link or special file"),
    ("an entry for programs of the future", || patched(|z| z.set_u16(z.listed[0] + 6, 47)), "needs a newer program"),
    ("an entry for VMS", || patched(|z| z.set_u16(z.listed[0] + 6, 0x0214)), "needs a newer program"),
    ("a link that names MS-DOS", || changed(|e| report(e).attributes = 0o120_777 << 16), "is a link or special file"),
    (
        "a leftover that leads out of its folder",
        || changed(|e| e.push(Entry::new("__MACOSX/../report.html", b"better", STORED))),
        "is not a valid file name",
    ),
    (
        "a leftover that leads out of its folder on Windows",
        || changed(|e| e.push(Entry::new("._x\\..\\report.html", b"better", STORED))),
        "is not a valid file name",
    ),
    (
        "a leftover with an absolute path",
        || changed(|e| e.push(Entry::new("/__MACOSX/._report.html", b"", STORED))),
        "is not a valid file name",
    ),
    (
        "a name that Windows shortens",
        || changed(|e| e.push(Entry::new("report.html.", b"better", STORED))),
        "is not a valid file name",
    ),
];

#[test]
fn a_zip_with_two_readings_is_refused() {
    for (what, make, reason) in FORGERIES {
        refused(what, &make(), reason);
    }
}

/// A zip that a forger hides in run-log.json, the only file that no hash covers.
#[test]
fn a_zip_in_the_run_log_is_refused() {
    let hidden = zip(&[Entry::new("report.html", b"better", STORED)]);
    let log = [b"{}", &hidden.bytes[..hidden.listed[0]]].concat();
    refused(
        "a zip in the run log",
        &changed(|e| e.push(Entry::new("run-log.json", &log, STORED))),
        "run-log.json is not a run log",
    );
}

/// A published zip that is cut, or has a changed byte in its headers, never passes as a complete zip with other
/// content.
#[test]
fn no_change_of_a_header_is_overlooked() {
    let bundle = built(MINI);
    let out: PathBuf = bundle.path.with_extension("zip");
    bundle.run("publish", &["--out", out.to_str().unwrap()]).exits(0);
    let whole = fs::read(&out).unwrap();
    let path: &Path = &bundle.path.with_file_name("changed.zip");
    let is_same = |bytes: &[u8]| {
        fs::write(path, bytes).unwrap();
        mnist_report::verify::verify(
            path,
            Some(mnist_report::verify::Rung::Files),
            mnist_report::compute::DeviceChoice::Cpu,
        )
        .is_ok_and(|v| v.exit_code() == mnist_report::exit_code::ExitCode::Success)
    };
    assert!(is_same(&whole));
    // Skip versions, times, and internal and external attributes: those that do change what a program unpacks are in FORGERIES.
    let is_free = |at_local: usize| (4..6).contains(&at_local) || (10..14).contains(&at_local);
    let is_free_in_list = |at: usize| (4..8).contains(&at) || (12..16).contains(&at) || (36..42).contains(&at);
    let local: Vec<usize> = positions(&whole, b"PK\x03\x04")
        .flat_map(|start| (0..30).filter(|at| !is_free(*at)).map(move |at| start + at))
        .collect();
    let list: Vec<usize> = positions(&whole, b"PK\x01\x02")
        .flat_map(|start| (0..46).filter(|at| !is_free_in_list(*at)).map(move |at| start + at))
        .collect();
    let end: Vec<usize> = (whole.len() - 22..whole.len()).collect();
    let mut overlooked = Vec::new();
    for at in local.iter().chain(&list).chain(&end) {
        for change in [1, 0x80] {
            let mut bytes = whole.clone();
            bytes[*at] ^= change;
            if is_same(&bytes) {
                overlooked.push((*at, change));
            }
        }
    }
    assert_eq!(overlooked, []);
    for cut in [1, 10, 22, 23, 100, whole.len() / 2, whole.len() - 1] {
        assert!(!is_same(&whole[..whole.len() - cut]), "cut by {cut}");
    }
}

fn positions<'b>(bytes: &'b [u8], magic: &'b [u8]) -> impl Iterator<Item = usize> + 'b {
    (0..bytes.len() - magic.len()).filter(move |at| bytes[*at..].starts_with(magic))
}
