//! A study's own texts: Markdown with measured values, images and references, and which of it is refused.
//!
//! Longer than 400 lines because all tests share a study that has every form of text, and read the same bundle.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mnist_report::report::{Edition, Picture, Pictures, Provenance, Rendition, Templates, render};
use mnist_report::results::Results;
use mnist_report::study::Source;
use tempfile::TempDir;

use crate::check_py::check;
use crate::markdown;
use crate::support::*;

/// `MINI` with a text of each kind, as YAML lists its lines.
const WORDS: &str = r#"
lang: [en, uk]
title: {en: Own words, uk: Власні слова}
description:
  en: |
    A network with **{{ models.only.parameters|count }}** parameters.

    See [the results](#training-1) and [the notes](https://example.org/notes?a=1&b=2).
  uk: Мережа з **{{ models.only.parameters|count }}** параметрами.
models: {only: {layers: [flatten, {linear: {out_features: 10}}]}}
defaults: {train: {images: {first: 50}}, epochs: 1, batch_size: 50, optimizer: {sgd: {lr: 0.1}}, seeds: [1]}
runs: {single: {model: only}}
sections:
  - title: {en: Training, uk: Навчання}
    text:
      en: |
        ## Setting

        1. one *step*
        2. a list in a list
           - `code` and *`more`* code
           - ***both***

        > Quoted <b>words</b>.

        ```python
        print("`x`" < 3)
        ```

        ![The *board* in the lab](photos/board.png "Five digits in chalk")
      uk: |
        ![Дошка в лабораторії](photos/board.png)
    discussion:
      en: |
        It reaches {{ (runs.single.accuracy * 100)|round(2) }} % [[1]](#reference-1).{% if runs.single.accuracy > 2 %} Never.{% endif %}
      uk: Точність {{ (runs.single.accuracy * 100)|round(2) }} %.
    runs: [single]
references:
  - LeCun et al. *Gradient-based learning*. <https://example.org/lecun>
  - {en: A book, uk: Книга}
"#;

fn png(width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::new(&mut bytes, width, 2).write_header().unwrap();
    writer.write_image_data(&vec![200; (width * 2) as usize]).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A folder with the study and its image.
fn folder() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("photos")).unwrap();
    fs::write(home.path().join("photos/board.png"), png(3)).unwrap();
    let study = home.path().join("own.yaml");
    fs::write(&study, WORDS).unwrap();
    (home, study)
}

fn built_words() -> (TempDir, Bundle) {
    let (home, study) = folder();
    let bundle = Bundle::at(home.path().join("own"));
    run(&mut build(&study, &bundle.path)).exits(0);
    (home, bundle)
}

/// Asserts that a text contains a part, ignoring white space.
#[track_caller]
fn has(text: &str, part: &str) {
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace("> <", "><");
    assert!(plain(text).contains(&plain(part)), "no `{part}` in:\n{text}");
}

#[test]
fn a_page_and_its_markdown_show_a_studys_own_words() {
    let (_home, bundle) = built_words();
    let page = bundle.text("report.html").replace("&#x2f;", "/");
    let accuracy =
        bundle.json("results.json")["runs"]["single"]["seeds"][0]["epochs"][0]["test"]["correct"].as_f64().unwrap()
            / 100.0;
    for part in [
        "<p>A network with <b>7,850</b> parameters.</p>",
        "<a href=\"#training-1\">the results</a>",
        "<a href=\"https://example.org/notes?a=1&amp;b=2\" rel=\"noreferrer\">the notes</a>",
        "<h3>Setting</h3>",
        "<li><p>one <em>step</em></p></li>",
        "<li><p><code>code</code> and <code>more</code> code</p></li><li><p><b><em>both</em></b></p></li>",
        "<blockquote><p>Quoted &lt;b&gt;words&lt;/b&gt;.</p></blockquote>",
        "<code>print(&quot;`x`&quot; &lt; 3)",
        "alt=\"Five digits in chalk\"",
        "<b>Figure 2.</b> The <em>board</em> in the lab.</figcaption>",
        "width=\"3\" height=\"2\"",
        "<a href=\"#reference-1\">[1]</a>",
        "<li id=\"reference-1\">LeCun et al. <em>Gradient-based learning</em>. <a href=\"https://example.org/lecun\" rel=\"noreferrer\">",
        "<li id=\"reference-2\">A book</li>",
    ] {
        has(&page, part);
    }
    has(&page, &format!("It reaches {accuracy} %").replace(" %", "\u{a0}%"));
    assert!(!page.contains("Never.") && !page.contains("{{"), "{page}");
    // The text is before the tables, and the discussion after the figures.
    let at = |part: &str| page.find(part).unwrap_or_else(|| panic!("{part}"));
    let section = at("<h2 id=\"training-1\">");
    let heading = at("<h3>Setting</h3>");
    assert!(section < heading && heading < section + page[section..].find("<table").unwrap());
    assert!(page[section..].find("<svg").unwrap_or(0) + section < at("It reaches"));
    let document = markdown::check_file(&bundle, "report.md");
    let report = bundle.text("report.md");
    for part in [
        "A network with **7,850** parameters.",
        "[the notes](<https://example.org/notes?a=1&amp;b=2>)",
        "### Setting",
        "1. one *step*\n\n2. a list in a list\n\n   - `code` and `more` code\n\n   - ***both***",
        "> Quoted \\<b\\>words\\</b\\>.",
        "```python\nprint(\"`x`\" < 3)\n```",
        "![Five digits in chalk](images/photos/board.png)",
        "**Figure 2.** The *board* in the lab.",
        "1. LeCun et al. *Gradient-based learning*. [https://example.org/lecun](<https://example.org/lecun>)\n2. A book",
    ] {
        has(&report, part);
    }
    assert!(document.has_link("https://example.org/notes?a=1&b=2"));
    let ukrainian = bundle.text("report.uk.html").replace('\u{a0}', " ");
    for part in ["<p>Мережа з <b>7 850</b> параметрами.</p>", "<b>Рисунок 2.</b> Дошка в лабораторії.", "Книга"]
    {
        has(&ukrainian, part);
    }
}

/// The texts around an image cannot tell that it was exchanged.
#[test]
fn an_assignments_images_are_compared_unless_their_texts_are_free() {
    let (_home, bundle) = built_words();
    let (lab_home, lab) = folder();
    let verify = || bundle.run("verify", &["--upto", "files", "--assignment", lab.to_str().unwrap()]);
    verify().exits(0);
    fs::write(lab_home.path().join("photos/board.png"), png(4)).unwrap();
    let done = verify().exits(1);
    assert!(done.out.contains("images/photos/board.png: \"SHA-256 "), "{}", done.out);
    let free = WORDS.replacen("title:", "free: [description, 'sections[*]', references]\ntitle:", 1);
    fs::write(&lab, free).unwrap();
    verify().exits(0);
}

#[test]
fn images_are_inputs_that_verify_checks() {
    let (_home, bundle) = built_words();
    assert_eq!(bundle.bytes("images/photos/board.png"), png(3));
    let manifest = bundle.json("manifest.json");
    assert_eq!(manifest["inputs"][1]["name"], "images/photos/board.png");
    has(&bundle.text("report.html").replace("&#x2f;", "/"), "<th scope=\"row\">images/photos/board.png</th>");
    assert!(bundle.text("ro-crate-metadata.json").contains("An image that the study’s own words show"));
    bundle.run("verify", &[]).exits(0);
    check(&[], &bundle.path).exits(0);
    bundle.run("publish", &[]).exits(0);
    on_paths("verify", &["--upto", "metrics"], &[&bundle.zip()]).exits(0);
    check(&[], &bundle.zip()).exits(0);
    let sound = bundle.identity();
    bundle.run("render", &[]).exits(0);
    assert!(bundle.identity() == sound);
    let forged = |change: &dyn Fn(), part: &str| {
        change();
        bundle.redo_sums();
        let done = bundle.run("verify", &["--upto", "render"]).exits(1);
        assert!(done.out.contains(part), "{part}: {}", done.out);
        check(&["--upto", "inputs"], &bundle.path).exits(1);
        fs::create_dir_all(bundle.path.join("images/photos")).unwrap();
        for (name, bytes) in &sound {
            bundle.write(name, bytes);
        }
    };
    forged(&|| bundle.write("images/photos/board.png", png(4)), "images/photos/board.png is not the bundle's image");
    forged(&|| bundle.write("images/photos/board.png", "<svg/>"), "neither a PNG nor a JPEG");
    let other = bundle.path.join("images/other.png");
    forged(&|| fs::write(&other, png(1)).unwrap(), "images/other.png: no text of the study shows it");
    fs::remove_file(&other).unwrap();
    let folder = bundle.path.join("images");
    forged(&|| fs::remove_dir_all(&folder).unwrap(), "images/photos/board.png: the study shows it, and it is missing");
    bundle.run("verify", &["--upto", "render"]).exits(0);
}

#[test]
fn every_place_that_words_may_link_to_is_in_the_report() {
    let (_home, bundle) = built_words();
    let study = Source::load(&bundle.path.join("study.yaml")).unwrap().study;
    let page = bundle.text("report.html");
    assert!(study.anchors().len() > 10);
    for anchor in study.anchors() {
        assert!(page.contains(&format!(" id=\"{anchor}\"")), "{anchor}");
    }
}

#[test]
fn words_that_a_report_cannot_show_are_refused_before_training() {
    let (home, study) = folder();
    let out = home.path().join("out");
    for (from, to, parts) in [
        (
            "(#training-1)",
            "(#training-2)",
            &["own.yaml:5: description.en: the report has no place `#training-2`; it has", "#training-1"][..],
        ),
        (
            "https://example.org/notes?a=1&b=2",
            "javascript:alert(1)",
            &["description.en: the link `javascript:alert(1)` must start with https://"],
        ),
        (
            "models.only.parameters|count }}** parameters",
            "models.only.parameter|count }}** parameters",
            &["own.yaml:6: description.en: ", "parameter"],
        ),
        (
            "models.only.parameters|count }}** parameters",
            "models.|count }}** parameters",
            &["description.en: invalid text between braces"],
        ),
        ("A network", "# A network", &["description.en: a heading can only be"]),
        ("runs.single.accuracy > 2", "runs.other.accuracy > 2", &["sections[0].discussion.en: "]),
        ("uk: Книга", "uk: '- Книга'", &["references[1].uk: a reference is one paragraph"]),
        ("  - {en: A book, uk: Книга}", "  - {en: A book}", &["references[1]: has no text in `uk`"]),
        ("![The *board* in the lab]", "![]", &["sections[0].text.en: the image `photos/board.png` has no caption"]),
        (
            "![The *board*",
            "See ![the *board*",
            &["sections[0].text.en: the image `photos/board.png` must be a paragraph of its own"],
        ),
        (
            "(photos/board.png \"",
            "(photos/other.png \"",
            &["sections[0].text.en: image `photos/other.png` cannot be read: there is no "],
        ),
        ("(photos/board.png \"", "(../board.png \"", &["image `../board.png` must be below the study's folder"]),
        ("(photos/board.png \"", "(https://x.org/a.png \"", &["image `https://x.org/a.png` is not a file"]),
        // A file beside the missing one, and the line of a mistake in a text.
        ("(photos/board.png \"", "(photos/bord.png \"", &["did you mean `photos/board.png`?"]),
        (
            "*step*",
            "{{ runs.single.accuracy }",
            &["own.yaml:19: sections[0].text.en: invalid text between braces: `{{` is not closed: write `}}`"],
        ),
        // A mistake in the second language.
        (
            "uk: Мережа з **{{ models.only.parameters|count }}**",
            "uk: Мережа з **{{ models.only.parameters|count }**",
            &["own.yaml:9: description.uk: invalid text between braces: `{{` is not closed: write `}}`"],
        ),
        ("(photos/board.png)", "(photos/else.png)", &["sections[0].text.uk: image `photos/else.png` cannot be read"]),
    ] {
        assert!(WORDS.contains(from), "{from}");
        fs::write(&study, WORDS.replacen(from, to, 1)).unwrap();
        run(&mut build(&study, &out)).refused(parts);
        assert!(!out.exists());
    }
}

/// A name of a value shows that its text is no literal braces.
#[test]
fn a_mistyped_value_is_shown_with_the_form_of_a_right_one() {
    const FORM: &str = "a value is written as in `{{ runs.NAME.accuracy|percent(2) }}`";
    let (home, study) = folder();
    for (typed, parts) in [
        ("models.only.параметри", &["in `{{ models.only.параметри }}`", FORM, "names have Latin letters"][..]),
        ("models.only.parameters %", &["in `{{ models.only.parameters % }}`", FORM]),
        ("models.only.parameters|count 2", &["in `{{ models.only.parameters|count 2 }}`", FORM]),
        ("1 %", &["description.en: invalid text between braces: ", "write `{{ '{{' }}` for two braces"]),
    ] {
        assert!(WORDS.contains("models.only.parameters|count }}"));
        fs::write(&study, WORDS.replace("models.only.parameters|count }}", &format!("{typed} }}}}"))).unwrap();
        run(&mut build(&study, &home.path().join("out"))).refused(parts);
    }
}

#[test]
fn too_many_images_and_too_long_texts_are_refused_before_training() {
    let (home, study) = folder();
    let out = home.path().join("out");
    fs::write(
        &study,
        WORDS.replace("        > Quoted", &("        ![a](photos/board.png)\n\n".repeat(60) + "        > Quoted")),
    )
    .unwrap();
    run(&mut build(&study, &out)).refused(&["the texts show 62 images: at most 60 are supported"]);
    let long = "x".repeat(32_001);
    fs::write(&study, WORDS.replace("A book", &long)).unwrap();
    run(&mut build(&study, &out)).refused(&["references[1].en: is longer than 32000 bytes"]);
}

/// What Markdown does not read is printed as it was typed, without an error.
#[test]
fn markdown_that_is_printed_as_typed_is_noted() {
    let (_home, study) = folder();
    let summary = |from: &str, to: &str| {
        assert!(WORDS.contains(from), "{from}");
        fs::write(&study, WORDS.replacen(from, to, 1)).unwrap();
        run(program(["summary"]).arg(&study)).exits(0).err
    };
    has(&summary("photos/board.png \"", "my board.png \""), "this looks like an image but is printed as text");
    has(&summary("*step*", "{ runs.single.loss }"), "own.yaml:19: sections[0].text.en: `{ }` is printed as text");
    has(&summary("<https://example.org/lecun>", "<example.org/lecun>"), "a link needs https://");
    let cut = summary("title: {en: Own words, uk: Власні слова}", "title: Own words #3 of mine");
    has(&cut, "own.yaml:3: title: the text ends before ` #`, which starts a comment; put it in quotes");
    assert!(!summary("Quoted", "Cited").contains("note: "));
    // As `build` does.
    fs::write(&study, WORDS.replacen("(photos/board.png)", "(photos/bord.png)", 1)).unwrap();
    run(program(["summary"]).arg(&study)).refused(&[
        "sections[0].text.uk: image `photos/bord.png` cannot be read: there is no ",
        "did you mean `photos/board.png`?",
    ]);
}

#[test]
fn an_image_must_be_a_small_png_or_jpeg_beside_the_study() {
    let (home, study) = folder();
    let (out, board) = (home.path().join("out"), home.path().join("photos/board.png"));
    let refused = |part: &str| {
        run(&mut build(&study, &out)).refused(&["own.yaml:", "image `photos/board.png` ", part]);
    };
    fs::write(&board, "<svg onload='alert(1)'/>").unwrap();
    refused("is neither a PNG nor a JPEG by its content");
    fs::write(&board, [png(3), vec![0; 1 << 20]].concat()).unwrap();
    refused("has more than 1 MB");
    fs::write(&board, [0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1, 3]).unwrap();
    refused("is image/jpeg by its content: change its ending");
    fs::remove_file(&board).unwrap();
    fs::write(home.path().join("else.png"), png(3)).unwrap();
    symlink(home.path().join("else.png"), &board).unwrap();
    refused("is a symbolic link");
    fs::remove_dir_all(home.path().join("photos")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("board.png"), png(3)).unwrap();
    symlink(elsewhere.path(), home.path().join("photos")).unwrap();
    refused("is a symbolic link");
}

/// The report of an unchecked study, with the results of the shared bundle.
fn pages(words: &str) -> [String; 2] {
    let quoted = serde_json::to_string(words).unwrap();
    let yaml = tiny_text().replacen("title:", &format!("description: {quoted}\nreferences: [{quoted}]\ntitle:"), 1);
    assert!(yaml.contains(&quoted));
    let yaml = without_description(&yaml);
    let study = Source::from_text(Path::new("study.yaml"), &yaml).unwrap().study;
    let results = Results::from_json(&shared().0.text("results.json")).unwrap();
    let (templates, editions) = (Templates::built_in(), [Edition { lang: study.lang, study }]);
    let rendition = Rendition { editions: &editions, date: None, templates: &templates };
    let picture = Picture::read(png(3)).unwrap();
    let pictures = Pictures::from([("a.png".to_owned(), picture)]);
    let languages = rendition.languages();
    let provenance =
        Provenance { languages: &languages, pictures: &pictures, inputs: &[], inputs_digest: "", measured_digest: "" };
    let files = render(&results, &provenance, &rendition).unwrap();
    let text = |name: &str| files.iter().find(|(file, _)| file == name).unwrap().1.clone();
    [text("report.html"), text("report.md")]
}

/// A study without its second description.
fn without_description(yaml: &str) -> String {
    let mut seen = 0;
    let mut in_description = false;
    let keep = |line: &&str| {
        if line.starts_with("description:") {
            seen += 1;
        }
        in_description =
            if line.starts_with(' ') { in_description } else { line.starts_with("description:") && seen > 1 };
        !in_description
    };
    yaml.lines().filter(keep).map(|line| line.to_owned() + "\n").collect()
}

/// Every tag of a page except those of its figures.
fn tags(page: &str) -> Vec<String> {
    let body = page.split("</style>").last().unwrap();
    let outside: Vec<&str> =
        body.split("<svg").map(|part| part.split_once("</svg>").map_or(part, |(_, rest)| rest)).collect();
    outside
        .concat()
        .replace("&#x2f;", "/")
        .split('<')
        .skip(1)
        .map(|tag| tag.split('>').next().unwrap().to_owned())
        .collect()
}

/// Asserts that no tag of a page runs a program or loads a file.
#[track_caller]
fn assert_harmless(tags: &[String], words: &str) {
    for tag in tags {
        let lower = tag.to_lowercase();
        assert!(
            !lower.starts_with("script") && !lower.contains("javascript:") && !lower.contains("data:text"),
            "{words}: <{tag}>"
        );
        // An attribute would follow a quotation mark or a space outside values.
        let outside: String = tag.split('"').step_by(2).collect();
        assert!(
            !outside.contains("onclick")
                && !outside.contains("onerror")
                && !outside.contains("onload")
                && !outside.contains("onmouseover"),
            "{words}: <{tag}>"
        );
        if let Some(link) = tag.strip_prefix("a href=\"") {
            assert!(
                ["#", "https://", "http://", "mailto:"].iter().any(|start| link.starts_with(start)),
                "{words}: <{tag}>"
            );
        }
        if tag.starts_with("img ") {
            assert!(tag.starts_with("img src=\"data:image/png;base64,"), "{words}: <{tag}>");
        }
    }
}

#[test]
fn hostile_words_of_a_bundle_neither_enter_the_page_nor_take_long() {
    let plain = tags(&pages("plain")[0]).len();
    for words in [
        "<script>alert(1)</script>",
        "</p></div><img src=x onerror=alert(1)>",
        "[a](javascript:alert(1)) [b](data:text/html,x) [c](<https://x.org\" onclick=\"alert(1)>)",
        "[a](https://x.org/\"onmouseover=\"alert(1))",
        "![x\" onerror=\"alert(1)](a.png \"y\\\" onload=\\\"alert(2)\")",
        "![x](https://evil.org/track.png)",
        "![x](../../etc/passwd.png)",
        "```\" onclick=\"alert(1)\n</code></pre><script>alert(1)</script>\n```",
        "[x](#a\"onclick=\"alert(1))",
        "{{ '<script>alert(1)</script>' }}",
        "{{ '[a](javascript:alert(1))' }}",
        "{{ values.nothing }} {{ 1 / 0 }}",
        "{{",
        "{% for x in range(10) %}{% endfor %}",
    ] {
        let started = Instant::now();
        let [page, report] = pages(words);
        assert!(started.elapsed() < Duration::from_secs(20), "{words}");
        let tags = tags(&page);
        assert!(tags.len() >= plain - 6, "{words}");
        assert_harmless(&tags, words);
        assert!(!markdown::has_html(&report), "{words}: {report}");
    }
}

#[test]
fn endless_words_of_a_bundle_do_not_take_long() {
    let [page, _] = pages(&"![x](a.png)\n\n".repeat(2_000));
    assert_eq!(page.matches("<img ").count(), 30);
    for words in [
        ">".repeat(30_000),
        "- ".repeat(15_000) + "a",
        "*".repeat(30_000),
        "[".repeat(9_000),
        "![".repeat(9_000),
        "`".repeat(30_000),
        "&#x61;".repeat(5_000),
        "[a]: <b>\n".repeat(3_000),
        "<".repeat(30_000),
        "<!--".repeat(7_500),
        "{% if true %}".repeat(300),
        "{{ ".to_owned() + &"not ".repeat(950) + "true }}",
        "{{ ".to_owned() + &"1 + ".repeat(950) + "1 }}",
        "{{ 'x' * 100000 }}".to_owned(),
    ] {
        let started = Instant::now();
        pages(&words);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{}: {:?}",
            &words[..20.min(words.len())],
            started.elapsed()
        );
    }
}

#[test]
fn expressions_that_would_overflow_the_stack_are_refused() {
    let long = "description: has more than 4000 bytes between braces";
    for (expression, expected) in [
        ("(".repeat(4_000), "description: has brackets more than 64 deep: split it"),
        ("not ".repeat(7_000), long),
        ("1 + ".repeat(7_000), long),
        ("'}}' + ".repeat(700), long),
    ] {
        let yaml = format!("description: \"{{{{ {expression}\"\n{MINI}");
        let refused = Source::from_text(Path::new("study.yaml"), &yaml).err().unwrap().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn words_whose_values_were_not_measured_are_not_shown() {
    let (_home, bundle) = built_words();
    let yaml = bundle.text("study.yaml");
    let study = Source::from_text(Path::new("study.yaml"), &yaml).unwrap().study;
    let mut results = Results::from_json(&bundle.text("results.json")).unwrap();
    results.runs.clear();
    let (templates, editions, pictures) =
        (Templates::built_in(), [Edition { lang: study.lang, study }], Pictures::new());
    let rendition = Rendition { editions: &editions, date: None, templates: &templates };
    let languages = rendition.languages();
    let provenance =
        Provenance { languages: &languages, pictures: &pictures, inputs: &[], inputs_digest: "", measured_digest: "" };
    let files = render(&results, &provenance, &rendition).unwrap();
    let page = &files.iter().find(|(file, _)| file == "report.html").unwrap().1;
    has(page, "This text is not shown, because it needs values that were not measured: <code>runs.single");
}
