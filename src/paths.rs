//! Finds studies and data: below the current folder, or in the repository that the program was compiled in.

use std::path::PathBuf;

/// Where MNIST lies in the repository.
pub const MNIST: &str = "data/mnist";

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
