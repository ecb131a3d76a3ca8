//! `mnist-report new`: every starter is a short study in one language that builds without changes.

use std::fs;

use mnist_report::claims::load_study;
use mnist_report::study::Plan;

use crate::support::*;

const STARTERS: [&str; 3] = ["coursework", "compare", "minimal"];
const MAX_LINES: usize = 60;
const MAX_LINES_IN_TWO: usize = 70;

/// The text of a new study.
fn starter(name: &str, lang: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("my-study.yaml");
    let done = run(program(["new", "--from", name, "--lang", lang]).arg(&study)).exits(0);
    assert!(done.out.contains(&format!("mnist-report build {}", study.display())), "{}", done.out);
    fs::read_to_string(&study).unwrap()
}

fn plan(text: &str) -> Plan {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("my-study.yaml");
    fs::write(&study, text).unwrap();
    load_study(&study).unwrap_or_else(|e| panic!("{e}\n{text}")).1
}

#[test]
fn every_starter_in_every_language_is_a_short_study() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("at most {MAX_LINES} lines ({MAX_LINES_IN_TWO} in two languages)")));
    for name in STARTERS {
        let [english, ukrainian] = ["en", "uk"].map(|lang| starter(name, lang));
        for text in [&english, &ukrainian] {
            assert!(text.lines().count() <= MAX_LINES, "{name}: {} lines", text.lines().count());
            assert!(text.contains("mnist-report build my-study.yaml") && text.contains("# <-"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 132), "{name} has a long line");
            for key in ["author:", "group:", "out_channels:", "seeds:"] {
                assert!(text.contains(key), "{name} has no {key}");
            }
        }
        // All languages have the same study: models and runs are equal except for their titles.
        let [english, ukrainian] = [english, ukrainian].map(|text| plan(&text));
        assert_eq!(english.models.keys().collect::<Vec<_>>(), ukrainian.models.keys().collect::<Vec<_>>());
        for (one, other) in english.runs.values().zip(ukrainian.runs.values()) {
            assert_eq!((&one.name, &one.settings, &one.seeds), (&other.name, &other.settings, &other.seeds));
        }
        for (one, other) in english.models.values().zip(ukrainian.models.values()) {
            assert_eq!(one.parameter_count(), other.parameter_count());
        }
    }
}

#[test]
fn a_starter_in_two_languages_is_that_in_each_of_them() {
    for name in STARTERS {
        let both = starter(name, "uk,en");
        assert!(both.contains("\nlang: [uk, en]\n") && both.contains("# <-"), "{both}");
        assert!(both.lines().all(|line| line.chars().count() <= 132), "{name} has a long line:\n{both}");
        assert!(both.lines().count() <= MAX_LINES_IN_TWO, "{name}: {} lines", both.lines().count());
        // A line that goes on is four columns deeper than its start, and its comment is on its first line.
        let mut above = 0;
        for line in both.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let indent = line.len() - line.trim_start().len();
            let goes_on = [
                "runs: [",
                "dropout:",
                "show:",
                "title:",
                "text:",
                "model:",
                "answers:",
                "question:",
                "why:",
                "uk:",
                "en:",
            ];
            if above > 0 && goes_on.iter().any(|key| line.trim_start().starts_with(key)) {
                assert_eq!(indent, above + 4, "{name}: {line}\n{both}");
            }
            let content = line.split(" #").next().unwrap().trim_end();
            match content.ends_with(',') && content.contains('{') {
                true if above == 0 => above = indent,
                true => {}
                false => above = 0,
            }
        }
        let study: serde_yaml::Value = serde_yaml::from_str(&both).unwrap_or_else(|e| panic!("{e}\n{both}"));
        for lang in ["uk", "en"] {
            let mut alone: serde_yaml::Value = serde_yaml::from_str(&starter(name, lang)).unwrap();
            alone.as_mapping_mut().unwrap().remove("lang");
            let mut chosen = in_language(&study, lang);
            chosen.as_mapping_mut().unwrap().remove("lang");
            assert_eq!(chosen, alone, "{name} in {lang}");
        }
        plan(&both);
    }
    assert!(starter("minimal", "en,uk").contains("\ntitle: {en: \"My first network\", uk: \"Моя перша мережа\"}"));
    // A paragraph has the form for texts of several lines.
    let paragraph = [
        "    text:                                   # <-",
        "      en: |",
        "        Describe here what the section is about.",
        "      uk: |",
        "        Опишіть тут, про що цей розділ.\n",
    ]
    .join("\n");
    assert!(starter("compare", "en,uk").contains(&paragraph));
}

/// A study with each text in several languages replaced by that in one of them.
fn in_language(value: &serde_yaml::Value, lang: &str) -> serde_yaml::Value {
    match value {
        serde_yaml::Value::Mapping(map) => match map.get(lang) {
            // A text after `|` ends with its line.
            Some(text) if map.len() == 2 => text.as_str().map_or_else(|| text.clone(), |text| text.trim_end().into()),
            _ => map
                .iter()
                .map(|(key, value)| (key.clone(), in_language(value, lang)))
                .collect::<serde_yaml::Mapping>()
                .into(),
        },
        serde_yaml::Value::Sequence(items) => {
            items.iter().map(|item| in_language(item, lang)).collect::<Vec<_>>().into()
        }
        other => other.clone(),
    }
}

#[test]
fn a_ukrainian_starter_has_no_english_text() {
    let latin = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| c.is_whitespace() || "`(){}[],;:\"".contains(c));
        words
            .map(|w| w.trim_end_matches('.'))
            .filter(|w| w.chars().any(|c| c.is_ascii_alphabetic()))
            .map(str::to_owned)
            .collect()
    };
    let allowed = [
        "yaml-language-server",
        "$schema=study.schema.json",
        "mnist-report",
        "build",
        "my-study.yaml",
        "docs/study.md",
        "MNIST",
        "new",
        "seed",
        "seeds",
        "lang",
        "defaults",
        "epochs",
        "overfit",
        "why",
        "label",
        "value",
        "--lang",
        "uk",
        "en",
        "in_channels",
        "in_features",
        "train",
        "images",
        "random",
        "answers",
        "margin",
        "slim",
        "slim-bn",
        "plain",
        "norm",
        "institution",
        "city",
        "supervisor",
        "date",
        "meta",
    ];
    for name in STARTERS {
        let text = starter(name, "uk");
        assert!(text.contains("\nlang: uk "));
        let comments = text.lines().filter_map(|line| line.split_once('#').map(|(_, comment)| comment));
        let study: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let mut texts = Vec::new();
        collect(&study, &mut texts);
        assert!(texts.len() >= 6, "{texts:?}");
        for text in comments.chain(texts.iter().map(String::as_str)) {
            let found: Vec<String> = latin(text).into_iter().filter(|w| !allowed.contains(&w.as_str())).collect();
            assert!(found.is_empty(), "{name}: {found:?} in: {text}");
        }
    }
}

/// Every text of a study that a report prints.
fn collect(value: &serde_yaml::Value, texts: &mut Vec<String>) {
    const PRINTED: [&str; 9] =
        ["title", "description", "author", "group", "course", "institution", "text", "question", "why"];
    match value {
        serde_yaml::Value::Mapping(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if PRINTED.iter().any(|printed| key == *printed) => texts.push(text.to_owned()),
                    _ => collect(value, texts),
                }
            }
        }
        serde_yaml::Value::Sequence(items) => items.iter().for_each(|item| collect(item, texts)),
        _ => {}
    }
}

#[test]
fn a_new_study_builds_as_it_stands_in_an_empty_folder() {
    let home = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str]| run(program(arguments).current_dir(home.path()));
    here(&["new", "звіт 1.yaml", "--lang", "uk", "--from", "minimal"]).exits(0);
    let done = here(&["build", "--device", "cpu", "--quiet", "звіт 1.yaml"]).exits(0);
    done.report_id();
    let left =
        "note: the study still has words of the starter: Ваше ім’я; Ваша група; Опишіть тут, про що цей розділ.\n";
    assert!(done.err.contains(left), "{}", done.err);
    let report = fs::read_to_string(home.path().join("звіт 1/report.md")).unwrap();
    assert!(report.contains("# Моя перша мережа") && report.contains("## Питання та відповіді"), "{report}");
    here(&["verify", "звіт 1"]).exits(0);
}

#[test]
fn a_file_that_exists_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("my.yaml");
    fs::write(&study, "mine\n").unwrap();
    run(program(["new"]).arg(&study)).refused(&["my.yaml: exists already"]);
    assert_eq!(fs::read_to_string(&study).unwrap(), "mine\n");
    run(program(["new"]).arg(home.path().join("study"))).refused(&["study's name ends in .yaml", "study.yaml"]);
    run(program(["new"]).arg(home.path().join("none/my.yaml"))).refused(&["none/my.yaml: cannot be written"]);
    assert_eq!(names(home.path()), ["my.yaml"]);
}

/// PyYAML, which students' own scripts use, takes an unquoted `?` in a flow map for a key.
#[test]
fn texts_with_a_question_mark_are_in_quotes_inside_brackets() {
    let mut texts: Vec<(String, String)> = STARTERS
        .iter()
        .flat_map(|name| ["en", "uk", "uk,en"].map(|lang| (format!("{name} {lang}"), starter(name, lang))))
        .collect();
    for folder in ["reports", "examples"] {
        let files = names(&root().join(folder)).into_iter().filter(|name| name.ends_with(".yaml"));
        texts.extend(files.map(|file| (file.clone(), fs::read_to_string(root().join(folder).join(file)).unwrap())));
    }
    let mut found = 0;
    for (name, text) in &texts {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let mut quote = None;
            for (at, c) in line.char_indices() {
                match (quote, c) {
                    (None, '"' | '\'') if line[..at].ends_with([' ', '{', '[']) => quote = Some(c),
                    (Some(mark), c) if c == mark => quote = None,
                    (None, '?') => {
                        let open = line[..at].matches(['{', '[']).count() > line[..at].matches(['}', ']']).count();
                        assert!(!open, "{name}: {line}");
                    }
                    (Some(_), '?') => found += 1,
                    _ => {}
                }
            }
        }
    }
    assert!(found > 20, "{found}");
}

/// What the README and the study's head say of its length.
#[test]
fn the_coursework_is_at_most_200_lines() {
    let lines = fs::read_to_string(root().join("reports/coursework.yaml")).unwrap().lines().count();
    assert!(lines <= 200, "{lines}");
}

#[test]
fn the_list_names_every_starter() {
    let list = run(&mut program(["new", "--list"])).exits(0).out;
    assert_eq!(list.lines().map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>(), STARTERS);
}
