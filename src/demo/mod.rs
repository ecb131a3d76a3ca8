//! Forges copies of a bundle in several ways, to show which rung of `verify` finds each forgery.
//!
//! [`Draft`] is a forger's tool, which the tests use too; [`FORGERIES`] is what `mnist-report demo` shows.

mod draft;
mod forgeries;

use std::path::{Path, PathBuf};

pub use draft::{Draft, Redo};
pub use forgeries::{FORGERIES, Forgery};

use crate::bundle::{self, Bundle, Contents};
use crate::compute::DeviceChoice;
use crate::dataset::{DatasetError, TrainAndTest};
use crate::study::RunPlan;
use crate::training::evidence;
use crate::verify::{Request, RungResult, Status, verify_request};

/// Why a step of a forgery failed: any error of the program.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a forgery would change and the bundle does not have.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Lacking(&'static str);

/// A bundle that cannot be forged.
#[expect(missing_docs, reason = "the messages describe the variants")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Bundle(#[from] bundle::Error),
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error("forgery `{name}`")]
    Forgery { name: &'static str, source: Cause },
}

impl Error {
    /// What the bundle does not have, if that is why it cannot be forged in this way.
    pub fn lacking(&self) -> Option<&Lacking> {
        match self {
            Self::Forgery { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

/// An honest bundle, and what a forger needs to change it.
pub struct Honest {
    bundle: Bundle,
    contents: Contents,
    /// The folder of the data, if the user names one.
    folder: Option<PathBuf>,
    data: TrainAndTest,
    device: DeviceChoice,
    /// See [`Request::as_if_long`].
    as_if_long: Vec<String>,
}

impl Honest {
    /// Opens a bundle; forgeries that need networks compute them on `device`. `folder` is that of the data, if the user names
    /// one.
    ///
    /// # Errors
    /// A path that is not a bundle, or missing data.
    pub fn open(path: &Path, device: DeviceChoice, folder: Option<&Path>) -> Result<Self, Error> {
        let bundle = Bundle::open(path)?;
        let contents = bundle.contents()?;
        let data = contents.data(folder)?;
        Ok(Self { bundle, contents, folder: folder.map(Path::to_owned), data, device, as_if_long: Vec::new() })
    }

    /// The same bundle, with a run whose trainings `replay` does not do again, as if they took long.
    #[must_use]
    pub fn as_if_long(mut self, run: &str) -> Self {
        self.as_if_long.push(run.into());
        self
    }

    /// A copy to be forged.
    pub fn draft(&self) -> Draft<'_> {
        Draft { honest: self, of_sampled_run: false, bundle: self.bundle.clone(), link: None }
    }

    /// The run with results that keeps most evidence.
    fn run(&self) -> Option<&RunPlan> {
        self.runs().max_by_key(|run| run.settings.evidence.keep)
    }

    /// A run with results of which `replay` only repeats stored segments: its first training is too long to be done again.
    fn sampled_run(&self) -> Option<&RunPlan> {
        let is_long = |run: &&RunPlan| {
            let trained = self.contents.results.runs[&run.name].seeds.first().map_or(0, |seed| seed.epochs.len());
            self.as_if_long.contains(&run.name)
                || run.cost * trained as f64 / run.settings.epochs as f64 > evidence::WHOLE
        };
        self.runs().filter(is_long).find(|run| evidence::keeps_last(run))
    }

    fn runs(&self) -> impl Iterator<Item = &RunPlan> {
        let Contents { plan, results, .. } = &self.contents;
        plan.runs.values().filter(|run| results.runs.contains_key(&run.name))
    }

    /// Whether the bundle has a run of the kind that a forgery changes.
    pub fn has_run_for(&self, forgery: &Forgery) -> bool {
        !forgery.needs_sampled_run || self.sampled_run().is_some()
    }

    /// Writes a forged copy into a new folder.
    ///
    /// # Errors
    /// A bundle without what the forgery changes (a run that keeps segments), or a disk that cannot be written.
    pub fn forge(&self, forgery: &Forgery, dir: &Path) -> Result<(), Error> {
        let mut draft = Draft { of_sampled_run: forgery.needs_sampled_run, ..self.draft() };
        let forged =
            (forgery.change)(&mut draft).and_then(|()| draft.redo(forgery.redo)).and_then(|()| draft.save(dir));
        forged.map_err(|source| Error::Forgery { name: forgery.name, source })
    }

    /// Makes a forgery in a folder below `folder`, and verifies it as far as the rung that should find it. Returns the
    /// first rung that failed.
    pub(crate) fn attempt(&self, forgery: &Forgery, folder: &Path) -> Result<Option<RungResult>, Error> {
        let dir = folder.join(forgery.name);
        self.forge(forgery, &dir)?;
        let request = Request {
            data: self.folder.clone(),
            as_if_long: self.as_if_long.clone(),
            ..Request::up_to(Some(forgery.caught_by), self.device)
        };
        let verification = verify_request(&dir, &request, &|_| {})?;
        Ok(verification.asked(Status::Failed).next().cloned())
    }
}
