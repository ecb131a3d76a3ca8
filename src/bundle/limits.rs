//! How much is read of a bundle that somebody else made.

use super::{
    CRATE, Error, FIGURES, IMAGES, INDEX, MANIFEST, PREDICTIONS, REPORT, REPORT_MARKDOWN, RESULTS, RUN_LOG, STUDY, SUMS,
};
use crate::study::Plan;

/// Bytes of a file. The weights of the largest network that studies train have 5 MB, a run's evidence a few times that.
pub(super) const MAX_FILE: u64 = 256 << 20;
const MIB: u64 = 1 << 20;

/// The most bytes of a file of a bundle. Files that are parsed as a whole are smaller, because parsing takes several times
/// their size in memory.
fn most(path: &str) -> u64 {
    match path {
        STUDY => 4 * MIB,
        SUMS | RUN_LOG => 8 * MIB,
        MANIFEST | CRATE => 16 * MIB,
        RESULTS | REPORT | INDEX | REPORT_MARKDOWN => 64 * MIB,
        // In another language.
        path if path.starts_with("report.") && !path.contains('/') => 64 * MIB,
        path if path.starts_with(FIGURES) => 16 * MIB,
        path if path.starts_with(IMAGES) => MIB,
        path if path.starts_with(PREDICTIONS) => 2 * MIB,
        _ => MAX_FILE,
    }
}

/// Refuses a network whose weights no bundle could hold, before memory is taken for them.
pub(super) fn check_models(plan: &Plan) -> Result<(), Error> {
    let most = MAX_FILE / size_of::<f32>() as u64;
    match plan.models.iter().find(|(_, model)| model.parameter_count() > most) {
        Some((name, model)) => Err(Error::LargeModel { name: name.clone(), parameters: model.parameter_count(), most }),
        None => Ok(()),
    }
}
/// Bytes of all files together: all are in memory at once.
pub(super) const MAX_TOTAL: u64 = 1 << 30;
/// Bytes of a zip. Its headers need room too, so that a bundle at `MAX_TOTAL` still fits.
pub(super) const MAX_ZIP: u64 = MAX_TOTAL + MAX_TOTAL / 16;
/// Files. A bundle has four for each trained network, and its figures.
pub(super) const MAX_FILES: usize = 10_000;
/// Levels of folders. A bundle has one; a bundle packed by hand may have one more.
pub(super) const MAX_DEPTH: usize = 4;
/// Bytes of a path in a bundle: the longest name that common file systems take.
pub(super) const MAX_PATH: usize = 255;
/// How many times its packed size a file may unpack to, against zip bombs. Text unpacks to 10 to 20 times.
pub(super) const MAX_RATIO: u64 = 200;
/// A file of at most this size may have any ratio: 10,000 equal predictions pack to a few bytes.
pub(super) const ANY_RATIO: u64 = 1 << 20;

/// Refuses files that would be too large to read again, given their names and sizes. Returns the name of the first, and why.
pub(crate) fn check_sizes<'a>(files: impl Iterator<Item = &'a (String, u64)>) -> Result<(), (&'a str, String)> {
    let mut budget = Budget::default();
    let mut files = files;
    files.try_for_each(|(name, size)| budget.take(name, *size).map_err(|reason| (name.as_str(), reason)))
}

/// Counts what was read, and stops beyond the limits.
#[derive(Default)]
pub(super) struct Budget {
    bytes: u64,
    files: usize,
}

impl Budget {
    /// Takes one file of `size` bytes, whose path in the bundle is `path`; fails with the reason if it goes beyond the limits.
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
