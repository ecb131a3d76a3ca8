//! Forges bundles in every known way, to show which rung of `verify` finds each forgery.
//!
//! [`Draft`] is a forger's tool, which the tests use too; [`FORGERIES`] is what `mnist-report demo` shows.

mod draft;
mod forgeries;

use std::path::{Path, PathBuf};

pub use draft::{Draft, Redo};
pub use forgeries::{FORGERIES, Forgery};

use crate::bundle::{self, Bundle, Cause, Contents};
use crate::dataset::Mnist;
use crate::engine::DeviceChoice;
use crate::paths;
use crate::verify::{Rung, Status, Step, Verification, verify};

/// A forgery that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bundle has nothing that this forgery could change.
    #[error("the bundle has no {0}")]
    Nothing(String),
    /// The bundle cannot be read or written.
    #[error(transparent)]
    Bundle(#[from] bundle::Error),
    /// A file cannot be changed.
    #[error("cannot change {file}")]
    Content {
        /// By path in the bundle.
        file: String,
        /// Why.
        source: Cause,
    },
    /// The data, the device or the training failed.
    #[error(transparent)]
    Machine(Cause),
    /// A forgery of the table.
    #[error("forgery `{name}`")]
    Forgery {
        /// Its name.
        name: &'static str,
        /// Why.
        source: Box<Error>,
    },
}

impl Error {
    fn content(file: &str, source: impl Into<Cause>) -> Self {
        Self::Content { file: file.to_owned(), source: source.into() }
    }

    fn machine(source: impl Into<Cause>) -> Self {
        Self::Machine(source.into())
    }
}

/// An honest bundle, and what a forger needs to change it.
pub struct Honest {
    bundle: Bundle,
    contents: Contents,
    data: Mnist,
    device: DeviceChoice,
}

impl Honest {
    /// Opens a bundle; forgeries that need networks compute them on `device`.
    ///
    /// # Errors
    /// A path that is not a bundle, or missing data.
    pub fn open(path: &Path, device: DeviceChoice) -> Result<Self, Error> {
        let bundle = Bundle::open(path)?;
        let contents = bundle.contents()?;
        let data = Mnist::load(&paths::data_dir(Path::new(""), contents.study().data.as_deref()));
        Ok(Self { bundle, contents, data: data.map_err(Error::machine)?, device })
    }

    /// A copy to be forged.
    pub fn draft(&self) -> Draft<'_> {
        Draft::new(self)
    }

    /// Writes a forged copy into a new folder.
    ///
    /// # Errors
    /// A bundle without what the forgery changes (a run that keeps segments), or a disk that cannot be written.
    pub fn forge(&self, forgery: &Forgery, dir: &Path) -> Result<(), Error> {
        let forge = || {
            let mut draft = self.draft();
            forgery.make(&mut draft)?;
            draft.save(dir)
        };
        forge().map_err(|e| Error::Forgery { name: forgery.name, source: Box::new(e) })
    }

    /// Makes a forgery in a folder below `folder`, and verifies it as far as the rung that should find it.
    ///
    /// # Errors
    /// As `forge`, or a forged folder that is not a bundle any more.
    pub fn attempt(&self, forgery: &Forgery, folder: &Path) -> Result<Attempt, Error> {
        let dir: PathBuf = folder.join(forgery.name);
        self.forge(forgery, &dir)?;
        let verification = verify(&dir, Some(forgery.caught_by), self.device)?;
        Ok(Attempt { verification, expected: forgery.caught_by })
    }
}

/// A forgery that was verified.
pub struct Attempt {
    /// The forged bundle's verification.
    pub verification: Verification,
    expected: Rung,
}

impl Attempt {
    /// The first rung that failed.
    pub fn caught(&self) -> Option<&Step> {
        self.verification.asked(Status::Failed).next()
    }

    /// Whether that is the rung that should find the forgery.
    pub fn is_as_expected(&self) -> bool {
        self.caught().is_some_and(|step| step.rung == self.expected)
    }
}
