//! Checks before training that the memory can hold the largest batch of each run, because a system that runs out of
//! memory kills the process without a message.

use std::fs;

use crate::arithmetic::state_values;
use crate::dataset::PIXELS;
use crate::model::Layer;
use crate::study::{Plan, RunPlan, Source, StudyError};
use crate::text::numbers::bytes;

/// Number of bytes in a value.
pub(super) const F32: u64 = 4;

/// Refuses a run that needs more memory than this machine or the process's control group has, if so many trainings are done
/// at once.
pub(super) fn check(source: &Source, plan: &Plan, jobs: usize) -> Result<(), StudyError> {
    let Some(limit) = limit() else { return Ok(()) };
    for run in plan.runs.values() {
        let needed = at_least(plan, run) * jobs as u64;
        if needed > limit {
            let batch = run.settings.batch_size;
            let (needed, limit) = (bytes(needed), bytes(limit));
            let what = if jobs > 1 { "lower it, or --jobs" } else { "lower it" };
            let message = format!("{batch}: needs at least {needed} of memory, but there are {limit}; {what}");
            return Err(source.error(format!("runs.{}.batch_size", run.name), message));
        }
    }
    Ok(())
}

/// The minimum number of bytes that a run needs: the data, the output of every layer with parameters, two gradients of
/// an output, the parameters with their gradients, and the optimizer's values. The kernels need some more.
fn at_least(plan: &Plan, run: &RunPlan) -> u64 {
    let (settings, model) = (&run.settings, &plan.models[&run.settings.model]);
    let images = settings.batch_size.min(settings.image_count) as u64;
    // Flattening and ReLU can be part of other layers.
    let outputs = model.layers.iter().filter(|l| l.parameter_count() > 0).map(Layer::output_values);
    let (largest, all) = (outputs.clone().max().unwrap_or(0), outputs.sum::<u64>());
    let parameters = model.parameter_count() * (2 + state_values(&settings.optimizer) as u64);
    F32 * (images * (all + 2 * largest) + parameters)
        + ((plan.data.train_images + plan.data.test_images) * PIXELS) as u64
}

/// The machine's memory and swap in bytes, or the limit of the control group if that is lower. `None` if the system
/// does not report them.
fn limit() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| -> Option<u64> {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
    };
    let machine = field("MemTotal:")? + field("SwapTotal:").unwrap_or(0);
    let group = |file: &str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    Some(groups.into_iter().filter_map(group).fold(machine, u64::min))
}
