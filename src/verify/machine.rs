//! What the upper rungs need of this machine: a started engine, and whether it is of the bundle's class.
//!
//! Owns the decision between equality and tolerance.

use super::Read;
use crate::dataset::Mnist;
use crate::engine::{DeviceChoice, Engine};
use crate::results::SeedResult;
use crate::study::{Compute, CpuClass, RunPlan};
use crate::training::Prepared;

/// This machine, ready to compute for a bundle.
pub struct Machine<'a> {
    pub prepared: Prepared<'a>,
    /// Whether it is of the environment class that made the bundle: then bits must agree.
    pub same_class: bool,
}

/// Starts the engine for a bundle's study; says why not.
pub fn start(read: &Read, device: DeviceChoice, compute: Option<Compute>) -> Result<Engine, String> {
    // A GPU's bundle is replayed on whatever is at hand; a CPU's on the CPU, where its class may be met.
    let device = match (device, read.results.environment.class.as_str()) {
        (DeviceChoice::Auto, "portable" | "native") => DeviceChoice::Cpu,
        (device, _) => device,
    };
    let mut compute = compute.unwrap_or_else(|| read.plan.compute.clone());
    // Without AVX2 the portable class cannot be had; its bundles can still be judged by the tolerances.
    if compute.class == CpuClass::Portable && !Engine::has_portable_cpu() {
        compute.class = CpuClass::Native;
    }
    Engine::start(device, &compute).map_err(|e| format!("{e:#}"))
}

impl<'a> Machine<'a> {
    pub fn new(read: &'a Read, engine: &'a Engine, data: &'a Mnist) -> Self {
        let same_class = engine.environment == read.results.environment;
        Self { prepared: Prepared::new(engine, data, &read.plan.input), same_class }
    }

    /// How agreement was judged, for the rung's statement.
    pub fn judged(&self) -> &'static str {
        match self.same_class {
            true => "same environment class: bit for bit",
            false => "another environment class: within the stated tolerances",
        }
    }
}

/// Every trained seed with its plan and the stem of its files.
pub fn seeds<'a>(read: &'a Read) -> impl Iterator<Item = (&'a RunPlan, &'a SeedResult, String)> {
    read.results.runs.iter().filter_map(|(name, run)| Some((read.plan.runs.get(name)?, run))).flat_map(|(plan, run)| {
        run.seeds.iter().map(move |s| (plan, s, crate::results::stem(&plan.name, s.seed, run.seeds.len())))
    })
}
