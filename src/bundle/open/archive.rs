//! The structure of a zip. Accepts its list of entries only if every program that unpacks the zip finds the same files.
//!
//! Some programs read the list at the end, some the headers before each file, some search for the end from one side,
//! some from the other. So all of these must agree, and there must be no byte that only some programs read: the entries
//! follow each other from the first byte on, then comes the list, then the end record.

use std::collections::BTreeSet;
use std::fs::File;

use super::bytes::{NOT_A_ZIP, bytes_at, u16_at, u32_at};
use super::entry::{CENTRAL_MAGIC, Central, DESCRIPTOR_SIZE, Entry};
use crate::bundle::limits::{MAX_FILES, MAX_LIST, MAX_NAME};
use crate::text::numbers::plural;

/// Number of bytes in the record at the end of a zip, without its comment.
const END_SIZE: usize = 22;
const END_MAGIC: &[u8] = b"PK\x05\x06";
/// The size of the record, before the usual end record, that locates the end record of zip64.
const LOCATOR_SIZE: usize = 20;
const LOCATOR_MAGIC: &[u8] = b"PK\x06\x07";

/// A zip. It is read in pieces, because it may be as large as memory.
pub(super) struct Archive<'a> {
    pub(super) file: &'a File,
    pub(super) entries: Vec<Entry>,
    /// Everything that two programs could read differently. If there is anything, no entry may be unpacked.
    pub(super) contradictions: Vec<String>,
}

impl<'a> Archive<'a> {
    /// Reads the structure of a zip of `len` bytes. Fails with the reason if it is not a zip.
    pub(super) fn open(file: &'a File, len: u64) -> Result<Self, String> {
        let end = End::find(file, len)?;
        let list = bytes_at(file, end.list_start, end.list_size)?;
        let mut archive = Self { file, entries: Vec::new(), contradictions: end.contradictions };
        let mut rest = list.as_slice();
        while !rest.is_empty() {
            if archive.entries.len() > MAX_FILES {
                return Err(format!("lists more entries than its end record; a bundle has at most {MAX_FILES}"));
            }
            let Some((central, after)) = Central::parse(rest) else {
                if archive.entries.is_empty() {
                    return Err(NOT_A_ZIP.to_owned());
                }
                archive.contradictions.push("its list of entries does not end at its end record".to_owned());
                break;
            };
            rest = after;
            archive.entries.push(central.into_entry(&mut archive.contradictions));
        }
        if archive.entries.len() != end.count {
            let found = archive.entries.len();
            archive.contradictions.push(format!("its end record counts {} entries, its list has {found}", end.count));
        }
        archive.check_order(end.list_start)?;
        archive.separate_folders();
        archive.check_names();
        Ok(archive)
    }

    /// Checks that the entries fill the zip up to its list, and that their own headers agree with the list.
    fn check_order(&mut self, list_start: u64) -> Result<(), String> {
        self.entries.sort_by_key(|entry| entry.start);
        let mut at = 0;
        for entry in &mut self.entries {
            if entry.start != at {
                let what = if entry.start > at { "bytes outside any entry before" } else { "another entry overlaps" };
                self.contradictions.push(format!("{what} {}", entry.shown()));
                return Ok(());
            }
            if let Err(why) = entry.read_local(self.file, list_start)? {
                self.contradictions.push(format!("{}: {why}", entry.shown()));
                return Ok(());
            }
            at = entry.data + entry.packed + if entry.has_descriptor() { DESCRIPTOR_SIZE as u64 } else { 0 };
        }
        if at != list_start {
            self.contradictions.push("bytes outside any entry before its list of entries".to_owned());
        }
        Ok(())
    }

    /// Reads `\` between folders as `/` in a zip of Windows PowerShell's Compress-Archive: all entries are of MS-DOS, and none has
    /// `/` in its name, so that no two names can mean one place. A program that keeps `\` unpacks the same files under these names.
    fn separate_folders(&mut self) {
        if self.entries.iter().all(|entry| entry.is_of_ms_dos() && !entry.name.contains(&b'/')) {
            let names = self.entries.iter_mut().flat_map(|entry| &mut entry.name);
            names.filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
        }
    }

    /// Checks that no two entries are for the same place.
    fn check_names(&mut self) {
        // Each would be compared at each of its slashes.
        if let Some(entry) = self.entries.iter().find(|entry| entry.name.len() > MAX_NAME) {
            self.contradictions.push(format!("{}: a name of more than {MAX_NAME} bytes", entry.shown()));
            return;
        }
        let mut seen = BTreeSet::new();
        for entry in &self.entries {
            if !seen.insert(entry.name.as_slice()) {
                self.contradictions.push(format!("{}: duplicate: two entries have this name", entry.shown()));
            }
        }
        for entry in &self.entries {
            let folders = entry.name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            if folders.into_iter().any(|at| seen.contains(&entry.name[..at])) {
                self.contradictions.push(format!("{}: a folder above it is also a file", entry.shown()));
            }
        }
    }
}

/// The record that ends a zip.
struct End {
    count: usize,
    list_start: u64,
    list_size: u64,
    contradictions: Vec<String>,
}

impl End {
    /// Finds the record. Fails with the reason if there is none, or if the list of entries is not immediately before
    /// it.
    fn find(file: &File, len: u64) -> Result<Self, String> {
        let tail_size = len.min((END_SIZE + usize::from(u16::MAX)) as u64);
        let tail = bytes_at(file, len - tail_size, tail_size)?;
        let fits = |at: &usize| at + END_SIZE <= tail.len() && tail[*at..].starts_with(END_MAGIC);
        let at = (0..tail.len()).rev().find(fits).ok_or(NOT_A_ZIP)?;
        let position = len - tail_size + at as u64;
        let record = Record::parse(&tail[at..]);
        let Record { count, list_start, list_size, .. } = record;
        // Check this before the list is read, because that allocates memory for each entry.
        if count > MAX_FILES || list_size > MAX_LIST {
            return Err(format!("lists {count} entries; a bundle has at most {MAX_FILES}"));
        }
        let mut contradictions = Vec::new();
        let is_in_place = list_start + list_size == position;
        // Programs that search for the list unpack it wherever it is, so bytes before it or after it do not make it another file.
        let is_list = |at: &u64| bytes_at(file, *at, 4).is_ok_and(|bytes| bytes.starts_with(CENTRAL_MAGIC));
        let list_start = [list_start, position.saturating_sub(list_size)].into_iter().find(is_list);
        // A zip without entries has no list.
        let list_start = list_start.or((count == 0).then_some(position)).ok_or(NOT_A_ZIP)?;
        if !is_in_place || !record.is_one_disk {
            let why = if is_in_place { "that it is one of several" } else { "that its list of entries is elsewhere" };
            contradictions.push(format!("its end record says {why}"));
        }
        let after = &tail[at + END_SIZE..];
        let is_allowed = after.is_empty() || record.comment == after.len() && is_hash_of_git(after);
        if !is_allowed {
            contradictions.push(format!("{} after the zip's end", plural(after.len(), "byte")));
        } else if record.comment != after.len() {
            contradictions.push("its end record states a comment that is not there".to_owned());
        }
        // A program that searches from the front must not find another record first.
        let is_other = |other: &usize| {
            let record = fits(other).then(|| Record::parse(&tail[*other..]));
            record.is_some_and(|r| {
                let end = other + END_SIZE + r.comment;
                end <= tail.len() && r.list_start + r.list_size <= len - tail_size + *other as u64
            })
        };
        if (0..at).any(|other| is_other(&other)) {
            contradictions.push("a second end record before its end record".to_owned());
        }
        if at >= LOCATOR_SIZE && tail[at - LOCATOR_SIZE..].starts_with(LOCATOR_MAGIC) {
            contradictions.push("a zip64 record, which no bundle needs".to_owned());
        }
        Ok(Self { count, list_start, list_size, contradictions })
    }
}

/// Whether a zip's comment is the hash of a commit: `git archive` puts it there, and so do hosts of code that pack a repository.
fn is_hash_of_git(comment: &[u8]) -> bool {
    [40, 64].contains(&comment.len()) && comment.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The fields of an end record.
struct Record {
    count: usize,
    list_start: u64,
    list_size: u64,
    comment: usize,
    is_one_disk: bool,
}

impl Record {
    fn parse(bytes: &[u8]) -> Self {
        let count = usize::from(u16_at(bytes, 10));
        Self {
            count,
            list_size: u64::from(u32_at(bytes, 12)),
            list_start: u64::from(u32_at(bytes, 16)),
            comment: usize::from(u16_at(bytes, 20)),
            is_one_disk: u16_at(bytes, 4) == 0 && u16_at(bytes, 6) == 0 && usize::from(u16_at(bytes, 8)) == count,
        }
    }
}
