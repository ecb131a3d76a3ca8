//! How much is read of a bundle that somebody else made.

/// Bytes of a file. The weights of the largest network that studies train have 5 MB, a run's evidence a few times that.
pub(super) const MAX_FILE: u64 = 256 << 20;
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
    files.try_for_each(|(name, size)| budget.take(*size).map_err(|reason| (name.as_str(), reason)))
}

/// Counts what was read, and stops beyond the limits.
#[derive(Default)]
pub(super) struct Budget {
    bytes: u64,
    files: usize,
}

impl Budget {
    /// Takes one file of `size` bytes; fails with the reason if it goes beyond the limits.
    pub(super) fn take(&mut self, size: u64) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(size);
        self.files += 1;
        if size > MAX_FILE || self.bytes > MAX_TOTAL || self.files > MAX_FILES {
            let (file, total) = (MAX_FILE >> 20, MAX_TOTAL >> 20);
            return Err(format!(
                "is too large for a bundle (at most {file} MiB a file, {total} MiB and {MAX_FILES} files in all)"
            ));
        }
        Ok(())
    }
}
