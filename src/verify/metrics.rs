//! Rung `metrics`: accuracies, confusion matrices, comparisons and the images that the report shows follow from
//! predictions/ and the test set. Weights have the hashes of results.json, and no file belongs to no run.

use std::collections::BTreeSet;

use super::differing::{json_difference, list_difference};
use super::subject::Subject;
use super::{Outcome, diverged};
use crate::bundle::{Bundle, Contents, IMAGES, RESULTS, STUDY, SeedFiles, WEIGHTS, is_primary, seed_files};
use crate::dataset::ImageSet;
use crate::digest::short;
use crate::results::{AnyRun, GALLERY, Misclassified, SeedResult, confusion};
use crate::text::error_chain;
use crate::text::numbers::{count, plural};

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
        let predictions = match predictions(subject.bundle, &files, test) {
            Ok(predictions) => predictions,
            Err(why) => {
                differences.push(why);
                continue;
            }
        };
        checked += 1;
        differences.extend(wrong_result(seed, &predictions, test).map(|why| format!("{files}: {why}")));
        let weights = files.weights();
        if subject.bundle.sha256(&weights).as_ref() != Some(&seed.weights_sha256) {
            let held = subject.bundle.sha256(&weights).unwrap_or_else(|| "none".into());
            let (held, stated) = (short(&held), short(&seed.weights_sha256));
            differences.push(format!("{weights} has the SHA-256 {held}, {RESULTS} has {stated}"));
        }
    }
    if checked == networks {
        differences.extend(wrong_comparisons(subject, test));
    }
    let large = large_weights(subject);
    if large.is_empty() {
        differences.extend(wrong_filters(subject));
    }
    differences.extend(large);
    differences.extend(of_no_run(subject));
    if test.class_counts() != results.data.test_classes {
        let what = format!("{RESULTS}: data.test_classes");
        differences.extend(json_difference(&what, &results.data.test_classes, "the test set", &test.class_counts()));
    }
    let passed = format!("predictions of {} give the values of {RESULTS}", plural(checked, "trained network"));
    let kernels = (subject.bundle.leaves_out(WEIGHTS) && !results.filters.is_empty())
        .then(|| "not checked: the weights of first convolutions in figures, because weights/ was left out".to_owned());
    let not_checked =
        diverged::not_checked(subject, "predictions").into_iter().chain(kernels).reduce(|a, b| format!("{a}; {b}"));
    Outcome::of_networks(differences, networks, passed, not_checked)
}

/// Files of weights with more bytes than their network has values: reading one takes several times its size in memory.
fn large_weights(subject: &Subject) -> Vec<String> {
    /// For the names and shapes of all tensors.
    const HEADER: u64 = 1 << 20;
    let Contents { plan, results, .. } = &subject.contents;
    let large = |(run, _, files): (&str, &SeedResult, SeedFiles)| {
        let weights = files.weights();
        let bytes = subject.bundle.files.get(&weights)?.len() as u64;
        let model = plan.runs.get(run).and_then(|run| plan.models.get(&run.settings.model));
        let values = model.map_or(0, |model| model.parameter_count() + model.buffer_count());
        let most = HEADER + values * size_of::<f32>() as u64;
        (bytes > most).then(|| {
            let values = count(values);
            format!(
                "{weights} has {} bytes, more than a network of {values} parameters and buffers takes",
                count(bytes)
            )
        })
    };
    seed_files(results).filter_map(large).collect()
}

/// The predicted class of each of the test set's images.
fn predictions(bundle: &Bundle, files: &SeedFiles, test: &ImageSet) -> Result<Vec<u8>, String> {
    let (images, classes) = (test.len(), test.classes);
    let predictions = bundle.predictions(files).map_err(error_chain)?;
    if predictions.len() != images || predictions.iter().any(|class| usize::from(*class) >= classes) {
        let (held, path) = (predictions.len(), files.predictions());
        let wrong = predictions.iter().find(|class| usize::from(**class) >= classes);
        let wrong = wrong.map_or(String::new(), |class| format!(", and class {class} among them"));
        return Err(format!("{path} holds {held} classes{wrong}; {images} from 0 to {} are needed", classes - 1));
    }
    Ok(predictions)
}

/// Values of a network's result that do not follow from its predictions.
fn wrong_result(seed: &SeedResult, predictions: &[u8], test: &ImageSet) -> impl Iterator<Item = String> {
    let labels = test.labels.as_slice();
    let is_misclassified = |m: &&Misclassified| {
        let actual = (labels.get(m.image), predictions.get(m.image));
        m.label != m.predicted && actual == (Some(&m.label), Some(&m.predicted))
    };
    let not_misclassified = |m: &Misclassified| {
        let class = |of: &[u8]| of.get(m.image).map_or_else(|| "none".to_owned(), ToString::to_string);
        format!(
            "image {} is listed as a {} that was taken for a {}; it is a {} with the predicted class {}",
            m.image,
            m.label,
            m.predicted,
            class(labels),
            class(predictions)
        )
    };
    let by_confidence = |a: &Misclassified, b: &Misclassified| {
        a.confidence > b.confidence || (a.confidence == b.confidence && a.image < b.image)
    };
    let errors = labels.iter().zip(predictions).filter(|(label, predicted)| label != predicted).count();
    let listed = errors.min(GALLERY);
    let found = confusion(predictions, labels, test.classes);
    let correct: usize = found.iter().enumerate().map(|(class, row)| row[class]).sum();
    let test = &seed.reported().test;
    let is_reported = (test.correct, test.images) == (seed.correct(), labels.len()) && test.loss == seed.test_loss;
    [
        seed.misclassified.iter().find(|m| !is_misclassified(m)).map(not_misclassified),
        (seed.misclassified.len() != listed || !seed.misclassified.is_sorted_by(by_confidence)).then(|| {
            format!(
                "the list of misclassified images has {}; {listed} are needed, sorted by confidence",
                plural(seed.misclassified.len(), "image")
            )
        }),
        (found != seed.confusion).then(|| {
            let cell = json_difference("confusion", &seed.confusion, "the predictions", &found).unwrap_or_default();
            let stated = seed.correct();
            format!("{RESULTS} counts {stated} correct predictions, there are {correct}; the first count: {cell}")
        }),
        (!is_reported).then(|| {
            format!(
                "epoch {} has {} of {} correct and loss {}, the result {} of {} and loss {}",
                seed.reported_epoch(),
                test.correct,
                test.images,
                test.loss,
                seed.correct(),
                labels.len(),
                seed.test_loss
            )
        }),
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
        Ok(()) => {
            let stated = &contents.results;
            let what = |part: &str| format!("{RESULTS}: {part}");
            json_difference(&what("comparisons"), &stated.comparisons, "the predictions", &recounted.comparisons)
                .or_else(|| json_difference(&what("digits"), &stated.digits, "the test set", &recounted.digits))
        }
        Err(e) => Some(error_chain(e)),
    }
}

/// Kernels of first convolutions that are not those of the weights, or weights that cannot be read. A lean bundle has no weights to
/// compare with: there `rerun` compares them.
fn wrong_filters(subject: &Subject) -> Option<String> {
    let (results, bundle, study) = (&subject.contents.results, subject.bundle, subject.contents.study());
    if bundle.leaves_out(WEIGHTS) {
        let shown: Vec<&String> = results.shown_filters(study).map(|(run, _, _)| run).collect();
        let lists = [&format!("{RESULTS}: filters") as &str, "what the study shows"];
        return list_difference(lists, results.filters.keys(), shown);
    }
    let mut recomputed = results.clone();
    let files = |run: &str, seed: u64| SeedFiles::of_result(run, AnyRun::Finished(&results.runs[run]), seed);
    let added = recomputed.add_filters(study, |run, seed| bundle.trained_weights(&files(run, seed)));
    match added {
        Ok(()) if recomputed.filters != results.filters => {
            json_difference(&format!("{RESULTS}: filters"), &results.filters, WEIGHTS, &recomputed.filters)
        }
        Ok(()) => None,
        Err(e) => Some(format!("{RESULTS}: filters cannot be compared with {WEIGHTS}: {}", error_chain(e))),
    }
}

/// Files of predictions, weights, evidence or losses that belong to no run, so that nothing checks them. Images belong to the
/// study, and `inputs` checks them.
fn of_no_run(subject: &Subject) -> Vec<String> {
    let mut expected: BTreeSet<String> = [RESULTS.into(), STUDY.into()].into();
    for (_, _, files) in seed_files(&subject.contents.results) {
        expected.extend(files.all());
    }
    let listed = subject.bundle.files.keys().chain(subject.bundle.left_out.keys());
    let primary = listed.filter(|path| is_primary(path) && !path.starts_with(IMAGES));
    primary
        .filter(|path| !expected.contains(*path))
        .map(|path| format!("{path} belongs to no run of {RESULTS}"))
        .collect()
}
