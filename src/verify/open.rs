//! Reading a bundle from a folder, trusting nothing in it.
//!
//! Owns limits, and what may lie in a bundle's folder: plain files under plain names.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::bundle::{self, Files};

/// The largest file, and all files together; weights of networks that studies train stay far below.
const MAX_FILE: u64 = 256 << 20;
const MAX_TOTAL: u64 = 1 << 30;
const MAX_FILES: usize = 10_000;
const MAX_DEPTH: usize = 4;

/// A bundle's bytes, and what is in its place that should not be.
pub struct Opened {
    pub files: Files,
    pub problems: Vec<String>,
}

impl Opened {
    /// Reads a bundle.
    ///
    /// # Errors
    /// A path that cannot be read or is no bundle, or one beyond the limits.
    pub fn read(path: &Path) -> Result<Self> {
        let meta = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(meta.is_dir(), "{} is not a bundle's folder", path.display());
        let mut opened = Opened { files: Files::new(), problems: Vec::new() };
        let mut total = 0;
        read_folder(path, "", 0, &mut opened, &mut total)?;
        let known = [bundle::SUMS, bundle::MANIFEST, bundle::RESULTS];
        if !known.iter().any(|name| opened.files.contains_key(*name)) {
            bail!(
                "{} is no bundle: it has none of {}; name a folder that `mnist-report build` made",
                path.display(),
                known.join(", ")
            );
        }
        Ok(opened)
    }
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
