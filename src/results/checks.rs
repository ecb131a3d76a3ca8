//! Checks of a results.json from an untrusted bundle: values that no training can give.

use std::collections::HashSet;

use super::digits::is_base64;
use super::error::MAX_TEST_IMAGES;
use super::{
    Checked, DivergedRun, EpochResult, Evaluated, LossCurve, MAX_GROUPS, NotFinite, PairCounts, Results, ResultsError,
    RunProblem, RunResult, SeedEnd, SeedResult, StepResult,
};
use crate::dataset::MAX_CLASSES;
use crate::study::{MAX_TRAININGS, RunSettings};

/// No cross-entropy of finite logits is larger: it is at most the difference of two float32 values and ln 10. Sums of squares
/// of such losses are finite.
const MAX_LOSS: f64 = 1e39;

/// Whether a value can be the loss of a training that did not diverge.
fn is_loss(x: f64) -> bool {
    // Two ways to write 0 would be one loss for this program and two for others.
    (0.0..=MAX_LOSS).contains(&x) && x.is_sign_positive()
}

/// The sum of untrusted counts; none if it overflows.
fn total(counts: &[usize]) -> Option<usize> {
    counts.iter().try_fold(0usize, |sum, n| sum.checked_add(*n))
}

/// Checks what the types alone do not guarantee.
pub(super) fn check(results: &Results) -> Result<(), ResultsError> {
    let (images, classes) = (results.data.test_images, results.data.test_classes.len());
    if !(2..=MAX_CLASSES).contains(&classes) {
        return Err(ResultsError::Classes(classes));
    }
    if !(2..=MAX_TEST_IMAGES).contains(&images) {
        return Err(ResultsError::TestImages(images));
    }
    let trainings: usize = results.all_runs().map(|(_, run)| run.seed_count()).sum();
    if trainings > MAX_TRAININGS {
        return Err(ResultsError::Trainings(trainings));
    }
    for (name, run) in &results.runs {
        let checked = if run.seeds.is_empty() { Err(RunProblem::NoSeeds) } else { Ok(()) };
        let checked = checked.and_then(|()| run.seeds.iter().try_for_each(|seed| check_seed(seed, images, classes)));
        checked.map_err(|problem| ResultsError::Run { run: name.clone(), problem })?;
    }
    for (name, run) in &results.diverged {
        let checked =
            if results.runs.contains_key(name) { Err(RunProblem::Both) } else { check_diverged(run, images, classes) };
        checked.map_err(|problem| ResultsError::Run { run: name.clone(), problem })?;
    }
    for (name, comparison) in &results.comparisons {
        let known = |run: &String| results.runs.contains_key(run);
        if !known(&comparison.run) || !known(&comparison.against) || comparison.pairs.is_empty() {
            return Err(ResultsError::Comparison(name.clone()));
        }
        let counts = |p: &PairCounts| total(&[p.both, p.only_run, p.only_against, p.neither]);
        if comparison.pairs.iter().any(|p| counts(p) != Some(images)) {
            return Err(ResultsError::Pairs { name: name.clone(), images });
        }
    }
    check_curves(results)?;
    if let Some((name, _)) =
        results.filters.iter().find(|(name, f)| !results.runs.contains_key(*name) || f.values().is_none())
    {
        return Err(ResultsError::Filters(name.clone()));
    }
    match results.digits.iter().find(|(image, png)| image.parse::<usize>().is_err() || !is_base64(png)) {
        Some((image, _)) => Err(ResultsError::Digit(image.clone())),
        None => Ok(()),
    }
}

fn check_curves(results: &Results) -> Result<(), ResultsError> {
    if !results.loss_curves.keys().eq(results.runs.keys()) {
        return Err(ResultsError::LossCurves);
    }
    let is_size = |n: usize| (1..=MAX_GROUPS).contains(&n);
    let can_be = |curve: &LossCurve, run: &RunResult| {
        let rates = &curve.learning_rates;
        let longest = curve.losses.iter().map(Vec::len).max();
        curve.steps_per_group > 0
            && curve.losses.len() == run.seeds.len()
            && curve.losses.iter().all(|seed| is_size(seed.len()) && seed.iter().copied().all(is_loss))
            && (rates.is_empty() || Some(rates.len()) == longest)
            && rates.iter().all(|rate| (0.0..=MAX_LOSS).contains(rate))
    };
    match results.loss_curves.iter().zip(results.runs.values()).find(|((_, curve), run)| !can_be(curve, run)) {
        Some(((name, _), _)) => Err(ResultsError::LossCurve(name.clone())),
        None => Ok(()),
    }
}

fn check_seed(seed: &SeedResult, images: usize, classes: usize) -> Result<(), RunProblem> {
    if seed.epochs.is_empty() {
        return Err(RunProblem::NoEpochs);
    }
    if !(1..=seed.epochs.len()).contains(&seed.reported_epoch()) {
        return Err(RunProblem::ReportedEpoch(seed.reported_epoch()));
    }
    seed.epochs.iter().try_for_each(|epoch| check_epoch(seed, epoch))?;
    seed.within_epochs.iter().try_for_each(check_step)?;
    if seed.confusion.len() != classes || seed.confusion.iter().any(|row| row.len() != classes) {
        return Err(RunProblem::Square(classes));
    }
    if seed.confusion.iter().any(|row| total(row).is_none_or(|n| n == 0)) {
        return Err(RunProblem::EmptyClass);
    }
    if total(&seed.confusion.concat()) != Some(images) {
        return Err(RunProblem::Confusion(images));
    }
    Ok(())
}

fn check_diverged(run: &DivergedRun, images: usize, classes: usize) -> Result<(), RunProblem> {
    if run.diverged().next().is_none() {
        return Err(RunProblem::NoneDiverged);
    }
    let mut seen = HashSet::new();
    for end in &run.seeds {
        let seed = end.seed();
        if !seen.insert(seed) {
            return Err(RunProblem::RepeatedSeed(seed));
        }
        match end {
            SeedEnd::Finished(result) => check_seed(result, images, classes)?,
            SeedEnd::Diverged(diverged) if !has_step(&run.plan, diverged.not_finite) => {
                return Err(RunProblem::NoSuchStep { seed, at: diverged.not_finite });
            }
            SeedEnd::Diverged(_) => {}
        }
    }
    Ok(())
}

/// Whether a training by this plan checks the value at this step.
fn has_step(plan: &RunSettings, at: NotFinite) -> bool {
    // The batch size is not checked yet.
    let steps = plan.image_count.div_ceil(plan.batch_size.max(1));
    let within = plan.is_evaluated_within(at.epoch.saturating_sub(1).saturating_mul(steps).saturating_add(at.step));
    let is_evaluated = match at.value {
        Checked::TrainingLoss => true,
        Checked::TestLoss | Checked::ValidationLoss => within || at.step == steps,
        Checked::TrainingImagesLoss | Checked::Weights => at.step == steps,
    };
    let is_checked = match at.value {
        Checked::TrainingLoss | Checked::TestLoss | Checked::Weights => true,
        Checked::ValidationLoss => plan.hold_out > 0,
        Checked::TrainingImagesLoss => plan.evaluate_train,
    };
    is_checked && is_evaluated && (1..=plan.epochs).contains(&at.epoch) && (1..=steps).contains(&at.step)
}

fn check_epoch(seed: &SeedResult, e: &EpochResult) -> Result<(), RunProblem> {
    let mut sets = e.train_eval.iter().chain(&e.validation).chain([&e.test]);
    let mut losses = sets.clone().map(|s| s.loss).chain([e.train_loss, seed.test_loss, seed.batch_mean_loss]);
    if !losses.all(is_loss) {
        Err(RunProblem::Loss(e.epoch))
    } else if !sets.all(can_be_counted) {
        Err(RunProblem::Correct(e.epoch))
    } else {
        Ok(())
    }
}

fn check_step(s: &StepResult) -> Result<(), RunProblem> {
    let mut sets = s.validation.iter().chain([&s.test]);
    let can_be = sets.all(|set| is_loss(set.loss) && can_be_counted(set));
    if can_be { Ok(()) } else { Err(RunProblem::Step(s.step)) }
}

fn can_be_counted(set: &Evaluated) -> bool {
    set.images > 0 && set.correct <= set.images
}
