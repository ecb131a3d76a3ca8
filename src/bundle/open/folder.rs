//! Reads a bundle's folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{Found, TOO_DEEP};
use crate::bundle::leftovers::is_leftover;
use crate::bundle::limits::{Budget, MAX_DEPTH};
use crate::bundle::{Error, MANIFEST, RESULTS, SUMS};

/// Reads every file below a folder, except leftovers of operating systems. What is too large or too deep for a bundle is
/// a problem, and is not read: the rest still shows what the bundle has in common with others.
pub(super) fn read(folder: &Path, found: &mut Found) -> Result<(), Error> {
    let (mut folders, mut budget) = (BTreeSet::new(), Budget::default());
    let mut entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            // Ignore unreadable leftovers: a trash folder may belong to another user.
            Err(e) if e.path().is_some_and(|path| is_leftover(&inside(folder, path))) => continue,
            Err(e) => {
                let path = e.path().unwrap_or(folder).to_owned();
                let source = e.into_io_error().unwrap_or_else(|| io::Error::other("a link to a folder above it"));
                return Err(Error::read(&path)(source));
            }
        };
        let (path, name) = (entry.path(), inside(folder, entry.path()));
        if entry.file_type().is_dir() {
            let name = name + "/";
            if entry.depth() <= MAX_DEPTH {
                folders.insert(name);
                continue;
            }
            entries.skip_current_dir();
            if is_leftover(&name) {
                found.leftovers.push(name);
            } else {
                found.problems.push(format!("{name} {TOO_DEEP}"));
            }
        } else if entry.file_type().is_file() {
            let is_left = is_leftover(&name);
            // A leftover is not read, so its size does not matter.
            let size = if is_left { 0 } else { fs::symlink_metadata(path).map_err(Error::read(path))?.len() };
            let is_small = found.has_room_for(&name, size, &mut budget).map_err(|why| Error::refused(path, why))?;
            if is_left {
                found.leftovers.push(name);
            } else if is_small {
                found.files.insert(name, fs::read(path).map_err(Error::read(path))?);
            }
        } else {
            found.problems.push(format!("{name}: a link or special file, not a plain file"));
        }
    }
    found.empty_folders(&folders);
    Ok(())
}

/// The path below a folder, separated by `/` on every system, as in SHA256SUMS.
fn inside(folder: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The bundle's own folder: `folder`, or the only folder in it, as programs that unpack zips create it. Leftovers of
/// operating systems beside it are added to `leftovers`.
pub(super) fn locate(folder: &Path, leftovers: &mut Vec<String>) -> PathBuf {
    let mut here = folder.to_owned();
    let mut beside = Vec::new();
    for _ in 0..=MAX_DEPTH {
        if [SUMS, MANIFEST, RESULTS].iter().any(|name| here.join(name).exists()) {
            leftovers.extend(beside);
            return here;
        }
        let Ok(entries) = fs::read_dir(&here) else { break };
        let (mut own, mut is_alone) = (None, true);
        for entry in entries.flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned() + if is_folder { "/" } else { "" };
            if is_leftover(&name) {
                beside.push(name);
            } else {
                is_alone &= is_folder && own.is_none();
                own = Some(entry.path());
            }
        }
        match own {
            Some(own) if is_alone => here = own,
            _ => break,
        }
    }
    folder.to_owned()
}
