//! Rung `exact`: what any machine computes identically, computed anew from the study: parameter counts, shapes,
//! sizes, plans, subsets, learning rates, the verdicts on claims that need no training, and what the study leaves no choice
//! of in the environment.

use super::{Outcome, Read, json_differences};
use crate::bundle::{self, RESULTS, SOURCE_SHA256};
use crate::dataset::ImageOrder;
use crate::dataset::Subset;
use crate::dataset::{TEST_IMAGES, TRAIN_IMAGES};
use crate::results::{EpochResult, PlanFacts, SeedResult, model_facts};
use crate::study::RunPlan;
use crate::training::{last_learning_rate, subset_sha256};

pub fn check(read: &Read) -> Outcome {
    let (results, plan) = (&read.results, &read.plan);
    let mut differences = json_differences("models", &results.models, &model_facts(plan));
    // Else a value could stand there twice, and people would read another one than this program.
    if read.opened.files[RESULTS] != results.to_json().into_bytes() {
        differences.push(format!("{RESULTS} is not in the form that mnist-report writes"));
    }
    if !results.models.keys().eq(plan.models.keys()) || !results.runs.keys().eq(plan.runs.keys()) {
        differences.push("models or runs are not those of the study".into());
    }
    if (results.data.train_images, results.data.test_images) != (TRAIN_IMAGES, TEST_IMAGES) {
        differences.push("data: not MNIST's numbers of images".into());
    }
    let environment = &results.environment;
    differences.extend(environment.contradiction(&plan.compute).map(|why| format!("environment: {why}")));
    if read.manifest.program.source_sha256 == SOURCE_SHA256 && !environment.is_of_this_program() {
        differences.push("environment: another arithmetic or libtorch than those of the program named".into());
    }
    let mut unchecked = 0;
    for (name, run) in &results.runs {
        let Some(planned) = plan.runs.get(name) else { continue };
        differences.extend(json_differences(&format!("runs.{name}.plan"), &run.plan, &PlanFacts::of(planned)));
        let seeds: Vec<u64> = run.seeds.iter().map(|s| s.seed).collect();
        if seeds != planned.seeds {
            differences.push(format!("runs.{name}: seeds {seeds:?}, the study has {:?}", planned.seeds));
            continue;
        }
        for seed in &run.seeds {
            let asked = [
                run.plan.evaluate_train.then_some(run.plan.image_count),
                (run.plan.hold_out > 0).then_some(run.plan.hold_out),
            ];
            let found = |e: &EpochResult| [e.train_eval, e.held_out].map(|set| set.map(|set| set.images));
            if let Some(epoch) = seed.epochs.iter().find(|e| found(e) != asked || e.test.images != TEST_IMAGES) {
                differences.push(format!(
                    "runs.{name}: seed {}, epoch {}: other images were evaluated than the plan says",
                    seed.seed, epoch.epoch
                ));
            }
            let wrong = wrong_epoch(planned, seed, environment.is_this_arithmetic());
            differences.extend(wrong.map(|why| format!("runs.{name}: seed {}, {why}", seed.seed)));
            let labels = match &read.data {
                Ok(data) => data.train.labels.clone(),
                // Only a choice by class looks at the labels.
                Err(_) if planned.order != ImageOrder::ByClass && !matches!(planned.images, Subset::PerClass(_)) => {
                    vec![0; TRAIN_IMAGES]
                }
                Err(_) => {
                    unchecked += 1;
                    continue;
                }
            };
            let chosen = planned.choose(&labels, seed.seed);
            if subset_sha256(&chosen) != seed.subset_sha256 {
                differences.push(format!("runs.{name}: seed {} draws other training images", seed.seed));
            }
        }
    }
    let digests = &read.manifest.digests;
    if bundle::exact_digest(&read.source.study, results) != digests.exact {
        differences.push("the exact digest, or a verdict on a claim, is not what these results give".into());
    }
    if results.measured_digest() != digests.measured {
        differences.push("the measured digest is not that of results.json".into());
    }
    if differences.is_empty() && unchecked > 0 {
        return Outcome::NotChecked(format!("{unchecked} choices of images need the data: restore data/mnist"));
    }
    Outcome::of(
        differences,
        format!(
            "counts, shapes, sizes, plans and subsets of {} models and {} runs",
            plan.models.len(),
            plan.runs.len()
        ),
    )
}

/// The first epoch that is not one of the plan's: by its number, its learning rate (which another arithmetic may round
/// otherwise), or what comes after it.
fn wrong_epoch(run: &RunPlan, seed: &SeedResult, this_arithmetic: bool) -> Option<String> {
    for (i, epoch) in seed.epochs.iter().enumerate() {
        if epoch.epoch != i + 1 {
            return Some(format!("epoch {}: said to be epoch {}", i + 1, epoch.epoch));
        }
        let lr = last_learning_rate(run, i + 1);
        if epoch.lr != lr && this_arithmetic {
            return Some(format!("epoch {}: learning rate {}, the schedule gives {lr}", i + 1, epoch.lr));
        }
        let last = i + 1 == run.epochs || run.stops_at(epoch.train_loss);
        if last != (i + 1 == seed.epochs.len()) {
            let (goes_on, plan) = if last { ("goes on", "ends") } else { ("ends", "goes on") };
            return Some(format!("epoch {}: training {goes_on} there, and by the plan it {plan}", i + 1));
        }
    }
    None
}
