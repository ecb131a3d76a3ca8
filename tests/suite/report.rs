//! What a report must contain in both formats, independent of its wording: every count, accuracy, verdict and
//! conclusion.

use std::fs;

use mnist_report::results::Results;

use crate::support::*;

/// The visible text: with plain spaces and without tags.
fn read(text: &str) -> String {
    let untied = ["\u{a0}", "\u{202f}", "\u{2009}", "&nbsp;", "&#160;"]
        .iter()
        .fold(text.to_owned(), |text, tie| text.replace(tie, " "));
    let mut plain = String::new();
    let mut inside = false;
    let mut chars = untied.chars().peekable();
    while let Some(c) = chars.next() {
        // A tag; a `<` in an expression has a space after it.
        let starts_tag =
            c == '<' && chars.peek().is_some_and(|next| next.is_ascii_alphabetic() || "/!".contains(*next));
        match c {
            '<' if starts_tag => inside = true,
            '>' if inside => inside = false,
            _ if !inside => plain.push(c),
            _ => {}
        }
    }
    plain.replace('\\', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn numbers_and_names_of_every_model_and_run_are_in_both_formats() {
    let (bundle, _) = shared();
    let results = Results::from_json(&bundle.text("results.json")).unwrap();
    for name in ["report.md", "report.html"] {
        let text = read(&bundle.text(name));
        let has = |words: &str| assert!(text.contains(words), "{name} has no `{words}`");
        for words in [
            "Tiny study",
            "A. Student",
            "CS-31",
            "Machine learning",
            "The university",
            "2024-05-06",
            "Side by side",
            "Ordered",
            "own arithmetic, version 3",
        ] {
            has(words);
        }
        for (title, parameters, buffers) in [("Small", "1,554", ""), ("Small with batch normalisation", "1,562", "8")] {
            has(title);
            has(parameters);
            has(buffers);
        }
        for layer in ["conv1", "bn1", "pool1", "fc1", "[64, 4, 12, 12]", "(5·5·1 + 1)·4 = 104"] {
            has(layer);
        }
        for (run, title) in [("small", "Without"), ("small-bn", "With"), ("stops", "Stops early")] {
            let result = &results.runs[run];
            has(title);
            has(&format!("{:.2} %", 100.0 * result.accuracy()));
            has(&format!("{:.4}", result.test_loss()));
            // The study leaves out the table of epochs of the section on the last one.
            for epoch in result.seeds[0].epochs.iter().filter(|_| run != "stops") {
                has(&format!("{:.4}", epoch.test.loss));
            }
        }
        has(&results.measured_digest());
    }
    let counts: Vec<u64> = results.models.values().map(|m| m.parameters).collect();
    assert_eq!(counts, [1554, 1562], "104 + 8 + 145 * 10, the counts by hand");
}

#[test]
fn claims_have_their_verdict_and_conclusions_their_sentence() {
    let (bundle, _) = shared();
    let accuracy = Results::from_json(&bundle.text("results.json")).unwrap().runs["small"].accuracy();
    for name in ["report.md", "report.html"] {
        let text = read(&bundle.text(name));
        for words in ["(5*5 + 1)*4", "[64, 4, 24, 24]", "[64, 4, 12, 12]", "The stride is 2.", "better than chance"] {
            assert!(text.contains(words), "{name} has no `{words}`");
        }
        for verdict in ["differs", "matches", "not measured"] {
            assert!(text.contains(verdict), "{name} has no verdict `{verdict}`");
        }
        let sentence = format!("Yes, it gets {:.2} % right.", 100.0 * accuracy);
        assert!(text.contains("Does the network learn?") && text.contains(&sentence), "{name}: {sentence}");
        assert!(!text.contains("is chance."), "the other outcomes are not in the report");
    }
}

#[test]
fn statistics_are_in_both_formats() {
    let (bundle, _) = shared();
    let results = Results::from_json(&bundle.text("results.json")).unwrap();
    let pair = &results.comparisons["norm"].pairs[0];
    assert_eq!(pair.images(), 10_000);
    let (a, b) = (results.runs["small-bn"].accuracy(), results.runs["stops"].accuracy());
    let difference = (pair.only_run as f64 - pair.only_against as f64) / 10_000.0;
    assert!((a - b - difference).abs() < 1e-12);
    for name in ["report.md", "report.html"] {
        let text = read(&bundle.text(name));
        for n in [pair.both, pair.only_run, pair.only_against, pair.neither] {
            let n = mnist_report::text::numbers::count(n as u64);
            assert!(text.contains(&n), "{name} has no {n}");
        }
        let points = format!("{:.2}", 100.0 * difference);
        assert!(text.contains(&points), "{name} has no difference of {points}");
        for words in [
            "(over 10,000 test images)",
            "With against early stop",
            "Validation accuracy",
            "one seed: none",
            "McNemar",
            "highest confidence",
        ] {
            assert!(text.contains(words), "{name} has no `{words}`");
        }
    }
    let html = bundle.text("report.html");
    assert!(results.digits.values().all(|png| html.contains(png)), "every picture is shown");
}

#[test]
fn results_of_the_first_seed_name_the_seed() {
    let (bundle, _) = shared();
    let pages = [bundle.text("report.md"), read(&bundle.text("report.html"))];
    for page in pages {
        for words in [
            "Confusion matrix of “Without, seed 1”:",
            "Accuracy by digit, with 95 % intervals over the test images: “Without, seed 1”; “With”.",
            "“Without, seed 1”: of the",
            "means over seeds, but for the counts",
        ] {
            assert!(page.contains(words), "{words}");
        }
        let told = page.split("“Stops early”: training loss ").nth(1).unwrap().split("; test loss ").next().unwrap();
        assert!(told.contains(" after epoch 1 and "), "evaluated after the epoch: {told}");
        assert_eq!(page.matches("The measures are explained in ").count(), 1, "explained once");
        assert!(!page.contains("Confusion matrix of “Without”:") && !page.contains("With, seed"));
        assert!(!page.contains("The models and runs side by side"), "the sections have all results");
    }
    let rows = bundle.text("report.md");
    assert!(rows.contains("\n| Without, seed 1 | 1 |") && rows.contains("\n| With | 1 |"), "{rows}");
    // The table for readers who cannot see the figure.
    let columns = "<th scope=\"col\">digit</th><th scope=\"col\">Without, seed 1</th><th scope=\"col\">With</th>";
    assert!(bundle.text("report.html").contains(columns));
}

#[test]
fn the_batch_mean_loss_is_shown_only_if_the_study_refers_to_it() {
    let asked = built_with(&[("measured: runs.small.accuracy > values.chance", "measured: runs.small.notes_loss < 1")]);
    for name in ["report.md", "report.html"] {
        let (page, plain) = (asked.text(name), shared().0.text(name));
        // The measure with its meaning, a column of the table of results, and in the sentence on the results of one run.
        assert_eq!(read(&page).matches("Batch-mean loss").count(), 2, "{name}");
        assert_eq!(read(&page).matches("batch-mean loss ").count(), 1, "{name}");
        assert!(!plain.to_lowercase().contains("notes"), "{name}: these claims quote no notes");
    }
}

#[test]
fn key_figures_are_those_of_the_runs_that_are_compared() {
    let runs = "runs: {first: {model: only}, second: {model: only}, third: {model: only}, fourth: {model: only, epochs: 2}, \
                fifth: {model: only, epochs: 3}}\ncomparisons: {c: {run: fifth, against: fourth}}\n";
    let report = built(&MINI.replace("runs: {single: {model: only}}\n", runs)).text("report.md");
    let figures: Vec<&str> =
        report.lines().filter_map(|line| line.strip_prefix("- Test accuracy: ")?.split(':').next()).collect();
    assert_eq!(figures, ["fourth", "fifth"], "{report}");
    // The sentence on the only comparison names its runs.
    assert!(report.contains("only “fifth” ") && report.contains("only “fourth” "), "{report}");
}

#[test]
fn a_title_page_has_contents_in_print() {
    let (bundle, _) = shared();
    let html = bundle.text("report.html");
    let (_, contents) =
        html.split_once("<div class=\"printed-contents\">").expect("contents of a report with an author");
    let (contents, _) = contents.split_once("</div>").unwrap();
    assert_eq!(contents.matches("<li>").count(), html.matches("<section aria-labelledby=").count(), "{contents}");
    assert!(contents.contains("<span class=\"number\">1</span><a href=\"#"), "{contents}");
    assert!(!built(MINI).text("report.html").contains("<div class=\"printed-contents\">"), "no title page");
}

#[test]
fn the_page_is_one_file() {
    let (bundle, _) = shared();
    let html = bundle.text("report.html");
    assert!(html.trim_start().to_lowercase().starts_with("<!doctype html>"));
    for tag in ["<script", "<link", "<iframe", "<img", "<object", "@import", "url(", "src=", "onload=", "javascript:"] {
        assert!(!html.contains(tag), "{tag}");
    }
    let figures = names(&bundle.path.join("figures"));
    assert_eq!(
        html.matches("<svg").count(),
        2 * figures.len(),
        "every figure is part of the page, also for narrow screens"
    );
    for name in figures {
        let svg = bundle.text(&format!("figures/{name}"));
        assert!(html.contains(svg.trim_end()), "figures/{name} is the same picture");
        assert!(svg.contains("<title") && svg.contains("<desc"), "{name} can be read aloud");
    }
}

/// The numbers of an attribute in an SVG.
fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    let start = format!(" {attribute}=\"");
    svg.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// The value of a property in the first rule of some CSS for a selector, in millimetres.
fn millimetres(css: &str, rule: &str) -> f64 {
    let rest = css.split(rule).nth(1).unwrap_or_else(|| panic!("no rule `{rule}`"));
    rest.split("mm").next().unwrap().parse().unwrap()
}

#[test]
fn figures_have_one_of_two_widths_and_no_label_is_too_small_on_screen_or_in_print() {
    let (bundle, _) = shared();
    let css = fs::read_to_string(root().join("templates/style.css")).unwrap();
    let print = css.split("@media print").nth(1).unwrap();
    let full = millimetres(print, ".picture svg { width: ");
    let half = millimetres(print, ".picture.half svg { width: ");
    let mut widths = std::collections::BTreeSet::new();
    for name in names(&bundle.path.join("figures")) {
        let svg = bundle.text(&format!("figures/{name}"));
        let width = numbers(&svg, "width")[0];
        // A unit is a CSS pixel on screen, where figures are not scaled.
        let smallest = numbers(&svg, "font-size").into_iter().fold(f64::MAX, f64::min);
        assert!(smallest >= 12.0, "{name}: {smallest} px");
        let printed = if width > 400.0 { full } else { half };
        let points = smallest * printed / width / 25.4 * 72.0;
        assert!(points >= 8.0, "{name}: {points} pt");
        widths.insert(width as u32);
    }
    assert_eq!(widths.into_iter().collect::<Vec<_>>(), [368, 760]);
    assert!(css.contains(".picture svg { display: block; max-width: none; }"), "no screen makes figures smaller");
}

#[test]
fn words_in_figures_are_inside_their_canvas() {
    let tags = |svg: &str| -> Vec<(String, String)> {
        let pairs = svg.split("<text ").skip(1).map(|rest| rest.split_once('>').unwrap());
        pairs.map(|(tag, rest)| (format!(" {tag}"), rest.split('<').next().unwrap().trim().to_owned())).collect()
    };
    let (english, ukrainian) = (copy(), copy());
    ukrainian.run("render", &["--lang", "uk"]).exits(0);
    for bundle in [english, ukrainian] {
        for name in names(&bundle.path.join("figures")) {
            let svg = bundle.text(&format!("figures/{name}"));
            let [width, height] = ["width", "height"].map(|side| numbers(&svg, side)[0]);
            for (tag, words) in tags(&svg) {
                let ([x], [y], [size]) = (&*numbers(&tag, "x"), &*numbers(&tag, "y"), &*numbers(&tag, "font-size"))
                else {
                    panic!("{name}: {tag}")
                };
                // Letters of common fonts are about half as wide as they are high.
                let long = words.chars().count() as f64 * size * 0.5;
                let left = if tag.contains("\"middle\"") {
                    x - long / 2.0
                } else if tag.contains("\"end\"") {
                    x - long
                } else {
                    *x
                };
                assert!(left >= -2.0 && left + long <= width + 2.0, "{name}: `{words}` from {left} to {}", left + long);
                assert!((0.0..=height).contains(y), "{name}: `{words}` at {y} of {height}");
            }
        }
    }
}

#[test]
fn ids_in_the_page_are_unique_and_links_lead_somewhere() {
    let html = shared().0.text("report.html");
    let values = |attribute: &str| -> Vec<String> {
        let parts = html.split(attribute).skip(1);
        parts.map(|rest| rest[..rest.find('"').unwrap()].to_owned()).collect()
    };
    let ids = values(" id=\"");
    let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for link in values(" href=\"").iter().filter(|link| !link.starts_with("data:image/png;base64,")) {
        assert!(link.strip_prefix('#').is_some_and(|id| unique.contains(&id.to_owned())), "{link}");
    }
    for names in values(" aria-labelledby=\"") {
        assert!(names.split(' ').all(|id| unique.contains(&id.to_owned())), "{names}");
    }
}

#[test]
fn words_of_a_study_are_never_markup_in_the_page_or_a_figure() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, worded("<script>alert(1)</script> & \"quoted\" {{ 7*7 }} ]]>")).unwrap();
    run(&mut build(&study, &home.path().join("mini"))).exits(0);
    let bundle = Bundle::at(home.path().join("mini"));
    let html = bundle.text("report.html");
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
    assert!(html.contains("{{ 7*7 }}") && !html.contains("49 ]]"), "a title is no template");
    for name in names(&bundle.path.join("figures")) {
        assert!(!bundle.text(&format!("figures/{name}")).contains("<script"), "{name}");
    }
    bundle.run("verify", &["--upto", "render"]).exits(0);
}

#[test]
fn the_losses_of_a_single_epoch_are_given_once() {
    let home = tempfile::tempdir().unwrap();
    let study = home.path().join("mini.yaml");
    fs::write(&study, worded("plain")).unwrap();
    let bundle = Bundle::at(home.path().join("mini"));
    run(&mut build(&study, &bundle.path)).exits(0);
    let results = Results::from_json(&bundle.text("results.json")).unwrap();
    let epoch = &results.runs["single"].seeds[0].epochs[0];
    let [train, test] = [epoch.train_loss, epoch.test.loss].map(|loss| format!("{loss:.4}"));
    for (lang, words) in [
        ("en", format!("“plain”: training loss {train} in the only epoch and test loss {test} after it.")),
        (
            "uk",
            format!("«plain»: у єдиній епосі втрати під час навчання {train}, після неї на тестовій вибірці {test}.")
                .replace(&train, &train.replace('.', ","))
                .replace(&test, &test.replace('.', ",")),
        ),
    ] {
        bundle.run("render", &["--lang", lang]).exits(0);
        for name in ["report.md", "report.html"] {
            assert!(read(&bundle.text(name)).contains(&words), "{name} has no `{words}`");
        }
    }
}
