//! The device on which rungs compute, and what it has trained so far.

use std::cell::RefCell;
use std::collections::HashMap;

use super::subject::Subject;
use super::{Draw, Request, Rung};
use crate::build::is_busy;
use crate::bundle::{Contents, SeedFiles};
use crate::compute::{Device, DeviceChoice};
use crate::failure::caught;
use crate::study::RunPlan;
use crate::text::error_chain;
use crate::text::numbers::duration;
use crate::training::evidence::WHOLE;
use crate::training::{Prepared, check_first_steps};

/// Seconds from which the user is told how long a rung takes.
const WORTH_SAYING: f64 = 20.0;

/// What to say before a rung begins: what it does, about how long that takes, and how to stop earlier. Nothing of a short one, unless
/// `always`.
pub(super) fn announcement(what: &str, seconds: f64, stop_at: Rung, always: bool) -> Option<String> {
    announcement_on(what, seconds, stop_at, always, is_busy())
}

fn announcement_on(what: &str, seconds: f64, stop_at: Rung, always: bool, is_busy: bool) -> Option<String> {
    let is_long = seconds >= WORTH_SAYING;
    let busy = if is_busy { " (this machine is busy)" } else { "" };
    let stop = if is_long { format!("; to stop earlier: --upto {}", stop_at.name()) } else { String::new() };
    (is_long || always).then(|| format!("{what}, about {}{busy}{stop}", duration(seconds)))
}

/// A training of the bundle compared with itself, done again.
#[derive(Clone)]
pub(super) struct Again {
    /// The first difference that is larger than allowed.
    pub(super) difference: Option<String>,
    /// The largest difference of an accuracy.
    pub(super) accuracy: f64,
    /// The largest relative difference of an epoch's loss.
    pub(super) loss: f64,
}

/// Gets a rung and a difference that it has found.
pub(super) type Tell<'a> = &'a dyn Fn(Rung, &str);

/// A device with the data.
pub(super) struct Machine<'a> {
    pub(super) prepared: Prepared<'a>,
    /// Whether this machine has the same environment as the one that made the bundle. If so, all bits must agree;
    /// otherwise values must agree within the tolerances.
    pub(super) same_environment: bool,
    /// The runs that `rerun` trains again.
    pub(super) draw: &'a Draw,
    /// Runs whose trainings `replay` does not do again.
    as_if_long: &'a [String],
    /// Tells the user what will take long.
    pub(super) say: &'a dyn Fn(&str),
    /// Gets the first difference that a rung finds.
    pub(super) tell: Tell<'a>,
    /// The trainings that were done again, by the names of their files, so that no second rung repeats them.
    again: RefCell<HashMap<String, Again>>,
}

/// Starts the device for a bundle's study; fails with the reason.
pub(super) fn start(subject: &Subject, device: DeviceChoice) -> Result<Device, String> {
    let Contents { plan, results, .. } = &subject.contents;
    let accept = |gpu: &Device| match &subject.data {
        Ok(data) => check_first_steps(gpu, plan, data),
        // Without data nothing is computed.
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
        (say, tell): (&'a dyn Fn(&str), Tell<'a>),
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
        let Request { runs: draw, as_if_long, .. } = request;
        Ok(Self { prepared, same_environment, draw, as_if_long, say, tell, again: RefCell::default() })
    }

    /// Whether `replay` does a training again from the first step to the last, given the cost of the epochs that it has in the
    /// bundle: a plan of many more does not make it expensive.
    pub(super) fn repeats(&self, run: &RunPlan, cost: f64) -> bool {
        cost <= WHOLE && !self.as_if_long.contains(&run.name)
    }

    /// What `train` finds when it does a training again. Calls it only the first time that a rung asks.
    pub(super) fn once(&self, files: &SeedFiles, train: impl FnOnce() -> Again) -> Again {
        let name = files.to_string();
        let known = self.again.borrow().get(&name).cloned();
        known.unwrap_or_else(|| {
            let again = train();
            self.again.borrow_mut().insert(name, again.clone());
            again
        })
    }

    /// Whether a training was done again.
    pub(super) fn has_trained(&self, files: &SeedFiles) -> bool {
        self.again.borrow().contains_key(&files.to_string())
    }

    /// How values were compared, for the rung's statement.
    pub(super) fn comparison(&self) -> &'static str {
        if self.same_environment { "bit for bit" } else { "another environment: held to tolerances" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_that_takes_long_is_announced_with_the_way_to_stop_earlier() {
        let what = "replay: does 12 trainings again";
        let said = |seconds, always| announcement_on(what, seconds, Rung::Metrics, always, false);
        let long = "replay: does 12 trainings again, about 4 min; to stop earlier: --upto metrics";
        assert_eq!(said(240.0, false).as_deref(), Some(long));
        assert_eq!(said(240.0, true).as_deref(), Some(long));
        assert!(said(20.0, false).is_some());
        let busy = announcement_on(what, 240.0, Rung::Metrics, false, true).unwrap();
        assert!(busy.contains("about 4 min (this machine is busy); to stop earlier"), "{busy}");
        assert_eq!(said(19.9, false), None);
        assert_eq!(said(2.0, true).as_deref(), Some("replay: does 12 trainings again, about 2 s"));
    }
}
