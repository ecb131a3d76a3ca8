//! The published bundle: one zip, the same bytes from the same bundle on any machine.
//!
//! Owns what goes into it and in which form; reading one is `verify`'s. The files lie at its top, with report.html
//! again as index.html, so that a static host shows the report as it is. run-log.json is left out: it differs from
//! build to build, and nothing that differs may reach the zip.

use std::io::{Cursor, Write};

use anyhow::{Context, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{Files, RUN_LOG};

/// The report, as static hosts look for it.
pub const INDEX: &str = "index.html";
pub const REPORT: &str = "report.html";
/// The folders that a lean zip does without: what only the dear rungs of `verify` need.
pub const LEAVABLE: [&str; 2] = ["weights/", "evidence/"];

/// Packs a bundle's files; `lean` leaves out the folders that are `LEAVABLE`.
///
/// # Errors
/// Files beyond what a zip holds (4 GiB, 65,535 files): a bundle stays far below.
pub fn pack(files: &Files, lean: bool) -> Result<Vec<u8>> {
    let mut packed: Files = files.clone();
    packed.retain(|path, _| path != RUN_LOG && !(lean && is_leavable(path)));
    if let Some(report) = files.get(REPORT) {
        packed.insert(INDEX.to_owned(), report.clone());
    }
    // Stored, not deflated: a compressor's output changes with its version, and with some also with the CPU.
    // Weights and checkpoints, which are most of a bundle, would hardly shrink.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in &packed {
        zip.start_file(path.as_str(), options).with_context(|| format!("cannot pack {path}"))?;
        zip.write_all(bytes).with_context(|| format!("cannot pack {path}"))?;
    }
    Ok(zip.finish().context("cannot pack the bundle")?.into_inner())
}

/// Whether a lean zip does without a file.
pub fn is_leavable(path: &str) -> bool {
    LEAVABLE.iter().any(|folder| path.starts_with(folder))
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
