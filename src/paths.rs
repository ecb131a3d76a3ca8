//! Where the program finds what the repository ships, from whatever folder it is started.
//!
//! Owns the search order: the current folder, then the repository that the program was built in.

use std::path::{Path, PathBuf};

/// A file or folder of the repository: below the current folder if it is there, else below the program's
/// own repository (two folders above `target/release/mnist-report`).
pub fn of_repository(relative: &str) -> PathBuf {
    let here = PathBuf::from(relative);
    if here.exists() {
        return here;
    }
    let exe = std::env::current_exe().unwrap_or_default();
    let found = exe.ancestors().skip(1).take(4).map(|up| up.join(relative)).find(|p| p.exists());
    found.unwrap_or(here)
}

/// The folder of a study's data: its `data:`, relative to the study file, else `data/mnist`.
pub fn data_dir(study_file: &Path, data: Option<&Path>) -> PathBuf {
    match data {
        Some(dir) => study_file.parent().unwrap_or(Path::new("")).join(dir),
        None => of_repository("data/mnist"),
    }
}
