//! Limits on the size of a bundle, which may come from an untrusted author.

use super::{
    CRATE, Error, FIGURES, IMAGES, INDEX, MANIFEST, PREDICTIONS, REPORT, REPORT_MARKDOWN, RESULTS, RUN_LOG, STUDY, SUMS,
};
use crate::study::Plan;

/// Maximum size of a file. The weights of the largest network that studies train take 5 MB, and a run's evidence a few
/// times that.
pub(super) const MAX_FILE: u64 = 256 << 20;
const MIB: u64 = 1 << 20;

/// The maximum size of a file in a bundle. It is lower for files that are parsed as a whole, because parsing takes
/// several times their size in memory.
fn most(path: &str) -> u64 {
    match path {
        STUDY => 4 * MIB,
        SUMS => 8 * MIB,
        RUN_LOG => MAX_RUN_LOG,
        MANIFEST | CRATE => 16 * MIB,
        RESULTS | REPORT | INDEX | REPORT_MARKDOWN => 64 * MIB,
        // The report in another language.
        path if path.starts_with("report.") && !path.contains('/') => 64 * MIB,
        path if path.starts_with(FIGURES) => 16 * MIB,
        path if path.starts_with(IMAGES) => MIB,
        path if path.starts_with(PREDICTIONS) => 2 * MIB,
        _ => MAX_FILE,
    }
}

/// Refuses a network whose weights are too large for any bundle, before memory is allocated for them.
pub(super) fn check_models(plan: &Plan) -> Result<(), Error> {
    let most = MAX_FILE / size_of::<f32>() as u64;
    match plan.models.iter().find(|(_, model)| model.parameter_count() > most) {
        Some((name, model)) => Err(Error::LargeModel { name: name.clone(), parameters: model.parameter_count(), most }),
        None => Ok(()),
    }
}
/// Maximum size of all files together, which are in memory at the same time.
pub(super) const MAX_TOTAL: u64 = 1 << 30;
/// Maximum size of a zip. It includes room for headers, so that a bundle of `MAX_TOTAL` bytes still fits.
pub(super) const MAX_ZIP: u64 = MAX_TOTAL + MAX_TOTAL / 16;
/// Maximum number of files. A bundle has four for each trained network, and its figures.
pub(super) const MAX_FILES: usize = 10_000;
/// Maximum depth of folders. A bundle has one level; a bundle packed by hand may have one more.
pub(super) const MAX_DEPTH: usize = 4;
/// Maximum length of a path in a bundle, in bytes: the longest name that common file systems accept.
pub(super) const MAX_PATH: usize = 255;
/// Maximum length of an entry's name in a zip, in bytes, with the folders above the bundle. Each of its parts is limited to what file
/// systems take.
pub(super) const MAX_NAME: usize = 4 * MAX_PATH;
/// Maximum size of a zip's list of entries. Names and fields in an honest zip need a tenth of that.
pub(super) const MAX_LIST: u64 = 4096 * MAX_FILES as u64;
/// Maximum size of a run log. Half of it is enough for a hundred thousand epochs.
pub(super) const MAX_RUN_LOG: u64 = 4 * MIB;
/// Maximum length of a text in a run log, in bytes: the longest path that Linux accepts.
pub(super) const MAX_RUN_LOG_TEXT: usize = 4096;
/// Maximum ratio of a file's size to its packed size, against zip bombs. Text has a ratio of 10 to 20.
pub(super) const MAX_RATIO: u64 = 200;
/// A file of at most this size may have any ratio: 10,000 equal predictions pack to a few bytes.
pub(super) const ANY_RATIO: u64 = 1 << 20;

/// Refuses files, given their names and sizes, that would be too large to read again. The error is the name of the
/// first such file, and the reason.
pub(crate) fn check_sizes<'a>(files: impl Iterator<Item = &'a (String, u64)>) -> Result<(), (&'a str, String)> {
    let mut budget = Budget::default();
    let mut files = files;
    files.try_for_each(|(name, size)| budget.take(name, *size).map_err(|reason| (name.as_str(), reason)))
}

/// Counts the files and bytes that were read, and enforces the limits.
#[derive(Default)]
pub(super) struct Budget {
    bytes: u64,
    files: usize,
}

impl Budget {
    /// Counts one file of `size` bytes, whose path in the bundle is `path`. Fails with the reason if a limit is
    /// exceeded.
    pub(super) fn take(&mut self, path: &str, size: u64) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(size);
        self.files += 1;
        if size > most(path) && size <= MAX_FILE {
            return Err(format!("is too large for this file of a bundle (at most {} MiB)", most(path) / MIB));
        }
        if size > MAX_FILE || self.bytes > MAX_TOTAL || self.files > MAX_FILES {
            let (file, total) = (MAX_FILE >> 20, MAX_TOTAL >> 20);
            return Err(format!(
                "is too large for a bundle (at most {file} MiB a file, {total} MiB and {MAX_FILES} files in all)"
            ));
        }
        Ok(())
    }
}
