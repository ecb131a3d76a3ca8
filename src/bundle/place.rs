//! Checks before training, which may take hours, that a bundle can be written to a folder.

use std::fs::{self, File};
use std::path::Path;

use walkdir::WalkDir;

use super::folders::{existing, is_bundle, is_mount_point, read_sums, resolved};
use super::leftovers::is_leftover;
use super::partial::{Partial, Reserved, is_partial};
use super::{Error, Files, INDEX, REPORT, RUN_LOG, SUMS, Sums};
use crate::digest::sha256_hex;

/// Refuses a place that contains anything except an unchanged bundle. A changed file is accepted if `files`, which will
/// be written, has the same content.
pub(crate) fn check_place(dir: &Path, files: &Files) -> Result<(), Error> {
    if let Some(bundle) = resolved(dir)?.parent().and_then(bundle_with) {
        let reason = format!(
            "is inside the bundle {}, which the build would change; name another folder with --out, or copy the study \
             out of the bundle",
            bundle.display()
        );
        return Err(Error::refused(dir, reason));
    }
    if !dir.exists() {
        return Ok(());
    }
    if !dir.is_dir() {
        return Err(Error::refused(dir, "is a file; --out names the bundle's folder"));
    }
    let dir = &resolved(dir)?;
    let entries = fs::read_dir(dir).map_err(Error::read(dir))?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let stranger = names.filter(|name| !is_partial(name) && !is_leftover(name)).min();
    if let Some(name) = stranger.filter(|_| !is_bundle(dir)) {
        let reason = format!(
            "contains something that is not a bundle, such as {name}; move it or name another folder with --out"
        );
        return Err(Error::refused(dir, reason));
    }
    check_links(dir)?;
    let Some(sums) = read_sums(dir) else { return Ok(()) };
    check_strangers(dir, &sums)?;
    let index = sums.0.get(REPORT).map(|hash| (INDEX, hash));
    for (path, hash) in sums.0.iter().map(|(path, hash)| (path.as_str(), hash)).chain(index) {
        let Ok(bytes) = fs::read(dir.join(path)) else { continue };
        if sha256_hex(&bytes) != *hash && files.get(path) != Some(&bytes) {
            let reason = "was changed since it was written, and the change would be lost; move it elsewhere first";
            return Err(Error::refused(&dir.join(path), reason));
        }
    }
    Ok(())
}

/// The bundle that a folder belongs to: the folder itself or the nearest one above it.
pub(super) fn bundle_with(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| is_bundle(folder))
}

/// Refuses a bundle's folder with a link, a pipe or the like: files that are written there would be written through it.
fn check_links(dir: &Path) -> Result<(), Error> {
    for entry in WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::read(dir)(e.into()))?;
        let is_plain = entry.file_type().is_file() || entry.file_type().is_dir();
        if !is_plain && !is_leftover(&entry.file_name().to_string_lossy()) {
            let reason = "is a link or a special file, which no bundle has; remove it first";
            return Err(Error::refused(entry.path(), reason));
        }
    }
    Ok(())
}

/// Refuses a bundle's folder with a file that the bundle does not list.
fn check_strangers(dir: &Path, sums: &Sums) -> Result<(), Error> {
    let unfinished = |entry: &walkdir::DirEntry| entry.depth() == 1 && is_partial(&entry.file_name().to_string_lossy());
    for entry in WalkDir::new(dir).sort_by_file_name().into_iter().filter_entry(|entry| !unfinished(entry)) {
        let entry = entry.map_err(|e| Error::read(dir)(e.into()))?;
        let path = entry.path().strip_prefix(dir).unwrap_or(entry.path()).to_string_lossy().into_owned();
        let is_known = sums.0.contains_key(&path) || [SUMS, RUN_LOG, INDEX].contains(&path.as_str());
        if !entry.file_type().is_dir() && !is_known && !is_leftover(&path) {
            let reason = "does not belong to the bundle in this folder and would be lost; move it elsewhere first";
            return Err(Error::refused(entry.path(), reason));
        }
    }
    Ok(())
}

/// Tries to create the bundle's file `name`, and removes it again. The file is in a temporary folder where the bundle
/// will be written: beside its place, beside the topmost missing folder of that path, or inside the place if nothing
/// can be written beside it.
///
/// # Errors
/// The place cannot be written. The error has the reason.
pub(crate) fn try_place(reserved: &Reserved, name: &str) -> Result<(), Error> {
    let dir = &reserved.dir;
    let parent = dir.parent().unwrap_or(dir);
    let there = existing(parent);
    if !there.is_dir() || !existing(dir).is_dir() {
        let there = if there.is_dir() { existing(dir) } else { there };
        return Err(Error::refused(
            there,
            "is not a folder, so no bundle can be written below it; name another with --out",
        ));
    }
    let inside = || if dir.is_dir() { Partial::new(dir) } else { Partial::new(there) };
    // Avoid a folder inside the bundle: a process killed now would leave it there.
    let trial = if is_mount_point(dir) { inside() } else { Partial::new(there).or_else(|_| inside()) };
    let trial = trial.map_err(Error::place(if dir.is_dir() { dir } else { there }))?;
    let below = trial.path().join(dir.strip_prefix(there).unwrap_or(Path::new("")));
    let path = below.join(name);
    let created = fs::create_dir_all(path.parent().unwrap_or(&below)).and_then(|()| File::create(&path));
    created.map_err(Error::place(dir))?;
    Ok(())
}
