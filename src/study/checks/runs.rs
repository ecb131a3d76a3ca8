//! Checks of one run.

use std::collections::HashSet;

use super::Place;
use crate::dataset::{DataSet, Subset};
use crate::model::Model;
use crate::study::StudyError;
use crate::study::run_spec::{EarlyStopping, ReportEpoch, RunSpec, TrainImages};

/// More epochs than this are almost certainly a typo.
const MAX_EPOCHS: usize = 10_000;
/// More evaluations within a training than this are more than a figure shows.
const MAX_EVALUATIONS: usize = 1000;
/// Each candidate's state is stored on the disk until training is over.
const MAX_CANDIDATES: usize = 256;

/// Checks a run's settings; `images` is its number of training images.
pub(in crate::study) fn check(
    run: &Place,
    spec: &RunSpec,
    model: &Model,
    images: usize,
    data: &DataSet,
) -> Result<(), StudyError> {
    run.within("epochs", spec.epochs, 1, MAX_EPOCHS)?;
    run.within("batch_size", spec.batch_size, 1, data.train_images)?;
    check_last_batch(run, spec, model, images)?;
    check_seeds(run, &spec.seeds)?;
    check_loss(run, spec, data.classes)?;
    check_clipping(run, spec)?;
    spec.augment.map_or(Ok(()), |augment| augment.check(run))?;
    if let Some(EarlyStopping { patience }) = spec.early_stopping {
        run.at("early_stopping").within("patience", patience, 1, MAX_EPOCHS)?;
        needs_validation(run, "early_stopping", spec)?;
    }
    if spec.report_epoch == ReportEpoch::BestValidation {
        needs_validation(run, "report_epoch", spec)?;
    }
    check_evaluate_every(run, spec, images)?;
    let (evidence, settings) = (run.at("evidence"), &spec.evidence);
    evidence.within("candidates", settings.candidates, 1, MAX_CANDIDATES)?;
    if settings.keep > settings.candidates {
        let message = format!("{}: more than `candidates`, {}", settings.keep, settings.candidates);
        return evidence.at("keep").refuse(message);
    }
    if settings.keep > 0 && !settings.last {
        return evidence
            .at("last")
            .refuse("false: a run that keeps segments keeps the last one, too; set `keep: 0` or leave out `last`");
    }
    spec.optimizer.check(run)?;
    if spec.schedule.follows_validation() {
        needs_validation(run, "schedule", spec)?;
    }
    spec.schedule.check(run, &spec.optimizer, images.div_ceil(spec.batch_size) * spec.epochs)
}

/// Checks the training loss, and that it can fall below the one that ends the run.
fn check_loss(run: &Place, spec: &RunSpec, classes: usize) -> Result<(), StudyError> {
    let smoothing = spec.label_smoothing;
    run.require("label_smoothing", smoothing, (0.0..1.0).contains(&smoothing), "at least 0 and below 1")?;
    let Some(loss) = spec.stop_below_train_loss else { return Ok(()) };
    run.positive("stop_below_train_loss", loss)?;
    let least = least_loss(smoothing, classes);
    if loss > least {
        return Ok(());
    }
    run.at("stop_below_train_loss").refuse(format!(
        "{loss}: with `label_smoothing: {smoothing}`, the training loss is at least {least:.4}; set a larger one"
    ))
}

/// The lowest mean cross-entropy with smoothed labels: the entropy of their distribution.
fn least_loss(smoothing: f64, classes: usize) -> f64 {
    let other = smoothing / classes as f64;
    let term = |p: f64| if p == 0.0 { 0.0 } else { -p * libm::log(p) };
    term(1.0 - smoothing + other) + (classes - 1) as f64 * term(other)
}

fn check_clipping(run: &Place, spec: &RunSpec) -> Result<(), StudyError> {
    for (key, limit) in [("clip_grad_norm", spec.clip_grad_norm), ("clip_grad_value", spec.clip_grad_value)] {
        limit.map_or(Ok(()), |limit| run.positive(key, limit))?;
    }
    if spec.clip_grad_norm.is_some() && spec.clip_grad_value.is_some() {
        return run.at("clip_grad_value").refuse("the run has `clip_grad_norm`, too; leave one of the two out");
    }
    Ok(())
}

fn needs_validation(run: &Place, key: &str, spec: &RunSpec) -> Result<(), StudyError> {
    if spec.train.hold_out > 0 {
        return Ok(());
    }
    run.at(key).refuse("watches the loss on a validation set, but the run has none; set `train: {hold_out: 5000}`")
}

fn check_evaluate_every(run: &Place, spec: &RunSpec, images: usize) -> Result<(), StudyError> {
    let Some(every) = spec.evaluate_every else { return Ok(()) };
    let steps = images.div_ceil(spec.batch_size) * spec.epochs;
    run.within("evaluate_every", every, 1, steps)?;
    let times = steps / every;
    if times <= MAX_EVALUATIONS {
        return Ok(());
    }
    let least = steps.div_ceil(MAX_EVALUATIONS);
    run.at("evaluate_every").refuse(format!(
        "{every}: would evaluate {times} times in {steps} steps; at most {MAX_EVALUATIONS} are possible: set {least} or more"
    ))
}

/// The number of images that a run trains on.
pub(in crate::study) fn image_count(run: &Place, train: &TrainImages, data: &DataSet) -> Result<usize, StudyError> {
    let place = run.at("train");
    let (hold_out, left) = (train.hold_out, data.train_images.saturating_sub(train.hold_out));
    if left == 0 {
        let message = format!("{hold_out}: leaves none of the {} training images", data.train_images);
        return place.at("hold_out").refuse(message);
    }
    let at_most = |n: usize, most: usize, what: &str| {
        if (1..=most).contains(&n) {
            Ok(n)
        } else {
            place.at("images").refuse(format!("{n}: must be from 1 to {most} {what}"))
        }
    };
    match train.images {
        Subset::All(_) => Ok(left),
        Subset::First(n) | Subset::Random(n) => at_most(n, left, "images"),
        // How many images of each class are left depends on which are held out.
        Subset::PerClass(_) if hold_out > 0 => {
            place.at("hold_out").refuse(format!("{hold_out}: `per_class` takes from all images; use `random`"))
        }
        Subset::PerClass(n) => Ok(at_most(n, data.most_of_each_class(), "images of each class")? * data.classes),
    }
}

/// Refuses a last batch of one image if a batch normalisation then has a single value in each channel.
fn check_last_batch(run: &Place, spec: &RunSpec, model: &Model, images: usize) -> Result<(), StudyError> {
    let last_batch = (images - 1) % spec.batch_size + 1;
    let single_value = model.layers.iter().find(|layer| {
        layer.kind.config().cancels_channel_shifts() && layer.input[1..].iter().product::<usize>() * last_batch == 1
    });
    let Some(layer) = single_value else { return Ok(()) };
    run.at("batch_size").refuse(format!(
        "{}: leaves a last batch of one image, in which {} has one value for each channel and no variance",
        spec.batch_size, layer.name
    ))
}

fn check_seeds(run: &Place, seeds: &[u64]) -> Result<(), StudyError> {
    if seeds.is_empty() {
        return run.at("seeds").refuse("at least one seed is needed");
    }
    let mut seen = HashSet::new();
    match seeds.iter().enumerate().find(|(_, seed)| !seen.insert(**seed)) {
        Some((i, seed)) => run.at(&format!("seeds[{i}]")).refuse(format!("seed {seed} is repeated")),
        None => Ok(()),
    }
}
