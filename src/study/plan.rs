//! The resolved plan: what will be done, every part checked against the others before anything is trained.
//!
//! Owns the checks that need more than one value; says nothing of how training is done.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde::Serialize;

use super::source::{Source, StudyError};
use super::spec::{Compute, EvidenceSettings, Input, LayerKind, Optimizer, RunSpec, Schedule, Show};
use crate::dataset::{ImageOrder, Subset};
use crate::dataset::{SMALLEST_CLASS, TRAIN_IMAGES, choose};
use crate::model::Model;

/// Beyond this an epoch count is a slip of the finger.
const MAX_EPOCHS: usize = 10_000;
/// Each candidate's state is kept on the disk until training is over.
const MAX_CANDIDATES: usize = 256;
/// More comparisons, or points in a figure, than these are no report.
const MAX_COMPARISONS: usize = 64;
const MAX_POINTS: usize = 64;
/// libtorch gains nothing from more, and thread pools of thousands fail.
const MAX_THREADS: usize = 256;

/// Models and runs of a study, resolved.
#[derive(Clone, Debug)]
pub struct Plan {
    pub input: Input,
    pub compute: Compute,
    pub models: IndexMap<String, Model>,
    pub runs: IndexMap<String, RunPlan>,
}

/// One run as it will be done, for each of its seeds.
#[derive(Clone, Debug, Serialize)]
pub struct RunPlan {
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub title: String,
    pub model: String,
    pub images: Subset,
    /// Training images that are never trained on, but evaluated after each epoch.
    pub hold_out: usize,
    pub order: ImageOrder,
    /// Training images in an epoch.
    pub image_count: usize,
    pub epochs: usize,
    pub batch_size: usize,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub dropout: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_below_train_loss: Option<f64>,
    pub evaluate_train: bool,
    pub evidence: EvidenceSettings,
    pub seeds: Vec<u64>,
}

impl RunPlan {
    /// The indices of the images that one of its seeds trains on: see `dataset::choose`.
    pub fn choose(&self, train_labels: &[u8], seed: u64) -> Vec<u32> {
        choose(train_labels, &self.images, self.hold_out, self.order, seed)
    }

    /// Batches in an epoch; the last may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.image_count.div_ceil(self.batch_size)
    }

    /// Whether training ends, however many epochs are left, after one of this training loss.
    pub fn stops_at(&self, train_loss: f64) -> bool {
        self.stop_below_train_loss.is_some_and(|limit| train_loss < limit)
    }
}

/// Whether a text is a day, written YYYY-MM-DD.
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// What writing and reading a layer's value costs, in multiply-adds: measured on two CPU cores with the networks of
/// reports/coursework.yaml and reports/ladder.yaml. Small networks cost little else.
const VALUE: f64 = 200.0;

impl Plan {
    /// Checks a study and resolves it.
    ///
    /// # Errors
    /// The first part that does not fit, with file, line, key and the offending value.
    pub fn resolve(source: &Source) -> Result<Self, StudyError> {
        let study = &source.study;
        if study.input.shape != [1, 28, 28] {
            let message = format!("{:?}: MNIST images are [1, 28, 28]", study.input.shape);
            return Err(source.error("input.shape", message));
        }
        if !study.input.mean.is_finite() {
            return Err(source.error("input.mean", format!("{}: must be a number", study.input.mean)));
        }
        positive(source, "input.std", study.input.std)?;
        if !(1..=MAX_THREADS).contains(&study.compute.threads) {
            let message = format!("{}: must be from 1 to {MAX_THREADS}", study.compute.threads);
            return Err(source.error("compute.threads", message));
        }
        if let Some(date) = &study.date
            && !is_date(date)
        {
            return Err(source.error("date", format!("`{date}` is not a date: write YYYY-MM-DD")));
        }
        let models = models(source)?;
        let runs = runs(source, &models)?;
        check_texts(source, &runs)?;
        Ok(Self { input: study.input.clone(), compute: study.compute.clone(), models, runs })
    }

    /// What all training and evaluation costs, in multiply-adds.
    pub fn cost(&self) -> f64 {
        self.runs.values().map(|run| self.run_cost(run) * run.seeds.len() as f64).sum()
    }

    /// What one seed of a run costs: forward and backward (twice forward) over the training images, forward over the test
    /// images, each epoch.
    fn run_cost(&self, run: &RunPlan) -> f64 {
        let own = if run.evaluate_train { run.image_count } else { 0 };
        let evaluated = crate::dataset::TEST_IMAGES + run.hold_out + own;
        let images = (3 * run.image_count + evaluated) * run.epochs;
        let model = &self.models[&run.model];
        let values: u64 = model.layers.iter().map(|l| l.output_values()).sum();
        images as f64 * (model.mult_adds() as f64 + VALUE * values as f64)
    }
}

fn positive(source: &Source, key: &str, value: f64) -> Result<(), StudyError> {
    match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false if value > 0.0 => Err(source.error(key, format!("{value}: is too large"))),
        false => Err(source.error(key, format!("{value}: must be above 0"))),
    }
}

fn within(source: &Source, key: &str, value: f64, low: f64, high: f64) -> Result<(), StudyError> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(source.error(key, format!("{value}: must be from {low} to {high}"))),
    }
}

/// Names become file names and headings: letters, digits, `-` and `_`.
fn check_name(source: &Source, key: &str, name: &str) -> Result<(), StudyError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match (1..=64).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') {
        true => Ok(()),
        false => Err(source.error(key, format!("name `{name}`: 1 to 64 letters, digits, `-` or `_`, not first `-`"))),
    }
}

fn models(source: &Source) -> Result<IndexMap<String, Model>, StudyError> {
    if source.study.models.is_empty() {
        return Err(source.error("models", "holds no model"));
    }
    let mut models = IndexMap::new();
    for (name, spec) in &source.study.models {
        let key = format!("models.{name}");
        check_name(source, &key, name)?;
        let model = Model::resolve(name, spec, source.study.input.shape).map_err(|e| match e.layer {
            Some(i) => source.error(format!("{key}.layers[{i}]"), format!("{}: {}", spec.layers[i].key(), e.message)),
            None => source.error(format!("{key}.layers"), e.message),
        })?;
        models.insert(name.clone(), model);
    }
    Ok(models)
}

fn runs(source: &Source, models: &IndexMap<String, Model>) -> Result<IndexMap<String, RunPlan>, StudyError> {
    if source.study.runs.is_empty() {
        return Err(source.error("runs", "holds no run"));
    }
    let mut runs = IndexMap::new();
    for (name, spec) in &source.study.runs {
        check_name(source, &format!("runs.{name}"), name)?;
        runs.insert(name.clone(), run(source, name, spec, models)?);
    }
    Ok(runs)
}

fn run(source: &Source, name: &str, spec: &RunSpec, models: &IndexMap<String, Model>) -> Result<RunPlan, StudyError> {
    let key = |part: &str| format!("runs.{name}.{part}");
    let err = |part: &str, message: String| Err(source.error(key(part), message));
    let Some(model) = models.get(&spec.model) else {
        let known: Vec<_> = models.keys().map(String::as_str).collect();
        return err("model", format!("`{}` is no model of this study; it has {}", spec.model, known.join(", ")));
    };
    let limit = |n: usize, most: usize, what: &str| match (1..=most).contains(&n) {
        true => Ok(n),
        false => Err(source.error(key("train.images"), format!("{n}: must be from 1 to {most} {what}"))),
    };
    let hold_out = spec.train.hold_out;
    if hold_out >= TRAIN_IMAGES {
        return err("train.hold_out", format!("{hold_out}: leaves none of the {TRAIN_IMAGES} training images"));
    }
    let image_count = match spec.train.images {
        Subset::All(_) => TRAIN_IMAGES - hold_out,
        Subset::First(n) | Subset::Random(n) => limit(n, TRAIN_IMAGES - hold_out, "images")?,
        // How many of each class are left depends on which are held out.
        Subset::PerClass(_) if hold_out > 0 => {
            return err("train.hold_out", format!("{hold_out}: `per_class` takes from all images; use `random`"));
        }
        Subset::PerClass(n) => limit(n, SMALLEST_CLASS, "images of each class")? * crate::dataset::CLASSES,
    };
    if !(1..=MAX_EPOCHS).contains(&spec.epochs) {
        return err("epochs", format!("{}: must be from 1 to {MAX_EPOCHS}", spec.epochs));
    }
    if !(1..=TRAIN_IMAGES).contains(&spec.batch_size) {
        return err("batch_size", format!("{}: must be from 1 to {TRAIN_IMAGES}", spec.batch_size));
    }
    let last_batch = (image_count - 1) % spec.batch_size + 1;
    let single_values = model
        .layers
        .iter()
        .find(|l| matches!(l.kind, LayerKind::BatchNorm2d(_)) && l.input[1] * l.input[2] * last_batch == 1);
    if let Some(layer) = single_values {
        let message = format!(
            "{}: leaves a last batch of one image, and {} has one value a channel there: no variance",
            spec.batch_size, layer.name
        );
        return err("batch_size", message);
    }
    if spec.seeds.is_empty() {
        return err("seeds", "at least one seed is needed".into());
    }
    let mut seen = HashSet::new();
    if let Some((i, seed)) = spec.seeds.iter().enumerate().find(|(_, s)| !seen.insert(**s)) {
        return err(&format!("seeds[{i}]"), format!("seed {seed} is repeated"));
    }
    if let Some(loss) = spec.stop_below_train_loss {
        positive(source, &key("stop_below_train_loss"), loss)?;
    }
    if !(1..=MAX_CANDIDATES).contains(&spec.evidence.candidates) {
        return err("evidence.candidates", format!("{}: must be from 1 to {MAX_CANDIDATES}", spec.evidence.candidates));
    }
    if spec.evidence.keep > spec.evidence.candidates {
        let message = format!("{}: more than `candidates`, {}", spec.evidence.keep, spec.evidence.candidates);
        return err("evidence.keep", message);
    }
    check_optimizer(source, &key("optimizer"), &spec.optimizer)?;
    check_schedule(source, &key("schedule"), &spec.schedule)?;
    Ok(RunPlan {
        name: name.to_owned(),
        title: spec.title.clone().unwrap_or_else(|| name.to_owned()),
        model: spec.model.clone(),
        images: spec.train.images.clone(),
        hold_out,
        order: spec.train.order,
        image_count,
        epochs: spec.epochs,
        batch_size: spec.batch_size,
        optimizer: spec.optimizer.clone(),
        schedule: spec.schedule.clone(),
        dropout: spec.dropout,
        stop_below_train_loss: spec.stop_below_train_loss,
        evaluate_train: spec.evaluate_train,
        evidence: spec.evidence.clone(),
        seeds: spec.seeds.clone(),
    })
}

fn check_optimizer(source: &Source, key: &str, optimizer: &Optimizer) -> Result<(), StudyError> {
    let key = |part: &str| format!("{key}.{}.{part}", optimizer.key());
    positive(source, &key("lr"), optimizer.lr())?;
    let betas = |betas: &[f64; 2]| {
        betas.iter().enumerate().try_for_each(|(i, b)| match (0.0..1.0).contains(b) {
            true => Ok(()),
            false => Err(source.error(key(&format!("betas[{i}]")), format!("{b}: must be at least 0 and below 1"))),
        })
    };
    let decay = |d: f64| within(source, &key("weight_decay"), d, 0.0, f64::MAX);
    match optimizer {
        Optimizer::Sgd(c) => {
            within(source, &key("momentum"), c.momentum, 0.0, 1.0)?;
            within(source, &key("dampening"), c.dampening, 0.0, 1.0)?;
            if c.nesterov && (c.momentum == 0.0 || c.dampening != 0.0) {
                return Err(source.error(key("nesterov"), "needs a momentum, and no dampening"));
            }
            decay(c.weight_decay)
        }
        Optimizer::Adam(c) => {
            positive(source, &key("eps"), c.eps)?;
            betas(&c.betas)?;
            decay(c.weight_decay)
        }
        Optimizer::AdamW(c) => {
            positive(source, &key("eps"), c.eps)?;
            betas(&c.betas)?;
            decay(c.weight_decay)
        }
        Optimizer::Adadelta(c) => {
            positive(source, &key("eps"), c.eps)?;
            within(source, &key("rho"), c.rho, 0.0, 1.0)?;
            decay(c.weight_decay)
        }
    }
}

fn check_schedule(source: &Source, key: &str, schedule: &Schedule) -> Result<(), StudyError> {
    let key = |part: &str| format!("{key}.{}.{part}", schedule.key());
    match schedule {
        Schedule::Constant(_) => Ok(()),
        Schedule::Step(c) if c.step_size == 0 => Err(source.error(key("step_size"), "0: must be at least 1 epoch")),
        Schedule::Step(c) => positive(source, &key("gamma"), c.gamma),
        Schedule::Cosine(c) => within(source, &key("min_lr"), c.min_lr, 0.0, f64::MAX),
        Schedule::OneCycle(c) => {
            within(source, &key("pct_start"), c.pct_start, 0.0, 1.0)?;
            positive(source, &key("div_factor"), c.div_factor)?;
            positive(source, &key("final_div_factor"), c.final_div_factor)
        }
    }
}

fn check_texts(source: &Source, runs: &IndexMap<String, RunPlan>) -> Result<(), StudyError> {
    let known = |key: String, run: &str| match runs.contains_key(run) {
        true => Ok(()),
        false => {
            let known: Vec<_> = runs.keys().map(String::as_str).collect();
            Err(source.error(key, format!("`{run}` is no run of this study; it has {}", known.join(", "))))
        }
    };
    if source.study.comparisons.len() > MAX_COMPARISONS {
        return Err(source.error("comparisons", format!("more than {MAX_COMPARISONS}")));
    }
    for (name, c) in &source.study.comparisons {
        let key = format!("comparisons.{name}");
        check_name(source, &key, name)?;
        known(format!("{key}.run"), &c.run)?;
        known(format!("{key}.against"), &c.against)?;
        if c.run == c.against {
            return Err(source.error(format!("{key}.against"), format!("`{}` is compared with itself", c.run)));
        }
        let (own, other) = (runs[&c.run].seeds.len(), runs[&c.against].seeds.len());
        if (own == 1) != (other == 1) {
            let message = format!(
                "has {other} seeds where `{}` has {own}: compare one seed with one, or several with several",
                c.run
            );
            return Err(source.error(format!("{key}.against"), format!("`{}` {message}", c.against)));
        }
        if let Some(margin) = c.margin {
            within(source, &format!("{key}.margin"), margin, 0.0, 1.0)?;
        }
    }
    for (i, section) in source.study.sections.iter().enumerate() {
        for (j, run) in section.runs.iter().enumerate() {
            known(format!("sections[{i}].runs[{j}]"), run)?;
        }
        let twice = |list: &[String]| (1..list.len()).find(|j| list[..*j].contains(&list[*j]));
        for (part, list) in [("runs", &section.runs), ("comparisons", &section.comparisons)] {
            if let Some(j) = twice(list) {
                return Err(source.error(format!("sections[{i}].{part}[{j}]"), format!("`{}` is there twice", list[j])));
            }
        }
        let shown = |show: Show| section.show.iter().position(|s| *s == show);
        if let Some(j) = shown(Show::Gain).or(shown(Show::Disagreements)).filter(|_| section.comparisons.is_empty()) {
            return Err(
                source.error(format!("sections[{i}].show[{j}]"), "is of comparisons, and the section names none")
            );
        }
        if !section.points.is_empty() && shown(Show::Ladder).is_none() {
            return Err(source.error(format!("sections[{i}].points"), "are drawn into the ladder, which is not shown"));
        }
        if section.points.len() > MAX_POINTS {
            return Err(source.error(format!("sections[{i}].points"), format!("more than {MAX_POINTS}")));
        }
        for (j, name) in section.comparisons.iter().enumerate() {
            if !source.study.comparisons.contains_key(name) {
                let message = format!("`{name}` is no comparison of this study");
                return Err(source.error(format!("sections[{i}].comparisons[{j}]"), message));
            }
        }
        for (j, point) in section.points.iter().enumerate() {
            let key = format!("sections[{i}].points[{j}]");
            within(source, &format!("{key}.accuracy"), point.accuracy, 0.0, 1.0)?;
            if point.parameters == 0 {
                return Err(source.error(format!("{key}.parameters"), "0: a network has some"));
            }
        }
    }
    let mut ids = HashSet::new();
    let claims = source.study.claims.iter().map(|c| &c.id).enumerate().map(|(i, id)| (format!("claims[{i}].id"), id));
    let conclusions = source.study.conclusions.iter().map(|c| &c.id).enumerate();
    for (key, id) in claims.chain(conclusions.map(|(i, id)| (format!("conclusions[{i}].id"), id))) {
        if !ids.insert(id) {
            return Err(source.error(key, format!("id `{id}` is used twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn refused(change: (&str, &str)) -> String {
        let yaml = "\
title: T
models:
  m:
    layers:
      - flatten
      - linear: {out_features: 10}
defaults: {epochs: 1, batch_size: 8, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs:
  r:
    model: m
    train: {images: {first: 100}}
sections:
  - {title: S, runs: [r]}
";
        let good = Source::from_text(Path::new("s.yaml"), yaml).unwrap();
        Plan::resolve(&good).expect("the unchanged study is good");
        assert!(yaml.contains(change.0));
        let source = Source::from_text(Path::new("s.yaml"), &yaml.replace(change.0, change.1)).unwrap();
        Plan::resolve(&source).expect_err("refused").to_string()
    }

    #[test]
    fn refusals_name_line_key_and_value() {
        for (from, to, expected) in [
            ("model: m", "model: n", "s.yaml:10: runs.r.model: `n` is no model of this study; it has m"),
            ("seeds: [1]", "seeds: [1, 2, 1]", "s.yaml:7: runs.r.seeds[2]: seed 1 is repeated"),
            ("first: 100", "first: 60001", "s.yaml:11: runs.r.train.images: 60001: must be from 1 to 60000 images"),
            ("first: 100", "per_class: 5422", "5422: must be from 1 to 5421 images of each class"),
            ("epochs: 1", "epochs: 0", "s.yaml:7: runs.r.epochs: 0: must be from 1"),
            ("lr: 0.1", "lr: 0", "s.yaml:7: runs.r.optimizer.sgd.lr: 0: must be above 0"),
            ("runs: [r]", "runs: [q]", "s.yaml:13: sections[0].runs[0]: `q` is no run"),
            ("runs: [r]", "runs: [r], comparisons: [c]", "s.yaml:13: sections[0].comparisons[0]: `c` is no comparison"),
            (
                "title: T",
                "title: T\ncomparisons: {c: {run: r, against: q}}",
                "s.yaml:2: comparisons.c.against: `q` is no run",
            ),
            ("title: T", "title: T\ncomparisons: {c: {run: r, against: r}}", "`r` is compared with itself"),
            ("first: 100}", "first: 100}, hold_out: 60000", "s.yaml:11: runs.r.train.hold_out: 60000: leaves none"),
            ("first: 100}", "first: 59991}, hold_out: 10", "59991: must be from 1 to 59990 images"),
            ("first: 100}", "per_class: 10}, hold_out: 10", "s.yaml:11: runs.r.train.hold_out: 10: `per_class` takes"),
            ("runs: [r]", "runs: [r, r]", "s.yaml:13: sections[0].runs[1]: `r` is there twice"),
            ("runs: [r]", "runs: [r], show: [curves, gain]", "s.yaml:13: sections[0].show[1]: is of comparisons"),
            (
                "runs: [r]",
                "runs: [r], points: [{title: p, parameters: 1, accuracy: 0.5}]",
                "s.yaml:13: sections[0].points: are drawn into the ladder",
            ),
            (
                "    model: m\n",
                "    model: m\n  q: {model: m, seeds: [1, 2]}\ncomparisons:\n  c: {run: r, against: q}\n#",
                "s.yaml:13: comparisons.c.against: `q` has 2 seeds where `r` has 1",
            ),
            ("out_features: 10", "out_features: 7", "s.yaml:6: models.m.layers[1]: linear: the last layer gives [7]"),
            ("title: T", "title: T\ndate: 2024-13-01", "s.yaml:2: date: `2024-13-01` is not a date"),
            ("title: T", "title: T\ncompute: {threads: 0}", "s.yaml:2: compute.threads: 0"),
        ] {
            let message = refused((from, to));
            assert!(message.contains(expected), "{to}: {message}");
        }
    }
}
