//! `grid`: a study whose runs are made from lists, its ranking and its matrix.

use std::fs;

use serde_json::json;

use crate::support::*;

/// Three networks, two optimizers, one seed: six trainings of milliseconds.
const STUDY: &str = "\
title: Grid
models:
  one: {title: One layer, layers: [flatten, {linear: {out_features: 10}}]}
  two: {layers: [flatten, {linear: {out_features: 16}}, relu, {linear: {out_features: 10}}]}
defaults: {train: {images: {first: 500}}, epochs: 1, batch_size: 50}
grid:
  model: [one, two]
  optimizer: [{sgd: {lr: 0.1}}, adam, adadelta]
  seeds: [1]
runs: {two-adadelta: null}
";

#[test]
fn the_report_ranks_the_runs_and_verify_counts_again() {
    let bundle = built(STUDY);
    let results = bundle.json("results.json");
    let correct = |run: &str| results["runs"][run]["seeds"][0]["epochs"][0]["test"]["correct"].as_u64().unwrap();
    let mut names = ["one-sgd", "one-adam", "one-adadelta", "two-sgd", "two-adam"];
    assert_eq!(results["runs"].as_object().unwrap().len(), names.len());
    names.sort_by_key(|name| std::cmp::Reverse(correct(name)));
    let best = names[0];
    let compared = results["comparisons"].as_object().unwrap();
    assert_eq!(compared.len(), 4);
    for name in &names[1..] {
        assert_eq!(compared[&format!("grid.{name}")]["against"], best);
    }

    let report = bundle.text("report.md");
    let ranking = report.lines().filter(|line| line.starts_with('|')).collect::<Vec<_>>();
    let header = ranking.iter().position(|line| line.contains("p, Holm")).expect("a ranking");
    for (i, name) in names.iter().enumerate() {
        let row = ranking[header + 2 + i];
        let accuracy = format!("{:.2}", correct(name) as f64 / 100.0);
        let rank = names.iter().filter(|other| correct(other) > correct(name)).count() + 1;
        assert!(row.contains(&format!("{rank} | {name} | {accuracy}")), "{row}");
        let difference = correct(best) - correct(name);
        let shown = if i == 0 { "–".to_owned() } else { format!("−{:.2}", difference as f64 / 100.0) };
        assert!(row.contains(&format!("| {shown} |")) || difference == 0, "{shown}: {row}");
    }
    let summary = format!("“{best}” has the highest test accuracy: {:.2}", correct(best) as f64 / 100.0);
    assert!(report.contains(&summary), "{summary}: {report}");
    assert!(report.contains("adjusted for all comparisons with the best (Holm 1979)"), "{report}");
    assert!(
        report.contains("For these networks alone, which one seed gave: of the 4 tested differences to it, "),
        "{report}"
    );
    assert!(report.contains("significant after Holm’s correction, p below 0.05 (McNemar’s exact test"), "{report}");
    let header = ranking.iter().position(|line| line.contains("| sgd | adam | adadelta |")).expect("a matrix");
    let row = ranking[header + 2];
    let cells = ["one-sgd", "one-adam", "one-adadelta"].map(|name| format!("{:.2}", correct(name) as f64 / 100.0));
    assert!(row.starts_with("| One layer ") && cells.iter().all(|cell| row.contains(cell)), "{row}");
    assert!(ranking[header + 3].ends_with("| – |"), "the run that was removed: {}", ranking[header + 3]);
    let bold = format!("**{:.2}", correct(best) as f64 / 100.0);
    assert!(ranking[header + 2].contains(&bold) || ranking[header + 3].contains(&bold), "{bold}");

    bundle.run("verify", &["--upto", "replay"]).exits(0);
    // A comparison with the best is counted again, and none can be left out.
    for change in [0, 1] {
        let forged = Bundle::at(bundle.path.with_file_name(format!("forged{change}")));
        copy_folder(&bundle.path, &forged.path);
        forged.change_json("results.json", |results| {
            let compared = results["comparisons"].as_object_mut().unwrap();
            let name = compared.keys().next().unwrap().clone();
            if change == 0 {
                compared.shift_remove(&name);
            } else {
                let pair = &mut compared[&name]["pairs"][0];
                let [both, neither] = ["both", "neither"].map(|key| pair[key].as_u64().unwrap());
                (pair["both"], pair["neither"]) = (json!(both + 1), json!(neither - 1));
            }
        });
        forged.run("render", &[]).exits(0);
        let out = forged.run("verify", &["--upto", "metrics"]).exits(1).out;
        assert!(out.contains("metrics   FAILED       results.json: comparisons.grid."), "{out}");
    }
}

#[test]
fn with_three_seeds_the_ranking_is_over_seeds_in_every_language() {
    let study = STUDY.replace("seeds: [1]", "seeds: [1, 2, 3]").replace("title: Grid", "lang: [en, uk]\ntitle: Grid");
    let bundle = built(&study);
    let [english, ukrainian] = ["report.md", "report.uk.md"].map(|file| bundle.text(file));
    assert!(
        english.contains("significant after Holm’s correction, p below 0.05 (Welch’s test over seeds)"),
        "{english}"
    );
    assert!(ukrainian.contains("після поправки Голма, p менше за 0,05 (критерій Велча за seed)"), "{ukrainian}");
    assert!(english.contains("Welch’s test over seeds, adjusted") && english.contains("(3 seeds)"), "{english}");
    assert!(
        ukrainian.contains("критерій Велча за seed, з поправкою") && ukrainian.contains("(seed: 3)"),
        "{ukrainian}"
    );
    for report in [english, ukrainian] {
        assert!(!report.contains("McNemar") && !report.contains("Макнемара"), "{report}");
    }
}

#[test]
fn two_seeds_rank_without_a_verdict() {
    let study = STUDY.replace("seeds: [1]", "seeds: [1, 2]").replace("title: Grid", "lang: [en, uk]\ntitle: Grid");
    let asks = "conclusions: [{best_of: [one-sgd, one-adam, two-sgd]}]\n";
    let bundle = built(&format!("{study}{asks}"));
    for (file, verdict, of_best, ahead, why, header, rounded, test) in [
        (
            "report.md",
            "Two seeds are too few for an interval, so no difference to the others was tested.",
            ", but two seeds are too few to test the difference to “",
            " %), but two seeds are too few for a test.",
            "Two seeds give no useful interval; two seeds are too few to test a difference.",
            "| To the best |",
            "Differences are computed before rounding.",
            "McNemar’s exact test of these",
        ),
        (
            "report.uk.md",
            "Двох seed замало для інтервалу, тому різниць з іншими не перевірено.",
            ", але двох seed замало, щоб перевірити різницю із запусками «",
            " %), але двох seed замало для перевірки.",
            "Два seed не дають корисного інтервалу; двох seed замало, щоб перевірити різницю.",
            "| До найкращого |",
            "Різниці обчислено до округлення.",
            "Мак-Немара для цих",
        ),
    ] {
        let report = bundle.text(file);
        assert!(report.contains(verdict) && report.contains(of_best), "{report}");
        assert!(report.contains(ahead), "{ahead}: {report}");
        assert_eq!((report.matches(why).count(), report.matches(rounded).count()), (1, 1), "{report}");
        assert!(!report.contains(test), "{report}");
        assert!(!report.contains("significant") && !report.contains("значущ"), "nothing was tested: {report}");
        let rows: Vec<&str> = report.lines().skip_while(|line| !line.contains(header)).skip(2).take(5).collect();
        // No column of intervals beside the means, and none of p: rank, run, mean, parameters, difference.
        assert_eq!(rows.len(), 5, "{report}");
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            assert!(cells.len() == 5 && cells[..4].iter().all(|cell| *cell != "–"), "{row}");
        }
        assert!(!report.contains("p, Holm") && !report.contains("p, Голм"), "{report}");
        assert!(!report.contains("| Over seeds |") && !report.contains("| За seed |"), "{report}");
    }
}

#[test]
fn equal_runs_share_a_rank_and_are_all_named() {
    // No layer is a dropout, so that the setting changes nothing: both networks are the same.
    let study = STUDY
        .replace("model: [one, two]", "model: [one]")
        .replace("[{sgd: {lr: 0.1}}, adam, adadelta]", "[adam, adadelta]\n  dropout: [true, false]")
        .replace("runs: {two-adadelta: null}\n", "");
    let bundle = built(&study);
    let report = bundle.text("report.md");
    assert!(report.contains("have the highest test accuracy"), "{report}");
    let ranks = |rank: &str| report.lines().filter(|line| line.starts_with(rank)).count();
    assert_eq!((ranks("| 1 |"), ranks("| 2 |"), ranks("| 3 |")), (2, 0, 2), "{report}");
    let both_best = |line: &str| line.starts_with("| ad") && line.matches("**").count() == 4;
    assert_eq!(
        report.lines().filter(|line| both_best(line)).count(),
        1,
        "both of the best cells of the matrix: {report}"
    );
}

#[test]
fn a_value_of_the_last_list_has_one_colour_in_every_panel_of_curves() {
    // Another order than that of the list, and a run that is missing in one panel.
    let removed = "runs: {one-sgd: null, two-adam: {title: Other Adam}}";
    let bundle = built(&STUDY.replace("runs: {two-adadelta: null}", removed));
    let figure = bundle.text("figures/section1-curves.svg");
    let colour = |title: &str| {
        let (before, _) = figure.rsplit_once(title).unwrap_or_else(|| panic!("{title}: {figure}"));
        let text = &before[before.rfind("<text").unwrap()..];
        text.split("fill=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    };
    let [adam, other_adam] = ["one-adam", "Other Adam"].map(colour);
    assert_eq!(adam, other_adam, "{figure}");
    assert_eq!(colour("one-adadelta"), colour("two-adadelta"), "{figure}");
    assert_ne!(adam, colour("one-adadelta"), "{figure}");
}

/// The figure of the first screen has the colours of the curves.
#[test]
fn accuracy_against_parameters_has_the_colours_of_the_last_list() {
    let figure = built(STUDY).text("figures/overview.svg");
    let colours: std::collections::BTreeSet<&str> = figure
        .split("<circle ")
        .skip(1)
        .map(|circle| circle.split("fill=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap())
        .collect();
    assert_eq!(figure.matches("<circle ").count(), 5, "{figure}");
    assert_eq!(colours.len(), 3, "three optimizers: {colours:?}");
}

#[test]
fn images_at_random_are_explained_where_runs_have_several_seeds() {
    let sentence = "Training images chosen at random are drawn for each seed.";
    let random = STUDY.replace("{first: 500}", "{random: 500}");
    let several = |study: &str| study.replace("seeds: [1]", "seeds: [1, 2]");
    for (study, shown) in [(several(&random), 1), (random, 0), (several(STUDY), 0)] {
        let report = built(&study).text("report.md");
        assert_eq!(report.matches(sentence).count(), shown, "{report}");
    }
}

#[test]
fn tables_of_a_grid_need_one() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("s.yaml");
    fs::write(&study, format!("{MINI}sections: [{{title: S, runs: [single], tables: [results, ranking]}}]\n")).unwrap();
    run(program(["summary"]).arg(&study)).refused(&["s.yaml:5: sections[0].tables[1]: is about the runs of `grid`"]);
}

#[test]
fn a_section_may_show_some_of_the_runs_with_a_matrix_alone() {
    let section = "sections: [{title: S, runs: [one-sgd, one-adam], tables: [matrix], show: [curves]}]\n";
    let bundle = built(&format!("{STUDY}{section}"));
    let report = bundle.text("report.md");
    assert!(report.contains("| sgd | adam | adadelta |") && !report.contains("p, Holm"), "{report}");
}

/// Its name, the matrix and the ranking say what the grid says.
#[test]
fn a_run_of_the_grid_keeps_the_values_of_its_axes() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("s.yaml");
    for key in ["model: two", "optimizer: {sgd: {lr: 0.5}}"] {
        let changed = STUDY.replace("runs: {two-adadelta: null}", &format!("runs: {{one-adam: {{{key}}}}}"));
        fs::write(&study, changed).unwrap();
        let place = format!("runs.one-adam.{}: is set by `grid.", key.split(':').next().unwrap());
        run(program(["summary"]).arg(&study)).refused(&[&place, "add a run with another name"]);
    }
    fs::write(&study, STUDY.replace("runs: {two-adadelta: null}", "runs: {one-adam: {epochs: 2}}")).unwrap();
    run(program(["summary"]).arg(&study)).exits(0);
}
