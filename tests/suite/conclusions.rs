//! Tests every conclusion of the studies in reports/ with invented results that support it, refute it, and leave it
//! undecided. Its sentence must contain the values that decided it.

use std::sync::OnceLock;

use indexmap::IndexMap;
use mnist_report::claims::{DecidedConclusion, Finding, conclude};
use mnist_report::compute::Environment;
use mnist_report::dataset::{ImageSet, Mnist};
use mnist_report::results::{
    Data, EpochResult, Evaluated, Results, RunResult, SCHEMA, SeedResult, confusion, model_facts,
};
use mnist_report::rng::Stream;
use mnist_report::study::{Plan, Source};

use crate::support::*;

fn test_set() -> &'static ImageSet {
    static TEST: OnceLock<ImageSet> = OnceLock::new();
    TEST.get_or_init(|| Mnist::load(&root().join("data/mnist")).unwrap().test)
}

fn labels() -> &'static [u8] {
    &test_set().labels
}

fn environment() -> Environment {
    Environment::own()
}

/// A study with invented results.
struct Invented {
    source: Source,
    plan: Plan,
    results: Results,
}

/// Predictions with a number of them correct; run and seed decide which.
fn predictions(run: &str, seed: u64, correct: usize) -> Vec<u8> {
    let mut order: Vec<usize> = (0..labels().len()).collect();
    Stream::keyed(format!("invented {run} {seed}").as_bytes()).shuffle(&mut order);
    let mut predictions = labels().to_vec();
    order[correct..].iter().for_each(|i| predictions[*i] = (predictions[*i] + 1) % 10);
    predictions
}

impl Invented {
    /// Every run gets 9,700 images right, one more or fewer for other seeds, with losses of 0.1 and 0.2.
    fn of(study: &str) -> Self {
        let source = Source::load(&root().join("reports").join(study)).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        let mut results = Results {
            schema: SCHEMA,
            environment: environment(),
            data: Data { train_images: 60_000, test_images: 10_000, test_classes: [1000; 10] },
            models: model_facts(&plan),
            runs: IndexMap::new(),
            diverged: IndexMap::new(),
            comparisons: IndexMap::new(),
            digits: IndexMap::new(),
        };
        for (name, run) in &plan.runs {
            let seeds = run.seeds.iter().map(|seed| SeedResult {
                seed: *seed,
                subset_sha256: String::new(),
                initial_weights_sha256: String::new(),
                weights_sha256: format!("{name}, seed {seed}"),
                epochs: (1..=run.settings.epochs)
                    .map(|epoch| EpochResult {
                        epoch,
                        lr: 0.1,
                        train_loss: 0.1,
                        train_eval: None,
                        validation: (run.settings.hold_out > 0).then_some(Evaluated {
                            images: 5000,
                            correct: 4900,
                            loss: 0.1,
                        }),
                        test: Evaluated { images: 10_000, correct: 9_700, loss: 0.2 },
                    })
                    .collect(),
                confusion: [[0; 10]; 10],
                misclassified: Vec::new(),
                test_loss: 0.2,
                batch_mean_loss: 0.2 / 127.0,
                chain: Vec::new(),
            });
            results.runs.insert(name.clone(), RunResult { plan: run.settings.clone(), seeds: seeds.collect() });
        }
        let mut invented = Self { source, plan, results };
        let names: Vec<String> = invented.plan.runs.keys().cloned().collect();
        for name in &names {
            invented.right(name, 9_700);
        }
        invented
    }

    /// Sets how many images each seed of a run gets right; seeds differ by one image.
    fn right(&mut self, run: &str, correct: usize) {
        for (i, seed) in self.results.runs[run].seeds.iter_mut().enumerate() {
            let correct = correct + i % 3;
            seed.confusion = confusion(&predictions(run, seed.seed, correct), labels());
            seed.epochs.iter_mut().for_each(|e| e.test.correct = correct);
        }
    }

    fn losses(&mut self, run: &str, train: f64, test: f64) {
        for seed in &mut self.results.runs[run].seeds {
            seed.test_loss = test;
            seed.epochs.iter_mut().for_each(|e| (e.train_loss, e.test.loss) = (train, test));
        }
    }

    fn validation(&mut self, run: &str, correct: usize) {
        let seeds = &mut self.results.runs[run].seeds;
        seeds.iter_mut().flat_map(|s| &mut s.epochs).for_each(|e| e.validation.as_mut().unwrap().correct = correct);
    }

    fn conclude(mut self, id: &str) -> DecidedConclusion {
        let correct: IndexMap<(String, u64), usize> = self
            .results
            .runs
            .iter()
            .flat_map(|(name, r)| r.seeds.iter().map(|s| ((name.clone(), s.seed), s.correct())))
            .collect();
        let read = |run: &str, seed: u64| -> Result<Vec<u8>, String> {
            Ok(predictions(run, seed, correct[&(run.to_owned(), seed)]))
        };
        self.results.add_comparisons(&self.source.study, test_set(), read).unwrap();
        let concluded = conclude(&self.source.study, &self.results);
        concluded.into_iter().find(|c| c.id == id).unwrap_or_else(|| panic!("no conclusion {id}"))
    }
}

type Change = fn(&mut Invented);

/// How to invent one outcome of a conclusion, and what its sentence must then contain.
type Way = (Change, &'static [&'static str]);

/// Checks a conclusion with results that support it, refute it, and leave it undecided.
#[track_caller]
fn comes_out(study: &str, id: &str, ways: [Way; 3]) {
    let findings = [Finding::Supported, Finding::Refuted, Finding::Undecided];
    let mut sentences: Vec<String> = Vec::new();
    for ((change, told), finding) in ways.into_iter().zip(findings) {
        let mut invented = Invented::of(study);
        change(&mut invented);
        let concluded = invented.conclude(id);
        assert_eq!(concluded.finding, finding, "{id}: {} {:?}", concluded.sentence, concluded.obstacle);
        for part in told {
            assert!(concluded.sentence.contains(part), "{id}, {finding:?}: `{part}` is not in: {}", concluded.sentence);
        }
        for fault in ["(not measured)", "cannot be stated", "  ", " .", " ,", " inf", "NaN"] {
            assert!(!concluded.sentence.contains(fault), "{id}, {finding:?}: `{fault}` in: {}", concluded.sentence);
        }
        assert!(!sentences.contains(&concluded.sentence), "{id}, {finding:?}: {}", concluded.sentence);
        sentences.push(concluded.sentence);
    }
}

const FULL: &str = "coursework.yaml";
const EXTENDED: &str = "extended.yaml";
const LADDER: &str = "ladder.yaml";

#[test]
fn every_conclusion_has_a_test_here() {
    let here = include_str!("conclusions.rs");
    for study in [FULL, EXTENDED, LADDER] {
        let source = Source::load(&root().join("reports").join(study)).unwrap();
        for c in &source.study.conclusions {
            assert!(here.contains(&format!("\"{}\",", c.id)), "{study}: {} is not tried in all three ways", c.id);
        }
    }
}

#[test]
fn conclusions_about_the_overfit_runs() {
    comes_out(
        FULL,
        "notes-overfit-run-overfits",
        [
            (|i| i.losses("overfit-as-written", 0.0051, 0.61), &["Yes", "0.0051", "0.6100"]),
            (|i| i.losses("overfit-as-written", 2.2, 2.29), &["No", "2.200", "2.290", "ln 10"]),
            (|i| i.losses("overfit-as-written", 0.052, 0.6), &["Not decided", "0.052"]),
        ],
    );
    comes_out(
        FULL,
        "order-of-images",
        [
            (|i| i.right("overfit-as-written", 921), &["Yes", "9.21 %", "97.00 %"]),
            (|i| i.right("overfit-as-written", 9_650), &["No", "96.50 %", "97.00 %"]),
            (|i| i.right("overfit-as-written", 9_100), &["Not decided", "91.00 %"]),
        ],
    );
    comes_out(
        FULL,
        "overfit-run-overfits",
        [
            (|i| i.losses("overfit", 0.0052, 0.1619), &["Yes", "0.0052", "0.1619", "31 times"]),
            (|i| i.losses("overfit", 0.51, 0.6), &["No", "0.5100", "0.6000"]),
            (|i| i.losses("overfit", 0.0502, 0.6), &["Not decided", "0.0502"]),
        ],
    );
}

#[test]
fn the_sentence_names_the_epoch_of_the_lowest_test_loss() {
    let mut invented = Invented::of(FULL);
    invented.losses("overfit", 0.005, 0.16);
    invented.results.runs["overfit"].seeds[0].epochs[2].test.loss = 0.1437;
    let sentence = invented.conclude("overfit-run-overfits").sentence;
    assert!(sentence.contains("lowest after epoch 3, 0.1437"), "{sentence}");
}

#[test]
fn conclusions_about_sizes_and_quoted_figures() {
    comes_out(
        FULL,
        "fewer-parameters",
        [
            (|_| {}, &["Yes", "1,200,074", "338,058", "338,442", "3.55"]),
            (|i| i.results.models["slim"].parameters += 1, &["No", "338,059"]),
            (|i| drop(i.results.models.shift_remove("slim")), &["Not measured"]),
        ],
    );
    comes_out(
        FULL,
        "notes-matrices-consistent",
        [
            (
                |i| {
                    // The five images that the notes' matrix lacks.
                    let rows = &mut i.source.study.values["notes"]["confusion"]["overfit"];
                    for (row, column, value) in [(4, 6, 968), (7, 6, 1007), (9, 6, 977)] {
                        rows[row][column] = value.into();
                    }
                },
                &["Yes"],
            ),
            (|_| {}, &["Not all", "9,995 images instead of 10,000"]),
            (|i| i.source.study.values = serde_json::Value::Null, &["Not checked"]),
        ],
    );
}

#[test]
fn conclusions_that_compare_accuracies() {
    comes_out(
        FULL,
        "slim-keeps-baseline-accuracy",
        [
            (|i| i.right("slim", 9_790), &["Yes", "97.90 %", "97.00 %", "0.90 points", "0.10 points", "one seed"]),
            (|i| i.right("slim", 9_550), &["No", "95.50 %", "\u{2212}1.50 points"]),
            (|i| i.right("slim", 9_705), &["Not decided", "97.05 %", "0.05 points"]),
        ],
    );
    comes_out(
        FULL,
        "slim-bn-keeps-baseline-accuracy",
        [
            (|i| i.right("slim-bn", 9_790), &["Yes", "97.90 %", "97.00 %", "0.90 points", "one seed"]),
            (|i| i.right("slim-bn", 9_550), &["No", "95.50 %", "\u{2212}1.50 points"]),
            (|i| i.right("slim-bn", 9_705), &["Not decided", "97.05 %", "0.05 points"]),
        ],
    );
    comes_out(
        FULL,
        "batch-norm-helps",
        [
            (|i| i.right("slim-bn", 9_862), &["Yes", "98.62 %", "1.62 points", "1.59 points"]),
            (|i| i.right("slim-bn", 9_500), &["No", "95.00 %", "\u{2212}2.00 points"]),
            (|i| i.right("slim-bn", 9_702), &["Not decided", "97.02 %"]),
        ],
    );
}

#[test]
fn conclusions_over_several_seeds() {
    comes_out(
        EXTENDED,
        "batch-norm-helps-at-convergence",
        [
            (|i| i.right("slim-bn-converged", 9_750), &["Yes", "0.50 points"]),
            (|i| i.right("slim-bn-converged", 9_650), &["No", "\u{2212}0.50 points"]),
            (|_| {}, &["Not decided", "0.00 points"]),
        ],
    );
    for (study, seeds) in [(EXTENDED, "over 5 seeds each"), (LADDER, "over 3 seeds each")] {
        let ways: [Way; 3] = [
            (|i| i.right("ladder-10k", 9_699), &["Yes", "9,690 parameters", "\u{2212}0.01 points"]),
            (|i| i.right("ladder-10k", 9_650), &["No", "\u{2212}0.50 points"]),
            (|i| i.right("ladder-10k", 9_690), &["Not decided", "\u{2212}0.10 points"]),
        ];
        comes_out(study, "ten-thousand-parameters", ways);
        let sentence = Invented::of(study).conclude("ten-thousand-parameters").sentence;
        assert!(sentence.contains(seeds), "{sentence}");
    }
    for (run, id) in [
        ("slim", "slim-keeps-baseline-accuracy"),
        ("slim-bn", "slim-bn-keeps-baseline-accuracy"),
        ("slim-bn", "batch-norm-helps"),
    ] {
        for (correct, finding) in [(9_790, Finding::Supported), (9_550, Finding::Refuted)] {
            let mut invented = Invented::of(EXTENDED);
            invented.right(run, correct);
            let concluded = invented.conclude(id);
            assert_eq!(concluded.finding, finding, "{id}: {}", concluded.sentence);
            assert!(concluded.sentence.contains("over 5 seeds each"), "{}", concluded.sentence);
            assert!(!concluded.sentence.contains("one seed"), "{}", concluded.sentence);
        }
    }
    let mut invented = Invented::of(EXTENDED);
    invented.validation("ladder-5k", 4_950);
    let sentence = invented.conclude("ten-thousand-parameters").sentence;
    assert!(sentence.contains("5,066 parameters") && sentence.contains("99.00 %"), "{sentence}");
}
