use std::path::Path;

use super::*;
use crate::study::{Plan, Source};

const STUDY: &str = "
title: T
models:
  mlp: {layers: [flatten, {linear: {out_features: 10}}]}
  cnn: {layers: [{conv2d: {out_channels: 2, kernel_size: 3}}, flatten, {linear: {out_features: 10}}]}
defaults: {epochs: 1, batch_size: 64}
grid:
  model: [mlp, cnn]
  optimizer: [{sgd: {lr: 0.1}}, {sgd: {lr: 0.01, momentum: 0.9}}, adam]
  seeds: [1, 2]
";

fn source(changes: &[(&str, &str)]) -> Result<Source, StudyError> {
    let text = changes.iter().fold(STUDY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let source = Source::from_text(Path::new("s.yaml"), &text)?;
    Plan::resolve(&source)?;
    Ok(source)
}

fn runs(changes: &[(&str, &str)]) -> Vec<String> {
    source(changes).unwrap().study.runs.keys().cloned().collect()
}

#[test]
fn lists_become_runs_that_are_named_by_their_values() {
    let names = [
        "mlp-sgd-lr0_1",
        "mlp-sgd-lr0_01-momentum0_9",
        "mlp-adam",
        "cnn-sgd-lr0_1",
        "cnn-sgd-lr0_01-momentum0_9",
        "cnn-adam",
    ];
    assert_eq!(runs(&[]), names);
    let study = source(&[]).unwrap().study;
    let run = &study.runs["cnn-adam"];
    assert_eq!((run.model.as_str(), run.seeds.as_slice(), run.epochs), ("cnn", &[1, 2][..], 1));
    let axes = axes(study.grid.as_ref().unwrap());
    assert_eq!(axes[1].names, ["sgd-lr0_1", "sgd-lr0_01-momentum0_9", "adam"]);
    assert!(cells(&axes).iter().map(|cell| &cell.run).eq(study.runs.keys()));
    let short = runs(&[("{sgd: {lr: 0.01, momentum: 0.9}}, ", ""), ("seeds: [1, 2]", "seeds: [1]\n  epochs: [1, 2]")]);
    assert_eq!(short[..3], ["mlp-sgd-epochs1", "mlp-sgd-epochs2", "mlp-adam-epochs1"]);
    let other = runs(&[
        ("[{sgd: {lr: 0.1}}, {sgd: {lr: 0.01, momentum: 0.9}}, adam]", "adam\n  dropout: [true, false]"),
        ("[mlp, cnn]", "mlp\n  train: [{images: {first: 100}}, {images: {first: 200}}]"),
    ]);
    let expected = ["images-first100-dropout", "images-first100-no-dropout", "images-first200-dropout"];
    assert_eq!(other[..3], expected);
}

#[test]
fn runs_may_change_and_remove_runs_of_the_grid_and_add_others() {
    let more =
        "runs: {cnn-adam: null, mlp-adam: {epochs: 3, title: Best}, extra: {model: mlp, optimizer: adam, seeds: [9]}}";
    let study = source(&[("grid:", &format!("{more}\ngrid:"))]).unwrap().study;
    let names: Vec<&str> = study.runs.keys().map(String::as_str).collect();
    assert!(!names.contains(&"cnn-adam") && names.ends_with(&["extra"]), "{names:?}");
    assert_eq!((study.runs["mlp-adam"].epochs, study.runs["mlp-adam"].title.as_deref()), (3, Some("Best")));
}

#[test]
fn a_study_that_extends_another_may_change_its_grid_and_remove_its_runs() {
    let home = tempfile::tempdir().unwrap();
    let base = home.path().join("base.yaml");
    for own in ["", "runs: {extra: {model: mlp, optimizer: adam, seeds: [9]}}\n"] {
        std::fs::write(&base, format!("{STUDY}{own}")).unwrap();
        let changed = home.path().join("s.yaml");
        let text = "extends: base.yaml\ngrid: {optimizer: [adam, adadelta], seeds: [3]}\nruns: {cnn-adam: null}\n";
        std::fs::write(&changed, text).unwrap();
        let source = Source::load(&changed).unwrap();
        let names: Vec<&str> = source.study.runs.keys().map(String::as_str).collect();
        assert_eq!(names[..3], ["mlp-adam", "mlp-adadelta", "cnn-adadelta"]);
        assert_eq!(source.study.runs["mlp-adam"].seeds, [3]);
        // What a bundle stores gives the same study.
        let stored = Source::from_text(Path::new("study.yaml"), &source.yaml).unwrap();
        assert!(stored.study.runs.keys().eq(source.study.runs.keys()));
    }
}

#[test]
fn mistakes_name_the_line_and_what_to_do() {
    let long = (0..101).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    for (from, to, expected) in [
        ("[mlp, cnn]", "[mlp, mlp]", "s.yaml:8: grid.model[1]: `mlp` is listed twice: grid.model[0] is the same"),
        ("[mlp, cnn]", "[]", "s.yaml:8: grid.model: lists nothing"),
        ("[mlp, cnn]", "[mlp, cmn]", "s.yaml:8: grid.model[1]: unknown model `cmn`; did you mean `cnn`?"),
        ("adam]", "adm]", "s.yaml:9: grid.optimizer[2]: "),
        ("seeds: [1, 2]", &format!("batch_size: [{long}]"), "grid: 2 × 3 × 101 runs: at most 100; use shorter lists"),
        ("seeds: [1, 2]", "title: x", "grid.title: the runs of a grid are named by their values"),
        (
            "adam]",
            "adam, {adam: {lr: 0.001}}]",
            "s.yaml:9: grid.optimizer[3]: `{adam: {lr: 0.001}}` is listed twice: grid.optimizer[2] is the same (defaults are filled in)",
        ),
        (
            "seeds: [1, 2]",
            "seeds: [1]\n  train: {images: [{first: 100}, {first: 200}]}",
            "s.yaml:11: grid.train.images: only a key of the grid itself may list values; write `train: [{images: {first: 100}}, {images: {first: 200}}, ...]`",
        ),
        (
            "{sgd: {lr: 0.1}}",
            "{sgd: {lr: [0.1, 0.2]}}",
            "s.yaml:9: grid.optimizer[0].sgd.lr: only a key of the grid itself may list values; write `optimizer: [{sgd: {lr: 0.1}}, {sgd: {lr: 0.2}}, ...]`",
        ),
        ("{sgd: {lr: 0.1}}", "{sgd: {lr: -1}}", "s.yaml:9: grid.optimizer[0].sgd.lr: "),
        ("seeds: [1, 2]", "seeds: [1, 1]", "s.yaml:10: grid.seeds[1]: "),
        ("epochs: 1, batch_size: 64", "batch_size: 64", "s.yaml:7: grid: missing key `epochs`"),
        ("grid:", "runs: {mlp-adam: {epochs: 0}}\ngrid:", "s.yaml:7: runs.mlp-adam.epochs: "),
        (
            "grid:",
            "runs: {cnn-adm: null}\ngrid:",
            "runs.cnn-adm: removes a run that `grid` does not make; did you mean",
        ),
        ("seeds: [1, 2]", "sedes: [1, 2]", "s.yaml:10: grid.sedes[0]: unknown key `sedes`; did you mean `seeds`?"),
    ] {
        let error = source(&[(from, to)]).err().unwrap_or_else(|| panic!("{to} is refused")).to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    let error = Source::from_text(Path::new("s.yaml"), "title: T\ngrid: [a]\n").err().unwrap().to_string();
    assert!(error.contains("s.yaml:2: grid: must be a map of run settings"), "{error}");
}

/// Each value was once compared with each other setting by setting, which took a minute.
#[test]
fn values_with_many_settings_are_named_and_refused() {
    let settings: String = (0..4_000).map(|i| format!("k{i}: a, ")).collect();
    let list = format!("&m {{sgd: {{{settings}lr: 0.1}}}}, {}{{sgd: {{lr: 0.2}}}}", "*m, ".repeat(90));
    let error =
        source(&[("[{sgd: {lr: 0.1}}, {sgd: {lr: 0.01, momentum: 0.9}}, adam]", &format!("[{list}]"))]).err().unwrap();
    assert!(error.to_string().contains("is listed twice: grid.optimizer[0] is the same"), "{error}");
}
