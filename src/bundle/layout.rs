//! The names of the files and folders in a bundle.

use std::fmt;

use super::limits::MAX_PATH;
use crate::results::{AnyRun, Results, SeedResult};
use crate::study::RunPlan;

/// Every measured value.
pub const RESULTS: &str = "results.json";
/// The study.
pub const STUDY: &str = "study.yaml";
/// Inputs, digests, environment and the list of files.
pub const MANIFEST: &str = "manifest.json";
/// The metadata of the bundle as an RO-Crate.
pub const CRATE: &str = "ro-crate-metadata.json";
/// The SHA-256 of every other file except run-log.json, as `sha256sum -c` reads it.
pub const SUMS: &str = "SHA256SUMS";
/// Facts that differ from build to build; the one file that SHA256SUMS does not list.
pub const RUN_LOG: &str = "run-log.json";
/// The report as a web page.
pub const REPORT: &str = "report.html";
/// The report as Markdown.
pub const REPORT_MARKDOWN: &str = "report.md";
/// A copy of the report in zips, where static hosts look for it.
pub const INDEX: &str = "index.html";

/// The folder of the report's figures.
pub const FIGURES: &str = "figures/";
/// The folder of the images that the study's texts show.
pub const IMAGES: &str = "images/";
/// The folder of the predicted classes.
pub const PREDICTIONS: &str = "predictions/";
/// The folder of the trained weights.
pub const WEIGHTS: &str = "weights/";
/// The folder of the segments that can be replayed.
pub const EVIDENCE: &str = "evidence/";
/// The folder of the training loss of every batch.
pub const LOSSES: &str = "losses/";
/// The folders that `publish --lean` leaves out: they are large, and only expensive rungs of `verify` need them.
pub const OPTIONAL: [&str; 2] = [WEIGHTS, EVIDENCE];

/// How many files a trained network has.
pub const FILES_PER_SEED: usize = 4;

/// The files of one trained network.
///
/// They are named after the run: `weights/slim.safetensors`, or `weights/slim.seed2.safetensors` where the run has
/// several seeds. `Display` prints that name without folder and ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFiles(String);

impl SeedFiles {
    /// The files of a seed of `run`, which has `seeds` seeds.
    pub fn new(run: &str, seed: u64, seeds: usize) -> Self {
        Self(if seeds == 1 { run.to_owned() } else { format!("{run}.seed{seed}") })
    }

    /// The files of a seed of a planned run.
    pub fn of_plan(run: &RunPlan, seed: u64) -> Self {
        Self::new(&run.name, seed, run.seeds.len())
    }

    /// The files of a seed of a run in results.json.
    pub fn of_result(name: &str, run: AnyRun, seed: u64) -> Self {
        Self::new(name, seed, run.seed_count())
    }

    /// The predicted class of each test image, in IDX format.
    pub fn predictions(&self) -> String {
        format!("{PREDICTIONS}{self}.idx1-ubyte")
    }

    /// The weights and buffers after training, as safetensors.
    pub fn weights(&self) -> String {
        format!("{WEIGHTS}{self}.safetensors")
    }

    /// The segments of the training that can be replayed, as safetensors.
    pub fn evidence(&self) -> String {
        format!("{EVIDENCE}{self}.safetensors")
    }

    /// The training loss of every batch, as little-endian float32.
    pub fn losses(&self) -> String {
        format!("{LOSSES}{self}.f32")
    }

    /// All files of this network.
    pub fn all(&self) -> [String; FILES_PER_SEED] {
        [self.predictions(), self.weights(), self.evidence(), self.losses()]
    }
}

impl fmt::Display for SeedFiles {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every trained network of some results: its run, its result and its files. Seeds that diverged have none.
pub fn seed_files(results: &Results) -> impl Iterator<Item = (&str, &SeedResult, SeedFiles)> {
    results.all_runs().flat_map(|(name, run)| {
        let of_seed = move |seed: &'_ SeedResult| SeedFiles::of_result(name, run, seed.seed);
        run.finished().into_iter().map(move |seed| (name.as_str(), seed, of_seed(seed)))
    })
}

/// Whether a file is primary: not computed from other files of the bundle.
pub fn is_primary(path: &str) -> bool {
    let folders = [PREDICTIONS, WEIGHTS, EVIDENCE, LOSSES, IMAGES];
    path == RESULTS || path == STUDY || folders.iter().any(|folder| path.starts_with(folder))
}

/// Whether `publish --lean` leaves out a file.
pub fn is_optional(path: &str) -> bool {
    OPTIONAL.iter().any(|folder| path.starts_with(folder))
}

/// Whether a path is relative, stays inside the bundle, and has only characters that mean the same on every system.
pub fn is_valid_path(path: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    path.len() <= MAX_PATH && path.split('/').all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_in_the_name_only_where_there_are_several() {
        assert_eq!(SeedFiles::new("slim", 1, 1).predictions(), "predictions/slim.idx1-ubyte");
        assert_eq!(SeedFiles::new("slim", 2, 3).weights(), "weights/slim.seed2.safetensors");
    }
}
