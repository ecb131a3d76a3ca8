//! Rehearses the runs of a build and estimates how long the build will take.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use indexmap::IndexMap;

use super::{BuildError, Job};
use crate::compute::Device;
use crate::study::RunPlan;
use crate::training::{Prepared, Speed};

/// Seconds that a build takes to render and write the report, in addition to the trainings.
const REPORT_SECONDS: f64 = 0.3;

/// The speed of a training divided by the speed of the device's benchmark, in multiply-adds. The factor of the
/// program's own arithmetic was measured on a CPU. libtorch's is a guess; it is low because small batches wait for
/// kernel launches.
const OWN_FACTOR: f64 = 1.5;
const LIBTORCH_FACTOR: f64 = 0.25;

/// Estimates by a short benchmark how many seconds a device takes for a cost in multiply-adds (`RunPlan::cost`).
pub(crate) fn seconds_of(device: &Device, cost: f64) -> f64 {
    let factor = if device.is_libtorch() { LIBTORCH_FACTOR } else { OWN_FACTOR };
    cost / (device.mult_add_rate() * factor)
}

impl Job {
    /// Rehearses every run that is not in the run cache. Of several runs with the same kind of step, only the first is
    /// rehearsed.
    pub(super) fn rehearsed(&self) -> Result<IndexMap<String, Speed>, BuildError> {
        let prepared = Prepared::new(&self.device, &self.data, &self.plan);
        let (mut speeds, mut known) = (IndexMap::new(), HashMap::new());
        for (name, run) in &self.plan.runs {
            if self.seeds_to_train(run) == 0 {
                continue;
            }
            let speed = match known.entry(run.settings.step_kind()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(prepared.rehearse(&self.plan.models[&run.settings.model], run)?),
            };
            speeds.insert(name.clone(), speed);
        }
        Ok(speeds)
    }

    /// How many seeds of a run this build trains: those that are not in the run cache.
    fn seeds_to_train(&self, run: &RunPlan) -> usize {
        self.seeds(run).filter(|seed| self.fresh || !self.cache.has(&self.inputs(run, *seed))).count()
    }

    /// How many trainings of a run are left: the seeds that are not in the run cache. A seed for which a stopped build
    /// has trained some epochs counts as a fraction.
    fn left_to_train(&self, run: &RunPlan) -> f64 {
        let epochs = run.settings.epochs as f64;
        let left = |inputs: String| 1.0 - (self.cache.epochs_done(&inputs) as f64 / epochs).min(1.0);
        let inputs = self.seeds(run).map(|seed| self.inputs(run, seed));
        if self.fresh {
            return self.seeds(run).count() as f64;
        }
        inputs.filter(|inputs| !self.cache.has(inputs)).map(left).sum()
    }

    /// How many seeds of all runs this build trains.
    pub fn trainings(&self) -> usize {
        self.plan.runs.values().map(|run| self.seeds_to_train(run)).sum()
    }

    /// Estimates how many seconds the build takes on this device. Runs in the run cache take none.
    pub fn estimate(&self) -> f64 {
        if self.device.is_libtorch() {
            let runs = self.plan.runs.values();
            let cost: f64 = runs.map(|run| self.plan.seed_cost(run) * self.left_to_train(run)).sum();
            return REPORT_SECONDS + seconds_of(&self.device, cost);
        }
        REPORT_SECONDS + self.rehearsed_runs().map(|(run, speed, seeds)| speed.seconds(run) * seeds).sum::<f64>()
    }

    /// The runs that were rehearsed, with the number of trainings left.
    fn rehearsed_runs(&self) -> impl Iterator<Item = (&RunPlan, &Speed, f64)> {
        let run = |name: &String| &self.plan.runs[name];
        self.speeds.iter().map(move |(name, speed)| (run(name), speed, self.left_to_train(run(name))))
    }
}
