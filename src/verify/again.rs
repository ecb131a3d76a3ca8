//! A training of the bundle, done again from its first step to its last and compared with what the bundle has of it.
//!
//! In the same environment everything must be equal. A bundle that libtorch made on a GPU is elsewhere held to tolerances,
//! but only as far as rounding can explain: where a hash or a loss has the same bits, everything else must have them, too.

use super::differing::json_difference;
use super::machine::{Again, Machine};
use super::subject::{Subject, Trained};
use crate::bundle::{Bundle, RESULTS, TOLERANCES, WEIGHTS};
use crate::dataset::write_labels;
use crate::digest::{sha256_hex, short};
use crate::failure;
use crate::results::{EpochResult, Evaluated, Filters, SeedResult, write_losses};
use crate::tensors::from_safetensors;
use crate::text::error_chain;
use crate::text::numbers::plural;
use crate::training::{SeedOutcome, TrainedSeed, TrainingObserver};

/// So many losses in a row do not have the same bits by chance: if another rounding changed them, each has the same bits in
/// perhaps one case of two.
pub(super) const COINCIDENCE: usize = 8;

/// Ends a training after this many epochs: it costs what the bundle's own epochs do, whatever its plan is.
pub(super) struct AtMost(pub(super) usize);

impl TrainingObserver for AtMost {
    fn step(&mut self, _: usize, _: usize, _: usize) {}
    fn epoch(&mut self, _: &EpochResult) {}
    fn is_enough(&self, epoch: usize) -> bool {
        epoch >= self.0
    }
}

impl Again {
    fn failed(difference: String) -> Self {
        Self::of_diverged(Some(difference))
    }

    /// Of a training without results.
    pub(super) fn of_diverged(difference: Option<String>) -> Self {
        Self { difference, accuracy: 0.0, loss: 0.0 }
    }
}

/// Does a training of the bundle again and compares it, unless that was done before.
pub(super) fn train_again(subject: &Subject, machine: &Machine, trained: &Trained) -> Again {
    machine.once(&trained.files, || train(subject, machine, trained))
}

/// Trains one seed of a run again and compares it.
fn train(subject: &Subject, machine: &Machine, trained: &Trained) -> Again {
    let stated = trained.result;
    // One epoch more than the bundle has shows that the training does not end there. The plan's epochs may be any number.
    let mut at_most = AtMost(stated.epochs.len() + 1);
    let found = match machine.prepared.run(trained.model, trained.plan, stated.seed, None, &mut at_most) {
        Ok(SeedOutcome::Finished(found)) => found,
        Ok(SeedOutcome::Diverged(found)) => {
            return Again::failed(format!("diverges, the bundle has a result: {}", found.not_finite));
        }
        // A failure of this machine, such as a full disk, is not a difference in the bundle: the rung is not checked.
        Err(e) => failure::machine(format!("{} cannot be trained here: {}", trained.files, error_chain(e))),
    };
    let largest = |is_loss: bool| {
        let values = epoch_values(stated, &found.result, trained.plan.steps_per_epoch());
        let differences = values.iter().filter(|v| v.images.is_none() == is_loss).map(EpochValue::difference);
        differences.fold(0.0, f64::max)
    };
    let difference = first_difference(subject, machine, trained, &found);
    Again { difference, accuracy: largest(false), loss: largest(true) }
}

/// A value of an epoch in two trainings: a loss, or how many of `images` images are right.
struct EpochValue {
    epoch: usize,
    /// The step within the training, if the value was measured within the epoch.
    step: Option<usize>,
    name: &'static str,
    stated: f64,
    found: f64,
    images: Option<usize>,
}

impl EpochValue {
    /// For a loss, the difference divided by the larger of the two; for images, the difference of the accuracies.
    fn difference(&self) -> f64 {
        let difference = (self.stated - self.found).abs();
        match self.images {
            Some(images) => difference / images as f64,
            None => difference / self.stated.abs().max(self.found.abs()).max(f64::MIN_POSITIVE),
        }
    }
}

/// All values of the epochs that both trainings have, and then those measured within epochs.
fn epoch_values(stated: &SeedResult, found: &SeedResult, steps_per_epoch: usize) -> Vec<EpochValue> {
    let mut all = Vec::new();
    for (a, b) in stated.epochs.iter().zip(&found.epochs) {
        let (stated, found) = (a.train_loss, b.train_loss);
        all.push(EpochValue { epoch: a.epoch, step: None, name: "training loss", stated, found, images: None });
        let sets = [
            (["loss on the training images", "training images right"], [a.train_eval, b.train_eval]),
            (["loss on the validation images", "validation images right"], [a.validation, b.validation]),
            (["test loss", "test images right"], [Some(a.test), Some(b.test)]),
        ];
        all.extend(sets.into_iter().flat_map(|(names, sets)| values_of(a.epoch, None, names, sets)));
    }
    for (a, b) in stated.within_epochs.iter().zip(&found.within_epochs) {
        let sets = [
            (["loss on the validation images", "validation images right"], [a.validation, b.validation]),
            (["test loss", "test images right"], [Some(a.test), Some(b.test)]),
        ];
        let epoch = a.step / steps_per_epoch + 1;
        all.extend(sets.into_iter().flat_map(|(names, sets)| values_of(epoch, Some(a.step), names, sets)));
    }
    all
}

/// The loss and the correct images of a set that both trainings evaluated.
fn values_of(
    epoch: usize,
    step: Option<usize>,
    [loss, correct]: [&'static str; 2],
    sets: [Option<Evaluated>; 2],
) -> Vec<EpochValue> {
    let [Some(x), Some(y)] = sets else { return Vec::new() };
    let images = Some(x.images);
    vec![
        EpochValue { epoch, step, name: loss, stated: x.loss, found: y.loss, images: None },
        EpochValue { epoch, step, name: correct, stated: x.correct as f64, found: y.correct as f64, images },
    ]
}

/// A message on the first difference between a training of the bundle and the one found that is larger than allowed.
fn first_difference(subject: &Subject, machine: &Machine, trained: &Trained, found: &TrainedSeed) -> Option<String> {
    let stated = trained.result;
    let losses = subject.bundle.losses(&trained.files).unwrap_or_default();
    let is_same = machine.same_environment || stated.weights_sha256 == found.result.weights_sha256;
    let equal_epochs = equal_epochs(trained, &losses, found);
    let allowed = |value: &EpochValue| match value.images {
        _ if is_same || equal_epochs.get(value.epoch - 1).is_none_or(|equal| *equal) => 0.0,
        Some(_) => TOLERANCES.rerun_accuracy,
        None => TOLERANCES.rerun_loss,
    };
    let values = epoch_values(stated, &found.result, trained.plan.steps_per_epoch());
    if let Some(v) = values.iter().find(|v| v.difference() > allowed(v)) {
        let at = v.step.map_or_else(String::new, |step| format!(", after step {step} of the training"));
        return Some(format!("epoch {}{at}: {} {}, the bundle has {}", v.epoch, v.name, v.found, v.stated));
    }
    other_difference(stated, &found.result)
        .or_else(|| if is_same { difference_of_bits(subject.bundle, trained, &losses, found) } else { None })
        .or_else(|| if is_same { wrong_filters(subject, trained, found) } else { None })
}

/// For each epoch, whether both trainings computed the same bits in it: the same test loss, a mean over thousands of images,
/// or the same loss of every batch.
fn equal_epochs(trained: &Trained, losses: &[f32], found: &TrainedSeed) -> Vec<bool> {
    let steps = trained.plan.steps_per_epoch();
    let batches = losses.chunks(steps).zip(found.losses.chunks(steps));
    let same_batches = batches.map(|(a, b)| a.len() >= COINCIDENCE && a == b);
    let tests = trained.result.epochs.iter().zip(&found.result.epochs).map(|(a, b)| a.test.loss == b.test.loss);
    tests.zip(same_batches.chain(std::iter::repeat(false))).map(|(test, batches)| test || batches).collect()
}

/// Differences in what was evaluated and for how many epochs.
fn other_difference(stated: &SeedResult, found: &SeedResult) -> Option<String> {
    let others = |e: &EpochResult| (e.train_eval.is_some(), e.validation.is_some());
    if let Some((a, _)) = stated.epochs.iter().zip(&found.epochs).find(|(a, b)| others(a) != others(b)) {
        return Some(format!(
            "epoch {}: only one of the trainings evaluated the training or validation images",
            a.epoch
        ));
    }
    (stated.epochs.len() != found.epochs.len())
        .then(|| format!("{}, the bundle has {}", plural(found.epochs.len(), "epoch"), stated.epochs.len()))
}

/// Differences in the rest of the results and in the files, which must have the same bits.
fn difference_of_bits(bundle: &Bundle, trained: &Trained, losses: &[f32], found: &TrainedSeed) -> Option<String> {
    if let Some(step) = losses.iter().zip(&found.losses).position(|(a, b)| a.to_bits() != b.to_bits()) {
        let steps = trained.plan.steps_per_epoch();
        let (epoch, batch, a, b) = (step / steps + 1, step % steps + 1, losses[step], found.losses[step]);
        return Some(format!("epoch {epoch}, batch {batch}: loss {b}, {} has {a}", trained.files.losses()));
    }
    if *trained.result != found.result {
        return json_difference("the bundle's result", trained.result, "the training", &found.result);
    }
    let files = [
        (trained.files.losses(), write_losses(&found.losses)),
        (trained.files.predictions(), write_labels(&found.predictions)),
        (trained.files.weights(), found.weights.clone()),
        (trained.files.evidence(), found.evidence.clone()),
    ];
    files.into_iter().find_map(|(path, given)| {
        let size = given.len() as u64;
        let given = sha256_hex(&given);
        let held = bundle.sha256(&path).unwrap_or_else(|| "none".into());
        if held != given {
            let (held, given) = (short(&held), short(&given));
            return Some(format!("{path} has the SHA-256 {held}, its training gives {given}"));
        }
        // A lean zip states the sizes of the files that it leaves out.
        let stated = bundle.left_out.get(&path)?.bytes;
        (stated != Some(size)).then(|| {
            let stated = stated.map_or_else(|| "no size".into(), |bytes| plural(bytes as usize, "byte"));
            format!("{path} is listed with {stated}, its training gives {}", plural(size as usize, "byte"))
        })
    })
}

/// The first convolution that a lean bundle shows of a training, if it is not that of the weights found. Of other bundles, `metrics`
/// compares it with the weights that they have.
fn wrong_filters(subject: &Subject, trained: &Trained, found: &TrainedSeed) -> Option<String> {
    let (results, name) = (&subject.contents.results, &trained.plan.name);
    if !subject.bundle.leaves_out(WEIGHTS) {
        return None;
    }
    // `metrics` has found that the study shows these runs and no others, each with its first seed.
    let stated = results.filters.get(name)?;
    let first = results.runs.get(name)?.seeds.first()?.seed;
    let model = results.models.get(&trained.plan.settings.model).filter(|_| first == trained.result.seed)?;
    let given = from_safetensors(&found.weights).ok().and_then(|tensors| Filters::of(model, &tensors));
    json_difference(&format!("{RESULTS}: filters.{name}"), &Some(stated), "the training", &given.as_ref())
}
