//! Finds studies and data: below the current folder, in the repository that the program was compiled in, or where it was installed.
//! Also the folder for files that speed up later runs.

use std::path::PathBuf;

/// Where MNIST lies in the repository.
pub const MNIST: &str = "data/mnist";

/// Where an installation keeps files, below the folder that has `bin/` with the program.
const SHARED: &str = "share/mnist-report";

/// The variable that names the folder with the MNIST files, where a study does not.
pub const DATA_VARIABLE: &str = "MNIST_REPORT_DATA";

/// Whether the user names a folder with the MNIST files.
pub fn is_mnist_named() -> bool {
    std::env::var_os(DATA_VARIABLE).is_some()
}

/// The folder with this user's MNIST files: `MNIST_REPORT_DATA`, otherwise `data/mnist`, here or in the repository.
pub fn mnist() -> PathBuf {
    std::env::var_os(DATA_VARIABLE).map_or_else(|| here_or_in_repository(MNIST), PathBuf::from)
}

/// The path of a file or folder such as `data/mnist`: as given if it exists below the current folder and is not empty. Otherwise
/// in the repository whose `target/release/` holds the program, or in the `share/mnist-report/` of the installation whose `bin/`
/// does. If it exists in none, returns `relative`.
pub fn here_or_in_repository(relative: &str) -> PathBuf {
    let here = PathBuf::from(relative);
    // An empty folder would hide what the program has.
    let is_empty = here.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if here.exists() && !is_empty {
        return here;
    }
    // The program is in target/release, or below it if a test runs it.
    let program = std::env::current_exe().unwrap_or_default();
    let folders = program.ancestors().skip(1).take(4);
    let places = folders.flat_map(|folder| [folder.join(relative), folder.join(SHARED).join(relative)]);
    places.into_iter().find(|path| path.exists()).unwrap_or(here)
}

/// The value of an environment variable, if it is set and not empty.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty())
}

/// The folder for files that speed up later runs: `mnist-report` in $XDG_CACHE_HOME or ~/.cache. It need not exist. `None` if the
/// user has no home folder, as some services.
pub fn user_cache() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    // Do not create a home folder that does not exist.
    let home = || variable("HOME").filter(|home| absolute(home) && home.is_dir()).map(|home| home.join(".cache"));
    variable("XDG_CACHE_HOME").filter(absolute).or_else(home).map(|caches| caches.join("mnist-report"))
}
