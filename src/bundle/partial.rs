//! The temporary folders beside a bundle. Each is locked by the process that uses it. The system releases the lock
//! however the process ends, so a later process recognises the folders of killed processes.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::hash::BuildHasher;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use super::Error;
use super::folders::{existing, is_bundle, is_mount_point, resolved};
use crate::digest::sha256_hex;
use crate::temporary::{Folder, Guard};

/// The prefix of folders in which a bundle is being written, and of those that reserve a place.
const PARTIAL: &str = ".partial-";
/// The prefix of folders with an old bundle, where two folders cannot be exchanged in one step.
const ASIDE: &str = ".old-";
/// Hex digits after a prefix: random ones, and a checksum of them. A name whose checksum is right was made by this program: a user's
/// own `.partial-backup` must never be swept.
const RANDOM: usize = 16;
const CHECKSUM: usize = 8;
/// The file in a reservation that names the process.
const BUILDER: &str = "builder";
/// Number of attempts to create a folder, if another process removes each new one at that moment.
const ATTEMPTS: usize = 100;
/// On a file system without locks, a folder older than this counts as abandoned.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// The result of locking a folder.
enum Lock {
    Held(File),
    /// Another process has locked the folder, or has just removed it.
    Taken,
    /// The file system has no locks.
    Unknown,
}

impl Lock {
    fn of(folder: &Path) -> Self {
        let file = match File::open(folder) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Self::Taken,
            Err(_) => return Self::Unknown,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Self::Taken,
            Err(TryLockError::Error(_)) => return Self::Unknown,
            Ok(()) => {}
        }
        // Between opening and locking, another process may have removed the folder.
        let identity = |m: fs::Metadata| (m.dev(), m.ino());
        let is_same = || Some(identity(file.metadata().ok()?) == identity(fs::symlink_metadata(folder).ok()?));
        if is_same() == Some(true) { Self::Held(file) } else { Self::Taken }
    }
}

/// A folder for files that are being written. Dropping the value removes it.
pub(super) struct Partial {
    folder: Folder,
    _lock: Lock,
}

impl Partial {
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let Some(folder) = unless_taken(Folder::private_at(parent.join(random_name(PARTIAL))))? else { continue };
            match Lock::of(folder.path()) {
                // A process in `sweep` mistook it for an abandoned folder.
                Lock::Taken => {}
                lock => return Ok(Self { folder, _lock: lock }),
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Forgets the folder, which was moved away, instead of removing it.
    pub(super) fn moved(self, guard: &mut Guard) {
        self.folder.keep(guard);
    }

    /// Removes the folder.
    pub(super) fn remove(self) -> io::Result<()> {
        self.folder.remove()
    }
}

/// A bundle that was moved away from its place. If this process is killed before another bundle is in that place,
/// `sweep` moves this one back.
pub(super) struct Aside {
    folder: PathBuf,
    /// Where the bundle is now.
    pub(super) bundle: PathBuf,
    _lock: Lock,
}

impl Aside {
    /// Moves a bundle's folder into a new folder beside it.
    pub(super) fn put(dir: &Path, parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            // Do not use `Folder`, because a signal must not remove the bundle.
            let folder = parent.join(random_name(ASIDE));
            if unless_taken(DirBuilder::new().mode(0o700).create(&folder))?.is_none() {
                continue;
            }
            let lock = Lock::of(&folder);
            if !matches!(lock, Lock::Taken) {
                let bundle = folder.join(dir.file_name().unwrap_or_default());
                let aside = Self { folder, bundle, _lock: lock };
                fs::rename(dir, &aside.bundle)?;
                return Ok(aside);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Ignore errors: this fails while the bundle is in the folder.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes the temporary folders of killed processes from a folder. If one of them had put a bundle aside, moves it
/// back if its place is empty.
pub(super) fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_own_folder(&entry.path()) || (!is_partial(&name) && !is_aside(&entry.path(), &name)) {
            continue;
        }
        let is_abandoned = || {
            let modified = entry.metadata().and_then(|m| m.modified());
            modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED))
        };
        // Keep the lock until the folder is removed.
        let lock = Lock::of(&entry.path());
        if matches!(lock, Lock::Held(_)) || (matches!(lock, Lock::Unknown) && is_abandoned()) {
            for old in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                let place = folder.join(old.file_name());
                if !is_partial(&name) && fs::symlink_metadata(&place).is_err() {
                    let _ = fs::rename(old.path(), place);
                }
            }
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a name is that of a folder in which a bundle is being written.
pub(super) fn is_partial(name: &str) -> bool {
    is_temporary(name, PARTIAL)
}

/// Whether a path is a folder, not a link to one, of this user.
fn is_own_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw())
}

/// Whether a folder contains only a bundle that was put aside.
fn is_aside(path: &Path, name: &str) -> bool {
    if !is_temporary(name, ASIDE) {
        return false;
    }
    let entries: Vec<PathBuf> = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.len() <= 1 && entries.iter().all(|entry| is_bundle(entry))
}

fn is_temporary(name: &str, prefix: &str) -> bool {
    let digits = name.strip_prefix(prefix).and_then(|digits| digits.split_at_checked(RANDOM));
    digits.is_some_and(|(random, _)| name == temporary_name(prefix, random))
}

/// The name of a temporary folder.
fn temporary_name(prefix: &str, random: &str) -> String {
    let checksum = sha256_hex(format!("temporary folder of mnist-report: {prefix}{random}").as_bytes());
    format!("{prefix}{random}{}", &checksum[..CHECKSUM])
}

/// A new name. The standard library keys each hasher with other numbers of the system's random generator.
fn random_name(prefix: &str) -> String {
    temporary_name(prefix, &format!("{:016x}", RandomState::new().hash_one(std::process::id())))
}

/// `None` if there is already something of that name.
fn unless_taken<T>(made: io::Result<T>) -> io::Result<Option<T>> {
    match made {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        made => made.map(Some),
    }
}

/// A place for a bundle that only this process may write. No other process of this program writes there until the value
/// is dropped.
pub(crate) struct Reserved {
    /// The place as an absolute path.
    pub(super) dir: PathBuf,
    _folder: Option<Folder>,
    _lock: Lock,
}

/// Reserves a place before training, by creating a folder beside it. The folder's name is derived from the place, so
/// two processes cannot both create it. If nothing can be written beside the place, locks the folder at the place
/// itself.
pub(crate) fn reserve(dir: &Path) -> Result<Reserved, Error> {
    let dir = resolved(dir)?;
    let parent = dir.parent().ok_or_else(|| Error::refused(&dir, "is the root folder, which cannot be a bundle"))?;
    let there = existing(parent);
    sweep(there);
    sweep(&dir);
    let below = dir.strip_prefix(there).unwrap_or(&dir);
    let name = sha256_hex(below.as_os_str().as_encoded_bytes());
    let folder = there.join(temporary_name(PARTIAL, &name[..RANDOM]));
    if !is_mount_point(&dir) && there.is_dir() {
        for _ in 0..ATTEMPTS {
            match Folder::at(folder.clone()) {
                Ok(made) => match Lock::of(&folder) {
                    Lock::Taken => made.leave(),
                    lock => return Ok(Reserved::beside(dir, made, lock)),
                },
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match Lock::of(&folder) {
                    Lock::Held(file) => {
                        return Ok(Reserved::beside(dir, Folder::adopt(folder), Lock::Held(file)));
                    }
                    Lock::Taken if folder.exists() => return Err(taken(&dir, &folder)),
                    Lock::Taken => {}
                    Lock::Unknown => break,
                },
                Err(_) => break,
            }
        }
    }
    match Lock::of(&dir) {
        Lock::Taken if dir.exists() => Err(taken(&dir, &folder)),
        lock => Ok(Reserved { dir, _folder: None, _lock: lock }),
    }
}

impl Reserved {
    fn beside(dir: PathBuf, folder: Folder, lock: Lock) -> Self {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        // Only for the message to another process.
        let builder = format!("process {} on {} since {now}", std::process::id(), host.trim());
        let _ = fs::write(folder.path().join(BUILDER), builder);
        Self { dir, _folder: Some(folder), _lock: lock }
    }
}

/// The error if another process has reserved a place.
fn taken(dir: &Path, folder: &Path) -> Error {
    let builder = fs::read_to_string(folder.join(BUILDER)).unwrap_or_default();
    let mut by = String::from("another process");
    if !builder.is_empty() {
        let _ = write!(by, " ({})", builder.chars().take(200).collect::<String>());
    }
    Error::refused(dir, format!("is being written by {by}; wait until it ends, or name another folder with --out"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Only what this program certainly made is removed.
    #[test]
    fn a_sweep_leaves_everything_of_other_people() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let one_digit_wrong = |name: String| {
            let last = if name.ends_with('0') { '1' } else { '0' };
            format!("{}{last}", &name[..name.len() - 1])
        };
        let alike = [
            ".partial-backup".to_owned(),
            ".partial-abc123".to_owned(),
            format!(".partial-{}", "0".repeat(RANDOM + CHECKSUM)),
            one_digit_wrong(random_name(PARTIAL)),
            random_name(PARTIAL) + "x",
            random_name(PARTIAL).to_uppercase(),
            random_name(ASIDE).replace(ASIDE, PARTIAL),
            ".old-photos".to_owned(),
        ];
        for name in &alike {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("thesis.tex"), "mine").unwrap();
        }
        // A file and a link that have such a name.
        let (file, link) = (random_name(PARTIAL), random_name(PARTIAL));
        fs::write(at(&file), "mine").unwrap();
        symlink(at(&alike[0]), at(&link)).unwrap();
        // A folder with such a name that holds no bundle.
        let notes = random_name(ASIDE);
        fs::create_dir(at(&notes)).unwrap();
        fs::write(at(&notes).join("notes.txt"), "mine").unwrap();
        let abandoned = random_name(PARTIAL);
        fs::create_dir(at(&abandoned)).unwrap();
        fs::write(at(&abandoned).join("report.md"), "half").unwrap();
        let used = Partial::new(home.path()).unwrap();
        sweep(home.path());
        assert!(!at(&abandoned).exists(), "of a killed process");
        assert!(used.path().is_dir(), "in use");
        assert!(alike.iter().all(|name| at(name).join("thesis.tex").is_file()), "{alike:?}");
        assert!(at(&file).is_file() && at(&notes).join("notes.txt").is_file());
        assert!(fs::symlink_metadata(at(&link)).is_ok(), "the link itself");
    }
}
