//! Claims and conclusions of whole studies: unmeasured values decide nothing, values of different types are not
//! compared, and printed figures are parsed correctly.

use std::fs;

use crate::support::*;

const BASE: &str = "title: T
models: {m: {layers: [flatten, linear: {out_features: 10}]}}
runs: {r: {model: m, train: {images: {first: 64}}, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]}}
";

/// A condition that the smallest study meets.
const MET: &str = "runs.r.accuracy >= 0";

/// The smallest study with one conclusion.
fn concluding(supported_if: &str, refuted_if: &str, supported: &str) -> String {
    format!(
        "{BASE}conclusions:\n- {{id: the-one, question: Is it so?, supported_if: '{supported_if}', \
         refuted_if: '{refuted_if}', supported: '{supported}', refuted: 'No.', undecided: 'Unknown.'}}\n"
    )
}

/// The smallest study with claims, each `printed`, `measured`, `compare`.
fn claiming(claims: &[(&str, &str, &str)]) -> String {
    let claim = |(i, (printed, measured, compare)): (usize, &(&str, &str, &str))| {
        format!(
            "- {{id: c{i}, group: G, quote: q, printed: '{printed}', measured: '{measured}', compare: {compare}}}\n"
        )
    };
    format!("{BASE}claims:\n{}", claims.iter().enumerate().map(claim).collect::<String>())
}

/// The text of a study's report, and the messages of `build`.
fn reported(yaml: &str, exit: i32) -> (String, String) {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    fs::write(&study, yaml).unwrap();
    let mut build = program(["build", "--device", "cpu", "--out"]);
    let said = run(build.arg(home.path().join("out")).arg(&study)).exits(exit).err;
    let page = page_text(&fs::read_to_string(home.path().join("out/report.html")).unwrap());
    (page, said)
}

#[track_caller]
fn refused(yaml: &str, parts: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("study.yaml");
    fs::write(&study, yaml).unwrap();
    run(&mut build(&study, &home.path().join("out"))).refused(parts);
    assert!(!home.path().join("out").exists());
}

#[test]
fn a_value_that_was_not_measured_decides_nothing_and_is_named() {
    let value = "runs.r.last.train_eval_accuracy";
    let (page, said) = reported(&concluding(&format!("{value} < 0.99"), &format!("{value} >= 0.99"), "Yes."), 0);
    assert!(page.contains("Unknown.") && !page.contains("Yes."), "{page}");
    assert!(page.contains(&format!("Not measured: {value}.")), "{page}");
    assert!(said.contains("note: ") && said.contains(value) && said.contains("evaluate_train: true"), "{said}");
    assert!(said.find(value) < said.find("test images correct"), "the note comes before the training: {said}");
    for value in ["runs.r.sd", "runs.r.interval.lower", "runs.r.held_out_accuracy", "values.limit"] {
        let (page, said) = reported(&concluding(&format!("not ({value} > 0)"), &format!("{value} > 0"), "Yes."), 0);
        assert!(page.contains("Unknown.") && !page.contains("Yes."), "{value}: {page}");
        assert!(said.contains(value.split('.').nth(1).unwrap()), "{said}");
    }
}

#[test]
fn a_run_that_the_study_does_not_have_is_refused() {
    let condition = concluding("not (runs.q.accuracy > 0)", "runs.q.accuracy > 0", "Yes.");
    refused(&condition, &["study.yaml:5", "conclusions[0].supported_if", "unknown run `q`; this study has r"]);
}

#[test]
fn a_sentence_that_would_print_an_unmeasured_value_is_refused() {
    let sentence = "Yes, {{ runs.r.sd|fixed(2) }}.";
    refused(&concluding(MET, "false", sentence), &["study.yaml:5", "conclusions[0].supported", "runs.r.sd", "seeds"]);
    let (page, _) =
        reported(&concluding(MET, "false", "Yes{% if runs.r.sd is defined %}, {{ runs.r.sd }}{% endif %}."), 0);
    assert!(page.contains("Yes."), "{page}");
}

#[test]
fn a_conclusion_whose_sentence_has_no_value_is_undecided() {
    // The study may have two epochs, but the run stops after one.
    let yaml = concluding(MET, "false", "Yes, {{ runs.r.epochs[1].test_loss|fixed(2) }}.");
    let yaml = yaml.replace("epochs: 1", "epochs: 2, stop_below_train_loss: 100");
    let (page, said) = reported(&yaml, 0);
    assert!(page.contains("Unknown.") && page.contains("Not measured: runs.r.epochs[1]."), "{page} {said}");
}

#[test]
fn text_is_not_compared_with_numbers() {
    let limited = |limit: &str, condition: &str| {
        format!("values: {{limit: {limit}}}\n{}", concluding(condition, "false", "Yes."))
    };
    for limit in ["\"0,05\"", "\"0.05\"", "[0.05]", "true"] {
        refused(
            &limited(limit, "runs.r.accuracy > values.limit"),
            &["conclusions[0].supported_if", "compares a number with"],
        );
    }
    refused(&limited("\"0,05\"", "runs.r.accuracy > values.limit"), &["decimals with a point", "0,05"]);
    refused(&concluding("runs.r.accuracy|percent(2) > 50", "false", "Yes."), &["compares text"]);
    refused(&concluding("runs.r.accuracy", "false", "Yes."), &["must be true or false, but is a number"]);
    let comma = format!("values: {{x: 0,05}}\n{}", concluding("values.x > 0", "values.x <= 0", "Yes."));
    refused(&comma, &["study.yaml:1", "values.x", "decimals are written with a point"]);
    refused(&concluding(MET, MET, "Yes."), &["conclusions[0].refuted_if", "same condition"]);
    for (part, yaml) in [
        ("supported_if", concluding("true", "false", "Yes.")),
        ("supported_if", concluding("1 < 2 and not false", "false", "Yes.")),
        ("refuted_if", concluding(MET, "3 in [1, 2, 3]", "Yes.")),
    ] {
        refused(&yaml, &[&format!("conclusions[0].{part}"), "holds whatever is measured"]);
    }
}

#[test]
fn both_conditions_true_is_a_mistake_in_the_study() {
    let (page, said) = reported(&concluding("runs.r.accuracy > 0", "runs.r.accuracy > 0.001", "Yes."), 1);
    assert!(page.contains("both conditions hold") && page.contains("Unknown."), "{page}");
    assert!(said.contains("error: ") && said.contains("the-one") && said.contains("both conditions hold"), "{said}");
    assert!(said.contains("study.yaml:5"), "{said}");
}

#[test]
fn printed_figures_are_read_as_they_were_meant() {
    // Claims about constants. Those that match test nothing.
    let claims = [
        ("1e-3", "0.3", "printed", "differs"),
        ("1E-3", "0.001", "printed", "tests nothing"),
        ("\u{2212}0.5", "0.5", "printed", "differs"),
        ("\u{2013}0.5", "0 - 0.5", "printed", "tests nothing"),
        ("7,850", "models.m.parameters", "exact", "matches"),
        ("0.97", "0.98", "{absolute: 0.01}", "tests nothing"),
        ("97", "97.6", "{absolute: 1}", "tests nothing"),
        ("99", "97.59", "{absolute: 1}", "differs"),
    ];
    let yaml = claiming(&claims.map(|(printed, measured, compare, _)| (printed, measured, compare)));
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("study.yaml"), yaml).unwrap();
    run(&mut build(&home.path().join("study.yaml"), &home.path().join("out"))).exits(0);
    let report = fs::read_to_string(home.path().join("out/report.md")).unwrap();
    for (i, (printed, measured, compare, verdict)) in claims.iter().enumerate() {
        let row = report.lines().find(|line| line.contains(&format!("`c{i}`"))).unwrap_or_else(|| panic!("{report}"));
        assert!(row.contains(verdict), "{printed} {measured} {compare}: {row}");
    }
    assert!(report.contains("97 ± 1") && report.contains("97.6"), "{report}");
}

#[test]
fn a_printed_figure_that_cannot_be_compared_is_refused() {
    for (printed, measured, compare, part) in [
        ("9703 of 10000", "runs.r.correct", "exact", "holds 2 numbers"),
        ("0,97", "runs.r.accuracy", "printed", "decimals are written with a point"),
        ("half", "runs.r.accuracy", "printed", "changes what the number says"),
        ("[1, 2]", "runs.r.per_class", "printed", "the list has 10"),
        ("0.97", "runs.r.accuracy|fixed(2)", "printed", "text"),
        ("10 k", "runs.r.images", "exact", "in full"),
    ] {
        refused(&claiming(&[(printed, measured, compare)]), &["claims[0].printed", printed, part]);
    }
}

#[test]
fn two_runs_with_the_same_title_are_refused() {
    let run = "{model: m, train: {images: {first: 64}}, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]";
    let yaml = |title: &str, other: &str| {
        let (models, _) = BASE.split_once("runs:").unwrap();
        format!("{models}runs:\n  a: {run}, title: {title}}}\n  b: {run}, title: {other}}}\n")
    };
    refused(&yaml("Same", "Same"), &["study.yaml:5: runs.b", "`a` and `b`", "Same"]);
    refused(&yaml("One", "a ").replace("title: One", "dropout: true"), &["runs.b", "both shown as `a`"]);
}

#[test]
fn counts_keep_their_sign() {
    let (page, _) = reported(&concluding(MET, "false", "It is {{ (0 - 684)|count }}."), 0);
    assert!(page.contains("It is \u{2212}684."), "{page}");
    refused(&concluding(MET, "false", "It is {{ 1e300|count }}."), &["conclusions[0].supported", "too large"]);
}

#[test]
fn a_claim_that_would_match_anything_is_not_counted_as_a_match() {
    let empty = [
        ("99.99", "100 * runs.r.accuracy", "{absolute: 1e300}"),
        ("97", "100 * runs.r.accuracy", "{absolute: 97}"),
        ("97 %", "runs.r.accuracy", "{absolute: 97}"),
        ("97", "100 * runs.r.accuracy", "{relative: 1}"),
        ("0", "runs.r.accuracy", "{absolute: 1}"),
        ("true", "true", "exact"),
        ("7", "3 + 4", "exact"),
        ("5", "values.x", "exact"),
        ("true", "values.x == values.x", "exact"),
    ];
    let good = [("7850", "models.m.parameters", "exact"), ("0.5", "runs.r.accuracy", "{absolute: 0.49999}")];
    let yaml = claiming(&[&empty[..], &good].concat()) + "values: {x: 5}\n";
    let bundle = built(&yaml);
    let report = bundle.text("report.md");
    assert!(report.contains("9 test nothing"), "{report}");
    assert!(report.contains("Of 11 quoted claims, 2 match what was computed or measured here, 0 differ"), "{report}");
    let out = bundle.run("verify", &["--upto", "exact"]).exits(0).out;
    assert!(
        out.contains("9 claims test nothing, whatever is computed or measured: c0, c1, c2, c3, c4, c5, c6, c7, c8"),
        "{out}"
    );
    let bundle = built(&claiming(&good));
    assert!(!bundle.text("report.md").contains("nothing"), "only where there are such claims");
    assert!(!bundle.run("verify", &["--upto", "exact"]).exits(0).out.contains("nothing"));
}

/// The verdict of these expressions is the same for every network, in whatever form they are written.
#[test]
fn a_claim_that_no_measured_value_can_refute_tests_nothing() {
    let empty = [
        ("0.97", "0 * runs.r.accuracy + 0.97", "printed"),
        ("0.97", "runs.r.accuracy - runs.r.accuracy + 0.97", "printed"),
        ("1", "runs.r.loss / runs.r.loss", "exact"),
        ("0.97", "0.97 + runs.r.accuracy * 1e-9", "{absolute: 0.001}"),
        ("0.97", "0.96 + runs.r.accuracy / 100", "{absolute: 0.02}"),
        ("2", "[runs.r.accuracy, 2]|max", "exact"),
        ("0", "[runs.r.loss, 0]|min", "exact"),
        ("0.97", "0.97 if runs.r.accuracy >= 0 else 0", "exact"),
        ("0.5", "runs.r.accuracy ** 0 / 2", "exact"),
        ("true", "runs.r.accuracy <= 1", "exact"),
        ("true", "runs.r.loss >= 0 and runs.r.last.train_loss >= 0", "exact"),
        ("true", "runs.r.accuracy > 0.5 or runs.r.accuracy <= 0.5", "exact"),
        ("true", "runs.r.accuracy == runs.r.last.test_accuracy", "exact"),
        ("true", "runs.r.seeds[0].accuracy == runs.r.accuracy", "exact"),
        ("0", "runs.r.accuracy - runs.r.correct / runs.r.test_images", "{absolute: 0.000001}"),
        ("10", "runs.r.per_class|length", "exact"),
        ("true", "runs.r.wilson.lower <= runs.r.wilson.upper", "exact"),
        ("true", "runs.r.loss >= 0.69 * (1 - runs.r.accuracy)", "exact"),
        ("0", "models.m.parameters - models.m.layers.fc1.parameters - models.m.layers.flatten1.parameters", "exact"),
        ("5", "values.x + 0 * models.m.parameters", "exact"),
    ];
    let good = [
        ("true", "runs.r.accuracy > 0.001", "exact"),
        ("true", "runs.r.accuracy < 0.999", "exact"),
        ("true", "runs.r.loss > 0.001 and runs.r.loss < 1000", "exact"),
        ("7850", "models.m.layers.fc1.parameters", "exact"),
        ("10000", "runs.r.test_images", "exact"),
        ("[1, 10]", "[1, models.m.layers.fc1.output_shape[1]]", "exact"),
        ("linear", "models.m.layers.fc1.kind", "exact"),
        ("true", "runs.r.per_class|max > runs.r.per_class|min", "exact"),
    ];
    let bundle = built(&(claiming(&[&empty[..], &good].concat()) + "values: {x: 5}\n"));
    let verdicts = bundle.json("conclusions.json")["claims"].clone();
    for (i, (printed, measured, compare)) in empty.iter().chain(&good).enumerate() {
        let expected = if i < empty.len() { "tests nothing" } else { "matches" };
        assert_eq!(verdicts[i]["verdict"], expected, "{measured}: {printed}, {compare}");
    }
    bundle.run("verify", &["--upto", "exact"]).exits(0);
}

#[test]
fn a_conclusion_that_no_measured_value_can_change_is_named() {
    let conclusions: String = [
        ("a", "runs.r.accuracy >= 0", "false"),
        ("b", "runs.r.accuracy > 2", "runs.r.loss >= 0 and runs.r.accuracy <= 1"),
        ("c", "runs.r.accuracy > 0.001", "false"),
        ("d", "runs.r.accuracy > 0.999", "runs.r.accuracy <= 0.999"),
    ]
    .map(|(id, supported_if, refuted_if)| {
        format!(
            "- {{id: {id}, question: Is it so?, supported_if: '{supported_if}', refuted_if: '{refuted_if}', supported: 'Yes.', \
             refuted: 'No.', undecided: 'Unknown.'}}\n"
        )
    })
    .concat();
    let bundle = built(&format!("{BASE}conclusions:\n{conclusions}"));
    let out = bundle.run("verify", &["--upto", "exact"]).exits(0).out;
    assert!(out.contains("2 conclusions have the same answer, whatever is computed or measured: a, b\n"), "{out}");
}
