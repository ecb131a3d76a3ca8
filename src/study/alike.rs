//! What two studies train, whatever they call it: for the question whether one was copied from the other.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::optimizer::{Adam, AdamW, Optimizer};
use super::run_spec::{ReportEpoch, RunSpec};
use super::schedule::Schedule;
use super::spec::Study;
use crate::dataset::Subset;
use crate::digest::sha256_hex;
use crate::model::{AvgPool2d, LayerKind, MaxPool2d, ModelSpec, Relu, Residual};

/// Keys of a run, a model or a layer that decide nothing that is trained: names, texts, seeds, and what is recorded or measured.
const NAMES: [&str; 6] = ["title", "name", "seeds", "evidence", "evaluate_train", "evaluate_every"];

impl Study {
    /// The SHA-256 of what the study trains, except for seeds and names: two studies have the same one if the runs of one are
    /// those of the other, in any order, with other seeds, titles, texts, and names of runs, models and layers.
    pub fn digest_without_names(&self) -> String {
        let mut runs: Vec<String> = self.effective_runs().map(|run| digest_of_run(&run)).collect();
        runs.sort();
        self.digest_of_runs(&runs)
    }

    /// [`Study::digest_without_names`] of the study with nothing but one run, for each of its runs.
    pub fn digests_without_names(&self) -> IndexMap<&str, String> {
        let digests = self.effective_runs().map(|run| self.digest_of_runs(&[digest_of_run(&run)]));
        self.runs.keys().map(String::as_str).zip(digests).collect()
    }

    /// For each run, the digest of what the results of its epochs depend on, except for the seed: not on how many epochs there are,
    /// which of them is reported, and what is recorded.
    pub fn digests_of_epochs(&self) -> IndexMap<&str, String> {
        let of_epochs = |run: RunSpec| {
            let epochs = if run.schedule.depends_on_epochs() { run.epochs } else { 0 };
            let (stop_below_train_loss, early_stopping, report_epoch) = (None, None, ReportEpoch::Last);
            digest_of_run(&RunSpec { epochs, stop_below_train_loss, early_stopping, report_epoch, ..run })
        };
        self.runs.keys().map(String::as_str).zip(self.effective_runs().map(of_epochs)).collect()
    }

    fn digest_of_runs(&self, runs: &[String]) -> String {
        let images = self.pinned().map(|data| &data.sha256);
        digest(&json!([self.input, self.compute, images, runs]))
    }

    /// The runs with the same settings for the same training, each with its model's digest as `model`.
    fn effective_runs(&self) -> impl Iterator<Item = RunSpec> {
        // Each model once, with and without dropout: a thousand runs may have one that is large.
        let of_model = |model: &ModelSpec| {
            [false, true].map(|dropout| digest(&unnamed(json!(effective_layers(&model.layers, dropout)))))
        };
        let models: HashMap<&String, [String; 2]> =
            self.models.iter().map(|(name, model)| (name, of_model(model))).collect();
        let all = self.data_set().train_images;
        self.runs.values().map(move |run| {
            let model = models.get(&run.model).map(|digests| digests[usize::from(run.dropout)].clone());
            effective(run, model.unwrap_or_default(), all)
        })
    }
}

impl Schedule {
    /// Whether the rate after an epoch depends on how many epochs are planned.
    fn depends_on_epochs(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Step(_) | Self::ReduceOnPlateau(_) => false,
            Self::Cosine(_) | Self::OneCycle(_) => true,
            Self::Warmup(warmup) => warmup.then.depends_on_epochs(),
        }
    }
}

/// A run with defaults for the settings that have no effect in it, of a data set with so many training images.
fn effective(run: &RunSpec, model: String, all: usize) -> RunSpec {
    let mut run = RunSpec { model, dropout: true, ..run.clone() };
    run.augment = run.augment.filter(|augment| !augment.is_identity());
    match &mut run.optimizer {
        Optimizer::Sgd(sgd) if sgd.momentum == 0.0 => sgd.dampening = 0.0,
        Optimizer::AdamW(AdamW { lr, betas, eps, weight_decay }) if *weight_decay == 0.0 => {
            run.optimizer = Optimizer::Adam(Adam { lr: *lr, betas: *betas, eps: *eps, weight_decay: 0.0 });
        }
        _ => {}
    }
    if is_constant(&run.schedule, run.epochs, run.optimizer.lr()) {
        run.schedule = Schedule::default();
    }
    if matches!(run.train.images, Subset::First(n) | Subset::Random(n) if n + run.train.hold_out == all) {
        run.train.images = Subset::default();
    }
    run
}

/// Whether a schedule keeps the base rate in all epochs.
fn is_constant(schedule: &Schedule, epochs: usize, lr: f64) -> bool {
    match schedule {
        Schedule::Constant(_) => true,
        Schedule::Step(step) => step.step_size >= epochs || step.gamma == 1.0,
        Schedule::Cosine(cosine) => cosine.min_lr == lr,
        Schedule::ReduceOnPlateau(plateau) => plateau.patience >= epochs,
        Schedule::Warmup(warmup) => warmup.start_factor == 1.0 && is_constant(&warmup.then, epochs, lr),
        Schedule::OneCycle(_) => false,
    }
}

/// The layers that change their input; those of dropout only if it is on.
fn effective_layers(layers: &[LayerKind], dropout: bool) -> Vec<LayerKind> {
    let effective = |layer: &LayerKind| match layer {
        LayerKind::Dropout(layer) if !dropout || layer.p == 0.0 => None,
        LayerKind::LeakyRelu(layer) if layer.negative_slope == 1.0 => None,
        LayerKind::MaxPool2d(MaxPool2d { kernel_size: 1, stride: None | Some(1), .. })
        | LayerKind::AvgPool2d(AvgPool2d { kernel_size: 1, stride: None | Some(1), .. }) => None,
        LayerKind::LeakyRelu(layer) if layer.negative_slope == 0.0 => Some(LayerKind::Relu(Relu::default())),
        LayerKind::Residual(Residual { layers, .. }) => {
            Some(LayerKind::Residual(Residual { name: None, layers: effective_layers(layers, dropout) }))
        }
        layer => Some(layer.clone()),
    };
    let mut all: Vec<LayerKind> = layers.iter().filter_map(effective).collect();
    // A second one changes nothing.
    all.dedup_by(|next, layer| {
        matches!(
            (layer, next),
            (LayerKind::Relu(_), LayerKind::Relu(_)) | (LayerKind::Flatten(_), LayerKind::Flatten(_))
        )
    });
    all
}

fn digest_of_run(run: &RunSpec) -> String {
    digest(&unnamed(json!(run)))
}

fn digest(value: &Value) -> String {
    sha256_hex(value.to_string().as_bytes())
}

/// A value without names, at any depth.
fn unnamed(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|key, _| !NAMES.contains(&key.as_str()));
            map.values_mut().for_each(|inner| *inner = unnamed(inner.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = unnamed(item.take())),
        _ => {}
    }
    value
}

/// Whether a key decides what is trained, by its path: part of a model, of a run or the grid, of the input or of the computation, and
/// no name.
pub fn is_trained(key: &str) -> bool {
    let parts: Vec<&str> = key.split(['.', '[']).collect();
    let is_name = |part: &&str| *part != "seeds" && NAMES.contains(part);
    if parts[0] == "grid" {
        return !parts.iter().any(is_name);
    }
    ["models", "runs", "input", "compute"].contains(&parts[0]) && !parts.iter().skip(2).any(is_name)
}

/// Whether a key is the list of seeds of a run or the grid, or one of them.
pub fn is_seed(key: &str) -> bool {
    let mut parts = key.split(['.', '[']);
    match parts.next() {
        Some("runs") => parts.nth(1) == Some("seeds"),
        Some("grid") => parts.next() == Some("seeds"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::study::Source;

    const STUDY: &str = "
title: Lab
models:
  slim: {layers: [flatten, {linear: {out_features: 10}}]}
  wide: {title: Wide, layers: [flatten, {linear: {out_features: 20}}, relu, {linear: {out_features: 10, name: last}}]}
defaults: {epochs: 1, batch_size: 64, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs:
  one: {model: slim}
  two: {model: wide}
";

    fn digest(changes: &[(&str, &str)]) -> String {
        let changed = changes.iter().fold(STUDY.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        Source::from_text(Path::new("s.yaml"), &changed).unwrap().study.digest_without_names()
    }

    #[test]
    fn seeds_names_order_and_texts_do_not_count_and_all_else_does() {
        let same = digest(&[]);
        for changes in [
            &[("title: Lab", "title: Mine\nauthor: B\ndescription: Own words")][..],
            &[("seeds: [1]", "seeds: [2, 3]")],
            &[("slim", "thin"), ("one:", "first:"), ("Wide", "Broad"), ("name: last", "name: output")],
            &[("  one: {model: slim}\n", ""), ("{model: wide}\n", "{model: wide}\n  one: {model: slim}\n")],
            &[("epochs: 1", "epochs: 1, evidence: {keep: 1}, dropout: true")],
            &[("epochs: 1", "epochs: 1, dropout: false, augment: {shift: 0, rotate: 0}, evaluate_train: true")],
            &[("epochs: 1", "epochs: 1, evaluate_every: 7, schedule: {step: {step_size: 5, gamma: 0.5}}")],
            &[("epochs: 1", "epochs: 1, schedule: {cosine: {min_lr: 0.1}}, train: {images: {first: 60000}}")],
            &[("epochs: 1", "epochs: 1, schedule: {warmup: {steps: 5, start_factor: 1}}")],
            &[("lr: 0.1", "lr: 0.1, dampening: 0.5"), ("[flatten, ", "[flatten, {dropout: {p: 0}}, ")],
            &[
                ("relu", "{leaky_relu: {negative_slope: 0}}, relu, relu"),
                (
                    "[flatten, ",
                    "[{max_pool2d: {kernel_size: 1}}, {leaky_relu: {negative_slope: 1}}, dropout, flatten, ",
                ),
                ("epochs: 1", "epochs: 1, dropout: false"),
            ],
        ] {
            assert_eq!(digest(changes), same, "{changes:?}");
        }
        for changes in [
            &[("epochs: 1", "epochs: 2")][..],
            &[("epochs: 1", "epochs: 1, augment: {shift: 1}")],
            &[("20", "21")],
            &[("relu", "leaky_relu")],
            &[("[flatten, ", "[dropout, flatten, ")],
            &[("lr: 0.1", "lr: 0.1, momentum: 0.5")],
            &[("epochs: 1", "epochs: 1, schedule: cosine")],
            &[("{model: slim}", "{model: wide}")],
            &[("title: Lab", "title: Lab\ninput: {mean: 0.1}")],
            &[("  one: {model: slim}\n", "")],
        ] {
            assert_ne!(digest(changes), same, "{changes:?}");
        }
    }

    #[test]
    fn epochs_are_alike_whatever_their_number_unless_the_schedule_depends_on_it() {
        let of = |settings: &str| {
            let text = STUDY.replace("two: {model: wide}", &format!("two: {{model: slim, {settings}}}"));
            let study = Source::from_text(Path::new("s.yaml"), &text).unwrap().study;
            let digests = study.digests_of_epochs();
            digests["one"] == digests["two"]
        };
        for settings in
            ["epochs: 3", "epochs: 3, stop_below_train_loss: 0.1", "optimizer: {sgd: {lr: 0.1, dampening: 0.1}}"]
        {
            assert!(of(settings), "{settings}");
        }
        for settings in
            ["batch_size: 32", "label_smoothing: 0.1", "schedule: cosine", "schedule: {cosine: {min_lr: 0.01}}"]
        {
            assert!(!of(settings), "{settings}");
        }
        let cosine = STUDY
            .replace("epochs: 1,", "epochs: 1, schedule: cosine,")
            .replace("{model: wide}", "{model: slim, epochs: 2}");
        let study = Source::from_text(Path::new("s.yaml"), &cosine).unwrap().study;
        let digests = study.digests_of_epochs();
        assert_ne!(digests["one"], digests["two"]);
    }

    #[test]
    fn keys_that_decide_what_is_trained_are_told_from_names() {
        for key in
            ["models.a.layers", "models.a.layers[0].linear.out_features", "runs.r.seeds[0]", "input.mean", "runs.r"]
        {
            assert!(is_trained(key), "{key}");
        }
        for key in ["title", "models.a.title", "models.a.layers[0].linear.name", "runs.r.evidence.keep", "claims[0].id"]
        {
            assert!(!is_trained(key), "{key}");
        }
        // A model may be named `title`.
        assert!(is_trained("models.title.layers"));
        assert!(is_seed("runs.r.seeds[1]") && is_seed("runs.r.seeds") && !is_seed("runs.seeds.epochs"));
    }
}
