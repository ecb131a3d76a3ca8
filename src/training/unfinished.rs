//! An unfinished training: its last checkpoint and the states of its candidates, in a folder of the run cache. After a
//! build was stopped, the next one goes on from there.
//!
//! One process at a time uses the folder. It locks a file in the folder, and the system releases the lock however the
//! process ends. Nothing in the folder is trusted: a checkpoint counts only if its digest, its key and the digest of
//! every state are right.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checkpoint::Checkpoint;
use super::evidence::file_sha256;

/// Between two checkpoints a training runs at least this long, and at least `PATIENCE` times as long as the last one
/// took to write, so writing costs at most 2 % of the time.
const INTERVAL: Duration = Duration::from_secs(2);
const PATIENCE: u32 = 50;

const CHECKPOINT: &str = "checkpoint";
const LOCK: &str = "lock";
/// The prefix of files that are being written.
const TEMPORARY: &str = ".new";

/// The folder of an unfinished training, locked.
pub struct Unfinished {
    folder: PathBuf,
    /// What the training depends on, as the run cache digests it.
    key: String,
    _lock: File,
    interval: Duration,
    patience: u32,
    pace: RefCell<Pace>,
    /// Files that may not be on the disk yet.
    unsynced: RefCell<Vec<PathBuf>>,
}

/// When the last checkpoint was written, and how long that took.
struct Pace {
    last: Instant,
    cost: Duration,
}

impl Unfinished {
    /// Creates the folder, if it is not there, and locks it. `None` if that fails or another process uses it; a training can
    /// do without it.
    pub(super) fn open(folder: &Path, key: &str) -> Option<Self> {
        fs::create_dir_all(folder).ok()?;
        let lock = lock(folder)?;
        for entry in fs::read_dir(folder).ok()?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let pace = RefCell::new(Pace { last: Instant::now(), cost: Duration::ZERO });
        let (folder, key) = (folder.to_owned(), key.to_owned());
        Some(Self {
            folder,
            key,
            _lock: lock,
            interval: INTERVAL,
            patience: PATIENCE,
            pace,
            unsynced: RefCell::default(),
        })
    }

    /// The same folder, with a checkpoint after every epoch.
    #[cfg(test)]
    pub(super) fn eager(self) -> Self {
        Self { interval: Duration::ZERO, patience: 0, ..self }
    }

    /// Removes everything that is stored, so that the training starts at its first step.
    pub fn clear(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name() != LOCK {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes the folder.
    pub fn remove(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Removes the folder of a training unless a process uses it.
    pub(super) fn discard(folder: &Path) {
        if folder.is_dir()
            && let Some(unfinished) = Self::open(folder, "")
        {
            unfinished.remove();
        }
    }

    /// The last checkpoint, if it is whole and of this training.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        Self::checkpoint_in(&self.folder, &self.key)
    }

    /// The last checkpoint in a folder, if it is whole and of the training with this key.
    pub(super) fn checkpoint_in(folder: &Path, key: &str) -> Option<Checkpoint> {
        Checkpoint::from_bytes(&fs::read(folder.join(CHECKPOINT)).ok()?, key)
    }

    /// Whether it is time to write a checkpoint.
    pub(super) fn is_due(&self) -> bool {
        let pace = self.pace.borrow();
        pace.last.elapsed() >= self.interval.max(pace.cost * self.patience)
    }

    /// Replaces the checkpoint in one step, after the states that it needs are on the disk.
    pub(super) fn store_checkpoint(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let start = Instant::now();
        for path in self.unsynced.take() {
            File::open(path)?.sync_data()?;
        }
        let mut file = self.temporary()?;
        file.write_all(&checkpoint.to_bytes(&self.key))?;
        file.as_file().sync_data()?;
        file.persist(self.folder.join(CHECKPOINT))?;
        // Without this, a power cut may undo the renaming and bring back the previous checkpoint.
        let _ = File::open(&self.folder).and_then(|folder| folder.sync_data());
        *self.pace.borrow_mut() = Pace { last: Instant::now(), cost: start.elapsed() };
        Ok(())
    }

    /// The file of the state after some steps.
    pub(super) fn state_path(&self, step: usize) -> PathBuf {
        self.folder.join(format!("state{step}"))
    }

    /// Stores the state after some steps.
    pub(super) fn store_state(&self, step: usize, bytes: &[u8]) -> io::Result<()> {
        let path = self.state_path(step);
        let mut file = self.temporary()?;
        file.write_all(bytes)?;
        file.persist(&path)?;
        self.unsynced.borrow_mut().push(path);
        Ok(())
    }

    /// Removes the state after some steps.
    pub(super) fn forget_state(&self, step: usize) {
        let path = self.state_path(step);
        self.unsynced.borrow_mut().retain(|other| *other != path);
        // A file that stays takes room until the training is finished, and nothing else.
        let _ = fs::remove_file(path);
    }

    /// The stored state after some steps.
    pub(super) fn state(&self, step: usize) -> io::Result<Vec<u8>> {
        fs::read(self.state_path(step))
    }

    /// The stored state after some steps, if it has this digest (`evidence::state_sha256`).
    pub(super) fn state_with(&self, step: usize, sha256: &str) -> Option<Vec<u8>> {
        self.state(step).ok().filter(|bytes| file_sha256(step, bytes) == sha256)
    }

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new();
        file.prefix(TEMPORARY).permissions(fs::Permissions::from_mode(0o644)).tempfile_in(&self.folder)
    }
}

/// Locks a folder's lock file. `None` if another process holds it, or if it was removed meanwhile.
fn lock(folder: &Path) -> Option<File> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path).ok()?;
    file.try_lock().ok()?;
    let (locked, there) = (file.metadata().ok()?, fs::metadata(&path).ok()?);
    ((locked.dev(), locked.ino()) == (there.dev(), there.ino())).then_some(file)
}
