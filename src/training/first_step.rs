//! The first step of each network on a GPU, compared with the CPU's. The self-test of a GPU's kernels has small networks only.

use std::collections::HashSet;

use crate::compute::{Device, Trainer};
use crate::dataset::{Selection, TrainAndTest};
use crate::study::{Plan, RunPlan};
use crate::tensors::{first_difference, values_difference};

/// Trains the first step of each run on a GPU and on the CPU. Of several runs with steps of one kind, only the first is trained.
///
/// # Errors
/// The first value whose bits differ, with its run.
pub fn check_first_steps(device: &Device, plan: &Plan, data: &TrainAndTest) -> Result<(), String> {
    let mut known = HashSet::new();
    for run in plan.runs.values() {
        if known.insert(run.settings.step_kind()) {
            let why = first_step_difference(device, plan, run, data);
            why.map_or(Ok(()), |why| Err(format!("the first step of {} differs from the CPU's: {why}", run.name)))?;
        }
    }
    Ok(())
}

fn first_step_difference(device: &Device, plan: &Plan, run: &RunPlan, data: &TrainAndTest) -> Option<String> {
    let (model, seed) = (&plan.models[&run.settings.model], run.seeds[0]);
    let images = Selection::new(&data.train, &run.choose(&data.train.labels, seed));
    let cpu = Device::cpu();
    let [mut here, mut there] =
        [device, &cpu].map(|device| Trainer::new(device, model, run, &plan.input, &images, seed));
    here.step();
    there.step();
    values_difference(&[here.last_loss()], &[there.last_loss()])
        .map(|why| format!("loss: {why}"))
        .or_else(|| first_difference(&here.state(), &there.state()))
}
