//! Tests of what a study resolves to, and of what is refused.

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

/// `replay` does a training again if its cost is low, so nothing that takes long may count as cheap.
#[test]
fn steps_and_parameters_cost_something_besides_images() {
    let cost = |outputs: usize, batch: usize| {
        let yaml = format!(
            "title: T\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: {outputs}}}}}, relu, \
                 {{linear: {{out_features: 10}}}}]}}}}\nruns: {{r: {{model: m, epochs: 1, batch_size: {batch}, \
                 optimizer: adam, seeds: [1]}}}}\n"
        );
        let plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap()).unwrap();
        assert_eq!(plan.seed_cost(&plan.runs["r"]), plan.runs["r"].cost);
        plan.cost()
    };
    assert!(cost(5000, 1) > 50.0 * cost(5000, 1000));
    assert!(cost(1, 1) > 10.0 * cost(1, 1000));
}

#[test]
fn the_old_name_of_a_figure_is_still_read() {
    let yaml = "title: T\nmodels: {m: {layers: [flatten, {linear: {out_features: 10}}]}}\n\
                    runs: {r: {model: m, epochs: 1, batch_size: 8, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}}\n\
                    sections: [{title: S, runs: [r], show: [misread, misclassified]}]\n";
    let source = Source::from_text(Path::new("s.yaml"), yaml).unwrap();
    let [old, new] = source.study.sections[0].show[..] else { panic!("two figures") };
    assert_eq!(old, new);
}

#[test]
fn refusals_name_line_key_and_value() {
    for (from, to, expected) in [
        ("model: m", "model: n", "s.yaml:10: runs.r.model: unknown model `n`; this study has m"),
        ("seeds: [1]", "seeds: [1, 2, 1]", "s.yaml:7: defaults.seeds[2]: seed 1 is repeated"),
        ("first: 100", "first: 60001", "s.yaml:11: runs.r.train.images: 60001: must be from 1 to 60000 images"),
        ("first: 100", "per_class: 5422", "5422: must be from 1 to 5421 images of each class"),
        ("epochs: 1", "epochs: 0", "s.yaml:7: defaults.epochs: 0: must be from 1"),
        ("lr: 0.1", "lr: 0", "s.yaml:7: defaults.optimizer.sgd.lr: 0: must be above 0"),
        ("runs: [r]", "runs: [q]", "s.yaml:13: sections[0].runs[0]: unknown run `q`; this study has r"),
        ("runs: [r]", "runs: [r], comparisons: [c]", "s.yaml:13: sections[0].comparisons[0]: unknown comparison `c`"),
        (
            "title: T",
            "title: T\ncomparisons: {c: {run: r, against: q}}",
            "s.yaml:2: comparisons.c.against: unknown run `q`; this study has r",
        ),
        ("title: T", "title: T\ncomparisons: {c: {run: r, against: r}}", "`r` is compared with itself"),
        ("first: 100}", "first: 100}, hold_out: 60000", "s.yaml:11: runs.r.train.hold_out: 60000: leaves none"),
        ("first: 100}", "first: 59991}, hold_out: 10", "59991: must be from 1 to 59990 images"),
        ("first: 100}", "per_class: 10}, hold_out: 10", "s.yaml:11: runs.r.train.hold_out: 10: `per_class` takes"),
        ("runs: [r]", "runs: [r, r]", "s.yaml:13: sections[0].runs[1]: `r` is listed twice"),
        (
            "runs: [r]",
            "runs: [r], show: [curves, gain]",
            "s.yaml:13: sections[0].show[1]: shows comparisons, but the section has no `comparisons`",
        ),
        (
            "runs: [r]",
            "runs: [r], points: [{title: p, parameters: 1, accuracy: 0.5}]",
            "s.yaml:13: sections[0].points: are drawn in the figure `ladder`",
        ),
        (
            "    model: m\n",
            "    model: m\n  q: {model: m, seeds: [1, 2]}\ncomparisons:\n  c: {run: r, against: q}\n#",
            "s.yaml:13: comparisons.c.against: `q` has 2 seeds and `r` has 1",
        ),
        (
            "out_features: 10",
            "out_features: 7",
            "s.yaml:6: models.m.layers[1]: linear: the last layer gives [7] values for each image",
        ),
        ("title: T", "title: T\ndate: 2024-13-01", "s.yaml:2: date: `2024-13-01` is not a date"),
    ] {
        let message = refused((from, to));
        assert!(message.contains(expected), "{to}: {message}");
    }
}
