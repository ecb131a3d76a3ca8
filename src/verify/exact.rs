//! Rung `exact`: what every machine computes alike, recomputed from the study: parameter counts, shapes, sizes, plans,
//! subsets, learning rates, the means of the batches' losses, the verdicts on claims that need no training, and the parts of the environment that the study
//! determines.

use super::differing::{NOT_AS_WRITTEN, list_difference, text_difference};
use super::outcome::json_differences;
use super::subject::Subject;
use super::{Outcome, losses};
use crate::bundle::{self, Contents, MANIFEST, RESULTS, SOURCE_SHA256};
use crate::claims::{self, Verdict};
use crate::dataset::{DataSet, ImageOrder, Subset};
use crate::digest::short;
use crate::results::{AnyRun, Data, EpochResult, Results, SeedResult, StepResult, model_facts, validation_losses};
use crate::study::{Plan, RunPlan, RunSettings};
use crate::text::numbers::{agreeing, plural};
use crate::training::{last_learning_rate, subset_sha256};

pub(super) fn check(subject: &Subject) -> Outcome {
    let Contents { results, plan, .. } = &subject.contents;
    let mut differences = Vec::new();
    // In another form a key could be there twice, and another reader could take another value than this program.
    if subject.bundle.files[RESULTS] != results.to_json().into_bytes() {
        let written = results.to_json().into_bytes();
        let place = text_difference(RESULTS, &subject.bundle.files[RESULTS], "mnist-report", &written);
        differences.push(format!("{RESULTS} {NOT_AS_WRITTEN}: {place}"));
    }
    differences.extend(json_differences("models", &results.models, &model_facts(plan)));
    if !results.models.keys().eq(plan.models.keys()) || !has_runs_of(results, plan) {
        let sides = [RESULTS, "the study"];
        let models = list_difference(sides, results.models.keys(), plan.models.keys());
        let runs = || list_difference(sides, results.all_runs().map(|(name, _)| name), plan.runs.keys());
        let order = || format!("{RESULTS} has them in another order than the study");
        let which = models.or_else(runs).unwrap_or_else(order);
        differences.push(format!("models or runs are not those of the study: {which}"));
    }
    differences.extend(wrong_data(&results.data, &plan.data));
    differences.extend(wrong_environment(&subject.contents));
    let mut unchecked = 0;
    for (name, run) in results.all_runs() {
        let Some(planned) = plan.runs.get(name) else { continue };
        differences.extend(json_differences(&format!("runs.{name}.plan"), run.plan(), &planned.settings));
        if run.seeds() != planned.seeds {
            differences.push(format!("runs.{name}: seeds {:?}, the study has {:?}", run.seeds(), planned.seeds));
            continue;
        }
        let wrong = wrong_seeds(subject, planned, run, &mut unchecked);
        differences.extend(wrong.iter().map(|(seed, why)| format!("runs.{name}: seed {seed}: {why}")));
    }
    // Verdicts are judged by the bundle's own plans, which may be anything if they are not the study's.
    let is_planned = differences.is_empty();
    differences.extend(losses::wrong(subject));
    differences.extend(wrong_digests(&subject.contents));
    if is_planned {
        differences.extend(super::verdicts::difference(subject));
    }
    if differences.is_empty() && unchecked > 0 {
        let (choices, need) = (plural(unchecked, "choice"), agreeing(unchecked, "needs", "need"));
        let advice = if plan.data.is_mnist() {
            "restore data/mnist".to_owned()
        } else {
            format!("name the folder of `{}` by --data FOLDER", plan.data.title)
        };
        return Outcome::NotChecked(format!("{choices} of images {need} the data: {advice}"));
    }
    let (models, runs) = (plural(plan.models.len(), "model"), plural(plan.runs.len(), "run"));
    let passed = format!("counts, shapes, sizes, plans, subsets and mean losses of {models} and {runs}");
    match Outcome::of(differences, passed) {
        Outcome::Passed(passed) => {
            let contents = &subject.contents;
            let without = claims_without_a_test(contents).into_iter().chain(conclusions_without_a_test(contents));
            Outcome::Passed(passed.into_iter().chain(without).collect())
        }
        failed => failed,
    }
}

/// One line that names the claims that would match whatever is measured.
fn claims_without_a_test(contents: &Contents) -> Option<String> {
    let judged = claims::judge(contents.study(), &contents.results);
    let ids: Vec<&str> =
        judged.iter().filter(|j| j.verdict == Verdict::TestsNothing).map(|j| j.claim.id.as_str()).collect();
    (!ids.is_empty()).then(|| {
        let (count, test) = (plural(ids.len(), "claim"), agreeing(ids.len(), "tests", "test"));
        format!("{count} {test} nothing, whatever is computed or measured: {}", ids.join(", "))
    })
}

/// One line that names the conclusions that have the same answer whatever is measured.
fn conclusions_without_a_test(contents: &Contents) -> Option<String> {
    let ids = claims::decided_by_nothing(contents.study(), &contents.results);
    (!ids.is_empty()).then(|| {
        let (count, have) = (plural(ids.len(), "conclusion"), agreeing(ids.len(), "has", "have"));
        format!("{count} {have} the same answer, whatever is computed or measured: {}", ids.join(", "))
    })
}

/// Numbers of images or classes that are not the data set's.
fn wrong_data(found: &Data, set: &DataSet) -> Vec<String> {
    let mut differences = Vec::new();
    let DataSet { title, train_images, test_images, classes, .. } = set;
    if (found.train_images, found.test_images) != (*train_images, *test_images) {
        let (train, test) = (found.train_images, found.test_images);
        differences.push(format!(
            "data: {train} training and {test} test images, {title} has {train_images} and {test_images}"
        ));
    }
    if found.test_classes.len() != *classes {
        let found = found.test_classes.len();
        differences.push(format!("data: test_classes has {found} classes, {title} has {classes}"));
    }
    differences
}

/// Whether the results have every run of the study, in its order, either with results or as one that diverged.
pub(super) fn has_runs_of(results: &Results, plan: &Plan) -> bool {
    let planned =
        |diverged: bool| plan.runs.keys().filter(move |name| results.diverged.contains_key(*name) == diverged);
    results.runs.keys().eq(planned(false)) && results.diverged.keys().eq(planned(true))
}

/// What is wrong with a run's seeds, each with its seed. `unchecked` counts the choices of images that need the data.
fn wrong_seeds(subject: &Subject, planned: &RunPlan, run: AnyRun, unchecked: &mut usize) -> Vec<(u64, String)> {
    let mut wrong = Vec::new();
    for seed in run.finished() {
        let this_arithmetic = subject.contents.results.environment.is_this_arithmetic();
        let found = wrong_images(run.plan(), planned.test_images, seed).into_iter().chain(wrong_epoch(
            planned,
            seed,
            this_arithmetic,
        ));
        wrong.extend(found.map(|why| (seed.seed, why)));
    }
    for (seed, subset) in run.subsets() {
        match train_labels(subject, planned) {
            None => *unchecked += 1,
            Some(labels) => {
                let images = planned.choose(&labels, seed);
                let needed = planned.settings.image_count;
                if subject.data.is_ok() && images.len() != needed {
                    let found = images.len();
                    wrong.push((
                        seed,
                        format!("the study needs {needed} training images, and the data have {found} of them"),
                    ));
                }
                let chosen = subset_sha256(&images);
                if chosen != *subset {
                    let (stated, chosen) = (short(subset), short(&chosen));
                    wrong.push((
                        seed,
                        format!("other training images, with the SHA-256 {stated}, the study chooses {chosen}"),
                    ));
                }
            }
        }
    }
    wrong
}

/// What the study, or the program that the manifest names, does not allow in the environment.
fn wrong_environment(contents: &Contents) -> Vec<String> {
    let environment = &contents.results.environment;
    let contradiction = environment.contradiction(&contents.plan.compute).map(|why| format!("environment: {why}"));
    let mut differences: Vec<String> = contradiction.into_iter().collect();
    if contents.manifest.program.source_sha256 == SOURCE_SHA256 && !environment.is_this_arithmetic() {
        differences.push(format!(
            "environment: arithmetic {}, the program named has {}",
            environment.arithmetic,
            crate::arithmetic::VERSION
        ));
    }
    differences
}

fn wrong_digests(contents: &Contents) -> Vec<String> {
    let Contents { manifest, results, .. } = contents;
    let mut differences = Vec::new();
    let digests = &manifest.digests;
    for (name, stated, given) in [
        ("exact", &digests.exact, bundle::exact_digest(contents.study(), results)),
        ("measured", &digests.measured, results.measured_digest()),
    ] {
        if *stated != given {
            let (stated, given) = (short(stated), short(&given));
            differences
                .push(format!("{MANIFEST}: the {name} digest is {stated}, {RESULTS} and the study give {given}"));
        }
    }
    differences
}

/// The labels that a run's choice of images depends on; `None` if the data are needed and missing.
fn train_labels(subject: &Subject, run: &RunPlan) -> Option<Vec<u8>> {
    let by_class = run.settings.order == ImageOrder::ByClass || matches!(run.settings.images, Subset::PerClass(_));
    match &subject.data {
        Ok(data) => Some(data.train.labels.clone()),
        Err(_) if by_class => None,
        Err(_) => Some(vec![0; subject.contents.plan.data.train_images]),
    }
}

/// The first epoch in which other images were evaluated than the plan asks for.
fn wrong_images(plan: &RunSettings, test_images: usize, seed: &SeedResult) -> Option<String> {
    let asked = [plan.evaluate_train.then_some(plan.image_count), (plan.hold_out > 0).then_some(plan.hold_out)];
    let found = |e: &EpochResult| [e.train_eval, e.validation].map(|set| set.map(|set| set.images));
    let said = |images: [Option<usize>; 2], test: usize| {
        let [train, validation] = images.map(Option::unwrap_or_default);
        format!("{train} training, {validation} validation and {test} test images")
    };
    let asked_for = said(asked, test_images);
    let epoch = seed.epochs.iter().find(|e| found(e) != asked || e.test.images != test_images);
    if let Some(epoch) = epoch {
        let stated = said(found(epoch), epoch.test.images);
        return Some(format!("epoch {}: {stated} were evaluated, the plan asks for {asked_for}", epoch.epoch));
    }
    // The plan here is the bundle's own statement: it may ask for billions of steps, which must not be listed.
    if !seed.within_epochs.iter().map(|s| s.step).eq(plan.evaluated_steps(seed.epochs.len())) {
        let (found, planned) = (seed.within_epochs.len(), plan.evaluations_within(seed.epochs.len()));
        return Some(format!("within_epochs: {found} evaluations, at steps that are not the {planned} of the plan"));
    }
    let in_step = |s: &StepResult| s.validation.map(|set| set.images);
    let step = seed.within_epochs.iter().find(|s| in_step(s) != asked[1] || s.test.images != test_images)?;
    let stated = said([None, in_step(step)], step.test.images);
    let asked_for = said([None, asked[1]], test_images);
    Some(format!("within_epochs: step {}: {stated} were evaluated, the plan asks for {asked_for}", step.step))
}

/// The first epoch whose number, learning rate or end of training is not the plan's, or another reported epoch. The learning rate is compared only
/// if it was computed by this arithmetic, because another one may round differently.
fn wrong_epoch(run: &RunPlan, seed: &SeedResult, this_arithmetic: bool) -> Option<String> {
    let validation = validation_losses(&seed.epochs);
    for (i, epoch) in seed.epochs.iter().enumerate() {
        let number = i + 1;
        if epoch.epoch != number {
            return Some(format!("epoch {number}: is numbered {}", epoch.epoch));
        }
        let lr = last_learning_rate(run, number, &validation);
        if epoch.lr != lr && this_arithmetic {
            return Some(format!("epoch {number}: learning rate {}, the schedule gives {lr}", epoch.lr));
        }
        let stops = run.stops_after(epoch.train_loss, &validation[..number.min(validation.len())]);
        let is_last = number == run.settings.epochs || stops;
        if is_last != (number == seed.epochs.len()) {
            let (found, planned) = if is_last { ("continues", "ends") } else { ("ends", "continues") };
            return Some(format!("epoch {number}: training {found} after it, but by the plan it {planned}"));
        }
    }
    let planned = run.reported_epoch(&validation);
    (seed.reported_epoch != planned).then(|| {
        let number = |epoch: Option<usize>| epoch.unwrap_or(seed.epochs.len());
        format!(
            "reported_epoch: the results are those of epoch {}, but by the plan and the validation losses those of epoch {}",
            number(seed.reported_epoch),
            number(planned)
        )
    })
}
