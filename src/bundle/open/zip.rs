//! Reads a bundle's zip.
//!
//! A zip that cannot be read, or is larger than the limits allow, is an error. An entry that does not belong in a
//! bundle, or is too large for one, is a problem, which rung `files` reports.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::archive::Archive;
use super::entry::Entry;
use super::{Found, TOO_DEEP};
use crate::bundle::leftovers::{is_leftover, top_folder};
use crate::bundle::limits::{ANY_RATIO, Budget, MAX_DEPTH, MAX_PATH, MAX_RATIO, MAX_ZIP};
use crate::bundle::{Error, MANIFEST, RESULTS, SUMS, is_valid_path};

/// What to do about `\` between folders that cannot be read as `/`.
pub(super) const BACKSLASHES: &str = "it was zipped by a program that writes \\ in names (Windows PowerShell's \
                                      Compress-Archive): zip it again with Explorer or `mnist-report publish`";

/// The first bytes of other archives than zips.
const OTHER_ARCHIVES: [(&[u8], &str); 5] = [
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
];
/// Where a tar archive has its mark.
const TAR: (usize, &[u8]) = (257, b"ustar");
/// The first bytes of a PDF, and of pages.
const PDF: &[u8] = b"%PDF-";
const PAGES: [&str; 2] = ["<!doctype html", "<html"];

/// Reads a zip's files, except leftovers of operating systems.
pub(super) fn read(path: &Path, found: &mut Found) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::read(path))?;
    let size = file.metadata().map_err(Error::read(path))?.len();
    if size > MAX_ZIP {
        return Err(Error::refused(path, "is larger than the zip of any bundle"));
    }
    let archive = Archive::open(&file, size);
    let archive = archive.map_err(|why| Error::refused(path, other_file(&file, size).unwrap_or(why)))?;
    unpack(path, &file, &archive, found)
}

/// What a file is instead of a zip, by its first bytes.
fn other_file(file: &File, size: u64) -> Option<String> {
    if size == 0 {
        return Some("is empty: have it sent again".to_owned());
    }
    let mut start = [0; TAR.0 + TAR.1.len()];
    let mut read = 0;
    while let Ok(more @ 1..) = file.read_at(&mut start[read..], read as u64) {
        read += more;
    }
    let known = OTHER_ARCHIVES.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name);
    if let Some(name) = known.or_else(|| start.ends_with(TAR.1).then_some("tar")) {
        return Some(format!("is a {name} archive, not a zip: ask for a zip"));
    }
    if start.starts_with(PDF) {
        return Some("is a PDF, not a bundle: ask for the zip".to_owned());
    }
    let text =
        String::from_utf8_lossy(&start).trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_ascii_lowercase();
    let is_page = PAGES.iter().any(|tag| text.starts_with(tag));
    is_page.then(|| "is a page alone, not a bundle: ask for the zip".to_owned())
}

fn unpack(path: &Path, file: &File, archive: &Archive, found: &mut Found) -> Result<(), Error> {
    let of_entry = |reason| Error::Zip { path: path.to_owned(), reason };
    let top = top_folder(&archive.entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>());
    let small = within_limits(&archive.entries, top, found).map_err(of_entry)?;
    if !archive.contradictions.is_empty() {
        // Unpack nothing, because another program may unpack something else.
        found.is_ambiguous = archive.entries.iter().any(may_be_of_bundle);
        found.problems.extend(archive.contradictions.iter().map(|why| format!("the zip contradicts itself: {why}")));
        return Ok(());
    }
    found.has_backslashes = archive.entries.iter().any(|entry| entry.name.contains(&b'\\'));
    let mut folders = BTreeSet::new();
    for entry in small {
        match unpacked(file, entry, top) {
            Ok(Unpacked::File(name, content)) => drop(found.files.insert(name, content)),
            Ok(Unpacked::Folder(name)) => drop(folders.insert(name)),
            Ok(Unpacked::Leftover(name)) => found.leftovers.push(name),
            Err(problem) => found.problems.push(problem),
        }
    }
    found.empty_folders(&folders);
    found.problems.extend(same_but_for_case(&archive.entries));
    Ok(())
}

/// Whether an entry may be one of the files that identify a bundle.
fn may_be_of_bundle(entry: &Entry) -> bool {
    let name = String::from_utf8_lossy(&entry.name);
    [SUMS, MANIFEST, RESULTS].contains(&name.rsplit('/').next().unwrap_or_default())
}

/// The entries that may be unpacked, by the sizes that they claim; the others are problems. Fails with the reason if all
/// together are too large.
fn within_limits<'e>(entries: &'e [Entry], top: usize, found: &mut Found) -> Result<Vec<&'e Entry>, String> {
    let (mut budget, mut small) = (Budget::default(), Vec::new());
    for entry in entries {
        let (name, size, packed) = (entry.shown(), entry.size, entry.packed);
        let path = String::from_utf8_lossy(entry.name.get(top..).unwrap_or_default());
        if !found.has_room_for(&path, size, &mut budget).map_err(|reason| format!("{name} {reason}"))? {
            continue;
        }
        if size > ANY_RATIO && size / MAX_RATIO > packed {
            found.problems.push(format!(
                "{name} claims to unpack from {packed} bytes to {size}, more than {MAX_RATIO} times: no file of a \
                 bundle does; it was not read"
            ));
        } else {
            small.push(entry);
        }
    }
    Ok(small)
}

/// The content of an entry, with its name below the top folder.
enum Unpacked {
    File(String, Vec<u8>),
    Folder(String),
    /// A leftover of an operating system. Its content is not kept, but checked like a file's, because it could hide
    /// entries from programs that read a zip as a stream.
    Leftover(String),
}

/// Unpacks an entry, and removes the first `top` bytes of its name. Fails with the problem.
fn unpacked(file: &File, entry: &Entry, top: usize) -> Result<Unpacked, String> {
    let whole = String::from_utf8_lossy(&entry.name).into_owned();
    let content = |name: &str| entry.content(file).map_err(|why| format!("{name}: damaged: {why}"));
    let inner = String::from_utf8_lossy(entry.name.get(top..).unwrap_or_default());
    if inner.len() > MAX_PATH || whole.split('/').any(|part| part.len() > MAX_PATH) {
        return Err(format!("{whole:?}: a name of more than {MAX_PATH} bytes, which no file system takes"));
    }
    if entry.is_plain() && !entry.is_encrypted() && is_leftover(&whole) && stays_in_place(&whole) {
        content(&whole)?;
        return Ok(Unpacked::Leftover(whole));
    }
    if entry.name.len() <= top {
        // The top folder itself.
        return if content(&whole)?.is_empty() {
            Ok(Unpacked::Folder(String::new()))
        } else {
            Err(format!("{whole:?} is a folder with content"))
        };
    }
    let name = String::from_utf8_lossy(&entry.name[top..]).into_owned();
    if entry.is_encrypted() {
        return Err(format!("{name:?} is encrypted"));
    }
    if !entry.is_plain() {
        return Err(format!("{name:?} is a link or special file, not a plain file"));
    }
    // Programs show a folder's name in an old encoding as other letters, but all unpack it as one folder.
    let above = String::from_utf8_lossy(&entry.name[..top]).replace('\u{fffd}', "_");
    if !stays_in_place(&(above + &name)) || !is_valid_path(name.trim_end_matches('/')) || name.ends_with("//") {
        let advice = if whole.contains('\\') { format!("; {BACKSLASHES}") } else { String::new() };
        return Err(format!("{name:?} is not a valid file name in a bundle{advice}"));
    }
    if name.matches('/').count() > MAX_DEPTH {
        return Err(format!("{name:?} {TOO_DEEP}"));
    }
    if entry.is_folder() {
        return if content(&name)?.is_empty() {
            Ok(Unpacked::Folder(name))
        } else {
            Err(format!("{name:?} is a folder with content"))
        };
    }
    let content = content(&name)?;
    Ok(Unpacked::File(name, content))
}

/// Whether every system unpacks an entry at the path that its name states. Applies to all names, including leftovers
/// and those below a folder made by hand.
fn stays_in_place(name: &str) -> bool {
    let name = name.strip_suffix('/').unwrap_or(name);
    let is_plain = |part: &str| {
        // Windows drops spaces and dots at the end of a name, and treats a backslash as a slash.
        !part.is_empty()
            && !part.ends_with(['.', ' '])
            && !part.contains(|c: char| c.is_control() || "\\:\u{fffd}".contains(c))
    };
    name.split('/').all(is_plain)
}

/// A problem for each name that means the place of another file on file systems that ignore case: two files, or a folder
/// and a file, also of leftovers. Two leftovers may have one place, and so may two folders.
fn same_but_for_case(entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<Cow<str>> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.name)).collect();
    names.sort();
    // Some letters differ only if they are small, others only if they are capital.
    let alike: Vec<String> = names.iter().map(|name| name.to_uppercase().to_lowercase()).collect();
    let (mut files, mut problems) = (BTreeSet::new(), Vec::new());
    for (name, alike) in names.iter().zip(&alike) {
        if !alike.ends_with('/') && !files.insert(alike.as_str()) && !is_leftover(name) {
            problems.push(format!("{name}: another name differs only by case"));
        }
    }
    for (name, alike) in names.iter().zip(&alike) {
        if alike.match_indices('/').any(|(at, _)| files.contains(&alike[..at])) {
            problems.push(format!("{name}: a folder above it differs from a file only by case"));
        }
    }
    problems
}
