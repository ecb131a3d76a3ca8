//! Finished runs of earlier builds: an interrupted build goes on with the run that it was at, and a changed
//! sentence needs no new training.
//!
//! Owns their folder. Their keys, the program's source and `runs::inputs_digest`, cover everything that an outcome depends
//! on, so that a kept outcome is the one that training would give again.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::SeedOutcome;
use crate::bundle::{SOURCE_SHA256, write_file};
use crate::dataset::{read_labels, write_labels};
use crate::digest::sha256_hex;
use crate::results::SeedResult;

/// An outcome's files, and the one that says that they are whole.
const PARTS: [&str; 4] = ["json", "idx1-ubyte", "safetensors", "evidence"];
const SUM: &str = "sha256";

fn sum(parts: &[Vec<u8>]) -> String {
    sha256_hex(parts.iter().map(|part| sha256_hex(part)).collect::<String>().as_bytes())
}

/// The folder of kept runs beside a bundle.
pub struct RunCache {
    folder: PathBuf,
    used: HashSet<String>,
}

impl RunCache {
    /// The kept runs of the bundle at `dir`.
    pub fn beside(dir: &Path) -> Self {
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Self { folder: dir.with_file_name(format!(".{name}.runs")), used: HashSet::new() }
    }

    /// A kept outcome; none where there is none, or where it is not whole.
    pub fn find(&mut self, inputs: &str) -> Option<SeedOutcome> {
        let key = self.key(inputs);
        let read = |ending: &str| fs::read(self.path(&key, ending)).ok();
        let parts: Vec<Vec<u8>> = PARTS.iter().map(|part| read(part)).collect::<Option<_>>()?;
        if read(SUM)? != sum(&parts).into_bytes() {
            return None;
        }
        let [json, predictions, weights, evidence] = <[_; PARTS.len()]>::try_from(parts).ok()?;
        let result: SeedResult = serde_json::from_slice(&json).ok()?;
        let predictions = read_labels(&predictions).ok()?;
        Some(SeedOutcome { result, predictions, weights, evidence })
    }

    /// Keeps an outcome. Failing to is no failure of the build.
    pub fn keep(&mut self, inputs: &str, outcome: &SeedOutcome) {
        let key = self.key(inputs);
        let parts = vec![
            serde_json::to_vec(&outcome.result).unwrap_or_default(),
            write_labels(&outcome.predictions),
            outcome.weights.clone(),
            outcome.evidence.clone(),
        ];
        let sum = sum(&parts).into_bytes();
        // The sum comes last: without it the others are not looked at.
        for (ending, bytes) in PARTS.into_iter().chain([SUM]).zip(parts.into_iter().chain([sum])) {
            if write_file(&self.path(&key, ending), &bytes).is_err() {
                return;
            }
        }
    }

    /// Removes what this build did not use: outcomes of plans that are no more.
    pub fn tidy(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let key = name.split('.').next().unwrap_or_default();
            if !self.used.contains(key) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The key of an outcome, used from now on.
    fn key(&mut self, inputs: &str) -> String {
        let key = sha256_hex(format!("{SOURCE_SHA256}\n{inputs}").as_bytes());
        self.used.insert(key.clone());
        key
    }

    fn path(&self, key: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{key}.{ending}"))
    }
}
