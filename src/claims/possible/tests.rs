//! Tests of the other results that a study could have had.
//!
//! Longer than 400 lines because all of them draw such results for a small study.

use std::collections::BTreeSet;

use super::*;
use crate::claims::{Verdict, stand_in};
use crate::results::{Evaluated, validation_losses};
use crate::rng::Stream;
use crate::study::{Plan, Source, first_lowest};

const STUDY: &str = "\
title: t
models: {m: {layers: [flatten, {linear: {out_features: 10}}]}, n: {layers: [flatten, {linear: {out_features: 10, bias: false}}]}}
defaults: {train: {images: {first: 500}, hold_out: 100}, evaluate_train: true, epochs: 3, batch_size: 50, optimizer: adam, seeds: [1, 2]}
runs: {a: {model: m}, b: {model: n}}
comparisons: {c: {run: a, against: b}}
";

fn drawn(number: usize, source: &Source, results: &Results) -> Results {
    Draw::new(number, "").results(results, &Equal::of(&source.study, results))
}

/// Stand-ins that differ where settings do, as real results.
fn by_settings(source: &Source, plan: &Plan) -> Results {
    let mut results = stand_in::results(&source.study, plan);
    let settings = source.study.digests_of_epochs();
    for (name, run) in &mut results.runs {
        for seed in &mut run.seeds {
            let mut random = Stream::keyed(format!("{} {}", settings[name.as_str()], seed.seed).as_bytes());
            let mut loss = || 0.1 + f64::from(random.below(1 << 24)) / f64::from(1 << 24);
            seed.epochs.iter_mut().for_each(|epoch| epoch.train_loss = loss());
        }
    }
    results
}

/// The numbers of the results that keep the study.
fn kept() -> impl Iterator<Item = usize> {
    (0..MOST).filter(|number| Draw::new(*number, "").keeps_study())
}

fn source() -> (Source, Plan) {
    let source = Source::from_text_in(std::path::Path::new("study.yaml"), STUDY, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    (source, plan)
}

#[test]
fn other_results_follow_the_rules_of_all_results() {
    let (source, plan) = source();
    let mut results = by_settings(&source, &plan);
    let losses = |run: &str, _: u64| Ok::<_, String>(vec![0.1; plan.runs[run].total_steps()]);
    results.add_loss_curves(losses).unwrap();
    for number in 0..MOST {
        let other = drawn(number, &source, &results);
        let text = other.to_json();
        Results::from_json(&text).unwrap_or_else(|e| panic!("{number}: {e:?}"));
        for (name, run) in &other.runs {
            for seed in &run.seeds {
                let last = seed.epochs.last().unwrap();
                assert_eq!((last.test.correct, last.test.images), (seed.correct(), other.data.test_images), "{name}");
                assert_eq!(last.test.loss.to_bits(), seed.test_loss.to_bits());
                let classes: Vec<usize> = seed.confusion.iter().map(|row| row.iter().sum()).collect();
                assert_eq!(classes, other.data.test_classes);
                for epoch in &seed.epochs {
                    for set in [Some(epoch.test), epoch.validation, epoch.train_eval].into_iter().flatten() {
                        let wrong = 1.0 - set.accuracy();
                        assert!(set.loss >= 0.69 * wrong, "{number}: {set:?}");
                        // The class with the highest of ten probabilities has at least a tenth.
                        assert!(wrong > 0.0 || set.loss < 2.31, "{number}: {set:?}");
                    }
                }
            }
        }
        for (pair, (a, b)) in
            other.comparisons["c"].pairs.iter().zip(other.runs["a"].seeds.iter().zip(&other.runs["b"].seeds))
        {
            assert_eq!((pair.both + pair.only_run, pair.both + pair.only_against), (a.correct(), b.correct()));
            assert_eq!(pair.images(), other.data.test_images);
        }
        let model = &other.models["m"];
        assert_eq!(model.parameters, model.layers.iter().map(|l| l.parameters).sum::<u64>());
    }
}

/// A study whose run may end early and reports the epoch with the lowest validation loss.
const EARLY: &str = "\
title: t
models: {m: {layers: [flatten, {linear: {out_features: 10}}]}}
runs:
  a: {model: m, train: {images: {first: 500}, hold_out: 100}, epochs: 9, early_stopping: {patience: 2},
      report_epoch: best_validation, batch_size: 50, optimizer: adam, seeds: [1, 2, 3]}
claims:
  - {id: short, group: g, quote: q, printed: 'false', measured: runs.a.last.epoch < 8, compare: exact}
  - {id: count, group: g, quote: q, printed: 'true', measured: runs.a.epochs|length >= 9, compare: exact}
  - {id: reported, group: g, quote: q, printed: 'true', measured: runs.a.reported.epoch == runs.a.last.epoch, compare: exact}
  - {id: planned, group: g, quote: q, printed: 'true', measured: runs.a.last.epoch <= 9, compare: exact}
  - {id: patience, group: g, quote: q, printed: 'true', measured: runs.a.last.epoch >= 3, compare: exact}
  - {id: order, group: g, quote: q, printed: 'true', measured: runs.a.reported.epoch <= runs.a.last.epoch, compare: exact}
";

#[test]
fn a_run_that_may_end_early_has_other_epochs_and_another_reported_one() {
    let source = Source::from_text_in(std::path::Path::new("study.yaml"), EARLY, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let results = by_settings(&source, &plan);
    let (mut counts, mut reported) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..MOST {
        let other = drawn(number, &source, &results);
        for seed in &other.runs["a"].seeds {
            let best = first_lowest(&validation_losses(&seed.epochs)) + 1;
            assert_eq!(plan.runs["a"].reported_epoch(&validation_losses(&seed.epochs)), seed.reported_epoch);
            let (count, epoch) = (seed.epochs.len(), seed.reported_epoch());
            assert!(epoch == best && (count == 9 || epoch == count - 2), "{number}: {epoch} of {count}");
            assert_eq!(seed.epochs[epoch - 1].test.correct, seed.correct());
            counts.insert(count);
            reported.insert(epoch);
        }
    }
    assert_eq!(counts, (3..=9).collect(), "every number of epochs that the patience allows");
    assert!(reported.len() > 6 && reported.contains(&1) && reported.contains(&9), "{reported:?}");
}

#[test]
fn claims_on_epochs_that_the_plan_leaves_open_test_something() {
    let source = Source::from_text_in(std::path::Path::new("study.yaml"), EARLY, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let mut results = by_settings(&source, &plan);
    results.runs["a"].seeds.iter_mut().for_each(|seed| seed.reported_epoch = Some(9));
    let judged = crate::claims::judge(&source.study, &results);
    let verdicts: Vec<(&str, Verdict)> = judged.iter().map(|j| (j.claim.id.as_str(), j.verdict)).collect();
    let [matches, nothing] = [Verdict::Matches, Verdict::TestsNothing];
    assert_eq!(
        verdicts,
        [
            ("short", matches),
            ("count", matches),
            ("reported", matches),
            ("planned", nothing),
            ("patience", nothing),
            ("order", nothing)
        ]
    );
}

const TWINS: &str = "\
title: t
models:
  a: {layers: [flatten, {linear: {out_features: 10}}]}
  b: {layers: [flatten, {linear: {out_features: 10}}]}
defaults: {train: {images: {random: 400}}, epochs: 2, batch_size: 64, optimizer: adam, seeds: [1]}
runs:
  one: {model: a}
  twin: {model: b, title: Again}
  longer: {model: a, epochs: 3}
  stops: {model: a, epochs: 9, stop_below_train_loss: 0.1}
comparisons: {c: {run: one, against: twin}, d: {run: one, against: longer}, e: {run: longer, against: one}}
claims:
  - {id: twin, group: g, quote: q, printed: '97%', measured: '0.97 + runs.one.accuracy - runs.twin.accuracy', compare: printed}
  - {id: pair, group: g, quote: q, printed: '97%', measured: '0.97 + comparisons.c.difference', compare: printed}
  - {id: prefix, group: g, quote: q, printed: '97%',
     measured: '0.97 + runs.one.last.test_accuracy - runs.longer.epochs[1].test_accuracy', compare: printed}
  - {id: models, group: g, quote: q, printed: '97%', measured: '0.97 * models.a.parameters / models.b.parameters', compare: printed}
  - {id: flat, group: g, quote: q, printed: '97%', measured: '0.97 + models.a.layers.flatten1.parameters', compare: printed}
  - {id: shapes, group: g, quote: q, printed: 'true',
     measured: 'models.a.layers.flatten1.output_shape == models.a.layers.fc1.input_shape', compare: exact}
  - {id: ratio, group: g, quote: q, printed: '10000', measured: 'runs.one.correct / runs.one.accuracy', compare: printed}
  - {id: reversed, group: g, quote: q, printed: 'true', measured: 'comparisons.d.only_run == comparisons.e.only_against', compare: exact}
  - {id: rule, group: g, quote: q, printed: 'true',
     measured: 'runs.stops.last.train_loss < 0.1 or runs.stops.last.epoch == 9', compare: exact}
  - {id: before, group: g, quote: q, printed: 'true',
     measured: 'runs.stops.first.train_loss >= 0.1 or runs.stops.last.epoch == 1', compare: exact}
  - {id: count, group: g, quote: q, printed: '7850', measured: 'models.a.parameters', compare: exact}
  - {id: images, group: g, quote: q, printed: '10000', measured: 'runs.one.test_images', compare: exact}
  - {id: epochs, group: g, quote: q, printed: '2', measured: 'runs.one.last.epoch', compare: exact}
conclusions:
  - {id: constant, question: q, supported_if: '9700 / data.test_images > 0.95', refuted_if: 'runs.one.accuracy < 0', supported: s,
     refuted: r, undecided: u}
  - {id: twins, question: q, supported_if: 'runs.one.accuracy - runs.twin.accuracy < 0.01', refuted_if: 'runs.one.accuracy < 0',
     supported: s, refuted: r, undecided: u}
";

/// Whoever writes a study knows which values are equal by its settings.
#[test]
fn a_claim_on_what_settings_make_equal_tests_nothing() {
    let source = Source::from_text_in(std::path::Path::new("study.yaml"), TWINS, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let stand_in = by_settings(&source, &plan);
    // Real results follow the rules, too.
    let results = drawn(9, &source, &stand_in);
    let judged = crate::claims::judge(&source.study, &results);
    let of = |verdict| judged.iter().filter(move |j| j.verdict == verdict).map(|j| j.claim.id.as_str());
    assert_eq!(
        of(Verdict::TestsNothing).collect::<Vec<_>>(),
        ["twin", "pair", "prefix", "models", "flat", "shapes", "ratio", "reversed", "rule", "before"]
    );
    assert_eq!(of(Verdict::Matches).collect::<Vec<_>>(), ["count", "images", "epochs"]);
    assert_eq!(crate::claims::decided_by_nothing(&source.study, &results), ["constant", "twins"]);
}

const RULES: &str = "\
title: t
models:
  a: {layers: [flatten, {linear: {out_features: 10}}]}
  d: {layers: [flatten, {dropout: {p: 0.5}}, {linear: {out_features: 10}}]}
defaults:
  {train: {images: {random: 400}, hold_out: 100}, epochs: 4, batch_size: 50, optimizer: adam, seeds: [1], dropout: false}
runs:
  one: {model: a}
  evidence: {model: a, evidence: {candidates: 4}}
  measured: {model: a, evaluate_train: true}
  within: {model: a, evaluate_every: 5}
  below: {model: a, stop_below_train_loss: 0.0000001}
  early: {model: a, early_stopping: {patience: 4}}
  best: {model: a, report_epoch: best_validation}
  off: {model: d}
  steps: {model: a, optimizer: {adam: {lr: 0.001}}, schedule: {step: {step_size: 9, gamma: 0.5}}}
  smooth: {model: a, label_smoothing: 0.9}
  patient: {model: a, epochs: 20, early_stopping: {patience: 2}}
  impatient: {model: a, epochs: 20, early_stopping: {patience: 1}}
  cosine: {model: a, schedule: {cosine: {min_lr: 0.001}}}
  warm: {model: a, schedule: {warmup: {steps: 3, start_factor: 1}}}
  long: {model: a, epochs: 9000, stop_below_train_loss: 0.00009}
  longest: {model: a, epochs: 9000, early_stopping: {patience: 50}}
comparisons:
  c: {run: one, against: measured}
  ab: {run: one, against: smooth}
  bc: {run: smooth, against: patient}
  ac: {run: one, against: patient}
";

/// Rules of trainings that would take longer than the other results last, and of images that three networks get right.
const SURE_OF_LONG_RUNS_AND_SETS: [(&str, &str); 5] = [
    ("long", "runs.long.last.train_loss < 0.00009 or runs.long.last.epoch == 9000"),
    (
        "longest",
        "runs.longest.last.epoch == 9000 or runs.longest.last.held_out_loss >= runs.longest.epochs[runs.longest.last.epoch - 51].held_out_loss",
    ),
    // What holds for the images that any three networks get right.
    ("sets", "comparisons.ac.only_run <= comparisons.ab.only_run + comparisons.bc.only_run"),
    ("both", "comparisons.ab.both + comparisons.bc.both <= runs.smooth.correct + comparisons.ac.both"),
    ("images", "runs.one.images + 100 <= data.train_images"),
];

/// Runs that differ only in what is recorded, and the rules that end a run.
#[test]
fn a_claim_on_what_rules_make_sure_tests_nothing() {
    let twins = ["evidence", "measured", "within", "below", "early", "best", "off", "steps", "cosine", "warm"];
    let same = |run: &str| {
        // A run may end after its first epoch.
        let epoch = usize::from(run != "below");
        let same = format!("runs.one.epochs[{epoch}].test_accuracy == runs.{run}.epochs[{epoch}].test_accuracy");
        (format!("same-{run}"), same)
    };
    let sure = [
        ("pair", "comparisons.c.only_run == 0"),
        ("loss", "(runs.one.notes_loss * 50 - runs.one.loss)|abs < 0.000001"),
        ("smoothed", "runs.smooth.last.train_loss > 2.2"),
        (
            "patience",
            "runs.patient.last.epoch == 20 or runs.patient.last.held_out_loss >= runs.patient.epochs[runs.patient.last.epoch - 3].held_out_loss",
        ),
        (
            "one",
            "runs.impatient.epochs[0].held_out_loss > runs.impatient.epochs[1].held_out_loss or runs.impatient.last.epoch == 2",
        ),
    ];
    let open = [
        ("common", "comparisons.ac.neither > 0"),
        ("apart", "comparisons.ac.only_run <= comparisons.ab.only_run"),
        ("other", "runs.one.epochs[1].test_accuracy == runs.smooth.epochs[1].test_accuracy"),
        ("falls", "runs.one.epochs[1].held_out_loss < runs.one.epochs[0].held_out_loss"),
        ("low", "runs.smooth.last.train_loss > 2.5"),
        ("ends", "runs.patient.last.epoch < 20"),
        ("reported", "runs.best.reported.epoch == 4"),
    ];
    let owned = |(id, text): (&str, &str)| (id.to_owned(), text.to_owned());
    let claims = twins
        .map(same)
        .into_iter()
        .chain([&sure[..], &SURE_OF_LONG_RUNS_AND_SETS, &open].concat().into_iter().map(owned));
    let claim = |(id, text)| {
        format!("  - {{id: {id}, group: g, quote: q, printed: 'true', measured: '{text}', compare: exact}}\n")
    };
    let text = format!("{RULES}claims:\n{}", claims.map(claim).collect::<String>());
    let source = Source::from_text_in(std::path::Path::new("study.yaml"), &text, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let mut stand_in = by_settings(&source, &plan);
    stand_in
        .runs
        .values_mut()
        .flat_map(|run| &mut run.seeds)
        .for_each(|seed| seed.batch_mean_loss = seed.test_loss / 50.0);
    let matching = |number: usize| -> BTreeSet<String> {
        let results = drawn(number, &source, &stand_in);
        let judged = crate::claims::judge_alone(&source.study, &results, crate::text::Lang::En);
        judged.iter().filter(|j| j.verdict == Verdict::Matches).map(|j| j.claim.id.clone()).collect()
    };
    let matching: Vec<BTreeSet<String>> = kept().map(matching).collect();
    for claim in &source.study.claims {
        let is_sure = matching.iter().all(|ids| ids.contains(&claim.id));
        assert_eq!(is_sure, open.iter().all(|(id, _)| *id != claim.id), "{}", claim.id);
    }
}

/// The plan in results.json is the bundle's own statement.
#[test]
fn no_plan_asks_for_endless_results() {
    let (source, plan) = {
        let source = Source::from_text_in(std::path::Path::new("study.yaml"), TWINS, None).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        (source, plan)
    };
    let mut results = by_settings(&source, &plan);
    let run = &mut results.runs["stops"];
    run.plan.epochs = usize::MAX;
    run.seeds[0].epochs[0].validation = Some(Evaluated { images: u32::MAX as usize, correct: 0, loss: 1.0 });
    let largest = |other: &Results| other.runs["stops"].seeds[0].epochs.len();
    let counts: Vec<usize> = (0..4).map(|n| largest(&drawn(n, &source, &results))).collect();
    assert!(counts.iter().all(|count| (1..=BUDGET).contains(count)), "{counts:?}");
}

#[test]
fn other_results_are_far_from_each_other() {
    let (source, plan) = source();
    let results = by_settings(&source, &plan);
    let accuracies: Vec<f64> = (0..MOST).map(|n| drawn(n, &source, &results).runs["a"].accuracy()).collect();
    assert_eq!(accuracies[..4], [0.0, 1.0, 0.0, 1.0]);
    for (from, to) in [(0.0, 0.3), (0.3, 0.7), (0.7, 1.0)] {
        assert!(accuracies.iter().filter(|a| (from..to).contains(*a)).count() >= 3, "{accuracies:?}");
    }
    assert_eq!(super::results(&source.study, &results).count(), MOST);
}

/// The verdicts on claims about the stand-ins.
fn verdicts(text: &str, claims: &[(&str, String)], change: impl Fn(&mut Results)) -> Vec<(String, Verdict)> {
    let claim = |(id, text): &(&str, String)| {
        format!("  - {{id: {id}, group: g, quote: q, printed: 'true', measured: '{text}', compare: exact}}\n")
    };
    let text = format!("{text}claims:\n{}", claims.iter().map(claim).collect::<String>());
    let source = Source::from_text_in(std::path::Path::new("study.yaml"), &text, None).unwrap();
    let plan = Plan::resolve(&source).unwrap();
    let mut results = by_settings(&source, &plan);
    change(&mut results);
    crate::claims::judge(&source.study, &results).iter().map(|j| (j.claim.id.clone(), j.verdict)).collect()
}

/// A training that failed gives one class for every image, or has a loss far above that of guessing.
#[test]
fn claims_that_a_failed_training_refutes_test_something() {
    let mut claims: Vec<(&str, String)> = [
        "runs.a.held_out_accuracy > 0.15",
        "runs.a.last.held_out_accuracy > 0.1",
        "runs.a.last.held_out_loss < 2.3",
        "runs.a.last.held_out_loss < 5",
        "runs.a.first.held_out_loss < 2.5",
        "runs.a.last.train_eval_accuracy > 0.1",
        "runs.a.last.train_eval_loss < 10",
        "runs.a.last.train_loss < 5",
        "runs.a.last.train_loss < 20",
        "runs.a.accuracy > 0.15",
        "runs.a.loss < 5",
        "runs.a.loss < 10",
        "runs.a.predicted|min > 0",
        "runs.a.predicted|max < 5000",
        "runs.a.predicted|max < 9000",
        "runs.a.last.held_out_accuracy - runs.a.accuracy < 0.3",
        "(runs.a.last.held_out_accuracy - runs.a.accuracy)|abs < 0.6",
        "runs.a.last.train_eval_accuracy - runs.a.accuracy < 0.5",
        "comparisons.c.both > 500",
        "comparisons.c.neither < 9000",
        "comparisons.c.only_run < 5000",
    ]
    .map(|text| ("open", text.to_owned()))
    .to_vec();
    for run in ["a", "b"] {
        for class in 0..10 {
            claims.push(("open", format!("runs.{run}.predicted[{class}] < 5000")));
            let others = (0..10).filter(|other| *other != class);
            claims.extend(others.map(|other| ("open", format!("runs.{run}.confusion[{class}][{other}] < 900"))));
        }
    }
    let of_classes = |least: &str| {
        let of_class = |c: usize| format!("[runs.a.confusion[{c}][{c}], runs.b.confusion[{c}][{c}]]|{least}");
        (0..10).map(of_class).collect::<Vec<_>>().join(" + ")
    };
    let (min, max) = (of_classes("min"), of_classes("max"));
    let sure = [
        format!("comparisons.c.both <= {min}"),
        format!("comparisons.c.neither <= 10000 - ({max})"),
        format!("comparisons.c.both + comparisons.c.only_run + comparisons.c.only_against >= {max}"),
        "comparisons.c.both - runs.b.confusion[0][0] <= runs.a.correct - runs.a.confusion[0][0]".to_owned(),
        "runs.a.loss >= 0.6931 * (1 - runs.a.accuracy)".to_owned(),
        "runs.a.last.held_out_loss >= 0.6931 * (1 - runs.a.last.held_out_accuracy)".to_owned(),
        "runs.a.last.train_eval_loss >= 0.6931 * (1 - runs.a.last.train_eval_accuracy)".to_owned(),
        "runs.a.accuracy < 1 or runs.a.loss < 2.303".to_owned(),
        "runs.a.last.held_out_accuracy < 1 or runs.a.last.held_out_loss < 2.303".to_owned(),
        "runs.a.last.train_eval_accuracy < 1 or runs.a.last.train_eval_loss < 2.303".to_owned(),
        "runs.a.predicted|sum == 10000".to_owned(),
    ];
    claims.extend(sure.map(|text| ("sure", text)));
    let ids: Vec<String> = claims.iter().enumerate().map(|(i, (kind, _))| format!("{kind}-{i}")).collect();
    let named: Vec<(&str, String)> =
        ids.iter().zip(&claims).map(|(id, (_, text))| (id.as_str(), text.clone())).collect();
    for ((id, verdict), (_, text)) in verdicts(STUDY, &named, |_| ()).into_iter().zip(&claims) {
        let expected = if id.starts_with("open") { Verdict::Matches } else { Verdict::TestsNothing };
        assert_eq!(verdict, expected, "{text}");
    }
}

const EQUAL: &str = "\
title: t
models: {m: {layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {train: {images: {random: 400}, hold_out: 100}, epochs: 2, batch_size: 64, optimizer: adam, seeds: [1]}
runs:
  d: {model: m, clip_grad_norm: 1.0e+30}
  e: {model: m}
  f: {model: m, schedule: {step: {step_size: 1, gamma: 0.5}}}
  g: {model: m, epochs: 3}
comparisons: {de: {run: d, against: e}, df: {run: d, against: f}, eg: {run: e, against: g}}
";

/// Settings may differ without effect in ways that only the results show.
#[test]
fn trainings_with_equal_results_have_equal_ones_in_all_other_results() {
    let nothing = [
        ("difference", "comparisons.de.difference == 0"),
        ("loss", "runs.d.loss == runs.e.loss"),
        ("first", "runs.d.first.test_loss == runs.f.first.test_loss"),
    ];
    let something = [
        ("last", "runs.d.last.test_loss <= runs.f.last.test_loss"),
        ("accuracy", "comparisons.df.difference == 0"),
        // Two networks of one training.
        ("epochs", "comparisons.eg.lower < 0"),
        // Equal networks on other images.
        ("validation", "runs.d.last.held_out_loss < runs.e.last.held_out_loss"),
    ];
    let claims: Vec<(&str, String)> =
        nothing.into_iter().chain(something).map(|(id, text)| (id, text.to_owned())).collect();
    let found = verdicts(EQUAL, &claims, |results| {
        let of = results.runs["d"].seeds[0].epochs.clone();
        results.runs["f"].seeds[0].epochs[0].train_loss = of[0].train_loss;
        for name in ["e", "g"] {
            for (epoch, of) in results.runs[name].seeds[0].epochs.iter_mut().zip(&of) {
                epoch.train_loss = of.train_loss;
                epoch.validation.as_mut().unwrap().loss = 0.3;
            }
        }
    });
    for (id, verdict) in found {
        let is_nothing = nothing.iter().any(|(nothing, _)| *nothing == id);
        assert_eq!(verdict, if is_nothing { Verdict::TestsNothing } else { Verdict::Matches }, "{id}");
    }
}
