//! Rung `weights`: the stored weights, evaluated again, give the stored predictions, losses and confidences.

use super::machine::Machine;
use super::subject::{Subject, Trained};
use super::{Outcome, diverged};
use crate::bundle::{Bundle, RESULTS, TOLERANCES};
use crate::compute::Network;
use crate::results::{Evaluated, Evaluation, Misclassified, SeedResult, misclassified};
use crate::tensors::from_safetensors;
use crate::text::error_chain;
use crate::text::numbers::{agreeing, plural};

/// The largest differences that were found.
#[derive(Default)]
struct Largest {
    images: usize,
    loss: f64,
    confidence: f64,
}

pub(super) fn check(subject: &Subject, machine: &Machine) -> Outcome {
    let mut differences = Vec::new();
    let (mut checked, mut largest) = (0, Largest::default());
    for trained in subject.trained() {
        match evaluate(subject.bundle, machine, &trained) {
            Ok(Loaded { network, evaluation, stated }) => {
                checked += 1;
                let mut wrong = wrong_predictions(machine, &trained, &evaluation, &stated, &mut largest);
                wrong.extend(wrong_confidences(machine, trained.result, &evaluation, &mut largest));
                wrong.extend(wrong_other_images(machine, &trained, &*network));
                differences.extend(wrong.iter().map(|why| format!("{}: {why}", trained.files)));
            }
            Err(why) => differences.push(why),
        }
    }
    let Largest { images, loss, confidence } = largest;
    let give = agreeing(checked, "gives its", "give their");
    let largest =
        format!("largest differences: {}, loss {loss:.1e}, confidence {confidence:.1e}", plural(images, "image"));
    let passed =
        format!("{} {give} predictions and losses ({}; {largest})", plural(checked, "network"), machine.comparison());
    Outcome::of_networks(differences, checked, passed, diverged::not_checked(subject, "weights"))
}

/// A network with the bundle's weights.
struct Loaded {
    network: Box<dyn Network>,
    /// Of the test set.
    evaluation: Evaluation,
    /// The bundle's predictions.
    stated: Vec<u8>,
}

/// Evaluates a network with the bundle's weights.
fn evaluate(bundle: &Bundle, machine: &Machine, trained: &Trained) -> Result<Loaded, String> {
    let path = trained.files.weights();
    let mut network = machine.prepared.device.network(trained.model, 0);
    let weights = from_safetensors(bundle.bytes(&path).map_err(error_chain)?);
    let loaded = weights.map_err(error_chain).and_then(|weights| network.load(&weights).map_err(error_chain));
    loaded.map_err(|why| format!("{path}: {why}"))?;
    let evaluation = machine.prepared.test(&*network);
    let stated = bundle.predictions(&trained.files).map_err(error_chain)?;
    Ok(Loaded { network, evaluation, stated })
}

/// Predictions and test losses that differ.
fn wrong_predictions(
    machine: &Machine,
    trained: &Trained,
    evaluation: &Evaluation,
    stated: &[u8],
    largest: &mut Largest,
) -> Vec<String> {
    let seed = trained.result;
    let images = stated.iter().zip(&evaluation.predictions).filter(|(a, b)| a != b).count();
    let loss = (evaluation.loss() - seed.test_loss).abs() / seed.test_loss.abs().max(f64::MIN_POSITIVE);
    largest.images = largest.images.max(images);
    largest.loss = largest.loss.max(loss);
    let mut wrong = Vec::new();
    if images > allowed_images(machine) || stated.len() != evaluation.predictions.len() {
        wrong.push(format!(
            "{} {} another class than predictions/ has",
            plural(images, "image"),
            agreeing(images, "gets", "get")
        ));
    }
    let allowed = machine.allowed(TOLERANCES.weights_loss);
    if !within(loss, allowed) {
        wrong.push(format!("loss {}, {RESULTS} has {}", evaluation.loss(), seed.test_loss));
    }
    let notes = evaluation.batch_mean_loss(trained.plan.settings.batch_size);
    if !within((notes - seed.batch_mean_loss).abs(), allowed * seed.batch_mean_loss.abs()) {
        wrong.push(format!("batch-mean loss {notes}, {RESULTS} has {}", seed.batch_mean_loss));
    }
    wrong
}

/// Whether the list of misclassified images, or their confidences, differ.
fn wrong_confidences(
    machine: &Machine,
    seed: &SeedResult,
    evaluation: &Evaluation,
    largest: &mut Largest,
) -> Option<String> {
    let listed = seed.misclassified.iter().filter(|m| evaluation.predictions.get(m.image) == Some(&m.predicted));
    let off = listed.map(|m| (evaluation.confidences[m.image] - m.confidence).abs()).fold(0.0, f64::max);
    largest.confidence = largest.confidence.max(off);
    let recomputed = misclassified(evaluation, &machine.prepared.data.test.labels);
    let is_right = if machine.same_environment {
        seed.misclassified == recomputed
    } else {
        // In another class their order may differ, but no error may be missing that is clearly more confident than the last
        // one listed.
        let least = seed.misclassified.last().map_or(1.0, |m| m.confidence) + TOLERANCES.weights_confidence;
        let is_listed = |m: &&Misclassified| seed.misclassified.iter().any(|other| other.image == m.image);
        let is_missing = recomputed.iter().filter(|m| !is_listed(m)).any(|m| m.confidence > least);
        within(off, TOLERANCES.weights_confidence) && !is_missing
    };
    (!is_right).then(|| format!("its misclassified images, or their confidences, are not as in {RESULTS}"))
}

/// Differences in the last epoch's results on the training images and on the validation set.
fn wrong_other_images(machine: &Machine, trained: &Trained, network: &dyn Network) -> Vec<String> {
    let seed = trained.result;
    let last = &seed.epochs[seed.epochs.len() - 1];
    let found = machine.prepared.evaluate_beside_test(network, trained.plan, seed.seed);
    let sets = ["training", "held-out"].into_iter().zip([last.train_eval, last.validation]).zip(found);
    sets.filter(|((_, stated), found)| !agree(machine, stated.as_ref(), found.as_ref()))
        .map(|((what, _), _)| format!("the last epoch's results on the {what} images are not as in {RESULTS}"))
        .collect()
}

fn agree(machine: &Machine, stated: Option<&Evaluated>, found: Option<&Evaluated>) -> bool {
    match (stated, found) {
        (None, None) => true,
        (Some(x), Some(y)) => {
            x.images == y.images
                && x.correct.abs_diff(y.correct) <= allowed_images(machine)
                && within((x.loss - y.loss).abs(), machine.allowed(TOLERANCES.weights_loss) * x.loss.abs())
        }
        _ => false,
    }
}

fn allowed_images(machine: &Machine) -> usize {
    if machine.same_environment { 0 } else { TOLERANCES.weights_images }
}

/// False if the error is NaN.
fn within(error: f64, most: f64) -> bool {
    error <= most
}
