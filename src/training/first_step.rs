//! The first step of each network on a GPU, compared with the CPU's. The self-test of a GPU's kernels has small networks only.

use std::collections::HashSet;

use super::Prepared;
use crate::compute::{Device, Trainer};
use crate::dataset::{Mnist, Selection};
use crate::study::{Plan, RunPlan};
use crate::tensors::{first_difference, values_difference};

/// Trains the first step of each run on a GPU and on the CPU. Of several runs with the same kernels, only the first is trained.
///
/// # Errors
/// The first value whose bits differ, with its run.
pub fn check_first_steps(device: &Device, plan: &Plan, data: &Mnist) -> Result<(), String> {
    let mut known = HashSet::new();
    for run in plan.runs.values() {
        let s = &run.settings;
        let kernels = (&s.model, s.batch_size.min(s.image_count), s.dropout, std::mem::discriminant(&s.optimizer));
        if known.insert(kernels) {
            let why = Prepared::new(device, data, &plan.input).first_step_difference(plan, run);
            why.map_or(Ok(()), |why| Err(format!("the first step of {} differs from the CPU's: {why}", run.name)))?;
        }
    }
    Ok(())
}

impl Prepared<'_> {
    fn first_step_difference(&self, plan: &Plan, run: &RunPlan) -> Option<String> {
        let (model, seed) = (&plan.models[&run.settings.model], run.seeds[0]);
        let images = Selection::new(&self.data.train, &run.choose(&self.data.train.labels, seed));
        let cpu = Device::cpu();
        let [mut here, mut there] =
            [self.device, &cpu].map(|device| Trainer::new(device, model, run, self.input, &images, seed));
        here.step();
        there.step();
        values_difference(&[here.last_loss()], &[there.last_loss()])
            .map(|why| format!("loss: {why}"))
            .or_else(|| first_difference(&here.state(), &there.state()))
    }
}
