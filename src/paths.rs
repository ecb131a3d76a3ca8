//! Finds studies and data: below the current folder, or in the repository that the program was compiled in.

use std::path::{Path, PathBuf};

/// The path of a file or folder such as `data/mnist`: as given if it exists below the current folder, otherwise in the
/// repository whose `target/release/` holds the program. If it exists in neither, returns `relative`.
pub fn here_or_in_repository(relative: &str) -> PathBuf {
    let here = PathBuf::from(relative);
    if here.exists() {
        return here;
    }
    // The program is in target/release, or below it if a test runs it.
    let program = std::env::current_exe().unwrap_or_default();
    let found = program.ancestors().skip(1).take(4).map(|folder| folder.join(relative)).find(|path| path.exists());
    found.unwrap_or(here)
}

/// The folder of a study's data: its `data` key, relative to the study file; without that key, `data/mnist` in the current
/// folder or in the repository.
pub fn data_dir(study_file: &Path, data: Option<&Path>) -> PathBuf {
    match data {
        Some(dir) => study_file.parent().unwrap_or(Path::new("")).join(dir),
        None => here_or_in_repository("data/mnist"),
    }
}
