//! A diverged run is a result: the other runs continue, the report names the epoch, the step and likely causes, and
//! `verify` confirms them.
//!
//! Longer than 400 lines because one study with every kind of divergence is built once, and all tests look at that bundle.

use std::fs;
use std::sync::OnceLock;

use mnist_report::compute::DeviceChoice;
use mnist_report::demo::{FORGERIES, Honest};
use mnist_report::results::{Checked, NotFinite, Results};
use mnist_report::verify::{Rung, Status, verify};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::*;

/// A study with these runs.
fn study(runs: &str) -> String {
    format!(
        "title: Divergence
models:
  linear: {{layers: [flatten, linear: {{out_features: 10}}]}}
  conv: {{layers: [conv2d: {{out_channels: 4, kernel_size: 5, stride: 2}}, relu, flatten, linear: {{out_features: 10}}]}}
  gelu: {{layers: [conv2d: {{out_channels: 4, kernel_size: 5, stride: 2}}, gelu, flatten, linear: {{out_features: 10}}]}}
  norm: {{layers: [conv2d: {{out_channels: 4, kernel_size: 5}}, batch_norm2d, relu, flatten, linear: {{out_features: 10}}]}}
defaults: {{train: {{images: {{first: 200}}}}, epochs: 3, batch_size: 50, seeds: [1], optimizer: {{sgd: {{lr: 0.01}}}}}}
runs:
{runs}"
    )
}

/// A study with a run that diverges and one of which only one seed diverges, between runs that do not, and with every
/// part of a study that can refer to runs.
fn all_kinds() -> String {
    study(
        "  steady: {model: conv, evidence: {candidates: 2, keep: 1}}
  fast: {title: Too fast, model: conv, optimizer: {sgd: {lr: 1000, momentum: 0.5}}, evidence: {candidates: 2, keep: 1}}
  half: {title: Half, model: conv, optimizer: {sgd: {lr: 15}}, seeds: [1, 3]}
  calm: {model: gelu, evaluate_train: true}
comparisons:
  fair: {title: Fair, run: steady, against: calm}
  hopeless: {title: Hopeless, run: steady, against: fast, margin: 0.01}
sections:
  - title: All
    runs: [steady, fast, half, calm]
    comparisons: [fair, hopeless]
    show: [curves, gain, per_class, confusion, predictions, ladder, misclassified, disagreements]
  - title: Alone
    runs: [fast]
    comparisons: [hopeless]
    show: [curves, gain, per_class, confusion, predictions, ladder, misclassified, disagreements]
    points: [{title: Elsewhere, parameters: 1000, accuracy: 0.9}]
claims:
  - {id: absent, group: G, quote: q, printed: \"0.5\", measured: runs.fast.accuracy, compare: printed}
  - {id: half, group: G, quote: q, printed: \"0.5\", measured: runs.half.accuracy, compare: printed}
  - {id: compared, group: G, quote: q, printed: \"0.5\", measured: comparisons.hopeless.difference, compare: printed}
conclusions:
  - {id: c, question: Is it better?, supported_if: runs.steady.accuracy > runs.fast.accuracy, refuted_if: comparisons.hopeless.upper < 0, supported: y, refuted: n, undecided: unknown}
",
    )
}

/// A bundle in its own folder, and the output of building it.
struct Diverged {
    bundle: Bundle,
    done: Done,
    _home: TempDir,
}

impl Diverged {
    fn of(yaml: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let study = home.path().join("bundle.yaml");
        fs::write(&study, yaml).unwrap();
        let bundle = Bundle::at(home.path().join("bundle"));
        let done = run(&mut build(&study, &bundle.path));
        Self { bundle, done, _home: home }
    }

    fn build_again(&self) -> Done {
        run(&mut build(&self.bundle.path.with_extension("yaml"), &self.bundle.path))
    }

    fn results(&self) -> Results {
        Results::from_json(&self.bundle.text("results.json")).unwrap()
    }

    /// The epoch and step in which a seed of a run diverged.
    fn place(&self, run: &str, seed: u64) -> NotFinite {
        let results = self.results();
        let found = results.diverged[run].diverged().find(|s| s.seed == seed).map(|s| s.not_finite);
        found.unwrap_or_else(|| panic!("{run}, seed {seed} did not diverge"))
    }
}

/// The bundle of `all_kinds`. No test may change it.
fn all() -> &'static Diverged {
    static ALL: OnceLock<Diverged> = OnceLock::new();
    ALL.get_or_init(|| Diverged::of(&all_kinds()))
}

fn place(epoch: usize, step: usize, value: Checked) -> NotFinite {
    NotFinite { epoch, step, value }
}

#[test]
fn the_other_runs_go_on_and_the_build_names_those_that_diverged() {
    let Diverged { bundle, done, .. } = all();
    assert_eq!(done.code, 1, "{}", done.err);
    assert_eq!(done.report_id(), bundle.report_id());
    assert_eq!(
        done.err,
        "error: 2 of 4 runs diverged: fast (seed 1: training loss not finite in epoch 2, step 3), half (seed 1: test loss \
         not finite after epoch 3 (step 4)); the report lists usual causes\n"
    );
    let results = all().results();
    assert_eq!(results.runs.keys().collect::<Vec<_>>(), ["steady", "calm"]);
    assert_eq!(results.diverged.keys().collect::<Vec<_>>(), ["fast", "half"]);
    assert_eq!(results.comparisons.keys().collect::<Vec<_>>(), ["fair"]);
    assert_eq!(all().place("fast", 1), place(2, 3, Checked::TrainingLoss));
    assert_eq!(all().place("half", 1), place(3, 4, Checked::TestLoss));
    assert_eq!(results.diverged["half"].finished().map(|s| s.seed).collect::<Vec<_>>(), [3]);
    for folder in ["predictions", "weights", "evidence"] {
        let stems: Vec<String> = names(&bundle.path.join(folder))
            .iter()
            .map(|name| name.trim_end_matches(".idx1-ubyte").trim_end_matches(".safetensors").to_owned())
            .collect();
        assert_eq!(stems, ["calm", "half.seed3", "steady"], "a seed that diverged has no files");
    }
}

/// Every number in every file is finite, in JSON and in tensors.
#[test]
fn no_file_holds_nan() {
    for (path, bytes) in all().bundle.identity() {
        if path.ends_with(".safetensors") {
            for tensor in mnist_report::tensors::from_safetensors(&bytes).unwrap() {
                assert!(tensor.values.iter().all(|x| x.is_finite()), "{path}: {}", tensor.name);
            }
        } else if path.starts_with("losses/") {
            assert!(mnist_report::results::read_losses(&bytes).is_ok(), "{path}");
        } else if !path.starts_with("predictions/") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains("NaN") && !text.contains("Infinity"), "{path}");
        }
    }
}

#[test]
fn the_first_value_that_is_not_finite_is_named() {
    let sgd = |model: &str, lr: &str, more: &str| {
        format!("  r: {{model: {model}, optimizer: {{sgd: {{lr: {lr}}}}}{more}}}\n")
    };
    let held = ", train: {images: {first: 200}, hold_out: 50}";
    for (run, expected) in [
        (sgd("conv", "1000", ""), place(2, 3, Checked::TrainingLoss)),
        (sgd("gelu", "1000", ""), place(2, 3, Checked::TrainingLoss)),
        ("  r: {model: conv, optimizer: {adam: {lr: 1.0e+30}}}\n".into(), place(1, 2, Checked::TrainingLoss)),
        ("  r: {model: gelu, optimizer: {adam: {lr: 1.0e+30}}}\n".into(), place(1, 2, Checked::TrainingLoss)),
        ("  r: {model: norm, optimizer: {adamw: {lr: 1.0e+38}}}\n".into(), place(1, 2, Checked::TrainingLoss)),
        // With one step per epoch, its training loss is that of the initial weights.
        (sgd("linear", "1.0e+38", ", batch_size: 200"), place(1, 1, Checked::TestLoss)),
        (sgd("gelu", "1.0e+38", ", batch_size: 200"), place(1, 1, Checked::TestLoss)),
        (sgd("conv", "1.0e+300", ", batch_size: 200"), place(1, 1, Checked::TestLoss)),
        (
            sgd("linear", "1.0e+38", &format!(", batch_size: 200, evaluate_train: true{held}")),
            place(1, 1, Checked::TestLoss),
        ),
    ] {
        let built = Diverged::of(&study(&run));
        assert_eq!(built.done.code, 1, "{run}: {}", built.done.err);
        assert_eq!(built.place("r", 1), expected, "{run}");
        assert!(built.bundle.text("report.md").contains("r diverged"), "{run}");
        let verified = verify(&built.bundle.path, Some(Rung::Rerun), DeviceChoice::Cpu).unwrap();
        let rerun = verified.steps.iter().find(|step| step.rung == Rung::Rerun).unwrap();
        assert_eq!(rerun.status, Status::Passed, "{run}: {verified:?}");
        assert!(verified.asked(Status::Failed).next().is_none(), "{run}: {verified:?}");
    }
}

#[test]
fn the_smallest_study_with_a_second_run_that_diverges() {
    let base = "title: T
models: {m: {layers: [flatten, linear: {out_features: 10}]}}
runs:
  r: {model: m, train: {images: {first: 64}}, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]}
";
    let alone = Diverged::of(base);
    assert_eq!(alone.done.code, 0, "{}", alone.done.err);
    let second = |lr: &str| {
        let run = "  b: {model: m, train: {images: {first: 64}}, epochs: 1, batch_size: 64, optimizer: {sgd: {lr: LR}}, seeds: [1]}\n";
        Diverged::of(&format!("{base}{}", run.replace("LR", lr)))
    };
    // Large but finite losses: one step of one layer.
    for lr in ["1000", "1.0e+30"] {
        let absurd = second(lr);
        assert_eq!(absurd.done.code, 0, "{}", absurd.done.err);
        absurd.bundle.run("verify", &["--upto", "rerun"]).exits(0);
    }
    let diverged = second("1.0e+38");
    assert_eq!(diverged.done.code, 1, "{}", diverged.done.err);
    assert!(diverged.done.err.contains("b (seed 1: "), "{}", diverged.done.err);
    assert!(diverged.results().runs["r"].seeds == alone.results().runs["r"].seeds, "the other run is unchanged");
    diverged.bundle.run("verify", &["--upto", "rerun"]).exits(0);
}

#[test]
fn the_order_of_runs_in_the_study_does_not_matter() {
    let (good, bad) = ("{model: conv}", "{model: conv, optimizer: {sgd: {lr: 1000}}}");
    for (runs, diverged) in [([bad, good, good], "first"), ([good, good, bad], "third"), ([good, bad, good], "second")]
    {
        let [a, b, c] = runs;
        let built = Diverged::of(&study(&format!("  first: {a}\n  second: {b}\n  third: {c}\n")));
        assert!(built.done.err.contains(&format!("error: 1 of 3 runs diverged: {diverged} (")), "{}", built.done.err);
        let report = built.bundle.text("report.md");
        let table = report.split("The models and runs side by side").nth(1).unwrap();
        let rows: Vec<usize> =
            ["first", "second", "third"].map(|name| table.find(&format!("| {name} |")).unwrap()).into();
        assert!(rows.is_sorted(), "the table of runs is in the study's order");
        built.bundle.run("verify", &["--upto", "rerun"]).exits(0);
    }
}

#[test]
fn a_study_whose_runs_all_diverge_has_a_report() {
    let runs = "  a: {model: conv, optimizer: {sgd: {lr: 1000}}}\n  b: {model: gelu, optimizer: {sgd: {lr: 1000}}}\n";
    let built = Diverged::of(&study(runs));
    assert!(built.done.err.starts_with("error: 2 of 2 runs diverged: "), "{}", built.done.err);
    assert_eq!(built.done.code, 1);
    let report = built.bundle.text("report.md");
    assert!(report.contains("2 of 2 runs diverged, so they have no results: a; b."), "{report}");
    assert!(!report.contains("section1-"), "no figure has anything to draw");
    for lang in ["uk", "en"] {
        built.bundle.run("render", &["--lang", lang]).exits(0);
    }
    // Without a network, two rungs have nothing to check, and are not reported as passed.
    let done = built.bundle.run("verify", &["--upto", "rerun", "--json"]).exits(2);
    let value: Value = serde_json::from_str(&done.out).unwrap();
    let statuses: Vec<&str> =
        value["steps"].as_array().unwrap().iter().map(|s| s["status"].as_str().unwrap()).collect();
    assert_eq!(
        statuses,
        ["passed", "passed", "passed", "passed", "not_checked", "not_checked", "passed", "passed"],
        "{}",
        done.out
    );
}

#[test]
fn the_report_names_a_diverged_run_wherever_its_results_would_be() {
    let bundle = &all().bundle;
    let report = bundle.text("report.md");
    for sentence in [
        "| Too fast | `conv` | 5,874 |",
        "2 of 4 runs diverged, so they have no results: Too fast; Half. Section 3 says where",
        "## 3 Runs that diverged",
        "- Seed 1 diverged: the training loss was not finite in epoch 2 of 3, step 3 of 4.",
        "- Seed 1 diverged: the test loss was not finite after epoch 3 of 3, that is after step 4 of 4.",
        "- Seed 3 was trained to the end: test accuracy 0.87 %, test loss 4.1414e37.",
        "SGD, learning rate 1000, momentum 0.5: the learning rate is 10,000 times 0.1, about the largest that is usual for SGD.",
        "Momentum 0.5: steps in the same direction add up to 2 times one step.",
        "With mean 0.5 and std 0.5, pixels are from −1 to 1, which is usual.",
        "The model has no layer that keeps the values’ scale",
        "Try a learning rate of 0.1 or less first.",
        "Too fast diverged (Section 3), so it is in no table of results and in no figure.",
        "Half diverged (Section 3), so it is in no table of results and in no figure.",
        "Hopeless: not measured, because this run diverged: Too fast.",
        "- Too fast (network “conv”): training images: 200 (the first); epochs: 3 planned, diverged;",
        "**Undecided.** *Is it better?* unknown",
        "0 match what was computed or measured here, 0 differ, and 3 were not measured",
    ] {
        assert!(report.contains(sentence), "`{sentence}` is not in: {report}");
    }
    let html = bundle.text("report.html");
    assert!(html.contains("href=\"#diverged-fast\"") && html.contains("id=\"diverged-fast\""));
    for (path, bytes) in bundle.identity() {
        if path.ends_with(".svg") {
            let svg = String::from_utf8(bytes).unwrap();
            assert!(!svg.contains("Too fast") && !svg.contains("Half") && !svg.contains("Hopeless"), "{path}");
        }
    }
    let figures = names(&bundle.path.join("figures"));
    assert!(!figures.iter().any(|name| name.starts_with("section2-")), "{figures:?}");
    assert!(figures.contains(&"section1-curves.svg".into()) && figures.contains(&"section1-gain.svg".into()));
}

#[test]
fn causes_are_given_with_the_values_of_the_study() {
    for (run, head, expected) in [
        (
            "  r: {model: linear, batch_size: 200, optimizer: {sgd: {lr: 0.1}}}\n",
            "input: {mean: 0, std: 1.0e-30}\n",
            &[
                "SGD, learning rate 0.1: the learning rate is not above 0.1, about the largest that is usual for SGD.",
                "With mean 0 and std 1e−30, pixels are from 0 to 1e30. That is far beyond the usual −3 to 3.",
                "Try the usual mean and std of the input, 0.1307 and 0.3081 for MNIST, first.",
            ][..],
        ),
        (
            "  r: {model: norm, optimizer: {adamw: {lr: 1.0e+37, weight_decay: 2}}}\n",
            "",
            &[
                "AdamW, learning rate 1e37, weight decay 2: the learning rate is 1e40 times 0.001, PyTorch’s default.",
                "The model has layers that keep the values’ scale (batch\\_norm2d).",
                "Weight decay 2 times the learning rate is 2e37.",
            ],
        ),
        (
            "  r: {model: conv, optimizer: {sgd: {lr: 1000, momentum: 1}}}\n",
            "",
            &["Momentum 1: steps in the same direction add up without limit."],
        ),
        // A schedule can raise the rate above the optimizer's.
        (
            "  r: {model: conv, epochs: 9, optimizer: {sgd: {lr: 0.01}}, schedule: {step: {step_size: 1, gamma: 100}}}\n",
            "",
            &[
                "SGD, learning rate 0.01, times 100 every epoch: the learning rate was ",
                "about the largest that is usual for SGD.",
                "Try a schedule that keeps the learning rate at 0.1 or less first.",
            ],
        ),
        (
            "  r: {model: conv, epochs: 9, optimizer: {sgd: {lr: 0.01}}, schedule: {cosine: {min_lr: 100000}}}\n",
            "",
            &["Try a schedule that keeps the learning rate at 0.1 or less first."],
        ),
        (
            "  r: {model: conv, epochs: 9, optimizer: {sgd: {lr: 100000}}, schedule: {one_cycle: {cycle_momentum: false}}}\n",
            "",
            &["the learning rate was ", "Try a learning rate of 0.1 or less first."],
        ),
    ] {
        let built = Diverged::of(&format!("{head}{}", study(run)));
        assert_eq!(built.done.code, 1, "{run}: {}", built.done.err);
        let report = built.bundle.text("report.md");
        for sentence in expected {
            assert!(report.contains(sentence), "`{sentence}` is not in: {report}");
        }
        if run.contains("schedule") {
            assert!(!report.contains("not above"), "the rate in force was high: {report}");
        }
    }
}

/// Otherwise a run that diverged would be left out of the worst of all runs, which would decide a conclusion.
#[test]
fn all_runs_together_are_not_measured_if_one_diverged() {
    let all = [
        "runs|length",
        "runs|list|length",
        "runs|items|map(attribute=1)|map(attribute='accuracy')|min",
        "comparisons|length",
        "(runs|items|list)|length",
        "runs|items|first|length",
        "(runs|list|sort|join(','))|length",
    ];
    let claims: String = all
        .iter()
        .enumerate()
        .map(|(i, text)| {
            format!("  - {{id: c{i}, group: G, quote: q, printed: \"1\", measured: \"{text}\", compare: {{absolute: 90}}}}\n")
        })
        .collect();
    let yaml = study("  good: {model: linear}\n  bad: {model: conv, optimizer: {sgd: {lr: 1000}}}\n");
    let built = Diverged::of(&format!(
        "{yaml}comparisons: {{c: {{run: good, against: bad}}}}\nclaims:\n{claims}conclusions:
  - {{id: one, question: q, supported_if: runs|length == 1, refuted_if: runs|length != 1, supported: y, refuted: n, undecided: u}}
  - {{id: in, question: q, supported_if: \"'bad' in (runs|list)\", refuted_if: \"'bad' not in (runs|list)\", supported: y, refuted: n, undecided: u}}
  - {{id: good, question: q, supported_if: runs.good.accuracy > 0, refuted_if: \"false\", supported: y, refuted: n, undecided: u}}
"
    ));
    assert_eq!(built.done.code, 1, "{}", built.done.err);
    let report = built.bundle.text("report.md");
    assert!(report.contains(&format!("0 differ, and {} were not measured", all.len())), "{report}");
    let undecided = "**Undecided.** *q* u";
    assert_eq!(report.matches(undecided).count(), 2, "{report}");
    assert!(report.contains("`runs.bad`"), "the run is named: {report}");
    assert!(report.contains("**Supported (one seed).** *q* y"), "{report}");
}

#[test]
fn a_run_that_diverged_is_taken_from_the_run_cache() {
    let built = Diverged::of(&study(
        "  bad: {model: conv, optimizer: {sgd: {lr: 1000}}, seeds: [1, 2]}\n  good: {model: conv}\n",
    ));
    assert!(built.bundle.kept().iter().all(|(_, kept)| !kept));
    let before = built.bundle.identity();
    let again = built.build_again();
    let cached = "note: not trained now but taken from the run cache: bad.seed1, bad.seed2, good\n";
    assert_eq!((again.code, again.err), (1, cached.to_owned() + &built.done.err));
    let kept = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), true)).collect::<Vec<_>>();
    assert_eq!(built.bundle.kept(), kept(&["bad.seed1", "bad.seed2", "good"]));
    assert!(built.bundle.identity() == before);
}

#[test]
fn verify_reports_the_divergence_and_rerun_proves_it() {
    let bundle = &all().bundle;
    let done = bundle.run("verify", &["--upto", "rerun"]).exits(0);
    for line in [
        "                       not checked: 2 trainings that diverged have no predictions; `rerun` proves it, and `replay` if they are cheap",
        "                       not checked: 2 trainings that diverged have no weights; `rerun` proves it, and `replay` if they are cheap",
        "5 trainings done again from the first step to the last (bit for bit): ",
        "fast (diverged), half.seed1 (diverged)",
        "; 2 trainings diverged again;",
        "Diverged  fast (seed 1: training loss not finite in epoch 2, step 3)",
        "Diverged  half (seed 1: test loss not finite after epoch 3 (step 4))",
    ] {
        assert!(done.out.contains(line), "`{line}` is not in: {}", done.out);
    }
    let json: Value = serde_json::from_str(&bundle.run("verify", &["--json", "--upto", "files"]).exits(0).out).unwrap();
    assert_eq!(json["diverged"][0], "fast (seed 1: training loss not finite in epoch 2, step 3)");
    let batch = on_paths("verify", &["--upto", "metrics"], &[&bundle.path, &shared().0.path]).exits(0);
    assert!(batch.out.contains("; diverged: fast (seed 1"), "{}", batch.out);
}

/// If a training is too expensive to repeat at `replay`, only its first ten steps are repeated. They prove only a
/// divergence in these steps.
#[test]
fn an_expensive_training_that_diverged_later_is_not_checked_by_name() {
    let dear = |lr: &str, epochs: usize| {
        let run = format!("  r: {{model: conv, epochs: {epochs}, optimizer: {{sgd: {{lr: {lr}}}}}}}\n");
        Diverged::of(&study(&run))
    };
    let early = dear("1000", 9000);
    let done = early.bundle.run("verify", &["--upto", "replay"]);
    let replay = done.out.lines().find(|line| line.starts_with("replay")).unwrap();
    assert!(replay.starts_with("replay    passed       1 training done again"), "{replay}");
    let late = dear("15", 9000);
    let done = late.bundle.run("verify", &["--upto", "replay"]);
    let whole = "1 training done again from the first step to the last (bit for bit): r (diverged)";
    assert!(done.out.contains(whole), "it diverged soon: {}", done.out);
    let done = late.bundle.run("verify", &["--upto", "replay", "--as-if-long", "r"]).exits(2);
    let replay = done.out.lines().find(|line| line.starts_with("replay")).unwrap();
    assert!(
        replay.starts_with("replay    not checked  not checked: ") && replay.ends_with(": r (diverged)"),
        "{replay}"
    );
}

/// A forger may claim that a run diverged, or change the step. The rungs that repeat the training find this.
#[test]
fn a_false_place_of_the_divergence_is_found() {
    type Change = fn(&mut Value);
    let honest = Honest::open(&all().bundle.path, DeviceChoice::Cpu, None).unwrap();
    let changes: [(&str, Change, Rung); 6] = [
        ("a step earlier", |r| at(r)["step"] = json!(2), Rung::Replay),
        ("a step later", |r| at(r)["step"] = json!(4), Rung::Replay),
        ("an epoch later", |r| at(r)["epoch"] = json!(3), Rung::Replay),
        ("in its first step", |r| *at(r) = json!({"epoch": 1, "step": 1, "value": "training_loss"}), Rung::Replay),
        ("the test loss", |r| *at(r) = json!({"epoch": 1, "step": 4, "value": "test_loss"}), Rung::Replay),
        (
            "other weights",
            |r| r["diverged"]["fast"]["seeds"][0]["diverged"]["initial_weights_sha256"] = json!("0".repeat(64)),
            Rung::Replay,
        ),
    ];
    for (what, change, rung) in changes {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("forged");
        let mut draft = honest.draft();
        draft.change_json("results.json", change).unwrap();
        draft.redo(mnist_report::demo::Redo::Everything).unwrap();
        draft.save(&dir).unwrap();
        let verified = verify(&dir, Some(Rung::Rerun), DeviceChoice::Cpu).unwrap();
        let failed: Vec<Rung> = verified.asked(Status::Failed).map(|step| step.rung).collect();
        assert_eq!(failed, [rung, Rung::Rerun], "{what}: {verified:?}");
    }
}

fn at(results: &mut Value) -> &mut Value {
    &mut results["diverged"]["fast"]["seeds"][0]["diverged"]["not_finite"]
}

#[test]
fn a_bundle_with_a_run_that_diverged_can_be_forged_like_any_other() {
    let honest = Honest::open(&all().bundle.path, DeviceChoice::Cpu, None).unwrap();
    let home = tempfile::tempdir().unwrap();
    let chosen = FORGERIES.iter().find(|f| f.name == "chosen").unwrap();
    let error = honest.forge(chosen, &home.path().join("chosen")).unwrap_err();
    let lacking = error.lacking().expect("a forgery that the bundle does not allow");
    assert_eq!(lacking.to_string(), "the bundle has no single drawn segment");
    let forgeries = FORGERIES.iter().filter(|f| honest.has_run_for(f) && f.name != "chosen");
    for forgery in forgeries {
        let dir = home.path().join(forgery.name);
        honest.forge(forgery, &dir).unwrap_or_else(|e| panic!("{}: {e}", forgery.name));
        let verified = verify(&dir, Some(forgery.caught_by), DeviceChoice::Cpu).unwrap();
        let first = verified.asked(Status::Failed).next().map(|step| step.rung);
        assert_eq!(first, Some(forgery.caught_by), "{}: {verified:?}", forgery.name);
    }
}

#[test]
fn diff_compares_how_the_trainings_ended() {
    let slower = Diverged::of(&all_kinds().replace("lr: 1000", "lr: 0.001"));
    let done = on_paths("diff", &["--json"], &[&all().bundle.path, &slower.bundle.path]).exits(1);
    let value: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(value["exact"][0]["what"], "runs.fast.optimizer.sgd.lr");
    let [fast] = value["measured"].as_array().unwrap().as_slice() else { panic!("{}", done.out) };
    assert_eq!(fast["run"], "fast");
    assert_eq!(fast.get("accuracy"), None, "a run that diverged has no accuracy");
    let first = &fast["seeds"][0]["parts"];
    assert_eq!((&first["epoch"], &first["quantity"]), (&json!(2), &json!("end of the training")));
    assert_eq!(first["a"], "diverged: training loss not finite in epoch 2, step 3");
    assert_eq!(first["b"], "trained to the end");
    let text = on_paths("diff", &[], &[&all().bundle.path, &slower.bundle.path]).exits(1).out;
    assert!(text.contains("fast, seed 1: first difference in epoch 2, end of the training: diverged: "), "{text}");
    on_paths("diff", &[], &[&all().bundle.path, &all().bundle.path]).exits(0);
}

#[test]
fn a_bundle_with_a_diverged_run_is_published_and_rendered_like_any_other() {
    let home = tempfile::tempdir().unwrap();
    copy_folder(&all().bundle.path, &home.path().join("bundle"));
    let bundle = Bundle::at(home.path().join("bundle"));
    bundle.run("publish", &[]).exits(0);
    on_paths("verify", &[], &[&bundle.zip()]).exits(0);
    bundle.run("publish", &["--lean"]).exits(0);
    on_paths("verify", &["--upto", "metrics"], &[&bundle.zip()]).exits(0);
    let before = bundle.identity();
    bundle.run("render", &["--lang", "uk"]).exits(0);
    let report = bundle.text("report.md");
    for sentence in [
        "Запуски, що розбіглися",
        "2 запуски розбіглися, тому не мають результатів (усього запусків: 4): Too fast; Half.",
        "Seed 1: навчання розбіглося, втрати під час навчання перестали бути скінченними у 2-й епосі з 3, на кроці 3 з 4.",
        "Навчання запуску «Too fast» розбіглося (розд. 3), тому його немає",
        "Hopeless: не виміряно, бо розбігся запуск: Too fast.",
    ] {
        assert!(report.contains(sentence), "`{sentence}` is not in: {report}");
    }
    bundle.run("verify", &[]).exits(0);
    bundle.run("render", &["--lang", "en"]).exits(0);
    assert!(bundle.identity() == before);
}

#[test]
fn a_note_names_the_run_that_diverged() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("s.yaml");
    fs::write(&study, all_kinds()).unwrap();
    let done = run(program(["build", "--device", "cpu"]).arg(&study)).exits(1);
    let notes: Vec<&str> = done.err.lines().filter(|line| line.starts_with("note: ")).collect();
    assert_eq!(notes.len(), 5, "{}", done.err);
    for (note, run) in notes.iter().zip(["fast", "half", "fast", "fast", "fast"]) {
        assert!(note.ends_with(&format!("has no value: run `{run}` diverged")), "{note}");
    }
    assert!(done.err.contains("\nfast: diverged: training loss not finite in epoch 2, step 3; "), "{}", done.err);
    assert!(
        done.err.contains("\nhalf.seed3: 87 of 10,000 test images correct (0.87 %), loss 4.1414e37; "),
        "{}",
        done.err
    );
}

/// Even absurd losses are results if they are finite.
#[test]
fn absurd_but_finite_runs_have_reports_that_verify() {
    let runs = "  sgd: {model: linear, optimizer: {sgd: {lr: 1000}}, epochs: 4, seeds: [1, 2]}
  adam: {model: conv, optimizer: {adam: {lr: 1.0e+6}}, evidence: {candidates: 2, keep: 1}}
  half: {model: conv, optimizer: {sgd: {lr: 15}}, seeds: [3], evidence: {candidates: 2, keep: 1}}
  decay: {model: linear, optimizer: {sgd: {lr: 0.1, weight_decay: 1.0e+5}}, epochs: 2}
  steady: {model: conv}
comparisons: {c: {run: adam, against: half}}
sections: [{title: S, runs: [sgd, adam, half, decay, steady], comparisons: [c], show: [curves, gain, per_class, confusion, predictions, ladder, misclassified, disagreements]}]
";
    for head in ["", "input: {mean: 0, std: 1.0e-12}\n", "input: {mean: 0, std: 1.0e+30}\n"] {
        let yaml = format!("{head}{}", study(runs));
        let yaml =
            if head.is_empty() { yaml } else { yaml.replace("lr: 1000", "lr: 0.01").replace("lr: 15", "lr: 1.0e-9") };
        let built = Diverged::of(&yaml);
        assert!(built.done.code < 2, "{head}: {}", built.done.err);
        assert!(!built.results().runs.is_empty(), "{head}: {}", built.done.err);
        built.bundle.run("verify", &["--upto", "rerun"]).exits(0);
        if head.is_empty() {
            assert_eq!(built.done.code, 0, "{}", built.done.err);
            let report = built.bundle.text("report.md");
            assert!(report.contains("4.1414e37"), "{report}");
            assert!(!report.contains("00000000000"), "no number has dozens of digits");
        }
    }
}

#[test]
fn a_bundle_of_another_schema_is_not_reported_as_false() {
    for (file, schema, word) in
        [("results.json", 2, "an older"), ("results.json", 99, "a newer"), ("manifest.json", 0, "an older")]
    {
        let bundle = built(MINI);
        bundle.change_json(file, |value| value["schema"] = json!(schema));
        bundle.redo_sums();
        let done = bundle.run("verify", &[]).exits(2);
        assert!(
            done.out.contains(&format!("has schema {schema}, that of {word} mnist-report than this one")),
            "{}",
            done.out
        );
        assert!(!done.out.contains("FAILED"), "{}", done.out);
        on_paths("diff", &[], &[&bundle.path, &bundle.path]).refused(&[word, "build the study again"]);
        if file == "results.json" {
            bundle.run("render", &[]).refused(&[word, "build the study again"]);
        }
    }
}

/// Equal ends of different trainings are no likeness: nothing was measured.
#[test]
fn trainings_that_all_diverged_have_no_measured_values_in_common() {
    let home = TempDir::new().unwrap();
    let bundles = [("1.0e+30", 3), ("1.0e+31", 5)].map(|(rate, epochs)| {
        let runs = format!("  r: {{model: conv, epochs: {epochs}, optimizer: {{sgd: {{lr: {rate}}}}}}}\n");
        let yaml = home.path().join(format!("{epochs}.yaml"));
        fs::write(&yaml, study(&runs)).unwrap();
        let bundle = Bundle::at(home.path().join(epochs.to_string()));
        run(&mut build(&yaml, &bundle.path));
        bundle
    });
    let results = |bundle: &Bundle| Results::from_json(&bundle.text("results.json")).unwrap();
    assert!(bundles.iter().all(|bundle| results(bundle).runs.is_empty() && !results(bundle).diverged.is_empty()));
    let done = on_paths("verify", &["--upto", "exact"], &[&bundles[0].path, &bundles[1].path]);
    assert!(!done.out.contains("The same"), "{}", done.out);
}
