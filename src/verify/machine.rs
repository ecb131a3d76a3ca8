//! This machine, as far as rungs that compute need it.

use std::cell::RefCell;
use std::collections::HashMap;

use super::again::{self, Again};
use super::subject::{Diverged, Subject, Trained};
use super::{Draw, Request, rerun};
use crate::bundle::{Contents, SeedFiles};
use crate::compute::{Device, DeviceChoice};
use crate::failure::caught;
use crate::text::error_chain;
use crate::training::{Prepared, check_first_steps};

/// A device with the data.
pub(super) struct Machine<'a> {
    pub(super) prepared: Prepared<'a>,
    /// Whether the machine is of the environment that made the bundle. Then all bits must agree, otherwise values must
    /// agree within the tolerances.
    pub(super) same_environment: bool,
    /// The runs that `rerun` trains again.
    pub(super) draw: &'a Draw,
    /// Tells the user what will take long.
    pub(super) say: &'a dyn Fn(&str),
    /// The trainings that were done again, by the names of their files: no rung does one a second time.
    again: RefCell<HashMap<String, Again>>,
}

/// Starts the device for a bundle's study; fails with the reason.
pub(super) fn start(subject: &Subject, device: DeviceChoice) -> Result<Device, String> {
    let Contents { plan, results, .. } = &subject.contents;
    let accept = |gpu: &Device| match &subject.data {
        Ok(data) => check_first_steps(gpu, plan, data),
        // Then nothing is computed.
        Err(_) => Ok(()),
    };
    Device::start_for(&results.environment, device, &plan.compute, accept).map_err(error_chain)
}

impl<'a> Machine<'a> {
    /// Fails with the reason if the data are missing.
    pub(super) fn new(
        subject: &'a Subject,
        device: &'a Device,
        request: &'a Request,
        say: &'a dyn Fn(&str),
    ) -> Result<Self, String> {
        let data = subject.data.as_ref().map_err(Clone::clone)?;
        let contents = &subject.contents;
        let same_environment = device.environment == contents.results.environment;
        // Tolerances are for libtorch on a GPU. Another version of the program's own arithmetic gives other bits.
        let made_by = &contents.results.environment;
        if !same_environment && made_by.gpu.is_none() && !device.is_libtorch() {
            return Err(format!(
                "arithmetic {} made this bundle, and this program has arithmetic {}: use the program that wrote it",
                made_by.arithmetic, device.environment.arithmetic
            ));
        }
        let prepared = caught(|| Prepared::new(device, data, &contents.plan))?;
        Ok(Self { prepared, same_environment, draw: &request.runs, say, again: RefCell::default() })
    }

    /// Does a training of the bundle again and compares it, unless that was done before.
    pub(super) fn train_again(&self, subject: &Subject, trained: &Trained) -> Again {
        let name = trained.files.to_string();
        let known = self.again.borrow().get(&name).cloned();
        known.unwrap_or_else(|| {
            let again = again::train(subject, self, trained);
            self.again.borrow_mut().insert(name, again.clone());
            again
        })
    }

    /// A difference if a training that diverged according to the bundle ends otherwise, unless that was done before.
    pub(super) fn diverges_again(&self, diverged: &Diverged) -> Option<String> {
        let name = diverged.files.to_string();
        let known = self.again.borrow().get(&name).cloned();
        let again = known.unwrap_or_else(|| {
            let again = Again::of_diverged(rerun::otherwise_ended(self, diverged));
            self.again.borrow_mut().insert(name, again.clone());
            again
        });
        again.difference
    }

    /// Whether a training was done again.
    pub(super) fn has_trained(&self, files: &SeedFiles) -> bool {
        self.again.borrow().contains_key(&files.to_string())
    }

    /// How values were compared, for the rung's statement.
    pub(super) fn comparison(&self) -> &'static str {
        if self.same_environment { "same environment: bit for bit" } else { "another environment: held to tolerances" }
    }
}
