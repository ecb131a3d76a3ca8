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
    // Reading the images takes as long in both.
    assert!(cost(1, 1) > 5.0 * cost(1, 1000));
}

/// Hundreds of small layers, and steps of one image, take time that no value or weight explains.
#[test]
fn small_layers_pixels_and_augmentation_cost_what_they_take() {
    let cost = |layer: &str, layers: usize, run: &str| {
        let layers = format!("{layer}, ").repeat(layers);
        let yaml = format!(
            "title: T\nmodels: {{m: {{layers: [{{conv2d: {{out_channels: 1, kernel_size: 1, stride: 28}}}}, {layers} flatten, \
             {{linear: {{out_features: 10}}}}]}}}}\n\
             runs: {{r: {{model: m, epochs: 1, batch_size: 2, optimizer: {{sgd: {{lr: 0.1}}}}, seeds: [1]{run}}}}}\n"
        );
        Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap()).unwrap().cost()
    };
    let (bare, steps) = (cost("", 0, ""), 30_000.0);
    // Multiply-adds of 11 microseconds at the rate of a large convolution.
    for layer in
        ["layer_norm", "batch_norm2d", "{conv2d: {out_channels: 1, kernel_size: 1}}", "{max_pool2d: {kernel_size: 1}}"]
    {
        assert!(cost(layer, 100, "") - bare > 100.0 * steps * 3.8e6, "{layer}");
    }
    for layer in ["relu", "gelu", "dropout", "tanh"] {
        assert!(cost(layer, 100, "") - bare > 100.0 * steps * 3e5, "{layer}");
    }
    assert!(cost("", 0, ", augment: {shift: 8}") - bare > 60_000.0 * 784.0 * 2000.0);
    assert!(bare > 60_000.0 * 784.0 * 1500.0, "reading the images");
}

#[test]
fn large_windows_and_few_channels_cost_what_they_take() {
    let cost = |layer: &str| {
        let yaml = format!(
            "title: T\nmodels: {{m: {{layers: [{layer}, flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
             runs: {{r: {{model: m, epochs: 1, batch_size: 100, optimizer: adam, seeds: [1]}}}}\n"
        );
        Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap()).unwrap().cost()
    };
    let pool = |kind: &str, size: usize| {
        cost(&format!("{{{kind}: {{kernel_size: {size}, stride: 1, padding: {}}}}}", size / 2))
    };
    let conv = |channels: usize| {
        cost(&format!("{{conv2d: {{out_channels: {channels}, kernel_size: 27, padding: 13}}}}")) / channels as f64
    };
    for kind in ["max_pool2d", "avg_pool2d"] {
        assert!(pool(kind, 27) > 50.0 * pool(kind, 3), "{kind}");
    }
    assert!(conv(1) > 3.0 * conv(64), "{} {}", conv(1), conv(64));
}

#[test]
fn models_have_a_number_of_layers_that_can_be_drawn() {
    let refused = |layers: usize, models: usize| {
        let relu = "relu, ".repeat(layers);
        let first = format!("m0: {{layers: &l [flatten, {relu} {{linear: {{out_features: 10}}}}]}}");
        let others: String = (1..models).map(|i| format!(", m{i}: {{layers: *l}}")).collect();
        let yaml = format!(
            "title: T\nmodels: {{{first}{others}}}\nruns: {{r: {{model: m0, epochs: 1, batch_size: 8, optimizer: adam, seeds: [1]}}}}\n"
        );
        Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap()).err().map(|e| e.to_string())
    };
    assert_eq!(refused(998, 20), None);
    let one = refused(999, 1).unwrap();
    assert!(one.contains("models.m0.layers: 1001 layers: at most 1000 are supported"), "{one}");
    let all = refused(998, 21).unwrap();
    assert!(all.contains("models: 21000 layers in all models together: at most 20000 are supported"), "{all}");
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
        (
            "title: T",
            "title: T\ndate: 2024-13-01",
            "s.yaml:2: date: `2024-13-01` is not a date: write a day, YYYY-MM-DD, or a year",
        ),
    ] {
        let message = refused((from, to));
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn evaluations_within_epochs_are_counted_as_they_are_listed() {
    let yaml = "title: t\nmodels: {m: {layers: [flatten, {linear: {out_features: 10}}]}}\nruns: {r: {model: m, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]}}\n";
    let source = Source::from_text(std::path::Path::new("s.yaml"), yaml).unwrap();
    let mut settings = Plan::resolve(&source).unwrap().runs["r"].settings.clone();
    for (images, batch, every, epochs) in [
        (10, 1, 3, 4),
        (10, 1, 10, 3),
        (12, 1, 8, 5),
        (1, 1, 1, 9),
        (100, 7, 6, 6),
        (5, 9, 2, 7),
        (6, 1, 7, 0),
        (60, 1, 4, 1),
    ] {
        (settings.image_count, settings.batch_size, settings.evaluate_every) = (images, batch, Some(every));
        let listed = settings.evaluated_steps(epochs).count();
        assert_eq!(settings.evaluations_within(epochs), listed, "{images} {batch} {every} {epochs}");
    }
    (settings.image_count, settings.evaluate_every) = (usize::MAX, Some(1));
    settings.batch_size = 1;
    assert!(settings.evaluations_within(usize::MAX) > 1 << 60, "without counting to it");
    settings.evaluate_every = None;
    assert_eq!(settings.evaluations_within(9), 0);
}

/// Each section's points are shown beside all runs: compared again for each section, this took 35 s and more.
#[test]
fn a_thousand_runs_and_sections_are_refused_at_once() {
    use std::fmt::Write as _;
    let mut yaml = "title: t\nmodels: {m: {layers: [flatten, {linear: {out_features: 10}}]}}\ndefaults: {model: m, batch_size: 64, optimizer: adam, seeds: [1]}\nruns:\n".to_owned();
    for i in 0..1000 {
        writeln!(yaml, "  r{i}: {{epochs: 1, title: '{} {i}'}}", "і".repeat(500)).unwrap();
    }
    yaml += "sections:\n";
    for i in 0..1000 {
        writeln!(yaml, "- title: S{i}").unwrap();
    }
    let source = Source::from_text(Path::new("s.yaml"), &yaml).unwrap();
    let started = std::time::Instant::now();
    let why = Plan::resolve(&source).unwrap_err().to_string();
    assert!(why.contains("sections: 1000 sections: at most 200 are supported"), "{why}");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn a_report_has_limits() {
    let study = |sections: &str| {
        let yaml = format!(
            "title: t\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\ndefaults: {{model: m, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]}}\nruns:\n{}sections:\n{sections}",
            (0..100).map(|i| format!("  r{i}: {{}}\n")).collect::<String>()
        );
        Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap()).map(|_| ()).map_err(|e| e.to_string())
    };
    let all = (0..100).map(|i| format!("r{i}")).collect::<Vec<_>>().join(", ");
    let some = |count: usize, show: &str| {
        (0..count).map(|i| format!("- {{title: S{i}, runs: [{all}], show: [{show}]}}\n")).collect::<String>()
    };
    assert_eq!(study(&some(9, "confusion")), Ok(()));
    assert_eq!(study(&some(40, "ladder")), Ok(()));
    assert!(
        study(&some(10, "confusion"))
            .unwrap_err()
            .contains("sections: 1001 figures of sections and models: at most 1000")
    );
    assert!(study(&some(41, "ladder")).unwrap_err().contains("4100 runs in all sections together: at most 4000"));
}

/// A page with more points is larger than a bundle's file may be, and hides other differences from a grader whose memory it exceeds.
#[test]
fn figures_of_all_sections_have_a_number_of_points_that_can_be_drawn() {
    let refused = |defaults: &str, sections: &str| {
        let yaml = format!(
            "title: t\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
             defaults: {{model: m, batch_size: 20000, optimizer: adam, seeds: [1], {defaults}}}\n\
             runs: {{a: {{}}, b: {{}}}}\ncomparisons: {{c: {{run: a, against: b}}}}\n{sections}"
        );
        let plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap());
        plan.err().map(|e| e.to_string())
    };
    let sections = |count: usize, show: &str| {
        let section = |i: usize| format!("- {{title: S{i}, runs: [a, b], comparisons: [c], show: [{show}]}}\n");
        format!("sections:\n{}", (0..count).map(section).collect::<String>())
    };
    let few = "epochs: 2500";
    assert_eq!(refused(few, &sections(13, "gain")), None, "three for each epoch, and 20");
    let gain = refused(few, &sections(14, "gain")).unwrap();
    assert!(gain.contains("s.yaml:6: sections: 105280 points in the figures"), "{gain}");
    assert!(gain.contains("at most 100000 are supported; take fewer epochs"), "{gain}");
    assert_eq!(refused(few, &sections(19, "curves")), None, "one for each epoch of each run, and 20");
    assert!(refused(few, &sections(20, "curves, gain")).unwrap().contains("251200 points"));
    let more = "epochs: 2500, evaluate_train: true";
    assert!(refused(more, &sections(11, "curves")).unwrap().contains("110440 points"));
    let within = "epochs: 2500, evaluate_every: 8";
    assert!(refused(within, &sections(20, "curves")).unwrap().contains("125800 points"));
    assert_eq!(refused(few, ""), None);
}

/// Each conclusion prints the titles of its runs.
#[test]
fn conclusions_name_a_number_of_runs_that_can_be_printed() {
    let refused = |conclusions: usize| {
        let runs: String = (0..100).map(|i| format!("  r{i}: {{}}\n")).collect();
        let all = (0..100).map(|i| format!("r{i}")).collect::<Vec<_>>().join(", ");
        let conclusions: String = (0..conclusions).map(|i| format!("- {{id: c{i}, best_of: [{all}]}}\n")).collect();
        let yaml = format!(
            "title: t\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
             defaults: {{model: m, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]}}\n\
             runs:\n{runs}conclusions:\n{conclusions}"
        );
        let plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap());
        plan.err().map(|e| e.to_string())
    };
    assert_eq!(refused(40), None);
    let why = refused(41).unwrap();
    assert!(why.contains("conclusions: 4100 runs in all `best_of` together: at most 4000 are supported"), "{why}");
}

/// Each training costs time when a bundle is verified, even one that is only said to have diverged.
#[test]
fn the_trainings_of_all_runs_have_a_limit() {
    let refused = |seeds: usize| {
        let list = |from: usize, to: usize| (from..to).map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ");
        let yaml = format!(
            "title: t\nmodels: {{m: {{layers: [flatten, {{linear: {{out_features: 10}}}}]}}}}\n\
             defaults: {{model: m, epochs: 1, batch_size: 64, optimizer: adam}}\n\
             runs:\n  a: {{seeds: [{}]}}\n  b: {{seeds: [{}]}}\n",
            list(0, 4000),
            list(4000, seeds)
        );
        let plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), &yaml).unwrap());
        plan.err().map(|e| e.to_string())
    };
    assert_eq!(refused(10_000), None);
    let why = refused(10_001).unwrap();
    assert!(why.contains("s.yaml:4: runs: 10001 trainings, one for each seed of a run: at most 10000 are"), "{why}");
}
