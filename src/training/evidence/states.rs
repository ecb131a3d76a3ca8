//! Keeps the states of candidates on the disk until the stored segments are drawn.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use crate::training::{TrainingError, Unfinished};

/// Where the states are.
pub(super) enum States<'a> {
    /// No state is kept.
    Nowhere,
    /// In a file without a name, which the system removes however the process ends.
    Nameless(Nameless),
    /// In the folder of an unfinished training, where a later process finds them.
    Folder(&'a Unfinished),
}

/// States by step, one after the other in a file.
pub(super) struct Nameless {
    file: File,
    /// Where each state starts, and its length.
    places: BTreeMap<usize, (u64, usize)>,
    /// The places of states that are not needed any more.
    free: Vec<(u64, usize)>,
    end: u64,
}

impl<'a> States<'a> {
    /// In the folder, or in a temporary file if there is none.
    pub(super) fn new(folder: Option<&'a Unfinished>) -> Result<Self, TrainingError> {
        if let Some(folder) = folder {
            return Ok(Self::Folder(folder));
        }
        let file = tempfile::tempfile().map_err(TrainingError::TemporaryFile)?;
        Ok(Self::Nameless(Nameless { file, places: BTreeMap::new(), free: Vec::new(), end: 0 }))
    }

    pub(super) fn store(&mut self, step: usize, bytes: &[u8]) -> Result<(), TrainingError> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Nameless(states) => states.store(step, bytes).map_err(TrainingError::TemporaryFile),
            Self::Folder(folder) => folder.store_state(step, bytes).map_err(TrainingError::store(folder, step)),
        }
    }

    pub(super) fn read(&self, step: usize) -> Result<Vec<u8>, TrainingError> {
        match self {
            Self::Nowhere => Ok(Vec::new()),
            Self::Nameless(states) => states.read(step).map_err(TrainingError::TemporaryFile),
            Self::Folder(folder) => folder.state(step).map_err(TrainingError::read(folder, step)),
        }
    }

    /// Forgets a state, so that its room on the disk can be used again.
    pub(super) fn forget(&mut self, step: usize) {
        match self {
            Self::Nowhere => {}
            Self::Nameless(states) => states.free.extend(states.places.remove(&step)),
            Self::Folder(folder) => folder.forget_state(step),
        }
    }

    /// A stored state if it has this digest; only a folder has states of an earlier process.
    pub(super) fn earlier(&self, step: usize, sha256: &str) -> Option<Vec<u8>> {
        let Self::Folder(folder) = self else { return None };
        folder.state_with(step, sha256)
    }

    /// What an error message calls the place of a state.
    pub(super) fn place(&self, step: usize) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.state_path(step),
            _ => std::env::temp_dir(),
        }
    }
}

impl Nameless {
    fn store(&mut self, step: usize, bytes: &[u8]) -> io::Result<()> {
        // All states of a training have the same length.
        let free = self.free.pop_if(|(_, len)| *len == bytes.len());
        let place = free.unwrap_or((self.end, bytes.len()));
        self.file.write_all_at(bytes, place.0)?;
        self.places.insert(step, place);
        self.end = self.end.max(place.0 + bytes.len() as u64);
        Ok(())
    }

    fn read(&self, step: usize) -> io::Result<Vec<u8>> {
        let (start, len) = *self.places.get(&step).ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}
