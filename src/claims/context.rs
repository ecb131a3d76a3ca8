//! What expressions and sentences of a study can speak of: `models`, `runs`, `values`, and filters.
//!
//! Owns names and shapes of these values; docs/study.md lists them for students.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use crate::results::statistics::{Interval, mcnemar, wilson};
use crate::results::{ComparisonResult, LayerFacts, ModelFacts, Over, Results, RunResult, by_epoch, difference};
use crate::study::Study;
use crate::text::Lang;
use crate::text::numbers;

#[derive(Serialize)]
struct Facts<'a> {
    models: BTreeMap<&'a str, ModelContext<'a>>,
    runs: BTreeMap<&'a str, RunContext>,
    comparisons: BTreeMap<&'a str, ComparisonContext<'a>>,
    values: &'a serde_json::Value,
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
    /// Over seeds; none of one seed.
    sd: Option<f64>,
    interval: Option<Interval>,
    /// Of the first seed's accuracy, over test images.
    wilson: Interval,
    /// The accuracy on the images that the run holds out, mean over seeds.
    held_out_accuracy: Option<f64>,
    per_class: Vec<f64>,
    confusion: Vec<Vec<usize>>,
    predicted: Vec<usize>,
    epochs: Vec<EpochContext>,
    first: EpochContext,
    last: EpochContext,
    /// The epoch with the lowest test loss: from there on it rises.
    turn: EpochContext,
    seeds: Vec<SeedContext>,
    images: usize,
    test_images: usize,
}

/// A comparison; differences are `run`'s accuracy less `against`'s, 0.001 being a tenth of a point.
#[derive(Serialize)]
struct ComparisonContext<'a> {
    run: &'a str,
    against: &'a str,
    difference: f64,
    lower: f64,
    upper: f64,
    /// `seeds` or `images`: what the interval from lower to upper is taken over.
    over: Over,
    margin: Option<f64>,
    /// Of the first pair of seeds: test images that both get right, that one of them does, that neither does.
    both: usize,
    only_run: usize,
    only_against: usize,
    neither: usize,
    /// McNemar's exact test of the first pair.
    p: f64,
    epochs: Vec<GainContext>,
}

#[derive(Serialize)]
struct GainContext {
    epoch: usize,
    difference: f64,
    lower: Option<f64>,
    upper: Option<f64>,
}

#[derive(Clone, Serialize)]
struct EpochContext {
    epoch: usize,
    train_loss: f64,
    train_eval_loss: Option<f64>,
    train_eval_accuracy: Option<f64>,
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

/// The values of a study's results.
pub fn facts(study: &Study, results: &Results) -> Value {
    Value::from(Serde(Facts {
        models: results.models.iter().map(|(name, m)| (name.as_str(), model(m))).collect(),
        runs: results.runs.iter().map(|(name, r)| (name.as_str(), run(r))).collect(),
        comparisons: results
            .comparisons
            .iter()
            .filter_map(|(name, c)| Some((name.as_str(), comparison(study, results, name, c)?)))
            .collect(),
        values: &study.values,
        data: &results.data,
    }))
}

fn comparison<'a>(
    study: &Study,
    results: &Results,
    name: &str,
    c: &'a ComparisonResult,
) -> Option<ComparisonContext<'a>> {
    // What the study does not ask for is not looked at.
    let spec = study.comparisons.get(name)?;
    let (run, against) = (results.runs.get(&c.run)?, results.runs.get(&c.against)?);
    let (found, over) = difference(c, run, against)?;
    let pair = c.pairs.first()?;
    let epochs = by_epoch(run, against).into_iter().map(|(epoch, difference, found)| GainContext {
        epoch,
        difference,
        lower: found.map(|d| d.interval.lower),
        upper: found.map(|d| d.interval.upper),
    });
    Some(ComparisonContext {
        run: &c.run,
        against: &c.against,
        difference: found.mean,
        lower: found.interval.lower,
        upper: found.interval.upper,
        over,
        margin: spec.margin,
        both: pair.both,
        only_run: pair.only_run,
        only_against: pair.only_against,
        neither: pair.neither,
        p: mcnemar(pair.only_run, pair.only_against),
        epochs: epochs.collect(),
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
            test_loss: e.test.loss,
            test_accuracy: e.test.accuracy(),
        })
        .collect();
    let over_seeds = r.accuracies();
    let least = |best: usize, i: usize| if epochs[i].test_loss < epochs[best].test_loss { i } else { best };
    RunContext {
        accuracy: r.accuracy(),
        sd: over_seeds.sd,
        interval: over_seeds.interval,
        wilson: wilson(seed.correct(), seed.images()),
        held_out_accuracy: r.held_out_accuracy(),
        turn: epochs[(0..epochs.len()).fold(0, least)].clone(),
        loss: r.test_loss(),
        notes_loss: r.mean(|s| s.notes_loss),
        correct: seed.correct(),
        per_class: seed.per_class().to_vec(),
        confusion: seed.confusion.iter().map(|row| row.to_vec()).collect(),
        predicted: seed.predicted().to_vec(),
        first: epochs[0].clone(),
        last: epochs[epochs.len() - 1].clone(),
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

/// What a number that was not measured prints as.
fn absent(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "(not measured)",
        Lang::Uk => "(не виміряно)",
    }
}

/// For sentences, which say so where they touch what was not measured.
pub fn sentence_environment(lang: Lang) -> Environment<'static> {
    let mut env = environment(lang);
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env
}

/// minijinja with the filters that studies use; numbers are written as in the study's language. An expression that touches what was not measured is an
/// error, and so no verdict: `undefined < 0.2` would be one.
pub fn environment(lang: Lang) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    // A study's expression must not keep a grader's machine busy; the longest real sentence needs some hundreds.
    env.set_fuel(Some(100_000));
    let form = numbers::Form::of(lang);
    env.add_filter("fixed", move |x: Value, decimals: usize| number_text(&x, lang, |x| form.fixed(x, decimals)));
    env.add_filter("percent", move |x: Value, decimals: usize| number_text(&x, lang, |x| form.percent(x, decimals)));
    env.add_filter("points", move |x: Value, decimals: usize| number_text(&x, lang, |x| form.points(x, decimals)));
    env.add_filter("count", move |x: Value| number_text(&x, lang, |x| form.count(x as u64)));
    env.add_filter("round_to", |x: Value, decimals: usize| -> Result<Value, Error> { round_to(&x, decimals) });
    env.add_filter("diagonal", |m: Value| -> Result<Vec<f64>, Error> {
        let m = matrix(&m)?;
        m.iter().enumerate().map(|(i, row)| row.get(i).copied().ok_or_else(|| invalid("not a square matrix"))).collect()
    });
    env.add_filter("row_sums", |m: Value| -> Result<Vec<f64>, Error> {
        Ok(matrix(&m)?.iter().map(|row| row.iter().sum()).collect())
    });
    env.add_filter("recall", |m: Value| -> Result<Vec<f64>, Error> {
        let m = matrix(&m)?;
        let share = |(i, row): (usize, &Vec<f64>)| {
            row.get(i).map(|d| d / row.iter().sum::<f64>()).ok_or_else(|| invalid("not a square matrix"))
        };
        m.iter().enumerate().map(share).collect()
    });
    env.add_filter("maximum", |list: Value| -> Result<f64, Error> {
        let list = number_list(&list)?;
        list.into_iter().reduce(f64::max).ok_or_else(|| invalid("an empty list has no maximum"))
    });
    env.add_filter("argmax", |list: Value| -> Result<usize, Error> {
        let list = number_list(&list)?;
        let best = (0..list.len()).reduce(|best, i| if list[i] > list[best] { i } else { best });
        best.ok_or_else(|| invalid("an empty list has no maximum"))
    });
    env
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn number_text(x: &Value, lang: Lang, form: impl Fn(f64) -> String) -> String {
    f64::try_from(x.clone()).map_or_else(|_| absent(lang).to_owned(), form)
}

fn number_list(list: &Value) -> Result<Vec<f64>, Error> {
    if list.is_undefined() {
        return Err(invalid("not measured"));
    }
    list.try_iter()?.map(|v| f64::try_from(v).map_err(|_| invalid("a list of numbers is needed"))).collect()
}

fn matrix(m: &Value) -> Result<Vec<Vec<f64>>, Error> {
    if m.is_undefined() {
        return Err(invalid("not measured"));
    }
    m.try_iter()?.map(|row| number_list(&row)).collect()
}

/// Rounds a number, or each number of a list.
fn round_to(x: &Value, decimals: usize) -> Result<Value, Error> {
    let round = |x: f64| numbers::fixed(x, decimals).parse::<f64>().expect("a printed number reads back");
    match f64::try_from(x.clone()) {
        Ok(x) => Ok(Value::from(round(x))),
        Err(_) => Ok(Value::from(number_list(x)?.into_iter().map(round).collect::<Vec<f64>>())),
    }
}
