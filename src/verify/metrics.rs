//! Rung `metrics`: accuracies, confusion matrices, comparisons and the images that the report shows follow from
//! predictions/ and the test set. Weights have the hashes of results.json, and no file belongs to no run.

use super::subject::Subject;
use super::{Outcome, diverged};
use crate::bundle::{Bundle, IMAGES, RESULTS, STUDY, SeedFiles, WEIGHTS, is_primary, seed_files};
use crate::dataset::{CLASSES, ImageSet};
use crate::results::{AnyRun, GALLERY, Misclassified, SeedResult, confusion};
use crate::text::error_chain;
use crate::text::numbers::plural;

pub(super) fn check(subject: &Subject) -> Outcome {
    let test = match &subject.data {
        Ok(data) => &data.test,
        Err(why) => return Outcome::NotChecked(why.clone()),
    };
    let results = &subject.contents.results;
    let mut differences = Vec::new();
    let (mut networks, mut checked) = (0, 0);
    for (_, seed, files) in seed_files(results) {
        networks += 1;
        let predictions = match predictions(subject.bundle, &files, test.len()) {
            Ok(predictions) => predictions,
            Err(why) => {
                differences.push(why);
                continue;
            }
        };
        checked += 1;
        differences.extend(wrong_result(seed, &predictions, &test.labels).map(|why| format!("{files}: {why}")));
        let weights = files.weights();
        if subject.bundle.sha256(&weights).as_ref() != Some(&seed.weights_sha256) {
            differences.push(format!("{weights} does not have the SHA-256 in {RESULTS}"));
        }
    }
    if checked == networks {
        differences.extend(wrong_comparisons(subject, test));
    }
    differences.extend(wrong_filters(subject));
    differences.extend(of_no_run(subject));
    if test.class_counts() != results.data.test_classes {
        differences.push("data.test_classes are not the test set's counts of each class".into());
    }
    let passed = format!("predictions of {} give the values of {RESULTS}", plural(checked, "trained network"));
    Outcome::of_networks(differences, networks, passed, diverged::not_checked(subject, "predictions"))
}

/// The predicted class of each of the test set's images.
fn predictions(bundle: &Bundle, files: &SeedFiles, images: usize) -> Result<Vec<u8>, String> {
    let predictions = bundle.predictions(files).map_err(error_chain)?;
    if predictions.len() != images || predictions.iter().any(|class| usize::from(*class) >= CLASSES) {
        return Err(format!("{} does not hold {images} classes from 0 to 9", files.predictions()));
    }
    Ok(predictions)
}

/// Values of a network's result that do not follow from its predictions.
fn wrong_result(seed: &SeedResult, predictions: &[u8], labels: &[u8]) -> impl Iterator<Item = String> {
    let is_misclassified = |m: &Misclassified| {
        let actual = (labels.get(m.image), predictions.get(m.image));
        m.label != m.predicted && actual == (Some(&m.label), Some(&m.predicted))
    };
    let by_confidence = |a: &Misclassified, b: &Misclassified| {
        a.confidence > b.confidence || (a.confidence == b.confidence && a.image < b.image)
    };
    let errors = labels.iter().zip(predictions).filter(|(label, predicted)| label != predicted).count();
    let listed = errors.min(GALLERY);
    let found = confusion(predictions, labels);
    let correct: usize = (0..CLASSES).map(|c| found[c][c]).sum();
    let test = &seed.reported().test;
    let is_reported = (test.correct, test.images) == (seed.correct(), labels.len()) && test.loss == seed.test_loss;
    [
        (!seed.misclassified.iter().all(is_misclassified)).then(|| {
            "an image listed as misclassified is classified correctly, or has another label or predicted class"
                .to_owned()
        }),
        (seed.misclassified.len() != listed || !seed.misclassified.is_sorted_by(by_confidence)).then(|| {
            format!("the list of misclassified images does not have {}, sorted by confidence", plural(listed, "image"))
        }),
        (found != seed.confusion).then(|| {
            format!(
                "the confusion matrix ({} correct) is not that of the predictions ({correct} correct)",
                seed.correct()
            )
        }),
        (!is_reported).then(|| format!("its result is not that of epoch {}, which it reports", seed.reported_epoch())),
    ]
    .into_iter()
    .flatten()
}

/// Comparisons and digits that do not follow from the predictions and the test set.
fn wrong_comparisons(subject: &Subject, test: &ImageSet) -> Option<String> {
    let contents = &subject.contents;
    let mut recounted = contents.results.clone();
    let of_run = |run: &str, seed: u64| {
        subject.bundle.predictions(&SeedFiles::of_result(run, AnyRun::Finished(&contents.results.runs[run]), seed))
    };
    match recounted.add_comparisons(contents.study(), test, of_run) {
        Ok(()) if recounted.comparisons != contents.results.comparisons => {
            Some("the comparisons of runs are not what the predictions give".into())
        }
        Ok(()) if recounted.digits != contents.results.digits => {
            Some("the digits shown are not those of the test set".into())
        }
        Ok(()) => None,
        Err(e) => Some(error_chain(e)),
    }
}

/// Kernels of first convolutions that are not those of the weights. A lean bundle has no weights to compare with, and rung
/// `weights` names those that cannot be read.
fn wrong_filters(subject: &Subject) -> Option<String> {
    let (results, bundle) = (&subject.contents.results, subject.bundle);
    let mut recomputed = results.clone();
    let files = |run: &str, seed: u64| SeedFiles::of_result(run, AnyRun::Finished(&results.runs[run]), seed);
    if bundle.leaves_out(WEIGHTS) {
        return None;
    }
    let added = recomputed.add_filters(subject.contents.study(), |run, seed| bundle.trained_weights(&files(run, seed)));
    match added {
        Ok(()) if recomputed.filters != results.filters => {
            Some(format!("the first convolutions in {RESULTS} are not those of {WEIGHTS}"))
        }
        _ => None,
    }
}

/// Files of predictions, weights, evidence or losses that belong to no run, so that nothing checks them. Images belong to the
/// study, and `inputs` checks them.
fn of_no_run(subject: &Subject) -> Vec<String> {
    let mut expected: Vec<String> = vec![RESULTS.into(), STUDY.into()];
    for (_, _, files) in seed_files(&subject.contents.results) {
        expected.extend(files.all());
    }
    let primary = subject.bundle.files.keys().filter(|path| is_primary(path) && !path.starts_with(IMAGES));
    primary
        .filter(|path| !expected.contains(path))
        .map(|path| format!("{path} belongs to no run of {RESULTS}"))
        .collect()
}
