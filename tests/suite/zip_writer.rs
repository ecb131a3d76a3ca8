//! Writes zips byte by byte: as other systems' programs do, and so that a test can change any field.

use std::io::Write;

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

use crate::support::Files;

pub const STORED: u16 = 0;
pub const DEFLATED: u16 = 8;
const DESCRIPTOR: u16 = 1 << 3;

/// The systems that programs name in a zip.
const UNIX: u8 = 3;
pub const MS_DOS: u8 = 0;

/// The fields in the headers of an entry, so that a test can change them.
#[derive(Clone, Default)]
pub struct Headers {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub packed: u32,
    pub size: u32,
    pub extra: Vec<u8>,
}

/// An entry of a zip that a test assembles byte by byte.
#[derive(Clone)]
pub struct Entry {
    pub local: Headers,
    pub listed: Headers,
    pub content: Vec<u8>,
    /// The descriptor after the content, if any.
    pub descriptor: Vec<u8>,
    pub attributes: u32,
    pub comment: Vec<u8>,
    /// The system that the list names.
    pub system: u8,
}

pub fn u16s(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn u32s(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The descriptor that belongs to some headers.
pub fn descriptor(of: &Headers) -> Vec<u8> {
    [b"PK\x07\x08".to_vec(), u32s(&[of.crc, of.packed, of.size])].concat()
}

impl Entry {
    pub fn new(name: &str, bytes: &[u8], method: u16) -> Self {
        let content = if method == STORED {
            bytes.to_vec()
        } else {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let (packed, size) = (content.len() as u32, bytes.len() as u32);
        let headers = Headers { name: name.into(), method, crc: crc(bytes), packed, size, ..Headers::default() };
        let (local, descriptor, comment) = (headers.clone(), Vec::new(), Vec::new());
        Self { local, listed: headers, content, descriptor, attributes: 0o100_644 << 16, comment, system: UNIX }
    }

    /// An entry as written by a program that cannot seek in its output.
    pub fn streamed(name: &str, bytes: &[u8], method: u16) -> Self {
        let mut entry = Self::new(name, bytes, method);
        entry.descriptor = descriptor(&entry.listed);
        (entry.local.crc, entry.local.packed, entry.local.size) = (0, 0, 0);
        (entry.local.flags, entry.listed.flags) = (DESCRIPTOR, DESCRIPTOR);
        entry
    }

    pub fn with_extra(mut self, local: &[u8], listed: &[u8]) -> Self {
        (self.local.extra, self.listed.extra) = (local.to_vec(), listed.to_vec());
        self
    }
}

fn fixed(of: &Headers) -> Vec<u8> {
    let (name, extra) = (of.name.len() as u16, of.extra.len() as u16);
    [u16s(&[20, of.flags, of.method, 0, 0x21]), u32s(&[of.crc, of.packed, of.size]), u16s(&[name, extra])].concat()
}

/// A zip's bytes, and the positions of its parts.
pub struct Zip {
    pub bytes: Vec<u8>,
    /// Where each entry starts.
    pub starts: Vec<usize>,
    /// Where each entry of the list starts.
    pub listed: Vec<usize>,
    pub end: usize,
}

pub fn zip(entries: &[Entry]) -> Zip {
    let (mut bytes, mut starts, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for Entry { local, content, descriptor, .. } in entries {
        starts.push(bytes.len());
        bytes
            .extend([b"PK\x03\x04".as_slice(), &fixed(local), &local.name, &local.extra, content, descriptor].concat());
    }
    let list = bytes.len();
    for (entry, start) in entries.iter().zip(&starts) {
        listed.push(bytes.len());
        let Entry { listed: of, attributes, comment, system, .. } = entry;
        let rest = [u16s(&[comment.len() as u16, 0, 0]), u32s(&[*attributes, *start as u32])].concat();
        bytes.extend(
            [b"PK\x01\x02\x1e".as_slice(), &[*system], &fixed(of), &rest, &of.name, &of.extra, comment].concat(),
        );
    }
    let (end, count) = (bytes.len(), entries.len() as u16);
    bytes.extend(b"PK\x05\x06");
    bytes.extend(u16s(&[0, 0, count, count]));
    bytes.extend(u32s(&[(end - list) as u32, list as u32]));
    bytes.extend(u16s(&[0]));
    Zip { bytes, starts, listed, end }
}

impl Zip {
    pub fn set_u16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Adds a comment of the whole zip, which its end record states.
    pub fn with_comment(&mut self, comment: &[u8]) {
        self.bytes.extend(comment);
        self.set_u16(self.end + 20, comment.len() as u16);
    }

    pub fn set_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

/// A folder's files as programs for Windows pack them, with the folder's name before theirs.
fn of_windows(top: &str, files: &Files, attributes: u32) -> Vec<Entry> {
    let entry = |(path, bytes): (&String, &Vec<u8>)| {
        let method = if bytes.is_empty() { STORED } else { DEFLATED };
        Entry { attributes, system: MS_DOS, ..Entry::new(&format!("{top}/{path}"), bytes, method) }
    };
    files.iter().map(entry).collect()
}

/// A folder as Explorer zips it ("Send to", "Compressed folder").
pub fn as_by_explorer(top: &str, files: &Files) -> Vec<Entry> {
    of_windows(top, files, 0x20)
}

/// As 7-Zip zips a folder on Windows: entries for folders, and NTFS's times in the list.
pub fn as_by_7zip(top: &str, files: &Files) -> Vec<Entry> {
    let times = [u16s(&[0x0a, 32]), vec![0; 4], u16s(&[1, 24]), vec![9; 24]].concat();
    let mut folders: Vec<String> = files.keys().filter_map(|path| Some(path.rsplit_once('/')?.0.to_owned())).collect();
    folders.dedup();
    let names = std::iter::once(format!("{top}/")).chain(folders.iter().map(|folder| format!("{top}/{folder}/")));
    let folder = |name: String| Entry { attributes: 0x10, system: MS_DOS, ..Entry::new(&name, b"", STORED) };
    let entries = names.map(folder).chain(of_windows(top, files, 0x20));
    entries.map(|entry| entry.with_extra(b"", &times)).collect()
}

/// As Compress-Archive of Windows PowerShell 5.1 zips a folder: `\` between folders.
pub fn as_by_powershell(top: &str, files: &Files) -> Vec<Entry> {
    let mut entries = of_windows(top, files, 0);
    for name in entries.iter_mut().flat_map(|entry| [&mut entry.local.name, &mut entry.listed.name]) {
        name.iter_mut().filter(|byte| **byte == b'/').for_each(|byte| *byte = b'\\');
    }
    entries
}
