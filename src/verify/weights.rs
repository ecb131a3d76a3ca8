//! Rung `weights`: the stored weights, evaluated again, give the stored predictions, losses and confidences.

use super::differing::json_difference;
use super::found::Found;
use super::machine::Machine;
use super::outcome::Rated;
use super::subject::{Subject, Trained};
use super::{Outcome, Rung, diverged};
use crate::bundle::{Bundle, RESULTS, TOLERANCES};
use crate::compute::Network;
use crate::results::{Evaluated, Evaluation, Misclassified, SeedResult, misclassified};
use crate::tensors::from_safetensors;
use crate::text::error_chain;
use crate::text::numbers::{agreeing, plural};

/// A mean loss over so many images does not have the same bits by chance if another rounding changed the logits.
const MANY: usize = 100;

/// The largest differences that were found.
#[derive(Default)]
struct Largest {
    images: usize,
    loss: f64,
    confidence: f64,
}

pub(super) fn check(subject: &Subject, machine: &Machine) -> Rated {
    let mut found = Found::new(Rung::Weights, machine);
    let (mut checked, mut tolerated, mut largest) = (0, 0, Largest::default());
    for trained in subject.trained() {
        let wrong = found.attempt(|| {
            let loaded = evaluate(subject.bundle, machine, &trained)?;
            let mut wrong = wrong_predictions(&trained, &loaded, &mut largest);
            wrong.extend(wrong_confidences(machine, trained.result, &loaded, &mut largest));
            wrong.extend(wrong_other_images(machine, &trained, &loaded));
            Ok::<_, String>((wrong, loaded.same_bits))
        });
        match wrong {
            Some(Ok((wrong, same_bits))) => {
                checked += 1;
                tolerated += usize::from(!same_bits);
                for why in wrong {
                    found.add(format!("{}: {why}", trained.files));
                }
            }
            Some(Err(why)) => found.add(why),
            None => {}
        }
    }
    let Largest { images, loss, confidence } = largest;
    let give = agreeing(checked, "gives its", "give their");
    let largest =
        format!("; largest differences: {}, loss {loss:.1e}, confidence {confidence:.1e}", plural(images, "image"));
    let comparison = match (machine.same_environment, tolerated) {
        (true, _) => machine.comparison().to_owned(),
        (false, 0) => "another environment, but bit for bit".to_owned(),
        (false, _) => format!("{}{largest}", machine.comparison()),
    };
    let passed = format!("{} {give} predictions and losses ({comparison})", plural(checked, "network"));
    let otherwise = Outcome::of_networks(Vec::new(), checked, passed, diverged::not_checked(subject, "weights"));
    let outcome = found.outcome(otherwise);
    Rated { outcome, trainings: Vec::new(), tolerances: tolerated > 0 }
}

/// A network with the bundle's weights.
struct Loaded {
    network: Box<dyn Network>,
    /// Of the test set.
    evaluation: Evaluation,
    /// The bundle's predictions.
    stated: Vec<u8>,
    /// Whether all bits must agree: in the same environment, and where the test loss does. That is a mean over thousands of
    /// images, which another rounding changes.
    same_bits: bool,
}

impl Loaded {
    /// `tolerance`, or 0 where bits must agree.
    fn allowed(&self, tolerance: f64) -> f64 {
        if self.same_bits { 0.0 } else { tolerance }
    }
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
    let same_bits = machine.same_environment || evaluation.loss() == trained.result.test_loss;
    Ok(Loaded { network, evaluation, stated, same_bits })
}

/// Predictions and test losses that differ.
fn wrong_predictions(trained: &Trained, loaded: &Loaded, largest: &mut Largest) -> Vec<String> {
    let (seed, Loaded { evaluation, stated, .. }) = (trained.result, loaded);
    let others: Vec<usize> =
        (0..stated.len()).filter(|i| evaluation.predictions.get(*i) != Some(&stated[*i])).collect();
    let images = others.len();
    let loss = (evaluation.loss() - seed.test_loss).abs() / seed.test_loss.abs().max(f64::MIN_POSITIVE);
    largest.images = largest.images.max(images);
    largest.loss = largest.loss.max(loss);
    let mut wrong = Vec::new();
    let most = if loaded.same_bits { 0 } else { TOLERANCES.weights_images };
    if images > most || stated.len() != evaluation.predictions.len() {
        let first = others.first().map_or(String::new(), |i| {
            let found = evaluation.predictions.get(*i).map_or_else(|| "no class".into(), ToString::to_string);
            format!("; the first is image {i}: {found}, predictions/ has {}", stated[*i])
        });
        let (count, get) = (plural(images, "image"), agreeing(images, "gets", "get"));
        wrong.push(format!("{count} {get} another class than predictions/ has{first}"));
    } else if let Some(image) = others.iter().find(|i| !is_near_tie(evaluation, **i, stated[**i])) {
        let (class, behind) = (stated[*image], evaluation.behind(*image, stated[*image]));
        wrong.push(format!(
            "image {image} gets another class than predictions/ has, and rounding does not explain it: the logit of class \
             {class} is {behind:.3} below the largest"
        ));
    }
    let allowed = loaded.allowed(TOLERANCES.weights_loss);
    if !within(loss, allowed) {
        wrong.push(format!("loss {}, {RESULTS} has {}", evaluation.loss(), seed.test_loss));
    }
    let notes = evaluation.batch_mean_loss(trained.plan.settings.batch_size);
    if !within((notes - seed.batch_mean_loss).abs(), allowed * seed.batch_mean_loss.abs()) {
        wrong.push(format!("batch-mean loss {notes}, {RESULTS} has {}", seed.batch_mean_loss));
    }
    wrong
}

/// Whether rounding can make a class the predicted one.
fn is_near_tie(evaluation: &Evaluation, image: usize, class: u8) -> bool {
    within(f64::from(evaluation.behind(image, class)), TOLERANCES.weights_tie)
}

/// Whether the list of misclassified images, or their confidences, differ.
fn wrong_confidences(machine: &Machine, seed: &SeedResult, loaded: &Loaded, largest: &mut Largest) -> Option<String> {
    let evaluation = &loaded.evaluation;
    let listed = seed.misclassified.iter().filter(|m| evaluation.predictions.get(m.image) == Some(&m.predicted));
    let off = listed.map(|m| (evaluation.confidences[m.image] - m.confidence).abs()).fold(0.0, f64::max);
    largest.confidence = largest.confidence.max(off);
    let recomputed = misclassified(evaluation, &machine.prepared.data.test.labels);
    let is_right = if loaded.same_bits {
        seed.misclassified == recomputed
    } else {
        // In another class their order may differ, but no error may be missing that is clearly more confident than the last
        // one listed.
        let least = seed.misclassified.last().map_or(1.0, |m| m.confidence) + TOLERANCES.weights_confidence;
        let is_listed = |m: &&Misclassified| seed.misclassified.iter().any(|other| other.image == m.image);
        let is_missing = recomputed.iter().filter(|m| !is_listed(m)).any(|m| m.confidence > least);
        within(off, TOLERANCES.weights_confidence) && !is_missing
    };
    (!is_right).then(|| {
        json_difference(&format!("{RESULTS}: misread"), &seed.misclassified, "the network", &recomputed)
            .unwrap_or_else(|| format!("its confidences are {off} from those in {RESULTS}"))
    })
}

/// Differences in the reported epoch's results on the training images and on the validation set.
fn wrong_other_images(machine: &Machine, trained: &Trained, loaded: &Loaded) -> Vec<String> {
    let seed = trained.result;
    let reported = seed.reported();
    let found = machine.prepared.evaluate_beside_test(&*loaded.network, trained.plan, seed.seed);
    let sets = ["training", "held-out"].into_iter().zip([reported.train_eval, reported.validation]).zip(found);
    sets.filter(|((_, stated), found)| !agree(loaded, stated.as_ref(), found.as_ref()))
        .map(|((what, stated), found)| {
            let said = |set: Option<&Evaluated>| match set {
                Some(set) => format!("{} of {} correct and loss {}", set.correct, set.images, set.loss),
                None => "none".to_owned(),
            };
            let (found, stated) = (said(found.as_ref().map(|(set, _)| set)), said(stated.as_ref()));
            format!("epoch {} on the {what} images: {found}, {RESULTS} has {stated}", reported.epoch)
        })
        .collect()
}

fn agree(loaded: &Loaded, stated: Option<&Evaluated>, found: Option<&(Evaluated, Evaluation)>) -> bool {
    match (stated, found) {
        (None, None) => true,
        (Some(x), Some((y, evaluation))) => {
            let same_bits = loaded.same_bits || (x.images >= MANY && x.loss == y.loss);
            let images = || TOLERANCES.weights_images.min(evaluation.near_ties(TOLERANCES.weights_tie as f32));
            let (images, loss) = if same_bits { (0, 0.0) } else { (images(), TOLERANCES.weights_loss) };
            x.images == y.images
                && x.correct.abs_diff(y.correct) <= images
                && within((x.loss - y.loss).abs(), loss * x.loss.abs())
        }
        _ => false,
    }
}

/// False if the error is NaN.
fn within(error: f64, most: f64) -> bool {
    error <= most
}
