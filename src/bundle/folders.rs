//! What the folder of a bundle is: its path, what is there, and whether it is a mount point.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, MANIFEST, RESULTS, STUDY, SUMS, Sums};

/// The list of a folder's files, if it is a bundle's.
pub(super) fn read_sums(dir: &Path) -> Option<Sums> {
    Sums::parse(&fs::read_to_string(dir.join(SUMS)).ok()?).ok()
}

/// Whether this program wrote a folder, according to its manifest or its sums. The names alone are not enough, because
/// other programs use them, too.
pub(super) fn is_bundle(dir: &Path) -> bool {
    let manifest = fs::read_to_string(dir.join(MANIFEST)).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
    let is_listed = |sums: &Sums| [RESULTS, STUDY, MANIFEST].iter().all(|name| sums.0.contains_key(*name));
    manifest["program"]["name"] == env!("CARGO_PKG_NAME") || read_sums(dir).is_some_and(|sums| is_listed(&sums))
}

/// Whether a folder is the root of a mounted file system, which cannot be renamed. `false` if the system does not know.
#[cfg(target_os = "linux")]
pub(super) fn is_mount_point(dir: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let status = statx(CWD, dir, AtFlags::empty(), StatxFlags::TYPE);
    status.is_ok_and(|status| status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether a folder is the root of a mounted file system, which cannot be renamed. `false` if the system does not know.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_mount_point(dir: &Path) -> bool {
    is_on_another_device(dir)
}

/// Whether a folder is on another device than the folder above it. Unlike `statx`, misses a folder that is mounted a
/// second time on its own file system.
#[cfg(any(test, not(target_os = "linux")))]
fn is_on_another_device(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|status| status.dev());
    matches!((device(dir), device(&dir.join(".."))), (Ok(own), Ok(above)) if own != above)
}

/// The place as an absolute path. If it is a link to a folder, the path of that folder.
pub(super) fn resolved(dir: &Path) -> Result<PathBuf, Error> {
    let resolved = if dir.is_dir() {
        dir.canonicalize()
    } else {
        // `absolute` keeps `..`, so that `bundle/../new` would seem to be in `bundle`.
        let above = existing(dir);
        match (above.canonicalize(), dir.strip_prefix(above)) {
            (Ok(above), Ok(missing)) if above.is_dir() && !missing.as_os_str().is_empty() => Ok(above.join(missing)),
            _ => std::path::absolute(dir),
        }
    };
    resolved.map_err(Error::io("resolve", dir))
}

/// The place itself, or the nearest existing one above it. A link counts as existing even if its target is missing.
pub(crate) fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| fs::symlink_metadata(path).is_ok()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn both_ways_recognise_a_mount_point() {
        let home = tempfile::tempdir().unwrap();
        for (dir, is_mounted) in [(Path::new("/proc"), true), (home.path(), false), (Path::new("/nowhere"), false)] {
            assert_eq!(is_mount_point(dir), is_mounted, "{}", dir.display());
            assert_eq!(is_on_another_device(dir), is_mounted, "{}", dir.display());
        }
    }
}
