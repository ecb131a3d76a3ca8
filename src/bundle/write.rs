//! Writes bundles and files atomically: they appear completely or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use walkdir::WalkDir;

use super::folders::is_mount_point;
use super::leftovers::is_leftover;
use super::partial::{Aside, Partial, Reserved, is_partial, sweep};
use super::place::check_place;
use super::{Error, Files, MANIFEST, RUN_LOG, SUMS};
use crate::temporary::undisturbed;

/// Writes a bundle beside its place and exchanges the two. If that is impossible, because the place is a mount point or
/// the folder above it cannot be written, writes the files into the folder.
pub(crate) fn replace_folder(place: &Reserved, files: &Files, run_log: Option<&[u8]>) -> Result<(), Error> {
    let dir = &place.dir;
    check_place(dir, files)?;
    let parent = dir.parent().unwrap_or(dir);
    let all =
        || files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).chain(run_log.map(|l| (RUN_LOG, l)));
    if is_mount_point(dir) {
        return write_inside(dir, all());
    }
    match write_beside(dir, parent, all()) {
        Ok(Some(old)) => old.remove().map_err(Error::write(dir)),
        Ok(None) => Ok(()),
        Err(_) if dir.is_dir() => write_inside(dir, all()),
        Err(e) => Err(e),
    }
}

/// Replaces the run log of a bundle's folder in one step.
pub(crate) fn replace_run_log(place: &Reserved, run_log: &[u8]) -> Result<(), Error> {
    let path = place.dir.join(RUN_LOG);
    let parent = place.dir.parent().unwrap_or(&place.dir);
    let beside = || -> io::Result<()> {
        let partial = Partial::new(parent)?;
        let new = partial.path().join(RUN_LOG);
        fs::write(&new, run_log)?;
        fs::rename(new, &path)
    };
    // In a mount point, the temporary folder would be inside the bundle, and stay there if this process were killed.
    let inside = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(false).open(&path)?;
        file.write_all(run_log)?;
        file.set_len(run_log.len() as u64)
    };
    let replaced = if is_mount_point(&place.dir) { inside() } else { beside().or_else(|_| inside()) };
    replaced.map_err(Error::write(&path))
}

/// Writes a bundle beside its place and moves it there. Returns the old bundle, if there was one.
fn write_beside<'a>(
    dir: &Path,
    parent: &Path,
    files: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<Option<Partial>, Error> {
    fs::create_dir_all(parent).map_err(Error::write(parent))?;
    let partial = Partial::new(parent).map_err(Error::write(parent))?;
    write_all(partial.path(), files)?;
    make_readable(partial.path(), 0o755).map_err(Error::write(partial.path()))?;
    let mut guard = undisturbed();
    if dir.exists() {
        exchange(partial.path(), dir, parent).map_err(Error::write(dir))?;
        return Ok(Some(partial));
    }
    fs::rename(partial.path(), dir).map_err(Error::write(dir))?;
    partial.moved(&mut guard);
    Ok(None)
}

/// Exchanges two folders: in one step, if the file system can, so that there is a bundle at every moment.
fn exchange(new: &Path, dir: &Path, parent: &Path) -> io::Result<()> {
    if exchanged_at_once(new, dir) {
        return Ok(());
    }
    exchange_in_steps(new, dir, parent)
}

/// Exchanges two folders in one step. `false` if the system or the file system cannot do that.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn exchanged_at_once(new: &Path, dir: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, new, CWD, dir, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn exchanged_at_once(_: &Path, _: &Path) -> bool {
    false
}

/// Exchanges two folders by renaming each. For a moment there is no bundle in the place; if this process is killed then,
/// the next one moves it back.
fn exchange_in_steps(new: &Path, dir: &Path, parent: &Path) -> io::Result<()> {
    let old = Aside::put(dir, parent)?;
    if let Err(e) = fs::rename(new, dir) {
        fs::rename(&old.bundle, dir)?;
        return Err(e);
    }
    fs::rename(&old.bundle, new)
}

/// Writes a bundle's files inside its folder, then moves each to its place. SHA256SUMS is removed first and written
/// last, so that a mixture of files never counts as a bundle. The manifest is written first, so that a later build
/// recognises the folder as a bundle's.
fn write_inside<'a>(dir: &Path, files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<(), Error> {
    sweep(dir);
    let partial = Partial::new(dir).map_err(Error::write(dir))?;
    let mut names = write_all(partial.path(), files)?;
    names.sort_by_key(|name| (*name == SUMS, *name != MANIFEST));
    let moved = |name: &str| -> io::Result<()> {
        let place = dir.join(name);
        fs::create_dir_all(place.parent().unwrap_or(dir))?;
        fs::rename(partial.path().join(name), place)
    };
    // From here on, the folder is not a bundle until SHA256SUMS is written.
    let guard = undisturbed();
    let (sums, others): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| **name == SUMS);
    match fs::remove_file(dir.join(SUMS)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::write(&dir.join(SUMS))(e)),
        _ => {}
    }
    others.iter().try_for_each(|name| moved(name)).map_err(Error::write(dir))?;
    remove_others(dir, &names)?;
    sums.iter().try_for_each(|name| moved(name)).map_err(Error::write(dir))?;
    drop(guard);
    partial.remove().map_err(Error::write(dir))
}

/// Removes the files of a folder that are not in `names`, then the empty folders.
fn remove_others(dir: &Path, names: &[&str]) -> Result<(), Error> {
    let entries = WalkDir::new(dir).min_depth(1).into_iter();
    let entries = entries.filter_entry(|e| !(e.depth() == 1 && is_partial(&e.file_name().to_string_lossy())));
    let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(|e| Error::read(dir)(e.into()))?;
    // In reverse order, the contents of a folder come before the folder.
    for entry in entries.iter().rev() {
        let name = entry.path().strip_prefix(dir).unwrap_or(entry.path()).to_string_lossy().into_owned();
        if entry.file_type().is_dir() {
            // Ignore errors: a folder that still has files must stay.
            let _ = fs::remove_dir(entry.path());
        } else if !names.contains(&name.as_str()) && !is_leftover(&name) {
            fs::remove_file(entry.path()).map_err(Error::write(entry.path()))?;
        }
    }
    Ok(())
}

/// Writes files below a folder. Returns their names.
fn write_all<'a>(folder: &Path, files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Vec<&'a str>, Error> {
    let write = |(name, bytes): (&'a str, &[u8])| {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(Error::write(parent))?;
        fs::write(&path, bytes).map_err(Error::write(&path))?;
        Ok(name)
    };
    files.map(write).collect()
}

/// Writes a file beside its place and renames it.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        sweep(folder);
        let partial = Partial::new(folder)?;
        let new = partial.path().join("new");
        fs::write(&new, bytes)?;
        fs::rename(new, path)
    };
    write().map_err(Error::write(path))
}

/// Only the owner can read a temporary folder, but others must be able to read a bundle.
fn make_readable(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
