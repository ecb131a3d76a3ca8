//! Reads a bundle's zip.
//!
//! A zip that cannot be read, or is larger than the limits allow, is an error. What can be read but does not belong in a
//! bundle is a problem, which rung `files` reports.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use super::Found;
use crate::bundle::leftovers::{is_leftover, top_folder};
use crate::bundle::limits::{ANY_RATIO, Budget, MAX_FILES, MAX_RATIO, MAX_ZIP};
use crate::bundle::{Error, Files, is_valid_path};

/// Bytes of the record at the end of a zip, without its comment.
const END_SIZE: usize = 22;
const END_MAGIC: &[u8; 4] = b"PK\x05\x06";
const NOT_A_ZIP: &str = "is not a zip file, or was cut off: have it sent again";
/// The bits of a Unix mode that tell plain files and folders from links and devices.
const FILE_TYPE: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Reads a zip's files, except leftovers of operating systems.
pub(super) fn read(path: &Path, found: &mut Found) -> Result<(), Error> {
    let refused = |reason| Error::Zip { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(Error::read(path))?.len();
    if size > MAX_ZIP {
        return Err(refused("is larger than the zip of any bundle".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    unpack(&bytes, found).map_err(refused)
}

fn unpack(bytes: &[u8], found: &mut Found) -> Result<(), String> {
    let mut archive = open(bytes, &mut found.problems)?;
    check_limits(&archive)?;
    if let Err(e) = archive.validate_header_consistency() {
        found.problems.push(format!("the zip contradicts itself: {}", reason(&e)));
    }
    let names = (0..archive.len()).map(|i| archive.by_index_data(i).map(|entry| entry.name_raw().to_vec()));
    let top = top_folder(&names.collect::<Result<Vec<_>, _>>().map_err(|e| reason(&e))?);
    let mut folders = BTreeSet::new();
    for i in 0..archive.len() {
        match read_entry(&mut archive, i, top) {
            Ok(Entry::File(name, content)) => drop(found.files.insert(name, content)),
            Ok(Entry::Folder(name)) => drop(folders.insert(name)),
            Ok(Entry::Leftover(name)) => found.leftovers.push(name),
            Err(problem) => found.problems.push(problem),
        }
    }
    found.empty_folders(&folders);
    found.problems.extend(same_but_for_case(&found.files));
    Ok(())
}

/// Opens the archive at the record that ends it; bytes after that record are a problem. Fails with the reason.
fn open<'a>(bytes: &'a [u8], problems: &mut Vec<String>) -> Result<Archive<'a>, String> {
    let tail_start = bytes.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    let end = bytes[tail_start..].windows(END_MAGIC.len()).rposition(|w| w == END_MAGIC).map(|at| tail_start + at);
    let end = end.filter(|at| at + END_SIZE <= bytes.len()).ok_or(NOT_A_ZIP)?;
    let u16_at = |at: usize| u16::from_le_bytes([bytes[end + at], bytes[end + at + 1]]);
    let u32_at = |at: usize| u64::from(u16_at(at)) + (u64::from(u16_at(at + 2)) << 16);
    let (entries, list_size, list_start, comment) = (u16_at(10), u32_at(12), u32_at(16), usize::from(u16_at(20)));
    // Checked before the list is read, which takes memory for each entry that it claims.
    if usize::from(entries) > MAX_FILES {
        return Err(format!("lists {entries} entries; a bundle has at most {MAX_FILES}"));
    }
    // If the list could be in two places, two programs could read two different zips.
    if u16_at(4) != 0 || u16_at(6) != 0 || list_start + list_size != end as u64 {
        return Err(NOT_A_ZIP.to_owned());
    }
    let bytes_after = bytes.len() - end - END_SIZE;
    if bytes_after > 0 {
        problems.push(format!("{bytes_after} bytes after the zip's end"));
    }
    let whole = if bytes_after == comment { bytes } else { &bytes[..end + END_SIZE] };
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    ZipArchive::with_config(config, Cursor::new(whole)).map_err(|e| format!("{NOT_A_ZIP} ({})", reason(&e)))
}

/// Checks the sizes that the entries claim before anything is unpacked.
fn check_limits(archive: &Archive) -> Result<(), String> {
    let mut budget = Budget::default();
    for i in 0..archive.len() {
        let entry = archive.by_index_data(i).map_err(|e| format!("cannot read its list of files: {}", reason(&e)))?;
        let name = String::from_utf8_lossy(entry.name_raw());
        let (size, packed) = (entry.size(), entry.compressed_size());
        budget.take(size).map_err(|reason| format!("{name:?} {reason}"))?;
        if size > ANY_RATIO && size / MAX_RATIO > packed {
            return Err(format!(
                "{name:?} claims to unpack from {packed} bytes to {size}, more than {MAX_RATIO} times: no file of a \
                 bundle does"
            ));
        }
    }
    Ok(())
}

/// An entry of a zip, with its name below the top folder.
enum Entry {
    File(String, Vec<u8>),
    Folder(String),
    /// What an operating system leaves; its content is not read.
    Leftover(String),
}

/// Unpacks an entry; its name without the first `top` bytes. Fails with the problem.
fn read_entry(archive: &mut Archive, i: usize, top: usize) -> Result<Entry, String> {
    let entry = archive.by_index_data(i).map_err(|e| reason(&e))?;
    let raw = entry.name_raw();
    let whole = String::from_utf8_lossy(raw).into_owned();
    let is_folder = whole.ends_with('/');
    let file_type = entry.unix_mode().map_or(0, |mode| mode & FILE_TYPE);
    let is_plain = file_type == 0 || file_type == if is_folder { FOLDER } else { PLAIN };
    if is_plain && is_leftover(&whole) {
        return Ok(Entry::Leftover(whole));
    }
    if raw.len() <= top {
        // The top folder itself.
        return Ok(Entry::Folder(String::new()));
    }
    let name = String::from_utf8_lossy(&raw[top..]).into_owned();
    if entry.encrypted() {
        return Err(format!("{name:?} is encrypted"));
    }
    if !is_plain {
        return Err(format!("{name:?} is a link or special file, not a plain file"));
    }
    if !is_valid_path(name.trim_end_matches('/')) || name.ends_with("//") {
        return Err(format!("{name:?} is not a valid file name in a bundle"));
    }
    let size = entry.size();
    if is_folder {
        return if size == 0 { Ok(Entry::Folder(name)) } else { Err(format!("{name:?} is a folder with content")) };
    }
    let file = archive.by_index(i).map_err(|e| format!("{name}: {}", reason(&e)))?;
    let mut bytes = Vec::new();
    // One byte more than claimed shows a longer file without reading it whole.
    file.take(size + 1).read_to_end(&mut bytes).map_err(|e| format!("{name}: damaged: {e}"))?;
    if bytes.len() as u64 != size {
        return Err(format!("{name}: damaged: its size is not the {size} bytes that the zip lists"));
    }
    Ok(Entry::File(name, bytes))
}

/// A problem for each path that differs from an earlier one only by case: some file systems take the two for the same path.
fn same_but_for_case(files: &Files) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let twice = files.keys().filter(|path| !seen.insert(path.to_ascii_lowercase()));
    twice.map(|path| format!("{path}: another name differs only by case")).collect()
}

/// The library's message without a prefix that it puts before the reason.
fn reason(error: &zip::result::ZipError) -> String {
    let text = error.to_string();
    text.trim_start_matches("header inconsistency detected: ").to_owned()
}
