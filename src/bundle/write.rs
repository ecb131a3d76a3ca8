//! Writes bundles and files so that they appear completely or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use walkdir::WalkDir;

use super::{Error, Files, INDEX, MANIFEST, REPORT, RESULTS, RUN_LOG, STUDY, SUMS, Sums};
use crate::digest::sha256_hex;

/// Writes a bundle beside its folder and renames it; the old folder is removed only after that.
pub(crate) fn replace_folder(dir: &Path, files: &Files, run_log: Option<&[u8]>) -> Result<(), Error> {
    check_place(dir, files)?;
    let dir = std::path::absolute(dir).map_err(Error::io("resolve", dir))?;
    let parent = dir.parent().ok_or_else(|| Error::refused(&dir, "is the root folder, which cannot be a bundle"))?;
    fs::create_dir_all(parent).map_err(Error::write(parent))?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(parent).map_err(Error::write(parent))?;
    let all = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    for (path, bytes) in all.chain(run_log.map(|bytes| (RUN_LOG, bytes))) {
        let target = partial.path().join(path);
        let folder = target.parent().unwrap_or(partial.path());
        fs::create_dir_all(folder).map_err(Error::write(folder))?;
        fs::write(&target, bytes).map_err(Error::write(&target))?;
    }
    make_readable(partial.path(), 0o755).map_err(Error::write(partial.path()))?;
    swap(partial.path(), &dir, parent)?;
    let _ = partial.keep();
    Ok(())
}

/// Moves `new` to `dir`. What was there is moved aside first and removed last, or moved back after a failure.
fn swap(new: &Path, dir: &Path, parent: &Path) -> Result<(), Error> {
    if !dir.exists() {
        return fs::rename(new, dir).map_err(Error::write(dir));
    }
    let old = parent.join(format!(".old-{}", std::process::id()));
    fs::rename(dir, &old).map_err(Error::write(dir))?;
    if let Err(e) = fs::rename(new, dir) {
        fs::rename(&old, dir).map_err(Error::write(dir))?;
        return Err(Error::write(dir)(e));
    }
    fs::remove_dir_all(&old).map_err(Error::write(&old))
}

/// Refuses a place that has anything but a bundle as it was written. A changed file is accepted if `files`, which will be
/// written, has the same content.
pub(crate) fn check_place(dir: &Path, files: &Files) -> Result<(), Error> {
    if !dir.exists() {
        return Ok(());
    }
    if !dir.is_dir() {
        return Err(Error::refused(dir, "is a file; --out names the bundle's folder"));
    }
    let is_empty = fs::read_dir(dir).map_err(Error::read(dir))?.next().is_none();
    if !is_empty && !is_bundle(dir) {
        let reason = "contains something that is not a bundle; move it or name another folder with --out";
        return Err(Error::refused(dir, reason));
    }
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

/// Refuses a bundle's folder with a file that the bundle does not list.
fn check_strangers(dir: &Path, sums: &Sums) -> Result<(), Error> {
    for entry in WalkDir::new(dir).sort_by_file_name() {
        let entry = entry.map_err(|e| Error::read(dir)(e.into()))?;
        let path = entry.path().strip_prefix(dir).unwrap_or(entry.path()).to_string_lossy().into_owned();
        let is_known = sums.0.contains_key(&path) || [SUMS, RUN_LOG, INDEX].contains(&path.as_str());
        if !entry.file_type().is_dir() && !is_known {
            let reason = "does not belong to the bundle in this folder and would be lost; move it elsewhere first";
            return Err(Error::refused(entry.path(), reason));
        }
    }
    Ok(())
}

fn read_sums(dir: &Path) -> Option<Sums> {
    Sums::parse(&fs::read_to_string(dir.join(SUMS)).ok()?).ok()
}

/// Whether this program made a folder, by its manifest or its sums. Other programs write files of these names too.
fn is_bundle(dir: &Path) -> bool {
    let manifest = fs::read_to_string(dir.join(MANIFEST)).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
    let is_listed = |sums: &Sums| [RESULTS, STUDY, MANIFEST].iter().all(|name| sums.0.contains_key(*name));
    manifest["program"]["name"] == env!("CARGO_PKG_NAME") || read_sums(dir).is_some_and(|sums| is_listed(&sums))
}

/// Writes a file beside its place and renames it.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut temp = tempfile::NamedTempFile::new_in(folder)?;
        temp.write_all(bytes)?;
        make_readable(temp.path(), 0o644)?;
        temp.persist(path)?;
        Ok(())
    };
    write().map_err(Error::write(path))
}

/// Temporary files and folders belong to their owner alone; others must be able to read a bundle.
fn make_readable(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
