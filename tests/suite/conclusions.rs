//! Tests every conclusion of the studies in reports/, and every kind of conclusion, with invented results that support
//! it, refute it, and leave it undecided. Its sentence must contain the values that decided it.
//!
//! Longer than 400 lines because each kind of conclusion has its table of invented results here, to be read side by side.

use std::sync::OnceLock;

use indexmap::IndexMap;
use mnist_report::compute::Environment;
use mnist_report::dataset::{DataSet, ImageSet, TrainAndTest};
use mnist_report::report::{ConclusionVerdict, Edition, Pictures, Provenance, Rendition, Templates, document};
use mnist_report::results::{
    Data, EpochResult, Evaluated, Results, RunResult, SCHEMA, SeedResult, confusion, model_facts,
};
use mnist_report::rng::Stream;
use mnist_report::study::{Conclusion, Kind, Plan, Rule, Source};
use mnist_report::text::Lang;

use crate::support::*;

fn test_set() -> &'static ImageSet {
    static TEST: OnceLock<ImageSet> = OnceLock::new();
    TEST.get_or_init(|| TrainAndTest::load(&root().join("data/mnist"), &DataSet::mnist()).unwrap().test)
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

/// Predictions of which `correct` are correct; run and seed determine which ones.
fn predictions(run: &str, seed: u64, correct: usize) -> Vec<u8> {
    let mut order: Vec<usize> = (0..labels().len()).collect();
    Stream::keyed(format!("invented {run} {seed}").as_bytes()).shuffle(&mut order);
    let mut predictions = labels().to_vec();
    order[correct..].iter().for_each(|i| predictions[*i] = (predictions[*i] + 1) % 10);
    predictions
}

impl Invented {
    /// Every run classifies 9,700 images correctly, one more or fewer for other seeds, with losses of 0.1 and 0.2.
    fn of(study: &str) -> Self {
        let source = Source::load(&root().join("reports").join(study)).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        let mut results = Results {
            schema: SCHEMA,
            environment: environment(),
            data: Data { train_images: 60_000, test_images: 10_000, test_classes: test_set().class_counts() },
            models: model_facts(&plan),
            runs: IndexMap::new(),
            diverged: IndexMap::new(),
            comparisons: IndexMap::new(),
            digits: IndexMap::new(),
            loss_curves: IndexMap::new(),
            filters: IndexMap::new(),
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
                reported_epoch: None,
                within_epochs: Vec::new(),
                confusion: vec![vec![0; 10]; 10],
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

    /// Sets how many images each seed of a run classifies correctly; seeds differ by one image.
    fn right(&mut self, run: &str, correct: usize) {
        for (i, seed) in self.results.runs[run].seeds.iter_mut().enumerate() {
            let correct = correct + i % 3;
            seed.confusion = confusion(&predictions(run, seed.seed, correct), labels(), 10);
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

    /// Adds a conclusion to the study.
    fn ask(&mut self, yaml: &str) -> String {
        let conclusion: Conclusion = serde_yaml::from_str(yaml).unwrap();
        let id = conclusion.id.clone();
        self.source.study.conclusions.retain(|other| other.id != id);
        self.source.study.conclusions.push(conclusion);
        Plan::resolve(&self.source).unwrap();
        id
    }

    fn conclude(self, id: &str) -> ConclusionVerdict {
        self.conclude_in(id, Lang::En)
    }

    /// The conclusion as the report prints it.
    fn conclude_in(mut self, id: &str, lang: Lang) -> ConclusionVerdict {
        let correct: IndexMap<(String, u64), usize> = self
            .results
            .runs
            .iter()
            .flat_map(|(name, r)| r.seeds.iter().map(|s| ((name.clone(), s.seed), s.correct())))
            .collect();
        let read = |run: &str, seed: u64| -> Result<Vec<u8>, String> {
            Ok(predictions(run, seed, correct[&(run.to_owned(), seed)]))
        };
        // Remove the comparisons of runs that the results lack, as if they had diverged.
        let mut measured = self.source.study.clone();
        measured.comparisons.retain(|_, c| [&c.run, &c.against].iter().all(|run| self.results.runs.contains_key(*run)));
        self.results.add_comparisons(&measured, test_set(), read).unwrap();
        self.results.add_loss_curves(|_, _| Ok::<_, String>(vec![0.1; 8])).unwrap();
        // Invented results have no pixels, so the report must have no sections with images.
        self.source.study.sections.clear();
        let templates = Templates::built_in();
        let editions = [Edition { lang, study: self.source.study }];
        let rendition = Rendition { editions: &editions, date: None, templates: &templates };
        let (languages, pictures) = (rendition.languages(), Pictures::new());
        let provenance = Provenance {
            languages: &languages,
            pictures: &pictures,
            inputs: &[],
            inputs_digest: "",
            measured_digest: "",
        };
        let document = document(&editions[0], &self.results, &provenance, &rendition).unwrap();
        let concluded = document.verdicts.conclusions.into_iter();
        concluded.into_iter().find(|c| c.id == id).unwrap_or_else(|| panic!("no conclusion {id}"))
    }
}

type Change = fn(&mut Invented);

/// How to invent one outcome of a conclusion, and what its sentence must then contain.
type Way = (Change, &'static [&'static str]);

/// Checks a conclusion with results that support it, refute it, and leave it undecided.
#[track_caller]
fn comes_out(study: &str, id: &str, ways: [Way; 3]) {
    let findings = ["supported", "refuted", "undecided"];
    let mut sentences: Vec<String> = Vec::new();
    for ((change, told), finding) in ways.into_iter().zip(findings) {
        let mut invented = Invented::of(study);
        change(&mut invented);
        let concluded = invented.conclude(id);
        assert_eq!(concluded.finding, finding, "{id}: {} {:?}", concluded.answer, concluded.obstacle);
        for part in told {
            assert!(concluded.answer.contains(part), "{id}, {finding:?}: `{part}` is not in: {}", concluded.answer);
        }
        for fault in ["(not measured)", "cannot be stated", "  ", " .", " ,", " inf", "NaN"] {
            assert!(!concluded.answer.contains(fault), "{id}, {finding:?}: `{fault}` in: {}", concluded.answer);
        }
        assert!(!sentences.contains(&concluded.answer), "{id}, {finding:?}: {}", concluded.answer);
        sentences.push(concluded.answer);
    }
}

const FULL: &str = "coursework.yaml";
const AUDIT: &str = "notes-audit.yaml";
const EXTENDED: &str = "extended.yaml";
const LADDER: &str = "ladder.yaml";

#[test]
fn every_conclusion_has_a_test_here() {
    let here = include_str!("conclusions.rs");
    for study in [FULL, AUDIT, EXTENDED, LADDER] {
        let source = Source::load(&root().join("reports").join(study)).unwrap();
        // The kinds of conclusions are tested below, for any study.
        for c in source.study.conclusions.iter().filter(|c| matches!(c.rule, Rule::Expressions(_))) {
            assert!(
                here.contains(&format!("\"{}\",", c.id)),
                "{study}: {} is not tested with all three findings",
                c.id
            );
        }
    }
}

#[test]
fn conclusions_about_the_notes_overfit_run() {
    comes_out(
        AUDIT,
        "notes-overfit-run-overfits",
        [
            (|i| i.losses("overfit-as-written", 0.0051, 0.61), &["Yes", "0.0051", "0.6100"]),
            (|i| i.losses("overfit-as-written", 2.2, 2.29), &["No", "2.200", "2.290", "ln 10"]),
            (|i| i.losses("overfit-as-written", 0.052, 0.6), &["Not decided", "0.052"]),
        ],
    );
}

#[test]
fn conclusions_about_sizes_and_quoted_figures() {
    comes_out(
        AUDIT,
        "parameters-as-printed",
        [
            (|_| {}, &["Yes", "1,200,074", "338,058", "338,442", "3.55"]),
            (|i| i.results.models["slim"].parameters += 1, &["No", "338,059"]),
            (|i| drop(i.results.models.shift_remove("slim")), &["Not measured"]),
        ],
    );
    comes_out(
        AUDIT,
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
        AUDIT,
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
        let sentence = Invented::of(study).conclude("ten-thousand-parameters").answer;
        assert!(sentence.contains(seeds), "{sentence}");
    }
    let mut invented = Invented::of(EXTENDED);
    invented.validation("ladder-5k", 4_950);
    let sentence = invented.conclude("ten-thousand-parameters").answer;
    assert!(sentence.contains("5,066 parameters") && sentence.contains("99.00 %"), "{sentence}");
}

/// Checks a kind of conclusion with results that give each of three findings, in every language. Its answer must
/// contain the values that decided it.
#[track_caller]
fn kind_comes_out(yaml: &str, ways: &[(&str, Change, &[&str])]) {
    for lang in Lang::ALL {
        let mut answers: Vec<String> = Vec::new();
        for (finding, change, told) in ways {
            let mut invented = Invented::of(FULL);
            change(&mut invented);
            let id = invented.ask(yaml);
            let concluded = invented.conclude_in(&id, lang);
            assert_eq!(concluded.finding, *finding, "{yaml}: {}", concluded.answer);
            for part in *told {
                // Numbers are formatted for the language; words are compared only in English.
                let part = if lang == Lang::Uk { part.replace('.', ",") } else { (*part).to_owned() };
                let is_number = part.chars().all(|c| c.is_ascii_digit() || "., %\u{2212}".contains(c));
                let expected = lang == Lang::En || is_number;
                let answer = concluded.answer.replace('\u{a0}', ",");
                assert!(!expected || answer.contains(&part), "{yaml}, {finding}: `{part}` is not in: {answer}");
            }
            for fault in ["  ", " .", " ,", " inf", "NaN", "{", "()"] {
                assert!(!concluded.answer.contains(fault), "{yaml}, {finding}: `{fault}` in: {}", concluded.answer);
            }
            assert!(!concluded.question.is_empty() && !answers.contains(&concluded.answer), "{}", concluded.answer);
            answers.push(concluded.answer);
        }
    }
}

/// Test losses by epoch of a run, with a training loss that falls.
fn test_losses(i: &mut Invented, run: &str, losses: &[f64]) {
    for seed in &mut i.results.runs[run].seeds {
        for (e, epoch) in seed.epochs.iter_mut().enumerate() {
            epoch.train_loss = 1.0 / (e + 1) as f64;
            epoch.test.loss = losses[e.min(losses.len() - 1)];
        }
    }
}

#[test]
fn every_kind_is_tried_here() {
    let here = include_str!("conclusions.rs");
    for word in Kind::WORDS {
        assert!(here.contains(&format!("kind_comes_out(\n        \"{word}: ")), "{word}");
    }
}

#[test]
fn kinds_about_overfitting() {
    kind_comes_out(
        "overfits: overfit",
        &[
            ("supported", |i| i.losses("overfit", 0.0052, 0.1619), &["Yes", "0.0052", "0.1619", "31 times"]),
            ("refuted", |i| i.losses("overfit", 0.51, 0.6), &["No", "0.5100", "0.6000"]),
            ("refuted", |i| i.losses("overfit", 2.29, 2.3), &["almost nothing", "2.303"]),
            ("refuted", |i| i.losses("overfit", 0.05, 0.04), &["0.0500", "0.0400"]),
            ("undecided", |i| i.losses("overfit", 0.0502, 0.6), &["Not decided", "0.0502"]),
            ("undecided", |i| i.losses("overfit", 0.009, 0.017), &["Not decided", "0.0090", "0.0170"]),
        ],
    );
    kind_comes_out(
        "overfitting_starts: overfit",
        &[
            (
                "supported",
                |i| test_losses(i, "overfit", &[0.5, 0.4, 0.2, 0.3]),
                &["After epoch 3", "0.2000", "0.3000", "50.0 %"],
            ),
            (
                "refuted",
                |i| test_losses(i, "overfit", &(1..=20).map(|e| 1.0 / f64::from(e)).collect::<Vec<_>>()),
                &["20 epochs"],
            ),
            ("undecided", |i| test_losses(i, "overfit", &[0.5, 0.4, 0.41]), &["Not decided", "0.4000", "0.4100"]),
        ],
    );
}

#[test]
fn kinds_about_one_run_or_model() {
    kind_comes_out(
        "learns: slim",
        &[
            ("supported", |i| i.right("slim", 9_500), &["Yes", "95.00 %", "11.35 %"]),
            ("refuted", |i| i.right("slim", 1_135), &["No", "11.35 %"]),
            ("undecided", |i| i.right("slim", 2_270), &["Not decided", "22.70 %"]),
        ],
    );
    kind_comes_out(
        "fewer_parameters: {model: slim, than: baseline}",
        &[
            ("supported", |_| {}, &["Yes", "338,058", "1,200,074", "3.55 times"]),
            ("refuted", |i| i.results.models["slim"].parameters = 1_200_074, &["No", "1,200,074"]),
        ],
    );
}

#[test]
fn kinds_about_two_runs_and_more() {
    kind_comes_out(
        "keeps_accuracy: slim-baseline",
        &[
            (
                "supported",
                |i| i.right("slim", 9_790),
                &["Yes", "97.90 %", "97.00 %", "0.90", "0.10", "over the test images", "3.55 times"],
            ),
            ("refuted", |i| i.right("slim", 9_550), &["No", "95.50 %", "\u{2212}1.50"]),
            ("undecided", |i| i.right("slim", 9_705), &["Not decided", "97.05 %", "0.05"]),
        ],
    );
    kind_comes_out(
        "better: batch-norm",
        &[
            ("supported", |i| i.right("slim-bn", 9_862), &["Yes", "98.62 %", "97.00 %", "1.62"]),
            ("refuted", |i| i.right("slim-bn", 9_500), &["No", "95.00 %", "\u{2212}2.00"]),
            ("undecided", |i| i.right("slim-bn", 9_702), &["Not decided", "97.02 %"]),
        ],
    );
    // `slim` and `overfit` have no comparison in the study, so their images are not paired.
    kind_comes_out(
        "best_of: [slim, overfit, slim-bn]",
        &[
            ("supported", |i| i.right("slim", 9_790), &["“Slim”, with", "97.90 %"]),
            (
                "undecided",
                |i| i.right("slim", 9_702),
                &["A tie", "97.02 %", "“Trained to overfit” and “Slim with batch normalisation”"],
            ),
        ],
    );
    kind_comes_out(
        "order_matters: {shuffled: overfit-shuffled, ordered: overfit-as-written}",
        &[
            (
                "supported",
                |i| i.right("overfit-as-written", 921),
                &["Yes", "9.21 %", "97.00 %", "Class by class, a batch has images of one or two classes."],
            ),
            ("refuted", |i| i.right("overfit-as-written", 9_690), &["No", "96.90 %"]),
            ("undecided", |i| i.right("overfit-as-written", 9_600), &["Not decided", "96.00 %"]),
        ],
    );
}

#[test]
fn what_was_not_measured_decides_nothing() {
    for yaml in ["overfits: slim", "learns: slim", "keeps_accuracy: slim-baseline", "best_of: [slim, slim-bn]"] {
        let mut invented = Invented::of(FULL);
        let id = invented.ask(yaml);
        invented.results.runs.shift_remove("slim");
        let concluded = invented.conclude(&id);
        assert_eq!((concluded.finding.as_str(), concluded.answer.as_str()), ("undecided", "Not decided."), "{yaml}");
        assert!(concluded.obstacle.contains("runs.slim"), "{yaml}: {}", concluded.obstacle);
    }
    // Two runs that gave the same network have no interval.
    let mut invented = Invented::of(FULL);
    let weights = invented.results.runs["slim"].seeds[0].weights_sha256.clone();
    invented.results.runs["slim-bn"].seeds[0].weights_sha256 = weights;
    let concluded = invented.conclude("better-batch-norm");
    assert_eq!(concluded.finding, "undecided");
    assert!(concluded.obstacle.contains("same network"), "{}", concluded.obstacle);
}

#[test]
fn seeds_that_disagree_leave_a_kind_undecided() {
    let mut invented = Invented::of(EXTENDED);
    let id = invented.ask("overfits: slim");
    invented.losses("slim", 0.005, 0.1);
    let last = invented.results.runs["slim"].seeds[4].epochs.last_mut().unwrap();
    (last.train_loss, last.test.loss) = (0.5, 0.6);
    let concluded = invented.conclude(&id);
    assert_eq!(concluded.finding, "undecided");
    assert!(concluded.answer.contains("4 of 5 seeds overfit"), "{}", concluded.answer);
    // Over several seeds, the interval is over seeds.
    let mut invented = Invented::of(EXTENDED);
    invented.right("slim-bn", 9_790);
    let concluded = invented.conclude("better-batch-norm");
    assert_eq!(concluded.finding, "supported");
    assert!(
        concluded.answer.contains("over 5 seeds each") && !concluded.answer.contains("test images"),
        "{}",
        concluded.answer
    );
}

#[test]
fn a_conclusion_that_no_section_names_is_in_the_first_section() {
    let bundle = built_with(&[("answers: [learns, keeps-accuracy-norm]", "answers: [keeps-accuracy-norm]")]);
    let report = bundle.text("report.md");
    let first = report.split("\n## ").nth(1).unwrap();
    assert!(first.starts_with("What was asked, and what was found"), "{first}");
    for told in ["*Does the network learn?* Yes, it gets ", "*Is the early stop better?* "] {
        assert!(first.contains(told), "{told}: {first}");
    }
}
