//! This machine, as far as rungs that compute need it.

use super::subject::Subject;
use crate::engine::{DeviceChoice, Engine, caught};
use crate::study::{Compute, CpuClass};
use crate::text::error_chain;
use crate::training::Prepared;

/// A started engine with the data on its device.
pub(super) struct Machine<'a> {
    pub(super) prepared: Prepared<'a>,
    /// Whether the machine is of the environment class that made the bundle. Then all bits must agree, otherwise values must
    /// agree within the tolerances.
    pub(super) same_class: bool,
}

/// Starts the engine for a bundle's study; fails with the reason.
pub(super) fn start(subject: &Subject, device: DeviceChoice, compute: Option<Compute>) -> Result<Engine, String> {
    let contents = &subject.contents;
    // A CPU's bundle is replayed on the CPU, where the classes may agree; a GPU's bundle on any device.
    let device = match (device, contents.results.environment.class.as_str()) {
        (DeviceChoice::Auto, "portable" | "native") => DeviceChoice::Cpu,
        (device, _) => device,
    };
    let mut compute = compute.unwrap_or_else(|| contents.plan.compute.clone());
    // A CPU without AVX2 cannot be of the portable class, but can still check its bundles within the tolerances.
    if compute.class == CpuClass::Portable && !Engine::has_portable_cpu() {
        compute.class = CpuClass::Native;
    }
    Engine::start(device, &compute).map_err(error_chain)
}

impl<'a> Machine<'a> {
    /// Sends the data to the engine's device; fails with the reason.
    pub(super) fn new(subject: &'a Subject, engine: &'a Engine) -> Result<Self, String> {
        let data = subject.data.as_ref().map_err(Clone::clone)?;
        let contents = &subject.contents;
        let same_class = engine.environment == contents.results.environment;
        caught(|| Self { prepared: Prepared::new(engine, data, &contents.plan.input), same_class })
    }

    /// `tolerance`, or 0 where bits must agree.
    pub(super) fn allowed(&self, tolerance: f64) -> f64 {
        if self.same_class { 0.0 } else { tolerance }
    }

    /// How values were compared, for the rung's statement.
    pub(super) fn comparison(&self) -> &'static str {
        if self.same_class {
            "same environment class: bit for bit"
        } else {
            "another environment class: within the stated tolerances"
        }
    }
}
