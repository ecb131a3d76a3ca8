//! The run cache: outcomes of finished seeds, and checkpoints of unfinished ones, so that an interrupted build can continue and
//! a changed sentence needs no training.
//!
//! An outcome's key covers everything that it depends on: the seed's inputs (`inputs_digest`) and the sources that compute it
//! (`sources`), but not the study's name, the report's language or the bundle's folder.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::{SeedOutcome, TrainedSeed, Unfinished};
use crate::dataset::{read_labels, write_labels};
use crate::digest::sha256_hex;
use crate::paths;
use crate::results::{SeedEnd, read_losses, write_losses};

/// The SHA-256 over the sources that decide the outcome of a training, taken when the program was compiled.
const COMPUTING_SHA256: &str = env!("MNIST_REPORT_COMPUTING_SHA256");

/// The environment variable that names the cache's folder.
const VARIABLE: &str = "MNIST_REPORT_CACHE";

/// The endings of an outcome's files, except its checksum, which is written last: an outcome without a checksum is
/// incomplete. If the training diverged, all files except the first are empty.
const PARTS: [&str; 5] = ["json", "idx1-ubyte", "safetensors", "evidence", "losses"];
const CHECKSUM: &str = "sha256";
/// The ending of the folder of an unfinished training.
const UNFINISHED: &str = "unfinished";

/// The cache's size limit in bytes. `trim` removes the outcomes that were used longest ago, but none that this build used.
const MAX_BYTES: u64 = 2 << 30;
/// Younger outcomes and temporary files stay, because a build that is running may have written them.
const MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// The prefix of files that are being written.
const TEMPORARY: &str = ".new";

/// The run cache of one build.
#[derive(Default)]
pub struct RunCache {
    folder: PathBuf,
    used: HashSet<String>,
}

impl RunCache {
    /// The cache in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, used: HashSet::new() }
    }

    /// The user's cache: $MNIST_REPORT_CACHE, otherwise `mnist-report/runs` in $XDG_CACHE_HOME or ~/.cache. If that folder
    /// cannot be written, a hidden folder beside the bundle, where a build has to be able to write.
    pub fn of_user(bundle: &Path) -> Self {
        let user = Self::place_of_user().map(Self::at).filter(Self::is_writable);
        user.unwrap_or_else(|| {
            let name = bundle.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Self::at(bundle.with_file_name(format!(".{name}.runs")))
        })
    }

    /// Where the user's cache is: $MNIST_REPORT_CACHE, otherwise `mnist-report/runs` in $XDG_CACHE_HOME or ~/.cache. `None` if the
    /// user has no home folder.
    pub fn place_of_user() -> Option<PathBuf> {
        paths::variable(VARIABLE).or_else(|| Some(paths::user_cache()?.join("runs")))
    }

    /// The cache's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the cache has a checksum for a seed with these inputs. Only `find` checks that the outcome is complete.
    pub fn has(&self, inputs: &str) -> bool {
        self.path(&key(inputs), CHECKSUM).exists()
    }

    /// Whether files can be written.
    pub fn is_writable(&self) -> bool {
        let written = fs::create_dir_all(&self.folder).and_then(|()| self.temporary());
        written.is_ok()
    }

    /// The outcome of a seed with these inputs, if the cache has all of it.
    pub fn find(&mut self, inputs: &str) -> Option<SeedOutcome> {
        let key = self.key(inputs);
        let read = |ending: &str| fs::read(self.path(&key, ending)).ok();
        let parts: Vec<Vec<u8>> = PARTS.iter().map(|part| read(part)).collect::<Option<_>>()?;
        if read(CHECKSUM)? != checksum(&parts).into_bytes() {
            return None;
        }
        // Record the time of use. If that fails, the outcome only counts as older.
        let _ = fs::File::open(self.path(&key, CHECKSUM)).and_then(|file| file.set_modified(SystemTime::now()));
        let [json, predictions, weights, evidence, losses] = <[_; PARTS.len()]>::try_from(parts).ok()?;
        match serde_json::from_slice(&json).ok()? {
            SeedEnd::Diverged(diverged) => Some(SeedOutcome::Diverged(diverged)),
            SeedEnd::Finished(result) => {
                let predictions = read_labels(&predictions).ok()?;
                let losses = read_losses(&losses).ok()?;
                let trained = TrainedSeed { result: *result, predictions, weights, evidence, losses };
                Some(SeedOutcome::Finished(Box::new(trained)))
            }
        }
    }

    /// Stores an outcome.
    ///
    /// # Errors
    /// A folder that cannot be written; nothing of the outcome is left then. A build can go on without the cache.
    pub fn store(&mut self, inputs: &str, outcome: &SeedOutcome) -> io::Result<()> {
        let key = self.key(inputs);
        let json = serde_json::to_vec(&outcome.end())?;
        let parts = match outcome {
            SeedOutcome::Finished(trained) => {
                let TrainedSeed { predictions, weights, evidence, losses, .. } = &**trained;
                vec![json, write_labels(predictions), weights.clone(), evidence.clone(), write_losses(losses)]
            }
            SeedOutcome::Diverged(_) => vec![json, Vec::new(), Vec::new(), Vec::new(), Vec::new()],
        };
        let sum = checksum(&parts).into_bytes();
        let mut files = PARTS.into_iter().chain([CHECKSUM]).zip(parts.into_iter().chain([sum]));
        let stored = files.try_for_each(|(ending, bytes)| self.write(&self.path(&key, ending), &bytes));
        // A checksum is another build's, which has stored the same outcome.
        if stored.is_err() && !self.path(&key, CHECKSUM).exists() {
            self.remove(&key);
        }
        stored
    }

    /// Opens the folder of a seed's unfinished training, or creates it. `None` if it cannot be written or another build
    /// uses it.
    pub fn unfinished(&mut self, inputs: &str) -> Option<Unfinished> {
        let key = self.key(inputs);
        Unfinished::open(&self.path(&key, UNFINISHED), &key)
    }

    /// How many epochs of a seed's unfinished training are done.
    pub fn epochs_done(&self, inputs: &str) -> usize {
        let key = key(inputs);
        Unfinished::checkpoint_in(&self.path(&key, UNFINISHED), &key).map_or(0, |checkpoint| checkpoint.epochs.len())
    }

    /// Removes the unfinished training of a seed whose outcome is in the cache.
    pub fn discard_unfinished(&mut self, inputs: &str) {
        let key = self.key(inputs);
        Unfinished::discard(&self.path(&key, UNFINISHED));
    }

    /// Removes the outcomes and checkpoints that were used longest ago until the rest fits, and the temporary files of
    /// interrupted builds. Keeps everything that this build used or that is younger than a day.
    pub fn trim(&self) {
        self.trim_to(MAX_BYTES);
    }

    fn trim_to(&self, most: u64) {
        let is_old = |time: SystemTime| time.elapsed().is_ok_and(|age| age > MIN_AGE);
        for (name, entry) in self.entries().filter(|(name, _)| name.starts_with(TEMPORARY)) {
            if entry.metadata().and_then(|m| m.modified()).is_ok_and(is_old) {
                let _ = fs::remove_file(self.folder.join(name));
            }
        }
        let keys: HashSet<(String, bool)> = self.entries().filter_map(|(name, _)| key_of(&name)).collect();
        let mut entries: Vec<Entry> = keys.into_iter().map(|(key, finished)| self.entry(key, finished)).collect();
        let mut bytes: u64 = entries.iter().map(|e| e.bytes).sum();
        entries.sort_by_key(|e| e.used);
        for entry in entries.iter().filter(|e| !self.used.contains(&e.key) && is_old(e.used)) {
            if bytes <= most {
                break;
            }
            bytes -= entry.bytes;
            if entry.finished {
                self.remove(&entry.key);
            } else {
                Unfinished::discard(&self.path(&entry.key, UNFINISHED));
            }
        }
    }

    /// Removes an outcome. The checksum goes first, so that no incomplete outcome is ever found.
    fn remove(&self, key: &str) {
        for ending in [CHECKSUM].into_iter().chain(PARTS) {
            let _ = fs::remove_file(self.path(key, ending));
        }
    }

    fn entries(&self) -> impl Iterator<Item = (String, fs::DirEntry)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry))
    }

    fn entry(&self, key: String, finished: bool) -> Entry {
        let files: Vec<fs::Metadata> = if finished {
            PARTS
                .into_iter()
                .chain([CHECKSUM])
                .filter_map(|ending| fs::metadata(self.path(&key, ending)).ok())
                .collect()
        } else {
            let folder = fs::read_dir(self.path(&key, UNFINISHED)).into_iter().flatten();
            folder.flatten().filter_map(|file| file.metadata().ok()).collect()
        };
        let used = files.iter().filter_map(|f| f.modified().ok()).max().unwrap_or(SystemTime::UNIX_EPOCH);
        Entry { bytes: files.iter().map(fs::Metadata::len).sum(), used, key, finished }
    }

    /// The key of an outcome. Marks it as used by this build.
    fn key(&mut self, inputs: &str) -> String {
        let key = key(inputs);
        self.used.insert(key.clone());
        key
    }

    fn path(&self, key: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{key}.{ending}"))
    }

    /// Writes a file so that others see it complete or not at all; several builds may share a cache.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = self.temporary()?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(path)?;
        Ok(())
    }

    /// A new file that is removed unless it is persisted. Other users of a shared cache may read it.
    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new();
        file.prefix(TEMPORARY).permissions(fs::Permissions::from_mode(0o644)).tempfile_in(&self.folder)
    }
}

fn key(inputs: &str) -> String {
    sha256_hex(format!("{COMPUTING_SHA256}\n{inputs}").as_bytes())
}

/// An outcome or an unfinished training: its key, the size of its files, and the time of its last use.
struct Entry {
    key: String,
    finished: bool,
    bytes: u64,
    used: SystemTime,
}

/// The key that a name in the folder begins with, and whether it is of a finished training. `None` for files that the
/// cache did not write, which it does not touch.
fn key_of(name: &str) -> Option<(String, bool)> {
    let (key, ending) = name.split_once('.')?;
    let is_key = key.len() == 64 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let finished = ending == CHECKSUM || PARTS.contains(&ending);
    (is_key && (finished || ending == UNFINISHED)).then(|| (key.to_owned(), finished))
}

fn checksum(parts: &[Vec<u8>]) -> String {
    sha256_hex(parts.iter().map(|part| sha256_hex(part)).collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::sources::{COMPUTING, computes};
    use super::*;

    #[test]
    fn sources_of_the_arithmetic_cause_retraining_and_words_and_templates_do_not() {
        for file in [
            "src/arithmetic/kernels/gemm.rs",
            "src/training/run.rs",
            "src/rng.rs",
            "Cargo.lock",
            "Cargo.toml",
            "build.rs",
        ] {
            assert!(computes(file), "{file}");
        }
        for file in [
            "templates/style.css",
            "templates/en.yaml",
            "src/report/mod.rs",
            "src/engine/error.rs",
            "src/cli/build.rs",
            "src/study/messages.rs",
            "src/claims/mod.rs",
            "src/engineering.rs",
        ] {
            assert!(!computes(file), "{file}");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(COMPUTING.iter().all(|part| root.join(part).exists()), "a listed source is missing");
    }

    #[test]
    fn a_full_cache_loses_the_outcomes_used_longest_ago() {
        let folder = tempfile::tempdir().unwrap();
        let cache = RunCache::at(folder.path().to_owned());
        let [a, b, c, new] = ["a", "b", "c", "d"].map(|name| sha256_hex(name.as_bytes()));
        for (days, key) in [(4, &a), (3, &b), (2, &c), (0, &new)] {
            for ending in PARTS.into_iter().chain([CHECKSUM]) {
                cache.write(&cache.path(key, ending), &[0; 20]).unwrap();
                set_age(&cache.path(key, ending), days);
            }
        }
        // A file of the user, and what two killed builds left: one long ago, one just now.
        for (name, days) in [("slim.safetensors", 9), (".newold", 9), (".newyoung", 0)] {
            fs::write(folder.path().join(name), [0; 500]).unwrap();
            set_age(&folder.path().join(name), days);
        }
        let left = |expected: &[&String]| {
            let mut found: Vec<String> = cache.entries().filter_map(|(name, _)| Some(key_of(&name)?.0)).collect();
            found.sort();
            found.dedup();
            let mut expected: Vec<String> = expected.iter().map(|key| (*key).clone()).collect();
            expected.sort();
            assert_eq!(found, expected);
        };
        cache.trim_to(480);
        left(&[&a, &b, &c, &new]);
        cache.trim_to(479);
        left(&[&b, &c, &new]);
        RunCache { used: HashSet::from([b.clone()]), folder: cache.folder.clone() }.trim_to(0);
        left(&[&b, &new]);
        let others: Vec<String> = cache.entries().map(|(name, _)| name).filter(|n| key_of(n).is_none()).collect();
        assert!(others.len() == 2 && !others.contains(&".newold".to_owned()), "{others:?}");
        assert_eq!(cache.entries().count(), 2 * 6 + 2, "the other outcomes are removed completely");
    }

    #[test]
    fn unfinished_trainings_are_counted_and_removed_like_outcomes() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = RunCache::at(folder.path().to_owned());
        let of = |cache: &mut RunCache, inputs: &str, days: u64| {
            let unfinished = cache.unfinished(inputs).unwrap();
            unfinished.store_state(10, &[0; 100]).unwrap();
            let path = cache.path(&key(inputs), UNFINISHED);
            for name in ["state10", "lock"] {
                set_age(&path.join(name), days);
            }
            drop(unfinished);
            path
        };
        let [old, older, young] = [("a", 2), ("b", 3), ("c", 0)].map(|(inputs, days)| of(&mut cache, inputs, days));
        // Another build does not mark them as used.
        let other = RunCache::at(folder.path().to_owned());
        let there = || [&old, &older, &young].map(|path| path.is_dir());
        other.trim_to(300);
        assert_eq!(there(), [true, true, true]);
        other.trim_to(299);
        assert_eq!(there(), [true, false, true]);
        let used = cache.unfinished("a").unwrap();
        other.trim_to(0);
        assert_eq!(there(), [true, false, true], "a training in use stays, and so does a young one");
        drop(used);
        other.trim_to(0);
        assert_eq!(there(), [false, false, true]);
        assert!(cache.unfinished("c").is_some_and(|first| {
            let second = other.path(&key("c"), UNFINISHED);
            let taken = Unfinished::open(&second, "").is_none();
            drop(first);
            taken
        }));
    }

    fn set_age(path: &Path, days: u64) {
        let time = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }
}
