//! The run cache: outcomes of finished runs, so that an interrupted build can continue and a changed sentence needs no
//! training.
//!
//! An outcome's key covers everything that it depends on: the run's inputs (`inputs_digest`) and the sources that compute it
//! (`sources`), but not the study's name, the report's language or the bundle's folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use super::SeedOutcome;
use crate::dataset::{read_labels, write_labels};
use crate::digest::sha256_hex;
use crate::results::SeedResult;

/// The SHA-256 over the sources that decide the outcome of a training, taken when the program was compiled.
const COMPUTING_SHA256: &str = env!("MNIST_REPORT_COMPUTING_SHA256");

/// The environment variable that names the cache's folder.
const VARIABLE: &str = "MNIST_REPORT_CACHE";

/// The endings of an outcome's files. The checksum is written last: an outcome without it is incomplete.
const PARTS: [&str; 4] = ["json", "idx1-ubyte", "safetensors", "evidence"];
const CHECKSUM: &str = "sha256";

/// Bytes that the cache may take; beyond them, the outcomes that were used longest ago are removed.
const MAX_BYTES: u64 = 2 << 30;

/// The run cache of one build.
pub struct RunCache {
    folder: PathBuf,
    used: HashSet<String>,
}

impl RunCache {
    /// The cache in a folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder, used: HashSet::new() }
    }

    /// The user's cache: $MNIST_REPORT_CACHE, otherwise `mnist-report/runs` in $XDG_CACHE_HOME or ~/.cache, otherwise a hidden
    /// folder beside the bundle.
    pub fn of_user(bundle: &Path) -> Self {
        let variable =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty());
        let caches = || {
            let absolute = |path: &PathBuf| path.is_absolute();
            // A home folder that does not exist (of a service, say) is not created.
            let home = || variable("HOME").filter(|home| absolute(home) && home.is_dir());
            variable("XDG_CACHE_HOME").filter(absolute).or_else(|| Some(home()?.join(".cache")))
        };
        let folder = variable(VARIABLE).or_else(|| Some(caches()?.join("mnist-report/runs")));
        Self::at(folder.unwrap_or_else(|| {
            let name = bundle.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            bundle.with_file_name(format!(".{name}.runs"))
        }))
    }

    /// The outcome of a run with these inputs, if the cache has all of it.
    pub fn find(&mut self, inputs: &str) -> Option<SeedOutcome> {
        let key = self.key(inputs);
        let read = |ending: &str| fs::read(self.path(&key, ending)).ok();
        let parts: Vec<Vec<u8>> = PARTS.iter().map(|part| read(part)).collect::<Option<_>>()?;
        if read(CHECKSUM)? != checksum(&parts).into_bytes() {
            return None;
        }
        // Record the time of use. If that fails, the outcome only counts as older.
        let _ = fs::File::open(self.path(&key, CHECKSUM)).and_then(|file| file.set_modified(SystemTime::now()));
        let [json, predictions, weights, evidence] = <[_; PARTS.len()]>::try_from(parts).ok()?;
        let result: SeedResult = serde_json::from_slice(&json).ok()?;
        let predictions = read_labels(&predictions).ok()?;
        Some(SeedOutcome { result, predictions, weights, evidence })
    }

    /// Stores an outcome. Ignores errors, because a build does not need the cache.
    pub fn store(&mut self, inputs: &str, outcome: &SeedOutcome) {
        let key = self.key(inputs);
        let parts = vec![
            serde_json::to_vec(&outcome.result).unwrap_or_default(),
            write_labels(&outcome.predictions),
            outcome.weights.clone(),
            outcome.evidence.clone(),
        ];
        let sum = checksum(&parts).into_bytes();
        for (ending, bytes) in PARTS.into_iter().chain([CHECKSUM]).zip(parts.into_iter().chain([sum])) {
            if self.write(&self.path(&key, ending), &bytes).is_err() {
                return;
            }
        }
    }

    /// Removes the outcomes that were used longest ago until the rest fits. Those of this build stay.
    pub fn trim(&self) {
        self.trim_to(MAX_BYTES);
    }

    fn trim_to(&self, most: u64) {
        let mut outcomes = self.outcomes();
        let mut bytes: u64 = outcomes.iter().map(|o| o.bytes).sum();
        outcomes.sort_by_key(|o| o.used);
        for outcome in outcomes.iter().filter(|o| !self.used.contains(&o.key)) {
            if bytes <= most {
                break;
            }
            bytes -= outcome.bytes;
            // The checksum goes first, so that no incomplete outcome is ever found.
            for ending in [CHECKSUM].into_iter().chain(PARTS) {
                let _ = fs::remove_file(self.path(&outcome.key, ending));
            }
        }
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let keys: HashSet<String> = names.filter_map(|n| Some(n.split_once('.')?.0.to_owned())).collect();
        keys.into_iter().map(|key| self.outcome(key)).collect()
    }

    fn outcome(&self, key: String) -> Outcome {
        let files = PARTS.into_iter().chain([CHECKSUM]);
        let files: Vec<fs::Metadata> = files.filter_map(|ending| fs::metadata(self.path(&key, ending)).ok()).collect();
        let used = files.iter().filter_map(|f| f.modified().ok()).max().unwrap_or(SystemTime::UNIX_EPOCH);
        Outcome { bytes: files.iter().map(fs::Metadata::len).sum(), used, key }
    }

    /// The key of an outcome. Marks it as used by this build.
    fn key(&mut self, inputs: &str) -> String {
        let key = sha256_hex(format!("{COMPUTING_SHA256}\n{inputs}").as_bytes());
        self.used.insert(key.clone());
        key
    }

    fn path(&self, key: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{key}.{ending}"))
    }

    /// Writes a file so that others see it complete or not at all; several builds may share a cache.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new().prefix(".new").tempfile_in(&self.folder)?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(path)?;
        Ok(())
    }
}

/// An outcome's files.
struct Outcome {
    key: String,
    bytes: u64,
    used: SystemTime,
}

fn checksum(parts: &[Vec<u8>]) -> String {
    sha256_hex(parts.iter().map(|part| sha256_hex(part)).collect::<String>().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sources::{COMPUTING, computes};
    use super::*;

    #[test]
    fn words_and_templates_do_not_retrain_and_the_arithmetic_does() {
        for file in
            ["src/engine/kernels/gemm.rs", "src/training/run.rs", "src/rng.rs", "Cargo.lock", "src/study/plan.rs"]
        {
            assert!(computes(file), "{file}");
        }
        for file in [
            "templates/style.css",
            "templates/en.yaml",
            "src/report/mod.rs",
            "src/cli/build.rs",
            "src/study/messages.rs",
            "src/claims/mod.rs",
            "src/engineering.rs",
            "Cargo.toml",
        ] {
            assert!(!computes(file), "{file}");
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(COMPUTING.iter().all(|part| root.join(part).exists()), "a listed source is missing");
    }

    #[test]
    fn a_full_cache_loses_what_was_used_longest_ago() {
        let folder = tempfile::tempdir().unwrap();
        let old = RunCache::at(folder.path().to_owned());
        for (age, key) in [(3, "a"), (2, "b"), (1, "c")] {
            for ending in PARTS.into_iter().chain([CHECKSUM]) {
                old.write(&old.path(key, ending), &[0; 20]).unwrap();
                let file = fs::File::open(old.path(key, ending)).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(age * 1000)).unwrap();
            }
        }
        let left = || {
            let mut keys: Vec<String> = old.outcomes().into_iter().map(|o| o.key).collect();
            keys.sort();
            keys.concat()
        };
        old.trim_to(300);
        assert_eq!(left(), "abc");
        old.trim_to(299);
        assert_eq!(left(), "bc");
        RunCache { used: HashSet::from(["b".to_owned()]), folder: old.folder.clone() }.trim_to(100);
        assert_eq!(left(), "b");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "nothing is left of the others");
    }
}
