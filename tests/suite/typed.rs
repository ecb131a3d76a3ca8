//! How studies are parsed: texts as written, merge keys, paths, a byte order mark, numbers out of range.

use std::fs;
use std::path::Path;

use mnist_report::claims::check_expressions;
use mnist_report::study::{Plan, Source};

use crate::support::*;

const FILE: &str = "study.yaml";

fn read(yaml: &str) -> Source {
    let source = Source::from_text(Path::new(FILE), yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
    Plan::resolve(&source).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
    source
}

/// The error of a study, if it has one.
fn error(yaml: &str) -> Option<String> {
    let source = Source::from_text(Path::new(FILE), yaml).map_err(|e| e.to_string());
    let checked = source.and_then(|source| {
        let plan = Plan::resolve(&source).map_err(|e| e.to_string())?;
        check_expressions(&source, &plan).map_err(|e| e.to_string())
    });
    checked.err()
}

#[test]
fn text_is_taken_as_typed() {
    for typed in
        ["2026", "1.0", "007", "1e3", "0x1F", "true", "1_000", "+5", ".5", "0.970", "-0", "12345678901234567890"]
    {
        let yaml = MINI.replace("title: Mini study", &format!("title: {typed}\ngroup: {typed}\nauthor: {typed}"))
            + &format!(
                "sections: [{{title: {typed}, text: {typed}, runs: [single]}}]\n\
             claims: [{{id: {typed}, group: {typed}, quote: {typed}, printed: {typed}, measured: {typed}, compare: exact}}]\n"
            );
        let study = read(&yaml).study;
        let claim = &study.claims[0];
        let read = [
            &study.title,
            study.group.as_ref().unwrap(),
            &study.author.as_ref().unwrap().names()[0],
            &study.sections[0].title,
            &study.sections[0].text,
            &claim.id,
            &claim.quote,
            &claim.printed,
            &claim.measured,
        ];
        assert_eq!(read, [typed; 9]);
    }
}

#[test]
fn names_may_look_like_numbers() {
    for name in ["1", "007", "1e3", "2026", "true", "0x1F", "null_", "1_0"] {
        let yaml = MINI
            .replace("models: {only:", &format!("models: {{{name}:"))
            .replace("model: only", &format!("model: {name}"));
        let yaml = yaml.replace("{single:", &format!("{{{name}:"))
            + &format!("  \nsections: [{{title: S, runs: [{name}]}}]\n");
        let study = read(&yaml).study;
        assert_eq!(study.models.keys().collect::<Vec<_>>(), [name]);
        assert_eq!(study.runs[name].model, name);
        assert_eq!(study.sections[0].runs, [name]);
    }
    let yaml = MINI.replace("{single: {model: only}}", "{1: {model: only}, 2: {model: only, epochs: 0}}");
    assert_eq!(error(&yaml).unwrap(), "study.yaml:4: runs.2.epochs: 0: must be from 1 to 10000");
}

#[test]
fn values_keep_their_types() {
    let study = read(&(MINI.to_owned() + "values: {limit: 0.5, title: 3, names: [1, two], deep: {data: 7}}\n")).study;
    assert_eq!(study.values, serde_json::json!({"limit": 0.5, "title": 3, "names": [1, "two"], "deep": {"data": 7}}));
}

#[test]
fn merge_keys_join_maps_and_own_keys_win() {
    let yaml = "\
title: T
models: {m: {layers: [flatten, linear: {out_features: 10}]}}
runs:
  a: &a {model: m, epochs: 1, batch_size: 8, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
  b: {<<: *a, epochs: 2}
  c: &c {epochs: 3, <<: *a, batch_size: 16}
  d: {<<: [*c, *a], seeds: [4]}
  e: {<<: {model: m, epochs: 5}, batch_size: 8, optimizer: adam, seeds: [1]}
  f:
    <<: *c
    optimizer: {<<: {adam: {}}}
";
    let study = read(yaml).study;
    let epochs: Vec<usize> = study.runs.values().map(|run| run.epochs).collect();
    assert_eq!(epochs, [1, 2, 3, 3, 5, 3]);
    let batches: Vec<usize> = study.runs.values().map(|run| run.batch_size).collect();
    assert_eq!(batches, [8, 8, 16, 16, 8, 16]);
    assert_eq!(study.runs["d"].seeds, [4]);
    assert_eq!(study.runs["f"].optimizer.key(), "adam");
    // Runs keep their order in the file, and an error names the line of the value.
    let ordered = yaml.replace("  b:", "  <<: {x: *a, y: *a}\n  b:");
    assert_eq!(read(&ordered).study.runs.keys().collect::<Vec<_>>(), ["a", "x", "y", "b", "c", "d", "e", "f"]);
    let wrong = yaml.replace("epochs: 1,", "epochs: 0,").replace("  a: &a", "  base: &a");
    assert!(error(&wrong).unwrap().starts_with("study.yaml:4: runs.base.epochs: 0"), "{:?}", error(&wrong));
    for bad in ["<<: 3", "<<: [*a, 3]", "<<: [[*a]]", "<<: text", "<<: null"] {
        let message = error(&yaml.replace("<<: *a, epochs: 2", &format!("{bad}, epochs: 2"))).unwrap();
        assert!(message.starts_with("study.yaml:5: runs.b.<<: a merge key takes a map"), "{bad}: {message}");
    }
}

#[test]
fn one_byte_order_mark_is_ignored_in_every_file() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, format!("\u{feff}{text}")).unwrap();
        path
    };
    let study = file("study.yaml", MINI);
    assert_eq!(Source::load(&study).unwrap().yaml, MINI, "a bundle's study has none");
    let over = file("over.yaml", "extends: study.yaml\ntitle: Over\n");
    assert_eq!(Source::load(&over).unwrap().study.title, "Over");
    read(&format!("\u{feff}{MINI}"));
    let windows = file("windows.yaml", &MINI.replace('\n', "\r\n"));
    assert_eq!(Source::load(&windows).unwrap().study.title, "Mini study");
    assert!(error(&format!("\u{feff}\u{feff}{MINI}")).unwrap().contains("U+FEFF"), "a second one is named");
}

#[test]
fn invisible_characters_are_reported_at_their_place() {
    for c in [
        "\u{200b}", "\u{200c}", "\u{200d}", "\u{feff}", "\u{ad}", "\u{2060}", "\u{202e}", "\u{2066}", "\u{200e}",
        "\u{a0}",
    ] {
        let named = format!("U+{:04X} ", c.chars().next().unwrap() as u32);
        for (from, to) in [
            ("title: Mini", format!("ti{c}tle: Mini")),
            ("title: Mini", format!("{c}title: Mini")),
            ("{only:", format!("{{on{c}ly:")),
            ("model: only", format!("model: only{c}")),
            ("flatten,", format!("flat{c}ten,")),
            ("{sgd: {lr: 0.1}}", format!("{{sgd: {{lr: 0.1{c}}}}}")),
            ("{sgd: {lr: 0.1}}", format!("{{sgd: {{{c}lr: 0.1}}}}")),
            ("epochs: 1", format!("{c}epochs: 1")),
        ] {
            if to.starts_with('\u{feff}') && from.starts_with("title") {
                continue;
            }
            let message = error(&MINI.replace(from, &to)).unwrap_or_else(|| panic!("{to:?} is read"));
            assert!(message.contains(&named), "{to:?}: {message}");
            let line = MINI.lines().position(|line| line.contains(from)).unwrap() + 1;
            assert!(message.starts_with(&format!("study.yaml:{line}: ")), "{to:?}: {message}");
        }
    }
    // In prose they may be intended: an emoji of several parts, a word that may break.
    for title in ["👩\u{200d}🔬", "не\u{ad}йрон\u{a0}на"] {
        assert_eq!(read(&MINI.replace("Mini study", title)).study.title, title);
    }
}

#[test]
fn data_and_extends_are_relative_to_the_file_in_which_they_are_written() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    let data_of = |path: &Path| Source::load(path).unwrap().data_dir(None);
    file("a/base.yaml", &format!("{MINI}data: mnist\n"));
    let mine = file("b/mine.yaml", "extends: ../a/base.yaml\ntitle: Mine\n");
    let deeper = file("b/c/deeper.yaml", "extends: ../mine.yaml\ntitle: Deeper\n");
    let own = file("b/c/own.yaml", "extends: ../mine.yaml\ndata: here\n");
    let absolute = file("b/absolute.yaml", "extends: mine.yaml\ndata: /srv/mnist\n");
    let none = file("b/none.yaml", "extends: mine.yaml\ndata: null\n");
    let there = fs::create_dir_all(home.path().join("a/mnist")).map(|()| home.path().join("a/mnist")).unwrap();
    for path in [&mine, &deeper] {
        assert_eq!(data_of(path).canonicalize().unwrap(), there.canonicalize().unwrap(), "{}", path.display());
    }
    assert_eq!(data_of(&own), home.path().join("b/c/here"));
    assert_eq!(data_of(&absolute), Path::new("/srv/mnist"));
    assert_eq!(data_of(&none), mnist_report::paths::here_or_in_repository("data/mnist"));
    // A bundle stores the path as written, and is verified without that folder.
    fs::remove_dir(&there).unwrap();
    std::os::unix::fs::symlink(root().join("data/mnist"), &there).unwrap();
    let out = home.path().join("out/mine");
    run(&mut build(&mine, &out)).exits(0);
    assert!(fs::read_to_string(out.join("study.yaml")).unwrap().contains("data: mnist\n"));
    fs::remove_file(&there).unwrap();
    on_paths("verify", &["--upto", "metrics"], &[&out]).exits(0);
    on_paths("render", &[], &[&out]).exits(0);
}

/// Every number of a study, with `#` in its place.
const NUMBERS: &[(&str, &str)] = &[
    ("epochs: 1", "epochs: #"),
    ("batch_size: 50", "batch_size: #"),
    ("first: 50", "first: #"),
    ("first: 50", "random: #"),
    ("first: 50", "per_class: #"),
    ("images: {first: 50}", "hold_out: #"),
    ("seeds: [1]", "seeds: [#]"),
    ("seeds: [1]", "seeds: [1], stop_below_train_loss: #"),
    ("seeds: [1]", "seeds: [1], label_smoothing: #"),
    ("seeds: [1]", "seeds: [1], clip_grad_norm: #"),
    ("seeds: [1]", "seeds: [1], clip_grad_value: #"),
    ("seeds: [1]", "seeds: [1], augment: {shift: #}"),
    ("seeds: [1]", "seeds: [1], augment: {rotate: #}"),
    ("seeds: [1]", "seeds: [1], evidence: {candidates: #}"),
    ("seeds: [1]", "seeds: [1], evidence: {keep: #}"),
    ("seeds: [1]", "seeds: [1], schedule: {step: {step_size: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {step: {step_size: 1, gamma: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {cosine: {min_lr: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {one_cycle: {pct_start: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {one_cycle: {div_factor: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {one_cycle: {final_div_factor: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {warmup: {steps: 1, start_factor: #}}"),
    ("seeds: [1]", "seeds: [1], schedule: {warmup: {steps: #}}"),
    ("lr: 0.1", "lr: #"),
    ("lr: 0.1", "lr: 0.1, momentum: #"),
    ("lr: 0.1", "lr: 0.1, dampening: #"),
    ("lr: 0.1", "lr: 0.1, weight_decay: #"),
    ("{sgd: {lr: 0.1}}", "{adam: {eps: #}}"),
    ("{sgd: {lr: 0.1}}", "{adamw: {betas: [#, 0.9]}}"),
    ("{sgd: {lr: 0.1}}", "{adadelta: {rho: #}}"),
    ("{sgd: {lr: 0.1}}", "{rmsprop: {alpha: #}}"),
    ("[flatten", "[{conv2d: {out_channels: #, kernel_size: 3}}, flatten"),
    ("[flatten", "[{conv2d: {out_channels: 2, kernel_size: #}}, flatten"),
    ("[flatten", "[{conv2d: {out_channels: 2, kernel_size: 3, stride: #}}, flatten"),
    ("[flatten", "[{conv2d: {out_channels: 2, kernel_size: 3, padding: #}}, flatten"),
    ("[flatten", "[{conv2d: {out_channels: 2, kernel_size: 3, groups: #}}, flatten"),
    ("[flatten", "[{conv2d: {out_channels: 2, kernel_size: [3, #]}}, flatten"),
    ("[flatten", "[{conv2d: {out_channels: 2, kernel_size: 3, dilation: #}}, flatten"),
    ("[flatten", "[{max_pool2d: {kernel_size: #}}, flatten"),
    ("[flatten", "[{avg_pool2d: {kernel_size: 2, padding: #}}, flatten"),
    ("[flatten", "[{batch_norm2d: {eps: #}}, flatten"),
    ("[flatten", "[{batch_norm2d: {momentum: #}}, flatten"),
    ("[flatten", "[flatten, {batch_norm1d: {eps: #}}"),
    ("[flatten", "[{layer_norm: {eps: #}}, flatten"),
    ("[flatten", "[{leaky_relu: {negative_slope: #}}, flatten"),
    ("[flatten", "[{dropout: {p: #}}, flatten"),
    ("out_features: 10", "out_features: #"),
    ("title: Mini study", "title: T\ninput: {mean: #}"),
    ("title: Mini study", "title: T\ninput: {std: #}"),
    ("title: Mini study", "title: T\ninput: {shape: [#, 28, 28]}"),
    (
        "title: Mini study",
        "title: T\nsections: [{title: S, runs: [single], show: [ladder], points: [{title: P, parameters: #, accuracy: 0.5}]}]",
    ),
    (
        "title: Mini study",
        "title: T\nsections: [{title: S, runs: [single], show: [ladder], points: [{title: P, parameters: 1, accuracy: #}]}]",
    ),
    (
        "title: Mini study",
        "title: T\nclaims: [{id: a, group: g, quote: q, printed: 1, measured: 1, compare: {absolute: #}}]",
    ),
];

/// Numbers of every kind. Any that is out of range is refused at its key, in one line without endless digits.
#[test]
fn a_number_out_of_range_gives_a_short_message() {
    let values = [
        "-1",
        "0",
        "0.5",
        "-0.5",
        "2",
        "61000",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "99999999999999999999999999999999999999999",
        "1.0e+300",
        "-1.0e+300",
        "1.0e-320",
        ".inf",
        "-.inf",
        ".nan",
        "1e400",
        "0,5",
        "ten",
        "\"\"",
        "null",
        "[]",
        "{}",
        "true",
    ];
    let mut refused = 0;
    for (from, to) in NUMBERS {
        assert!(MINI.contains(from), "{from}");
        for value in values {
            let Some(message) = error(&MINI.replace(from, &to.replace('#', value))) else { continue };
            refused += 1;
            let digits = message.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            assert!(digits <= Some(20), "{to} {value}: {message}");
            assert!(message.len() < 300 && !message.contains('\n'), "{to} {value}: {message}");
            assert!(message.starts_with("study.yaml:"), "{to} {value}: {message}");
        }
    }
    assert!(refused > NUMBERS.len() * 10, "{refused}");
}

/// A typo: its name, and a function that makes it in a line of a study (`None` if the line has no place for it).
type Slip = (&'static str, fn(&str) -> Option<String>);

const SLIPS: &[Slip] = &[
    ("no colon", |line| line.contains(": ").then(|| line.replacen(": ", " ", 1))),
    ("no space after the colon", |line| line.contains(": ").then(|| line.replacen(": ", ":", 1))),
    ("a tab", |line| Some(format!("\t{line}"))),
    ("no closing brace", |line| line.contains('}').then(|| line.replacen('}', "", 1))),
    ("no opening brace", |line| line.contains('{').then(|| line.replacen('{', "", 1))),
    ("no closing bracket", |line| line.contains(']').then(|| line.replacen(']', "", 1))),
    ("a quotation mark", |line| line.contains(": ").then(|| line.replacen(": ", ": \"", 1))),
    ("a no-break space", |line| line.contains(' ').then(|| line.replacen(' ', "\u{a0}", 1))),
    ("twice", |line| Some(format!("{line}\n{line}"))),
    ("deeper", |line| Some(format!(" {line}"))),
    ("less deep", |line| line.strip_prefix(' ').map(str::to_owned)),
];

/// Tries every typo in every line of some studies. The message must name the line and must not be the parser's.
#[test]
fn a_typo_in_any_line_is_reported_at_that_line() {
    let (mut found, mut tried) = (0, 0);
    for file in ["examples/overfit.yaml", "examples/batch-norm.yaml", "tests/fixtures/tiny.yaml"] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.contains('#')) {
            for (slip, change) in SLIPS {
                let Some(changed) = change(line) else { continue };
                let mut all = lines.clone();
                all[i] = &changed;
                tried += 1;
                let Some(message) = error(&(all.join("\n") + "\n")) else { continue };
                found += 1;
                let what = format!("{file}:{}: {slip}: {message}", i + 1);
                assert!(!message.contains(" at line ") && !message.contains('\n'), "{what}");
                let named = message.strip_prefix("study.yaml:").and_then(|rest| rest.split_once(':')).unwrap().0;
                let named: usize = named.parse().unwrap_or_else(|_| panic!("no line: {what}"));
                // A wrong indentation may be reported only at the next key that does not fit.
                let after = if slip.contains("deep") { 20 } else { 1 };
                assert!((i..=i + 1 + after).contains(&named), "{what}");
            }
        }
    }
    assert!(found > 300 && found * 10 > tried * 8, "{found} of {tried}");
}

/// Characters that a keyboard, an editor or another program may insert anywhere.
const STRAY: [&str; 34] = [
    " ", "\n", "\t", "\r", ":", ": ", "-", "- ", ",", "\"", "'", "[", "]", "{", "}", "#", "&", "*", "!", "|", ">", "%",
    "@", "`", "?", "\\", "<<: ", "---\n", "\0", "\u{80}", "\u{85}", "\u{feff}", "\u{2028}", "Ї",
];

#[test]
fn a_stray_character_anywhere_is_read_or_refused_in_one_line() {
    let study = MINI.replace("lr: 0.1", "lr: \"0.1\"").replace("title: Mini", "title: &a Міні") + "author: *a\n";
    let places: Vec<usize> = study.char_indices().map(|(at, _)| at).collect();
    for stray in STRAY {
        for at in &places {
            let mut changed = study.clone();
            changed.insert_str(*at, stray);
            if let Some(message) = error(&changed) {
                assert!(message.starts_with("study.yaml:"), "{stray:?} at {at}: {message}");
                assert!(!message.contains('\n') && message.len() < 600, "{stray:?} at {at}: {message}");
            }
        }
    }
}
