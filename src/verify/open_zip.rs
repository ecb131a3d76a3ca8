//! Reading a bundle from a zip, trusting nothing in it; nothing is written to disk.
//!
//! Owns what is refused: a zip that cannot be read, or one beyond the limits, is an error; one that can be read but
//! holds what does not belong into a bundle gives problems, which rung `files` reports.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use super::open::{MAX_FILE, MAX_FILES, MAX_TOTAL, Opened};
use crate::bundle::{self, Files};

/// How many times its packed size a file may unpack to; text packs to a tenth or a twentieth.
const MAX_RATIO: u64 = 200;
/// Below this a file may unpack from any size: ten thousand equal predictions are a few bytes.
const ANY_RATIO: u64 = 1 << 20;
/// The record that ends a zip, without its comment.
const END_SIZE: usize = 22;
const END_MAGIC: &[u8; 4] = b"PK\x05\x06";
/// The bits of a Unix mode that tell plain files and folders from links and devices.
const KIND: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Reads a zip's files and what is wrong with them.
pub fn read(path: &Path) -> Result<Opened> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    // The headers take their room, too; a bundle at its limits still fits.
    ensure!(size <= MAX_TOTAL + MAX_TOTAL / 16, "{} is larger than any bundle's zip", path.display());
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    unpack(&bytes).with_context(|| path.display().to_string())
}

fn unpack(bytes: &[u8]) -> Result<Opened> {
    let mut opened = Opened::default();
    let mut archive = open(bytes, &mut opened.problems)?;
    check_limits(&archive)?;
    if let Err(e) = archive.validate_header_consistency() {
        opened.problems.push(format!("the zip contradicts itself: {}", reason(&e)));
    }
    let mut folders = BTreeSet::new();
    for i in 0..archive.len() {
        if let Err(problem) = read_entry(&mut archive, i, &mut opened.files, &mut folders) {
            opened.problems.push(format!("{problem:#}"));
        }
    }
    for folder in &folders {
        if !opened.files.keys().any(|path| path.starts_with(folder.as_str())) {
            opened.problems.push(format!("{}: an empty folder", folder.trim_end_matches('/')));
        }
    }
    opened.problems.extend(same_but_for_case(&opened.files));
    strip_top_folder(&mut opened.files);
    Ok(opened)
}

/// Finds the list of entries; bytes after its end are a problem.
fn open<'a>(bytes: &'a [u8], problems: &mut Vec<String>) -> Result<Archive<'a>> {
    const NO_ZIP: &str = "is no zip, or a cut-off one: have it sent again";
    let from = bytes.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    let end = bytes[from..].windows(END_MAGIC.len()).rposition(|w| w == END_MAGIC).map(|at| from + at);
    let end = end.filter(|at| at + END_SIZE <= bytes.len()).context(NO_ZIP)?;
    let u16_at = |at: usize| u16::from_le_bytes([bytes[end + at], bytes[end + at + 1]]);
    let u32_at = |at: usize| u64::from(u16_at(at)) + (u64::from(u16_at(at + 2)) << 16);
    let (entries, list_size, list_start, comment) = (u16_at(10), u32_at(12), u32_at(16), usize::from(u16_at(20)));
    // Before the list is read: it costs memory for each entry that is claimed.
    ensure!(usize::from(entries) <= MAX_FILES, "lists {entries} entries; a bundle has at most {MAX_FILES}");
    // Else the list lies elsewhere than this says, and another program would see another zip.
    ensure!(u16_at(4) == 0 && u16_at(6) == 0 && list_start + list_size == end as u64, NO_ZIP);
    let after = bytes.len() - end - END_SIZE;
    if after > 0 {
        problems.push(format!("{after} bytes after the zip's end"));
    }
    let whole = if after == comment { bytes } else { &bytes[..end + END_SIZE] };
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    ZipArchive::with_config(config, Cursor::new(whole)).map_err(|e| anyhow::anyhow!("{NO_ZIP} ({})", reason(&e)))
}

/// Holds what the entries claim against the limits, before anything is unpacked.
fn check_limits(archive: &Archive) -> Result<()> {
    let mut total = 0u64;
    for i in 0..archive.len() {
        let entry = archive.by_index_data(i)?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let (size, packed) = (entry.size(), entry.compressed_size());
        total = total.saturating_add(size);
        ensure!(
            size <= MAX_FILE && total <= MAX_TOTAL,
            "{name:?} is beyond what a bundle holds ({} MiB a file, {} MiB in all)",
            MAX_FILE >> 20,
            MAX_TOTAL >> 20
        );
        ensure!(
            size <= ANY_RATIO || size / MAX_RATIO <= packed,
            "{name:?} claims to unpack from {packed} bytes to {size}: no bundle does"
        );
    }
    Ok(())
}

fn read_entry(archive: &mut Archive, i: usize, files: &mut Files, folders: &mut BTreeSet<String>) -> Result<()> {
    let entry = archive.by_index_data(i)?;
    let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
    ensure!(!entry.encrypted(), "{name:?} is encrypted");
    let is_folder = name.ends_with('/');
    let kind = entry.unix_mode().map_or(0, |mode| mode & KIND);
    ensure!(
        kind == 0 || kind == if is_folder { FOLDER } else { PLAIN },
        "{name:?} is a link or special file, where a plain file belongs"
    );
    ensure!(
        bundle::is_inside(name.trim_end_matches('/')) && !name.ends_with("//"),
        "{name:?} is no name for a file inside a bundle"
    );
    let size = entry.size();
    if is_folder {
        ensure!(size == 0, "{name:?} is a folder with content");
        folders.insert(name);
        return Ok(());
    }
    let file = archive.by_index(i).map_err(|e| anyhow::anyhow!("{name}: {}", reason(&e)))?;
    let mut bytes = Vec::new();
    // One byte more than it claims: what is longer shows without being read whole.
    file.take(size + 1).read_to_end(&mut bytes).with_context(|| format!("{name}: damaged"))?;
    ensure!(bytes.len() as u64 == size, "{name}: damaged: {size} bytes claimed, others found");
    files.insert(name, bytes);
    Ok(())
}

/// Names that some systems take for one.
fn same_but_for_case(files: &Files) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let twice = files.keys().filter(|path| !seen.insert(path.to_ascii_lowercase()));
    twice.map(|path| format!("{path}: another name differs only by case")).collect()
}

/// A bundle's folder packed by hand lies under its name; what counts is what is in it.
fn strip_top_folder(files: &mut Files) {
    let Some(top) = files.keys().next().and_then(|path| path.split_once('/')).map(|(top, _)| format!("{top}/")) else {
        return;
    };
    if files.contains_key(&format!("{top}{}", bundle::SUMS)) && files.keys().all(|path| path.starts_with(&top)) {
        *files = std::mem::take(files).into_iter().map(|(path, bytes)| (path[top.len()..].to_owned(), bytes)).collect();
    }
}

/// What the library says, without its own prefix.
fn reason(error: &zip::result::ZipError) -> String {
    let text = error.to_string();
    text.trim_start_matches("header inconsistency detected: ").to_owned()
}
