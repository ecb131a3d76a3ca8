//! Rung `exact`: what every machine computes alike, recomputed from the study: parameter counts, shapes, sizes, plans,
//! subsets, learning rates, the means of the batches' losses, the verdicts on claims that need no training, and the parts of the environment that the study
//! determines.

use std::borrow::Cow;

use super::differing::{NOT_AS_WRITTEN, list_difference, text_difference};
use super::outcome::json_differences;
use super::subject::Subject;
use super::{Outcome, losses};
use crate::bundle::{self, Contents, MANIFEST, RESULTS, SOURCE_SHA256};
use crate::claims::{self, Verdict};
use crate::dataset::{Chooser, DataSet, ImageOrder, Subset};
use crate::digest::short;
use crate::results::{AnyRun, Data, EpochResult, Results, SeedResult, StepResult, model_facts, validation_losses};
use crate::study::{Plan, RunPlan, RunSettings};
use crate::text::numbers::{agreeing, plural};
use crate::training::{last_learning_rate, subset_sha256};

/// Differences that are listed of a run's seeds.
const MOST_OF_RUN: usize = 5;

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
    let (wrong, unchecked) = wrong_runs(subject);
    differences.extend(wrong);
    differences.extend(losses::wrong(subject));
    differences.extend(wrong_digests(&subject.contents));
    // Verdicts are judged by the bundle's own plans and results, which may be anything if they are not the study's. That may take long,
    // so what was found before is not to wait for it.
    if differences.is_empty() {
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

/// What is wrong with the plans, seeds and results of all runs; and how many choices of images need the data, which are missing.
fn wrong_runs(subject: &Subject) -> (Vec<String>, usize) {
    let Contents { results, plan, .. } = &subject.contents;
    let labels = train_labels(subject);
    let chooser = Chooser::new(&labels);
    let (mut differences, mut unchecked) = (Vec::new(), 0);
    for (name, run) in results.all_runs() {
        let Some(planned) = plan.runs.get(name) else { continue };
        differences.extend(json_differences(&format!("runs.{name}.plan"), run.plan(), &planned.settings));
        if run.seeds() != planned.seeds {
            differences.push(format!("runs.{name}: seeds {:?}, the study has {:?}", run.seeds(), planned.seeds));
            continue;
        }
        let can_choose = subject.data.is_ok() || !needs_labels(planned);
        if !can_choose {
            unchecked += run.seed_count();
        }
        let (wrong, more) = wrong_seeds(subject, planned, run, can_choose.then_some(&chooser));
        differences.extend(wrong.iter().map(|(seed, why)| format!("runs.{name}: seed {seed}: {why}")));
        if more {
            differences.push(format!("runs.{name}: more differences, which are not listed"));
        }
    }
    (differences, unchecked)
}

/// The first differences of a run's seeds, each with its seed, and whether there are more. `chooser` is none if the choice of images
/// needs the data, which are missing.
fn wrong_seeds(
    subject: &Subject,
    planned: &RunPlan,
    run: AnyRun,
    chooser: Option<&Chooser>,
) -> (Vec<(u64, String)>, bool) {
    let this_arithmetic = subject.contents.results.environment.is_this_arithmetic();
    let in_results = run.finished().into_iter().flat_map(|seed| {
        let images = wrong_images(run.plan(), planned.test_images, seed);
        let found = images.into_iter().chain(wrong_epoch(planned, seed, this_arithmetic));
        found.map(move |why| (seed.seed, why))
    });
    let in_choices = chooser.into_iter().flat_map(|chooser| wrong_choices(subject, planned, run, chooser));
    first_few(in_results.chain(in_choices))
}

/// The first differences, and whether there are more. The others are not looked for: a bundle may state thousands of seeds.
fn first_few<T>(mut differences: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let first = differences.by_ref().take(MOST_OF_RUN).collect();
    (first, differences.next().is_some())
}

/// The seeds of a run that state other training images than the study chooses.
fn wrong_choices(
    subject: &Subject,
    planned: &RunPlan,
    run: AnyRun,
    chooser: &Chooser,
) -> impl Iterator<Item = (u64, String)> {
    let candidates = chooser.without_validation(planned.settings.hold_out);
    let choice = move |seed: u64| {
        let images = planned.choose_from(&candidates, seed);
        (images.len(), subset_sha256(&images))
    };
    let for_all_seeds = (!planned.settings.images.depends_on_seed()).then(|| choice(0));
    let needed = planned.settings.image_count;
    let wrong = move |(seed, stated): (u64, &String)| {
        let (found, chosen) = for_all_seeds.clone().unwrap_or_else(|| choice(seed));
        let count = (subject.data.is_ok() && found != needed)
            .then(|| format!("the study needs {needed} training images, and the data have {found} of them"));
        let hash = (chosen != *stated).then(|| {
            let (stated, chosen) = (short(stated), short(&chosen));
            format!("other training images, with the SHA-256 {stated}, the study chooses {chosen}")
        });
        count.into_iter().chain(hash).map(move |why| (seed, why))
    };
    run.subsets().into_iter().flat_map(wrong)
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

/// The labels that choices of images depend on. Without the data they are only as many: see [`needs_labels`].
fn train_labels<'a>(subject: &'a Subject) -> Cow<'a, [u8]> {
    match &subject.data {
        Ok(data) => Cow::Borrowed(&data.train.labels),
        Err(_) => Cow::Owned(vec![0; subject.contents.plan.data.train_images]),
    }
}

/// Whether a run's choice of images depends on the labels, and not only on their number.
fn needs_labels(run: &RunPlan) -> bool {
    run.settings.order == ImageOrder::ByClass || matches!(run.settings.images, Subset::PerClass(_))
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

#[cfg(test)]
mod tests {
    use super::first_few;

    #[test]
    fn differences_after_the_first_few_are_not_looked_for() {
        for (all, listed, more, seen) in [(0, 0, false, 0), (3, 3, false, 3), (5, 5, false, 5), (9000, 5, true, 6)] {
            let mut looked = 0;
            let found = first_few((0..all).inspect(|_| looked += 1));
            assert_eq!(found, ((0..listed).collect::<Vec<usize>>(), more));
            assert_eq!(looked, seen);
        }
    }
}
