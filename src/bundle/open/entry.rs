//! An entry of a zip: its fields in the list, its own header and its data descriptor, and its content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::bytes::{NOT_A_ZIP, bytes_at, u16_at, u32_at};

pub(super) const CENTRAL_MAGIC: &[u8] = b"PK\x01\x02";
const CENTRAL_SIZE: usize = 46;
const LOCAL_MAGIC: &[u8] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const DESCRIPTOR_MAGIC: &[u8] = b"PK\x07\x08";
pub(super) const DESCRIPTOR_SIZE: usize = 16;

/// Flags of an entry: encrypted, sizes only in a data descriptor after the content, name in UTF-8.
const ENCRYPTED: u16 = 1;
const DESCRIPTOR: u16 = 1 << 3;
const UTF_8: u16 = 1 << 11;
/// The compression level. Programs that unpack ignore it.
const EFFORT: u16 = 0b110;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The bits of a Unix mode that distinguish plain files and folders from links and devices.
const FILE_TYPE: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;
/// The attribute of a folder in MS-DOS.
const DOS_FOLDER: u32 = 0x10;
/// A volume label, which unzip skips, a device, and a reparse point, which is a link.
const DOS_SPECIAL: u32 = 0x08 | 0x40 | 0x400;
/// Bits of a Unix mode that no file of a bundle has. 7-Zip takes one of them for a folder in a zip by an Amiga.
const SET_ID: u32 = 0o7000;

/// Extra fields that contain only times and owners, with their maximum size: three of Info-ZIP, NTFS's and that of old
/// Macs; and the empty one of `jar`. Other fields may contain another name, size or kind of file.
const EXTRA_FIELDS: [(u16, usize); 6] =
    [(0x5455, 13), (0x7875, 24), (0x7855, 4), (0x5855, 16), (0x000a, 32), (0xcafe, 0)];

/// The newest version of the format that all programs support, 4.6. Info-ZIP's unzip skips an entry that requires a newer one, others
/// unpack it.
const NEWEST_VERSION: u8 = 46;
/// The system in the same field that unzip asks about before it unpacks an entry: VMS.
const VMS: u8 = 2;

const BLOCK: usize = 64 << 10;

/// An entry. `data` and everything that the entry's own header states is known after [`Entry::read_local`].
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    pub(super) packed: u64,
    flags: u16,
    method: u16,
    crc: u32,
    attributes: u32,
    /// The system whose attributes it has, by the list: 0 is MS-DOS, which programs for Windows write.
    system: u8,
    /// Where the entry's own header starts.
    pub(super) start: u64,
    /// Where the packed content starts.
    pub(super) data: u64,
}

/// An entry as the list describes it.
pub(super) struct Central<'a> {
    fixed: &'a [u8],
    name: &'a [u8],
    extra: &'a [u8],
    comment: &'a [u8],
}

impl<'a> Central<'a> {
    /// The first entry of a list, and the rest of the list.
    pub(super) fn parse(list: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (fixed, rest) =
            list.split_at_checked(CENTRAL_SIZE).filter(|(fixed, _)| fixed.starts_with(CENTRAL_MAGIC))?;
        let (name, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 28)))?;
        let (extra, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 30)))?;
        let (comment, rest) = rest.split_at_checked(usize::from(u16_at(fixed, 32)))?;
        Some((Self { fixed, name, extra, comment }, rest))
    }

    pub(super) fn into_entry(self, contradictions: &mut Vec<String>) -> Entry {
        let Self { fixed, name, extra, comment } = self;
        let entry = Entry {
            name: name.to_owned(),
            flags: u16_at(fixed, 8),
            method: u16_at(fixed, 10),
            crc: u32_at(fixed, 16),
            packed: u64::from(u32_at(fixed, 20)),
            size: u64::from(u32_at(fixed, 24)),
            attributes: u32_at(fixed, 38),
            system: fixed[5],
            start: u64::from(u32_at(fixed, 42)),
            data: 0,
        };
        let mut found = |why: &str| contradictions.push(format!("{}: {why}", entry.shown()));
        if !comment.is_empty() {
            found("has a comment");
        }
        if fixed[6] > NEWEST_VERSION || fixed[7] == VMS {
            found("needs a newer program to unpack it");
        }
        if u16_at(fixed, 34) != 0 {
            found("is on another disk");
        }
        if let Some(id) = unknown_extra(extra) {
            found(&format!("extra field {id:#06x}, which may change what is unpacked"));
        }
        entry
    }
}

impl Entry {
    /// The name, for messages.
    pub(super) fn shown(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.name))
    }

    pub(super) fn has_descriptor(&self) -> bool {
        self.flags & DESCRIPTOR != 0
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    pub(super) fn is_of_ms_dos(&self) -> bool {
        self.system == 0
    }

    pub(super) fn is_folder(&self) -> bool {
        self.name.ends_with(b"/")
    }

    /// Whether every system unpacks the entry as a plain file or, if it has the name of a folder, as a folder.
    pub(super) fn is_plain(&self) -> bool {
        // Some programs read the Unix mode whichever system the entry names.
        let mode = self.attributes >> 16;
        let file_type = mode & FILE_TYPE;
        if self.attributes & DOS_SPECIAL != 0 {
            false
        } else if self.is_folder() {
            file_type == 0 || file_type == FOLDER
        } else {
            (file_type == 0 || file_type == PLAIN) && mode & SET_ID == 0 && self.attributes & DOS_FOLDER == 0
        }
    }

    /// Reads the entry's own header, and the data descriptor after its content. The inner error describes how they
    /// contradict the list, which starts at `list_start`.
    pub(super) fn read_local(&mut self, file: &File, list_start: u64) -> Result<Result<(), String>, String> {
        let fits = |end: u64| end <= list_start;
        if !fits(self.start + LOCAL_SIZE as u64) {
            return Ok(Err("its header is not before the list of entries".to_owned()));
        }
        let fixed = bytes_at(file, self.start, LOCAL_SIZE as u64)?;
        let (name, extra) = (u64::from(u16_at(&fixed, 26)), u64::from(u16_at(&fixed, 28)));
        self.data = self.start + LOCAL_SIZE as u64 + name + extra;
        let end = self.data + self.packed;
        if !fixed.starts_with(LOCAL_MAGIC)
            || !fits(end + if self.has_descriptor() { DESCRIPTOR_SIZE as u64 } else { 0 })
        {
            return Ok(Err("its header and content are not before the list of entries".to_owned()));
        }
        let names = bytes_at(file, self.start + LOCAL_SIZE as u64, name + extra)?;
        let (name, extra) = names.split_at(name as usize);
        if name != self.name {
            return Ok(Err(format!("its own header names it {:?}", String::from_utf8_lossy(name))));
        }
        if let Some(id) = unknown_extra(extra) {
            return Ok(Err(format!("extra field {id:#06x}, which may change what is unpacked")));
        }
        if fixed[4] > NEWEST_VERSION || fixed[5] == VMS {
            return Ok(Err("needs a newer program to unpack it".to_owned()));
        }
        if let Err(why) = self.agrees(&fixed) {
            return Ok(Err(why.to_owned()));
        }
        if !self.has_descriptor() {
            return Ok(Ok(()));
        }
        let descriptor = bytes_at(file, end, DESCRIPTOR_SIZE as u64)?;
        let stated = [u32_at(&descriptor, 4), u32_at(&descriptor, 8), u32_at(&descriptor, 12)];
        let is_right = descriptor.starts_with(DESCRIPTOR_MAGIC) && stated == self.sums();
        Ok(if is_right { Ok(()) } else { Err("the descriptor after its content is not as listed".to_owned()) })
    }

    /// Compares the fixed part of the entry's own header with the list.
    fn agrees(&self, fixed: &[u8]) -> Result<(), &'static str> {
        if u16_at(fixed, 6) & !EFFORT != self.flags & !EFFORT || u16_at(fixed, 8) != self.method {
            return Err("its own header states another method or other flags than the list");
        }
        if self.flags & !(EFFORT | ENCRYPTED | DESCRIPTOR | UTF_8) != 0 || ![STORED, DEFLATED].contains(&self.method) {
            return Err("is packed by a method that no bundle needs: pack it again as a plain zip");
        }
        if self.method == STORED && self.packed != self.size && !self.is_encrypted() {
            return Err("is stored, but its two sizes differ");
        }
        let stated = [u32_at(fixed, 14), u32_at(fixed, 18), u32_at(fixed, 22)];
        // With a data descriptor, these may be 0 in the header.
        let is_right = |(stated, listed): (&u32, &u32)| stated == listed || (self.has_descriptor() && *stated == 0);
        if !stated.iter().zip(&self.sums()).all(is_right) {
            return Err("its own header states another size or checksum than the list");
        }
        Ok(())
    }

    /// Checksum, packed size and size, in the order of the headers.
    fn sums(&self) -> [u32; 3] {
        [self.crc, self.packed as u32, self.size as u32]
    }

    /// The content. Fails with the reason if it differs from the list.
    pub(super) fn content(&self, file: &File) -> Result<Vec<u8>, String> {
        let content = if self.method == STORED { self.stored(file)? } else { self.inflated(file)? };
        if content.len() as u64 != self.size {
            return Err(format!("its size is not the {} bytes that the zip lists", self.size));
        }
        let mut crc = Crc::new();
        crc.update(&content);
        if crc.sum() != self.crc {
            return Err("its checksum is not the one that the zip lists".to_owned());
        }
        Ok(content)
    }

    fn stored(&self, file: &File) -> Result<Vec<u8>, String> {
        let content = bytes_at(file, self.data, self.packed)?;
        // A program that reads the zip as a stream ends the content at the first matching descriptor.
        let ends_at = |at: usize| {
            let sizes = content.get(at + 8..at + DESCRIPTOR_SIZE).map(|b| [u32_at(b, 0), u32_at(b, 4)]);
            content[at..].starts_with(DESCRIPTOR_MAGIC) && sizes.is_some_and(|sizes| sizes.contains(&(at as u32)))
        };
        if self.has_descriptor() && (0..content.len()).any(ends_at) {
            return Err("its content looks like the end of an entry".to_owned());
        }
        Ok(content)
    }

    fn inflated(&self, file: &File) -> Result<Vec<u8>, String> {
        let damaged = |why: &str| format!("its packed content is damaged: {why}");
        let mut inflate = Decompress::new(false);
        let (mut content, mut block) = (Vec::new(), vec![0; BLOCK]);
        // One byte more than listed is enough to detect a longer file without unpacking all of it.
        content.try_reserve_exact(self.size as usize + 1).map_err(|_| "needs more memory than there is".to_owned())?;
        loop {
            let (read, left) = (inflate.total_in(), self.packed - inflate.total_in());
            let piece = &mut block[..left.min(BLOCK as u64) as usize];
            file.read_exact_at(piece, self.data + read).map_err(|e| read_error(&e))?;
            let before = content.len();
            let status = inflate.decompress_vec(piece, &mut content, FlushDecompress::None);
            match status.map_err(|e| damaged(&e.to_string()))? {
                Status::StreamEnd if inflate.total_in() == self.packed => return Ok(content),
                Status::StreamEnd => return Err(damaged("bytes after its end")),
                _ if content.len() as u64 > self.size => return Err(damaged("it is longer than listed")),
                _ if inflate.total_in() == read && content.len() == before => return Err(damaged("it does not end")),
                _ => {}
            }
        }
    }
}

fn read_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => NOT_A_ZIP.to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// The ID of the first extra field with anything except times and owners; 0 if the bytes are not extra fields.
fn unknown_extra(mut extra: &[u8]) -> Option<u16> {
    let mut seen = Vec::new();
    while !extra.is_empty() {
        if extra.len() < 4 {
            return Some(0);
        }
        let (id, size) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let is_known = EXTRA_FIELDS.iter().any(|(known, most)| *known == id && size <= *most);
        if !is_known || size > extra.len() - 4 || seen.contains(&id) {
            return Some(id);
        }
        seen.push(id);
        extra = &extra[4 + size..];
    }
    None
}
