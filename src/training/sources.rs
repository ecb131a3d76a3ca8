//! The source files that decide the outcome of a training. build.rs computes their digest, which is part of the run cache's
//! key, so changing a template or the command line does not retrain, but changing the arithmetic does.

/// Files and folders, relative to the repository.
pub(crate) const COMPUTING: &[&str] = &[
    "Cargo.lock",
    "src/dataset",
    "src/engine",
    "src/model",
    "src/results",
    "src/rng.rs",
    "src/study/optimizer.rs",
    "src/study/plan.rs",
    "src/study/schedule.rs",
    "src/study/spec.rs",
    "src/tensors.rs",
    "src/training",
];

/// Whether a file, relative to the repository, decides the outcome of a training.
pub(crate) fn computes(file: &str) -> bool {
    COMPUTING.iter().any(|part| file == *part || file.strip_prefix(part).is_some_and(|rest| rest.starts_with('/')))
}
