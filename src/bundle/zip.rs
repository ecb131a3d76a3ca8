//! Packs a bundle into a zip. The same bundle gives the same bytes on every machine.
//!
//! The files are at the top of the zip, with a copy of report.html as index.html, so that a static host shows the
//! report. run-log.json is left out, because it differs from build to build.

use std::io::{Cursor, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{Error, Files, INDEX, REPORT, RUN_LOG, is_optional};

/// Packs a bundle's files; `lean` leaves out the optional folders.
pub(super) fn pack(files: &Files, lean: bool) -> Result<Vec<u8>, Error> {
    let mut packed: Files = files.clone();
    packed.retain(|path, _| path != RUN_LOG && !(lean && is_optional(path)));
    if let Some(report) = files.get(REPORT) {
        packed.insert(INDEX.to_owned(), report.clone());
    }
    // Do not compress: a compressor's output depends on its version, and sometimes on the CPU. Weights and evidence,
    // which are most of a bundle, would hardly shrink.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in &packed {
        zip.start_file(path.as_str(), options)?;
        zip.write_all(bytes).map_err(ZipError::from)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256_hex;

    fn bundle() -> Files {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        [
            file("SHA256SUMS", "sums\n"),
            file("report.html", "<!doctype html>\n"),
            file("run-log.json", "{}"),
            file("weights/a.safetensors", "weights"),
        ]
        .into()
    }

    #[test]
    fn the_bytes_are_pinned() {
        // Another hash here means that a library or an edit changed every published zip.
        let zip = pack(&bundle(), false).unwrap();
        assert_eq!(sha256_hex(&zip), "593c6f8b637fc315b8aa12033b4aff758776fdffdf48dea7df337c27d81f9f84");
        assert_eq!(zip, pack(&bundle(), false).unwrap());
        assert!(!zip.windows(12).any(|w| w == b"run-log.json"));
    }

    #[test]
    fn a_lean_zip_has_no_weights() {
        let zip = pack(&bundle(), true).unwrap();
        assert!(!zip.windows(8).any(|w| w == b"weights/"));
        assert!(zip.windows(10).any(|w| w == b"index.html"));
    }
}
