//! The source files that decide the outcome of a training. build.rs computes their digest, which is part of the run cache's
//! key: after a change of the arithmetic every run is trained again, after a change of a template or of the command line none.
//!
//! The study's types (src/study/spec.rs) are not listed: they only hold values, and the values that a training depends on are
//! part of the key themselves.

/// Files and folders, relative to the repository. Cargo.toml and build.rs set how the program is compiled.
pub(super) const COMPUTING: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "src/dataset",
    "src/arithmetic",
    "src/compute",
    "src/engine",
    "src/model",
    "src/results/digits.rs",
    "src/results/diverged.rs",
    "src/results/losses.rs",
    "src/results/metrics.rs",
    "src/results/runs.rs",
    "src/rng.rs",
    "src/study/optimizer.rs",
    "src/study/plan.rs",
    "src/study/schedule.rs",
    "src/tensors.rs",
    "src/training",
];

/// Whether a file, relative to the repository, decides the outcome of a training. Error messages do not.
pub(super) fn computes(file: &str) -> bool {
    let listed = |part: &str| file == part || file.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    COMPUTING.iter().any(|part| listed(part)) && !file.ends_with("/error.rs")
}
