//! The values that a study's expressions and sentences can use: `models`, `runs`, `comparisons`, `values`, `data`.
//! docs/study.md lists them for students.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};
use serde::Serialize;

use crate::results::statistics::{Interval, mcnemar};
use crate::results::{
    EpochAccuracies, EpochDifferences, IntervalBasis, LayerFacts, ModelFacts, Results, RunResult, difference,
};
use crate::study::{ReportEpoch, Study, first_lowest};

#[derive(Serialize)]
struct Values<'a> {
    models: BTreeMap<&'a str, ModelContext<'a>>,
    /// None for a run that diverged.
    runs: BTreeMap<&'a str, Option<RunContext>>,
    /// None for a comparison with a run that diverged.
    comparisons: BTreeMap<&'a str, Option<ComparisonContext<'a>>>,
    #[serde(rename = "values")]
    of_study: &'a serde_json::Value,
    data: &'a crate::results::Data,
}

#[derive(Serialize)]
struct ModelContext<'a> {
    parameters: u64,
    buffers: u64,
    mult_adds: u64,
    params_mb: f64,
    total_mb: f64,
    layers: BTreeMap<&'a str, &'a LayerFacts>,
}

#[derive(Serialize)]
struct RunContext {
    accuracy: f64,
    loss: f64,
    notes_loss: f64,
    correct: usize,
    /// Standard deviation over seeds; none for one seed.
    sd: Option<f64>,
    /// 95 % interval over seeds; none for fewer than three, or if they gave the same network or accuracy.
    interval: Option<Interval>,
    /// The interval of the first seed's accuracy, over test images.
    wilson: Interval,
    /// The accuracy on the validation set, mean over seeds.
    held_out_accuracy: Option<f64>,
    per_class: Vec<f64>,
    confusion: Vec<Vec<usize>>,
    predicted: Vec<usize>,
    epochs: Vec<EpochContext>,
    first: EpochContext,
    last: EpochContext,
    /// The epoch whose network is reported.
    reported: EpochContext,
    /// The epoch with the lowest test loss.
    turn: EpochContext,
    seeds: Vec<SeedContext>,
    images: usize,
    test_images: usize,
}

/// A comparison. Differences are `run`'s accuracy minus `against`'s; 0.001 is a tenth of a point.
#[derive(Serialize)]
struct ComparisonContext<'a> {
    run: &'a str,
    against: &'a str,
    difference: f64,
    /// None if a run has two seeds, which give no useful interval, or if the networks are the same.
    lower: Option<f64>,
    upper: Option<f64>,
    /// `seeds` or `images`: whether the interval from `lower` to `upper` is over seeds or over test images.
    over: IntervalBasis,
    margin: Option<f64>,
    /// Test images of the first pair of seeds: both correct, only one correct, neither correct.
    both: usize,
    only_run: usize,
    only_against: usize,
    neither: usize,
    /// McNemar's exact test of the first pair of seeds.
    p: f64,
    /// A list of [`GainContext`], made by [`Gains`].
    epochs: Value,
}

#[derive(Serialize)]
struct GainContext {
    epoch: usize,
    difference: f64,
    lower: Option<f64>,
    upper: Option<f64>,
}

/// A comparison's epochs. Each is computed when an expression first uses it: most expressions use none, and the intervals of
/// 64 comparisons of 10,000 epochs take seconds, for each set of values.
#[derive(Debug)]
struct Gains {
    differences: EpochDifferences,
    computed: Vec<OnceLock<Value>>,
}

impl Gains {
    fn new(differences: EpochDifferences) -> Self {
        let computed = (0..differences.epochs()).map(|_| OnceLock::new()).collect();
        Self { differences, computed }
    }

    fn gain(&self, index: usize) -> Value {
        let (difference, found) = self.differences.at(index);
        let interval = found.map(|d| d.interval);
        Value::from(Serde(GainContext {
            epoch: index + 1,
            difference,
            lower: interval.map(|i| i.lower),
            upper: interval.map(|i| i.upper),
        }))
    }
}

impl Object for Gains {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = key.as_usize()?;
        Some(self.computed.get(index)?.get_or_init(|| self.gain(index)).clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.computed.len())
    }
}

#[derive(Clone, Serialize)]
struct EpochContext {
    epoch: usize,
    train_loss: f64,
    train_eval_loss: Option<f64>,
    train_eval_accuracy: Option<f64>,
    /// On the validation set.
    held_out_loss: Option<f64>,
    held_out_accuracy: Option<f64>,
    test_loss: f64,
    test_accuracy: f64,
}

#[derive(Serialize)]
struct SeedContext {
    seed: u64,
    accuracy: f64,
    correct: usize,
    loss: f64,
}

/// The values of a study and its results.
pub(super) fn of(study: &Study, results: &Results) -> Value {
    Value::from(Serde(all(study, results)))
}

/// The values that follow from the study alone: those of models and data, of the study itself, and the numbers of images and of
/// planned epochs.
pub(super) fn without_measurements(study: &Study, results: &Results) -> Value {
    let mut all = all(study, results);
    // They would be computed here, to be taken out below.
    all.comparisons.values_mut().flatten().for_each(|comparison| comparison.epochs = Value::UNDEFINED);
    let mut values = serde_json::to_value(all).expect("values are plain data");
    let keep = |value: &mut serde_json::Value, keys: &[&str]| {
        if let Some(map) = value.as_object_mut() {
            map.retain(|key, _| keys.contains(&key.as_str()));
        }
    };
    for (name, run) in &results.runs {
        let Some(value) = values.get_mut("runs").and_then(|runs| runs.get_mut(name)) else { continue };
        keep(value, &["images", "test_images", "epochs", "first", "last", "reported", "seeds"]);
        let Some(map) = value.as_object_mut() else { continue };
        if run.plan.may_stop_early() {
            for key in ["epochs", "last", "reported"] {
                map.shift_remove(key);
            }
        } else if run.plan.report_epoch == ReportEpoch::BestValidation {
            map.shift_remove("reported");
        }
        for (key, value) in map {
            let epoch_or_seed: &[&str] = if key == "seeds" { &["seed"] } else { &["epoch"] };
            match value.as_array_mut() {
                Some(items) => items.iter_mut().for_each(|item| keep(item, epoch_or_seed)),
                None => keep(value, epoch_or_seed),
            }
        }
    }
    for name in results.comparisons.keys() {
        if let Some(value) = values.get_mut("comparisons").and_then(|comparisons| comparisons.get_mut(name)) {
            keep(value, &["run", "against", "margin"]);
        }
    }
    Value::from(Serde(values))
}

fn all<'a>(study: &'a Study, results: &'a Results) -> Values<'a> {
    let compared: BTreeSet<&'a String> = results.comparisons.values().flat_map(|c| [&c.run, &c.against]).collect();
    let of_run = |name: &'a String| Some((name.as_str(), EpochAccuracies::of(results.runs.get(name)?)));
    let accuracies: Accuracies = compared.into_iter().filter_map(of_run).collect();
    Values {
        models: results.models.iter().map(|(name, m)| (name.as_str(), model(m))).collect(),
        runs: study.runs.keys().map(|name| (name.as_str(), results.runs.get(name).map(run))).collect(),
        comparisons: study
            .comparisons
            .iter()
            .map(|(name, spec)| (name.as_str(), comparison(results, &accuracies, name, spec.margin)))
            .collect(),
        of_study: &study.values,
        data: &results.data,
    }
}

/// The accuracies of each run that is compared.
type Accuracies<'a> = BTreeMap<&'a str, EpochAccuracies>;

fn comparison<'a>(
    results: &'a Results,
    accuracies: &Accuracies,
    name: &str,
    margin: Option<f64>,
) -> Option<ComparisonContext<'a>> {
    let c = results.comparisons.get(name)?;
    let (run, against) = (results.runs.get(&c.run)?, results.runs.get(&c.against)?);
    let found = difference(c, run, against)?;
    let pair = c.pairs.first()?;
    let of_run = |name: &String| accuracies.get(name.as_str()).cloned();
    let gains = Gains::new(EpochDifferences::new([(run, of_run(&c.run)?), (against, of_run(&c.against)?)]));
    Some(ComparisonContext {
        run: &c.run,
        against: &c.against,
        difference: found.mean,
        lower: found.interval.ok().map(|i| i.lower),
        upper: found.interval.ok().map(|i| i.upper),
        over: found.over,
        margin,
        both: pair.both,
        only_run: pair.only_run,
        only_against: pair.only_against,
        neither: pair.neither,
        p: mcnemar(pair.only_run, pair.only_against),
        epochs: Value::from_object(gains),
    })
}

fn model(m: &ModelFacts) -> ModelContext<'_> {
    ModelContext {
        parameters: m.parameters,
        buffers: m.buffers,
        mult_adds: m.mult_adds,
        params_mb: m.sizes.torchsummary.params,
        total_mb: m.sizes.torchsummary.total,
        layers: m.layers.iter().map(|l| (l.name.as_str(), l)).collect(),
    }
}

fn run(r: &RunResult) -> RunContext {
    let seed = &r.seeds[0];
    let epochs: Vec<EpochContext> = seed
        .epochs
        .iter()
        .map(|e| EpochContext {
            epoch: e.epoch,
            train_loss: e.train_loss,
            train_eval_loss: e.train_eval.map(|t| t.loss),
            train_eval_accuracy: e.train_eval.map(|t| t.accuracy()),
            held_out_loss: e.validation.map(|v| v.loss),
            held_out_accuracy: e.validation.map(|v| v.accuracy()),
            test_loss: e.test.loss,
            test_accuracy: e.test.accuracy(),
        })
        .collect();
    let over_seeds = r.accuracies();
    let test_losses: Vec<f64> = epochs.iter().map(|e| e.test_loss).collect();
    RunContext {
        accuracy: r.accuracy(),
        sd: over_seeds.sd,
        interval: over_seeds.interval,
        wilson: seed.interval(),
        held_out_accuracy: r.validation_accuracy(),
        turn: epochs[first_lowest(&test_losses)].clone(),
        loss: r.test_loss(),
        notes_loss: r.mean(|s| s.batch_mean_loss),
        correct: seed.correct(),
        per_class: seed.per_class().clone(),
        confusion: seed.confusion.iter().map(Vec::clone).collect(),
        predicted: seed.predicted().clone(),
        first: epochs[0].clone(),
        last: epochs[epochs.len() - 1].clone(),
        reported: epochs[seed.reported_epoch() - 1].clone(),
        epochs,
        seeds: r
            .seeds
            .iter()
            .map(|s| SeedContext { seed: s.seed, accuracy: s.accuracy(), correct: s.correct(), loss: s.test_loss })
            .collect(),
        images: r.plan.image_count,
        test_images: seed.images(),
    }
}

#[cfg(test)]
mod tests;
