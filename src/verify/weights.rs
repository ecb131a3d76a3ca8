//! Rung `weights`: the weights, evaluated anew, give the predictions and the loss, the errors that they are surest of, and
//! the last epoch's figures of other images.

use anyhow::{Context, Result, anyhow};

use super::machine::{Machine, seeds};
use super::{Outcome, Read};
use crate::bundle::TOLERANCES;
use crate::dataset::read_labels;
use crate::engine::Network;
use crate::results::{Evaluation, Misread, misread};
use crate::study::RunPlan;
use crate::tensors::from_safetensors;

pub fn check(read: &Read, machine: &Machine) -> Outcome {
    let mut differences = Vec::new();
    let (mut checked, mut worst_images, mut worst_loss, mut worst_confidence) = (0, 0, 0f64, 0f64);
    for (plan, seed, stem) in seeds(read) {
        let weights = format!("weights/{stem}.safetensors");
        let (network, evaluation) = match evaluate(read, machine, plan, &weights) {
            Ok(evaluated) => evaluated,
            Err(e) => {
                differences.push(format!("{weights}: {e:#}"));
                continue;
            }
        };
        let path = format!("predictions/{stem}.idx1-ubyte");
        let Some(Ok(stated)) = read.opened.files.get(&path).map(|bytes| read_labels(bytes)) else {
            differences.push(format!("{path} cannot be read"));
            continue;
        };
        checked += 1;
        let images = stated.iter().zip(&evaluation.predictions).filter(|(a, b)| a != b).count();
        let loss = (evaluation.loss() - seed.test_loss).abs() / seed.test_loss.abs().max(f64::MIN_POSITIVE);
        (worst_images, worst_loss) = (worst_images.max(images), worst_loss.max(loss));
        let (most_images, most_loss) = match machine.same_class {
            true => (0, 0.0),
            false => (TOLERANCES.weights_images, TOLERANCES.weights_loss),
        };
        if images > most_images || stated.len() != evaluation.predictions.len() {
            differences.push(format!("{stem}: {images} images get another class than predictions/ says"));
        }
        if !within(loss, most_loss) {
            differences.push(format!("{stem}: loss {} where results.json says {}", evaluation.loss(), seed.test_loss));
        }
        // In another class the order of the surest errors may differ; what is listed must still be as sure as it says.
        let listed = seed.misread.iter().filter(|m| evaluation.predictions.get(m.image) == Some(&m.predicted));
        let off = listed.map(|m| (evaluation.confidences[m.image] - m.confidence).abs()).fold(0.0, f64::max);
        worst_confidence = worst_confidence.max(off);
        let anew = misread(&evaluation, &machine.prepared.data.test.labels);
        // Nor may it leave out an error that is surer than the last one listed.
        let least = seed.misread.last().map_or(1.0, |m| m.confidence) + TOLERANCES.weights_confidence;
        let listed = |m: &&Misread| seed.misread.iter().any(|other| other.image == m.image);
        let as_said = match machine.same_class {
            true => seed.misread == anew,
            false => {
                let left_out = anew.iter().filter(|m| !listed(m)).any(|m| m.confidence > least);
                within(off, TOLERANCES.weights_confidence) && !left_out
            }
        };
        if !as_said {
            differences
                .push(format!("{stem}: its misread images, or how sure it was of them, are not as results.json says"));
        }
        let last = &seed.epochs[seed.epochs.len() - 1];
        let beside = machine.prepared.beside_the_test(&network, plan, seed.seed);
        for (what, stated, found) in [("training", last.train_eval, beside[0]), ("held-out", last.held_out, beside[1])]
        {
            let agree = match (stated, found) {
                (None, None) => true,
                (Some(x), Some(y)) => {
                    x.images == y.images
                        && x.correct.abs_diff(y.correct) <= most_images
                        && within((x.loss - y.loss).abs(), most_loss * x.loss.abs())
                }
                _ => false,
            };
            if !agree {
                differences.push(format!(
                    "{stem}: of the {what} images the last epoch's figures are not as results.json says"
                ));
            }
        }
        let notes = evaluation.notes_loss(plan.batch_size);
        if !within((notes - seed.notes_loss).abs(), most_loss * seed.notes_loss.abs()) {
            differences.push(format!("{stem}: notes' loss {notes} where results.json says {}", seed.notes_loss));
        }
    }
    let off = format!(
        "at most {worst_images} images, {worst_loss:.1e} of a loss and {worst_confidence:.1e} of a confidence off"
    );
    Outcome::of(
        differences,
        format!("{checked} networks give their predictions and losses ({}; {off})", machine.judged()),
    )
}

/// Not so for an error that is no number.
fn within(error: f64, most: f64) -> bool {
    error <= most
}

/// A run's network with the weights of a bundle's file, on the test set.
fn evaluate(read: &Read, machine: &Machine, plan: &RunPlan, path: &str) -> Result<(Network, Evaluation)> {
    let bytes = read.opened.files.get(path).context("is missing")?;
    let mut network = Network::new(machine.prepared.engine, &read.plan.models[&plan.model], 0);
    network.load(&from_safetensors(bytes)?).map_err(|e| anyhow!(e))?;
    let evaluation = machine.prepared.test(&network);
    Ok((network, evaluation))
}
