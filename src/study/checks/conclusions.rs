//! Checks of the conclusions that are decided by kind.

use std::collections::HashSet;

use super::{Place, check_run_exists};
use crate::dataset::ImageOrder;
use crate::study::conclusion::{Kind, ModelPair, OrderPair, Rule};
use crate::study::run_spec::RunSpec;
use crate::study::{Source, StudyError};
use crate::text::closest::unknown;

/// Runs in all `best_of` together. The report prints each by its title, several times in each language.
const MAX_BEST_OF_RUNS: usize = 4000;

/// Checks that what a kind names exists and can decide it.
pub(in crate::study) fn check(source: &Source) -> Result<(), StudyError> {
    check_count(source)?;
    for (i, conclusion) in source.study.conclusions.iter().enumerate() {
        if let Rule::Kind(kind) = &conclusion.rule {
            check_kind(source, &Place::new(source, format!("conclusions[{i}].{}", kind.word())), kind)?;
        }
    }
    Ok(())
}

/// Limits the runs that conclusions print.
fn check_count(source: &Source) -> Result<(), StudyError> {
    let runs = source.study.conclusions.iter().map(|conclusion| match &conclusion.rule {
        Rule::Kind(Kind::BestOf(runs)) => runs.len(),
        _ => 0,
    });
    let count: usize = runs.sum();
    if count > MAX_BEST_OF_RUNS {
        let message = format!("{count} runs in all `best_of` together: at most {MAX_BEST_OF_RUNS} are supported");
        return Err(source.error("conclusions", message));
    }
    Ok(())
}

fn check_kind(source: &Source, place: &Place, kind: &Kind) -> Result<(), StudyError> {
    match kind {
        Kind::Learns(run) => check_run_exists(place, run),
        Kind::Overfits(run) => {
            check_run_exists(place, run)?;
            check_plain_loss(source, place, run)
        }
        Kind::OverfittingStarts(run) => {
            check_run_exists(place, run)?;
            if source.study.runs[run].epochs < 2 {
                return place.refuse(format!("`{run}` has one epoch: at least two are needed"));
            }
            Ok(())
        }
        Kind::FewerParameters(ModelPair { model, than }) => {
            let models = &source.study.models;
            for (part, name) in [("model", model), ("than", than)] {
                if !models.contains_key(name) {
                    return place.at(part).refuse(unknown("model", name, models.keys()));
                }
            }
            if model == than { place.refuse(format!("`{model}` is compared with itself")) } else { Ok(()) }
        }
        Kind::Better(name) => check_comparison(source, place, name),
        Kind::KeepsAccuracy(name) => {
            check_comparison(source, place, name)?;
            if source.study.comparisons[name].margin.is_none() {
                return place.refuse(format!(
                    "`{name}` has no `margin`: add how much accuracy may be lost, such as `margin: 0.001` for a tenth of a point"
                ));
            }
            Ok(())
        }
        Kind::BestOf(runs) => check_best_of(source, place, runs),
        Kind::OrderMatters(runs) => check_order(source, place, runs),
    }
}

/// A training loss with smoothed labels or of augmented images cannot be compared with the test loss.
fn check_plain_loss(source: &Source, place: &Place, run: &str) -> Result<(), StudyError> {
    let spec = &source.study.runs[run];
    let augments = spec.augment.is_some_and(|augment| !augment.is_identity());
    let why = if spec.label_smoothing > 0.0 {
        "smooths the labels of its training loss"
    } else if augments {
        "augments the images of its training loss"
    } else {
        return Ok(());
    };
    if spec.evaluate_train {
        return Ok(());
    }
    place.refuse(format!("`{run}` {why}, so its test loss is another measure; set `evaluate_train: true` in the run"))
}

fn check_comparison(source: &Source, place: &Place, name: &str) -> Result<(), StudyError> {
    let comparisons = &source.study.comparisons;
    if comparisons.contains_key(name) {
        return Ok(());
    }
    if comparisons.is_empty() {
        return place.refuse(format!(
            "unknown comparison `{name}`; this study has none: add `comparisons: {{{name}: {{run: A, against: B}}}}`"
        ));
    }
    place.refuse(unknown("comparison", name, comparisons.keys()))
}

fn check_best_of(source: &Source, place: &Place, runs: &[String]) -> Result<(), StudyError> {
    if runs.len() < 2 {
        return place.refuse("needs at least two runs");
    }
    let mut seen = HashSet::new();
    for (i, run) in runs.iter().enumerate() {
        let place = Place::new(place.source, format!("{}[{i}]", place.key));
        check_run_exists(&place, run)?;
        if !seen.insert(run) {
            return place.refuse(format!("`{run}` is listed twice"));
        }
        check_seeds(source, &place, &runs[0], run)?;
    }
    Ok(())
}

/// One seed has an interval over test images and three have one over seeds: the two cannot be compared.
fn check_seeds(source: &Source, place: &Place, one: &str, other: &str) -> Result<(), StudyError> {
    let seeds = |run: &str| source.study.runs[run].seeds.len();
    if (seeds(one) == 1) == (seeds(other) == 1) {
        return Ok(());
    }
    let message =
        format!("`{one}` has {} and `{other}` has {}: give both one seed or both several", seeds(one), seeds(other));
    place.refuse(message)
}

fn check_order(source: &Source, place: &Place, runs: &OrderPair) -> Result<(), StudyError> {
    let OrderPair { shuffled, ordered } = runs;
    for (part, run, is_shuffled) in [("shuffled", shuffled, true), ("ordered", ordered, false)] {
        let place = place.at(part);
        check_run_exists(&place, run)?;
        if (source.study.runs[run].train.order == ImageOrder::Shuffled) != is_shuffled {
            let expected = if is_shuffled { "`order: shuffled`" } else { "`order: by_class` or `order: as_stored`" };
            return place.refuse(format!("`{run}` must have {expected}"));
        }
    }
    let [one, other] = [shuffled, ordered].map(|run| without_order(&source.study.runs[run]));
    let differs = one.iter().find(|(key, value)| other.get(*key) != Some(value)).map(|(key, _)| key);
    match differs {
        Some(key) => place.refuse(format!(
            "`{shuffled}` and `{ordered}` differ in `{key}`, too; they may differ in the order of the images alone"
        )),
        None => Ok(()),
    }
}

/// A run's settings without its title and the order of its images.
fn without_order(run: &RunSpec) -> serde_json::Map<String, serde_json::Value> {
    let mut run = run.clone();
    run.train.order = ImageOrder::Shuffled;
    run.title = None;
    match serde_json::to_value(run) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}
