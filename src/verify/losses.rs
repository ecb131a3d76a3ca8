//! The file of losses of each training: one for every batch of every epoch, and each epoch's mean and the curves of figures
//! are those of results.json.

use super::differing::json_difference;
use super::subject::{Subject, Trained};
use crate::bundle::{Bundle, LOSSES, RESULTS, SeedFiles};
use crate::results::{AnyRun, LossCurve};
use crate::text::error_chain;

/// Losses that do not fit the results. Needs no data.
pub(super) fn wrong(subject: &Subject) -> Vec<String> {
    let of_seeds = subject.trained().filter_map(|trained| wrong_losses(subject.bundle, &trained).err());
    of_seeds.chain(wrong_curves(subject)).collect()
}

/// Curves that figures show, and that do not follow from the losses.
fn wrong_curves(subject: &Subject) -> Vec<String> {
    let results = &subject.contents.results;
    let mut recomputed = results.clone();
    let files = |run: &str, seed: u64| SeedFiles::of_result(run, AnyRun::Finished(&results.runs[run]), seed);
    if let Err(why) = recomputed.add_loss_curves(|run, seed| subject.bundle.losses(&files(run, seed))) {
        return vec![error_chain(why)];
    }
    let first = |(name, curve): (&String, &LossCurve)| {
        let (what, given) = (format!("{RESULTS}: loss_curves.{name}"), recomputed.loss_curves.get(name)?);
        json_difference(&what, curve, &format!("{LOSSES} and the plan"), given)
    };
    results.loss_curves.iter().filter_map(first).collect()
}

fn wrong_losses(bundle: &Bundle, trained: &Trained) -> Result<(), String> {
    let (path, plan, seed) = (trained.files.losses(), trained.plan, trained.result);
    let losses = bundle.losses(&trained.files).map_err(error_chain)?;
    let (steps, epochs) = (plan.steps_per_epoch(), seed.epochs.len());
    if losses.len() != epochs.saturating_mul(steps) {
        let needed = epochs.saturating_mul(steps);
        return Err(format!("{path} holds {} losses; {epochs} epochs of {steps} batches need {needed}", losses.len()));
    }
    for (epoch, batches) in seed.epochs.iter().zip(losses.chunks(steps)) {
        let mean = plan.mean_loss(batches);
        if mean != epoch.train_loss {
            let (number, stated) = (epoch.epoch, epoch.train_loss);
            return Err(format!(
                "{path}: epoch {number}: the mean of its batches is {mean}, {RESULTS} has a training loss of {stated}"
            ));
        }
    }
    Ok(())
}
