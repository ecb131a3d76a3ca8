//! Reads bytes and numbers of a zip.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

pub(super) const NOT_A_ZIP: &str = "is not a zip file, or was cut off: have it sent again";

/// Reads some bytes of a file. Fails with the reason, for example if the file ends too early.
pub(super) fn bytes_at(file: &File, start: u64, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, start).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => NOT_A_ZIP.to_owned(),
        _ => format!("cannot be read: {e}"),
    })?;
    Ok(bytes)
}

/// The number in two bytes, the lowest first.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The number in four bytes, the lowest first.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}
