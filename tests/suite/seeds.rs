//! Intervals over seeds: each is beside its mean, and there is none if there are too few seeds.

use std::fs;

use crate::support::*;

/// A study of runs with one to four seeds. For each number of seeds, a separate section compares two runs.
fn study() -> String {
    let seeds = ["[1]", "[1, 2]", "[1, 2, 3]", "[1, 2, 3, 4]"];
    let each = |line: &dyn Fn(usize, &str) -> String| -> String {
        (1..).zip(seeds).map(|(n, seeds)| line(n, seeds)).collect()
    };
    let runs = each(&|n, seeds| {
        format!("  a{n}: {{model: only, seeds: {seeds}}}\n  b{n}: {{model: only, seeds: {seeds}, epochs: 2}}\n")
    });
    let comparisons = each(&|n, _| format!("  c{n}: {{run: b{n}, against: a{n}, margin: 0.01}}\n"));
    let sections = each(&|n, _| {
        format!("  - {{title: Section {n}, runs: [a{n}, b{n}], comparisons: [c{n}], show: [curves, gain, ladder]}}\n")
    });
    let conclusion = "conclusions:\n  - id: c\n    question: Is there an interval?\n    \
        supported_if: runs.a2.interval.lower > 0\n    refuted_if: comparisons.c2.lower > 0\n    \
        supported: Yes.\n    refuted: No.\n    undecided: Nobody knows.\n";
    let mini = MINI.replace("runs: {single: {model: only}}\n", &format!("runs:\n{runs}"));
    format!("{mini}comparisons:\n  d: {{run: a3, against: b2}}\n{comparisons}sections:\n{sections}{conclusion}")
        .replace("comparisons: [c3]", "comparisons: [c3, d]")
}

fn built_study() -> &'static Bundle {
    static BUNDLE: std::sync::OnceLock<(tempfile::TempDir, Bundle)> = std::sync::OnceLock::new();
    let (_, bundle) = BUNDLE.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("s.yaml"), study()).unwrap();
        let out = home.path().join("s");
        run(&mut build(&home.path().join("s.yaml"), &out)).exits(0);
        (home, Bundle::at(out))
    });
    bundle
}

/// The part of the report on runs with `n` seeds.
fn section(report: &str, n: usize) -> String {
    let heading = format!(" Section {n}\n");
    let start = report.find(&format!("## {}{heading}", n + 2)).unwrap();
    let rest = &report[start + 3..];
    rest[..rest.find("\n## ").unwrap()].to_owned()
}

/// The cells of the first row that begins with `start`, after the first line that contains `table`.
fn row<'a>(section: &'a str, table: &str, start: &str) -> Vec<&'a str> {
    let rows = &section[section.find(table).unwrap_or_else(|| panic!("no {table} in {section}"))..];
    let row = rows.lines().find(|l| l.starts_with(start)).unwrap();
    row.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn each_interval_is_beside_its_value() {
    let report = built_study().text("report.md");
    let number = |text: &str| text.trim_end_matches(" %").parse::<f64>().unwrap();
    let holds = |interval: &str, value: f64| {
        let (lower, upper) = interval.split_once(" to ").unwrap_or_else(|| panic!("{interval}"));
        assert!(number(lower) <= value && value <= number(upper), "{value} in {interval}");
    };
    for n in 1..=4 {
        let section = section(&report, n);
        if n == 1 {
            let table = "with the 95 % interval of each accuracy";
            let expected = ["Run", "Training loss", "Test loss", "Test accuracy", "Correct", "95 % interval"];
            assert_eq!(row(&section, table, "| Run "), expected);
            let cells = row(&section, table, "| a");
            holds(cells[5], number(cells[3]));
            continue;
        }
        let headings = row(&section, "95 % intervals of", "| Run ");
        let cells = row(&section, "95 % intervals of", "| a");
        let mut expected = vec![
            "Run",
            "Seeds",
            "Mean test accuracy",
            "Standard deviation, points",
            "Over seeds",
            "Test accuracy, first seed",
            "Over test images, first seed",
        ];
        // A column in which every row has the same reason is one sentence.
        let reason = "No intervals over seeds: two seeds give no useful interval.";
        assert_eq!(section.contains(reason), n == 2, "{section}");
        if n == 2 {
            expected.remove(4);
        } else {
            holds(cells[4], number(cells[2]));
        }
        assert_eq!(headings, expected);
        let [.., first_seed, over_images] = cells[..] else { panic!("{cells:?}") };
        holds(over_images, number(first_seed));
    }
}

#[test]
fn a_comparison_of_runs_with_two_seeds_has_no_interval_and_decides_nothing() {
    let report = built_study().text("report.md");
    let two_seeds = "two seeds give no useful interval";
    let cells = |n: usize, start: &str| {
        row(&section(&report, n), "Runs compared in pairs", start)
            .iter()
            .map(|c| (*c).to_owned())
            .collect::<Vec<String>>()
    };
    // A single comparison is a sentence.
    let sentence =
        |n: usize| section(&report, n).lines().find(|l| l.starts_with(&format!("c{n}: "))).unwrap().to_owned();
    assert!(sentence(1).contains("(over 10,000 test images); margin 1.00: "), "{}", sentence(1));
    assert!(sentence(1).contains(". Both networks classify "), "{}", sentence(1));
    assert!(sentence(2).contains(&format!("95 % interval: {two_seeds}; margin 1.00: undecided. ")), "{}", sentence(2));
    assert!(cells(3, "| c3 ")[2].contains("(over 3 seeds each)"));
    assert_eq!(cells(3, "| d ")[2], two_seeds, "one of the two runs has two seeds");
    // Results of the first seeds alone are not in a table with means over seeds, and are named in a sentence.
    let section = section(&report, 3);
    assert!(row(&section, "Runs compared in pairs", "| Comparison").iter().all(|h| !h.contains("McNemar")));
    assert!(row(&section, "The first seeds of the runs compared", "| Comparison").contains(&"McNemar’s p"));
    for n in [2, 4] {
        assert!(sentence(n).contains(". Both networks of the first seeds classify "), "{}", sentence(n));
    }
    let sentence = "Nobody knows.";
    assert!(report.contains(sentence), "an interval over two seeds decides no conclusion");
}

#[test]
fn a_mean_at_the_top_of_the_report_has_its_own_interval_or_none() {
    let report = built_study().text("report.md");
    let figures: Vec<&str> = report.lines().filter(|line| line.starts_with("- Test accuracy: ")).collect();
    let [one, other, two] = figures[..] else { panic!("{figures:?}") };
    assert!(one.contains(" over test images, one seed)") && other.contains(" over test images, one seed)"));
    assert!(two.ends_with("(mean of 2 seeds; no interval: two seeds give no useful interval)"), "{two}");
    let more = study().replace("  a1: {model: only, seeds: [1]}", "  a1: {model: only, seeds: [1, 2, 3]}");
    let more =
        more.replace("  b1: {model: only, seeds: [1], epochs: 2}", "  b1: {model: only, seeds: [4, 5, 6], epochs: 2}");
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("s.yaml"), more).unwrap();
    let out = home.path().join("s");
    run(&mut build(&home.path().join("s.yaml"), &out)).exits(0);
    let report = Bundle::at(out).text("report.md");
    let means =
        report.lines().filter(|l| l.starts_with("- Test accuracy: ") && l.contains("mean of 3 seeds; 95 % interval "));
    assert_eq!(means.count(), 2, "{report}");
}

/// `lr * weight_decay = 1` replaces the initial weights, and nothing else depends on the seed.
#[test]
fn seeds_that_gave_the_same_network_have_no_interval() {
    let home = tempfile::tempdir().unwrap();
    let mini = MINI
        .replace("{sgd: {lr: 0.1}}", "{sgd: {lr: 0.1, weight_decay: 10}}")
        .replace("seeds: [1]", "seeds: [1, 2, 3]")
        .replace("epochs: 1, batch_size: 50", "epochs: 2, batch_size: 64");
    let mini = mini.replace("images: {first: 50}}", "images: {first: 640}, order: by_class}").replace(
        "runs: {single: {model: only}}",
        "runs:
  a: {model: only}
  b: {model: only, train: {images: {first: 640}, order: as_stored}}
  c: {model: only, dropout: false}
  d: {model: only, seeds: [1]}
  e: {model: only, dropout: false, seeds: [4]}
comparisons:
  x: {run: b, against: a, margin: 0.001}
  y: {run: c, against: a, margin: 0.001}
  z: {run: e, against: d, margin: 0.001}
sections:
  - {title: S, runs: [a, b], comparisons: [x, y, z], show: [curves, gain, ladder]}
conclusions:
  - {id: c, question: Better?, supported_if: comparisons.x.lower > 0, refuted_if: comparisons.x.upper < 0, supported: y, refuted: n, undecided: u}",
    );
    fs::write(home.path().join("s.yaml"), mini).unwrap();
    let out = home.path().join("s");
    run(&mut build(&home.path().join("s.yaml"), &out)).exits(0);
    let bundle = Bundle::at(out);
    let report = bundle.text("report.md");
    assert!(!report.contains("0.00 to 0.00") && !report.contains(": not inferior"), "{report}");
    assert_eq!(row(&report, "95 % intervals of", "| a ")[4], "the seeds gave the same network");
    let cells = |start: &str| row(&report, "Runs compared in pairs", start)[2..].join("; ");
    assert_eq!(cells("| x "), "the seeds gave the same network; 0.10: undecided");
    assert_eq!(cells("| y "), "both runs gave the same network; 0.10: undecided");
    assert_eq!(cells("| z "), "both runs gave the same network; 0.10: undecided");
    assert!(report.contains("**Undecided.** *Better?* u"), "{report}");
    for figure in ["curves", "gain", "ladder"] {
        let svg = bundle.text(&format!("figures/section1-{figure}.svg"));
        assert!(svg.contains("the seeds gave the same network, so no interval is drawn"), "{figure}");
    }
    bundle.run("render", &["--lang", "uk"]).exits(0);
    assert!(bundle.text("report.md").contains("усі seed дали ту саму мережу"));
}

#[test]
fn figures_draw_no_interval_for_two_seeds_and_say_why() {
    let bundle = built_study();
    // Thin vertical lines in the colours of the measured values, not of the axes.
    let is_bar = |line: &&str| {
        let points = line.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let xs: Vec<&str> = points.split_whitespace().filter_map(|point| Some(point.split_once(',')?.0)).collect();
        line.starts_with("<polyline")
            && matches!(xs[..], [one, other] if one == other)
            && line.contains("stroke-width=\"1\"")
            && !["#5F6368", "#DDDFE2"].iter().any(|axis| line.contains(axis))
    };
    let bars = |figure: &str| {
        [1, 2, 3].map(|n| bundle.text(&format!("figures/section{n}-{figure}.svg")).lines().filter(is_bar).count())
    };
    let [one, two, three] = bars("curves");
    assert!(one == 0 && two == 0 && three > 0, "{one} {two} {three}");
    // The networks of the two runs are compared over the test images only where both end with the same epoch.
    let [one, two, three] = bars("gain");
    assert!(one == 0 && two == 0 && three > 0, "{one} {two} {three}");
    // One seed has an interval over the test images.
    let [one, two, three] = bars("ladder");
    assert!(one > 0 && two == 0 && three > 0, "{one} {two} {three}");
    let report = bundle.text("report.md");
    for n in 1..=4 {
        // The figures of the curves, the gain and the ladder.
        let reasons = section(&report, n).matches("two seeds give no useful interval, so none is drawn.").count();
        assert_eq!(
            reasons,
            match n {
                2 => 3,
                3 => 1,
                _ => 0,
            },
            "section {n}"
        );
        let over_seeds = section(&report, n).matches("ars: 95 % intervals over seeds").count();
        assert_eq!(over_seeds > 0, n > 2, "section {n}");
        let over_images = section(&report, n).contains("95 % intervals over test images, one seed");
        assert_eq!(over_images, n == 1, "section {n}");
    }
    assert!(report.contains("12.7 standard errors"));
}

#[test]
fn a_report_without_two_seeds_does_not_explain_them() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("s.yaml"), MINI).unwrap();
    let out = home.path().join("s");
    run(&mut build(&home.path().join("s.yaml"), &out)).exits(0);
    let report = Bundle::at(out).text("report.md");
    assert!(!report.contains("two seeds") && !report.contains("12.7") && report.contains("One seed cannot show that"));
}
