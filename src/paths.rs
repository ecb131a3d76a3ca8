//! Finds the repository's files (studies, data) from any current folder.

use std::path::{Path, PathBuf};

/// The path of a repository file or folder: relative to the current folder if it exists there, otherwise in the repository
/// that contains `target/release/mnist-report`. If it exists in neither, returns `relative`.
pub fn of_repository(relative: &str) -> PathBuf {
    let here = PathBuf::from(relative);
    if here.exists() {
        return here;
    }
    let exe = std::env::current_exe().unwrap_or_default();
    let found = exe.ancestors().skip(1).take(4).map(|up| up.join(relative)).find(|p| p.exists());
    found.unwrap_or(here)
}

/// The folder of a study's data: its `data` key, relative to the study file, or the repository's `data/mnist`.
pub fn data_dir(study_file: &Path, data: Option<&Path>) -> PathBuf {
    match data {
        Some(dir) => study_file.parent().unwrap_or(Path::new("")).join(dir),
        None => of_repository("data/mnist"),
    }
}
