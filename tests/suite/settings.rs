//! The report prints every setting that is not the default: two runs, or two models, that differ in one setting never
//! look the same. Unit tests beside the code that prints them test each key of optimizers, schedules and layers.

use std::fs;

use crate::support::*;

/// Settings of runs, each different from those of every other run.
const RUNS: [&str; 46] = [
    "",
    "train: {images: {first: 60}}",
    "train: {images: {random: 50}}",
    "train: {images: {per_class: 5}}",
    "train: {images: {first: 50}, hold_out: 20}",
    "train: {images: {first: 50}, order: by_class}",
    "train: {images: {first: 50}, order: as_stored}",
    "epochs: 2",
    "batch_size: 25",
    "optimizer: {sgd: {lr: 0.2}}",
    "optimizer: {sgd: {lr: 0.1, momentum: 0.5}}",
    "optimizer: {sgd: {lr: 0.1, momentum: 0.5, nesterov: true}}",
    "optimizer: {sgd: {lr: 0.1, momentum: 0.5, dampening: 0.5}}",
    "optimizer: {sgd: {lr: 0.1, weight_decay: 0.1}}",
    "optimizer: {adam: {lr: 0.01}}",
    "optimizer: {adam: {lr: 0.01, betas: [0, 0.5], eps: 0.1}}",
    "optimizer: {adam: {lr: 0.01, eps: 0.00000001, betas: [0.9, 0.99]}}",
    "optimizer: rmsprop",
    "optimizer: {rmsprop: {centered: true}}",
    "schedule: {step: {step_size: 1}}",
    "schedule: {step: {step_size: 1, gamma: 0.2}}",
    "schedule: cosine",
    "train: {images: {first: 50}, hold_out: 20}, schedule: reduce_on_plateau",
    "epochs: 2, schedule: {warmup: {steps: 1}}",
    "epochs: 2, schedule: {warmup: {steps: 1, start_factor: 0.1, then: cosine}}",
    "optimizer: {adam: {lr: 0.01}}, schedule: one_cycle",
    "optimizer: {adam: {lr: 0.01}}, schedule: {one_cycle: {base_momentum: 0.8}}",
    "optimizer: {adam: {lr: 0.01}}, schedule: {one_cycle: {max_momentum: 0.96}}",
    "schedule: {one_cycle: {cycle_momentum: false}}",
    "schedule: {one_cycle: {cycle_momentum: false, pct_start: 0.301}}",
    "schedule: {one_cycle: {cycle_momentum: false, div_factor: 24}}",
    "label_smoothing: 0.1",
    "clip_grad_norm: 0.1",
    "clip_grad_value: 0.1",
    "augment: {shift: 2}",
    "augment: {shift: 2.5}",
    "augment: {rotate: 2}",
    "augment: {shift: 2, rotate: 2}",
    "dropout: false",
    "stop_below_train_loss: 9",
    "evaluate_train: true",
    "evaluate_every: 1",
    "train: {images: {first: 50}, hold_out: 20}, epochs: 2, early_stopping: {patience: 1}",
    "train: {images: {first: 50}, hold_out: 20}, epochs: 2, report_epoch: best_validation",
    "evidence: {candidates: 4, keep: 1}",
    "seeds: [2]",
];

/// The cells of a row of a Markdown table.
fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

pub(super) fn bundle_of(study: &str, home: &std::path::Path) -> Bundle {
    let (file, out) = (home.join("study.yaml"), home.join("study"));
    fs::write(&file, study).unwrap();
    run(&mut build(&file, &out)).exits(0);
    Bundle::at(out)
}

/// Asserts that no two of some texts are the same.
#[track_caller]
fn all_differ(texts: &[String], what: &[&str]) {
    for (i, text) in texts.iter().enumerate() {
        let same = texts[..i].iter().position(|other| other == text);
        assert_eq!(same.map(|j| what[j]), None, "is printed as `{}` is: {text}", what[i]);
    }
}

#[test]
fn runs_that_differ_in_one_setting_are_told_apart() {
    let runs: String = RUNS
        .iter()
        .enumerate()
        .map(|(i, setting)| format!("  r{i}: {{model: only, title: X{i}{}{setting}}}\n", if i > 0 { ", " } else { "" }))
        .collect();
    let study = MINI.replace("runs: {single: {model: only}}\n", &format!("runs:\n{runs}"));
    let home = tempfile::tempdir().unwrap();
    let bundle = bundle_of(&study, home.path());
    for (lang, setting) in [("en", "| Setting | X0 |"), ("uk", "| Налаштування | X0 |")] {
        bundle.run("render", &["--lang", lang]).exits(0);
        let report = bundle.text("report.md");
        // Remove the titles, which differ.
        let budget = |i: usize| report.lines().find_map(|l| l.strip_prefix(&format!("- X{i}: "))).map(str::to_owned);
        let budgets: Vec<String> = (0..RUNS.len()).filter_map(budget).collect();
        assert_eq!(budgets.len(), RUNS.len(), "a line for each run");
        all_differ(&budgets, &RUNS);
        // The table has a row for each setting that may change results and in which the runs differ, a column for each
        // run.
        let start = report.lines().skip_while(|l| !l.starts_with(setting));
        let rows: Vec<Vec<&str>> = start.take_while(|l| l.starts_with('|')).map(cells).collect();
        assert!(rows.len() >= 10 && rows[0].len() == RUNS.len() + 1, "{} rows", rows.len());
        let changing: Vec<usize> = (0..RUNS.len()).filter(|i| !RUNS[*i].starts_with("evidence")).collect();
        let columns: Vec<String> = changing
            .iter()
            .map(|i| i + 1)
            .map(|i| rows.iter().map(|row| row[i]).collect::<Vec<_>>().join(" | "))
            .collect();
        all_differ(&columns, &changing.iter().map(|i| RUNS[*i]).collect::<Vec<_>>());
        let evidence = rows.iter().any(|row| row[0].contains("Evidence") || row[0].contains("Докази"));
        assert!(!evidence, "evidence changes no result");
    }
}

#[test]
fn settings_that_no_run_changes_have_no_row_and_no_part_in_the_budget() {
    let (home, plain) = (tempfile::tempdir().unwrap(), MINI);
    let report = bundle_of(plain, home.path()).text("report.md");
    assert!(
        report.contains(
            "\n- single: training images: 50 (the first); epochs: 1; batch 50; SGD, learning rate 0.1; seed 1\n"
        ),
        "{report}"
    );
    for absent in ["Training images evaluated", "Evidence", "constant;", "shuffled each epoch;"] {
        assert!(!report.contains(absent), "{absent}");
    }
}

/// Layers that differ from the first of their row in one setting.
const LAYERS: [&[&str]; 8] = [
    &[
        "conv2d: {out_channels: 2, kernel_size: 3, padding: 1}",
        "conv2d: {out_channels: 2, kernel_size: 3}",
        "conv2d: {out_channels: 2, kernel_size: 3, padding: 1, stride: 2}",
        "conv2d: {out_channels: 2, kernel_size: 3, padding: 1, bias: false}",
        "conv2d: {out_channels: 2, kernel_size: 5, padding: 1}",
        "conv2d: {out_channels: 3, kernel_size: 3, padding: 1}",
        "conv2d: {out_channels: 2, kernel_size: [3, 5], padding: 1}",
        "conv2d: {out_channels: 2, kernel_size: 3, padding: [1, 2]}",
        "conv2d: {out_channels: 2, kernel_size: 3, padding: 1, dilation: 2}",
        "conv2d: {out_channels: 2, kernel_size: 4, padding: same}",
    ],
    &["batch_norm2d", "batch_norm2d: {eps: 0.001}", "batch_norm2d: {momentum: 0.2}"],
    &["flatten}, {batch_norm1d", "flatten}, {batch_norm1d: {eps: 0.001}", "flatten}, {batch_norm1d: {momentum: 0.2}"],
    &[
        "max_pool2d: {kernel_size: 3}",
        "max_pool2d: {kernel_size: 3, stride: 2}",
        "max_pool2d: {kernel_size: 3, padding: 1}",
    ],
    &["leaky_relu", "leaky_relu: {negative_slope: 0.2}"],
    &["layer_norm", "layer_norm: {eps: 0.1}"],
    &["dropout", "dropout: {p: 0.1}"],
    &["residual: {layers: [relu]}", "residual: {layers: [gelu]}", "residual: {layers: [{dropout: {p: 0.1}}, relu]}"],
];

#[test]
fn models_that_differ_in_one_setting_are_told_apart() {
    let all: Vec<&str> = LAYERS.concat();
    let models: String = all
        .iter()
        .enumerate()
        .map(|(i, layer)| {
            format!("  m{i}: {{title: X{i}, layers: [{{{layer}}}, flatten, {{linear: {{out_features: 10}}}}]}}\n")
                .replace("{batch_norm2d}", "batch_norm2d")
                .replace("{flatten}", "flatten")
                .replace("{batch_norm1d}", "batch_norm1d")
                .replace("{leaky_relu}", "leaky_relu")
                .replace("{layer_norm}", "layer_norm")
                .replace("{dropout}", "dropout")
        })
        .collect();
    let only = "models: {only: {layers: [flatten, {linear: {out_features: 10}}]}}\n";
    let study = MINI.replace(only, &format!("models:\n{models}")).replace("model: only", "model: m0");
    let home = tempfile::tempdir().unwrap();
    let bundle = bundle_of(&study, home.path());
    // The part of the report from one table of a model's layers to the next.
    let report = bundle.text("report.md");
    let shapes: Vec<String> = report
        .split(" Layers of “X")
        .skip(1)
        .map(|text| {
            text.lines()
                .skip(1)
                .skip_while(|l| l.is_empty())
                .take_while(|l| l.starts_with('|'))
                .collect::<Vec<_>>()
                .join("\n")
        })
        .take(all.len())
        .collect();
    assert_eq!(shapes.len(), all.len());
    all_differ(&shapes, &all);
    // `summary` prints the same settings.
    let printed = run(program(["summary"]).arg(home.path().join("study.yaml"))).exits(0).out;
    let summaries: Vec<String> = printed
        .split("\n\n")
        .map(|model| model.split_once('\n').map_or("", |(_, layers)| layers).to_owned())
        .filter(|layers| !layers.is_empty())
        .collect();
    assert_eq!(summaries.len(), all.len());
    all_differ(&summaries, &all);
}

#[test]
fn the_scaling_of_the_input_is_printed() {
    let home = tempfile::tempdir().unwrap();
    let bundle = bundle_of(&format!("input: {{mean: 0.1307, std: 0.3081}}\n{MINI}"), home.path());
    assert!(bundle.text("report.md").contains("(x / 255 − 0.1307) / 0.3081"));
    bundle.run("render", &["--lang", "uk"]).exits(0);
    assert!(bundle.text("report.md").contains("(x / 255 − 0,1307) / 0,3081"));
}
