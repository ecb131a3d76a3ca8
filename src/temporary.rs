//! Folders that exist only while this process runs: they are removed when they are dropped, and also if SIGINT, SIGTERM or SIGHUP
//! ends the process.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;
use tempfile::TempDir;

/// The signals that ask a process to end.
const SIGNALS: [(&str, Signal); 3] = [("SIGHUP", Signal::HUP), ("SIGINT", Signal::INT), ("SIGTERM", Signal::TERM)];

/// How often a folder is removed in which another thread may still create files.
const ATTEMPTS: usize = 100;

/// The folders to remove. Whoever holds the lock cannot be stopped by a signal of `SIGNALS`.
static FOLDERS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn folders() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary folder. Dropping it removes it with everything in it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder of this path that only this user can read.
    ///
    /// # Errors
    /// As [`Folder::at`].
    pub fn private_at(path: PathBuf) -> io::Result<Self> {
        Self::create(|| DirBuilder::new().mode(0o700).create(&path).map(|()| path))
    }

    /// A new folder in the system's folder for temporary files.
    ///
    /// # Errors
    /// A folder for temporary files that cannot be written.
    pub fn of_system() -> io::Result<Self> {
        Self::create(|| Ok(TempDir::new()?.keep()))
    }

    /// A new folder of this path.
    ///
    /// # Errors
    /// The folder exists, or its parent cannot be written.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        Self::create(|| fs::create_dir(&path).map(|()| path))
    }

    /// Nothing can stop the process between the creation and the entry in the list.
    fn create(create: impl FnOnce() -> io::Result<PathBuf>) -> io::Result<Self> {
        let mut folders = folders();
        let path = create()?;
        folders.insert(path.clone());
        Ok(Self(path))
    }

    /// Takes over a folder that is there already.
    pub fn adopt(path: PathBuf) -> Self {
        folders().insert(path.clone());
        Self(path)
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves the folder where it is. Given the guard of [`undisturbed`], because it may have a new meaning by now.
    pub fn keep(self, guard: &mut Guard) {
        guard.0.remove(&self.0);
        // Without dropping it, which would remove the folder.
        std::mem::forget(self);
    }

    /// Leaves a folder that another process has removed, or will.
    pub fn leave(self) {
        self.keep(&mut undisturbed());
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// Something in it that cannot be removed.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        folders().remove(&self.0);
    }
}

/// Proof that no signal of `SIGNALS` can end the process now.
pub struct Guard(MutexGuard<'static, BTreeSet<PathBuf>>);

/// Keeps signals from ending the process until the guard is dropped. For steps that belong together and take no time.
pub fn undisturbed() -> Guard {
    Guard(folders())
}

/// From now on, a signal that asks this process to end removes the temporary folders, says so by `say` and gives the exit code that
/// shells give, 128 and the signal's number. Signals that the process was started to ignore, as by `nohup`, stay ignored. Without a
/// thread, which the system may refuse, signals end the process as usual.
pub fn remove_on_signals(say: fn(&str)) {
    let ignored = ignored_signals();
    let wanted: Vec<i32> = SIGNALS.iter().map(|(_, signal)| signal.as_raw()).collect();
    let wanted: Vec<i32> = wanted.into_iter().filter(|number| ignored & (1 << (number - 1)) == 0).collect();
    let wait = move || {
        let Ok(mut signals) = Signals::new(wanted) else { return };
        if let Some(number) = signals.forever().next() {
            stop(number, say);
        }
    };
    let _ = std::thread::Builder::new().name("signals".into()).spawn(wait);
}

/// Ends the process for a signal.
fn stop(number: i32, say: fn(&str)) -> ! {
    // The lock is kept until the end, so that no other thread replaces a bundle with a folder that is being removed.
    let folders = folders();
    for folder in folders.iter() {
        let _ = (0..ATTEMPTS).find(|_| fs::remove_dir_all(folder).is_ok() || !folder.exists());
    }
    let name = SIGNALS.iter().find(|(_, signal)| signal.as_raw() == number).map_or("a signal", |(name, _)| name);
    say(&format!("error: stopped by {name}"));
    exit(128 + number)
}

/// The signals that this process ignores, a bit for each; none if the system does not know.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_removed_unless_it_is_kept() {
        let home = Folder::of_system().unwrap();
        let dropped = Folder::private_at(home.path().join(".a")).unwrap();
        let path = dropped.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        assert!(folders().contains(&path));
        drop(dropped);
        assert!(!path.exists() && !folders().contains(&path));
        let kept = Folder::at(home.path().join("kept")).unwrap();
        assert!(Folder::at(home.path().join("kept")).is_err(), "it is there");
        kept.keep(&mut undisturbed());
        assert!(home.path().join("kept").is_dir() && !folders().contains(&home.path().join("kept")));
    }
}
