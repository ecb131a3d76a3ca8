//! Writing to disk: a folder or file comes whole or not at all.
//!
//! Owns temporary names and renames.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{Files, INDEX, MANIFEST, REPORT, RESULTS, RUN_LOG, STUDY, SUMS, Sums};
use crate::digest::sha256_hex;

/// Writes a bundle beside its place and renames it into it; what was there goes only then.
///
/// # Errors
/// A place that holds something that is not of a bundle or was changed by hand, or a disk that cannot be written.
pub fn replace_folder(dir: &Path, files: &Files, run_log: Option<&[u8]>) -> Result<()> {
    check(dir, files)?;
    let dir = absolute(dir)?;
    let parent = dir.parent().context("a bundle cannot be the root folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let partial = tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    for (path, bytes) in files.iter().map(|(p, b)| (p.as_str(), b.as_slice())).chain(run_log.map(|b| (RUN_LOG, b))) {
        let target = partial.path().join(path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&target, bytes).with_context(|| format!("cannot write {}", target.display()))?;
    }
    set_mode(partial.path(), 0o755)?;
    let old = dir.exists().then(|| parent.join(format!(".old-{}", std::process::id())));
    if let Some(old) = &old {
        fs::rename(&dir, old).with_context(|| format!("cannot move {} aside", dir.display()))?;
    }
    let moved = fs::rename(partial.path(), &dir).with_context(|| format!("cannot create {}", dir.display()));
    match (&moved, &old) {
        (Ok(()), Some(old)) => {
            let _ = partial.keep();
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        (Ok(()), None) => {
            let _ = partial.keep();
        }
        // The new bundle did not come into its place: put the old one back.
        (Err(_), Some(old)) => fs::rename(old, &dir)?,
        (Err(_), None) => {}
    }
    moved
}

/// Refuses to replace what no build made.
///
/// # Errors
/// A file, or a folder with anything in it but a bundle as it was written.
pub fn check_place(dir: &Path) -> Result<()> {
    check(dir, &Files::new())
}

/// As `check_place`, where files of the bundle may be those that are to be written.
fn check(dir: &Path, files: &Files) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    ensure!(dir.is_dir(), "{} is a file; --out names the bundle's folder", dir.display());
    let empty = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?.next().is_none();
    ensure!(
        empty || is_bundle(dir),
        "{} holds something that is not a bundle; move it or name another folder with --out",
        dir.display()
    );
    if let Ok(text) = fs::read_to_string(dir.join(SUMS))
        && let Ok(sums) = Sums::parse(&text)
    {
        if let Some(stranger) = stranger(dir, "", &sums)? {
            bail!(
                "{} does not belong to the bundle that lies there, and would be lost; move it elsewhere first",
                dir.join(stranger).display()
            );
        }
        let index = sums.0.get(REPORT).map(|stated| (INDEX, stated));
        for (path, stated) in sums.0.iter().map(|(path, stated)| (path.as_str(), stated)).chain(index) {
            let Ok(bytes) = fs::read(dir.join(path)) else { continue };
            ensure!(
                sha256_hex(&bytes) == *stated || files.get(path) == Some(&bytes),
                "{} was changed since it was written, and the change would be lost; move it elsewhere first",
                dir.join(path).display()
            );
        }
    }
    Ok(())
}

/// A file in a bundle's folder that the bundle does not list.
fn stranger(dir: &Path, folder: &str, sums: &Sums) -> Result<Option<String>> {
    let failed = || format!("cannot read {}", dir.join(folder).display());
    for entry in fs::read_dir(dir.join(folder)).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let found = match entry.file_type().with_context(failed)?.is_dir() {
            true => stranger(dir, &path, sums)?,
            false if sums.0.contains_key(&path) || [SUMS, RUN_LOG, INDEX].contains(&path.as_str()) => None,
            false => Some(path),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether a folder was made by this program: its manifest or its sums say so. Other programs have files of these names
/// too, downloads of data among them.
fn is_bundle(dir: &Path) -> bool {
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
    let manifest = read(MANIFEST).and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let sums = read(SUMS).and_then(|text| Sums::parse(&text).ok());
    manifest.is_some_and(|m| m["program"]["name"] == env!("CARGO_PKG_NAME"))
        || sums.is_some_and(|s| [RESULTS, STUDY, MANIFEST].iter().all(|name| s.0.contains_key(*name)))
}

/// Writes a file beside its place and renames it into it.
///
/// # Errors
/// A disk that cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("cannot write {}", path.display());
    fs::create_dir_all(folder).with_context(failed)?;
    let mut temp = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    temp.write_all(bytes).with_context(failed)?;
    set_mode(temp.path(), 0o644)?;
    temp.persist(path).with_context(failed)?;
    Ok(())
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir).with_context(|| format!("cannot resolve {}", dir.display()))
}

/// Temporary files and folders are made for their owner alone; a bundle is to be read by others.
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}
