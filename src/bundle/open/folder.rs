//! Reads a bundle's folder.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use crate::bundle::limits::{Budget, MAX_DEPTH};
use crate::bundle::{Error, Files};

/// Reads every file below a folder; what does not belong in a bundle is added to `problems`.
pub(super) fn read(folder: &Path, problems: &mut Vec<String>) -> Result<Files, Error> {
    let (mut files, mut budget) = (Files::new(), Budget::default());
    for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(folder).to_owned();
            Error::read(&path)(e.into())
        })?;
        let path = entry.path();
        // Separated by `/` on every system, as in SHA256SUMS.
        let relative = path.strip_prefix(folder).unwrap_or(path);
        let name = relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        if entry.file_type().is_dir() {
            if entry.depth() > MAX_DEPTH {
                let reason = format!("is nested deeper than {MAX_DEPTH} folders, which no bundle needs");
                return Err(Error::refused(path, reason));
            }
            if fs::read_dir(path).map_err(Error::read(path))?.next().is_none() {
                problems.push(format!("{name}: an empty folder"));
            }
        } else if entry.file_type().is_file() {
            let size = fs::symlink_metadata(path).map_err(Error::read(path))?.len();
            budget.take(size).map_err(|reason| Error::refused(path, reason))?;
            files.insert(name, fs::read(path).map_err(Error::read(path))?);
        } else {
            problems.push(format!("{name}: a link or special file, not a plain file"));
        }
    }
    Ok(files)
}
