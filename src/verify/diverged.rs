//! Trainings that diverged according to the bundle. They have no files, so most rungs cannot check them: `replay`
//! repeats the cheap ones and the first steps of the others, `rerun` all of them.

use super::machine::Machine;
use super::outcome::Proof;
use super::rerun::diverges_again;
use super::subject::{Diverged, Subject};
use crate::compute::Trainer;
use crate::dataset::Selection;
use crate::digest::{sha256_hex, short};
use crate::results::Checked;
use crate::tensors::to_safetensors;
use crate::text::numbers::plural;
use crate::training::evidence::SEGMENT;

/// The message of a rung that cannot check the trainings that diverged; `None` if no training did.
pub(super) fn not_checked(subject: &Subject, what: &str) -> Option<String> {
    let n = subject.diverged().count();
    (n > 0).then(|| {
        format!(
            "not checked: {} that diverged {} no {what}; `rerun` proves it, and `replay` if they are cheap",
            plural(n, "training"),
            if n == 1 { "has" } else { "have" }
        )
    })
}

/// Checks a training that diverged: if it is cheap, it is done again whole; otherwise its first steps are, in which the loss must
/// stop being finite at the step in the bundle, and not before. Fails with the difference.
pub(super) fn replay(subject: &Subject, machine: &Machine, diverged: &Diverged) -> Result<Proof, String> {
    if machine.repeats(diverged.plan, diverged.cost()) {
        return diverges_again(machine, diverged).map_or(Ok(Proof::Whole), Err);
    }
    first_steps(subject, machine, diverged)
}

fn first_steps(subject: &Subject, machine: &Machine, diverged: &Diverged) -> Result<Proof, String> {
    let Diverged { plan, model, result, .. } = diverged;
    let prepared = &machine.prepared;
    let chosen = plan.choose(&prepared.data.train.labels, result.seed);
    let images = Selection::new(&prepared.data.train, &chosen);
    let input = &subject.contents.plan.input;
    let mut trainer = Trainer::new(prepared.device, model, plan, input, &images, result.seed);
    let initial = sha256_hex(&to_safetensors(&trainer.network().tensors()));
    if initial != result.initial_weights_sha256 {
        let (stated, given) = (short(&result.initial_weights_sha256), short(&initial));
        let seed = result.seed;
        return Err(format!("its initial weights have the SHA-256 {stated}, seed {seed} gives weights with {given}"));
    }
    let at = result.not_finite;
    // The bundle's plan may have more epochs than the study, which `exact` finds.
    let last = (at.epoch - 1).saturating_mul(plan.steps_per_epoch()).saturating_add(at.step).min(plan.total_steps());
    // In another environment, a training may diverge some steps earlier or later.
    let steps = if machine.same_environment { SEGMENT.min(last) } else { 0 };
    // The bundle does not have the validation losses of its epochs.
    let steps = if plan.settings.schedule.follows_validation() { steps.min(plan.steps_per_epoch()) } else { steps };
    let stated = (at.value == Checked::TrainingLoss).then_some(last);
    for step in 1..=steps {
        trainer.step();
        match (trainer.last_loss().is_finite(), stated == Some(step)) {
            (false, true) => return Ok(Proof::Whole),
            (true, false) => {}
            (false, false) => {
                return Err(format!("its training loss is not finite at step {step}, the bundle has: {at}"));
            }
            (true, true) => return Err(format!("its training loss is finite at step {step}, the bundle has: {at}")),
        }
    }
    if at.value == Checked::TestLoss && steps == last && prepared.test(trainer.network()).loss().is_finite() {
        return Err(format!("its test loss is finite after step {last}, the bundle has: {at}"));
    }
    Ok(Proof::NotChecked)
}
