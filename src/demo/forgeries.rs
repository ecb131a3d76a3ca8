//! The forgeries of `mnist-report demo`. Each is made as well as its story allows: hashes, report and manifest are redone
//! wherever a forger could redo them.

use super::Redo::{self, Everything, Nothing, Report, Sums};
use super::{Cause, Draft, Lacking};
use crate::bundle::{MANIFEST, REPORT, REPORT_MARKDOWN, STUDY, SeedFiles};
use crate::compute::{Gpu, Network, Trainer};
use crate::dataset::Selection;
use crate::dataset::write_labels;
use crate::digest::sha256_hex;
use crate::results::{Checked, DivergedSeed, NotFinite, SeedEnd, SeedResult, confusion, misclassified, write_losses};
use crate::rung::Rung::{self, Exact, Files, Inputs, Metrics, Render, Replay, Rerun, Weights};
use crate::tensors::to_safetensors;
use crate::text::numbers::points;
use crate::training::evidence::{SEGMENT, SegmentEvidence, displacement, state_sha256};
use crate::training::{Prepared, evidence};

/// One way to cheat.
pub struct Forgery {
    /// A short name.
    pub name: &'static str,
    /// What the forger does.
    pub story: &'static str,
    /// The cheapest rung that finds it.
    pub caught_by: Rung,
    pub(super) redo: Redo,
    pub(super) change: Manipulation,
    /// Whether it forges a run that `replay` only samples, because it is too expensive to be done again there.
    pub needs_sampled_run: bool,
}

/// Changes a draft as a forger does.
type Manipulation = fn(&mut Draft) -> Result<(), Cause>;

const fn forgery(
    name: &'static str,
    story: &'static str,
    caught_by: Rung,
    redo: Redo,
    change: Manipulation,
) -> Forgery {
    Forgery { name, story, caught_by, redo, change, needs_sampled_run: false }
}

/// A forgery of a run that `replay` only samples.
const fn of_sampled(mut forgery: Forgery) -> Forgery {
    forgery.needs_sampled_run = true;
    forgery
}

/// Every forgery, by the rung that finds it.
pub const FORGERIES: &[Forgery] = &[
    forgery("byte", "one byte of the weights is changed", Files, Nothing, |d| {
        let file = d.seed_files()?.weights();
        let mut bytes = d.bundle.bytes(&file)?.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        d.write(&file, bytes);
        Ok(())
    }),
    forgery("missing", "a figure is removed", Files, Nothing, |d| d.remove("figures/parameters.svg")),
    forgery("extra", "a file is added", Files, Nothing, |d| {
        d.write("notes.txt", "really");
        Ok(())
    }),
    forgery("link", "a file is replaced by a link to one with the same content", Files, Nothing, |d| {
        d.link = Some(REPORT_MARKDOWN);
        Ok(())
    }),
    forgery("study", "the study is changed after the fact; sums redone", Inputs, Sums, |d| {
        let study = format!("{}# trained with care\n", d.bundle.text(STUDY)?);
        d.write(STUDY, study);
        Ok(())
    }),
    forgery("data", "the manifest names other data; sums redone", Inputs, Sums, |d| {
        let [.., hash] = &d.plan().data.sha256;
        d.replace(MANIFEST, hash, &hash.chars().rev().collect::<String>())
    }),
    forgery("parameters", "a model is made smaller, everywhere alike", Exact, Everything, |d| {
        d.change_results(|results| {
            if let Some(model) = results.models.values_mut().next() {
                model.parameters -= 1000;
            }
        })
    }),
    forgery("epochs", "the plan says more epochs than were trained, everywhere alike", Exact, Everything, |d| {
        let name = d.run()?.name.clone();
        d.change_results(|results| results.runs[&name].plan.epochs += 1)
    }),
    forgery(
        "history",
        "a loss in the middle of training is improved; report and sums redone",
        Exact,
        Everything,
        |d| d.change_seed(|seed| seed.epochs[0].train_loss *= 0.9),
    ),
    forgery("drawn", "the losses that the curves show are improved; report and sums redone", Exact, Report, |d| {
        let run = &d.run()?.name;
        d.change_results(|results| {
            results
                .loss_curves
                .get_mut(run)
                .into_iter()
                .flat_map(|c| c.losses.iter_mut().flatten())
                .for_each(|l| *l *= 0.9);
        })
    }),
    forgery("report", "a number in report.html alone is changed; sums redone", Render, Sums, |d| {
        let accuracy = points(d.seed()?.accuracy(), 2);
        d.replace(REPORT, &accuracy, "99.99")
    }),
    forgery("accuracy", "the accuracy is raised; report and sums redone", Metrics, Everything, |d| {
        d.change_seed(|seed| {
            let mut confusion = seed.confusion.clone();
            for (class, row) in confusion.iter_mut().enumerate() {
                if let Some(other) = (0..row.len()).find(|other| *other != class && row[*other] > 0) {
                    row[other] -= 1;
                    row[class] += 1;
                }
            }
            set_confusion(seed, confusion);
        })
    }),
    forgery(
        "label",
        "the networks are judged by a test set with one label changed; report and sums redone",
        Metrics,
        Everything,
        |d| {
            let predictions = d.bundle.predictions(&d.seed_files()?)?;
            let mut labels = d.data().test.labels.clone();
            let wrong = (0..labels.len()).find(|i| labels[*i] != predictions[*i]);
            let wrong = wrong.ok_or(Lacking("the bundle has no wrong prediction"))?;
            labels[wrong] = predictions[wrong];
            let classes = d.plan().data.classes;
            d.change_seed(|seed| set_confusion(seed, confusion(&predictions, &labels, classes)))
        },
    ),
    forgery("predictions", "50 predictions are corrected; report and sums redone", Weights, Everything, |d| {
        correct_predictions(d, 50)
    }),
    forgery("weights", "the weights are another network's; report and sums redone", Weights, Everything, |d| {
        let network = d.device()?.network(&d.plan().models[&d.run()?.settings.model], 12345);
        set_weights(d, &*network)
    }),
    forgery(
        "tolerances",
        "the bundle says that a GPU made it, which is held to tolerances, and 5 predictions are corrected; report and sums redone",
        Weights,
        Everything,
        |d| {
            d.change_results(|results| results.environment.gpu = Some(some_gpu()))?;
            correct_predictions(d, 5)
        },
    ),
    forgery("chain", "the chain of hashes is invented; report and sums redone", Replay, Everything, |d| {
        d.change_seed(|seed| {
            for (i, segment) in seed.chain.iter_mut().enumerate() {
                segment.end_sha256 = sha256_hex(format!("invented {i}").as_bytes());
            }
        })
    }),
    forgery("chosen", "the stored segments are chosen by hand; report and sums redone", Replay, Everything, |d| {
        let path = d.seed_files()?.evidence();
        let mut file = evidence::from_file(d.bundle.bytes(&path)?)?;
        let stored: Vec<usize> = file.keys().copied().collect();
        let [_, drawn, _] = stored[..] else { return Err(Lacking("the bundle has no single drawn segment").into()) };
        let chain = d.seed()?.chain;
        let other = chain.iter().map(|segment| segment.step).find(|step| !stored.contains(step));
        let other = other.ok_or(Lacking("the bundle has no other segment"))?;
        let moved = file[&drawn].clone();
        file.shift_remove(&drawn);
        file.insert(other, moved);
        file.sort_keys();
        d.write(&path, evidence::to_file(&file));
        Ok(())
    }),
    forgery(
        "longer",
        "the weights come from a longer training, everything else redone",
        Replay,
        Everything,
        train_longer,
    ),
    forgery(
        "diverged",
        "an unwelcome run is removed and said to have diverged; report and sums redone",
        Replay,
        Everything,
        remove_as_diverged,
    ),
    forgery(
        "batches",
        "two of the last batches' losses are exchanged; report and sums redone",
        Replay,
        Everything,
        |d| {
            let last = d.run()?.steps_per_epoch().saturating_sub(1);
            improve_losses(d, |losses| {
                let end = losses.len();
                // The last batch may be smaller than the others.
                if last >= 2 {
                    losses.swap(end - 2, end - 3);
                } else {
                    losses[end - 1] *= 0.9;
                }
            })
        },
    ),
    forgery(
        "curve",
        "the first losses are improved, batch by batch; report and sums redone",
        Replay,
        Everything,
        |d| improve_losses(d, |losses| losses[0] *= 0.9),
    ),
    of_sampled(forgery(
        "spliced",
        "a run ends in the last steps of a longer training; hashes, report and sums redone",
        Replay,
        Everything,
        splice,
    )),
    of_sampled(forgery(
        "unsampled",
        "losses that `replay` does not repeat are improved; report and sums redone",
        Rerun,
        Everything,
        |d| improve_losses(d, |losses| losses[SEGMENT] *= 0.9),
    )),
];

/// A GPU that the verifier does not have.
fn some_gpu() -> Gpu {
    let [name, libtorch, cuda, cudnn] = ["NVIDIA H100 80GB HBM3", "2.11.0", "13.0", "9.19.0"].map(str::to_owned);
    Gpu { name, libtorch, cuda, cudnn, precision: "float32".into() }
}

/// Changes the losses of the batches, and the means of the epochs to match.
fn improve_losses(draft: &mut Draft, change: impl FnOnce(&mut [f32])) -> Result<(), Cause> {
    let (run, files) = (draft.run()?, draft.seed_files()?);
    let mut losses = draft.bundle.losses(&files)?;
    change(&mut losses);
    draft.write(&files.losses(), write_losses(&losses));
    draft.change_seed(|seed| {
        for (epoch, batches) in seed.epochs.iter_mut().zip(losses.chunks(run.steps_per_epoch())) {
            epoch.train_loss = run.mean_loss(batches);
        }
    })
}

/// Corrects some wrong predictions.
fn correct_predictions(draft: &mut Draft, images: usize) -> Result<(), Cause> {
    let mut predictions = draft.bundle.predictions(&draft.seed_files()?)?;
    let labels = &draft.data().test.labels;
    // The report shows the most confident errors; correcting those would fail `metrics`.
    let shown = draft.seed()?.misclassified;
    let is_shown = |i: &usize| shown.iter().any(|m| m.image == *i);
    let wrong = (0..labels.len()).filter(|i| labels[*i] != predictions[*i] && !is_shown(i));
    let wrong: Vec<usize> = wrong.take(images).collect();
    for i in wrong {
        predictions[i] = labels[i];
    }
    set_predictions(draft, &predictions)
}

fn set_predictions(draft: &mut Draft, predictions: &[u8]) -> Result<(), Cause> {
    let path = draft.seed_files()?.predictions();
    draft.write(&path, write_labels(predictions));
    let confusion = confusion(predictions, &draft.data().test.labels, draft.plan().data.classes);
    draft.change_seed(|seed| set_confusion(seed, confusion))
}

/// Sets the confusion matrix, and as many correct images in the reported epoch.
fn set_confusion(seed: &mut SeedResult, confusion: Vec<Vec<usize>>) {
    seed.confusion = confusion;
    seed.reported_mut().test.correct = seed.correct();
}

fn set_weights(draft: &mut Draft, network: &dyn Network) -> Result<(), Cause> {
    let path = draft.seed_files()?.weights();
    let bytes = to_safetensors(&network.tensors());
    draft.change_seed(|seed| seed.weights_sha256 = sha256_hex(&bytes))?;
    draft.write(&path, bytes);
    Ok(())
}

/// Removes the run, and states that all of its seeds diverged in their first step.
fn remove_as_diverged(draft: &mut Draft) -> Result<(), Cause> {
    let (run, plan) = (draft.run()?, draft.plan());
    for seed in &run.seeds {
        let files = SeedFiles::of_plan(run, *seed);
        files.all().iter().try_for_each(|file| draft.remove(file))?;
    }
    let not_finite = NotFinite { epoch: 1, step: 1, value: Checked::TrainingLoss };
    draft.change_results(|results| {
        let Some(removed) = results.runs.shift_remove(&run.name) else { return };
        let diverged = |s: SeedResult| {
            let SeedResult { seed, subset_sha256, initial_weights_sha256, .. } = s;
            SeedEnd::Diverged(DivergedSeed { seed, subset_sha256, initial_weights_sha256, not_finite })
        };
        results.add_run(run.name.clone(), removed.plan, removed.seeds.into_iter().map(diverged).collect());
        results.diverged.sort_by_cached_key(|name, _| plan.runs.get_index_of(name));
        results.loss_curves.shift_remove(&run.name);
        results.filters.shift_remove(&run.name);
        results.comparisons.retain(|_, compared| ![&compared.run, &compared.against].contains(&&run.name));
    })
}

/// Trains the run's network for another epoch and puts its results in the place of the honest ones.
fn train_longer(draft: &mut Draft) -> Result<(), Cause> {
    let (device, data, run, plan) = (draft.device()?, draft.data(), draft.run()?, draft.plan());
    let seed = run.seeds[0];
    let chosen = run.choose(&data.train.labels, seed);
    let images = Selection::new(&data.train, &chosen);
    let mut trainer = Trainer::new(&device, &plan.models[&run.settings.model], run, &plan.input, &images, seed);
    trainer.load_weights(&draft.tensors(&draft.seed_files()?.weights())?)?;
    (0..run.steps_per_epoch()).for_each(|_| trainer.step());
    set_network(draft, trainer.network())
}

/// Puts the results of a network in the place of the honest ones.
fn set_network(draft: &mut Draft, network: &dyn Network) -> Result<(), Cause> {
    let (device, data, run, plan) = (draft.device()?, draft.data(), draft.run()?, draft.plan());
    set_weights(draft, network)?;
    let prepared = Prepared::new(&device, data, plan);
    let evaluation = prepared.test(network);
    let [train_eval, validation] =
        prepared.evaluate_beside_test(network, run, run.seeds[0]).map(|set| set.map(|(evaluated, _)| evaluated));
    set_predictions(draft, &evaluation.predictions)?;
    draft.change_seed(|seed| {
        seed.test_loss = evaluation.loss();
        seed.batch_mean_loss = evaluation.batch_mean_loss(run.settings.batch_size);
        seed.misclassified = misclassified(&evaluation, &data.test.labels);
        let reported = seed.reported_mut();
        reported.test.loss = evaluation.loss();
        (reported.train_eval, reported.validation) = (train_eval, validation);
    })
}

/// Trains the run twice as long, and puts the last segment of that at the end of the honest training: state, hashes, weights and
/// what they predict. The losses of its steps stay those of the honest training.
fn splice(draft: &mut Draft) -> Result<(), Cause> {
    let (device, data, run, plan) = (draft.device()?, draft.data(), draft.run()?, draft.plan());
    let (honest, files) = (draft.seed()?, draft.seed_files()?);
    let last = honest.chain.last().ok_or(Lacking("the bundle has no segment"))?.clone();
    let chosen = run.choose(&data.train.labels, run.seeds[0]);
    let images = Selection::new(&data.train, &chosen);
    let mut trainer = Trainer::new(&device, &plan.models[&run.settings.model], run, &plan.input, &images, run.seeds[0]);
    (0..last.step + last.steps).for_each(|_| trainer.step());
    let longer = trainer.state();
    trainer.load_state(&longer, last.step)?;
    (0..last.steps).for_each(|_| trainer.step());
    let (start, end) = (longer, trainer.state());

    let mut file = evidence::from_file(draft.bundle.bytes(&files.evidence())?)?;
    let segment = SegmentEvidence { state: start.clone(), displacement: displacement(&start, &end) };
    file.insert(last.step, segment).ok_or(Lacking("the bundle does not store the last segment"))?;
    draft.write(&files.evidence(), evidence::to_file(&file));
    draft.change_seed(|seed| {
        if let Some(segment) = seed.chain.last_mut() {
            segment.start_sha256 = state_sha256(last.step, &start);
            segment.end_sha256 = state_sha256(last.step + last.steps, &end);
        }
    })?;
    set_network(draft, trainer.network())
}
