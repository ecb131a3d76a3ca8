//! This machine, as far as rungs that compute need it.

use super::subject::Subject;
use crate::bundle::Contents;
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
    pub(super) fn new(subject: &'a Subject, device: &'a Device) -> Result<Self, String> {
        let data = subject.data.as_ref().map_err(Clone::clone)?;
        let contents = &subject.contents;
        let same_environment = device.environment == contents.results.environment;
        caught(|| Self { prepared: Prepared::new(device, data, &contents.plan.input), same_environment })
    }

    /// `tolerance`, or 0 where bits must agree.
    pub(super) fn allowed(&self, tolerance: f64) -> f64 {
        if self.same_environment { 0.0 } else { tolerance }
    }

    /// How values were compared, for the rung's statement.
    pub(super) fn comparison(&self) -> &'static str {
        if self.same_environment {
            "same environment: bit for bit"
        } else {
            "another environment: within the stated tolerances"
        }
    }
}
