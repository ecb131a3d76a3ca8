//! Tests of which differences from an assignment are found, and which are free.

use std::path::Path;

use serde_json::json;

use super::*;

const LAB: &str = "
title: Lab
free: [author, title, models.slim.layers, 'runs.*.epochs']
models:
  slim: {layers: [flatten, {linear: {out_features: 10}}]}
  wide: {layers: [flatten, {linear: {out_features: 10}}]}
runs:
  slim: {model: slim, epochs: 1, batch_size: 64, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
";

fn source(yaml: &str) -> Source {
    Source::from_text(Path::new("lab.yaml"), yaml).unwrap()
}

fn keys(differences: &[KeyDifference]) -> Vec<&str> {
    differences.iter().map(|difference| difference.key.as_str()).collect()
}

fn between(changes: &[(&str, &str)]) -> Differences {
    let changed = changes.iter().fold(LAB.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    Differences::between(&source(LAB), &source(&changed)).unwrap()
}

#[test]
fn free_keys_may_differ_and_no_others() {
    let equal = between(&[]);
    assert_eq!(equal, Differences::default());
    let free = between(&[
        ("title: Lab", "title: Mine\nauthor: A"),
        ("[flatten,", "[flatten, relu,"),
        ("epochs: 1", "epochs: 3"),
    ]);
    assert_eq!(keys(&free.forbidden), [""; 0]);
    assert_eq!(keys(&free.free), ["title", "author", "models.slim.layers", "runs.slim.epochs"]);
    let other = between(&[("seeds: [1]", "seeds: [2]"), ("lr: 0.1", "lr: 0.2"), ("epochs: 1", "epochs: 3")]);
    assert_eq!(keys(&other.forbidden), ["runs.slim.optimizer.sgd.lr", "runs.slim.seeds[0]"]);
    assert_eq!(other.forbidden[1].assignment, json!(1));
    assert_eq!(other.forbidden[1].handed_in, json!(2));
    let more = between(&[("  wide:", "  third: {layers: [flatten, {linear: {out_features: 10}}]}\n  wide:")]);
    assert_eq!(keys(&more.forbidden), ["models.third"], "`models.slim.layers` frees no other model");
}

#[test]
fn grids_are_compared_as_typed() {
    let lab = |free: &str, grid: &str, runs: &str| {
        let start = LAB.split("runs:\n").next().unwrap();
        let start = start.replace("[author, title, models.slim.layers, 'runs.*.epochs']", free);
        source(&format!("{start}defaults: {{batch_size: 64}}\ngrid: {grid}\n{runs}"))
    };
    let grid = "{model: [slim, wide], optimizer: [{sgd: {lr: 0.1}}, adam], epochs: 1, seeds: [1]}";
    let of = |free: &str, grid_handed_in: &str, runs: &str| {
        let assignment = lab(free, grid, "");
        check_free(&assignment).unwrap();
        let found = Differences::between(&assignment, &lab("[]", grid_handed_in, runs)).unwrap();
        (keys(&found.forbidden).join(" "), keys(&found.free).join(" "))
    };
    let told = |forbidden: &str, free: &str| (forbidden.to_owned(), free.to_owned());
    let [other, longer] = [grid.replace("adam]", "adadelta]"), grid.replace("adam]", "adam, adadelta]")];
    assert_eq!(of("[]", grid, ""), told("", ""));
    assert_eq!(of("[]", &other, ""), told("grid.optimizer[1]", ""));
    let swapped = "{optimizer: [{sgd: {lr: 0.1}}, adam], model: [slim, wide], epochs: 1, seeds: [1]}";
    // The order decides the names of the runs.
    assert_eq!(of("[]", swapped, ""), told("grid", ""));
    assert_eq!(of("[grid]", &other, ""), told("", "grid.optimizer[1]"));
    assert_eq!(of("[grid.optimizer]", &longer, ""), told("", "grid.optimizer"));
    assert_eq!(of("['grid.optimizer[1]']", &other, ""), told("", "grid.optimizer[1]"));
    assert_eq!(of("['runs.*.optimizer']", &other, ""), told("", "grid.optimizer[1]"));
    let [lr, seed] = [grid.replace("0.1", "0.2"), grid.replace("seeds: [1]", "seeds: [2]")];
    assert_eq!(of("['runs.*.optimizer.sgd.lr']", &lr, ""), told("", "grid.optimizer[0].sgd.lr"));
    assert_eq!(of("['runs.*.seeds[0]']", &seed, ""), told("", "grid.seeds[0]"));
    assert_eq!(of("['runs.*.epochs']", &seed, ""), told("grid.seeds[0]", ""));
    assert_eq!(of("[grid]", grid, "runs: {slim-adam: {epochs: 2}}\n"), told("runs.slim-adam.epochs", ""));
    assert_eq!(of("[grid]", grid, "runs: {slim-adam: null}\n"), told("runs.slim-adam", ""));
}

/// Where a study can say something of a grid's runs: everywhere but in `grid`, and in every form of YAML.
#[test]
fn a_grids_runs_are_compared_whatever_sets_them() {
    let start =
        LAB.split("runs:\n").next().unwrap().replace("[author, title, models.slim.layers, 'runs.*.epochs']", "[title]");
    let grid = "grid: {model: [slim, wide], optimizer: [{sgd: {lr: 0.1}}, adam], batch_size: 64, seeds: [1]}\n";
    let lab = source(&format!("{start}defaults: {{epochs: 1, train: {{images: {{first: 500}}}}}}\n{grid}"));
    let forbidden = |rest: &str| {
        let found = Differences::between(&lab, &source(&format!("{start}{rest}"))).unwrap();
        (keys(&found.forbidden).join(" "), keys(&found.free).join(" "))
    };
    let defaults = "defaults: {epochs: 1, train: {images: {first: 500}}}\n";
    let same = |rest: String| assert_eq!(forbidden(&rest), (String::new(), String::new()), "{rest}");
    same(format!("{defaults}{grid}"));
    // Grids are compared as typed, even where `defaults` said the same.
    let moved = forbidden(&grid.replace("seeds", "epochs: 1, train: {images: {first: 500}}, seeds"));
    assert_eq!(moved, ("grid.epochs grid.train".to_owned(), String::new()));
    for (rest, key) in [
        (format!("{}{grid}", defaults.replace("epochs: 1", "epochs: 5")), "runs.slim-sgd.epochs"),
        (format!("{}{grid}", defaults.replace("500", "3000")), "runs.slim-sgd.train.images.first"),
        (
            format!("{}{grid}", defaults.replace("{first", "{random: 9, first").replace(", first: 500", "")),
            "runs.slim-sgd.train.images",
        ),
        (format!("{defaults}{}", grid.replace("seeds", "train: null, seeds")), "grid.train"),
        (format!("{defaults}{}", grid.replace("seeds", "epochs: 2, seeds")), "grid.epochs"),
        (format!("{defaults}{grid}runs: {{<<: {{slim-adam: {{epochs: 6}}}}}}\n"), "runs.slim-adam"),
        (format!("{defaults}{grid}<<: {{runs: {{slim-adam: {{epochs: 6}}}}}}\n"), "runs.slim-adam"),
        (format!("{defaults}{grid}runs: {{slim-adam: {{<<: {{epochs: 6}}}}}}\n"), "runs.slim-adam"),
        (format!("{defaults}{grid}runs: {{<<: {{slim-adam: null}}}}\n"), "runs.slim-adam"),
        (format!("{defaults}{grid}runs: {{slim-adam: {{label_smoothing: 0.1}}}}\n"), "runs.slim-adam"),
    ] {
        let (forbidden, free) = forbidden(&rest);
        assert!(forbidden.starts_with(key), "{key}: {forbidden}; {free}\n{rest}");
    }
    let all =
        ["slim-sgd", "slim-adam", "wide-sgd", "wide-adam"].map(|run| format!("{run}: {{dropout: true}}")).join(", ");
    let changed = format!("{}{grid}runs: {{{all}}}\n", defaults.replace("epochs: 1", "epochs: 5"));
    assert!(forbidden(&changed).0.contains("runs.slim-sgd.epochs"), "{:?}", forbidden(&changed));
}

/// A free grid frees nothing but the grid: whatever else decides a run is compared for every run, also for those that only the
/// handed-in grid makes.
#[test]
fn nothing_can_be_hidden_under_a_free_grid() {
    let start = LAB.split("runs:\n").next().unwrap();
    let lab = |free: &str, rest: &str| {
        let study = start.replace("[author, title, models.slim.layers, 'runs.*.epochs']", free);
        source(&format!("{study}{rest}"))
    };
    let defaults = "defaults: {model: slim, epochs: 1, batch_size: 64, optimizer: adam, seeds: [1]}\n";
    let grid = "grid: {train: [{images: {first: 500}}, {images: {first: 1000}}]}\n";
    let assignment = lab("[grid, author]", &format!("{defaults}{grid}"));
    check_free(&assignment).unwrap();
    let forbidden = |rest: &str| {
        let found = Differences::between(&assignment, &lab("[]", rest)).unwrap();
        keys(&found.forbidden).join(" ")
    };
    let with = |more: &str| defaults.replace("epochs: 1", more);
    let other = grid.replace("500", "700");
    let longer = grid.replace("]}", ", {images: {random: 50}}]}");
    for grid in [grid, other.as_str(), longer.as_str()] {
        assert_eq!(forbidden(&format!("{defaults}{grid}")), "", "{grid}");
        for (more, key) in [
            ("epochs: 9", "epochs"),
            ("epochs: 1, train: {hold_out: 5000}", "train.hold_out"),
            ("epochs: 1, train: {order: by_class}", "train.order"),
            ("epochs: 1, label_smoothing: 0.1", "label_smoothing"),
        ] {
            let found = forbidden(&format!("{}{grid}", with(more)));
            let runs = found.split(' ').filter(|found| found.starts_with("runs.") && found.ends_with(key)).count();
            assert!(runs >= 2 && runs == found.split(' ').count(), "{more} {grid}: {found}");
        }
        // Of one run alone, whichever comes first; and a run more.
        let name = made(&lab("[]", &format!("{defaults}{grid}")));
        for run in &name {
            let found = forbidden(&format!("{defaults}{grid}runs: {{{run}: {{epochs: 2}}}}\n"));
            assert_eq!(found, format!("runs.{run}.epochs"));
            assert_eq!(forbidden(&format!("{defaults}{grid}runs: {{{run}: null}}\n")), format!("runs.{run}"));
        }
        assert_eq!(forbidden(&format!("{defaults}{grid}runs: {{mine: {{epochs: 2}}}}\n")), "runs.mine");
    }
    // What the assignment changes of single runs counts as far as the other grid makes them.
    let first = &made(&assignment)[0];
    let assignment = lab("[grid]", &format!("{defaults}{grid}runs: {{{first}: {{epochs: 4}}}}\n"));
    let found = Differences::between(&assignment, &lab("[]", &format!("{defaults}{grid}"))).unwrap();
    assert_eq!(keys(&found.forbidden), [format!("runs.{first}.epochs")]);
    let others = "grid: {batch_size: [8, 16]}\n";
    let found = Differences::between(&assignment, &lab("[]", &format!("{defaults}{others}"))).unwrap();
    assert_eq!(keys(&found.forbidden), [""; 0], "{:?}", found.forbidden);
}

/// The names of a study's runs.
fn made(source: &Source) -> Vec<String> {
    source.study.runs.keys().cloned().collect()
}

#[test]
fn what_means_the_same_is_equal() {
    let same = between(&[
        ("free: [author, title, models.slim.layers, 'runs.*.epochs']", "data: elsewhere"),
        ("{sgd: {lr: 0.1}}", "{sgd: {lr: 1e-1, momentum: 0}}"),
        ("model: slim, epochs: 1", "epochs: 1, model: slim, dropout: true"),
    ]);
    assert_eq!(same, Differences::default());
}

#[test]
fn the_assignment_alone_decides_what_is_free() {
    let all = between(&[
        ("free: [author, title, models.slim.layers, 'runs.*.epochs']", "free: [runs]"),
        ("seeds: [1]", "seeds: [2]"),
    ]);
    assert_eq!(keys(&all.forbidden), ["runs.slim.seeds[0]"]);
}

#[test]
fn texts_are_compared_in_every_language_that_both_have() {
    let both = LAB.replace("title: Lab", "lang: [en, uk]\ntitle: {en: Lab, uk: Робота}").replace("title, ", "");
    let changed = both.replace("Робота", "Інша");
    let found = Differences::between(&source(&both), &source(&changed)).unwrap();
    assert_eq!((keys(&found.forbidden), &found.forbidden[0].handed_in), (vec!["title"], &json!("Інша")));
    let one = both.replace("lang: [en, uk]", "lang: uk");
    let found = Differences::between(&source(&both), &source(&one)).unwrap();
    assert_eq!(keys(&found.forbidden), ["lang"]);
}

#[test]
fn a_pattern_that_matches_nothing_is_named_with_what_was_meant() {
    let message = |free: &str| {
        let yaml = LAB.replace("[author, title, models.slim.layers, 'runs.*.epochs']", free);
        check_free(&source(&yaml)).map_err(|e| e.to_string())
    };
    for free in ["[]", "['*']", "['runs.*']", "['runs.s*m.seeds[0]']", "['models.*.layers[*]']", "[meta, group]"] {
        assert_eq!(message(free), Ok(()), "{free}");
    }
    for (free, place, advice) in [
        ("[title, models.slin.layers]", "free[1]", "did you mean `models.slim.layers`?"),
        ("[autor]", "free[0]", "did you mean `author`?"),
        ("[models.mine.layers]", "free[0]", "did you mean one of `models.slim.layers`, `models.wide.layers`?"),
        ("[models.mine]", "free[0]", "did you mean one of `models.slim`, `models.wide`?"),
        ("[runs.mine.epochs]", "free[0]", "did you mean `runs.slim.epochs`?"),
        ("[defaults.epochs]", "free[0]", "write `runs.*.` and the setting"),
        ("['runs.*.epoch.*']", "free[0]", "matches no key of this study"),
        ("['']", "free[0]", "matches no key of this study"),
    ] {
        let error = message(free).unwrap_err();
        assert!(error.contains(place) && error.contains(advice), "{free}: {error}");
    }
}

/// Only texts of one's own: who left the title as it is has nothing to explain.
#[test]
fn free_texts_that_were_left_as_they_are_are_told() {
    let texts = "author: Your name\ndescription: Say what you did.\nfree: [author, description, title,";
    let lab = LAB.replace("free: [author, title,", texts);
    let unchanged =
        |from: &str, to: &str| Differences::between(&source(&lab), &source(&lab.replace(from, to))).unwrap().unchanged;
    assert_eq!(unchanged("", ""), ["description", "author"], "in the order of a study");
    assert_eq!(unchanged("Your name", "[A, B]"), ["description"]);
    assert_eq!(unchanged("Say what you did.", "Nothing."), ["author"]);
    assert_eq!(between(&[]).unchanged, [""; 0], "fixed texts");
}

/// A lecturer reads what a student wrote, not what the program makes of it.
#[test]
fn values_are_shown_as_a_study_writes_them() {
    let shown = |handed_in: &str| {
        let mut found = between(&[("title: Lab", "title: 'Lab: mine'"), ("slim: {layers: [flatten, ", handed_in)]);
        found.free.iter_mut().chain(&mut found.forbidden).for_each(KeyDifference::shorten);
        let all = found.free.iter().chain(&found.forbidden);
        all.map(|difference| (difference.key.clone(), difference.in_yaml())).collect::<Vec<_>>()
    };
    let yaml = |assignment: &str, handed_in: &str| {
        [assignment, handed_in].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    let layers = "{conv2d: {out_channels: 4, kernel_size: 3}}, batch_norm2d, relu, {max_pool2d: {kernel_size: 2}}, \
                  {residual: {layers: [gelu]}}, flatten, {dropout: {name: \"my drop\", p: 0.25}}, ";
    let linear = "{linear: {out_features: 10}}]";
    assert_eq!(
        shown(&format!("slim: {{layers: [{layers}")),
        [
            ("title".to_owned(), yaml("\"Lab\"", "\"Lab: mine\"")),
            ("models.slim.layers".to_owned(), yaml(&format!("[flatten, {linear}"), &format!("[{layers}{linear}")))
        ]
    );
    let other = shown("slim: {layers: [{dropout: {p: 0.25}}, ");
    let keys: Vec<&str> = other.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["title", "models.slim.layers[0].flatten", "models.slim.layers[0].dropout"]);
    assert_eq!([&other[1].1, &other[2].1], [&yaml("{}", ""), &yaml("", "{p: 0.25}")]);
}

#[test]
fn a_star_stands_for_any_characters_of_one_part() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c", "ac", true),
        ("a*c", "abcd", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c", false),
        ("ab*bc", "abc", false),
        ("abc", "abcd", false),
    ] {
        assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
    }
    assert!(covers(&parts("a.*"), &parts("a.b[0].c")) && !covers(&parts("a.b.c"), &parts("a.b")));
}
