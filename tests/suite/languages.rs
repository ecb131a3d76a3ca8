//! The report's languages: which one is used, that it has no words of another language, and that the report verifies.
//!
//! Longer than 400 lines because all tests share what reads words out of reports, pages and catalogues.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mnist_report::model::LayerKind;
use mnist_report::rung::Rung;
use mnist_report::study::{Kind, Optimizer, Schedule, Source};
use mnist_report::text::Lang;
use serde_json::json;
use serde_yaml::Value as Yaml;

use crate::markdown;
use crate::support::*;

/// A catalogue's phrases by key.
fn catalogue(name: &str) -> Vec<(String, String)> {
    fn flatten(above: &str, yaml: &Yaml, phrases: &mut Vec<(String, String)>) {
        match yaml {
            Yaml::Mapping(map) => {
                for (key, value) in map {
                    let key = key.as_str().unwrap();
                    flatten(&format!("{above}{}{key}", if above.is_empty() { "" } else { "." }), value, phrases);
                }
            }
            other => phrases.push((above.to_owned(), other.as_str().unwrap().to_owned())),
        }
    }
    let text = fs::read_to_string(root().join("templates").join(name)).unwrap();
    let mut phrases = Vec::new();
    flatten("", &serde_yaml::from_str(&text).unwrap(), &mut phrases);
    phrases
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphabetic());
    words.filter(|w| w.len() > 1).map(str::to_owned).collect()
}

fn in_ukrainian() -> Bundle {
    let bundle = copy();
    bundle.run("render", &["--lang", "uk"]).exits(0);
    bundle
}

#[test]
fn a_report_in_ukrainian_has_no_english_words_but_the_studys_own() {
    let bundle = in_ukrainian();
    markdown::check(&bundle);
    // Latin words that may stay: the study's own, names of layers and files, and names that Ukrainian texts do not
    // transcribe.
    let mut own = words(&["study.yaml", "results.json", "manifest.json"].map(|name| bundle.text(name)).concat());
    for (_, phrase) in catalogue("uk.yaml") {
        own.extend(words(&phrase));
    }
    own.extend(names(&bundle.path.join("figures")).iter().flat_map(|name| words(name)));
    own.extend(words("sha256sum mnist-report verify FOLDER torchsummary torchinfo files metrics render sh figures"));
    // Python programs are between fences.
    let report = bundle.text("report.md");
    let prose: String = report.split("```").step_by(2).collect();
    let left: BTreeSet<String> = words(&prose).difference(&own).cloned().collect();
    assert_eq!(left, BTreeSet::new());
    // The same for the text of the figures.
    for name in names(&bundle.path.join("figures")) {
        let svg = bundle.text(&format!("figures/{name}"));
        let texts: String = svg.split('<').filter_map(|tag| Some(tag.split_once('>')?.1)).collect::<Vec<_>>().join(" ");
        let texts = texts.replace("&gt;", ">");
        let left: BTreeSet<String> = words(&texts).difference(&own).cloned().collect();
        assert_eq!(left, BTreeSet::new(), "{name}");
    }
    // The page must not contain whole English phrases.
    let page = bundle.text("report.html");
    let english = shared().0.text("report.html");
    let mut seen = 0;
    for (key, phrase) in catalogue("en.yaml") {
        let plain = !phrase.contains('{') && phrase.split(' ').count() > 2;
        if plain && english.contains(&phrase) {
            seen += 1;
            assert!(!page.contains(&phrase), "{key}: {phrase}");
        }
    }
    assert!(seen > 40, "{seen} phrases of the English page were looked for");
    assert!(page.contains("<html lang=\"uk\">") && english.contains("<html lang=\"en\">"));
}

/// The only Latin words of a Ukrainian report outside code, links and names of files and layers.
const LATIN: [&str; 21] = [
    "Adam",
    "English",
    "FOLDER",
    "ID",
    "MNIST",
    "PyTorch",
    "ReLU",
    "Report",
    "SGD",
    "SHA-256",
    "dropout",
    "libtorch",
    "ln",
    "max",
    "mnist-report",
    "p",
    "pooling",
    "seed",
    "torchinfo",
    "torchsummary",
    "x",
];

/// The Latin words of a text that are neither in [`LATIN`] nor names: those have a digit, a point, `_` or `/`, such as `conv1` and
/// `study.yaml`. Text between backticks, tags and targets of links are left out.
fn english_left(text: &str) -> BTreeSet<String> {
    let without_code: String = text.split("```").step_by(2).collect();
    let without_code: String = without_code.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let without_links: String = without_code
        .split("](")
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) })
        .collect::<Vec<_>>()
        .join(" ");
    let plain = without_links.split('<').map(|part| part.split_once('>').map_or(part, |(_, rest)| rest));
    let plain = plain.collect::<Vec<_>>().join(" ").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&");
    let words = plain.split(|c: char| !(c.is_ascii_alphanumeric() || "._/-".contains(c)));
    words
        .map(|word| word.trim_matches(['.', '-', '/']))
        .filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()) && !LATIN.contains(word))
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit() || "._/".contains(c)))
        .map(str::to_owned)
        .collect()
}

/// Asserts that a Ukrainian report and its figures have no English word.
#[track_caller]
fn is_wholly_ukrainian(folder: &Path, report: &str) {
    assert_eq!(english_left(&fs::read_to_string(folder.join(report)).unwrap()), BTreeSet::new(), "{report}");
    let figures = folder.join("figures");
    let own = names(&figures).into_iter().filter(|name| name.ends_with(".uk.svg")).collect::<Vec<_>>();
    assert!(!own.is_empty());
    for name in own {
        let svg = fs::read_to_string(figures.join(&name)).unwrap();
        let shown: String =
            svg.split("<style").map(|part| part.split_once("</style>").map_or(part, |(_, rest)| rest)).collect();
        assert_eq!(english_left(&shown), BTreeSet::new(), "{name}");
    }
}

#[test]
fn an_english_word_in_a_ukrainian_report_is_found() {
    let found = |text: &str| english_left(text).into_iter().collect::<Vec<_>>();
    assert_eq!(found("Точність of `code` [текст](link.html) conv1 study.yaml; MNIST, SHA-256."), ["of"]);
    assert_eq!(found("| Епоха | Test loss |"), ["Test", "loss"]);
    assert_eq!(found("<text>Перший &gt; other</text>"), ["other"]);
    assert_eq!(found("```\nfor x in y\n```\nслово"), Vec::<String>::new());
}

#[test]
fn the_published_coursework_has_no_english_in_ukrainian() {
    is_wholly_ukrainian(&root().join("reports/published/coursework"), "report.uk.md");
}

#[test]
fn a_report_with_everything_has_no_english_in_ukrainian() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("all.yaml");
    let more = "\
comparisons: {pair: {title: {en: Pair, uk: Пара}, run: other, against: single, margin: 0.001}}
sections:
  - {title: {en: One, uk: Перший}, runs: [single, other], comparisons: [pair], tables: [settings, results, epochs],
     text: {en: Before., uk: Спершу.}, discussion: {en: After., uk: Потім.}, answers: [learns-single],
     show: [curves, predictions, per_class, confusion, gain, ladder, misclassified, filters, disagreements]}
claims:
  - {id: a, group: {en: G, uk: Група}, quote: {en: q, uk: цитата}, printed: '0.95', measured: runs.single.accuracy, compare: printed,
     why: {en: Why., uk: Тому що.}}
  - {id: b, group: {en: G, uk: Група}, quote: {en: q, uk: цитата}, printed: 'true', measured: runs.single.accuracy > 2, compare: exact}
  - {id: c, group: {en: G, uk: Група}, quote: {en: q, uk: цитата}, printed: '1', measured: runs.single.sd, compare: printed}
";
    let runs = "other: {title: {en: Other run, uk: Інший запуск}, model: only, optimizer: adam, epochs: 2, evaluate_train: true}}";
    let text = BOTH.replace("uk: Один запуск}, model: only}}", &format!("uk: Один запуск}}, model: only}}, {runs}"));
    let conv = "layers: [{conv2d: {out_channels: 2, kernel_size: 5}}, relu, flatten, ";
    fs::write(&study, text.replace("layers: [flatten, ", conv) + more).unwrap();
    let bundle = Bundle::at(home.path().join("all"));
    run(&mut build(&study, &bundle.path)).exits(0);
    is_wholly_ukrainian(&bundle.path, "report.uk.md");
    let report = bundle.text("report.uk.md");
    for words in ["Потім.", "Тому що.", "0,95", "| так |", "| ні |"] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn numbers_follow_the_language() {
    let (english, ukrainian) = (shared().0.text("report.md"), in_ukrainian().text("report.md"));
    let results = english.lines().find(|l| l.starts_with("| Without | ") && l.contains(" of 10,000 |")).unwrap();
    let same = results.replace(',', " ").replace('.', ",").replace(" of ", " з ");
    assert!(same != *results && same.contains(" з 10 000 |"), "{same}");
    assert!(ukrainian.replace('\u{a0}', " ").contains(&same), "{same}");
}

#[test]
fn the_language_is_the_studys_until_lang_chooses_another() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, format!("lang: uk\n{MINI}")).unwrap();
    let out = home.path().join("mini");
    run(&mut build(&study, &out)).exits(0);
    let bundle = Bundle::at(out);
    let (language, report) = (|b: &Bundle| b.json("manifest.json")["languages"][0].clone(), "report.md");
    assert!(language(&bundle) == "uk" && bundle.text(report).contains("## Питання та відповіді"));
    let first = bundle.identity();
    bundle.run("verify", &["--upto", "render"]).exits(0);
    // --lang gives another report of the same results. It verifies, and the choice stays until the next --lang.
    bundle.run("render", &["--lang", "en"]).exits(0);
    assert!(language(&bundle) == "en" && bundle.text(report).contains("## What was asked"));
    assert_eq!(bundle.bytes("results.json"), first["results.json"]);
    bundle.run("verify", &["--upto", "render"]).exits(0);
    bundle.run("render", &[]).exits(0);
    assert!(bundle.text(report).contains("## What was asked"));
    bundle.run("render", &["--lang", "uk"]).exits(0);
    assert!(bundle.identity() == first);
    // `build --lang`, with a study that names no language.
    fs::write(&study, MINI).unwrap();
    run(build(&study, &bundle.path).args(["--lang", "uk"])).exits(0);
    assert!(bundle.text(report).contains("## Питання та відповіді"));
    // `verify` finds a manifest that names another language than the report's.
    bundle.change_json("manifest.json", |m| m["languages"] = json!(["en"]));
    bundle.redo_sums();
    let done = bundle.run("verify", &["--upto", "render"]).exits(1);
    assert!(done.out.contains("report.md"), "{}", done.out);

    fs::write(&study, format!("lang: fr\n{MINI}")).unwrap();
    run(&mut build(&study, &bundle.path)).refused(&["mini.yaml:1", "lang", "`en` or `uk`"]);
    let done = bundle.run("render", &["--lang", "fr"]).exits(2);
    assert!(done.err.contains("'fr'") && done.err.contains("en, uk"), "{}", done.err);
}

/// `MINI` in two languages, with a title block.
const BOTH: &str = "\
lang: [en, uk]
title: {en: A study, uk: Дослідження}
author: {en: A. Student, uk: О. Студент}
city: {en: Kyiv, uk: Київ}
supervisor: {en: B. Lecturer, uk: Б. Викладач}
meta: [{label: {en: Variant, uk: Варіант}, value: 07}]
models: {only: {title: {en: One layer, uk: Один шар}, layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {train: {images: {first: 50}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs: {single: {title: {en: One run, uk: Один запуск}, model: only}}
conclusions:
  - {learns: single, question: {en: Does it learn?, uk: Чи вона вчиться?}, why: {en: So it is., uk: Так і є.}}
";

/// Texts in the report of `BOTH` in each language.
const ENGLISH: [&str; 9] = [
    "# A study",
    "Author: A. Student",
    "City: Kyiv",
    "Supervisor: B. Lecturer",
    "Variant: 07",
    "One layer",
    "One run",
    "Does it learn?",
    "\nAuthor’s remark: So it is.",
];
const UKRAINIAN: [&str; 9] = [
    "# Дослідження",
    "Автор: О. Студент",
    "Місто: Київ",
    "Керівник: Б. Викладач",
    "Варіант: 07",
    "Один шар",
    "Один запуск",
    "Чи вона вчиться?",
    "\nЗауваження автора: Так і є.",
];

/// Asserts that a report has all of `words`, and none of `others` except words of both languages.
#[track_caller]
fn has_words(bundle: &Bundle, report: &str, words: &[&str], others: &[&str]) {
    markdown::check_file(bundle, report);
    let report = bundle.text(report);
    for word in words {
        assert!(report.contains(word), "{word}: {report}");
    }
    for word in others.iter().filter(|word| !words.contains(word)) {
        assert!(!report.contains(word), "{word}: {report}");
    }
}

#[test]
fn one_build_gives_a_report_wholly_in_each_language_of_the_study() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("both.yaml");
    fs::write(&study, BOTH).unwrap();
    let bundle = Bundle::at(home.path().join("both"));
    let done = run(program(["build", "--device", "cpu", "--out"]).arg(&bundle.path).arg(&study)).exits(0);
    assert!(done.err.contains("both/report.html, ") && done.err.contains("both/report.uk.html"), "{}", done.err);
    let (own, other) = (done.err.find("both/report.html").unwrap(), done.err.find("both/report.uk.html").unwrap());
    assert!(own < other, "the first language is named first: {}", done.err);
    has_words(&bundle, "report.md", &ENGLISH, &UKRAINIAN);
    has_words(&bundle, "report.uk.md", &UKRAINIAN, &ENGLISH);
    // Each page links to the other and names itself.
    let [page, other] = ["report.html", "report.uk.html"].map(|name| bundle.text(name));
    assert!(page.contains("<html lang=\"en\">") && other.contains("<html lang=\"uk\">"));
    assert!(page.contains("<a href=\"report.uk.html\" hreflang=\"uk\" lang=\"uk\">Українська</a>"), "{page}");
    assert!(other.contains("<a href=\"report.html\" hreflang=\"en\" lang=\"en\">English</a>"), "{other}");
    assert!(bundle.text("report.md").contains("English · [Українська](report.uk.md)"));
    // Every figure exists in each language, and each report shows those in its language.
    let figures = names(&bundle.path.join("figures"));
    let (own, others): (Vec<&String>, Vec<_>) = figures.iter().partition(|name| name.ends_with(".uk.svg"));
    assert_eq!(
        others.iter().map(|name| name.replace(".svg", ".uk.svg")).collect::<Vec<_>>(),
        own.into_iter().cloned().collect::<Vec<_>>()
    );
    assert!(
        !bundle.text("report.uk.md").contains("-curves.svg") && bundle.text("report.uk.md").contains("-curves.uk.svg")
    );
    assert_eq!(bundle.json("manifest.json")["languages"], json!(["en", "uk"]));
    assert_eq!(bundle.json("conclusions.json")["conclusions"][0]["question"], "Does it learn?");
    let crate_ = bundle.text("ro-crate-metadata.json");
    for described in ["The report in English", "The report in Ukrainian"] {
        assert_eq!(crate_.matches(described).count(), 2, "{described}: {crate_}");
    }
    bundle.run("verify", &["--upto", "render"]).exits(0);
}

#[test]
fn render_keeps_the_languages_and_its_option_changes_them() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("both.yaml");
    fs::write(&study, BOTH).unwrap();
    let bundle = Bundle::at(home.path().join("both"));
    run(&mut build(&study, &bundle.path)).exits(0);
    let both = bundle.identity();
    bundle.run("render", &[]).exits(0);
    assert!(bundle.identity() == both);
    bundle.run("render", &["--lang", "uk"]).exits(0);
    has_words(&bundle, "report.md", &UKRAINIAN, &ENGLISH);
    assert!(!bundle.path.join("report.uk.html").exists() && !bundle.text("report.html").contains("hreflang"));
    assert_eq!(bundle.json("manifest.json")["title"], "Дослідження");
    bundle.run("verify", &["--upto", "render"]).exits(0);
    let rendered = bundle.identity();
    bundle.run("render", &["--lang", "uk,en"]).exits(0);
    has_words(&bundle, "report.md", &UKRAINIAN, &ENGLISH);
    has_words(&bundle, "report.en.md", &ENGLISH, &UKRAINIAN);
    bundle.run("verify", &["--upto", "render"]).exits(0);
    bundle.run("render", &["--lang", "en,uk"]).exits(0);
    assert!(bundle.identity() == both);
    // A report built in one language equals the one rendered in that language.
    run(build(&study, &bundle.path).args(["--lang", "uk"])).exits(0);
    assert!(bundle.identity() == rendered);
    bundle.run("render", &["--lang", "en,en"]).refused(&["--lang: `en` is listed twice"]);
}

#[test]
fn every_language_of_a_report_is_published_and_verified() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("both.yaml");
    fs::write(&study, BOTH).unwrap();
    let bundle = Bundle::at(home.path().join("both"));
    run(&mut build(&study, &bundle.path)).exits(0);
    bundle.run("publish", &[]).exits(0);
    on_paths("verify", &["--upto", "render"], &[&bundle.zip()]).exits(0);
    let sound = bundle.identity();
    let restored = || sound.iter().for_each(|(name, bytes)| bundle.write(name, bytes));
    // A number is changed only in a translation, and the sums are updated.
    bundle.replace("report.uk.html", "7\u{a0}850", "7\u{a0}851");
    bundle.redo_sums();
    let done = bundle.run("verify", &["--upto", "render"]).exits(1);
    let told = ["report.uk.html says ", "7 851", "параметрів, results.json gives ", "7 850", "параметрів (line "];
    assert!(told.iter().all(|part| done.out.contains(part)), "{}", done.out);
    restored();
    // A manifest cannot list a language twice, or none.
    for languages in [json!([]), json!(["en", "uk", "en"])] {
        bundle.change_json("manifest.json", |m| m["languages"] = languages.clone());
        bundle.redo_sums();
        let done = bundle.run("verify", &["--upto", "render"]).exits(1);
        assert!(done.out.contains("manifest.json"), "{}", done.out);
        restored();
    }
    // A translation that the manifest does not list is not part of the report.
    bundle.change_json("manifest.json", |m| m["languages"] = json!(["en"]));
    bundle.redo_sums();
    let done = bundle.run("verify", &["--upto", "render"]).exits(1);
    assert!(done.out.contains(" report.html says "), "{}", done.out);
}

#[test]
fn texts_that_are_the_same_in_every_language_are_noted_before_training() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("both.yaml");
    let text = BOTH
        .replace("{en: A. Student, uk: О. Студент}", "О. Студент")
        .replace("{en: B. Lecturer, uk: Б. Викладач}", "Б. Викладач")
        .replace("en: So it is.", "en: 'So {{ it }} is.'");
    fs::write(&study, text.replace("{en: One layer, uk: Один шар}", "One layer")).unwrap();
    let done = run(program(["build", "--device", "cpu", "--quiet"]).arg(&study)).exits(0);
    for note in [
        "both.yaml:5: supervisor: this text is the same in every language; write {uk: ..., en: ...}; the same holds for \
         models.only.title (line 7)\n",
        "both.yaml:11: conclusions[0].why.en: `{{ }}` is printed as it is here",
    ] {
        assert!(done.err.contains(note), "{note}\n{}", done.err);
    }
    assert_eq!(done.err.matches("the same in every language").count(), 1, "{}", done.err);
    // A study in one language, built in two.
    fs::write(&study, format!("lang: uk\n{}", MINI.replacen("title: ", "title: Моя ", 1))).unwrap();
    let done = run(program(["build", "--device", "cpu", "--quiet", "--lang", "uk,en"]).arg(&study)).exits(0);
    let note =
        "both.yaml:2: title: this text is the same in every language; write {uk: ..., en: ...} and `lang: [uk, en]`";
    assert!(done.err.contains(note), "{}", done.err);
}

#[test]
fn a_text_that_lacks_a_language_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("both.yaml");
    for (from, to, parts) in [
        ("{en: A study, uk: Дослідження}", "{en: A study}", &["both.yaml:2: title: has no text in `uk`"][..]),
        ("uk: Київ", "ua: Київ", &["both.yaml:4: city.ua: unknown language `ua`"]),
        (
            "uk: Київ",
            "uk: Київ, столиця",
            &["both.yaml:4: city.столиця: unknown language", "with a comma must be in quotes"],
        ),
        (
            "en: A study",
            "en: A study: part one",
            &["both.yaml:2: is not valid YAML", "a colon and a space must be in quotes"],
        ),
        (
            "en: A study",
            "en: A {{ 1 }} study",
            &["both.yaml:2: is not valid YAML", "a text that has {{ }} must be in quotes"],
        ),
        ("[en, uk]", "[en, fr]", &["both.yaml:1: lang[1]: ", "`fr`"]),
        ("[en, uk]", "[en, en]", &["both.yaml:1: lang[1]: `en` is listed twice"]),
        ("[en, uk]", "[]", &["both.yaml:1: lang: lists no language"]),
        ("uk: Один шар", "uk: [a]", &["both.yaml:7: models.only.title.uk: expected a text"]),
        // A mistake in a language that was not requested is found, too.
        (
            "learns: single",
            "supported_if: runs.single.accuracy > 0, refuted_if: 'false', id: c, supported: {en: Y, uk: '{{ x }}'}, refuted: N, undecided: U",
            &["conclusions[0].supported"],
        ),
    ] {
        assert!(BOTH.contains(from), "{from}");
        fs::write(&study, BOTH.replace(from, to)).unwrap();
        run(&mut build(&study, &home.path().join("out"))).refused(parts);
    }
}

#[test]
fn the_coursework_in_ukrainian_has_no_english_text_of_its_own() {
    for name in ["coursework.yaml", "quick.yaml"] {
        let path = root().join("reports").join(name);
        let source = Source::load_in(&path, Some(Lang::Uk)).unwrap();
        assert_eq!((source.study.lang, source.languages), (Lang::Uk, vec![Lang::En, Lang::Uk].try_into().unwrap()));
        let study = source.study;
        let mut texts = vec![study.title, study.description];
        texts.extend(study.models.values().filter_map(|m| m.title.clone()));
        texts.extend(study.runs.values().filter_map(|r| r.title.clone()));
        texts.extend(study.comparisons.values().filter_map(|c| c.title.clone()));
        texts.extend(study.sections.iter().flat_map(|s| [s.title.clone(), s.text.clone()]));
        texts.extend(study.sections.iter().flat_map(|s| s.points.iter().map(|p| p.title.clone())));
        texts.extend(study.conclusions.iter().filter_map(|c| c.question.clone()));
        assert!(texts.len() > 20);
        for text in texts {
            let latin: Vec<String> = words(&text)
                .into_iter()
                .filter(|w| !["MNIST", "PyTorch", "SGD", "Adam", "dropout", "coursework", "yaml"].contains(&w.as_str()))
                .collect();
            assert!(latin.is_empty(), "{name}: {latin:?} in {text}");
        }
    }
}

#[test]
fn a_folder_may_replace_a_catalogue_and_its_errors_are_named() {
    let bundle = copy();
    let templates = bundle.path.with_file_name("templates");
    fs::create_dir(&templates).unwrap();
    let own = fs::read_to_string(root().join("templates/en.yaml")).unwrap();
    let heading = "heading: What was asked, and what was found";
    fs::write(templates.join("en.yaml"), own.replace(heading, "heading: Abstract")).unwrap();
    let argument = ["--templates", templates.to_str().unwrap()];
    bundle.run("render", &argument).exits(0);
    assert!(bundle.text("report.md").contains("## Abstract"));
    let before = bundle.identity();
    for (from, to, part) in [
        ("  budget: Settings of each run\n", "", "inputs.budget"),
        (heading, "heading: '{{ Summary'", "summary.heading"),
        (heading, "heading: '{{ unheard_of }}'", "summary.heading"),
        (heading, "heading: [Summary]", "summary.heading"),
    ] {
        fs::write(templates.join("en.yaml"), own.replace(from, to)).unwrap();
        bundle.run("render", &argument).refused(&[part]);
        assert!(bundle.identity() == before);
    }
}

/// Otherwise a report stops after all the training.
#[test]
fn every_phrase_whose_key_is_put_together_exists() {
    let keyed = |group: &str, words: &[&str], part: &str| -> Vec<String> {
        words.iter().map(|word| format!("{group}{word}{part}")).collect()
    };
    let codes = Lang::ALL.map(Lang::code);
    let rungs = Rung::ALL.map(Rung::name);
    let mut keys = [
        keyed("layers.", LayerKind::WORDS, ""),
        keyed("run.", Optimizer::WORDS, ""),
        keyed("run.", Schedule::WORDS, ""),
        keyed("verify.", &rungs, ""),
        keyed("crate.in_", &codes, ""),
    ]
    .concat();
    for part in [".question", ".supported", ".refuted", ".undecided", ".brief", ".how"] {
        keys.extend(keyed("kinds.", Kind::WORDS.as_slice(), part));
    }
    // Of some runs, there always is a best one.
    keys.retain(|key| key != "kinds.best_of.refuted");
    for lang in Lang::ALL {
        let phrases = catalogue(&format!("{}.yaml", lang.code()));
        let missing: Vec<&String> = keys.iter().filter(|key| !phrases.iter().any(|(k, _)| k == *key)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", lang.code());
    }
}

#[test]
fn every_phrase_is_used() {
    fn read(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            match entry.extension().and_then(|e| e.to_str()) {
                Some("rs" | "j2") => text.push_str(&fs::read_to_string(&entry).unwrap()),
                _ if entry.is_dir() => read(&entry, text),
                _ => {}
            }
        }
    }
    let settings =
        ["optimizer", "schedule"].map(|name| fs::read_to_string(root().join(format!("src/study/{name}.rs"))).unwrap());
    let settings = settings.concat();
    let (mut text, mut results) = (String::new(), String::new());
    read(&root().join("src/results"), &mut results);
    read(&root().join("templates"), &mut text);
    read(&root().join("src/report"), &mut text);
    read(&root().join("src/bundle"), &mut text);
    let (mut cli, mut verify) = (String::new(), String::new());
    read(&root().join("src/course"), &mut cli);
    read(&root().join("src/verify"), &mut verify);
    let layers = fs::read_to_string(root().join("src/model/mod.rs")).unwrap();
    for (key, _) in catalogue("en.yaml") {
        // Phrases for other data sets than MNIST stand for those of their key.
        let key = key.strip_prefix("other_data.").unwrap_or(&key).to_owned();
        let (group, name) = key.split_once('.').unwrap();
        let used = match group {
            // Keys that are put together from parts.
            "verify" if Rung::ALL.iter().any(|rung| rung.name() == name) => text.contains("\"verify.{}\""),
            "columns" | "verdict" => [name, &key].iter().any(|k| text.contains(&format!("\"{k}\""))),
            "diverged" if results.contains(&format!("\"{name}\"")) => text.contains("\"diverged.{}\""),
            "diverged" => [name, &key].iter().any(|k| text.contains(&format!("\"{k}\""))),
            "run" if name.starts_with("images_") => text.contains("run.images_{"),
            "run" if Optimizer::WORDS.contains(&name) => text.contains("\"run.{}\""),
            "kinds" if name.contains('.') => {
                let (kind, part) = name.split_once('.').unwrap();
                let parts = ["question", "supported", "refuted", "undecided", "brief", "how"];
                Kind::WORDS.contains(&kind) && parts.contains(&part) && text.contains("\"kinds.{}.{part}\"")
            }
            // The page about several bundles.
            "course" if cli.contains(&format!("\"{name}\"")) => true,
            "course" => name.split_once('.').is_some_and(|(part, word)| {
                let word = format!("\"{word}\"");
                cli.contains(&format!("\"{part}.{{")) && (cli.contains(&word) || verify.contains(&word))
            }),
            "layers" => layers.contains(&format!("\"{name}\" =>")) && text.contains("\"layers.{word}\""),
            "crate" if name.starts_with("in_") => text.contains("\"crate.in_{}\""),
            "setting" => text.contains("\"setting.{key}\"") && settings.contains(&format!("pub {name}:")),
            _ => [key.as_str(), key.strip_suffix("_text").unwrap_or(&key)]
                .iter()
                .any(|k| text.contains(&format!("\"{k}\""))),
        };
        assert!(used, "{key}");
    }
}

/// The coursework study with networks and image numbers that train in seconds.
fn short_coursework() -> String {
    let layers = |bn: &str| {
        format!(
            "[conv2d: {{name: conv1, out_channels: 2, kernel_size: 5, stride: 3}}{bn}, relu, max_pool2d: {{kernel_size: 2}}, \
             dropout: {{name: dropout1, p: 0.25}}, flatten, linear: {{name: fc1, out_features: 8}}, relu, \
             linear: {{name: fc2, out_features: 10}}]"
        )
    };
    let [plain, normal] = ["", ", batch_norm2d"].map(layers);
    let base = root().join("reports/coursework.yaml");
    format!(
        "extends: {}\nlang: [uk, en]\nauthor: {{en: A. Student, uk: О. Студент}}\n\
         models: {{baseline: {{layers: {normal}}}, slim: {{layers: {plain}}}, slim-bn: {{layers: {normal}}}}}\n\
         defaults: {{train: {{images: {{random: 300}}}}, epochs: 2}}\n\
         runs: {{overfit: {{epochs: 3}}}}\n",
        base.display()
    )
}

/// The text of a page and its figures, except code and links to translations.
fn prose(page: &str) -> String {
    let body = page.split("</style>").last().unwrap();
    let mut text = String::new();
    // The open elements whose text is skipped.
    let mut skipped: Vec<&str> = Vec::new();
    for part in body.split('<').skip(1) {
        let (tag, after) = part.split_once('>').unwrap();
        let name = tag.split_whitespace().next().unwrap();
        if ["code", "pre"].contains(&name) || (name == "a" && tag.contains("hreflang")) {
            skipped.push(name);
        } else if name.strip_prefix('/') == skipped.last().copied() {
            skipped.pop();
        }
        if skipped.is_empty() {
            text.push_str(after);
            text.push(' ');
        }
    }
    text
}

#[test]
fn the_courseworks_report_in_ukrainian_has_no_english_words() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("short.yaml");
    fs::write(&study, short_coursework()).unwrap();
    let bundle = Bundle::at(home.path().join("short"));
    run(&mut build(&study, &bundle.path)).exits(0);
    // Names of programs and layers, units and symbols, and the words of the report's own files.
    let terms = words(
        "MNIST PyTorch torchsummary torchinfo SHA ReLU SGD Adam dropout seed one cycle softmax libtorch float32 log Report ID \
         Dropout FOLDER ln conv1 conv2 bn1 bn2 fc1 fc2 relu1 relu2 relu3 pool1 dropout1 dropout2 flatten1 max pooling seeds weights study yaml mnist report \
         train images labels idx ubyte idx3 idx1 t10k",
    );
    let page = prose(&bundle.text("report.html")).replace('\u{a0}', " ");
    let intervals = "з одним початковим значенням генератора випадкових чисел (seed): інтервали показують";
    assert!(page.contains(intervals), "what the intervals say");
    // A verdict that rests on one seed says so beside its badge.
    assert!(page.matches("(один seed)").count() >= 3, "{page}");
    let left: BTreeSet<String> = words(&page).difference(&terms).cloned().collect();
    assert_eq!(left, BTreeSet::new(), "{page}");
    // It has no English quotation marks or decimal points, either.
    for mark in ['“', '”', '"', '\''] {
        assert!(!page.replace("&quot;", "\"").replace("&#x27;", "'").contains(mark), "{mark}: {page}");
    }
    let is_point = |window: &[char]| window[0].is_ascii_digit() && window[1] == '.' && window[2].is_ascii_digit();
    let chars: Vec<char> = page.replace(env!("CARGO_PKG_VERSION"), "").chars().collect();
    let points: Vec<String> = chars.windows(3).filter(|w| is_point(w)).map(|w| w.iter().collect()).collect();
    assert!(points.is_empty(), "{points:?}");
    // The other language is whole, too.
    let english = prose(&bundle.text("report.en.html"));
    let differences = "The runs differ only in the model. The networks differ only in the layer bn1.";
    assert_eq!(english.matches(differences).count(), 2, "{english}");
    let cyrillic: String = english.chars().filter(|c| ('\u{400}'..'\u{500}').contains(c)).collect();
    assert_eq!(cyrillic, "");
    // The description of the bundle that an archive shows.
    for entity in bundle.json("ro-crate-metadata.json")["@graph"].as_array().unwrap() {
        for key in ["description", "name"] {
            let text = entity[key].as_str().unwrap_or_default();
            let is_text = text.contains(' ') && text.is_ascii();
            let names = ["Process Run Crate", "Creative Commons Attribution-ShareAlike 3.0"];
            assert!(!is_text || names.contains(&text), "{text}");
        }
    }
    bundle.run("verify", &["--upto", "render"]).exits(0);
}

/// A filter prints numbers in the study's language, which an expression could use to decide otherwise in each language.
#[test]
fn what_is_decided_does_not_depend_on_the_language() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("two.yaml");
    let sided = MINI.replace("title: Mini study", "title: T\nlang: [en, uk]")
        + "conclusions:\n\
        - {id: sided, question: Is it?, supported_if: '\",\" in (runs.single.accuracy|fixed(2))', \
           refuted_if: '\".\" in (runs.single.accuracy|fixed(2))', supported: 'Yes.', refuted: 'No.', undecided: 'Unknown.'}\n";
    fs::write(&study, sided).unwrap();
    let out = home.path().join("two");
    let done = run(&mut build(&study, &out)).exits(1);
    assert!(done.err.contains("`sided`: the verdict depends on the language"), "{}", done.err);
    let done = Bundle::at(out).run("verify", &["--upto", "exact"]).exits(1);
    assert!(done.out.contains("`sided` is decided in one language"), "{}", done.out);
    // A page in one language alone hides nothing.
    let out = home.path().join("one");
    let done = run(build(&study, &out).args(["--lang", "uk"])).exits(1);
    assert!(done.err.contains("`sided`: the verdict depends on the language"), "{}", done.err);
    let done = Bundle::at(out).run("verify", &["--upto", "exact"]).exits(1);
    assert!(done.out.contains("`sided` is decided in one language"), "{}", done.out);
}
