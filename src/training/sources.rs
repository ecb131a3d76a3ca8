//! The source files that decide the outcome of a training. build.rs computes their digest, which is part of the run cache's
//! key, so changing a template or the command line does not retrain, but changing the arithmetic does.

/// Files and folders, relative to the repository. Cargo.toml and build.rs set how the program is compiled.
pub(super) const COMPUTING: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "src/dataset",
    "src/engine",
    "src/model",
    "src/results/digits.rs",
    "src/results/metrics.rs",
    "src/results/runs.rs",
    "src/rng.rs",
    "src/study/optimizer.rs",
    "src/study/plan.rs",
    "src/study/schedule.rs",
    "src/study/spec.rs",
    "src/tensors.rs",
    "src/training",
];

/// Whether a file, relative to the repository, decides the outcome of a training. Error messages do not.
pub(super) fn computes(file: &str) -> bool {
    let listed = |part: &str| file == part || file.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'));
    COMPUTING.iter().any(|part| listed(part)) && !file.ends_with("/error.rs")
}
