//! Reading a bundle from a folder or a zip, trusting nothing in it.
//!
//! Owns limits, what may lie in a bundle's folder (plain files under plain names), and what a bundle may hold or lack
//! beside what SHA256SUMS says: index.html, the report again; weights/ or evidence/, which a lean zip leaves out. How a
//! zip is read is `open_zip`'s.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::open_zip;
use crate::bundle::{self, Files, Listed, Listing, Sums};
use crate::digest::sha256_hex;

/// The largest file, and all files together; weights of networks that studies train stay far below.
pub(super) const MAX_FILE: u64 = 256 << 20;
pub(super) const MAX_TOTAL: u64 = 1 << 30;
pub(super) const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 4;

/// A bundle's bytes, and what is in its place that should not be.
#[derive(Debug, Default)]
pub struct Opened {
    pub files: Files,
    pub problems: Vec<String>,
    /// What a lean zip was published without: as SHA256SUMS and the crate state it, nobody has checked it.
    pub left_out: Listing,
}

impl Opened {
    /// Reads a bundle: its folder, or its zip as it is.
    ///
    /// # Errors
    /// A path that cannot be read or is no bundle, or one beyond the limits.
    pub fn read(path: &Path) -> Result<Self> {
        let meta = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut opened = if meta.is_dir() {
            let (mut opened, mut total) = (Self::default(), 0);
            read_folder(path, "", 0, &mut opened, &mut total)?;
            opened
        } else {
            ensure!(meta.is_file(), "{} is neither a bundle's folder nor its zip", path.display());
            open_zip::read(path)?
        };
        let known = [bundle::SUMS, bundle::MANIFEST, bundle::RESULTS];
        if !known.iter().any(|name| opened.files.contains_key(*name)) {
            bail!(
                "{} is no bundle: it has none of {}; name a folder that `mnist-report build` made, or its zip",
                path.display(),
                known.join(", ")
            );
        }
        opened.take_index();
        // Leaving out is a zip's privilege: in a folder, a missing file is one that was lost.
        if meta.is_file() {
            opened.left_out = left_out(&opened.files);
        }
        Ok(opened)
    }

    /// The SHA-256 of a file: computed, or of one that was left out the stated one.
    pub fn sha256(&self, path: &str) -> Option<String> {
        let stated = || self.left_out.get(path).map(|listed| listed.sha256.clone());
        self.files.get(path).map(|bytes| sha256_hex(bytes)).or_else(stated)
    }

    /// Whether a folder (`weights/`) was left out by `publish --lean`: what needs it cannot be checked.
    pub fn leaves_out(&self, folder: &str) -> bool {
        self.left_out.keys().any(|path| path.starts_with(folder))
    }

    /// Takes out the report's copy for static hosts, which stands outside SHA256SUMS.
    fn take_index(&mut self) {
        if let Some(index) = self.files.remove(bundle::INDEX)
            && self.files.get(bundle::REPORT) != Some(&index)
        {
            self.problems.push(format!("{} is not {}, of which it is to be a copy", bundle::INDEX, bundle::REPORT));
        }
    }
}

/// The files of SHA256SUMS in folders that are wholly absent, as far as a lean zip may do without them.
fn left_out(files: &Files) -> Listing {
    let sums = files.get(bundle::SUMS).and_then(|sums| Sums::parse(std::str::from_utf8(sums).ok()?).ok());
    let sizes = files.get(bundle::CRATE).map(|bytes| bundle::stated_sizes(bytes)).unwrap_or_default();
    let absent = bundle::LEAVABLE.into_iter().filter(|folder| !files.keys().any(|path| path.starts_with(folder)));
    let absent: Vec<&str> = absent.collect();
    let stated = sums.map(|sums| sums.0).unwrap_or_default().into_iter();
    let left_out = stated.filter(|(path, _)| absent.iter().any(|folder| path.starts_with(folder)));
    left_out.map(|(path, sha256)| (path.clone(), Listed { sha256, bytes: sizes.get(&path).copied() })).collect()
}

fn read_folder(folder: &Path, name: &str, depth: usize, opened: &mut Opened, total: &mut u64) -> Result<()> {
    ensure!(depth <= MAX_DEPTH, "{} is more than {MAX_DEPTH} folders deep: no bundle", folder.display());
    let failed = || format!("cannot read {}", folder.display());
    let mut entries = fs::read_dir(folder).with_context(failed)?.collect::<Result<Vec<_>, _>>().with_context(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    if entries.is_empty() && depth > 0 {
        opened.problems.push(format!("{name}: an empty folder"));
    }
    for entry in entries {
        let own = entry.file_name().to_string_lossy().into_owned();
        let inner = if name.is_empty() { own } else { format!("{name}/{own}") };
        let kind = entry.file_type().with_context(failed)?;
        if kind.is_dir() {
            read_folder(&entry.path(), &inner, depth + 1, opened, total)?;
        } else if !kind.is_file() {
            opened.problems.push(format!("{inner}: a link or special file, where a plain file belongs"));
        } else {
            let path = entry.path();
            let size = entry.metadata().with_context(failed)?.len();
            *total += size;
            ensure!(
                size <= MAX_FILE && *total <= MAX_TOTAL && opened.files.len() < MAX_FILES,
                "{} is beyond what a bundle holds ({} MiB a file, {} MiB and {MAX_FILES} files in all)",
                path.display(),
                MAX_FILE >> 20,
                MAX_TOTAL >> 20
            );
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            opened.files.insert(inner, bytes);
        }
    }
    Ok(())
}
