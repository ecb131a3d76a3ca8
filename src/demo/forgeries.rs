//! The forgeries of `mnist-report demo`. Each is made as well as its story allows: hashes, report and manifest are redone
//! wherever a forger could redo them.

use super::Redo::{self, Everything, Nothing, Sums};
use super::{Cause, Draft};
use crate::bundle::{MANIFEST, REPORT, REPORT_MARKDOWN, STUDY, SeedFiles};
use crate::compute::{Network, Trainer};
use crate::dataset::Selection;
use crate::dataset::{CLASSES, Mnist, write_labels};
use crate::digest::sha256_hex;
use crate::results::{Checked, DivergedSeed, NotFinite, SeedEnd, SeedResult, confusion, misclassified};
use crate::rung::Rung::{self, Exact, Files, Inputs, Metrics, Render, Replay, Rerun, Weights};
use crate::tensors::to_safetensors;
use crate::text::numbers::points;
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
    Forgery { name, story, caught_by, redo, change }
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
        let labels = Mnist::hashes().find(|(name, _)| name.starts_with("t10k-labels"));
        let (_, hash) = labels.ok_or("MNIST has no labels")?;
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
    forgery("report", "a number in report.html alone is changed; sums redone", Render, Sums, |d| {
        let accuracy = points(d.seed()?.accuracy(), 2);
        d.replace(REPORT, &accuracy, "99.99")
    }),
    forgery("accuracy", "the accuracy is raised; report and sums redone", Metrics, Everything, |d| {
        d.change_seed(|seed| {
            let mut confusion = seed.confusion;
            for (class, row) in confusion.iter_mut().enumerate() {
                if let Some(other) = (0..CLASSES).find(|other| *other != class && row[*other] > 0) {
                    row[other] -= 1;
                    row[class] += 1;
                }
            }
            set_confusion(seed, &confusion);
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
            let wrong = wrong.ok_or("the bundle has no wrong prediction")?;
            labels[wrong] = predictions[wrong];
            d.change_seed(|seed| set_confusion(seed, &confusion(&predictions, &labels)))
        },
    ),
    forgery("predictions", "50 predictions are corrected; report and sums redone", Weights, Everything, |d| {
        let mut predictions = d.bundle.predictions(&d.seed_files()?)?;
        let labels = &d.data().test.labels;
        // The report shows the most confident errors; correcting those would fail `metrics`.
        let shown = d.seed()?.misclassified;
        let is_shown = |i: &usize| shown.iter().any(|m| m.image == *i);
        let wrong = (0..labels.len()).filter(|i| labels[*i] != predictions[*i] && !is_shown(i));
        let wrong: Vec<usize> = wrong.take(50).collect();
        for i in wrong {
            predictions[i] = labels[i];
        }
        set_predictions(d, &predictions)
    }),
    forgery("weights", "the weights are another network's; report and sums redone", Weights, Everything, |d| {
        let network = d.device()?.network(&d.plan().models[&d.run()?.settings.model], 12345);
        set_weights(d, &*network)
    }),
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
        let [_, drawn, _] = stored[..] else { return Err("the bundle has no single drawn segment".into()) };
        let chain = d.seed()?.chain;
        let other = chain.iter().map(|segment| segment.step).find(|step| !stored.contains(step));
        let other = other.ok_or("the bundle has no other segment")?;
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
        "history",
        "a loss in the middle of training is improved; report and sums redone",
        Rerun,
        Everything,
        |d| d.change_seed(|seed| seed.epochs[0].train_loss *= 0.9),
    ),
];

fn set_predictions(draft: &mut Draft, predictions: &[u8]) -> Result<(), Cause> {
    let path = draft.seed_files()?.predictions();
    draft.write(&path, write_labels(predictions));
    let confusion = confusion(predictions, &draft.data().test.labels);
    draft.change_seed(|seed| set_confusion(seed, &confusion))
}

/// Sets the confusion matrix, and as many correct images in the last epoch.
fn set_confusion(seed: &mut SeedResult, confusion: &[[usize; CLASSES]; CLASSES]) {
    seed.confusion = *confusion;
    let correct = seed.correct();
    if let Some(last) = seed.epochs.last_mut() {
        last.test.correct = correct;
    }
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
        [files.predictions(), files.weights(), files.evidence()].iter().try_for_each(|file| draft.remove(file))?;
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
    let network = trainer.network();

    set_weights(draft, network)?;
    let prepared = Prepared::new(&device, data, &plan.input);
    let evaluation = prepared.test(network);
    let [train_eval, validation] = prepared.evaluate_beside_test(network, run, seed);
    set_predictions(draft, &evaluation.predictions)?;
    draft.change_seed(|seed| {
        seed.test_loss = evaluation.loss();
        seed.batch_mean_loss = evaluation.batch_mean_loss(run.settings.batch_size);
        seed.misclassified = misclassified(&evaluation, &data.test.labels);
        if let Some(last) = seed.epochs.last_mut() {
            last.test.loss = evaluation.loss();
            (last.train_eval, last.validation) = (train_eval, validation);
        }
    })
}
